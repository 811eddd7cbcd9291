//! The daemon and its client: arguments to one subcommand to an exit code.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use stillwell::{
    client,
    config::{self, Config, Loaded, change::Change},
    daemon::{
        log::Lines,
        run::{Daemon, RunError},
        server::Endpoint,
    },
    endpoint::{SocketPath, Surroundings},
    probe::{self, ProbeArgs},
    record::{self, RecordArgs},
    replay::{self, ReplayArgs},
};
use tracing::{error, level_filters::LevelFilter, warn};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

#[cfg(all(feature = "console", not(tokio_unstable)))]
compile_error!("the feature `console` needs RUSTFLAGS=\"--cfg tokio_unstable\": docs/tuning.md");

/// Settled values from noisy sensors: rolling windows, and an account of every byte
#[derive(Debug, Parser)]
#[command(name = "stillwell", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Run(RunArgs),
    /// Check a configuration and say what it amounts to
    Check(CheckArgs),
    #[command(flatten)]
    Client(client::Command),
    /// Run a recorded log through the daemon's pipeline and show every result
    Replay(ReplayArgs),
    /// Write what comes over a source or a port to a log that can be replayed
    #[command(after_help = record::EXAMPLES)]
    Record(RecordArgs),
    /// List the ports, or find out what one speaks and print the configuration that reads it
    #[command(after_help = probe::EXAMPLES)]
    Probe(ProbeArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Configuration file
    #[arg(long, short, value_name = "FILE", default_value = "/etc/stillwell/config.toml")]
    config: PathBuf,
    /// Query socket, in place of the configured one
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Exit with 78 on a broken configuration instead of serving Status without inputs
    #[arg(long)]
    strict: bool,
    /// What is logged, on standard error
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: Level,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Configuration file
    #[arg(value_name = "FILE", default_value = "/etc/stillwell/config.toml")]
    config: PathBuf,
    /// Say what it changes of this one instead, as a reload would
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Wrong arguments, by sysexits.
const USAGE: u8 = 64;
/// The system refuses what every process needs, by sysexits.
const SYSTEM: u8 = 71;
/// A broken configuration, by sysexits.
const CONFIG: u8 = 78;
/// Output that cannot be written, by sysexits.
const IO: u8 = 74;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where this cannot be written, there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    ExitCode::from(match arguments.command {
        Command::Run(args) => run(args),
        Command::Check(args) => check(&args),
        Command::Client(command) => match client::run(&command) {
            Ok(()) => 0,
            Err(failure) if failure.is_quiet() => failure.exit_code(),
            Err(failure) => complain(&failure, failure.exit_code()),
        },
        Command::Replay(args) => match replay::run(&args) {
            Ok(()) => 0,
            Err(failure) if failure.is_broken_pipe() => 0,
            Err(failure) => complain(&failure, failure.exit_code()),
        },
        Command::Probe(args) => match probe::run(&args) {
            Ok(()) => 0,
            Err(failure) if failure.exit_code() == 0 => 0,
            Err(failure) => complain(&failure, failure.exit_code()),
        },
        Command::Record(args) => match record::run(&args) {
            Ok(()) => 0,
            Err(failure) => complain(&failure, failure.exit_code()),
        },
    })
}

fn run(args: RunArgs) -> u8 {
    let lines = match Lines::to(io::stderr()) {
        Ok(lines) => lines,
        Err(error) => return complain(&error, SYSTEM),
    };
    log_to(lines.clone(), args.log);
    let code = run_logged(args);
    lines.flush();
    code
}

fn run_logged(args: RunArgs) -> u8 {
    let loaded = config::load(&args.config);
    let (config, degraded) = match loaded {
        Ok(Loaded { config, warnings }) => {
            warnings.lines().for_each(|line| warn!("{line}"));
            (config, None)
        }
        Err(errors) => {
            // The whole picture for the person at the terminal, a line each for the journal.
            if io::stderr().is_terminal() {
                let _ = write!(io::stderr(), "{}", errors.render(color()));
            }
            errors.lines().for_each(|line| error!("{line}"));
            if args.strict {
                return CONFIG;
            }
            error!("Running without inputs: mend the configuration and start again.");
            (Config::without_inputs(), Some(errors.lines().collect::<Vec<_>>().join("; ")))
        }
    };
    let was_degraded = degraded.is_some();
    let ended = bind(args.socket.or_else(|| config.daemon.socket.clone()))
        .map_err(RunError::Listen)
        .and_then(|endpoint| {
            Daemon { config, config_path: Some(args.config), degraded, endpoint }.run()
        });
    match ended {
        Ok(()) => {
            if was_degraded {
                CONFIG
            } else {
                0
            }
        }
        Err(failure) => {
            error!("{failure}");
            failure.exit_code()
        }
    }
}

/// The socket of the service manager if it passed one, otherwise one of our own.
fn bind(chosen: Option<PathBuf>) -> Result<Endpoint, stillwell::daemon::server::ListenError> {
    if let Some(inherited) = Endpoint::inherited()? {
        return Ok(inherited);
    }
    Endpoint::bind(&socket_path(chosen))
}

fn socket_path(chosen: Option<PathBuf>) -> SocketPath {
    chosen.map_or_else(|| SocketPath::of_daemon(&Surroundings::of_process()), SocketPath::chosen)
}

fn check(args: &CheckArgs) -> u8 {
    let told = config::load(&args.config).and_then(|Loaded { config, warnings }| {
        let _ = write!(io::stderr(), "{}", warnings.render(color()));
        let Some(old) = &args.against else {
            let socket = socket_path(config.daemon.socket.clone());
            return Ok(config::report::report(&config, socket.path()));
        };
        Ok(Change::between(&config::load(old)?.config, &config).to_string())
    });
    match told {
        Ok(told) => {
            let written = io::stdout().write_all(told.as_bytes());
            written.map_or_else(|error| complain(&error, IO), |()| 0)
        }
        Err(errors) => {
            let _ = write!(io::stderr(), "{}", errors.render(color()));
            CONFIG
        }
    }
}

/// Whether standard error takes colour: a terminal, and nobody said NO_COLOR.
fn color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

fn complain(what: &dyn fmt::Display, code: u8) -> u8 {
    // Where this cannot be written, the exit code has to do.
    let _ = writeln!(io::stderr(), "stillwell: {what}");
    code
}

fn log_to(lines: Lines, level: Level) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let lines =
        tracing_subscriber::fmt::layer().with_writer(lines).with_target(false).with_ansi(color());
    // The journal stamps its lines itself.
    let lines = match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => lines.without_time().boxed(),
        None => lines.boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(level));
    #[cfg(feature = "console")]
    let subscriber = subscriber.with(console_subscriber::spawn());
    subscriber.init();
}
