//! What calibrations remember, in an image.

use super::{Curves, Seen, junction};
use crate::engine::{
    calibration::Count,
    image::{Kind, Reader, Sheet, Writer},
    summary::Flag,
};

impl Curves {
    /// Writes what is remembered of each channel that something is.
    pub(in crate::engine::normalize) fn save(&self, sheet: &mut Sheet) {
        let numbers = (0_u32..).zip(&self.places).map(|(channel, _)| channel);
        for channel in numbers {
            let count = self.place(channel).and_then(|place| self.curves[place].count);
            self.save_channel(channel, count, sheet);
        }
        // Those that come after the last with more than a line.
        let known = self.places.len() as u32;
        let rest = self.junctions.iter().map(|measured| measured.channel);
        rest.filter(|channel| known <= *channel).for_each(|channel| {
            self.save_channel(channel, None, sheet);
        });
    }

    fn save_channel(&self, channel: u32, count: Option<Count>, sheet: &mut Sheet) {
        let measured = junction(&self.junctions, channel).map(|at| &self.junctions[at]);
        let seen = measured.and_then(|measured| measured.seen.last());
        if count.is_none() && seen.is_none() {
            return;
        }
        sheet.record(Kind::Curve, |writer| {
            writer.number(u64::from(channel));
            writer.option(count, |writer, count| count.save(writer));
            writer.option(seen, |writer, seen| {
                writer.integer(seen.at_ns);
                writer.real(seen.value);
                writer.byte(seen.flag as u8);
            });
        });
    }

    /// Goes on with what was remembered of a channel; whether it made sense.
    pub(in crate::engine::normalize) fn restore(
        &mut self,
        channel: u32,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let count = reader.option(Count::restore)?;
        let seen = reader.option(|reader| {
            let (at_ns, value) = (reader.time()?, reader.value()?);
            let flag = *Flag::ALL.get(usize::from(reader.byte()?))?;
            flag.counts().then_some(Seen { at_ns, value, flag })
        })?;
        reader.end()?;
        if let Some(place) = self.place(channel) {
            self.curves[place].count = count;
        }
        if let (Some(place), Some(seen)) = (junction(&self.junctions, channel), seen) {
            self.junctions[place].seen = vec![seen];
        }
        Some(())
    }
}

impl Count {
    fn save(&self, writer: &mut Writer<'_>) {
        let (raw, at_ns, total) = self.parts();
        writer.integer(at_ns);
        writer.real(raw);
        writer.real(total);
    }

    fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let (at_ns, raw) = (reader.time()?, reader.real(f64::MAX)?);
        Some(Self::new(raw, at_ns, reader.real(f64::MAX)?))
    }
}
