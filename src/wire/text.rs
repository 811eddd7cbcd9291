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

mod form;
mod position;
mod split;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{
    form::{Form, Kind},
    position::Position,
    split::{Separator, is_missing, is_name, label, number},
};
use super::{
    FieldTable, FrameRefusal, Frames,
    decode::Naming,
    draft::Draft,
    lines::{Line, ReadLine},
    names::Names,
    time,
    whole::Whole,
};
use crate::limits;

/// A word alone is no header: it may be anything that a board says.
const HEADER_COLUMNS_MIN: usize = 2;

/// How text lines are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextOptions {
    /// Which names are taken up.
    pub naming: Naming,
    /// The field that holds the time of the line rather than a value.
    pub timestamp: Option<Arc<str>>,
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
pub(super) struct TextReader {
    names: Names,
    shape: Shape,
}

/// What lines look like, as far as earlier lines and the options tell.
#[derive(Debug)]
struct Shape {
    /// The last header of each separator: chatter between spaces does not rename a CSV.
    headers: [Header; Separator::COUNT],
    time: Option<TimeField>,
    form: Form,
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
enum Read {
    /// Samples, with their time where one was asked for.
    Values(Option<i64>),
    /// Names of columns.
    Header(Header),
}

/// The line is malformed.
struct Malformed;

impl TextReader {
    pub(super) fn new(options: &TextOptions) -> Self {
        let time = options.timestamp.as_ref().map(TimeField::new);
        let shape = Shape { headers: Default::default(), time, form: Form::default() };
        Self { names: Names::new(&options.naming), shape }
    }
}

impl ReadLine for TextReader {
    /// Empty lines and lines that start with `#` are skipped. A header appears as a head without
    /// samples, and holds no longer than its datagram. Sample times are UTC where the options
    /// name a time field, else 0.
    fn read(
        &mut self,
        line: &[u8],
        whole: Whole<'_>,
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<Line, FrameRefusal> {
        let mut draft = Draft::new(&mut self.names, out);
        if let Some(time_ns) = self.shape.form.read(line, &mut draft) {
            return Ok(Line::Frame(draft.keep_at(time_ns, arrived_ns)));
        }
        draft.truncate(0);
        let line = whole.text_of(line).ok_or(FrameRefusal::NotText)?;
        // Spreadsheets begin their files with a byte order mark.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        if matches!(line.trim_start().bytes().next(), None | Some(b'#')) {
            return Ok(Line::Nothing);
        }
        let read = self.shape.take(line, &mut draft);
        let time_ns = read.map_err(|Malformed| FrameRefusal::Malformed)?;
        let count = draft.keep_at(time_ns, arrived_ns);
        self.shape.form.learn(&out.samples[out.samples.len() - count..]);
        Ok(Line::Frame(count))
    }

    /// Forgets the headers. The form of a line that has none is that of every sender.
    fn forget(&mut self) {
        if self.shape.headers.iter().any(|header| !header.is_empty()) {
            self.shape.headers = Default::default();
            self.shape.form.forget();
        }
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.names.table()
    }

    fn header(&self) -> Vec<&str> {
        self.shape.headers.iter().flatten().map(|name| &**name).collect()
    }
}

impl Shape {
    /// Adds the samples of a line, without their times, and returns its time.
    fn take(&mut self, line: &str, draft: &mut Draft<'_>) -> Result<Option<i64>, Malformed> {
        let separator = Separator::of(line);
        self.form.begin(line, separator);
        let read = if separator.parts(line).any_label() {
            self.read_labelled(line, separator, draft)?
        } else {
            self.read_columns(line, separator, draft)?
        };
        Ok(match read {
            Read::Values(time_ns) => time_ns,
            Read::Header(mut header) => {
                self.keep_positions(&mut header, draft.names);
                self.headers[separator as usize] = header;
                self.form.forget();
                None
            }
        })
    }

    /// Takes the names off columns that the configuration knows by position only: a banner of
    /// words that passes for a header must not rename them.
    fn keep_positions(&self, header: &mut Header, names: &Names) {
        for (index, name) in header.iter_mut().enumerate().take(limits::FIELDS_PER_LINE_MAX) {
            let is_time = self.time.as_ref().is_some_and(|time| *time.name == **name);
            let by_position = names.is_configured(Position::new(index).name());
            if by_position && !is_time && !names.is_configured(name) {
                *name = Box::default();
            }
        }
    }

