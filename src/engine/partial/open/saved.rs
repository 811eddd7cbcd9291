//! Open panes in an image.

use super::OpenPartial;
use crate::{
    engine::{
        image::{Reader, Writer},
        partial::saved::restore_counts,
        summary::Flag,
    },
    limits::IMAGE_SQUARES_MAX,
};

/// Bound of a sum of differences of values, as many as an image may count; its square is a number.
const SUM_MAX: f64 = 1e154;

impl OpenPartial {
    /// Readings that were accepted.
    pub(in crate::engine) fn accepted(&self) -> u64 {
        let [pass, unknown, suspect, fail, _] = self.flags();
        pass + unknown + suspect + fail
    }

    pub(in crate::engine) fn save(&self, writer: &mut Writer<'_>) {
        self.flags.iter().for_each(|&n| writer.number(n));
        writer.number(self.out_of_range);
        let has_value = self.last_ns != Self::NO_VALUE_NS;
        writer.flag(has_value);
        if !has_value {
            return;
        }
        let Self { shift, sum, sum_squares, min, max, first, last, .. } = *self;
        [shift, sum, sum_squares, min, max, first, last].iter().for_each(|&real| writer.real(real));
        writer.integer(self.first_ns);
        writer.integer(self.last_ns);
        writer.number(u64::from(self.run));
        writer.number(u64::from(self.run_end));
        writer.byte(self.run_flag);
        writer.byte(self.shift_log2);
    }

    /// A pane that begins at `start_ns` and ends at `end_ns`.
    pub(in crate::engine) fn restore(
        reader: &mut Reader<'_>,
        (start_ns, end_ns): (i64, i64),
    ) -> Option<Self> {
        let (flags, out_of_range) = restore_counts(reader)?;
        let counted = Self { flags, out_of_range, ..Self::EMPTY };
        if !reader.flag()? {
            let has_value = Flag::ALL.iter().zip(flags).any(|(flag, n)| flag.counts() && 0 < n);
            return (!has_value).then_some(counted);
        }
        let restored = Self {
            shift: reader.value()?,
            sum: reader.real(SUM_MAX)?,
            sum_squares: reader.real(IMAGE_SQUARES_MAX)?,
            min: reader.value()?,
            max: reader.value()?,
            first: reader.value()?,
            last: reader.value()?,
            first_ns: reader.time()?,
            last_ns: reader.time()?,
            run: u16::try_from(reader.number()?).ok()?,
            run_end: u16::try_from(reader.number()?).ok()?,
            run_flag: reader.byte()?,
            shift_log2: reader.byte()?,
            ..counted
        };
        restored.fits(start_ns, end_ns).then_some(restored)
    }

    fn fits(&self, start_ns: i64, end_ns: i64) -> bool {
        let Self { first_ns, last_ns, .. } = *self;
        let flag = Flag::ALL.get(usize::from(self.run_flag));
        let values = Flag::ALL.iter().zip(self.flags()).filter(|(flag, _)| flag.counts());
        let log2 = Self::FIRST_SHIFT_LOG2 - 1..=40;
        flag.is_some_and(|flag| flag.counts())
            && self.run <= self.run_end
            && log2.contains(&self.shift_log2)
            && 0 < values.map(|(_, n)| n).sum::<u64>()
            && self.min <= self.max
            && 0.0 <= self.sum_squares
            && start_ns <= first_ns
            && first_ns <= last_ns
            && last_ns < end_ns
    }
}
