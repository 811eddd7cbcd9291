//! `format` of a source, and the keys that belong to one format or to a few.

use std::{collections::BTreeSet, sync::Arc};

use toml::{Spanned, de::DeValue};

use super::{
    Context, binary,
    errors::Remark,
    key,
    reader::{Found, Section, listed},
};
use crate::{
    limits::FIELD_PATH_BYTES_MAX,
    wire::{
        binary::BinaryOptions,
        checksum::Presence,
        decode::{Format, Naming, Tags},
        dsmr::DsmrOptions,
        influx::{InfluxOptions, Precision},
        json::{JsonLayout, JsonOptions},
        native::NativeOptions,
        nmea::{NmeaOptions, Talkers},
        senml::SenmlOptions,
        statsd::StatsdOptions,
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
    Json,
    Senml,
    Influx,
    Statsd,
    Binary,
}

impl Word {
    const ALL: [(&'static str, Self); 10] = [
        ("native", Self::Native),
        ("text", Self::Text),
        ("nmea", Self::Nmea),
        ("vedirect", Self::Vedirect),
        ("dsmr", Self::Dsmr),
        ("json", Self::Json),
        ("senml", Self::Senml),
        ("influx", Self::Influx),
        ("statsd", Self::Statsd),
        ("binary", Self::Binary),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    /// The keys of `[[source]]` that are for this format and not for all.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Vedirect | Self::Senml => &[],
            Self::Native => &["key_file"],
            Self::Text => &["timestamp"],
            Self::Nmea => &["checksum", "talkers"],
            Self::Dsmr => &["checksum"],
            Self::Json => &["preset", "timestamp", "name_by"],
            Self::Influx => &["precision", "tags"],
            Self::Statsd => &["tags"],
            Self::Binary => &binary::OWN_KEYS,
        }
    }
}

/// The keys that one format takes and another does not, each once.
pub(super) fn own_keys() -> impl Iterator<Item = &'static str> {
    let keys: BTreeSet<_> = Word::ALL.iter().flat_map(|(_, word)| word.keys()).collect();
    keys.into_iter().copied()
}

/// What the bytes of a source mean, but for the fields of its channels, which are read later.
pub(super) fn read(section: &Section<'_>, context: &Context<'_>) -> Option<Format> {
    section.require("format", "\"native\"");
    let word = section.choice("format", &Word::ALL)?.value;
    refuse_misplaced(section, word);
    Some(match word {
        Word::Native => Format::Native(NativeOptions { key: key::read(section, context) }),
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
        Word::Binary => {
            let layout = binary::layout(section)?;
            Format::Binary(BinaryOptions { naming: Naming::default(), layout })
        }
        Word::Vedirect => Format::Vedirect(VedirectOptions::default()),
        Word::Dsmr => {
            let default = DsmrOptions::default();
            let checksum = checksum(section).unwrap_or(default.checksum);
            Format::Dsmr(DsmrOptions { checksum, ..default })
        }
        Word::Json => {
            Format::Json(JsonOptions { layout: layout(section), ..JsonOptions::default() })
        }
        Word::Senml => Format::Senml(SenmlOptions::default()),
        Word::Influx => Format::Influx(InfluxOptions {
            precision: precision(section),
            tags: tags(section),
            ..InfluxOptions::default()
        }),
        Word::Statsd => {
            Format::Statsd(StatsdOptions { tags: tags(section), ..StatsdOptions::default() })
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

/// The word behind `preset`.
#[derive(Clone, Copy, Debug)]
enum Preset {
    Rtl433,
    Tempest,
}

/// What is where in JSON: a preset, or what the keys say.
fn layout(section: &Section<'_>) -> JsonLayout {
    let presets = [("rtl_433", Preset::Rtl433), ("tempest", Preset::Tempest)];
    let Some(preset) = section.choice("preset", &presets) else {
        return JsonLayout::Plain { timestamp: timestamp(section), name_by: name_by(section) };
    };
    for key in ["timestamp", "name_by"] {
        if let Some(span) = section.key_span(key) {
            let remark = Remark::new(format!("`{key}` has no effect with `preset`"));
            section.sink.error(&span, remark.help("the preset says what is where: remove one"));
        }
    }
    match preset.value {
        Preset::Rtl433 => JsonLayout::Rtl433,
        Preset::Tempest => JsonLayout::Tempest,
    }
}

/// Paths whose values come before the names.
fn name_by(section: &Section<'_>) -> Vec<Arc<str>> {
    let Some(found) = section.array("name_by") else { return Vec::new() };
    let path = |item: &Spanned<DeValue<'_>>| {
        let span = item.span();
        let Some(text) = item.get_ref().as_str() else {
            section.wrong_type("name_by", &span, item.get_ref(), "a list of paths in quotes", None);
            return None;
        };
        let found = Found { value: text, span };
        field_name(section, "name_by", &found).then(|| Arc::from(text))
    };
    found.value.iter().filter_map(path).collect()
}

fn precision(section: &Section<'_>) -> Precision {
    let words = Precision::ALL.map(|precision| (precision.name(), precision));
    section.choice("precision", &words).map_or_else(Precision::default, |found| found.value)
}

fn tags(section: &Section<'_>) -> Tags {
    let words = [("name", Tags::Name), ("ignore", Tags::Ignore)];
    section.choice("tags", &words).map_or_else(Tags::default, |found| found.value)
}

/// Whether a text can be the name of a field; records why not.
pub(super) fn field_name(section: &Section<'_>, key: &str, found: &Found<&str>) -> bool {
    let length = found.value.len();
    let fits = 0 < length && length <= FIELD_PATH_BYTES_MAX;
    if !fits || found.value.chars().any(char::is_control) {
        let remark = Remark::new(format!("`{key}` is no name of a field"));
        let help = format!("1 to {FIELD_PATH_BYTES_MAX} bytes without control characters");
        section.sink.error(&found.span, remark.help(help));
        return false;
    }
    true
}
