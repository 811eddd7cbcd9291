//! Exact windows in an image: the readings that they hold, and those that wait.

use super::{Exact, NOWHERE, reorder::Noted};
use crate::engine::{
    image::{Reader, Writer},
    summary::Flag,
};

impl Exact {
    /// Writes the windows of the channel with this number within the lane, if it has any.
    pub(in crate::engine) fn save(&self, member: u32, writer: &mut Writer<'_>) {
        if let Some(number) = self.number(member) {
            self.channels[number].save(writer);
        }
    }

    /// Fills windows without readings; after `None` they must be [`Self::reset`].
    pub(in crate::engine) fn restore(
        &mut self,
        member: u32,
        watermark_ns: i64,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        match self.number(member) {
            Some(number) => self.channels[number].restore(watermark_ns, reader),
            None => Some(()),
        }
    }

    /// Windows without readings again.
    pub(in crate::engine) fn reset(&mut self, member: u32) {
        if let Some(number) = self.number(member) {
            self.channels[number].reset();
        }
    }

    /// Places of the channels that have such windows.
    pub(in crate::engine) fn places(&self) -> impl Iterator<Item = u32> {
        self.channels.iter().map(super::channel::Channel::place)
    }

    fn number(&self, member: u32) -> Option<usize> {
        let number = *self.numbers.get(member as usize)?;
        (number != NOWHERE).then_some(number as usize)
    }
}

impl Noted {
    pub(super) fn save(&self, writer: &mut Writer<'_>) {
        writer.integer(self.at_ns);
        writer.real(self.value);
        writer.byte(self.flag as u8);
    }

    pub(super) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let (at_ns, value) = (reader.time()?, reader.value_or_none()?);
        let flag = *Flag::ALL.get(usize::from(reader.byte()?))?;
        (!flag.counts() || !value.is_nan()).then_some(Self { at_ns, value, flag })
    }
}
