//! `stillwell probe`: ports by themselves, beside the daemon: which there are, who has them, and
//! what they speak.

pub mod port;
pub mod until;

mod answer;
mod candidate;
mod hunt;
mod judge;
mod ports;

use std::{
    fmt,
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use indicatif::ProgressBar;

use self::{
    answer::Subject,
    hunt::{Heard, RATES},
    judge::Verdict,
    port::{Bits, Place, Port, PortError, Settings},
    ports::Ports,
    until::Until,
};
use crate::{
    limits::{PROBE_BYTES_MAX, SECOND},
    recording::{Piece, Recording, RecordingError},
    wire::decode::{Format, Framing},
};

/// Listening to a UDP port takes as long as all rates of a serial one.
const UDP_SECONDS: i64 = 10;
/// At each rate, unless told otherwise.
const RATE_SECONDS: i64 = 4;

/// What is probed, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct ProbeArgs {
    /// Serial port, UDP address such as :7420, or recorded file; without one, the ports are listed
    pub port: Option<String>,
    /// Try only this rate of a serial port, in bits a second
    #[arg(long, value_name = "RATE", value_parser = clap::value_parser!(u32).range(50..))]
    pub baud: Option<u32>,
    /// Longest time to listen at each rate, or to a UDP port [default: 4, UDP 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=3_600))]
    pub seconds: Option<i64>,
    /// One JSON object, or one for each port that is listed
    #[arg(long)]
    pub json: bool,
}

/// What the help says besides the arguments.
pub const EXAMPLES: &str = "\
Listens, and never writes. What it finds out is told on standard error; the [[source]] that reads
the port goes to standard output, ready to be appended to a configuration.

Opening a serial port resets many a board, whoever opens it. A port that the daemon reads must be
taken out of its configuration first: two readers would each get half of the bytes.

Examples:
  stillwell probe                                    the ports, their lasting names, who has them
  stillwell probe /dev/ttyUSB0                       which rate, which format
  stillwell probe /dev/ttyUSB0 >> config.toml        and keep it
  stillwell probe /dev/ttyUSB0 --baud 9600 --seconds 15   a meter that speaks every ten seconds
  stillwell probe :7420                              what comes to a UDP port
  stillwell probe bench.log                          what is in a recording

Exit codes: 0; 65 if no format fits; 66 if there is no such port; 75 if another program has it.";

/// Lists the ports, or finds out what one speaks.
///
/// # Errors
/// If the port cannot be listened to, or no format fits what came.
pub fn run(args: &ProbeArgs) -> Result<(), ProbeFailure> {
    let Some(named) = &args.port else { return list(args.json) };
    let (subject, heard) = match Path::new(named) {
        path if path.is_file() => (Subject::File(answer::anywhere(path)), file(path)?),
        _ => {
            let place =
                Place::parse(named).ok_or_else(|| ProbeFailure::NoSuchPort(named.clone()))?;
            let heard = port(&place, args)?;
            (Subject::new(&place, heard.settings), heard)
        }
    };
    match heard.verdict.as_ref().filter(|verdict| verdict.is_named()) {
        Some(verdict) => Ok(tell(&subject, verdict, args.json)?),
        None => Err(ProbeFailure::Unknown(unknown(named, &subject, &heard))),
    }
}

fn list(json: bool) -> Result<(), ProbeFailure> {
    let ports = Ports::scan(Path::new("/"));
    let mut out = io::stdout().lock();
    if json || !io::stdout().is_terminal() {
        ports.json().iter().try_for_each(|port| writeln!(out, "{port}"))?;
    } else {
        out.write_all(ports.text().as_bytes())?;
    }
    Ok(out.flush()?)
}

/// Listens to a port until something makes sense; what was heard best.
fn port(place: &Place, args: &ProbeArgs) -> Result<Heard, ProbeFailure> {
    if let Place::Serial(path) = place
        && let Some(holder) = ports::holder(Path::new("/"), path)
    {
        return Err(ProbeFailure::Busy(format!("{place} is {holder}")));
    }
    let rates = args.baud.map_or(RATES.to_vec(), |baud| vec![baud]);
    let first = Settings { baud: rates[0], bits: Bits::EightNone };
    let mut port = Port::open(place, first).map_err(ProbeFailure::Port)?;
    let broken = |error| ProbeFailure::Broken(place.to_string(), error);
    let progress = Progress::new();
    if port.framing() == Framing::Datagram {
        let seconds = args.seconds.unwrap_or(UDP_SECONDS);
        progress.say(&format!("listening at {place}, for {seconds} s at most"));
        return hunt::listen(&mut port, first, Until::after_ns(seconds * SECOND)).map_err(broken);
    }
    let seconds = args.seconds.unwrap_or(RATE_SECONDS);
    let count = rates.len();
    let at_most = seconds * count as i64;
    let heard = hunt::hunt(&mut port, &rates, seconds, |at, settings| {
        let rate = at + 1;
        progress.say(&format!(
            "listening at {settings}, rate {rate} of {count}, {at_most} s in all at most"
        ));
    });
    let heard = heard.map_err(broken)?;
    let silent = Heard { settings: first, bytes: 0, bursts: 0, verdict: None };
    Ok(heard.into_iter().next().unwrap_or(silent))
}

