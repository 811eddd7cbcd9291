//! Lost, repeated and reordered frames, by sequence number.

mod saved;

use super::ledger::SequenceTally;
use crate::limits::{BOOTS_REMEMBERED, SEQUENCE_WINDOW};

/// What the marks of a device's starts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Starts {
    /// Numbers that differ from one start to the next, and frame numbers that wrap.
    #[default]
    Marked,
    /// A count, compared as RFC 1982 does, and frame numbers that do not wrap. Then no frame is
    /// taken twice, however long ago it was sent: what authenticated sources are held to.
    Counted,
}

/// What a frame's number says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not seen before.
    New,
    /// Seen before, or so old that it cannot be told from one that was.
    Duplicate,
    /// Of a start before the present one that is not remembered any more, if it ever was.
    Replayed,
}

/// The frames seen of one device: of its present start, and of some before, whose stragglers
/// must not pass for another restart.
#[derive(Clone, Debug, Default)]
pub struct Sequences {
    /// The present start.
    present: Option<Boot>,
    /// Those before it, the latest last.
    before: Vec<Boot>,
}

#[derive(Clone, Copy, Debug)]
struct Boot {
    boot: u16,
    newest: u32,
    /// Frames from the oldest seen to the newest, as far as the window reaches.
    span: u32,
    /// Bit i is set if frame `newest - i` was seen.
    seen: u64,
}

impl Sequences {
    /// Whether the frame is the next of the present start, which leaves nothing to judge and
    /// nothing to count; it is taken note of then.
    #[inline]
    pub fn follows(&mut self, boot: u16, sequence: u32) -> bool {
        let Some(present) = &mut self.present else { return false };
        // A number that wraps is for `judge`: not everyone may.
        if present.boot != boot || u64::from(sequence) != u64::from(present.newest) + 1 {
            return false;
        }
        present.newest = sequence;
        present.seen = present.seen << 1 | 1;
        present.span = (present.span + 1).min(SEQUENCE_WINDOW);
        true
    }

    /// Judges a frame and counts what it tells. `restarted` is the device's own word that this
    /// frame is the first since its start.
    pub fn judge(
        &mut self,
        starts: Starts,
        (boot, sequence): (u16, u32),
        restarted: bool,
        tally: &mut SequenceTally,
    ) -> Verdict {
        if let Some(present) = &mut self.present
            && present.boot == boot
        {
            // A device that draws no new mark at its start still says that it started; but so does
            // the first frame of each start, whoever sends it again.
            if starts == Starts::Marked && restarted && present.is_out_of_reach(sequence) {
                *present = Boot::starting(boot, sequence);
                tally.resets += 1;
                return Verdict::New;
            }
            return present.judge(starts, sequence, tally);
        }
        if let Some(known) = self.before.iter_mut().find(|known| known.boot == boot) {
            return known.judge(starts, sequence, tally);
        }
        if starts == Starts::Counted && !self.is_later(boot) {
            tally.duplicate += 1;
            return Verdict::Replayed;
        }
        self.start(boot, sequence, tally);
        Verdict::New
    }

    /// Whether a start comes after the present one. Half way round neither does (RFC 1982,
    /// section 3.2), and then nothing speaks for it.
    fn is_later(&self, boot: u16) -> bool {
        self.present.is_none_or(|present| 0 < boot.wrapping_sub(present.boot).cast_signed())
    }

    fn start(&mut self, boot: u16, sequence: u32, tally: &mut SequenceTally) {
        if let Some(present) = self.present.replace(Boot::starting(boot, sequence)) {
            if self.before.len() + 1 == BOOTS_REMEMBERED {
                self.before.remove(0);
            }
            self.before.push(present);
            tally.resets += 1;
        }
    }
}

impl Boot {
    fn starting(boot: u16, sequence: u32) -> Self {
        Self { boot, newest: sequence, span: 0, seen: 1 }
    }

    /// Steps from the newest frame to this one, negative for an older one.
    fn ahead(&self, starts: Starts, sequence: u32) -> i64 {
        match starts {
            Starts::Marked => i64::from(sequence.wrapping_sub(self.newest).cast_signed()),
            Starts::Counted => i64::from(sequence) - i64::from(self.newest),
        }
    }

