//! `stillwell-sim`, and the report at its end.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::process::wait_for;

/// A play that goes on.
#[derive(Debug)]
pub(crate) struct Simulator(Child);

impl Simulator {
    pub(crate) fn start(scenario: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillwell-sim"));
        command.arg(scenario).args(arguments).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(child.expect("the simulator starts"))
    }

    /// Plays to the end; the report.
    pub(crate) fn play(scenario: &Path, arguments: &[&str]) -> Value {
        Self::start(scenario, arguments).report()
    }

    /// Waits for the end; the report, which is the last line of what it prints.
    pub(crate) fn report(mut self) -> Value {
        // What it prints fits the pipes: nothing has to be read for it to end.
        let status = wait_for("the end of the play", || self.0.try_wait().expect("our child"));
        let mut printed = String::new();
        let stdout = self.0.stdout.as_mut().expect("it is piped");
        stdout.read_to_string(&mut printed).expect("text");
        let mut errors = String::new();
        let stderr = self.0.stderr.as_mut().expect("it is piped");
        stderr.read_to_string(&mut errors).expect("text");
        assert!(status.success(), "{errors}");
        let last = printed.lines().last().expect("a report");
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
