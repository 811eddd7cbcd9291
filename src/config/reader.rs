//! A table of the file, read key by key: each getter records what is wrong and goes on.

use std::{fmt::Display, ops::Range, ops::RangeInclusive};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    errors::{Remark, Sink},
    keys::ABSENT,
};
use crate::engine::duration::{self, Nanoseconds};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<T> Found<T> {
    pub(super) fn map<U>(self, f: impl FnOnce(T) -> U) -> Found<U> {
        Found { value: f(self.value), span: self.span }
    }
}

/// One table, whose keys are all known.
#[derive(Clone, Debug)]
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    /// Its header, or all of it if it is inline.
    pub span: Range<usize>,
    /// How messages call it, such as `[[source]]`.
    pub name: &'static str,
    keys: &'static [&'static str],
    pub sink: &'a Sink,
}

impl<'a> Section<'a> {
    /// Takes up a table and records its keys that are not among `keys`.
    pub(super) fn open(
        table: &'a DeTable<'a>,
        span: Range<usize>,
        name: &'static str,
        keys: &'static [&'static str],
        sink: &'a Sink,
    ) -> Self {
        for key in table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            if sink.is_full() {
                break;
            }
            let found = key.get_ref();
            let help = match nearest(found, keys.iter().copied()) {
                _ if ABSENT.contains(&found.as_ref()) => {
                    format!("this version of stillwell has no `{found}`: remove it")
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{name} knows {}", listed(keys)),
            };
            let remark = Remark::new(format!("unknown key `{found}` in {name}"));
            sink.error(&key.span(), remark.label("not known").help(help));
        }
        Self { table, span, name, keys, sink }
    }

    /// Where the name of a key stands, if the key is there.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get_key_value(key).map(|(key, _)| key.span())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the key is there and its value is text.
    pub(super) fn is_text(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_str())
    }

    /// Whether the key is there and its value is a table.
    pub(super) fn is_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_table())
    }

    /// Records that a key which must be there is not; `example` shows how it is written.
    pub(super) fn require(&self, key: &str, example: &str) {
        if !self.has(key) {
            let remark = Remark::new(format!("{} needs `{key}`", self.name));
            self.sink.missing(&self.span, remark.help(format!("add `{key} = {example}`")));
        }
    }

    pub(super) fn text(&self, key: &'static str) -> Option<Found<&'a str>> {
        let (value, span) = self.value(key)?;
        let Some(text) = value.as_str() else {
            self.wrong_type(key, &span, value, "text in quotes", None);
            return None;
        };
        Some(Found { value: text, span })
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<Found<bool>> {
        let (value, span) = self.value(key)?;
        let Some(truth) = value.as_bool() else {
            self.wrong_type(key, &span, value, "true or false", None);
            return None;
        };
        Some(Found { value: truth, span })
    }

    pub(super) fn integer(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<Found<i64>> {
        let (value, span) = self.value(key)?;
        let Some(integer) = value.as_integer() else {
            self.wrong_type(key, &span, value, "a whole number", None);
            return None;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => Some(Found { value: number, span }),
            _ => {
                self.out_of_range(key, &span, integer, range.start(), range.end());
                None
            }
        }
    }

    /// Bytes, as a number or as text such as `"8MiB"`.
    pub(super) fn bytes(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let (least, most) = (*range.start(), *range.end());
        if !self.is_text(key) {
            let found = self.integer(key, least as i64..=i64::try_from(most).unwrap_or(i64::MAX));
            return found.map(|found| found.value as u64);
        }
        let found = self.text(key)?;
        let text = found.value.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit = BYTE_UNITS.iter().find(|(name, _)| *name == text[digits..].trim());
        let Some(((_, unit), number)) = unit.zip(text[..digits].parse::<u64>().ok()) else {
            let remark = Remark::new(format!("`{key}` is no number of bytes: \"{text}\""));
            let help = "write a whole number and B, KiB, MiB or GiB, such as \"8MiB\"";
            self.sink.error(&found.span, remark.help(help));
            return None;
        };
        let bytes = number.saturating_mul(*unit);
        if !range.contains(&bytes) {
            self.out_of_range(key, &found.span, text, bytes_text(least), bytes_text(most));
            return None;
        }
        Some(bytes)
    }

    pub(super) fn number(
        &self,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<Found<f64>> {
        let (value, span) = self.value(key)?;
        let Some(number) = number_of(value) else {
            self.wrong_type(key, &span, value, "a number", None);
            return None;
        };
        if range.contains(&number) {
            return Some(Found { value: number, span });
        }
        self.out_of_range(key, &span, number, range.start(), range.end());
        None
    }

    /// A duration such as `"100ms"`, in nanoseconds.
    pub(super) fn duration(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<Found<i64>> {
        let (value, span) = self.value(key)?;
        let ns = self.duration_of(key, value, &span)?;
        if range.contains(&ns) {
            return Some(Found { value: ns, span });
        }
        let (least, most) = (Nanoseconds(*range.start()), Nanoseconds(*range.end()));
        self.out_of_range(key, &span, Nanoseconds(ns), least, most);
        None
    }

    /// A duration that may have a minus sign before it, in nanoseconds.
    pub(super) fn signed_duration(&self, key: &'static str, most: i64) -> Option<Found<i64>> {
        let (value, span) = self.value(key)?;
        let behind = value.as_str().and_then(|text| text.trim().strip_prefix('-'));
        let magnitude = match behind {
            Some(text) => self.duration_of(key, &DeValue::String(text.into()), &span)?,
            None => self.duration_of(key, value, &span)?,
        };
        if most < magnitude {
            let most = Nanoseconds(most);
            self.out_of_range(key, &span, Nanoseconds(magnitude), format_args!("-{most}"), most);
            return None;
        }
        Some(Found { value: if behind.is_some() { -magnitude } else { magnitude }, span })
    }

    /// Records each key of this table that is none of `fitting`; `what` is what they fit.
    pub(super) fn refuse_others(&self, fitting: &[&str], what: &str) {
        for key in self.keys.iter().filter(|key| !fitting.contains(*key)) {
            if let Some(span) = self.key_span(key) {
                let remark = Remark::new(format!("`{key}` does not fit {what}"));
                self.sink.error(&span, remark.help(format!("it takes {}", listed(fitting))));
            }
        }
    }

    /// The duration that a value of this section is.
    pub(super) fn duration_of(
        &self,
        key: &str,
        value: &DeValue<'_>,
        span: &Range<usize>,
    ) -> Option<i64> {
        let Some(text) = value.as_str() else {
            let help =
                number_of(value).map(|n| format!("write the unit, such as \"{n}s\" or \"{n}ms\""));
            self.wrong_type(key, span, value, "a duration in quotes", help);
            return None;
        };
        match duration::parse(text) {
            Ok(ns) => Some(ns),
            Err(error) => {
                let remark = Remark::new(format!("`{key}` is no duration: {error}"));
                self.sink.error(span, remark);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Found<T>> {
        let Found { value: word, span } = self.text(key)?;
        if let Some((_, meant)) = words.iter().find(|(name, _)| *name == word) {
            return Some(Found { value: *meant, span });
        }
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let help = match nearest(word, names.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"? `{key}` is one of {}", listed(&names)),
            None => format!("`{key}` is one of {}", listed(&names)),
        };
        let remark = Remark::new(format!("`{key}` cannot be \"{word}\""));
        self.sink.error(&span, remark.help(help));
        None
    }

    pub(super) fn array(&self, key: &'static str) -> Option<Found<&'a [Spanned<DeValue<'a>>]>> {
        let (value, span) = self.value(key)?;
        let Some(items) = value.as_array() else {
            self.wrong_type(key, &span, value, "a list in square brackets", None);
            return None;
        };
        Some(Found { value: items, span })
    }

    /// A table within this one.
    pub(super) fn section(
        &self,
        key: &'static str,
        name: &'static str,
        keys: &'static [&'static str],
    ) -> Option<Section<'a>> {
        let (value, span) = self.value(key)?;
        let Some(table) = value.as_table() else {
            self.wrong_type(key, &span, value, "a table", None);
            return None;
        };
        Some(Section::open(table, span, name, keys, self.sink))
    }

    /// A table within this one, or a list of such; `None` if it is neither.
    pub(super) fn one_or_several(
        &self,
        key: &'static str,
        name: &'static str,
        keys: &'static [&'static str],
    ) -> Option<Vec<Section<'a>>> {
        let (value, _) = self.value(key)?;
        match value.as_array() {
            Some(items) if items.iter().all(|item| item.get_ref().is_table()) => {
                Some(self.sections(key, name, keys))
            }
            _ => self.section(key, name, keys).map(|section| vec![section]),
        }
    }

    /// Where the value of a key stands, if it is there.
    pub(super) fn value_span(&self, key: &'static str) -> Option<Range<usize>> {
        self.value(key).map(|(_, span)| span)
    }

    /// A value of whatever type.
    pub(super) fn raw(&self, key: &'static str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        self.value(key)
    }

    /// All tables `[[key]]`.
    pub(super) fn sections(
        &self,
        key: &'static str,
        name: &'static str,
        keys: &'static [&'static str],
    ) -> Vec<Section<'a>> {
        let Some((value, span)) = self.value(key) else { return Vec::new() };
        let help = || Some(format!("write {name}, with two brackets, for each"));
        let Some(items) = value.as_array() else {
            self.wrong_type(key, &span, value, "a list of tables", help());
            return Vec::new();
        };
        let section = |item: &'a Spanned<DeValue<'a>>| {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_type(key, &item.span(), item.get_ref(), "a list of tables", help());
                return None;
            };
            Some(Section::open(table, item.span(), name, keys, self.sink))
        };
        items.iter().filter_map(section).collect()
    }

    fn value(&self, key: &'static str) -> Option<(&'a DeValue<'a>, Range<usize>)> {
        debug_assert!(self.keys.contains(&key), "{key} is not declared in {}", self.name);
        self.table.get(key).map(|value| (value.get_ref(), value.span()))
    }

    pub(super) fn wrong_type(
        &self,
        key: &str,
        span: &Range<usize>,
        value: &DeValue<'_>,
        expected: &str,
        help: Option<String>,
    ) {
        let remark = Remark::new(format!("`{key}` must be {expected}"));
        self.sink.error(span, remark.label(format!("this is {}", kind_of(value))).maybe_help(help));
    }

    pub(super) fn out_of_range(
        &self,
        key: &str,
        span: &Range<usize>,
        value: impl Display,
        least: impl Display,
        most: impl Display,
    ) {
        let title = format!("`{key}` is {value}, which is not within {least} to {most}");
        self.sink.error(span, Remark::new(title));
    }
}

/// How people write numbers of bytes, largest unit first.
const BYTE_UNITS: [(&str, u64); 4] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// In the largest unit that leaves a whole number.
fn bytes_text(bytes: u64) -> String {
    let unit = BYTE_UNITS.iter().find(|(_, unit)| bytes.is_multiple_of(*unit));
    let (name, unit) = unit.expect("one byte divides every number");
    format!("{}{name}", bytes / unit)
}

/// Bytes of two hexadecimal digits each, with spaces between them or not.
pub(super) fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for word in text.split_ascii_whitespace() {
        let digits: Option<Vec<u32>> = word.chars().map(|digit| digit.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
        bytes.extend(digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8));
    }
    Some(bytes)
}

/// A number, whole or not.
pub(super) fn number_of(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|whole| whole as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The known word that a misspelt one most likely stands for.
pub(super) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    // Distances grow with the square of the length: nobody misspells a page of text.
    if 128 < word.len() {
        return None;
    }
    let allowed = 1 + word.chars().count() / 4;
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b` and `c` ``.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
