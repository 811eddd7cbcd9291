//! Lines of text, in the shapes that boards and loggers print them.
//!
//! The shape is told line by line:
//!
//! - **Labelled**, if any part is `label:value` or `label=value` (the protocol of the Arduino
//!   plotter): then every part must be. A label with nothing after it has no value. Two labels
//!   or more without a single value (`t:\th:`) are a header; one such label is a missing value
//!   if its name is known, else noise.
//! - **Columns** otherwise: CSV, or words between spaces. A column is named by the header of the
//!   same separator if that has as many columns and a name for this one, else by its position,
//!   `1`, `2` and so on; by its position also where the options know that and not the name. Two
//!   columns or more that are all possible names and hold no value are a header; a word alone is
//!   noise, so that what a board prints as it starts renames no single value. An empty part has
//!   no value, never 0; the empty part after a separator that ends the line is nothing at all,
//!   unless the header names it.
//!
//! A header holds until the next one of its separator or until the line goes down. In datagrams
//! it holds to the end of its own, because the next may come from another sender.
//!
//! Real tables have columns that are no numbers. `true` and `false` are 1 and 0; a date or a time
//! of day that is not the line's time gives no sample; any other text does so under a header if it
//! starts with a letter. Text that starts with anything else is a damaged number, and text
//! without a header is noise: the whole line is refused as malformed, nothing of it is taken.
//! Malformed is also a line of more than [`limits::FIELDS_PER_LINE_MAX`] parts, and one without
//! the time that the options ask for.
//!
//! Not done: commas inside of quotes, decimal commas, hexadecimal numbers. Where a stream is
//! joined in the middle of a line, the tail of that line is read as if it were a line.

mod position;
mod split;
mod time;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{
    position::Position,
    split::{Separator, is_missing, is_name, label, number},
};
use super::{
    DeviceClock, FIELD_OVERFLOW, FIELD_UNKNOWN, FieldTable, FrameRefusal, Frames, Head, Health,
    Sample, WireTally,
    decode::{Framing, TextOptions},
    delimited::Delimited,
    names::Names,
};
use crate::limits;

/// A word alone is no header: it may be anything that a board says.
const HEADER_COLUMNS_MIN: usize = 2;
/// The error of a time is not known.
const TIME_ERROR_UNKNOWN: u8 = 255;

/// Decoder of one source of text.
#[derive(Debug)]
pub struct TextDecoder {
    framing: Framing,
    lines: Delimited,
    reader: Reader,
}

impl TextDecoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new(options: &TextOptions, framing: Framing) -> Self {
        Self {
            framing,
            lines: Delimited::new(b'\n', limits::LINE_BYTES_MAX),
            reader: Reader {
                names: Names::new(options),
                headers: Default::default(),
                time: options.timestamp.as_ref().map(TimeField::new),
            },
        }
    }

    /// Feeds bytes that arrived at `arrived_ns`; appends to `out` and counts in `tally`.
    ///
    /// A line is a frame; its end may be LF or CR LF, and the last line of a datagram needs none.
    /// Empty lines and lines that start with `#` are skipped. A header appears as a head without
    /// samples, and holds no longer than its datagram. Sample times are UTC where the options name a time field, else 0.
    pub fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        tally.bytes_in += bytes.len() as u64;
        if bytes.is_empty() && self.framing == Framing::Datagram {
            tally.refuse(FrameRefusal::Empty, 0);
        }
        let reader = &mut self.reader;
        self.lines.feed(bytes, tally, |line, tally| {
            reader.line(line, line.len() + 1, arrived_ns, out, tally);
        });
        if self.framing == Framing::Datagram {
            self.finish(arrived_ns, out, tally);
            self.reader.headers = Default::default();
        }
    }

    /// The input has ended: what has begun is a line.
    pub fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        let reader = &mut self.reader;
        self.lines.finish(tally, |line, tally| {
            reader.line(line, line.len(), arrived_ns, out, tally);
        });
    }

    /// Counts a line that has begun as a partial frame, and forgets it and the headers. Learned
    /// names stay.
    pub fn reset(&mut self, tally: &mut WireTally) {
        self.lines.reset(tally);
        self.reader.headers = Default::default();
    }

    /// Bytes of a line that has begun and not ended.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.lines.buffered()
    }

    /// The columns of the headers that hold, an empty text for one without a name.
    pub fn header(&self) -> impl Iterator<Item = &str> {
        self.reader.headers.iter().flatten().map(|name| &**name)
    }

    /// The names behind [`Sample::field`], configured ones first.
    #[must_use]
    pub fn fields(&self) -> &Arc<FieldTable> {
        self.reader.names.table()
    }
}

