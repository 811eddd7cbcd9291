//! Aggregates of panes in an image.

use super::{Counts, Partial};
use crate::{
    engine::{
        image::{Reader, Writer},
        summary::Flag,
    },
    limits::IMAGE_SQUARES_MAX,
};

impl Partial {
    /// Readings noted, those out of range counted twice: what is bounded where partials meet.
    pub(in crate::engine) fn noted(&self) -> u64 {
        self.flags().iter().sum::<u64>() + self.out_of_range()
    }

    pub(in crate::engine) fn save(&self, writer: &mut Writer<'_>) {
        self.flags().iter().for_each(|&n| writer.number(n));
        writer.number(self.out_of_range());
        if 0 < self.n() {
            let Self { mean, m2, min, max, first, last, .. } = *self;
            [mean, m2, min, max, first, last].iter().for_each(|&real| writer.real(real));
        }
    }

    pub(in crate::engine) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let (flags, out_of_range) = restore_counts(reader)?;
        let counted = Self { counts: Counts::new(flags, out_of_range), ..Self::EMPTY };
        if counted.n() == 0 {
            return Some(counted);
        }
        let restored = Self {
            mean: reader.value()?,
            m2: reader.real(IMAGE_SQUARES_MAX)?,
            min: reader.value()?,
            max: reader.value()?,
            first: reader.value()?,
            last: reader.value()?,
            ..counted
        };
        (restored.min <= restored.max && 0.0 <= restored.m2).then_some(restored)
    }
}

pub(super) fn restore_counts(reader: &mut Reader<'_>) -> Option<([u64; Flag::ALL.len()], u64)> {
    let mut flags = [0; Flag::ALL.len()];
    for n in &mut flags {
        *n = reader.tally()?;
    }
    Some((flags, reader.tally()?))
}
