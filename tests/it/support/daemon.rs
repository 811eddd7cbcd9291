//! A daemon of one test: started, asked, stopped, and its books checked.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Client, Dir, assert_balanced, look, number};

const CONFIG: &str = "config.toml";
const SOCKET: &str = "query.sock";
const LOG: &str = "stderr.log";

/// A running daemon in a directory of its own.
#[derive(Debug)]
pub(crate) struct Daemon {
    dir: Dir,
    child: Child,
}

/// The binary, with nothing on its standard input.
pub(crate) fn stillwell(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stillwell"));
    command.args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

impl Daemon {
    /// Starts it and waits until it answers.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(Dir::new(), config)
    }

    /// Starts it in a directory that is prepared, and waits until it answers.
    pub(crate) fn start_in(dir: Dir, config: &str) -> Self {
        let mut daemon = Self::spawn_in(dir, config, &[]);
        let answers = look(|| {
            if let Some(status) = daemon.child.try_wait().expect("it is our child") {
                panic!("the daemon ended ({status}): {}", daemon.log());
            }
            Client::try_connect(&daemon.socket())
        });
        assert!(answers.is_some(), "the daemon does not serve: {}", daemon.log());
        let sources = daemon.status()["sources"].as_array().map_or(0, Vec::len);
        assert_eq!(sources, config.matches("[[source]]").count(), "told from the first reply on");
        daemon
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn_in(dir: Dir, config: &str, more: &[&str]) -> Self {
        let config = dir.write(CONFIG, config);
        let log = File::create(dir.path(LOG)).expect("a new file");
        let child = stillwell(&["run", "--config"])
            .arg(config)
            .arg("--socket")
            .arg(dir.path(SOCKET))
            .args(more)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon starts");
        Self { dir, child }
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path(SOCKET)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        log_in(&self.dir)
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

    /// Where a UDP source listens, once it does.
    pub(crate) fn address(&self, source: &str) -> SocketAddr {
        let up = self.until(source, "up", is_up);
        let detail = up["detail"].as_str().unwrap_or_default();
        let address = detail.split(',').next().unwrap_or_default();
        address.parse().unwrap_or_else(|_| panic!("an address in {detail:?}"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is our child");
    }

    /// Kills it as a crash would; what is left of it.
    pub(crate) fn killed(mut self) -> Dir {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
        std::mem::replace(&mut self.dir, Dir::new())
    }

    /// Waits for it to end by itself; its exit status, and what it wrote to standard error.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let ended = look(|| self.child.try_wait().expect("it is our child"));
        let log = self.log();
        (ended.unwrap_or_else(|| panic!("the daemon does not end: {log}")), log)
    }

    /// Checks the books, stops it as a service manager does, and returns what it wrote to
    /// standard error.
    pub(crate) fn stop(self) -> String {
        assert_balanced(&self.status());
        let socket = self.socket();
        self.signal(Signal::TERM);
        let ended = look(|| (!Path::exists(&socket)).then_some(()));
        assert!(ended.is_some(), "the socket is still there: {}", self.log());
        let (status, log) = self.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the daemon wrote: {}", self.log());
        }
    }
}

pub(crate) fn is_up(source: &Value) -> bool {
    source["state"] == "up"
}

fn source_in<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status["sources"].as_array()?.iter().find(|source| source["name"] == name)
}

fn log_in(dir: &Dir) -> String {
    let bytes = fs::read(dir.path(LOG)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
