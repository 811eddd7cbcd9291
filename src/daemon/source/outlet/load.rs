//! What waits to be handed over to the engine, and what of it survives a full queue.

use std::{mem, sync::Arc};

use crate::{
    engine::{
        Batch, Link,
        batch::{SocketDrops, Transport},
        recycle::Spares,
        trace::Mark,
    },
    limits::{SHED_HEADS_MAX, SPARE_BATCHES_MAX, TAP_MARKS_SHED_MAX},
    wire::{Decoder, FieldTable, Frames, WireTally},
};

/// What waits to be handed over.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) source: usize,
    /// How far the source's time has come; never goes back.
    pub(super) now_ns: i64,
    pub(super) frames: Frames,
    /// Leading heads of `frames` whose samples are gone.
    pub(super) shed_heads: usize,
    /// Readings whose heads are gone as well.
    pub(super) shed_readings: u64,
    pub(super) wire: WireTally,
    pub(super) transport: Transport,
    pub(super) drops: Option<SocketDrops>,
    /// Frames that are to be traced.
    pub(super) marks: Vec<Mark>,
    pub(super) link: Option<Link>,
    /// Emptied frames that came back from the engine.
    spares: Spares<Frames>,
}

impl Load {
    /// Nothing yet, of the source with this index.
    pub(super) fn new(source: usize) -> Self {
        Self {
            source,
            now_ns: 0,
            frames: Frames::default(),
            shed_heads: 0,
            shed_readings: 0,
            wire: WireTally::default(),
            transport: Transport::default(),
            drops: None,
            marks: Vec::new(),
            link: None,
            spares: Spares::new(SPARE_BATCHES_MAX),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
            && self.link.is_none()
            && self.drops.is_none()
            && self.wire == WireTally::default()
            && self.transport == Transport::default()
    }

    /// Drops the samples, keeps what heads there is room for and counts the rest; returns how
    /// many readings this cost.
    pub(super) fn shed(&mut self) -> u64 {
        let mut readings = 0;
        for head in &mut self.frames.heads[self.shed_heads..] {
            head.shed = true;
            readings += u64::from(head.samples);
        }
        for head in self.frames.heads.drain(SHED_HEADS_MAX.min(self.frames.heads.len())..) {
            self.shed_readings += u64::from(head.samples);
        }
        self.frames.samples.clear();
        self.marks.truncate(TAP_MARKS_SHED_MAX);
        self.shed_heads = self.frames.heads.len();
        readings
    }

    /// The batch, leaving an empty load with room for another like it.
    pub(super) fn take(&mut self, decoder: &Decoder) -> Batch {
        let room = self.spares.take().unwrap_or_else(|| Frames {
            heads: Vec::with_capacity(self.frames.heads.len()),
            samples: Vec::with_capacity(self.frames.samples.len()),
        });
        self.shed_heads = 0;
        Batch {
            source: self.source,
            now_ns: self.now_ns,
            frames: mem::replace(&mut self.frames, room),
            frames_home: self.spares.home(),
            fields: Arc::<FieldTable>::clone(decoder.fields()),
            wire: mem::take(&mut self.wire),
            transport: mem::take(&mut self.transport),
            drops: self.drops.take(),
            buffered: decoder.buffered() as u64,
            shed_readings: mem::take(&mut self.shed_readings),
            marks: mem::take(&mut self.marks),
            link: self.link.take(),
        }
    }
}
