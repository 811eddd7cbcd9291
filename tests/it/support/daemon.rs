//! A daemon of one test: started, asked, stopped, and its books checked.

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Command, ExitStatus},
};

use rustix::process::Signal;
use serde_json::Value;

use super::{Client, Manager, assert_balanced, number};
use crate::process::{Process, Scratch, look, stillwell, wait_for};

const CONFIG: &str = "config.toml";
const SOCKET: &str = "query.sock";

/// A running daemon in a directory of its own.
#[derive(Debug)]
pub(crate) struct Daemon {
    // First, so that it ends before its directory is removed.
    process: Process,
    dir: Scratch,
}

impl Daemon {
    /// Starts it and waits until it answers.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(Scratch::new(), config)
    }

    /// Starts it in a directory that is prepared, and waits until it answers.
    pub(crate) fn start_in(dir: Scratch, config: &str) -> Self {
        Self::spawn_in(dir, config, &[]).serving(config)
    }

    /// As [`Self::start_in`], with sockets that a service manager opened.
    pub(crate) fn start_passing(fds: Vec<(String, OwnedFd)>, dir: Scratch, config: &str) -> Self {
        let command = command(&dir, config, &[]);
        Self { process: Process::start_passing(fds, &command, &dir), dir }.serving(config)
    }

    /// As [`Self::start_in`], by a service manager with a store.
    pub(crate) fn start_by(manager: &Manager, dir: Scratch, config: &str) -> Self {
        let process = manager.start(&mut command(&dir, config, &[]), &dir);
        Self { process, dir }.serving(config)
    }

    /// One that was started otherwise, once it answers.
    pub(crate) fn of(process: Process, dir: Scratch, config: &str) -> Self {
        Self { process, dir }.serving(config)
    }

    fn serving(mut self, config: &str) -> Self {
        let socket = self.socket();
        self.process.wait_for("a daemon that serves", || Client::try_connect(&socket));
        let sources = self.status()["sources"].as_array().map_or(0, Vec::len);
        assert_eq!(sources, config.matches("[[source]]").count(), "told from the first reply on");
        self
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn_in(dir: Scratch, config: &str, more: &[&str]) -> Self {
        Self { process: Process::start(&mut command(&dir, config, more), &dir), dir }
    }

    pub(crate) fn dir(&self) -> &Scratch {
        &self.dir
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path(SOCKET)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    pub(crate) fn client(&self) -> Client {
        Client::try_connect(&self.socket()).unwrap_or_else(|| panic!("serves: {}", self.log()))
    }

    /// The reply to Status.
    pub(crate) fn status(&self) -> Value {
        self.client().call(r#"{"method":"Status"}"#)
    }

    /// What Status says of one source.
    pub(crate) fn source(&self, name: &str) -> Value {
        let status = self.status();
        source_in(&status, name).unwrap_or_else(|| panic!("no source {name}: {status}")).clone()
    }

    /// What Get says of these channels.
    pub(crate) fn get(&self, pattern: &str) -> Value {
        let parameters = serde_json::json!({ "channels": [pattern] });
        let request = serde_json::json!({ "method": "Get", "parameters": parameters });
        self.client().call(&request.to_string())
    }

    /// Waits for the source to satisfy a condition, and returns what Status says of it then.
    pub(crate) fn until(
        &self,
        source: &str,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        let reached = look(|| Some(self.source(source)).filter(&condition));
        reached.unwrap_or_else(|| {
            panic!("{source}: {what}: never: {:#}\n{}", self.source(source), self.log())
        })
    }

    /// Waits for the source to have taken so many frames, good or refused, and returns its ledger.
    pub(crate) fn frames(&self, source: &str, frames: u64) -> Value {
        let taken = |source: &Value| frames <= number(&source["ledger"], "frames_in");
        self.until(source, &format!("{frames} frames"), taken)["ledger"].clone()
    }

    /// Waits for an image of the state that was called for after now.
    pub(crate) fn saved(&self) {
        let count = || number(&self.status()["state"], "saved");
        let before = count();
        wait_for("an image of now", || (before + 2 <= count()).then_some(()));
    }

    /// Where a UDP source listens, once it does.
    pub(crate) fn address(&self, source: &str) -> SocketAddr {
        let up = self.until(source, "up", is_up);
        let detail = up["detail"].as_str().unwrap_or_default();
        let address = detail.split(',').next().unwrap_or_default();
        address.parse().unwrap_or_else(|_| panic!("an address in {detail:?}"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Kills it as a crash would; what is left of it.
    pub(crate) fn killed(self) -> Scratch {
        let Self { process, dir } = self;
        process.end(Signal::KILL);
        dir
    }

    /// Stops it as a service manager does; what is left of it.
    pub(crate) fn stopped(self) -> Scratch {
        let Self { process, dir } = self;
        let (status, log) = process.end(Signal::TERM);
        assert_eq!(status.code(), Some(0), "{log}");
        dir
    }

    /// Waits for it to end by itself; its exit status, and what it wrote to standard error.
    pub(crate) fn wait(self) -> (ExitStatus, String) {
        self.process.ended()
    }

    /// Checks the books, stops it as a service manager does, and returns what it wrote to
    /// standard error.
    pub(crate) fn stop(self) -> String {
        assert_balanced(&self.status());
        let Self { process, dir } = self;
        let (status, log) = process.end(Signal::TERM);
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(!dir.path(SOCKET).exists(), "the socket is removed: {log}");
        log
    }
}

fn command(dir: &Scratch, config: &str, more: &[&str]) -> Command {
    let config = dir.write(CONFIG, config);
    let mut command = stillwell();
    command.args(["run", "--config"]).arg(config);
    command.arg("--socket").arg(dir.path(SOCKET)).args(more);
    command
}

pub(crate) fn is_up(source: &Value) -> bool {
    source["state"] == "up"
}

fn source_in<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status["sources"].as_array()?.iter().find(|source| source["name"] == name)
}
