//! Lines that are put together as the last one was: nearly all lines are.
//!
//! A form is learned from a line that has been read with care. It holds what of that line stays,
//! byte for byte, and of what kind each part is that may change. Another line of the form is read
//! in one pass, without asking again what separates its parts, which of them have labels and what
//! they are called. That gives what reading with care gives, which depends on nothing but the
//! bytes that stay and the kinds of the others: what may change separates no parts, makes no
//! label and begins no remark, whatever it is.

use super::split::{Separator, is_missing, truth_at_start_of};
use crate::wire::{Sample, draft::Draft, number::Decimal, time, whole::position_in};

/// How the last line was put together.
#[derive(Debug, Default)]
pub(super) struct Form {
    line: String,
    /// What ends a part, if that is a byte.
    end: Option<u8>,
    slots: Vec<Slot>,
    /// Where the bytes begin that stay behind the last slot.
    behind: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No line has been read, or none that has a form.
    #[default]
    Unknown,
    /// A line is being read.
    Begun,
    /// Lines may be of it.
    Known,
}

/// A part that may change.
#[derive(Debug)]
struct Slot {
    kind: Kind,
    /// Where the bytes are that stay before it.
    start: usize,
    end: usize,
    /// The field of its value.
    field: u32,
}

/// What a part that may change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Truth,
    /// Nothing, or a mark for that, which stays.
    Missing,
    /// The time of the line, which is no value.
    Time,
}

impl Kind {
    /// What a value is; `None` for those of no kind, such as `inf`.
    pub(super) fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_all = |length| length == text.len();
        if Decimal::at_start_of(bytes).is_some_and(|decimal| is_all(decimal.length)) {
            Some(Self::Number)
        } else if truth_at_start_of(bytes).is_some_and(|(_, length)| is_all(length)) {
            Some(Self::Truth)
        } else {
            is_missing(text).then_some(Self::Missing)
        }
    }
}

impl Form {
    /// Reads a line of this form: adds its values, and returns its time if it has one. `None` for
    /// any other line, of which some values may have been added.
    pub(super) fn read(&self, line: &[u8], draft: &mut Draft<'_>) -> Option<Option<i64>> {
        if self.state != State::Known {
            return None;
        }
        let learned = self.line.as_bytes();
        let (mut rest, mut time_ns) = (line, None);
        for slot in &self.slots {
            rest = rest.strip_prefix(&learned[slot.start..slot.end])?;
            let (value, length) = match slot.kind {
                Kind::Number => {
                    let decimal = Decimal::at_start_of(rest)?;
                    (decimal.value, decimal.length)
                }
                Kind::Truth => truth_at_start_of(rest)?,
                Kind::Missing => (f64::NAN, 0),
                Kind::Time => {
                    let length = rest.iter().position(|byte| Some(*byte) == self.end);
                    let (time, behind) = rest.split_at(length.unwrap_or(rest.len()));
                    time_ns = Some(time::parse_plain(time)?);
                    rest = behind;
                    continue;
                }
            };
            draft.push_known(slot.field, value);
            rest = &rest[length..];
        }
        (*rest == learned[self.behind..]).then_some(time_ns)
    }

    /// Lines will not be as the last one.
    pub(super) fn forget(&mut self) {
        self.state = State::Unknown;
    }

    /// A line is about to be read with care.
    pub(super) fn begin(&mut self, line: &str, separator: Separator) {
        self.line.clear();
        self.line.push_str(line);
        self.end = separator.byte();
        self.slots.clear();
        self.behind = 0;
        self.state = State::Begun;
    }

    /// The line that has begun has a part of this kind; `None` for one that is as it is. A time
    /// may contain what separates words, so that it has to be looked at where words are parts.
    pub(super) fn add(&mut self, kind: Option<Kind>, line: &str, part: &str) {
        let kind = kind.filter(|kind| *kind != Kind::Time || self.end.is_some());
        let start = position_in(line.as_bytes(), part.as_bytes());
        let Some((kind, start)) = kind.zip(start) else { return self.forget() };
        let end = start + part.len();
        // A mark for a missing value stays.
        let slot_start = if kind == Kind::Missing { end } else { start };
        self.slots.push(Slot { kind, start: self.behind, end: slot_start, field: 0 });
        self.behind = end;
    }

    /// The line that has begun is good, and gave these samples.
    pub(super) fn learn(&mut self, samples: &[Sample]) {
        if self.state != State::Begun {
            return;
        }
        let values = self.slots.iter_mut().filter(|slot| slot.kind != Kind::Time);
        values.zip(samples).for_each(|(slot, sample)| slot.field = sample.field);
        self.state = State::Known;
    }
}
