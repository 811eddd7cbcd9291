//! A broken configuration: told in full, to everyone who asks, and by the exit code.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::{
    process::{Scratch, look, stillwell},
    support::{Client, Daemon},
};

/// Three mistakes; the last one stands where a person would not look for it.
const BROKEN: &str = r#"
[daemon]
publsh = "1s"
[[source]]
name = "plant"
kind = "udp"
listen = "localhost:7420"
format = "native"
[[channel]]
id = "flow"
source = "plnt"
device = 1
index = 0
"#;
/// What is said of each, with its place.
const WORDS: [&str; 3] = ["config.toml:3:1", "config.toml:7:10", "config.toml:11:10"];
const EX_CONFIG: Option<i32> = Some(78);

fn check(config: &Path) -> Output {
    let mut command = stillwell();
    command.arg("check").arg(config).stdout(Stdio::piped()).output().expect("it starts")
}

#[test]
fn a_daemon_with_a_broken_configuration_serves_status_and_says_why() {
    let daemon = Daemon::spawn_in(Scratch::new(), BROKEN, &[]);
    let client = look(|| Client::try_connect(&daemon.socket()));
    let mut client = client.unwrap_or_else(|| panic!("does not serve: {}", daemon.log()));
    let status = client.call(r#"{"method":"Status"}"#);
    let degraded = status["degraded"].as_str().expect("it says that it is degraded");
    for words in WORDS {
        assert!(degraded.contains(words), "{words}: {degraded}");
    }
    assert_eq!(status["sources"], Value::Array(Vec::new()));
    let reply = client.ask(r#"{"method":"Get","parameters":{"channels":["flow"]}}"#);
    assert_eq!(reply["error"], "io.stillwell.v1.NoSuchChannel", "{reply}");
    drop(client);
    let socket = daemon.socket();
    daemon.signal(rustix::process::Signal::TERM);
    let (status, log) = daemon.wait();
    assert_eq!(status.code(), EX_CONFIG, "{log}");
    for words in WORDS {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!socket.exists(), "{log}");
}

#[test]
fn a_strict_daemon_ends_at_once() {
    let daemon = Daemon::spawn_in(Scratch::new(), BROKEN, &["--strict"]);
    let socket = daemon.socket();
    let (status, log) = daemon.wait();
    assert_eq!(status.code(), EX_CONFIG, "{log}");
    assert!(WORDS.iter().all(|words| log.contains(words)), "{log}");
    assert!(!socket.exists());
}

/// Each line that the daemon logs is in what `check` prints, which adds the help.
#[test]
fn check_says_what_the_daemon_says() {
    let dir = Scratch::new();
    let config = dir.write("config.toml", BROKEN);
    let output = check(&config);
    let printed = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), EX_CONFIG, "{printed}");
    assert!(output.stdout.is_empty(), "there is nothing to report on");
    assert_eq!(printed.matches("error: ").count(), WORDS.len(), "{printed}");
    let (_, log) = Daemon::spawn_in(dir, BROKEN, &["--strict"]).wait();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), WORDS.len(), "{log}");
    assert!(printed.contains("did you mean `publish`?"), "{printed}");
    for (error, place) in errors.iter().zip(WORDS) {
        assert!(printed.contains(place) && error.contains(place), "{place}: {error}\n{printed}");
        let (_, what) = error.split_once(&format!("{place}: ")).expect("a place and a mistake");
        assert!(printed.contains(what), "{what}: {printed}");
    }
}

#[test]
fn a_configuration_that_is_absent_is_named() {
    let dir = Scratch::new();
    let missing = dir.path("nowhere.toml");
    let output = check(&missing);
    let printed = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), EX_CONFIG, "{printed}");
    assert!(printed.contains(missing.to_str().expect("UTF-8")), "{printed}");
}