    fn is_out_of_reach(&self, sequence: u32) -> bool {
        self.ahead(Starts::Marked, sequence) <= -i64::from(SEQUENCE_WINDOW)
    }

    fn judge(&mut self, starts: Starts, sequence: u32, tally: &mut SequenceTally) -> Verdict {
        let ahead = self.ahead(starts, sequence);
        if 0 < ahead {
            let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
            tally.missed += u64::from(ahead) - 1;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.span = self.span.saturating_add(ahead).min(SEQUENCE_WINDOW);
            self.newest = sequence;
            return Verdict::New;
        }
        let behind = u32::try_from(ahead.unsigned_abs()).unwrap_or(u32::MAX);
        let bit = if SEQUENCE_WINDOW <= behind { 0 } else { 1_u64 << behind };
        if bit == 0 || self.seen & bit != 0 {
            tally.duplicate += 1;
            return Verdict::Duplicate;
        }
        self.seen |= bit;
        tally.reordered += 1;
        if behind < self.span {
            tally.found += 1;
        } else {
            // Older than the first one seen: not missed until now, but the frames between are.
            tally.missed += u64::from(behind - self.span - 1);
            self.span = behind;
        }
        Verdict::New
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge_all(frames: &[(u16, u32)]) -> (Vec<Verdict>, SequenceTally) {
        let mut tally = SequenceTally::default();
        let mut sequences = Sequences::default();
        let verdicts = frames
            .iter()
            .map(|&(boot, sequence)| {
                sequences.judge(Starts::Marked, (boot, sequence), false, &mut tally)
            })
            .collect();
        (verdicts, tally)
    }

    /// Judges frames of a device whose starts are counted.
    fn count_all(frames: &[(u16, u32)]) -> (Vec<Verdict>, SequenceTally) {
        let (mut tally, mut sequences) = (SequenceTally::default(), Sequences::default());
        let judge = |&(boot, sequence): &(u16, u32)| {
            if sequences.follows(boot, sequence) {
                return Verdict::New;
            }
            // Whoever sends a first frame again sends its flag again.
            sequences.judge(Starts::Counted, (boot, sequence), sequence == 0, &mut tally)
        };
        (frames.iter().map(judge).collect(), tally)
    }

    #[test]
    fn a_counted_start_that_was_forgotten_is_replayed() {
        use Verdict::{Duplicate, New, Replayed};
        let starts: Vec<_> = (10..16).map(|boot| (boot, 0)).collect();
        let again = [(10, 0), (10, 1), (9, 500), (11, 0), (15, 0), (15, 1), (16, 0), (15, 2)];
        let (verdicts, tally) = count_all(&[&starts[..], &again].concat());
        assert_eq!(verdicts[..6], [New; 6]);
        assert_eq!(
            verdicts[6..],
            // The last is a straggler of a start that is remembered.
            [Replayed, Replayed, Replayed, Replayed, Duplicate, New, New, New]
        );
        assert_eq!((tally.resets, tally.duplicate), (6, 5));
    }

    #[test]
    fn counted_starts_go_round_half_of_their_numbers_ahead() {
        use Verdict::{New, Replayed};
        for (from, to, verdict) in [
            (65_535, 0, New),
            (0, 32_767, New),
            (0, 32_768, Replayed),
            (0, 65_535, Replayed),
            (40_000, 7_231, New),
            (40_000, 7_232, Replayed),
        ] {
            assert_eq!(count_all(&[(from, 7), (to, 7)]).0, [New, verdict], "{from} {to}");
        }
    }

    #[test]
    fn frame_numbers_of_a_counted_start_do_not_wrap() {
        use Verdict::{Duplicate, New};
        let frames = [(1, 3), (1, 3 + (1 << 31)), (1, 3), (1, 4), (1, u32::MAX), (1, 0), (2, 0)];
        let expected = [New, New, Duplicate, Duplicate, New, Duplicate, New];
        assert_eq!(count_all(&frames).0, expected);
    }

    #[test]
    fn the_first_frame_of_a_counted_start_begins_it_once() {
        use Verdict::{Duplicate, New};
        let (verdicts, tally) = count_all(&[(1, 0), (1, 1), (1, 100), (1, 0), (1, 101)]);
        assert_eq!(verdicts, [New, New, New, Duplicate, New]);
        assert_eq!((tally.resets, tally.duplicate), (0, 1));
    }

    proptest! {
        /// Whatever is sent again, in whatever order, after however many starts.
        #[test]
        fn no_frame_of_counted_starts_is_taken_twice(
            steps in prop::collection::vec((0..4_u16, 1..80_u32, any::<prop::sample::Index>()), 1..300),
            first in any::<u16>(),
        ) {
            let (mut tally, mut sequences) = (SequenceTally::default(), Sequences::default());
            let (mut boot, mut next, mut sent) = (first, 0_u32, Vec::new());
            let mut taken = std::collections::BTreeSet::new();
            let mut judge = |(boot, sequence): (u16, u32)| {
                sequences.follows(boot, sequence)
                    || sequences.judge(
                        Starts::Counted,
                        (boot, sequence),
                        sequence == 0,
                        &mut tally,
                    ) == Verdict::New
            };
            for (starts, step, which) in steps {
                if starts == 3 {
                    (boot, next) = (boot.wrapping_add(1), 0);
                }
                // The device's own frames, in order, are all taken.
                sent.push((boot, next));
                prop_assert!(judge((boot, next)) && taken.insert((boot, next)));
                next += step;
                let again = sent[which.index(sent.len())];
                prop_assert!(!judge(again), "{again:?} was taken twice");
            }
        }
    }

    #[test]
    fn gaps_are_lost_until_they_are_filled() {
        let (verdicts, tally) = judge_all(&[(1, 10), (1, 13), (1, 11), (1, 14)]);
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::New));
        assert_eq!((tally.lost(), tally.reordered, tally.duplicate), (1, 1, 0));
    }

    #[test]
    fn a_frame_counts_once() {
        let (verdicts, tally) = judge_all(&[(1, 5), (1, 5), (1, 7), (1, 6), (1, 6)]);
        let duplicates = verdicts.iter().filter(|verdict| **verdict == Verdict::Duplicate).count();
        assert_eq!((duplicates, tally.duplicate, tally.lost()), (2, 2, 0));
    }

    #[test]
    fn what_came_before_the_first_was_not_missed() {
        let (_, tally) = judge_all(&[(1, 10), (1, 13), (1, 7), (1, 11)]);
        // 8, 9 and 12 of 7 to 13 never came.
        assert_eq!((tally.lost(), tally.reordered), (3, 2));
    }

    #[test]
    fn numbers_wrap() {
        let (verdicts, tally) = judge_all(&[(1, u32::MAX - 1), (1, u32::MAX), (1, 0), (1, 2)]);
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::New));
        assert_eq!(tally.lost(), 1);
    }

    #[test]
    fn the_window_is_64_frames() {
        let (verdicts, _) = judge_all(&[(1, 100), (1, 164), (1, 101), (1, 100)]);
        assert_eq!(verdicts[2..], [Verdict::New, Verdict::Duplicate]);
        let (verdicts, _) = judge_all(&[(1, 36), (1, 100), (1, 37), (1, 36)]);
        assert_eq!(verdicts[2..], [Verdict::New, Verdict::Duplicate]);
    }

    #[test]
    fn a_restart_is_no_loss_and_its_stragglers_are_no_restart() {
        let (verdicts, tally) = judge_all(&[(1, 500), (2, 0), (1, 499), (2, 1), (1, 500), (3, 0)]);
        assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Duplicate).count(), 1);
        assert_eq!((tally.resets, tally.lost()), (2, 0));
    }

    #[test]
    fn a_start_without_a_new_mark_is_taken_at_its_word() {
        let mut tally = SequenceTally::default();
        let mut sequences = Sequences::default();
        sequences.judge(Starts::Marked, (0, 5_000), false, &mut tally);
        assert_eq!(sequences.judge(Starts::Marked, (0, 0), true, &mut tally), Verdict::New);
        assert_eq!(sequences.judge(Starts::Marked, (0, 1), false, &mut tally), Verdict::New);
        assert_eq!((tally.resets, tally.duplicate), (1, 0));
    }
}
