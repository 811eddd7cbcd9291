//! `stillwell-sim`: plays a scenario on a wire, into a file or to standard output, and says at
//! the end what a receiver's ledger must show for it.

mod args;
mod log;
mod output;
mod play;
mod pty;
mod report;
mod udp;

use std::{io::Write, process::ExitCode};

use clap::Parser;

use args::{Arguments, Failure};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { Failure::USAGE } else { 0 };
            // Nowhere to report to when even the help cannot be printed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match &failure {
                // Already in the form of a report, with the lines of the file.
                Failure::Input(report) => drop(writeln!(anstream::stderr(), "{report}")),
                Failure::Usage(_) | Failure::Output(_) => complain(&failure.to_string()),
            }
            ExitCode::from(failure.code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.plan()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::output("the runtime", &error))?;
    runtime.block_on(play::play(&plan))
}

/// One line for people on standard error.
fn complain(message: &str) {
    // Standard error is the last place there is.
    let _ = writeln!(anstream::stderr(), "stillwell-sim: {message}");
}