    fn read_labelled(
        &mut self,
        line: &str,
        separator: Separator,
        draft: &mut Draft<'_>,
    ) -> Result<Read, Malformed> {
        let mut parts = separator.parts(line);
        let (mut time_ns, mut last) = (None, "");
        let (mut only_labels, mut count) = (true, 0);
        for index in 0.. {
            let (name, text, number) = match parts.labelled_number() {
                Some((name, text, number)) => (name, text, Some(number)),
                None => {
                    let Some(part) = parts.next() else { break };
                    last = part;
                    let (name, text) = label(part).unwrap_or(("", part));
                    (name, text, None)
                }
            };
            count = index + 1;
            if limits::FIELDS_PER_LINE_MAX < count {
                return Err(Malformed);
            }
            if name.is_empty() && text.is_empty() {
                continue;
            }
            only_labels &= text.is_empty();
            if self.is_time(name, index) {
                time_ns = time::parse(text);
                self.form.add(Some(Kind::Time), line, text);
            } else if name.is_empty() {
                return Err(Malformed);
            } else {
                let kind = if number.is_some() { Some(Kind::Number) } else { Kind::of(text) };
                self.form.add(kind, line, text);
                draft.push(name, number.or_else(|| value(text)).ok_or(Malformed)?);
            }
        }
        if only_labels && HEADER_COLUMNS_MIN <= columns(count, Some(last)) {
            draft.truncate(0);
            let names = separator.parts(line).map(|part| label(part).map_or("", |(name, _)| name));
            return Ok(Read::Header(names.map(Box::from).collect()));
        }
        if only_labels && draft.has_strangers() {
            return Err(Malformed);
        }
        self.timed(time_ns)
    }

    fn read_columns(
        &mut self,
        line: &str,
        separator: Separator,
        draft: &mut Draft<'_>,
    ) -> Result<Read, Malformed> {
        let count = separator.count(line, limits::FIELDS_PER_LINE_MAX + 1);
        if limits::FIELDS_PER_LINE_MAX < count {
            return Err(Malformed);
        }
        let columns = || columns(count, separator.last(line));
        let header = Some(&self.headers[separator as usize]).filter(|names| {
            !names.is_empty() && (names.len() == count || names_columns(names) == columns())
        });
        let mut time_ns = None;
        let mut values = 0;
        let mut noise = false;
        let mut parts = separator.parts(line);
        for index in 0..count {
            let name = header.and_then(|names| names.get(index)).map_or("", |name| &**name);
            if self.is_time(name, index) {
                let text = parts.next().unwrap_or_default();
                time_ns = time::parse(text);
                self.form.add(Some(Kind::Time), line, text);
                continue;
            }
            let value = if let Some((text, number)) = parts.number() {
                values += 1;
                self.form.add(Some(Kind::Number), line, text);
                number
            } else {
                let Some(text) = parts.next() else { break };
                let Some(value) = value(text) else {
                    noise |= !is_column_text(text, header.is_some());
                    continue;
                };
                if text.is_empty() && name.is_empty() && index > 0 && index + 1 == count {
                    continue;
                }
                values += usize::from(!value.is_nan() || !is_missing(text));
                self.form.add(Kind::of(text), line, text);
                value
            };
            match name {
                "" => draft.push(Position::new(index).name(), value),
                name => draft.push(name, value),
            }
        }
        if values == 0 && time_ns.is_none() && HEADER_COLUMNS_MIN <= columns() {
            let mut filled = separator.parts(line).filter(|part| !part.is_empty()).peekable();
            if filled.peek().is_some() && filled.all(|part| is_name(part) && !is_missing(part)) {
                draft.truncate(0);
                return Ok(Read::Header(separator.parts(line).map(Box::from).collect()));
            }
        }
        if noise { Err(Malformed) } else { self.timed(time_ns) }
    }

    /// Whether this part is the time of the line, by its name or by its position.
    fn is_time(&self, name: &str, index: usize) -> bool {
        self.time.as_ref().is_some_and(|time| time.index == Some(index) || *time.name == *name)
    }

    fn timed(&self, time_ns: Option<i64>) -> Result<Read, Malformed> {
        match (&self.time, time_ns) {
            (Some(_), None) => Err(Malformed),
            (_, time_ns) => Ok(Read::Values(time_ns)),
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
