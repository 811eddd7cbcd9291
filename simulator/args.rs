//! The command line, and what it asks for.

use std::{fmt, io, path::PathBuf};

use clap::{ArgGroup, Parser};
use stillwell::{
    config, daemon::clock::Line, engine::duration, limits::SECOND, simulate::Scenario,
};

/// 2026-01-01T00:00:00Z: where plays begin that are not tied to the clock.
const FIXED_START_NS: i64 = 1_767_225_600 * SECOND;

/// Plays a scenario of devices, channels and faults.
///
/// The same scenario, seed and start give the same bytes on every machine. At the end one line of
/// JSON goes to standard output (to standard error where the data takes standard output): what
/// was sent, how often each fault struck, and under `expected` what the ledger of a receiver shows
/// that got it all, knows the scenario's devices and channels and refuses others. The keys are
/// explained in docs/simulator.md.
#[derive(Debug, Parser)]
#[command(name = "stillwell-sim", version, max_term_width = 100)]
#[command(group(ArgGroup::new("output").required(true)))]
#[command(group(ArgGroup::new("limit")))]
pub(crate) struct Arguments {
    /// Scenario file
    scenario: PathBuf,

    /// Seed of everything random [default: the scenario's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Play this long, such as 10s or 5m [default: the scenario's]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, group = "limit")]
    duration: Option<i64>,

    /// Stop after this many frames or lines
    #[arg(long, value_name = "N", group = "limit")]
    frames: Option<u64>,

    /// Stop with the frame that completes this many readings
    #[arg(long, value_name = "N", group = "limit")]
    readings: Option<u64>,

    /// Send as fast as it goes; files are always written so
    #[arg(long, conflicts_with = "speed")]
    flat_out: bool,

    /// Times as fast as real time
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = parse_speed)]
    speed: f64,

    /// Most frames a second, whatever the pace asks for
    #[arg(long, value_name = "R", value_parser = parse_speed)]
    rate: Option<f64>,

    /// Time of the first frames [default: now; 2026-01-01T00:00:00Z where flat out]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    start: Option<i64>,

    /// Boot id that all devices begin with [default: the scenario's for --file and --stdout; one
    /// from the clock for the others, so that a second play is a restart and not a repetition]
    #[arg(long, value_name = "N")]
    boot: Option<u16>,

    /// Send datagrams to this address
    #[arg(long, value_name = "HOST:PORT", group = "output")]
    udp: Option<String>,

    /// Write to this serial port
    #[arg(long, value_name = "PATH", group = "output")]
    serial: Option<PathBuf>,

    /// Speed of the serial port
    #[arg(long, value_name = "N", default_value_t = 115_200, requires = "serial")]
    baud: u32,

    /// Open a pseudo terminal, print its path, and play once somebody reads it
    #[arg(long, group = "output")]
    pty: bool,

    /// Make this symbolic link to the pseudo terminal while it is there
    #[arg(long, value_name = "PATH", requires = "pty")]
    link: Option<PathBuf>,

    /// Write a log that `stillwell replay` reads
    #[arg(long, value_name = "PATH", group = "output")]
    file: Option<PathBuf>,

    /// Write bytes as on a serial line to standard output
    #[arg(long, group = "output")]
    stdout: bool,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    pub(crate) start_ns: i64,
    pub(crate) frames: u64,
    pub(crate) readings: u64,
    pub(crate) pace: Pace,
    pub(crate) target: Target,
}

/// When frames go out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Times as fast as real time; as fast as it goes where there is none.
    pub(crate) speed: Option<f64>,
    /// Least time between two frames, nanoseconds.
    pub(crate) gap_ns: f64,
}

/// Where to.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Udp(String),
    Serial { path: PathBuf, baud: u32 },
    Pty { link: Option<PathBuf> },
    File(PathBuf),
    Stdout,
}

impl Arguments {
    /// Reads the scenario and settles what the options leave open.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        let mut scenario = config::load_scenario(&self.scenario)
            .map_err(|errors| Failure::Input(errors.to_string().trim_end().to_owned()))?;
        let target = self.target()?;
        let live = !matches!(target, Target::File(_) | Target::Stdout);
        let flat_out = self.flat_out || matches!(target, Target::File(_));
        let now_ns = Line::anchored().now_ns();
        // Seconds are the coarsest clock by which two plays by hand differ.
        let boot = self.boot.or(live.then_some((now_ns / SECOND) as u16));
        if let Some(boot) = boot {
            scenario.devices.iter_mut().for_each(|device| device.boot = boot);
        }
        scenario.duration_ns = self.duration.or(scenario.duration_ns);
        let plan = Plan {
            seed: self.seed.unwrap_or(scenario.seed),
            start_ns: self.start.unwrap_or(if flat_out { FIXED_START_NS } else { now_ns }),
            frames: self.frames.unwrap_or(u64::MAX),
            readings: self.readings.unwrap_or(u64::MAX),
            pace: Pace {
                speed: (!flat_out).then_some(self.speed),
                gap_ns: self.rate.map_or(0.0, |rate| SECOND as f64 / rate),
            },
            scenario,
            target,
        };
        let bounded = self.frames.is_some() || self.readings.is_some();
        if matches!(plan.target, Target::File(_)) && !bounded && plan.scenario.duration_ns.is_none()
        {
            return Err(Failure::Usage(
                "the scenario has no end, and a file must have one: give --duration".to_owned(),
            ));
        }
        Ok(plan)
    }

    fn target(&self) -> Result<Target, Failure> {
        let target = None
            .or_else(|| self.udp.clone().map(Target::Udp))
            .or_else(|| self.serial.clone().map(|path| Target::Serial { path, baud: self.baud }))
            .or_else(|| self.pty.then(|| Target::Pty { link: self.link.clone() }))
            .or_else(|| self.file.clone().map(Target::File))
            .or_else(|| self.stdout.then_some(Target::Stdout));
        target.ok_or_else(|| Failure::Usage("no output was named".to_owned()))
    }
}

fn parse_duration(text: &str) -> Result<i64, String> {
    let ns = duration::parse(text).map_err(|error| error.to_string())?;
    if ns > 0 { Ok(ns) } else { Err("must be more than 0".to_owned()) }
}

fn parse_speed(text: &str) -> Result<f64, String> {
    let valid = text.parse().ok().filter(|speed| (1e-6..=1e9).contains(speed));
    valid.ok_or_else(|| "must be a number between 0.000001 and 1000000000".to_owned())
}

fn parse_time(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text.parse().map_err(|error| format!("{error}"))?;
    let ns = i64::try_from(time.as_nanosecond()).ok().filter(|ns| *ns >= 0);
    ns.ok_or_else(|| "must be between 1970 and 2262".to_owned())
}

/// Why a play did not come about or was broken off.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The options do not make sense.
    Usage(String),
    /// The scenario cannot be read.
    Input(String),
    /// The way out is broken.
    Output(String),
}

impl Failure {
    /// EX_USAGE.
    pub(crate) const USAGE: u8 = 64;
    /// EX_NOINPUT.
    const NO_INPUT: u8 = 66;
    /// EX_IOERR.
    const IO: u8 = 74;

    pub(crate) fn output(what: &str, error: &io::Error) -> Self {
        Self::Output(format!("{what}: {error}"))
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => Self::USAGE,
            Self::Input(_) => Self::NO_INPUT,
            Self::Output(_) => Self::IO,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Input(text) | Self::Output(text) => f.write_str(text),
        }
    }
}
