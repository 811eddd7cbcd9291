//! StatsD lines, with the extensions of DogStatsD.
//!
//! `name:value|type`, then `|@rate` and `|#tags` where they are needed. Several values of a type
//! stand between colons (`a:1:2|ms`), and so do several types (`a:1|c:2|g`).
//!
//! | type | reading |
//! |---|---|
//! | `g` | the value; with a sign, what the last one of the name comes to with it, from 0 on |
//! | `c` | the value divided by the rate |
//! | `ms` | the value, in milliseconds |
//! | `h`, `d` | the value |
//! | `s` | none: what is counted there are different texts |
//!
//! Events (`_e{…}`) and service checks (`_sc|…`) are good frames without a reading, as sets are.
//! A field is named `name.tag value`, with the tag values in the order of the tags' keys.

use std::{ops::Range, sync::Arc};

use memchr::{memchr, memchr_iter};

use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames,
    decode::{Naming, Tags},
    draft::Draft,
    lines::{Line, ReadLine},
    names::Names,
    number::Decimal,
    whole::Whole,
};

/// How StatsD lines are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatsdOptions {
    /// Which names are taken up.
    pub naming: Naming,
    /// What tags are for.
    pub tags: Tags,
}

/// Makes samples of StatsD lines.
#[derive(Debug)]
pub(super) struct StatsdReader {
    names: Names,
    tags: Tags,
    /// The last value of each gauge, by its field; NaN before the first.
    gauges: Vec<f64>,
    name: String,
    /// Where the tags of a line are.
    spans: Vec<Range<usize>>,
    /// What the samples of a line are, in their order.
    kinds: Vec<Kind>,
}

/// What a sample does to the gauge of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is none.
    Value,
    /// It is the new value.
    Gauge,
    /// It is added to the value.
    Change,
}

/// The line is malformed.
struct Malformed;

/// One value or several with what is said of them.
#[derive(Debug)]
struct Metric<'a> {
    values: &'a str,
    word: &'a str,
    rate: f64,
}

impl StatsdReader {
    pub(super) fn new(options: &StatsdOptions) -> Self {
        Self {
            names: Names::new(&options.naming),
            tags: options.tags,
            gauges: Vec::new(),
            name: String::new(),
            spans: Vec::new(),
            kinds: Vec::new(),
        }
    }

    fn take(&mut self, line: &str, arrived_ns: i64, out: &mut Frames) -> Result<usize, Malformed> {
        let is_end = |byte: u8| byte <= b' ' || matches!(byte, b':' | b'|' | b'@' | 0x7F);
        let end = line.bytes().position(is_end).ok_or(Malformed)?;
        if end == 0 || line.as_bytes()[end] != b':' {
            return Err(Malformed);
        }
        let (name, mut rest) = (&line[..end], &line[end + 1..]);
        self.name.clear();
        self.name.push_str(name);
        self.kinds.clear();
        // Tags come last and are part of the name of all before them.
        if let Some(at) = tags_at(rest) {
            let (before, tags) = (&rest[..at], &rest[at + 2..]);
            let (tags, after) = tags.split_once('|').unwrap_or((tags, ""));
            if !after.is_empty() && !after.split('|').all(is_origin) {
                return Err(Malformed);
            }
            self.append_tags(tags)?;
            rest = before;
        }
        let start = out.samples.len();
        let mut draft = Draft::new(&mut self.names, out);
        loop {
            let (metric, next) = metric(rest)?;
            push(&metric, &self.name, &mut self.kinds, &mut draft)?;
            match next {
                Some(next) => rest = next,
                None => break,
            }
        }
        let samples = draft.keep(DeviceClock::None, arrived_ns);
        self.follow_gauges(start, out);
        Ok(samples)
    }

    fn append_tags(&mut self, tags: &str) -> Result<(), Malformed> {
        if tags.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Malformed);
        }
        if self.tags == Tags::Name {
            self.spans.clear();
            let mut start = 0;
            for tag in tags.split(',') {
                if !tag.is_empty() {
                    self.spans.push(start..start + tag.len());
                }
                start += tag.len() + 1;
            }
            let pair = |span: &Range<usize>| {
                let tag = &tags[span.clone()];
                tag.split_once(':').unwrap_or((tag, tag))
            };
            self.spans.sort_unstable_by(|one, other| pair(one).cmp(&pair(other)));
            for span in &self.spans {
                self.name.push('.');
                self.name.push_str(pair(span).1);
            }
        }
        Ok(())
    }

    /// Makes values of changes, and remembers the values.
    fn follow_gauges(&mut self, start: usize, out: &mut Frames) {
        for (sample, kind) in out.samples[start..].iter_mut().zip(&self.kinds) {
            let field = sample.field as usize;
            if *kind == Kind::Value || self.names.table().len() <= field {
                continue;
            }
            if self.gauges.len() <= field {
                self.gauges.resize(field + 1, f64::NAN);
            }
            let gauge = &mut self.gauges[field];
            if *kind == Kind::Change {
                sample.value += if gauge.is_nan() { 0.0 } else { *gauge };
            }
            *gauge = sample.value;
        }
    }
}

