//! `stillwell adopt`: the configuration that makes discovered channels permanent.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde_json::{Map, Value};

use super::{
    args::AdoptArgs,
    channels::{self, Channel},
    connection::{Connection, parse},
    failure::Failure,
    nothing, number,
    replies::{Current, Live, Summary},
};
use crate::{engine::duration, limits::RESOLUTION_DEFAULT};

/// Readings that tell something about how often they come.
const READINGS_MIN: u64 = 5;
/// A longer window counts as full if its rate is within this share of that of the shorter one.
const FULL_SHARE: f64 = 0.9;
/// Values that a window may lack or have by chance.
const CHANCE: f64 = 2.0;
/// Decimals that a value is looked at with: a 32-bit float has seven significant digits.
const DIGITS: usize = 7;

/// What the values of a channel tell about it.
#[derive(Default)]
struct Seen {
    /// Length, number of readings and rate of each window.
    windows: Vec<(i64, String, u64, f64)>,
    values: Vec<f64>,
}

pub(super) fn run(args: &AdoptArgs) -> Result<(), Failure> {
    let mut connection = Connection::open(args.socket.as_deref())?;
    if let Some(reason) = nothing::selected(&mut connection, &args.patterns)? {
        return nothing::tell(&reason);
    }
    let parameters = channels::selection(&args.patterns);
    let (mut found, mut configured) = (Vec::new(), 0);
    channels::each(&mut connection, parameters.clone(), |text| {
        let channel: Channel = parse(text)?;
        if channel.discovered {
            found.push(channel);
        } else {
            configured += 1;
        }
        Ok(())
    })?;
    if found.is_empty() {
        let count = number::count(configured, "channel");
        return nothing::tell(&format!("nothing to adopt: {count}, configured already"));
    }
    let seen = seen(&mut connection, parameters)?;
    let mut out = io::stdout().lock();
    for channel in &found {
        let block = block(channel, seen.get(&channel.id).unwrap_or(&Seen::default()));
        out.write_all(block.as_bytes())?;
    }
    Ok(out.flush()?)
}

fn seen(
    connection: &mut Connection,
    parameters: Map<String, Value>,
) -> Result<BTreeMap<String, Seen>, Failure> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    connection.pages("Get", parameters, |page| {
        let current: Current<'_> = parse(page.get())?;
        for text in current.summaries {
            let summary: Summary = parse(text.get())?;
            let Summary { id, window, n, rate, min, max, first, last, .. } = summary;
            let seen = seen.entry(id).or_default();
            seen.values.extend([min, max, first, last].into_iter().flatten());
            if let (Some(rate), Ok(length_ns)) = (rate, duration::parse(&window)) {
                seen.windows.push((length_ns, window, n, rate));
            }
        }
        for text in current.channels {
            let live: Live = parse(text.get())?;
            seen.entry(live.id).or_default().values.extend(live.value);
        }
        Ok(())
    })?;
    Ok(seen)
}

/// One `[[channel]]`, with a line on what its estimates come from.
fn block(channel: &Channel, seen: &Seen) -> String {
    let full = seen.full_window();
    let mut text = seen.comment(full);
    text.push_str("[[channel]]\n");
    let mut key = |name: &str, value: Value| text.push_str(&format!("{name} = {value}\n"));
    key("id", channel.id.as_str().into());
    key("source", channel.source.as_str().into());
    // What JSON writes of text and numbers, TOML reads the same way.
    let place = [("device", channel.device), ("index", channel.index)];
    for (name, number) in place {
        number.into_iter().for_each(|number| key(name, number.into()));
    }
    for (name, words) in [("field", &channel.field), ("unit", &channel.unit)] {
        words.iter().for_each(|words| key(name, words.as_str().into()));
    }
    if let (None, Some((_, _, _, rate))) = (channel.expected_rate, full) {
        key("expected_rate", rounded(*rate));
    }
    // One that was set is not guessed anew.
    let is_default = channel.resolution.is_none_or(|set| set == RESOLUTION_DEFAULT);
    let resolution = seen.resolution().filter(|guess| is_default && *guess != RESOLUTION_DEFAULT);
    if let Some(resolution) = resolution {
        key("resolution", resolution.into());
    }
    text.push('\n');
    text
}

impl Seen {
    /// The longest window that the channel has filled, judged by its rate: one that began before
    /// the channel did holds less, and one that holds what had waited to be read holds more.
    fn full_window(&self) -> Option<&(i64, String, u64, f64)> {
        let mut windows: Vec<_> =
            self.windows.iter().filter(|(_, _, n, _)| READINGS_MIN <= *n).collect();
        windows.sort_by_key(|(length_ns, ..)| *length_ns);
        let mut full: Option<&(i64, String, u64, f64)> = None;
        for window in windows {
            match full {
                Some((_, _, n, rate))
                    if window.3 < FULL_SHARE * rate
                        || rate * (2.0 - FULL_SHARE + CHANCE / *n as f64) < window.3 =>
                {
                    break;
                }
                _ => full = Some(window),
            }
        }
        full
    }

