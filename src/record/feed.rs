//! Where a recording comes from: the daemon, or a port of one's own.

use std::path::Path;

use super::{RecordFailure, log_file::LogFile};
use crate::{
    client::recording::{Lines, SourceRecording},
    probe::port::{Place, Port, Settings},
    wire::log,
};

/// What a log is fed from.
pub(super) enum Feed {
    /// A source of the running daemon.
    Daemon { recording: SourceRecording, name: String },
    /// A port.
    Port { port: Port, place: Place },
}

impl Feed {
    pub(super) fn open(place: &Place, settings: Settings) -> Result<Self, RecordFailure> {
        let port = Port::open(place, settings).map_err(|error| RecordFailure::Port {
            what: error.to_string(),
            busy: error.is_busy(),
        })?;
        Ok(Self::Port { port, place: place.clone() })
    }

    pub(super) fn subscribe(name: &str, socket: Option<&Path>) -> Result<Self, RecordFailure> {
        let recording = SourceRecording::start(socket, name)?;
        Ok(Self::Daemon { recording, name: name.to_owned() })
    }

    /// Whether nothing comes any more.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Daemon { recording, .. } => recording.has_ended(),
            Self::Port { .. } => false,
        }
    }

    /// Puts into the log what comes within a moment, and has it on the disk if nothing does.
    pub(super) fn look(&mut self, log: &mut LogFile) -> Result<(), RecordFailure> {
        match self {
            Self::Daemon { recording, .. } => {
                let Some(Lines { log: header, lines, lost }) = recording.look()? else {
                    return log.flush();
                };
                if let Some(header) = header {
                    log.begin(&header)?;
                }
                log.lack(lost.records, lost.bytes)?;
                lines.iter().try_for_each(|line| log.line(line))
            }
            Self::Port { port, place } => {
                let dropped = port.take_dropped();
                log.lack_datagrams(dropped)?;
                log.begin(log::header(port.framing()))?;
                let came = port.listen().map_err(|error| RecordFailure::Port {
                    what: format!("{place} cannot be read any more: {error}"),
                    busy: false,
                });
                let Some((at_ns, bytes)) = came? else { return log.flush() };
                let mut line = String::new();
                log::write_line(at_ns, bytes, &mut line);
                log.line(line.trim_end())
            }
        }
    }

    /// A line that says up to when there was nothing more, where that is known.
    pub(super) fn last_line(&self) -> Option<String> {
        match self {
            Self::Daemon { .. } => None,
            Self::Port { port, .. } => Some(port.now_ns().to_string()),
        }
    }

    /// What is recorded, for people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Daemon { name, .. } => format!("the source {name}"),
            Self::Port { place, .. } => place.to_string(),
        }
    }
}