impl ReadLine for StatsdReader {
    fn read(
        &mut self,
        line: &[u8],
        whole: Whole<'_>,
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<Line, FrameRefusal> {
        let line = whole.text_of(line).ok_or(FrameRefusal::NotText)?;
        if line.trim_start().is_empty() {
            return Ok(Line::Nothing);
        }
        if line.starts_with("_e{") || line.starts_with("_sc|") {
            let draft = Draft::new(&mut self.names, out);
            return Ok(Line::Frame(draft.keep(DeviceClock::None, arrived_ns)));
        }
        let samples = self.take(line, arrived_ns, out);
        samples.map(Line::Frame).map_err(|Malformed| FrameRefusal::Malformed)
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.names.table()
    }
}

/// Where the mark of the tags is.
fn tags_at(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr_iter(b'|', bytes).find(|at| bytes.get(at + 1) == Some(&b'#'))
}

/// The metric that the text begins with, and what comes behind the colon after it.
fn metric(text: &str) -> Result<(Metric<'_>, Option<&str>), Malformed> {
    let values_end = memchr(b'|', text.as_bytes()).ok_or(Malformed)?;
    let (values, mut rest) = (&text[..values_end], &text[values_end + 1..]);
    let is_end = |byte: u8| matches!(byte, b'|' | b':');
    let end = rest.bytes().position(is_end).unwrap_or(rest.len());
    let word = &rest[..end];
    rest = &rest[end..];
    let mut metric = Metric { values, word, rate: 1.0 };
    while let Some(part) = rest.strip_prefix('|') {
        let Some(text) = part.strip_prefix('@') else {
            let parts_end = part.split('|').all(is_origin);
            return if parts_end { Ok((metric, None)) } else { Err(Malformed) };
        };
        let rate = Decimal::at_start_of(text.as_bytes()).ok_or(Malformed)?;
        if !(0.0 < rate.value && rate.value <= 1.0) {
            return Err(Malformed);
        }
        metric.rate = rate.value;
        rest = &text[rate.length..];
    }
    match rest.strip_prefix(':') {
        Some(next) => Ok((metric, Some(next))),
        None if rest.is_empty() => Ok((metric, None)),
        None => Err(Malformed),
    }
}

/// What DogStatsD says of the sender: the container, its other names, how many tags, the time.
fn is_origin(part: &str) -> bool {
    let is_time = part.strip_prefix('T').is_some_and(|digits| digits.parse::<u64>().is_ok());
    is_time || ["c:", "e:", "card:"].iter().any(|start| part.starts_with(start))
}

fn push(
    metric: &Metric<'_>,
    name: &str,
    kinds: &mut Vec<Kind>,
    draft: &mut Draft<'_>,
) -> Result<(), Malformed> {
    let (unit, kind) = match metric.word {
        "g" => (None, Kind::Gauge),
        "c" | "h" | "d" => (None, Kind::Value),
        "ms" => (Some("ms"), Kind::Value),
        "s" if metric.values.is_empty() => return Err(Malformed),
        "s" => return Ok(()),
        _ => return Err(Malformed),
    };
    let mut rest = metric.values.as_bytes();
    loop {
        let decimal = Decimal::at_start_of(rest).ok_or(Malformed)?;
        if !decimal.value.is_finite() {
            return Err(Malformed);
        }
        let is_change = kind == Kind::Gauge && decimal.sign.is_some();
        kinds.push(if is_change { Kind::Change } else { kind });
        let value = if metric.word == "c" { decimal.value / metric.rate } else { decimal.value };
        draft.push_with(name, unit, 0, value);
        match rest.get(decimal.length) {
            None => return Ok(()),
            Some(b':') => rest = &rest[decimal.length + 1..],
            Some(_) => return Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests;
