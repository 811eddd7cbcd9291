//! The lines of a recording that the daemon makes of one of its sources.

use std::{path::Path, time::Duration};

use serde::Deserialize;
use serde_json::Map;

use super::{
    connection::{Connection, parse},
    failure::Failure,
};

/// How long a look at the socket waits: whoever wants to stop is heard that often.
const LOOK: Duration = Duration::from_millis(100);

/// A source of a daemon, being recorded.
pub struct SourceRecording {
    connection: Connection,
    ended: bool,
}

/// What came of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Lines {
    /// First line of a log that holds these lines; absent where there are none.
    pub log: Option<String>,
    /// Lines of the log, without their ends.
    pub lines: Vec<String>,
    /// What the recording lacks since the lines before.
    pub lost: Lost,
}

/// What a recording lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Lost {
    /// Records, as a log has them.
    pub records: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl SourceRecording {
    /// Has the daemon record a source. When this returns, it does.
    ///
    /// # Errors
    /// If there is no daemon, or no such source, or too many listen already.
    pub fn start(socket: Option<&Path>, source: &str) -> Result<Self, Failure> {
        let mut connection = Connection::open(socket)?;
        let mut parameters = Map::new();
        parameters.insert("source".into(), source.into());
        connection.subscribe("Record", &parameters)?;
        connection.message()?;
        connection.look_for(LOOK)?;
        Ok(Self { connection, ended: false })
    }

    /// What came since; `None` if nothing did for a moment.
    ///
    /// # Errors
    /// If the daemon is gone, or says what no daemon says.
    pub fn look(&mut self) -> Result<Option<Lines>, Failure> {
        let Some((parameters, continues)) = self.connection.look()? else { return Ok(None) };
        self.ended = !continues;
        parse(parameters.get()).map(Some)
    }

    /// Whether the source has ended: nothing comes any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}
