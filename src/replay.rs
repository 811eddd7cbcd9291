//! `stillwell replay`: a recorded log through the daemon's own pipeline, as fast as it goes.
//!
//! Time is that of the log, so the same file and the same configuration give the same bytes on
//! any machine at any speed.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
    sync::Arc,
};

use futures::{StreamExt as _, executor::block_on, stream};
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    aim::Target,
    input::{LogInput, ReplayError},
};
use crate::{
    config::Config,
    engine::{Input, Ledger, glob::Glob, stages::Stages as _, windows::Emitted},
    query::{ledger::LedgerLine, selection::Selection, summary::summary_line},
    wire::Health,
};

mod aim;
mod input;
mod timestamp;

pub use aim::AimError;
pub use timestamp::AbsentField;

/// The formats that need no declaration.
const FORMATS: [&str; 9] =
    ["native", "text", "json", "senml", "influx", "statsd", "nmea", "vedirect", "dsmr"];

/// What is replayed, and what of it is shown.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// Log to replay: a stillwell log, or raw bytes as they came from a line.
    pub file: PathBuf,
    /// Configuration with the source that the log belongs to; without one, every field found
    /// becomes a channel.
    #[arg(long, short)]
    pub config: Option<PathBuf>,
    /// Source of the configuration that the log belongs to, if it has several.
    #[arg(long, requires = "config")]
    pub source: Option<String>,
    /// Format of the log, where there is no configuration; otherwise told from its first bytes.
    #[arg(long, conflicts_with = "config", value_parser = FORMATS)]
    pub format: Option<String>,
    /// Text field that holds the time of a line, by name or 1-based position, where there is no
    /// configuration.
    #[arg(long, conflicts_with = "config")]
    pub timestamp: Option<String>,
    /// Time between two lines or frames of raw bytes that carry no time, where there is no
    /// configuration.
    #[arg(long, value_name = "DURATION", conflicts_with = "config")]
    pub interval: Option<String>,
    /// Windows to show, such as 10m or 10m/1m (length/every); without a configuration, windows
    /// to compute.
    #[arg(long, value_delimiter = ',')]
    pub window: Vec<String>,
    /// Channels to show: ids, or patterns with * and ?.
    #[arg(long, value_delimiter = ',')]
    pub channels: Vec<String>,
    /// End with the ledger as a JSON line.
    #[arg(long)]
    pub ledger: bool,
    /// JSON lines also on a terminal.
    #[arg(long)]
    pub json: bool,
}

/// Replays a log.
///
/// # Errors
/// If the configuration does not fit, the log cannot be read to its end, or the output fails.
pub fn run(args: &ReplayArgs) -> Result<(), ReplayFailure> {
    let Target { config, source } = aim::target(args).map_err(ReplayFailure::Aim)?;
    let mut show = Show::new(args, &config)?;
    let Config { plan, inputs, .. } = &config;
    let mut input = LogInput::open(&args.file, source, &inputs[source])?;
    let progress = progress(input.bytes_total());
    let mut failed = None;
    let batches = std::iter::from_fn(|| match input.next_batch() {
        Ok(batch) => {
            progress.set_position(input.bytes_read());
            batch.map(|batch| Input { now_ns: batch.now_ns, batch: Some(batch), sitting: None })
        }
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let mut results =
        stream::iter(batches).validate(plan).normalize(plan).qc(plan).rolling_through(plan);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = block_on(async {
        while let Some(results) = results.next().await {
            results.iter().try_for_each(|result| show.write(result, &mut out))?;
        }
        let total = results.state().books().total();
        if args.ledger {
            serde_json::to_writer(&mut out, &LedgerLine(&total))?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(total)
    });
    drop(results);
    progress.finish_and_clear();
    if let Some(error) = failed {
        return Err(error.into());
    }
    let total = written.map_err(ReplayFailure::Output)?;
    tell(&total).map_err(ReplayFailure::Output)?;
    if let Some(absent) = timestamp::absent(&inputs[source].format, &input.header(), &total) {
        return Err(ReplayFailure::Timestamp(absent));
    }
    if args.config.is_none() {
        timestamp::hint(&args.file, &inputs[source].format).map_err(ReplayFailure::Output)?;
    }
    show.unmatched(&args.channels)
}

/// Why a replay did not come to its end.
#[derive(Debug)]
pub enum ReplayFailure {
    /// The configuration, or what was asked for, does not fit.
    Aim(AimError),
    /// The log cannot be read.
    Log(ReplayError),
    /// No line has the field that was to hold its time.
    Timestamp(AbsentField),
    /// A channel that was named is neither configured nor in the log.
    NoSuchChannel(String),
    /// The output failed.
    Output(io::Error),
}

impl std::fmt::Display for ReplayFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Aim(error) => error.fmt(f),
            Self::Log(error) => error.fmt(f),
            Self::Timestamp(absent) => absent.fmt(f),
            Self::NoSuchChannel(reason) => f.write_str(reason),
            Self::Output(error) => write!(f, "cannot write the results: {error}"),
        }
    }
}

impl std::error::Error for ReplayFailure {}

impl From<ReplayError> for ReplayFailure {
    fn from(error: ReplayError) -> Self {
        Self::Log(error)
    }
}

