//! Lost, repeated and reordered frames, by sequence number.

mod saved;

use super::ledger::SequenceTally;
use crate::limits::{BOOTS_REMEMBERED, SEQUENCE_WINDOW};

/// What a frame's number says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not seen before.
    New,
    /// Seen before, or so old that it cannot be told from one that was.
    Duplicate,
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
        if present.boot != boot || sequence.wrapping_sub(present.newest) != 1 {
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
        boot: u16,
        sequence: u32,
        restarted: bool,
        tally: &mut SequenceTally,
    ) -> Verdict {
        if let Some(present) = &mut self.present
            && present.boot == boot
        {
            // A device that draws no new mark at its start still says that it started.
            if restarted && present.is_out_of_reach(sequence) {
                *present = Boot::starting(boot, sequence);
                tally.resets += 1;
                return Verdict::New;
            }
            return present.judge(sequence, tally);
        }
        match self.before.iter_mut().find(|known| known.boot == boot) {
            Some(known) => known.judge(sequence, tally),
            None => {
                self.start(boot, sequence, tally);
                Verdict::New
            }
        }
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
    fn ahead(&self, sequence: u32) -> i64 {
        i64::from(sequence.wrapping_sub(self.newest).cast_signed())
    }

    fn is_out_of_reach(&self, sequence: u32) -> bool {
        self.ahead(sequence) <= -i64::from(SEQUENCE_WINDOW)
    }

    fn judge(&mut self, sequence: u32, tally: &mut SequenceTally) -> Verdict {
        let ahead = self.ahead(sequence);
        if 0 < ahead {
            let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
            tally.missed += u64::from(ahead) - 1;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.span = self.span.saturating_add(ahead).min(SEQUENCE_WINDOW);
            self.newest = sequence;
            return Verdict::New;
        }
        let behind = ahead.unsigned_abs() as u32;
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
    use super::*;

    fn judge_all(frames: &[(u16, u32)]) -> (Vec<Verdict>, SequenceTally) {
        let mut tally = SequenceTally::default();
        let mut sequences = Sequences::default();
        let verdicts = frames
            .iter()
            .map(|&(boot, sequence)| sequences.judge(boot, sequence, false, &mut tally))
            .collect();
        (verdicts, tally)
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
        sequences.judge(0, 5_000, false, &mut tally);
        assert_eq!(sequences.judge(0, 0, true, &mut tally), Verdict::New);
        assert_eq!(sequences.judge(0, 1, false, &mut tally), Verdict::New);
        assert_eq!((tally.resets, tally.duplicate), (1, 0));
    }
}
