//! Statistics of windows, on series for which others have worked them out, through the real
//! pipeline.

mod opcua;
mod pandas;
mod published;

use std::process::Stdio;

use serde_json::Value;

use crate::process::{Scratch, stillwell};

/// A series, and what is asked about it.
struct Series<'a> {
    /// Instant in seconds, and the value if there is one.
    readings: &'a [(f64, Option<f64>)],
    /// Keys of `[defaults]`.
    defaults: &'a str,
    /// Keys of the channel.
    channel: &'a str,
}

impl Series<'_> {
    /// Every result, as the replay gives it.
    fn replay(&self) -> Vec<Value> {
        let dir = Scratch::new();
        let config = format!(
            "[defaults]\npercentiles = []\n{}\n\
             [[source]]\nname = \"s\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
             format = \"text\"\ntimestamp = \"t\"\ntime = \"device\"\nlateness = \"0s\"\n\
             [[channel]]\nid = \"v\"\nsource = \"s\"\nfield = \"v\"\n{}\n",
            self.defaults, self.channel
        );
        let config = dir.write("c.toml", &config);
        let cell = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:?}"));
        let line = |(at, value): &(f64, Option<f64>)| format!("{at:?},{}\n", cell(*value));
        let lines: String = self.readings.iter().map(line).collect();
        let log = dir.write("series.csv", &format!("t,v\n{lines}"));
        let mut replay = stillwell();
        replay.arg("replay").arg(log).arg("--config").arg(config).args(["--source", "s"]);
        let output = replay.stdout(Stdio::piped()).output().expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let results = String::from_utf8(output.stdout).expect("text");
        results.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// End of a summary, seconds since 1970.
fn end_s(summary: &Value) -> f64 {
    let end: jiff::Timestamp = summary["end"].as_str().expect("a time").parse().expect("a time");
    end.as_nanosecond() as f64 / 1e9
}

fn close(got: f64, expected: f64, relative: f64) -> bool {
    (got - expected).abs() <= relative * expected.abs().max(1e-300)
}
