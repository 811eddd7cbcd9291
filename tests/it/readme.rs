//! What the README tells people to type, typed.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::{Deserializer, Value};
use stillwell::{engine::ReadingRefusal, limits, wire::FrameRefusal};

use crate::process::{PATIENCE, Process, Scratch, did_not_run, has_tool, look, shipped, stillwell};

const RUN: &str = "cargo run --release -- run --config config.toml";
const STILLWELL: &str = "cargo run --release -- ";
const SIMULATOR: &str = "cargo run --release --bin stillwell-sim -- ";

fn readme() -> String {
    fs::read_to_string(shipped("README.md")).expect("is there")
}

/// The lines of the code blocks that are marked as shell.
fn commands(text: &str) -> Vec<&str> {
    let mut within = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            within = line == "```sh";
        } else if within {
            commands.push(line);
        }
    }
    commands
}

/// A directory that looks like the repository to whoever runs the shipped files, with a runtime
/// directory of its own and no fixed port.
fn repository() -> Scratch {
    let scratch = Scratch::new();
    let config = fs::read_to_string(shipped("config.toml")).expect("is there");
    let port = "listen = \"127.0.0.1:7420\"";
    assert!(config.contains(port));
    scratch.write("config.toml", &config.replace(port, "listen = \"127.0.0.1:0\""));
    for scenario in ["simulator/plant.toml", "simulator/faults.toml"] {
        let text = fs::read_to_string(shipped(scenario)).expect("is there");
        scratch.write(scenario, &text);
    }
    fs::create_dir(scratch.path("run")).expect("a directory");
    scratch
}

/// A line of the README with the built binaries in place of cargo.
fn shell(line: &str, scratch: &Scratch) -> Command {
    let line = line
        .replace(SIMULATOR, concat!(env!("CARGO_BIN_EXE_stillwell-sim"), " "))
        .replace(STILLWELL, concat!(env!("CARGO_BIN_EXE_stillwell"), " "));
    assert!(!line.contains("cargo"), "{line}");
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("exec 2>&1; set -e; {line}")])
        .current_dir(scratch.path("."))
        .env("XDG_RUNTIME_DIR", scratch.path("run"))
        .env("S", scratch.path("run/stillwell/query.sock"))
        .stdin(Stdio::null());
    command
}

fn run(line: &str, scratch: &Scratch) -> String {
    let output = shell(line, scratch).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}\n{}: {text}", output.status);
    text
}

fn start(scratch: &Scratch) -> Process {
    let mut command = shell(&RUN.replacen("cargo", "exec cargo", 1), scratch);
    let mut daemon = Process::start(command.stdout(Stdio::null()), scratch);
    // `get` shows windows of a minute, whose first result comes after six seconds.
    daemon.wait_for("a summary", || {
        let output = shell(&format!("{STILLWELL}get"), scratch).output().expect("runs");
        (output.status.success() && !output.stdout.is_empty()).then_some(())
    });
    daemon
}

#[test]
fn the_two_commands_are_the_first_it_names() {
    let text = readme();
    let first: Vec<_> = text.lines().filter(|line| line.starts_with("    ")).take(2).collect();
    assert_eq!(first, [format!("    {RUN}"), "    cargo test".to_owned()]);
}

#[test]
fn every_command_of_the_program_does_what_it_says() {
    let scratch = repository();
    let daemon = start(&scratch);
    let text = readme() + &fs::read_to_string(shipped("docs/replay.md")).expect("is there");
    let lines: Vec<_> = commands(&text).into_iter().filter(|l| l.starts_with("cargo ")).collect();
    for subcommand in ["get", "watch", "list", "status", "check", "replay"] {
        let shown = lines.iter().any(|line| line.starts_with(&format!("{STILLWELL}{subcommand}")));
        assert!(shown, "the README does not show {subcommand}");
    }
    assert!(lines.iter().any(|line| line.starts_with(SIMULATOR)));
    for line in lines {
        if line.contains(" watch") {
            let mut child = shell(&line.replacen("cargo", "exec cargo", 1), &scratch)
                .stdout(Stdio::piped())
                .spawn()
                .expect("runs");
            let mut first = String::new();
            let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
            stdout.read_line(&mut first).expect("reads");
            child.kill().expect("our child");
            child.wait().expect("our child");
            assert!(first.starts_with('{'), "{line}: {first}");
        } else {
            assert!(!run(line, &scratch).is_empty(), "{line} says nothing");
        }
    }
    let (exit, log) = daemon.end(Signal::TERM);
    assert_eq!(exit.code(), Some(0), "{log}");
}

