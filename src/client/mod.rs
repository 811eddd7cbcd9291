//! Everything that speaks to the socket: for people a table, for programs one JSON object a
//! line, in the daemon's own spelling.
//!
//! Nothing here knows the engine or the daemon; what it shows came over the wire.

pub mod args;
pub mod failure;
pub mod recording;

mod adopt;
mod channels;
mod connection;
mod get;
mod histogram;
mod list;
mod nothing;
mod number;
mod output;
mod replies;
mod status;
mod table;
mod tap;
mod watch;

pub use args::Command;
pub use failure::Failure;

/// Runs one command to its end, with its output on stdout.
///
/// # Errors
/// If there is no daemon, it does not do what is asked, or the output cannot be written.
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Get(args) if args.histogram => histogram::run(args),
        Command::Get(args) => get::run(args),
        Command::List(args) => list::run(args),
        Command::Adopt(args) => adopt::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Tap(args) => tap::run(args),
        Command::Status(args) => status::run(args),
    }
}
