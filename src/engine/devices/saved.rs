//! What is known of devices from frame to frame, in an image.

use super::{Device, Devices};
use crate::engine::{
    condition::Condition,
    device_clock::ClockMap,
    image::{Kind, Reader, Sheet},
    sequence::{Sequences, Starts},
};

impl Devices {
    /// Writes the devices of a source, whose ids `id` gives by their numbers.
    pub(in crate::engine) fn save(
        &self,
        source: usize,
        id: impl Fn(u32) -> u32,
        sheet: &mut Sheet,
    ) {
        for (number, Device { sequences, clock, said, .. }) in (0..).zip(&self.all) {
            sheet.record(Kind::Device, |writer| {
                writer.count(source);
                writer.number(u64::from(id(number)));
                sequences.save(writer);
                clock.save(writer);
                writer.option(said.as_ref(), |writer, said| said.save(writer));
                if self.starts == Starts::Counted {
                    writer.flag(true);
                }
            });
        }
    }

    /// Goes on with what was known of the device with this number; its clock only if the daemon's
    /// line is the one by which it was mapped.
    pub(in crate::engine) fn restore(
        &mut self,
        number: u32,
        line_goes_on: bool,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let (sequences, clock) = (Sequences::restore(reader)?, ClockMap::restore(reader)?);
        let said = reader.option(Condition::restore)?;
        let was_counted = if reader.end().is_some() { false } else { reader.flag()? };
        reader.end()?;
        // Before there was a key anyone could say what start the device is at.
        let is_known = was_counted || self.starts == Starts::Marked;
        let sequences = if is_known { sequences } else { Sequences::default() };
        if self.all.len() <= number as usize {
            self.all.resize_with(number as usize + 1, Device::default);
        }
        let device = &mut self.all[number as usize];
        (device.sequences, device.said) = (sequences, said);
        device.clock = if line_goes_on { clock } else { ClockMap::default() };
        Some(())
    }

    /// Forgets the last word of devices of which nobody knows it any more: they say it anew.
    pub(in crate::engine) fn unsay(&mut self, is_lost: impl Fn(u32) -> bool) {
        for (number, device) in (0..).zip(&mut self.all) {
            if is_lost(number) {
                device.said = None;
            }
        }
    }
}