#[test]
fn the_lines_by_hand_get_json() {
    let text = readme();
    let lines: Vec<_> = commands(&text).into_iter().filter(|line| line.contains("$S")).collect();
    for tool in ["socat", "nc", "jq", "python3", "varlink"] {
        assert!(lines.iter().any(|line| line.contains(tool)), "the README does not show {tool}");
    }
    let scratch = repository();
    let daemon = start(&scratch);
    for line in lines {
        let missing = |tool: &&str| line.contains(&format!("{tool} ")) && !has_tool(tool);
        if ["socat", "nc", "jq", "python3"].iter().any(missing) {
            continue;
        }
        let module = shell("python3 -c 'import varlink'", &scratch).output().expect("runs");
        if line.contains("varlink") && !module.status.success() {
            did_not_run("the Python package varlink is not installed");
            continue;
        }
        // What ends a subscription by closing the pipe is told so; that is not the answer.
        let said = run(&format!("{{ {line}; }} 2>/dev/null"), &scratch);
        let values: Result<Vec<Value>, _> = Deserializer::from_str(&said).into_iter().collect();
        let values = values.unwrap_or_else(|error| panic!("{line}\n{error}: {said}"));
        assert!(!values.is_empty() && !said.contains("\"error\""), "{line}\n{said}");
    }
    let (exit, log) = daemon.end(Signal::TERM);
    assert_eq!(exit.code(), Some(0), "{log}");
}

/// Each `->` of docs/protocol.md, and the `<-` that follow it.
fn conversations(text: &str) -> Vec<(String, Vec<Value>)> {
    let mut conversations: Vec<(String, Vec<Value>)> = Vec::new();
    for line in text.lines() {
        if let Some(request) = line.strip_prefix("-> ") {
            conversations.push((request.to_owned(), Vec::new()));
        } else if let Some(reply) = line.strip_prefix("<- ") {
            let reply = serde_json::from_str(reply).expect("JSON");
            conversations.last_mut().expect("a request").1.push(reply);
        }
    }
    conversations
}

/// The keys of a reply with their places; of an array, those of its first entry.
fn shape(value: &Value, place: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let place = format!("{place}.{key}");
                shape(value, &place, keys);
                keys.insert(place);
            }
        }
        Value::Array(entries) => entries.iter().take(1).for_each(|entry| shape(entry, place, keys)),
        Value::Null => panic!("null at {place}"),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An error is documented to the letter, anything else by its keys.
fn is_alike(documented: &Value, said: &Value) -> bool {
    let shape = |value| {
        let mut keys = BTreeSet::new();
        shape(value, "", &mut keys);
        keys
    };
    if documented.get("error").is_some() {
        return documented == said;
    }
    shape(documented) == shape(said)
}

fn ask(socket: &Path, request: &str, replies: usize) -> Vec<Value> {
    let stream = UnixStream::connect(socket).expect("serves");
    stream.set_read_timeout(Some(PATIENCE)).expect("takes a timeout");
    (&stream).write_all(format!("{request}\n").as_bytes()).expect("is read");
    let lines = BufReader::new(stream).lines().take(replies);
    lines.map(|line| serde_json::from_str(&line.expect("a reply")).expect("JSON")).collect()
}

#[test]
fn the_protocol_page_shows_what_is_said() {
    let text = fs::read_to_string(shipped("docs/protocol.md")).expect("is there");
    let conversations = conversations(&text);
    assert!(15 < conversations.len());
    let scratch = repository();
    let daemon = start(&scratch);
    let socket = scratch.path("run/stillwell/query.sock");
    for (request, documented) in conversations {
        assert!(!documented.is_empty(), "{request} without a reply");
        let mut said = Vec::new();
        // The first second of a daemon has windows with a single reading.
        let alike = look(|| {
            said = ask(&socket, &request, documented.len());
            let mut pairs = said.iter().zip(&documented);
            let all =
                said.len() == documented.len() && pairs.all(|(said, page)| is_alike(page, said));
            all.then_some(())
        });
        assert!(alike.is_some(), "{request}\npage: {documented:?}\nsaid: {said:?}");
    }
    let (exit, log) = daemon.end(Signal::TERM);
    assert_eq!(exit.code(), Some(0), "{log}");
}

