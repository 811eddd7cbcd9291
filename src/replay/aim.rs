//! Which source a log belongs to, and what is made of it.

use std::{
    fmt::{self, Write as _},
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use super::ReplayArgs;
use crate::{
    config::{self, Config, Errors},
    engine::{Window, duration},
    wire::frame,
};

/// A configuration and the source in it that the log stands for.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) source: usize,
}

/// Why nothing can be replayed.
#[derive(Debug)]
pub enum AimError {
    /// The configuration has errors.
    Config(Errors),
    /// The arguments do not make a source.
    Arguments(Errors),
    /// The configuration has no source, or several and none was named, or not the one named.
    Source {
        /// What was asked for.
        wanted: Option<String>,
        /// What there is.
        names: Vec<String>,
    },
    /// A window that is no window, or that no channel has.
    Window {
        /// What was asked for.
        text: String,
        /// What is wrong with it.
        what: String,
    },
    /// An interval that is no duration.
    Interval {
        /// What was asked for.
        text: String,
        /// What is wrong with it.
        what: String,
    },
}

impl AimError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 78,
            Self::Arguments(_)
            | Self::Source { .. }
            | Self::Window { .. }
            | Self::Interval { .. } => 64,
        }
    }
}

impl fmt::Display for AimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) | Self::Arguments(errors) => errors.fmt(f),
            Self::Source { names, .. } if names.is_empty() => {
                f.write_str("the configuration has no source that the log could belong to")
            }
            Self::Source { wanted: None, names } => write!(
                f,
                "the configuration has several sources: name one with --source ({})",
                names.join(", ")
            ),
            Self::Source { wanted: Some(wanted), names } => {
                write!(f, "there is no source {wanted}: there is {}", names.join(", "))
            }
            Self::Window { text, what } => write!(f, "--window {text}: {what}"),
            Self::Interval { text, what } => write!(f, "--interval {text}: {what}"),
        }
    }
}

impl std::error::Error for AimError {}

pub(super) fn target(args: &ReplayArgs) -> Result<Target, AimError> {
    let config = match &args.config {
        Some(path) => config::load(path).map_err(AimError::Config)?.config,
        None => improvised(args)?,
    };
    let names = || config.inputs.iter().map(|input| input.name.to_string()).collect();
    let source = match &args.source {
        Some(name) => config.inputs.iter().position(|input| *input.name == **name),
        None => (config.inputs.len() == 1).then_some(0),
    };
    match source {
        Some(source) => Ok(Target { source, config }),
        None => Err(AimError::Source { wanted: args.source.clone(), names: names() }),
    }
}

/// A window of the configuration by its length, or by `length/every`.
pub(super) fn window(text: &str, config: &Config) -> Result<Window, AimError> {
    let wrong = |what: String| AimError::Window { text: text.to_owned(), what };
    let (length, every) = text.split_once('/').map_or((text, None), |(l, e)| (l, Some(e)));
    let parse = |text: &str| duration::parse(text).map_err(|error| wrong(error.to_string()));
    let length_ns = parse(length)?;
    let every_ns = every.map(parse).transpose()?;
    let plan = &config.plan;
    let rules = plan.channels.iter().map(|channel| &channel.rules);
    let mut rules = rules.chain(plan.sources.iter().map(|source| &source.discovered));
    rules
        .find_map(|rules| {
            rules.all_windows().find(|window| {
                window.length_ns == length_ns && every_ns.is_none_or(|e| e == window.every_ns)
            })
        })
        .ok_or_else(|| wrong("no channel has such a window".to_owned()))
}

/// Lateness of a log without a configuration: nobody waits for its results, so that a device that
/// packs a second of samples into a frame loses none beside one that sends each at once.
const LATENESS: &str = "2s";

/// A configuration that takes everything in the log as it is.
fn improvised(args: &ReplayArgs) -> Result<Config, AimError> {
    let format = args.format.clone().unwrap_or_else(|| guess(&args.file).to_owned());
    // A native frame tells its own time where it has one; so does text with a time field.
    let device_time = format == "native" || args.timestamp.is_some();
    let time = if device_time { "device" } else { "arrival" };
    let mut text = String::new();
    let windows: Vec<String> = args.window.iter().map(|window| window_toml(window)).collect();
    if !windows.is_empty() {
        text += &format!("[defaults]\nwindows = [{}]\n", windows.join(", "));
    }
    let path = toml_string(&args.file.to_string_lossy());
    write!(
        text,
        "[[source]]\nname = \"log\"\nkind = \"replay\"\npath = {path}\nformat = \"{format}\"\n\
         time = \"{time}\"\nunknown = \"discover\"\nlateness = \"{LATENESS}\"\n"
    )
    .expect("writing to a string cannot fail");
    if let Some(interval) = &args.interval {
        duration::parse(interval).map_err(|error| AimError::Interval {
            text: interval.clone(),
            what: error.to_string(),
        })?;
        text += &format!("interval = {}\n", toml_string(interval));
    }
    if let Some(timestamp) = &args.timestamp {
        text += &format!("timestamp = {}\n", toml_string(timestamp));
    }
    let nothing_else = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let loaded = Config::parse(&text, Path::new("command line"), &nothing_else);
    Ok(loaded.map_err(AimError::Arguments)?.config)
}

fn window_toml(text: &str) -> String {
    match text.split_once('/') {
        Some((length, every)) => {
            let (length, every) = (toml_string(length), toml_string(every));
            format!("{{ length = {length}, every = {every} }}")
        }
        None => toml_string(text),
    }
}

/// What JSON escapes in a string, TOML escapes the same way.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Native frames start with a byte that is never text, also in the hex of a log; a stuffed frame
/// has it as its second byte. A file that cannot be read is for the reader to report.
fn guess(path: &Path) -> &'static str {
    let mut head = [0; 4_096];
    let read = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let head = &head[..read];
    let hex = format!("{:02x}", frame::MAGIC);
    let is_log = head.starts_with(b"#stillwell-log");
    let native = if is_log {
        let mut lines = head.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b"#"));
        let record = lines.find_map(|line| line.split(|&byte| byte == b' ').nth(1));
        record.is_some_and(|record| {
            record[..record.len().min(6)]
                .windows(2)
                .step_by(2)
                .any(|pair| pair.eq_ignore_ascii_case(hex.as_bytes()))
        })
    } else {
        head.contains(&frame::MAGIC) || head.contains(&0)
    };
    if native { "native" } else { "text" }
}