    fn comment(&self, full: Option<&(i64, String, u64, f64)>) -> String {
        let least = self.values.iter().copied().reduce(f64::min);
        let most = self.values.iter().copied().reduce(f64::max);
        let Some((least, most)) = least.zip(most) else { return String::new() };
        let rate = full.map_or_else(
            || "too few values to tell how often they come".to_owned(),
            |(_, window, n, _)| format!("{} in {window}", number::count(*n, "value")),
        );
        format!("# {rate}, from {} to {}\n", number::value(least), number::value(most))
    }

    /// The last decimal that the values use: what an instrument tells apart.
    fn resolution(&self) -> Option<f64> {
        let decimals = self.values.iter().map(|value| decimals(*value)).max()?;
        // Few values may have an end zero by chance.
        let tells = 3 <= self.values.len() && decimals <= DIGITS;
        format!("1e-{decimals}").parse().ok().filter(|_| tells)
    }
}

/// Decimals of a value at seven significant digits.
fn decimals(value: f64) -> usize {
    let short: f64 = format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value);
    format!("{short}").split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

/// A rate to write down: a whole number, or that of a whole period in seconds, where it is within
/// a twentieth of that; three significant digits.
fn rounded(rate: f64) -> Value {
    let is_near = |guess: f64| (guess - rate).abs() <= rate / 20.0;
    let whole = rate.round();
    if 1.0 <= whole && is_near(whole) {
        return (whole as u64).into();
    }
    // Infinite for what comes more than twice a second, and then not near.
    let of_period = rate.recip().round().recip();
    let rate = if is_near(of_period) { of_period } else { rate };
    Value::from(format!("{rate:.2e}").parse::<f64>().unwrap_or(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(windows: &[(&str, u64, f64)], values: &[f64]) -> Seen {
        let window = |&(name, n, rate): &(&str, u64, f64)| {
            (duration::parse(name).expect("a length"), name.to_owned(), n, rate)
        };
        Seen { windows: windows.iter().map(window).collect(), values: values.to_vec() }
    }

    #[test]
    fn the_rate_is_that_of_the_longest_window_that_is_full() {
        let longest = |windows| seen(windows, &[]).full_window().map(|window| window.1.clone());
        let windows = [("1s", 10, 10.0), ("10m", 300, 0.5), ("10s", 99, 9.9), ("1m", 300, 5.0)];
        assert_eq!(longest(&windows).as_deref(), Some("10s"));
        assert_eq!(longest(&[("1s", 1, 1.0), ("10s", 10, 1.0)]).as_deref(), Some("10s"));
        assert_eq!(longest(&[("10s", 4, 0.4)]), None, "too few");
        let backlog = [("1s", 5, 5.0), ("10s", 139, 13.9), ("1m", 139, 2.3)];
        assert_eq!(longest(&backlog).as_deref(), Some("1s"), "many came at once at first");
        assert_eq!(longest(&[("1s", 5, 5.0), ("10s", 62, 6.2)]).as_deref(), Some("10s"), "chance");
    }

    #[test]
    fn rates_are_written_as_people_set_them() {
        for (rate, text) in [
            (9.9, "10"),
            (1.02, "1"),
            (0.1667, "0.167"),
            (0.0166, "0.0167"),
            (0.7, "0.7"),
            (2.5, "2.5"),
            (1e-5, "0.00001"),
        ] {
            assert_eq!(rounded(rate).to_string(), text, "{rate}");
        }
    }

    #[test]
    fn the_resolution_is_the_last_decimal_that_is_used() {
        let of = |values: &[f64]| seen(&[], values).resolution();
        assert_eq!(of(&[21.5, 21.53, 22.0]), Some(0.01));
        assert_eq!(of(&[1.0, 2.0, -5.0]), Some(1.0));
        assert_eq!(of(&[0.1 + 0.2, 1.5, 2.5]), Some(0.1), "noise of a product");
        assert_eq!(of(&[f64::from(21.53_f32), 21.0, 22.0]), Some(0.01), "a 32-bit float");
        assert_eq!(of(&[1.0 / 3.0, 1e-9, 2.0]), None);
        assert_eq!(of(&[21.5]), None, "too few");
    }

    #[test]
    fn a_block_says_where_the_readings_are_and_what_was_seen() {
        let text = r#"{"id":"b.t_C","source":"b","field":"t \"(°C)\"","discovered":true,
            "resolution":0.001,"state":"ok","windows":[]}"#;
        let channel: Channel = parse(text).expect("parses");
        let block = block(&channel, &seen(&[("10s", 100, 10.0)], &[21.5, 21.53, 20.0]));
        assert_eq!(
            block,
            "# 100 values in 10s, from 20 to 21.53\n[[channel]]\nid = \"b.t_C\"\n\
             source = \"b\"\nfield = \"t \\\"(°C)\\\"\"\nexpected_rate = 10\n\
             resolution = 0.01\n\n"
        );
    }
}