/// Whether the first of several columns, which are not just words between spaces, is a date and a
/// time, or a number that is one of this century.
///
/// For hints to people: a number may look so and be something else.
#[must_use]
pub fn begins_with_time(line: &str) -> bool {
    let separator = Separator::of(line);
    let first = separator.parts(line).next().filter(|_| separator != Separator::Space);
    first.and_then(time::parse).is_some_and(|time_ns| time::THIS_CENTURY.contains(&time_ns))
}

/// Names of columns; an empty one for a column without a name. No columns: no header.
type Header = Vec<Box<str>>;

/// Makes samples of lines.
#[derive(Debug)]
struct Reader {
    names: Names,
    /// The last header of each separator: chatter between spaces does not rename a CSV.
    headers: [Header; Separator::COUNT],
    time: Option<TimeField>,
}

/// The field that holds the time of a line.
#[derive(Debug)]
struct TimeField {
    name: Arc<str>,
    /// Where it is, if its name is a position.
    index: Option<usize>,
}

impl TimeField {
    fn new(name: &Arc<str>) -> Self {
        let position = name.parse::<usize>().ok();
        Self {
            name: Arc::clone(name),
            index: position.and_then(|position| position.checked_sub(1)),
        }
    }
}

/// What a good line turned out to be.
enum Line {
    /// Samples, with their time where one was asked for.
    Values(Option<i64>),
    /// Names of columns.
    Header(Header),
}

/// The line is malformed.
struct Malformed;

/// Samples of a line that has not proven good yet.
struct Draft<'a> {
    samples: &'a mut Vec<Sample>,
    /// Where the line begins in `samples`.
    start: usize,
    /// Samples, by index, of names that are to be learned if the line is good.
    learn: Vec<(usize, Box<str>)>,
}

impl Draft<'_> {
    fn push(&mut self, names: &Names, name: &str, value: f64) {
        let field = names.find(name).unwrap_or_else(|| {
            self.learn.push((self.samples.len(), name.into()));
            FIELD_UNKNOWN
        });
        self.samples.push(Sample { field, at_ns: 0, value });
    }

    /// Whether a sample has a name that was not known before.
    fn has_strangers(&self) -> bool {
        let strange = |sample: &Sample| matches!(sample.field, FIELD_UNKNOWN | FIELD_OVERFLOW);
        self.samples[self.start..].iter().any(strange)
    }

    fn forget(&mut self) {
        self.samples.truncate(self.start);
        self.learn.clear();
    }
}

