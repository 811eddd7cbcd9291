//! What the tests of a channel remember, in an image.

use super::{Judged, Neighbours};
use crate::engine::{
    image::{Reader, Writer, fingerprint},
    qc::rate::Slope,
    summary::Flag,
    validate::{Entry, Reading},
    verdict::Tests,
};

impl Judged {
    /// The reading that waits for its verdict.
    pub(in crate::engine::qc) fn waiting(&self) -> Option<&Reading> {
        self.spikes.waiting.as_ref()
    }

    pub(in crate::engine::qc) fn save(&self, writer: &mut Writer<'_>) {
        writer.word(fingerprint::of_tests(&self.plan));
        writer.option(self.newest_ns, Writer::integer);
        self.slope.save(writer);
        writer.option(self.spikes.before, Writer::real);
        writer.option(self.spikes.latest, Writer::real);
        if let Some(test) = &self.flat_line {
            test.sweeps().for_each(|sweep| sweep.save(writer));
        }
        if let Some(test) = &self.attenuated {
            test.sweep.save(writer);
        }
    }

    /// Goes on from what was remembered, if the tests are as they were; after `None` it must be
    /// made anew.
    pub(in crate::engine::qc) fn restore(
        &mut self,
        reader: &mut Reader<'_>,
        waiting: Option<Reading>,
    ) -> Option<()> {
        if reader.word()? != fingerprint::of_tests(&self.plan) {
            return None;
        }
        self.newest_ns = reader.option(Reader::time)?;
        self.slope = Slope::restore(reader)?;
        let (before, latest) = (reader.option(Reader::value)?, reader.option(Reader::value)?);
        if let Some(test) = &mut self.flat_line {
            for sweep in test.sweeps_mut() {
                sweep.restore(reader)?;
            }
        }
        if let Some(test) = &mut self.attenuated {
            test.sweep.restore(reader)?;
        }
        if waiting.is_some() && self.plan.spike.is_none() {
            return None;
        }
        self.spikes = Neighbours { before, latest, waiting, is_listed: false };
        reader.end()
    }
}

impl Slope {
    pub(in crate::engine::qc) fn save(&self, writer: &mut Writer<'_>) {
        writer.option(self.previous(), |writer, (at_ns, value)| {
            writer.integer(at_ns);
            writer.real(value);
        });
    }

    pub(in crate::engine::qc) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let previous = reader.option(|reader| Some((reader.time()?, reader.value()?)))?;
        Some(Self::since(previous))
    }
}

impl Reading {
    /// Writes a reading that waits; its channel is known.
    pub(in crate::engine::qc) fn save(&self, writer: &mut Writer<'_>) {
        writer.byte(self.flag as u8);
        self.tests.save(writer);
        writer.integer(self.at_ns);
        writer.real(self.value);
    }

    /// One of this channel, which was shown.
    pub(in crate::engine::qc) fn restore(reader: &mut Reader<'_>, channel: u32) -> Option<Self> {
        let flag = *Flag::ALL.get(usize::from(reader.byte()?))?;
        let (tests, at_ns, value) = (Tests::restore(reader)?, reader.time()?, reader.value()?);
        let entry = Entry::Settled;
        let is_accepted = flag != Flag::Missing;
        is_accepted.then_some(Self { channel, flag, entry, tests, at_ns, value })
    }
}
