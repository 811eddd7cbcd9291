//! A record whose fields are named by the way to them.

use std::sync::Arc;

use super::parse::{Listener, Path, Scalar, append_unescaped};
use crate::wire::{DeviceClock, FrameRefusal, draft::Draft, time};

/// What of a record is not a value, and what is known of the values.
#[derive(Debug)]
pub(super) struct Keys {
    /// The path to the time.
    time: Option<Arc<str>>,
    /// Whether a record without its time is refused.
    needs_time: bool,
    /// For each part before the names, the paths to it, of which the first that is there counts.
    parts: Vec<Vec<Arc<str>>>,
    /// The unit of a field, by its path.
    unit: fn(&str) -> Option<&'static str>,
}

impl Keys {
    pub(super) fn new(timestamp: Option<&Arc<str>>, name_by: &[Arc<str>]) -> Self {
        Self {
            time: timestamp.map(Arc::clone),
            needs_time: timestamp.is_some(),
            parts: name_by.iter().map(|path| vec![Arc::clone(path)]).collect(),
            unit: |_| None,
        }
    }

    /// Keys that a program writes, which may leave the time out.
    pub(super) fn known(
        time: &str,
        parts: &[&[&str]],
        unit: fn(&str) -> Option<&'static str>,
    ) -> Self {
        let parts = parts.iter().map(|paths| paths.iter().map(|&path| path.into()).collect());
        Self { time: Some(time.into()), needs_time: false, parts: parts.collect(), unit }
    }

    /// Which part before the names is here, and which of its paths this is.
    fn part(&self, path: &str) -> Option<(usize, usize)> {
        let parts = self.parts.iter().enumerate();
        let mut found = parts.filter_map(|(part, paths)| {
            paths.iter().position(|known| **known == *path).map(|rank| (part, rank))
        });
        found.next()
    }
}

/// Where names are put together: kept from text to text, so that none allocates.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// What comes before the names, and room for a name behind it.
    name: String,
    /// What comes before the names, part by part.
    parts: Vec<Part>,
    /// A text without its escapes.
    text: String,
}

/// What comes before the names, from one of the paths to it.
#[derive(Clone, Debug, Default)]
struct Part {
    /// The rank of its path; `None` if none was there.
    rank: Option<usize>,
    text: String,
}

/// Makes samples of the records of one text.
#[derive(Debug)]
pub(super) struct Record<'k, 'd> {
    keys: &'k Keys,
    draft: Draft<'d>,
    room: &'d mut Room,
    prefix: usize,
    arrived_ns: i64,
    /// Samples before this record.
    before: usize,
    time_ns: Option<i64>,
    /// The device became known when there were samples already.
    again: bool,
    /// Whether any record of the text says its time.
    timed: bool,
}

impl<'k, 'd> Record<'k, 'd> {
    pub(super) fn new(
        keys: &'k Keys,
        draft: Draft<'d>,
        room: &'d mut Room,
        arrived_ns: i64,
    ) -> Self {
        room.name.clear();
        room.parts.resize_with(keys.parts.len(), Part::default);
        Self {
            keys,
            draft,
            room,
            prefix: 0,
            arrived_ns,
            before: 0,
            time_ns: None,
            again: false,
            timed: false,
        }
    }

    /// The text is good: how many samples it has.
    pub(super) fn keep(self) -> usize {
        let clock = if self.timed { DeviceClock::Utc } else { DeviceClock::None };
        self.draft.keep(clock, self.arrived_ns)
    }

    fn take_part(&mut self, part: usize, rank: usize, scalar: Scalar<'_>) {
        let Room { name, parts, text } = &mut *self.room;
        text.clear();
        match scalar {
            Scalar::Text(written) => append_unescaped(written, text),
            Scalar::Number(_, written) => text.push_str(written),
            Scalar::Truth(_) | Scalar::Null => return,
        }
        let part = &mut parts[part];
        let stays = part.rank.is_some_and(|known| (known, &part.text) <= (rank, text));
        if text.is_empty() || stays {
            return;
        }
        part.rank = Some(rank);
        std::mem::swap(&mut part.text, text);
        self.again |= self.before < self.draft.len();
        name.clear();
        for part in parts.iter().filter(|part| part.rank.is_some()) {
            name.push_str(&part.text);
            name.push('.');
        }
        self.prefix = name.len();
    }

    fn push(&mut self, path: &Path, value: f64) {
        let unit = || (self.keys.unit)(path.text());
        let name = match self.prefix {
            0 => path.text(),
            prefix => {
                self.room.name.truncate(prefix);
                self.room.name.push_str(path.text());
                self.room.name.as_str()
            }
        };
        self.draft.push_new(name, unit, 0, value);
    }

    /// Whether a channel is configured for what is here.
    fn is_configured(&mut self, path: &Path) -> bool {
        let name = &mut self.room.name;
        name.truncate(self.prefix);
        name.push_str(path.text());
        self.draft.names.is_configured(name)
    }

    fn time_of(&mut self, scalar: Scalar<'_>) -> Option<i64> {
        match scalar {
            Scalar::Number(_, written) => time::parse(written),
            Scalar::Text(written) => {
                let text = &mut self.room.text;
                text.clear();
                append_unescaped(written, text);
                time::parse(text)
            }
            Scalar::Truth(_) | Scalar::Null => None,
        }
    }
}

impl Listener for Record<'_, '_> {
    fn begin(&mut self) {
        self.time_ns = None;
        if self.again {
            self.again = false;
            return;
        }
        self.before = self.draft.len();
        self.room.parts.iter_mut().for_each(|part| part.rank = None);
        self.room.name.clear();
        self.prefix = 0;
    }

    fn scalar(&mut self, path: &Path, scalar: Scalar<'_>) -> Result<(), FrameRefusal> {
        let text = path.text();
        if self.keys.time.as_ref().is_some_and(|time| **time == *text) {
            self.time_ns = self.time_of(scalar);
            return Ok(());
        }
        if let Some((part, rank)) = self.keys.part(text) {
            self.take_part(part, rank, scalar);
            return Ok(());
        }
        match scalar {
            Scalar::Number(value, _) => self.push(path, value),
            Scalar::Truth(truth) => self.push(path, f64::from(u8::from(truth))),
            Scalar::Null => self.push(path, f64::NAN),
            Scalar::Text(written) if self.is_configured(path) => {
                self.push(path, written.trim().parse().unwrap_or(f64::NAN));
            }
            Scalar::Text(_) => {}
        }
        Ok(())
    }

    fn end(&mut self) -> Result<bool, FrameRefusal> {
        if self.again {
            self.draft.truncate(self.before);
            return Ok(true);
        }
        if self.keys.needs_time && self.time_ns.is_none() {
            return Err(FrameRefusal::Malformed);
        }
        self.timed |= self.time_ns.is_some();
        self.draft.stamp_from(self.before, self.time_ns.unwrap_or(self.arrived_ns));
        Ok(false)
    }
}
