//! The percentile bins of a channel in an image.

use super::{
    Bin, BinScale,
    counting::{Counter, Counting, Parts},
    levels::Levels,
    packed::check,
    tally::Tally,
};
use crate::{
    engine::{
        image::{Reader, Writer},
        open::{Opened, Pane, open_slots},
        rules::Rules,
    },
    limits::IMAGE_COUNT_MAX,
};

/// What stands for the figures of a channel that gave its bins up.
const WITHHELD: u8 = 0;

impl Counting {
    /// Writes the counts of a channel with these rules.
    pub(in crate::engine) fn save(
        &mut self,
        counter: &Counter,
        rules: &Rules,
        writer: &mut Writer<'_>,
    ) {
        let slots = open_slots(rules.pane_ns, rules.lateness_ns);
        let Parts { place, counts, open, tally } = self.parts(counter);
        open.save(place, slots, rules.pane_ns, (&mut *tally, &mut *writer));
        match counts {
            None => writer.byte(WITHHELD),
            Some((scale, levels)) => {
                writer.byte(scale.figures());
                levels.save(tally, writer);
            }
        }
    }

    /// Counts on from what was written, in a channel in which nothing was counted, with these panes
    /// open. After `None` it
    /// must be [`Self::clear`]ed.
    pub(in crate::engine) fn restore(
        &mut self,
        counter: &Counter,
        rules: &Rules,
        (watermark_ns, opened): (i64, &Opened),
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        let slots = open_slots(rules.pane_ns, rules.lateness_ns);
        let finest = BinScale::new(rules.resolution, rules.figures);
        for _ in 0..reader.count(opened.len())? {
            let start_ns = reader.time()?;
            let packed = reader.bytes()?;
            check(packed, &finest).filter(|n| 0 < *n)?;
            opened.binary_search_by_key(&start_ns, |(start_ns, _)| *start_ns).ok()?;
            self.put_open(counter, Pane::starting(start_ns, rules.pane_ns, slots), packed);
        }
        let figures = reader.byte()?;
        if figures == WITHHELD {
            return self.begin_with(counter, None);
        }
        self.begin_with(counter, Some(figures))?;
        self.fill(counter, |scale, levels, tally| {
            levels.restore(scale, watermark_ns, tally, reader)?;
            opened.iter().all(|(start_ns, _)| levels.takes(*start_ns)).then_some(())
        })
    }
}

impl Levels {
    fn save(&self, tally: &mut Tally, writer: &mut Writer<'_>) {
        let mut packed = Vec::new();
        for l in 0..self.len() {
            writer.count(self.panes(l).count());
            for (pane, bins) in self.panes(l) {
                writer.integer(pane);
                writer.bytes(bins);
            }
            writer.option(self.growing(l), |writer, pane| {
                writer.integer(pane);
                packed.clear();
                self.count_growing(l, tally);
                tally.pack(&mut packed);
                writer.bytes(&packed);
            });
        }
    }

    fn restore(
        &mut self,
        scale: &BinScale,
        watermark_ns: i64,
        tally: &mut Tally,
        reader: &mut Reader<'_>,
    ) -> Option<()> {
        for l in 0..self.len() {
            let window = self.window(l);
            let end = watermark_ns.div_euclid(window.every_ns);
            let most = usize::try_from(window.length_ns / window.every_ns).ok()?;
            let (mut oldest, mut newest, mut sum) = (i64::MAX, i64::MIN, 0_u64);
            for _ in 0..reader.count(most)? {
                let pane = reader.time().filter(|pane| newest < *pane && *pane < end)?;
                oldest = oldest.min(pane);
                let within = pane.checked_sub(oldest)? < most as i64;
                let packed = reader.bytes()?;
                let n = check(packed, scale)?;
                sum = sum.checked_add(n).filter(|sum| within && *sum <= IMAGE_COUNT_MAX)?;
                self.put(l, pane, packed, n);
                newest = pane;
            }
            let growing = reader.option(|reader| {
                let pane = reader.time().filter(|pane| newest < *pane && *pane <= end)?;
                Some((pane, reader.bytes()?))
            })?;
            if let Some((pane, packed)) = growing {
                let n = check(packed, scale)?;
                self.grow(l, pane, (packed, n), tally);
            }
        }
        (0..self.len()).all(|l| self.climbs(l)).then_some(())
    }

    /// Whether the pane that grows at a level can be completed at those above.
    fn climbs(&self, l: usize) -> bool {
        let Some(pane) = self.growing(l) else { return true };
        let Some(start_ns) = pane.checked_mul(self.window(l).every_ns) else { return false };
        (l + 1..self.len()).all(|upper| self.level_takes(upper, start_ns))
    }

    /// Whether a base pane that starts here can come next.
    fn takes(&self, start_ns: i64) -> bool {
        (0..self.len()).all(|l| self.level_takes(l, start_ns))
    }

    fn level_takes(&self, l: usize, start_ns: i64) -> bool {
        let pane = start_ns.div_euclid(self.window(l).every_ns);
        let after_growing = self.growing(l).is_none_or(|growing| growing <= pane);
        after_growing && self.panes(l).last().is_none_or(|(newest, _)| newest < pane)
    }
}

impl BinScale {
    /// Whether there is a bin with this number.
    pub(super) fn has(&self, bin: Bin) -> bool {
        bin.unsigned_abs() <= self.bin(f64::MAX).0.unsigned_abs()
    }
}
