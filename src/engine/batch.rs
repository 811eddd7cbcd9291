//! What crosses the queue between a source and the engine.

use std::sync::Arc;

use super::{image::Sitting, recycle::Home, trace::Mark};
use crate::wire::{FieldTable, Frames, WireTally};

/// One item of the engine's input stream.
#[derive(Debug)]
pub struct Input {
    /// The engine's own time, by which it publishes: nanoseconds on the daemon's line. A source's
    /// time is another matter, as that of a recording may be years away.
    pub now_ns: i64,
    /// Frames of one source, and what happened to it; nothing if only time has passed.
    pub batch: Option<Batch>,
    /// An image of all stages is to be taken, as they are behind this.
    pub sitting: Option<Arc<Sitting>>,
}

/// Many frames of one source: batches, not readings, cross queues.
#[derive(Debug, Default)]
pub struct Batch {
    /// Index of the source in the plan.
    pub source: usize,
    /// How far the source's time has come, nanoseconds on the daemon's line: what later batches
    /// carry has arrived at this time or after it.
    pub now_ns: i64,
    /// The frames.
    pub frames: Frames,
    /// Where the emptied frames go.
    pub frames_home: Home<Frames>,
    /// Names behind the samples' fields.
    pub fields: Arc<FieldTable>,
    /// Bytes and frames counted since the previous batch that got through.
    pub wire: WireTally,
    /// Datagrams counted since the previous batch that got through.
    pub transport: Transport,
    /// What the kernel's counter of drops showed last, if it was read.
    pub drops: Option<SocketDrops>,
    /// Bytes waiting in the decoder for the rest of their frame.
    pub buffered: u64,
    /// Readings dropped because the queue was full, beyond those whose heads came through.
    pub shed_readings: u64,
    /// Frames to be traced, in order; most of the time none.
    pub marks: Vec<Mark>,
    /// Set when the state of the source changed.
    pub link: Option<Link>,
}

/// Counts of a source's transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// Datagrams received.
    pub datagrams: u64,
    /// Datagrams that the kernel dropped at this socket: entered by the engine, from
    /// [`Batch::drops`].
    pub kernel_dropped: u64,
    /// Line errors of a serial port (TIOCGICOUNT): framing, parity, overrun, buffer overrun.
    pub line_errors: u64,
    /// Batches that found the queue to the engine full; their readings are counted apart.
    pub batches_refused: u64,
    /// Receive calls that failed and say nothing about a datagram.
    pub receive_errors: u64,
    /// Datagrams of which nobody noted the arrival: that of their reading was taken.
    pub unstamped: u64,
}

impl Transport {
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.datagrams += other.datagrams;
        self.kernel_dropped += other.kernel_dropped;
        self.line_errors += other.line_errors;
        self.batches_refused += other.batches_refused;
        self.receive_errors += other.receive_errors;
        self.unstamped += other.unstamped;
    }
}

/// What the kernel's counter of drops at a socket shows (SO_MEMINFO).
///
/// The counter is the socket's, which may outlive the process: sources only read it, and whoever
/// keeps the ledger keeps the last reading with it, in images too. So each drop is counted once,
/// also one of a time in which no daemon lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketDrops {
    /// Which socket: a number that the kernel gives once a boot (SO_COOKIE).
    pub cookie: u64,
    /// Drops since the socket was created; wraps.
    pub count: u32,
}

impl SocketDrops {
    /// Drops that a ledger does not have yet whose last reading was `known`.
    ///
    /// Of a socket that it has never heard of, that is all of them: nobody else has counted them.
    #[must_use]
    pub fn beyond(self, known: Option<Self>) -> u64 {
        let before = known.filter(|known| known.cookie == self.cookie);
        u64::from(self.count.wrapping_sub(before.map_or(0, |known| known.count)))
    }
}

/// State of a source as its task sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Not opened yet.
    Starting,
    /// Open and read from; with what is worth knowing, such as the bound address.
    Up(Arc<str>),
    /// Open, and nothing has come for longer than is normal; with the words for it.
    Silent(Arc<str>),
    /// Open, and nothing that comes is a good frame; with the likely cause.
    Garbled(Arc<str>),
    /// Not to be opened or lost, with the reason; it is tried again.
    Down(Arc<str>),
    /// Ended for good, with the reason if it is not the end of the input.
    Ended(Option<Arc<str>>),
}

impl Link {
    /// Name in Status.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up(_) => "up",
            Self::Silent(_) => "silent",
            Self::Garbled(_) => "garbled",
            Self::Down(_) => "down",
            Self::Ended(_) => "ended",
        }
    }

    /// What is worth knowing besides the name.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Up(text) | Self::Silent(text) | Self::Garbled(text) | Self::Down(text) => {
                Some(text)
            }
            Self::Ended(reason) => reason.as_deref(),
            Self::Starting => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_drop_at_a_socket_is_counted_once() {
        let at = |cookie, count| SocketDrops { cookie, count };
        assert_eq!(at(1, 7).beyond(None), 7, "nobody has counted them");
        assert_eq!(at(1, 9).beyond(Some(at(1, 7))), 2);
        assert_eq!(at(1, 9).beyond(Some(at(1, 9))), 0);
        assert_eq!(at(2, 3).beyond(Some(at(1, 900))), 3, "another socket");
        assert_eq!(at(1, 1).beyond(Some(at(1, u32::MAX))), 2, "the counter wraps");
    }
}