/// Reads the first of a recording.
fn file(path: &Path) -> Result<Heard, ProbeFailure> {
    let failed = |error: RecordingError| ProbeFailure::File(path.to_owned(), error.to_string());
    let settings = Settings { baud: RATES[0], bits: Bits::EightNone };
    let mut recording = Recording::open(path, 0, &Format::NATIVE).map_err(failed)?;
    let framing = recording.log().unwrap_or(Framing::Stream);
    let (mut pieces, mut bytes) = (Vec::new(), 0);
    if recording.log().is_none() {
        let mut start = Vec::new();
        let file = File::open(path)
            .and_then(|file| file.take(PROBE_BYTES_MAX as u64).read_to_end(&mut start));
        file.map_err(|error| failed(error.into()))?;
        bytes = start.len();
        pieces.push(start);
    }
    while recording.log().is_some() && bytes < PROBE_BYTES_MAX {
        let Some(block) = recording.next_block().map_err(failed)? else { break };
        for (_, piece) in block.chunks() {
            let Piece::Bytes(piece) = piece else { continue };
            bytes += piece.len();
            pieces.push(piece.to_vec());
        }
    }
    Ok(Heard { settings, bytes, bursts: 1, verdict: judge::best(&pieces, framing) })
}

fn tell(subject: &Subject, verdict: &Verdict, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", subject.json(verdict))?;
        return out.flush();
    }
    let mut err = io::stderr().lock();
    let at = match subject {
        Subject::Serial(_, settings) => format!(" at {settings}"),
        Subject::Udp(_) | Subject::File(_) => String::new(),
    };
    let Verdict { candidate, tally, share, samples, .. } = verdict;
    let percent = (share * 100.0).floor();
    writeln!(
        err,
        "{}{at}: {} of {} frames good, {percent} % of the bytes in them",
        candidate.name, tally.frames_ok, tally.frames_in
    )?;
    samples.iter().try_for_each(|sample| writeln!(err, "  {sample}"))?;
    writeln!(err, "To be appended to the configuration, and seen with `stillwell check`:\n")?;
    write!(out, "{}", subject.toml(verdict))?;
    out.flush()
}

/// Why nothing is named, and what may help.
fn unknown(named: &str, subject: &Subject, heard: &Heard) -> String {
    let Some(verdict) = &heard.verdict else {
        let help = match subject {
            Subject::Serial(..) => {
                "is it powered, and does it speak unasked? --seconds listens longer at each rate"
            }
            Subject::Udp(_) => "--seconds listens longer",
            Subject::File(_) => "it is empty",
        };
        return format!("nothing came from {named}: {help}");
    };
    let (at, help) = match subject {
        Subject::Serial(..) => (
            format!(" at {}", heard.settings),
            "--seconds listens longer at each rate, and `stillwell record` keeps what comes",
        ),
        Subject::Udp(_) => {
            (String::new(), "--seconds listens longer, and `stillwell record` keeps what comes")
        }
        Subject::File(_) => (
            String::new(),
            "binary frames have to be declared, by format = \"binary\" and a layout",
        ),
    };
    let percent = (verdict.share * 100.0).floor();
    format!(
        "no format explains what came from {named}: of {} bytes{at} the nearest is {}, with {} of \
         {} frames good and {percent} % of the bytes in them; {help}",
        heard.bytes, verdict.candidate.name, verdict.tally.frames_ok, verdict.tally.frames_in
    )
}

/// What is being done, on a terminal.
struct Progress(ProgressBar);

impl Progress {
    fn new() -> Self {
        let is_seen = io::stderr().is_terminal();
        Self(if is_seen { ProgressBar::new_spinner() } else { ProgressBar::hidden() })
    }

    fn say(&self, text: &str) {
        self.0.set_message(text.to_owned());
        self.0.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Why nothing was found out.
#[derive(Debug)]
pub enum ProbeFailure {
    /// What was named is no port, no address and no file.
    NoSuchPort(String),
    /// The port cannot be opened.
    Port(PortError),
    /// Another program reads it.
    Busy(String),
    /// The port went away.
    Broken(String, io::Error),
    /// The recording cannot be read.
    File(PathBuf, String),
    /// No format fits.
    Unknown(String),
    /// The output failed.
    Output(io::Error),
}

impl ProbeFailure {
    /// Exit code by sysexits; 0 if the reader of the output has gone.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Busy(_) => 75,
            Self::Port(error) if error.is_busy() => 75,
            Self::NoSuchPort(_) | Self::Port(_) | Self::File(..) => 66,
            Self::Unknown(_) => 65,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Broken(..) | Self::Output(_) => 74,
        }
    }
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPort(name) => write!(
                f,
                "{name} is no port, no address and no file; `stillwell probe` lists the ports"
            ),
            Self::Port(error) => error.fmt(f),
            Self::Busy(text) | Self::Unknown(text) => f.write_str(text),
            Self::Broken(port, error) => write!(f, "{port} cannot be read any more: {error}"),
            Self::File(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl std::error::Error for ProbeFailure {}

impl From<io::Error> for ProbeFailure {
    /// Errors of ports are made where the port is known: what is left is the output.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