impl Reader {
    /// Reads one line without its LF, and counts it as `bytes` bytes.
    fn line(
        &mut self,
        line: &[u8],
        bytes: usize,
        arrived_ns: i64,
        out: &mut Frames,
        tally: &mut WireTally,
    ) {
        let Ok(line) = str::from_utf8(line) else {
            tally.refuse(FrameRefusal::NotText, bytes);
            return;
        };
        let line = line.strip_suffix('\r').unwrap_or(line);
        // Spreadsheets begin their files with a byte order mark.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        if line.trim_start().is_empty() || line.trim_start().starts_with('#') {
            tally.bytes_skipped += bytes as u64;
            return;
        }
        let before = out.samples.len();
        let Ok(time_ns) = self.take(line, &mut out.samples) else {
            out.samples.truncate(before);
            tally.refuse(FrameRefusal::Malformed, bytes);
            return;
        };
        let samples = &mut out.samples[before..];
        for sample in samples.iter_mut() {
            sample.at_ns = time_ns.unwrap_or(0);
        }
        tally.accept(bytes, samples.len());
        out.heads.push(Head {
            device: 0,
            boot: 0,
            sequence: None,
            health: Health::Good,
            clock: time_ns.map_or(DeviceClock::None, |_| DeviceClock::Utc),
            first: false,
            time_error: TIME_ERROR_UNKNOWN,
            arrived_ns,
            samples: u32::try_from(samples.len()).expect("bounded by FIELDS_PER_LINE_MAX"),
            shed: false,
        });
    }

    /// Appends the samples of a line, without their times, and returns its time. After an error
    /// nothing has been learned, but samples may have to be taken back.
    fn take(&mut self, line: &str, samples: &mut Vec<Sample>) -> Result<Option<i64>, Malformed> {
        let separator = Separator::of(line);
        let count = separator.parts(line).take(limits::FIELDS_PER_LINE_MAX + 1).count();
        if count > limits::FIELDS_PER_LINE_MAX {
            return Err(Malformed);
        }
        let mut draft = Draft { start: samples.len(), samples, learn: Vec::new() };
        let labelled = line.contains([':', '=']) && separator.parts(line).any(is_labelled);
        let read = if labelled {
            self.read_labelled(line, separator, count, &mut draft)?
        } else {
            self.read_columns(line, separator, count, &mut draft)?
        };
        for (at, name) in draft.learn {
            draft.samples[at].field = self.names.find_or_learn(&name);
        }
        Ok(match read {
            Line::Values(time_ns) => time_ns,
            Line::Header(mut header) => {
                self.keep_positions(&mut header);
                self.headers[separator as usize] = header;
                None
            }
        })
    }

    /// Takes the names off columns that the configuration knows by position only: a banner of
    /// words that passes for a header must not rename them.
    fn keep_positions(&self, header: &mut Header) {
        for (index, name) in header.iter_mut().enumerate().take(limits::FIELDS_PER_LINE_MAX) {
            let is_time = self.time.as_ref().is_some_and(|time| *time.name == **name);
            let by_position = self.names.is_configured(Position::new(index).name());
            if by_position && !is_time && !self.names.is_configured(name) {
                *name = Box::default();
            }
        }
    }

    fn read_labelled(
        &self,
        line: &str,
        separator: Separator,
        count: usize,
        draft: &mut Draft<'_>,
    ) -> Result<Line, Malformed> {
        let parts = separator.parts(line);
        let mut time_ns = None;
        let mut only_labels = true;
        for (index, part) in parts.clone().enumerate() {
            let (name, text) = match label(part) {
                Some(split) => split,
                None if part.is_empty() => continue,
                None => ("", part),
            };
            only_labels &= text.is_empty();
            if self.is_time(name, index) {
                time_ns = time::parse(text);
            } else if name.is_empty() {
                return Err(Malformed);
            } else {
                draft.push(&self.names, name, value(text).ok_or(Malformed)?);
            }
        }
        let columns = columns(count, parts.clone().last());
        if only_labels && HEADER_COLUMNS_MIN <= columns {
            draft.forget();
            let names = parts.map(|part| label(part).map_or("", |(name, _)| name));
            return Ok(Line::Header(names.map(Box::from).collect()));
        }
        if only_labels && draft.has_strangers() {
            return Err(Malformed);
        }
        self.timed(time_ns)
    }

    fn read_columns(
        &self,
        line: &str,
        separator: Separator,
        count: usize,
        draft: &mut Draft<'_>,
    ) -> Result<Line, Malformed> {
        let parts = separator.parts(line);
        let columns = columns(count, parts.clone().last());
        let header = Some(&self.headers[separator as usize])
            .filter(|names| names.len() == count || names_columns(names) == columns);
        let mut time_ns = None;
        let mut values = 0;
        let mut noise = false;
        for (index, text) in parts.clone().enumerate() {
            let name = header.and_then(|names| names.get(index)).map_or("", |name| &**name);
            if self.is_time(name, index) {
                time_ns = time::parse(text);
            } else if let Some(value) = value(text) {
                if text.is_empty() && name.is_empty() && index > 0 && index + 1 == count {
                    continue;
                }
                values += usize::from(!is_missing(text));
                match name {
                    "" => draft.push(&self.names, Position::new(index).name(), value),
                    name => draft.push(&self.names, name, value),
                }
            } else {
                noise |= !is_column_text(text, header.is_some());
            }
        }
        let mut filled = parts.clone().filter(|part| !part.is_empty()).peekable();
        let names_only = HEADER_COLUMNS_MIN <= columns
            && filled.peek().is_some()
            && filled.all(|part| is_name(part) && !is_missing(part));
        if values == 0 && time_ns.is_none() && names_only {
            draft.forget();
            return Ok(Line::Header(parts.map(Box::from).collect()));
        }
        if noise { Err(Malformed) } else { self.timed(time_ns) }
    }

    /// Whether this part is the time of the line, by its name or by its position.
    fn is_time(&self, name: &str, index: usize) -> bool {
        self.time.as_ref().is_some_and(|time| time.index == Some(index) || *time.name == *name)
    }

    fn timed(&self, time_ns: Option<i64>) -> Result<Line, Malformed> {
        match (&self.time, time_ns) {
            (Some(_), None) => Err(Malformed),
            (_, time_ns) => Ok(Line::Values(time_ns)),
        }
    }
}

/// Columns in this many parts, the last of which is no column if it is empty.
fn columns(parts: usize, last: Option<&str>) -> usize {
    parts - usize::from(last.is_some_and(str::is_empty))
}

fn names_columns(names: &Header) -> usize {
    columns(names.len(), names.last().map(|name| &**name))
}

fn is_labelled(part: &str) -> bool {
    label(part).is_some()
}

/// The value in a part, NaN where it says that there is none.
fn value(text: &str) -> Option<f64> {
    number(text).or_else(|| is_missing(text).then_some(f64::NAN))
}

/// Whether a part that is no value may stand in a column all the same.
fn is_column_text(text: &str, under_header: bool) -> bool {
    let word = || {
        text.starts_with(char::is_alphabetic)
            && !text.contains(|c: char| c == '"' || c.is_control())
    };
    under_header && word() || time::is_calendar(text)
}
