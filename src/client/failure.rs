//! What can go wrong, in words for people and a code for scripts.

use std::{fmt, io, path::PathBuf};

/// Why a command did not do what it should.
#[derive(Debug)]
pub enum Failure {
    /// Nobody serves at any of these paths.
    NoDaemon {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
        /// What the system said of the last.
        error: io::Error,
    },
    /// The socket is there and the connection failed or broke.
    Connection {
        /// Path of the socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The daemon is too busy, or ends.
    Unavailable(String),
    /// The arguments make no sense.
    Usage(String),
    /// The daemon did not do what was asked.
    Refused(String),
    /// The daemon said something that no daemon says.
    Protocol(String),
    /// The output could not be written.
    Output(io::Error),
}

impl Failure {
    /// Exit code by sysexits; 0 if the reader of the output has had enough.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Refused(_) => 65,
            Self::NoDaemon { .. } | Self::Unavailable(_) => 69,
            Self::Connection { .. } => 74,
            Self::Output(_) if self.is_quiet() => 0,
            Self::Output(_) => 74,
            Self::Protocol(_) => 76,
        }
    }

    /// Whether there is nothing to say: `stillwell get | head -1` is no failure.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDaemon { tried, error } => {
                f.write_str("no daemon at ")?;
                for (at, path) in tried.iter().enumerate() {
                    let separator = if at == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", path.display())?;
                }
                write!(f, " ({error}): start one with `stillwell run`, or name its --socket")
            }
            Self::Connection { path, error } if error.kind() == io::ErrorKind::PermissionDenied => {
                write!(
                    f,
                    "{}: {error}: the socket is for its user and group; join the group of the \
                     daemon",
                    path.display()
                )
            }
            Self::Connection { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Unavailable(text)
            | Self::Usage(text)
            | Self::Refused(text)
            | Self::Protocol(text) => f.write_str(text),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    /// Errors of connections are made where the path is known: what is left is the output.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_daemon_says_what_to_do() {
        let tried = vec![PathBuf::from("/a/query.sock"), PathBuf::from("/b/query.sock")];
        let failure =
            Failure::NoDaemon { tried, error: io::Error::from_raw_os_error(libc::ENOENT) };
        assert_eq!(failure.exit_code(), 69);
        assert_eq!(
            failure.to_string(),
            "no daemon at /a/query.sock, /b/query.sock (No such file or directory (os error 2)): \
             start one with `stillwell run`, or name its --socket"
        );
    }

    #[test]
    fn a_reader_that_has_had_enough_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.is_quiet(), failure.exit_code()), (true, 0));
        let full = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!((full.is_quiet(), full.exit_code()), (false, 74));
    }
}