#[test]
fn the_pages_state_the_bounds_and_the_reasons() {
    let page = |name: &str| fs::read_to_string(shipped(name)).expect("is there");
    let seconds = |ns: i64| ns / limits::SECOND;
    let rows = [
        format!(
            "{} bytes, nested {} deep, strings of {} bytes, {} patterns |",
            limits::REQUEST_BYTES_MAX,
            limits::REQUEST_DEPTH_MAX,
            limits::REQUEST_STRING_BYTES_MAX,
            limits::REQUEST_PATTERNS_MAX
        ),
        format!("| reply | {} bytes", limits::REPLY_BYTES_MAX),
        format!("| half a line | {} s |", seconds(limits::HALF_LINE_NS)),
        format!("| taking a reply | {} s |", seconds(limits::REPLY_NS)),
        format!("without a subscription | {} s |", seconds(limits::CLIENT_IDLE_NS)),
        format!("takes nothing | {} s |", seconds(limits::WATCH_STALL_NS)),
        format!(
            "| clients | {}, of one user {}; {} places",
            limits::CLIENTS_MAX,
            limits::CLIENTS_PER_UID_MAX,
            limits::CLIENTS_ROOT_RESERVE
        ),
        format!("histograms of the next publication | {} |", limits::DESK_PLACES),
        format!("| histograms in a reply | {} |", limits::REPLY_HISTOGRAMS_MAX),
        format!("longer than {} KiB", limits::HISTOGRAM_BYTES_MAX / 1_024),
    ];
    let protocol = page("docs/protocol.md");
    for row in rows {
        assert!(protocol.contains(&row), "docs/protocol.md does not say: {row}");
    }
    let formats = page("docs/formats.md");
    let frames = FrameRefusal::ALL.iter().map(|why| why.name());
    for why in frames.chain(ReadingRefusal::ALL.iter().map(|why| why.name())) {
        assert!(formats.contains(&format!("`{why}`")), "docs/formats.md does not explain {why}");
    }
}

#[test]
fn every_subcommand_that_a_text_names_exists() {
    let in_directory = |name: &str| {
        let entries = fs::read_dir(shipped(name)).expect("is there");
        entries.map(|entry| entry.expect("reads").path()).filter(|path| path.is_file())
    };
    let files = ["README.md", "config.toml"].map(shipped).into_iter();
    let mut named = BTreeSet::new();
    for file in files.chain(in_directory("docs")).chain(in_directory("systemd")) {
        let text = fs::read_to_string(&file).expect("text");
        let places = text.match_indices("stillwell ");
        let commands = places
            .filter(|(at, _)| text[..*at].ends_with(['`', '/']) || text[..*at].ends_with("  "));
        named.extend(commands.map(|(at, name)| {
            let word = text[at + name.len()..].split(|c: char| !c.is_ascii_lowercase()).next();
            word.unwrap_or_default().to_owned()
        }));
    }
    // `/usr/bin/stillwell /usr/lib` in a unit is no command.
    named.remove("");
    assert!(3 < named.len(), "found only {named:?}");
    for name in named {
        let help = stillwell().args([&name, "--help"]).status().expect("runs");
        assert!(help.success(), "there is no stillwell {name}");
    }
}

/// Every link to a file of the repository leads somewhere.
#[test]
fn no_link_is_dead() {
    let pages =
        fs::read_dir(shipped("docs")).expect("is there").map(|page| page.expect("reads").path());
    for page in pages.chain([shipped("README.md")]) {
        let text = fs::read_to_string(&page).expect("text");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target =
                page.parent().expect("within").join(link.split('#').next().unwrap_or(link));
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
        }
    }
}

/// Each test that the page on reliability names is there.
#[test]
fn the_page_on_reliability_names_tests_that_there_are() {
    let page = fs::read_to_string(shipped("docs/reliability.md")).expect("is there");
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests/it"] {
        functions(&shipped(folder), &mut tests);
    }
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(2);
    let mut named = 0;
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for name in cell.split('`').skip(1).step_by(2).filter(|name| !name.contains('/')) {
            assert!(tests.contains(name), "there is no test {name}");
            named += 1;
        }
    }
    assert!(40 < named, "{named}");
}

/// The names of all functions below a folder.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            let found = text.lines().filter_map(|line| line.trim_start().split("fn ").nth(1));
            names.extend(found.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
        }
    }
}
