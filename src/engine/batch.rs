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
    /// Datagrams that the kernel dropped at this socket (SO_MEMINFO).
    pub kernel_dropped: u64,
    /// Line errors of a serial port (TIOCGICOUNT): framing, parity, overrun, buffer overrun.
    pub line_errors: u64,
    /// Batches that found the queue to the engine full; their readings are counted apart.
    pub batches_refused: u64,
    /// Receive calls that failed and say nothing about a datagram.
    pub receive_errors: u64,
}

impl Transport {
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.datagrams += other.datagrams;
        self.kernel_dropped += other.kernel_dropped;
        self.line_errors += other.line_errors;
        self.batches_refused += other.batches_refused;
        self.receive_errors += other.receive_errors;
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
