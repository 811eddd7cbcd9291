//! InfluxDB line protocol.
//!
//! `measurement[,tag=value…] field=value[,field=value…] [time]`, as strict as the decoder of the
//! authors of the protocol: what that refuses is refused here.
//!
//! A field of a line is named `measurement.tag value.field`, with the tag values in the order of
//! the tags' keys, so that it does not matter in which order a sender has them. Strings are no
//! readings. A string may hold line ends; where one is not closed within
//! [`limits::LINE_BYTES_MAX`], only the line that it begins in is refused.

mod line;

use std::sync::Arc;

use self::line::{Fault, Tag, Value, Walk};
use super::{
    FieldTable, FrameRefusal, Frames, WireTally,
    decode::{Decode, Framing, Naming, Tags},
    draft::Draft,
    names::Names,
    whole::Whole,
};
use crate::limits;

/// How line protocol is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InfluxOptions {
    /// Which names are taken up.
    pub naming: Naming,
    /// Unit of the times.
    pub precision: Precision,
    /// What tags are for.
    pub tags: Tags,
}

/// Unit of the times in line protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Nanoseconds, Self::Microseconds, Self::Milliseconds, Self::Seconds];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    /// Its length in nanoseconds.
    #[must_use]
    pub fn unit_ns(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => limits::MS,
            Self::Seconds => limits::SECOND,
        }
    }
}

/// Decoder of one source of line protocol.
#[derive(Debug)]
pub(super) struct InfluxDecoder {
    framing: Framing,
    reader: Reader,
    begun: Vec<u8>,
    /// Where in `begun` the search for a line end goes on: behind those that are in a string.
    searched: usize,
    /// A line has outgrown the bound, is counted, and passes by up to its end.
    passing: bool,
}

#[derive(Debug)]
struct Reader {
    names: Names,
    unit_ns: i64,
    tags: Tags,
    name: String,
    /// The tags of a line.
    tags_read: Vec<Tag>,
}

impl InfluxDecoder {
    pub(super) fn new(options: &InfluxOptions, framing: Framing) -> Self {
        let reader = Reader {
            names: Names::new(&options.naming),
            unit_ns: options.precision.unit_ns(),
            tags: options.tags,
            name: String::new(),
            tags_read: Vec::new(),
        };
        Self { framing, reader, begun: Vec::new(), searched: 0, passing: false }
    }

    /// Reads the lines of `text` that are whole, or too long; returns where the rest begins. A
    /// search has come to `searched` before, which is told as it is after.
    fn lines(
        &mut self,
        text: &[u8],
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> usize {
        let (mut start, mut whole) = (0, None);
        loop {
            let end = position(text, self.searched, b'\n');
            let until = end.map_or(text.len(), |end| end + 1);
            if self.passing {
                tally.bytes_in_frames += (until - start) as u64;
                self.passing = end.is_none();
                start = until;
            } else if limits::LINE_BYTES_MAX < end.unwrap_or(text.len()) - start {
                start = self.refuse_long(text, start, end, tally);
            } else if let Some(end) = end {
                self.searched = until;
                // Bytes that are no line yet are not looked at again and again.
                let whole = *whole.get_or_insert_with(|| Whole::of(text));
                let (line, bytes) = (&text[start..end], until - start);
                if !self.reader.read(line, whole, bytes, arrived_ns, out, tally) {
                    continue;
                }
                start = until;
            } else {
                self.searched = text.len() - start;
                return start;
            }
            self.searched = start;
            if start == text.len() {
                self.searched = 0;
                return start;
            }
        }
    }

    /// Reads what has begun, behind which nothing comes.
    fn end(&mut self, mut rest: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        while !rest.is_empty() {
            if self.reader.read(rest, Whole::of(rest), rest.len(), arrived_ns, out, tally) {
                break;
            }
            // A string that is not closed costs the line that it begins in.
            let line = position(rest, 0, b'\n').map_or(rest.len(), |end| end + 1);
            tally.refuse(FrameRefusal::Malformed, line);
            self.searched = 0;
            let after = self.lines(&rest[line..], arrived_ns, out, tally);
            rest = &rest[line + after..];
        }
        (self.searched, self.passing) = (0, false);
    }

    /// Refuses what has begun at `start` and is too long; returns where to go on.
    fn refuse_long(
        &mut self,
        text: &[u8],
        start: usize,
        end: Option<usize>,
        tally: &mut WireTally,
    ) -> usize {
        // A string that is not closed: what it has swallowed may be lines.
        if start < self.searched
            && let Some(first) = position(text, start, b'\n').filter(|first| Some(*first) != end)
        {
            tally.refuse(FrameRefusal::Malformed, first + 1 - start);
            return first + 1;
        }
        let until = end.map_or(text.len(), |end| end + 1);
        tally.refuse(FrameRefusal::Oversize, until - start);
        self.passing = end.is_none();
        until
    }
}

impl Decode for InfluxDecoder {
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        if bytes.is_empty() && self.framing == Framing::Datagram {
            tally.refuse(FrameRefusal::Empty, 0);
        }
        if self.begun.is_empty() {
            let rest = self.lines(bytes, arrived_ns, out, tally);
            match self.framing {
                Framing::Stream => self.begun.extend_from_slice(&bytes[rest..]),
                Framing::Datagram => self.end(&bytes[rest..], arrived_ns, out, tally),
            }
        } else {
            let mut text = std::mem::take(&mut self.begun);
            text.extend_from_slice(bytes);
            let rest = self.lines(&text, arrived_ns, out, tally);
            text.drain(..rest);
            self.begun = text;
        }
    }

    fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let mut text = std::mem::take(&mut self.begun);
        self.end(&text, arrived_ns, out, tally);
        text.clear();
        self.begun = text;
    }

    fn reset(&mut self, tally: &mut WireTally) {
        if !self.begun.is_empty() {
            tally.refuse(FrameRefusal::Partial, self.begun.len());
            self.begun.clear();
        }
        (self.searched, self.passing) = (0, false);
    }

    fn buffered(&self) -> usize {
        self.begun.len()
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.reader.names.table()
    }
}

fn position(bytes: &[u8], from: usize, byte: u8) -> Option<usize> {
    memchr::memchr(byte, bytes.get(from..)?).map(|at| from + at)
}

impl Reader {
    /// Reads one line without its LF, and counts it as `bytes` bytes; false, with nothing
    /// counted, if the line end is in a string.
    fn read(
        &mut self,
        line: &[u8],
        whole: Whole<'_>,
        bytes: usize,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(line) = whole.text_of(line) else {
            tally.refuse(FrameRefusal::NotText, bytes);
            return true;
        };
        let begin = line.bytes().position(|byte| !matches!(byte, b' ' | b'\r' | b'\n'));
        let line = &line[begin.unwrap_or(line.len())..];
        let is_remark = line.starts_with('#') && !line.bytes().any(|byte| byte.is_ascii_control());
        if line.is_empty() || is_remark {
            tally.bytes_skipped += bytes as u64;
            return true;
        }
        match self.take(line, arrived_ns, out) {
            Ok(samples) => tally.accept(bytes, samples),
            Err(Fault::Malformed) => tally.refuse(FrameRefusal::Malformed, bytes),
            Err(Fault::Open) => return false,
        }
        true
    }

    fn take(&mut self, line: &str, arrived_ns: i64, out: &mut Frames) -> Result<usize, Fault> {
        let mut walk = Walk::new(line);
        let measurement = walk.measurement()?;
        self.tags_read.clear();
        while let Some(tag) = walk.tag()? {
            self.tags_read.push(tag);
        }
        let key = |tag: &Tag| &line[tag.key.clone()];
        // As the authors of the protocol advise senders to sort them.
        if !self.tags_read.is_sorted_by(|one, other| key(one) < key(other)) {
            self.tags_read.sort_unstable_by(|one, other| key(one).cmp(key(other)));
            if self.tags_read.windows(2).any(|two| key(&two[0]) == key(&two[1])) {
                return Err(Fault::Malformed);
            }
        }
        self.name.clear();
        measurement.append_to(&mut self.name);
        if self.tags == Tags::Name {
            for tag in &self.tags_read {
                self.name.push('.');
                walk.tag_value(tag).append_to(&mut self.name);
            }
        }
        self.name.push('.');
        let prefix = self.name.len();
        let mut draft = Draft::new(&mut self.names, out);
        loop {
            let (key, value, more) = walk.field()?;
            if let Value::Number(value) = value {
                self.name.truncate(prefix);
                key.append_to(&mut self.name);
                draft.push(&self.name, value);
            }
            if !more {
                break;
            }
        }
        let time_ns = match walk.time()? {
            Some(time) => Some(time.checked_mul(self.unit_ns).ok_or(Fault::Malformed)?),
            None => None,
        };
        Ok(draft.keep_at(time_ns, arrived_ns))
    }
}

#[cfg(test)]
mod tests;
