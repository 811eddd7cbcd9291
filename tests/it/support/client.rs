//! A client by hand: lines over the socket.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

use crate::process::PATIENCE;

/// A connection to the query socket.
#[derive(Debug)]
pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects, if somebody serves there.
    pub(crate) fn try_connect(path: &Path) -> Option<Self> {
        let stream = UnixStream::connect(path).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        Some(Self(BufReader::new(stream)))
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())
    }

    /// Whether there is something to read, or the end, within this time.
    pub(crate) fn has_input(&mut self, within: Duration) -> bool {
        let limit = |stream: &UnixStream, timeout| {
            stream.set_read_timeout(Some(timeout)).expect("a socket takes a timeout");
        };
        limit(self.0.get_ref(), within);
        let filled = self.0.fill_buf().map(drop);
        limit(self.0.get_ref(), PATIENCE);
        !matches!(filled, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The next line, without its end; `None` if the connection is over.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            // Closed with something of ours unread.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line within {PATIENCE:?}: {error}"),
        }
    }

    /// The next line as JSON.
    pub(crate) fn message(&mut self) -> Option<Value> {
        let line = self.line()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }

    /// Sends a line and returns the reply to it.
    pub(crate) fn ask(&mut self, request: &str) -> Value {
        self.send(format!("{request}\n")).expect("the daemon reads");
        self.message().expect("the daemon replies")
    }

    /// Sends a line that succeeds, and returns what was asked for.
    pub(crate) fn call(&mut self, request: &str) -> Value {
        let mut reply = self.ask(request);
        assert!(reply.get("error").is_none(), "{request}: {reply}");
        reply["parameters"].take()
    }
}