impl ReplayFailure {
    /// Exit code by sysexits.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Aim(error) => error.exit_code(),
            Self::Log(error) => error.exit_code(),
            Self::Timestamp(_) => 65,
            Self::NoSuchChannel(_) => 65,
            Self::Output(_) => 74,
        }
    }

    /// Whether the reader of the output has gone, which is no failure.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What of the results is written, and how.
struct Show {
    channels: Option<Selection>,
    /// Ids of the configured channels and of those that had a result.
    known: BTreeSet<Arc<str>>,
    windows: Vec<crate::engine::Window>,
    json: bool,
}

impl Show {
    fn new(args: &ReplayArgs, config: &Config) -> Result<Self, ReplayFailure> {
        let windows = args.window.iter().map(|text| aim::window(text, config));
        let windows = windows.collect::<Result<_, _>>().map_err(ReplayFailure::Aim)?;
        let patterns = args.channels.iter().map(String::as_str);
        Ok(Self {
            channels: (!args.channels.is_empty()).then(|| Selection::new(patterns)),
            known: config.plan.channels.iter().map(|channel| channel.id.clone()).collect(),
            windows,
            json: args.json || !io::stdout().is_terminal(),
        })
    }

    fn write(&mut self, result: &Emitted, out: &mut impl Write) -> io::Result<()> {
        let Emitted { channel, window, summary, condition } = result;
        if self.channels.is_some() && !self.known.contains(&channel.id) {
            self.known.insert(channel.id.clone());
        }
        let window = &channel.rules.window(*window);
        let wanted = self.windows.is_empty() || self.windows.contains(window);
        let wanted = wanted && self.channels.as_ref().is_none_or(|all| all.matches(&channel.id));
        if !wanted {
            return Ok(());
        }
        if self.json {
            let line = summary_line(channel, window, summary).of(*condition);
            serde_json::to_writer(&mut *out, &line)?;
            return out.write_all(b"\n");
        }
        let end = jiff::Timestamp::from_nanosecond(i128::from(summary.end_ns)).unwrap_or_default();
        let length = crate::engine::duration::Nanoseconds(window.length_ns);
        write!(out, "{end}  {:<24} {length:>5} n {:>7}", channel.id, summary.n)?;
        if summary.overflow != 0 {
            write!(out, "  lacks {}", summary.overflow)?;
        }
        match &summary.values {
            Some(v) => write!(out, "  min {:<12} mean {:<12.6} max {:<12}", v.min, v.mean, v.max)?,
            None => out.write_all(b"  no value")?,
        }
        match condition.map(|condition| condition.health) {
            None | Some(Health::Good) => writeln!(out),
            Some(health) => writeln!(out, "  its device says {}", health.name()),
        }
    }

    /// Says which patterns no channel matched; one that is a plain id is a mistake.
    fn unmatched(&self, patterns: &[String]) -> Result<(), ReplayFailure> {
        let globs = patterns.iter().map(|pattern| (pattern.as_str(), Glob::new(pattern)));
        let missed: Vec<(&str, Glob)> =
            globs.filter(|(_, glob)| !self.known.iter().any(|id| glob.matches(id))).collect();
        if missed.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = missed.iter().map(|(pattern, _)| *pattern).collect();
        let reason = none_matches(&names, &self.known);
        if missed.iter().any(|(_, glob)| glob.literal().is_some()) {
            return Err(ReplayFailure::NoSuchChannel(reason));
        }
        writeln!(io::stderr(), "stillwell: {reason}").map_err(ReplayFailure::Output)
    }
}

fn none_matches(patterns: &[&str], known: &BTreeSet<Arc<str>>) -> String {
    const NAMED_MAX: usize = 3;
    let patterns = patterns.join(" or ");
    if known.is_empty() {
        return format!("no channel matches {patterns}; there are none");
    }
    let named: Vec<&str> = known.iter().take(NAMED_MAX).map(|id| &**id).collect();
    let etc = if named.len() < known.len() { ", …" } else { "" };
    let (named, count) = (named.join(", "), known.len());
    format!("no channel matches {patterns}; there are {named}{etc} ({count} in all)")
}

fn progress(bytes_total: u64) -> ProgressBar {
    // Draws on standard error, and only if that is a terminal.
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(style).expect("a constant template");
    ProgressBar::new(bytes_total).with_style(style)
}

/// One line of what became of everything, on standard error.
fn tell(total: &Ledger) -> io::Result<()> {
    use crate::{engine::ReadingRefusal, wire::FrameRefusal};
    let mut err = io::stderr().lock();
    let wire = &total.wire;
    write!(err, "{} frames, {} readings accepted", wire.frames_in, total.readings.accepted)?;
    for why in FrameRefusal::ALL {
        if 0 < wire.refused[why as usize] {
            write!(err, ", {} frames {}", wire.refused[why as usize], why.name())?;
        }
    }
    for why in ReadingRefusal::ALL {
        if 0 < total.readings.refused[why as usize] {
            write!(err, ", {} readings {}", total.readings.refused[why as usize], why.name())?;
        }
    }
    if 0 < total.sequence.lost() {
        write!(err, ", {} frames lost on the way", total.sequence.lost())?;
    }
    if let Some(identity) = total.imbalance() {
        write!(err, "; THE LEDGER DOES NOT BALANCE: {identity}")?;
    }
    writeln!(err)
}
