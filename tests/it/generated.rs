//! Logs of the formats that nobody recorded for us: made from a seed, with damage in known places,
//! and played to the real program every way there is.

mod frames;
mod messages;

use std::collections::BTreeMap;

use crate::support::{Log, Played, number};

/// Messages, and what must come of them.
#[derive(Debug, Default)]
struct Made {
    /// Each with what ends it.
    messages: Vec<Vec<u8>>,
    good: u64,
    refused: BTreeMap<&'static str, u64>,
    /// The values of each field.
    values: BTreeMap<String, Vec<f64>>,
}

impl Made {
    /// A message that is good.
    fn good(&mut self, message: impl Into<Vec<u8>>, readings: &[(&str, f64)]) {
        self.messages.push(message.into());
        self.good += 1;
        for (name, value) in readings {
            self.values.entry((*name).to_owned()).or_default().push(*value);
        }
    }

    /// A message that is refused.
    fn bad(&mut self, why: &'static str, message: impl Into<Vec<u8>>) {
        self.messages.push(message.into());
        *self.refused.entry(why).or_default() += 1;
    }

    /// Bytes that are no message.
    fn nothing(&mut self, bytes: impl Into<Vec<u8>>) {
        self.messages.push(bytes.into());
    }

    /// The log of a format.
    fn log<'a>(&'a self, name: &'a str, format: &'a str) -> Log<'a> {
        Log { name, format, messages: &self.messages, paused: false }
    }

    /// Holds that exactly this came of it.
    fn assert_all(&self, played: &Played, name: &str) {
        assert_eq!(played.count("frames_ok"), self.good, "{name}: {}", played.ledger);
        let refused = played.ledger["frames_refused"].as_object().expect("reasons").iter();
        let refused: BTreeMap<_, _> =
            refused.map(|(why, n)| (why.as_str(), n.as_u64().expect("a count"))).collect();
        assert_eq!(refused, self.refused, "{name}");
        let told = played.summaries.iter().filter(|(_, summary)| 0 < number(summary, "n"));
        let told: Vec<_> = told.map(|(id, _)| id.trim_start_matches("log.")).collect();
        let made: Vec<_> = self.values.keys().map(String::as_str).collect();
        assert_eq!(told, made, "{name}");
        for (field, values) in &self.values {
            let of = |key| played.summary(field, key);
            let (n, sum) = (values.len() as f64, values.iter().sum::<f64>());
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!((of("n"), of("min"), of("max")), (n, least, most), "{name}: {field}");
            assert_eq!(Some(of("last")), values.last().copied(), "{name}: {field}");
            let (mean, scale) = (sum / n, least.abs().max(most.abs()).max(1.0));
            assert!((of("mean") - mean).abs() < 1e-9 * scale, "{name}: {field}: {}", of("mean"));
        }
    }
}
