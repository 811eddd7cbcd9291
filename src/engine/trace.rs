//! What became of single frames, for those who look on.
//!
//! A source marks few of its frames, and nobody looks on most of the time: a batch without marks
//! costs one comparison a frame, and its readings nothing.

use std::sync::Arc;

use super::{ReadingRefusal, snapshot::ChannelInfo, validate::Reading};
use crate::{
    limits::TRACED_READINGS_MAX,
    wire::{FieldTable, FrameRefusal, Head, Sample},
};

/// A frame of a batch to be traced, with its bytes.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Which frame.
    pub fate: Fate,
    /// When its last byte arrived.
    pub arrived_ns: i64,
    /// As it came; several frames of one datagram share theirs.
    pub bytes: Arc<[u8]>,
    /// Its beginning came before anybody looked on, and is not among the bytes.
    pub is_cut: bool,
}

/// What the decoder made of a marked frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The frame with this place among the heads of its batch.
    Decoded(usize),
    /// Nothing.
    Refused(FrameRefusal),
}

/// A marked frame behind validation.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The frame.
    pub mark: Mark,
    /// Index of its source.
    pub source: usize,
    /// What is known about it, if it was decoded and reached the engine.
    pub head: Option<Head>,
    /// The first of its readings.
    pub readings: Vec<TracedReading>,
    /// How many readings it has besides those.
    pub more: u64,
}

/// A reading of a marked frame.
#[derive(Clone, Debug)]
pub struct TracedReading {
    /// Its number in formats that number, else that of its name.
    pub field: u32,
    /// Its name, in formats that name.
    pub name: Option<Arc<str>>,
    /// As the frame has it.
    pub raw: f64,
    /// Its channel, if it is known.
    pub channel: Option<u32>,
    /// Where it stands among the readings of its batch, or why it does not.
    pub verdict: Result<usize, ReadingRefusal>,
}

/// A trace at the end of the stages, with all that is to be told of it.
#[derive(Clone, Debug)]
pub struct Witnessed {
    /// Name of the source.
    pub source: Arc<str>,
    /// The frame.
    pub trace: Trace,
    /// For each of its readings the channel, and what was published, if it was.
    pub outcomes: Vec<(Option<Arc<ChannelInfo>>, Option<Reading>)>,
}

/// What became of a reading that waited for its verdict when its frame was told of.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Index of its source.
    pub source: usize,
    /// Its channel.
    pub channel: Arc<ChannelInfo>,
    /// As it entered its pane.
    pub reading: Reading,
}

/// Who sees the verdicts on the readings of a frame.
pub(super) trait Witness {
    /// Whether anybody does: what is only worked out for a witness is left out without one.
    const LOOKS: bool;

    /// One reading was judged.
    fn saw(&mut self, reading: impl FnOnce() -> TracedReading);
}

/// Nobody.
impl Witness for () {
    const LOOKS: bool = false;

    fn saw(&mut self, _reading: impl FnOnce() -> TracedReading) {}
}

impl Witness for Trace {
    const LOOKS: bool = true;

    fn saw(&mut self, reading: impl FnOnce() -> TracedReading) {
        if self.readings.len() < TRACED_READINGS_MAX {
            self.readings.push(reading());
        } else {
            self.more += 1;
        }
    }
}

impl TracedReading {
    pub(super) fn new(
        sample: &Sample,
        fields: &FieldTable,
        channel: Option<u32>,
        verdict: Result<usize, ReadingRefusal>,
    ) -> Self {
        let name = fields.name(sample.field).map(Arc::clone);
        Self { field: sample.field, name, raw: sample.value, channel, verdict }
    }
}

/// The marks of a batch, handed out as its frames come.
#[derive(Debug)]
pub(super) struct Tracer {
    traces: Vec<Trace>,
    next: usize,
}

impl Tracer {
    pub(super) fn new(source: usize, marks: Vec<Mark>) -> Self {
        let trace = |mark| Trace { mark, source, head: None, readings: Vec::new(), more: 0 };
        Self { traces: marks.into_iter().map(trace).collect(), next: 0 }
    }

    /// The trace of the frame with this place, if it is marked; places must come in order.
    pub(super) fn of_frame(&mut self, at: usize, head: &Head) -> Option<&mut Trace> {
        while let Some(trace) = self.traces.get(self.next) {
            match trace.mark.fate {
                Fate::Decoded(marked) if at < marked => return None,
                Fate::Decoded(marked) if at == marked => {
                    let trace = &mut self.traces[self.next];
                    self.next += 1;
                    trace.head = Some(*head);
                    return Some(trace);
                }
                Fate::Decoded(_) | Fate::Refused(_) => self.next += 1,
            }
        }
        None
    }

    pub(super) fn into_traces(self) -> Vec<Trace> {
        self.traces
    }
}
