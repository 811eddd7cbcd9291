//! `format` of a source, and the keys that belong to one format or to a few.

use std::sync::Arc;

use super::{
    errors::Remark,
    reader::{Found, Section, listed},
};
use crate::{
    limits::FIELD_NAME_BYTES_MAX,
    wire::{
        checksum::Presence,
        decode::Format,
        dsmr::DsmrOptions,
        nmea::{NmeaOptions, Talkers},
        text::TextOptions,
        vedirect::VedirectOptions,
    },
};

/// The word behind `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Native,
    Text,
    Nmea,
    Vedirect,
    Dsmr,
}

impl Word {
    const ALL: [(&'static str, Self); 5] = [
        ("native", Self::Native),
        ("text", Self::Text),
        ("nmea", Self::Nmea),
        ("vedirect", Self::Vedirect),
        ("dsmr", Self::Dsmr),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The keys of `[[source]]` that are for this format and not for all.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Native | Self::Vedirect => &[],
            Self::Text => &["timestamp"],
            Self::Nmea => &["checksum", "talkers"],
            Self::Dsmr => &["checksum"],
        }
    }
}

/// The keys that one format takes and another does not.
pub(super) fn own_keys() -> impl Iterator<Item = &'static str> {
    Word::ALL.iter().flat_map(|(_, word)| word.keys().iter().copied())
}

/// What the bytes of a source mean, but for the fields of its channels, which are read later.
pub(super) fn read(section: &Section<'_>) -> Option<Format> {
    section.require("format", "\"native\"");
    let word = section.choice("format", &Word::ALL)?.value;
    refuse_misplaced(section, word);
    Some(match word {
        Word::Native => Format::Native,
        Word::Text => {
            Format::Text(TextOptions { timestamp: timestamp(section), ..TextOptions::default() })
        }
        Word::Nmea => {
            let default = NmeaOptions::default();
            Format::Nmea(NmeaOptions {
                checksum: checksum(section).unwrap_or(default.checksum),
                talkers: talkers(section).unwrap_or(default.talkers),
                ..default
            })
        }
        Word::Vedirect => Format::Vedirect(VedirectOptions::default()),
        Word::Dsmr => {
            let default = DsmrOptions::default();
            let checksum = checksum(section).unwrap_or(default.checksum);
            Format::Dsmr(DsmrOptions { checksum, ..default })
        }
    })
}

/// Records each key that belongs to other formats.
fn refuse_misplaced(section: &Section<'_>, word: Word) {
    for key in own_keys().filter(|key| !word.keys().contains(key)) {
        let Some(span) = section.key_span(key) else { continue };
        let takers = Word::ALL.iter().filter(|(_, taker)| taker.keys().contains(&key));
        let names: Vec<&str> = takers.map(|(name, _)| *name).collect();
        let title = format!("`{key}` does not fit the format \"{}\"", word.name());
        let help = format!("`{key}` is for {}", listed(&names));
        section.sink.error(&span, Remark::new(title).help(help));
    }
}

fn checksum(section: &Section<'_>) -> Option<Presence> {
    let words = [("required", Presence::Required), ("optional", Presence::Optional)];
    section.choice("checksum", &words).map(|found| found.value)
}

fn talkers(section: &Section<'_>) -> Option<Talkers> {
    let words = [("merged", Talkers::Merged), ("apart", Talkers::Apart)];
    section.choice("talkers", &words).map(|found| found.value)
}

fn timestamp(section: &Section<'_>) -> Option<Arc<str>> {
    let found = section.text("timestamp")?;
    field_name(section, "timestamp", &found).then(|| Arc::from(found.value))
}

/// Whether a text can be the name of a field; records why not.
pub(super) fn field_name(section: &Section<'_>, key: &str, found: &Found<&str>) -> bool {
    let length = found.value.len();
    let fits = 0 < length && length <= FIELD_NAME_BYTES_MAX;
    if !fits || found.value.chars().any(char::is_control) {
        let remark = Remark::new(format!("`{key}` is no name of a field"));
        let help = format!("1 to {FIELD_NAME_BYTES_MAX} bytes without control characters");
        section.sink.error(&found.span, remark.help(help));
        return false;
    }
    true
}
