//! The daemon and its client: arguments to one subcommand to an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use stillwell::client;

/// Settled values from noisy sensors: rolling windows, and an account of every byte
#[derive(Debug, Parser)]
#[command(name = "stillwell", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Client(client::Command),
}

/// Wrong arguments, by sysexits.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where this cannot be written, there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match arguments.command {
        Command::Client(command) => match client::run(&command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                if !failure.is_quiet() {
                    let _ = writeln!(io::stderr(), "stillwell: {failure}");
                }
                ExitCode::from(failure.exit_code())
            }
        },
    }
}
