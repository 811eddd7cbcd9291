//! `stillwell record`: what comes over a source or a port, as a log that can be replayed.
//!
//! It decodes nothing and loses nothing silently: what a full queue or the kernel dropped stands
//! in the log as a comment, and in the exit code.

mod feed;
mod log_file;
mod stop;

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
};

use self::{feed::Feed, log_file::LogFile, stop::Stop};
use crate::{
    client::Failure,
    engine::duration,
    probe::{
        port::{Bits, Place, Settings},
        until::Until,
    },
};

/// What is recorded, where to, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub struct RecordArgs {
    /// Source of the running daemon by its name; or a port to open: a path such as
    /// /dev/serial/by-id/usb-…, or udp://ADDRESS:PORT
    pub source: String,
    /// Log to write; it must not exist
    pub file: PathBuf,
    /// Stop after this time, such as 10m
    #[arg(long, value_name = "DURATION")]
    pub duration: Option<String>,
    /// Stop when the log holds so many bytes of input
    #[arg(long, value_name = "N")]
    pub bytes: Option<u64>,
    /// Stop when the log holds so many records: datagrams, or reads of a serial line
    #[arg(long, value_name = "N")]
    pub records: Option<u64>,
    /// Bits a second of a serial port
    #[arg(long, default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(50..))]
    pub baud: u32,
    /// Data bits, parity and stop bits of a serial port
    #[arg(long, value_enum, default_value_t)]
    pub line: Bits,
    /// Socket of the daemon, as for `list`
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// What the help says besides the arguments.
pub const EXAMPLES: &str = "\
Ctrl-C ends the recording and keeps what there is. A source of the daemon is recorded beside the
daemon's own work; a port of one's own must not be the daemon's.

Examples:
  stillwell record bench bench.log --duration 10m      a source of the running daemon
  stillwell record /dev/ttyUSB0 gps.log --baud 4800    a port that nobody else has open
  stillwell record udp://0.0.0.0:7420 udp.log --records 1000
  stillwell replay bench.log --ledger                  what the daemon makes of it

Exit codes: 0; 65 if something is lacking, which the log tells where; 64, 66, 69, 73, 74 and 75 as
everywhere.";

/// Records until something ends it.
///
/// # Errors
/// If it does not begin, the log cannot be written, or the log lacks something.
pub fn run(args: &RecordArgs) -> Result<(), RecordFailure> {
    let until = match &args.duration {
        None => Until::never(),
        Some(text) => Until::after_ns(
            duration::parse(text)
                .map_err(|error| RecordFailure::Usage(format!("--duration {text}: {error}")))?,
        ),
    };
    let stop = Stop::catch().map_err(RecordFailure::Signals)?;
    let mut feed = match Place::parse(&args.source) {
        Some(place) => Feed::open(&place, Settings { baud: args.baud, bits: args.line })?,
        None => Feed::subscribe(&args.source, args.socket.as_deref())?,
    };
    let mut log = LogFile::create(&args.file)?;
    let bytes_max = args.bytes.unwrap_or(u64::MAX);
    let records_max = args.records.unwrap_or(u64::MAX);
    let is_enough = |log: &LogFile| bytes_max <= log.bytes || records_max <= log.records;
    let mut ended = Ok(());
    while !is_enough(&log) && !until.is_over() && !stop.is_asked() && !feed.has_ended() {
        ended = feed.look(&mut log);
        if ended.is_err() {
            break;
        }
    }
    // What came is worth keeping, whatever ended it.
    let (lost_records, lost_bytes) = (log.lost_records, log.lost_bytes);
    let told = log.finish(&feed)?;
    ended?;
    // Where this cannot be written, the log tells it.
    let _ = writeln!(io::stderr(), "stillwell: {told}");
    match lost_records {
        0 => Ok(()),
        records => Err(RecordFailure::Lacking { records, bytes: lost_bytes }),
    }
}

/// Why there is no log, or not a whole one.
#[derive(Debug)]
pub enum RecordFailure {
    /// The arguments make no sense.
    Usage(String),
    /// Signals cannot be caught.
    Signals(io::Error),
    /// The daemon does not do what is asked.
    Daemon(Failure),
    /// The port cannot be listened to, or not any more.
    Port {
        /// What happened.
        what: String,
        /// Whether another program has it.
        busy: bool,
    },
    /// The log cannot be written.
    Log {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The log is there, and lacks something.
    Lacking {
        /// Records that are lacking.
        records: u64,
        /// Bytes in them.
        bytes: u64,
    },
}

impl RecordFailure {
    /// Exit code by sysexits.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Lacking { .. } => 65,
            Self::Signals(_) => 71,
            Self::Daemon(failure) => failure.exit_code(),
            Self::Port { busy: true, .. } => 75,
            Self::Port { .. } => 66,
            Self::Log { error, .. } if error.kind() == io::ErrorKind::AlreadyExists => 73,
            Self::Log { .. } => 74,
        }
    }
}

impl fmt::Display for RecordFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) => f.write_str(text),
            Self::Signals(error) => write!(f, "cannot catch signals: {error}"),
            Self::Daemon(failure) => failure.fmt(f),
            Self::Port { what, .. } => f.write_str(what),
            Self::Log { path, error } if error.kind() == io::ErrorKind::AlreadyExists => write!(
                f,
                "{} exists and is left alone: move it away, or choose another name",
                path.display()
            ),
            Self::Log { path, error } => write!(f, "cannot write {}: {error}", path.display()),
            Self::Lacking { records, bytes } => write!(
                f,
                "{records} records with {bytes} bytes are lacking; comments in the log say where"
            ),
        }
    }
}

impl std::error::Error for RecordFailure {}

impl From<Failure> for RecordFailure {
    fn from(failure: Failure) -> Self {
        Self::Daemon(failure)
    }
}
