//! `[source.frame]`, `[source.check]` and `[[source.field]]`: the layout of declared frames, or a
//! preset, which is one that somebody has written already.

use std::{
    ops::{Range, RangeInclusive},
    path::Path,
    sync::Arc,
};

use toml::{Spanned, de::DeValue};

use super::{
    errors::{File, Remark},
    format::field_name,
    keys,
    model::InputKind,
    reader::{Found, Section, hex_bytes, number_of},
    walk,
};
use crate::{
    engine::unit::Unit,
    limits::{BINARY_BYTES_DEFAULT, FIELDS_PER_LINE_MAX, FRAME_BYTES_MAX, MS, SECOND},
    wire::{
        binary::{
            Bits, Check, Counted, FieldRule, Kind, Layout, LayoutError, Length, Number, Place,
            Require, Scaling,
        },
        checksum::{Checksum, Crc, CrcRule, Order},
        decode::Framing,
    },
};

/// The presets by name, as they would be written in a configuration.
const PRESETS: [(&str, &str); 2] = [
    ("pms5003", include_str!("presets/pms5003.toml")),
    ("sds011", include_str!("presets/sds011.toml")),
];

/// The keys that declare frames.
pub(super) const OWN_KEYS: [&str; 4] = ["preset", "frame", "check", "field"];

const PLACES: RangeInclusive<i64> = -(FRAME_BYTES_MAX as i64)..=FRAME_BYTES_MAX as i64;
const SIZES: RangeInclusive<i64> = 1..=FRAME_BYTES_MAX as i64;

/// The layout of a source; `None` if it has errors.
pub(super) fn layout(section: &Section<'_>) -> Option<Arc<Layout>> {
    let Some(text) = section.choice("preset", &PRESETS) else {
        if !section.has("preset") {
            section.require("frame", "{ kind = \"sync\", sync = \"42 4D\", length = 32 }");
            section.require("field", "[{ name = \"pm2_5\", at = 12, type = \"u16be\" }]");
        }
        return declared(section);
    };
    for key in ["frame", "check", "field"] {
        if let Some(span) = section.key_span(key) {
            let remark = Remark::new(format!("`{key}` does not fit beside `preset`"));
            section.sink.error(&span, remark.help("a preset is whole: remove one of the two"));
        }
    }
    preset(text.value)
}

/// The layout of a preset, which is right: a test reads them all.
fn preset(text: &'static str) -> Option<Arc<Layout>> {
    let (_, layout) = walk(&File::new(Path::new("preset"), text), |table, sink| {
        declared(&Section::open(table, 0..0, "the preset", &OWN_KEYS, sink))
    });
    layout
}

fn declared(section: &Section<'_>) -> Option<Arc<Layout>> {
    let frame = section.section("frame", "[source.frame]", keys::FRAME);
    let kind = frame.as_ref().and_then(kind);
    let require = frame.as_ref().map(require).unwrap_or_default();
    let check_section = section.section("check", "[source.check]", keys::CHECK);
    let check = check_section.as_ref().map(check);
    let sections = section.sections("field", "[[source.field]]", keys::FIELD);
    let fields = fields(section, &sections);
    let check = match check {
        None => None,
        Some(check) => check?,
    };
    let (require, require_spans): (Vec<_>, Vec<_>) = require?.into_iter().unzip();
    match Layout::new(kind?, require.into(), check, fields?.into()) {
        Ok(layout) => Some(Arc::new(layout)),
        Err(error) => {
            let checked = check_section.as_ref();
            let of_check = |key| checked.and_then(|check| check.key_span(key));
            let span = match error {
                LayoutError::Require(index) => require_spans.get(index).cloned(),
                LayoutError::CheckOver => of_check("over"),
                LayoutError::CheckAt => of_check("at"),
                LayoutError::Field(index) => sections.get(index).and_then(|f| f.key_span("at")),
                LayoutError::Unaligned | LayoutError::Length => None,
            };
            let frame = frame.map_or_else(|| section.span.clone(), |frame| frame.span);
            let help = match error {
                LayoutError::Unaligned => "give it a `sync`, a `require` or a [source.check]",
                LayoutError::Length => "see `length` and `max`",
                _ => "places are counted from 0, negative ones from the end of the frame",
            };
            section.sink.error(&span.unwrap_or(frame), Remark::new(error.to_string()).help(help));
            None
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum KindWord {
    Line,
    Cobs,
    Slip,
    Sync,
    Fixed,
    LengthPrefixed,
    IdleGap,
    Datagram,
}

impl KindWord {
    const ALL: [(&'static str, Self); 8] = [
        ("line", Self::Line),
        ("cobs", Self::Cobs),
        ("slip", Self::Slip),
        ("sync", Self::Sync),
        ("fixed", Self::Fixed),
        ("length-prefixed", Self::LengthPrefixed),
        ("idle-gap", Self::IdleGap),
        ("datagram", Self::Datagram),
    ];

    /// The keys of `[source.frame]` that are for this kind.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Line | Self::Cobs | Self::Slip | Self::Datagram => &["kind", "max", "require"],
            Self::Sync => &["kind", "sync", "length", "max", "require"],
            Self::Fixed => &["kind", "length", "require"],
            Self::LengthPrefixed => &["kind", "length", "max", "require"],
            Self::IdleGap => &["kind", "gap", "max", "require"],
        }
    }
}

fn kind(frame: &Section<'_>) -> Option<Kind> {
    frame.require("kind", "\"sync\"");
    let word = frame.choice("kind", &KindWord::ALL)?.value;
    let name = KindWord::ALL.iter().find(|(_, known)| *known == word).map_or("", |(name, _)| name);
    frame.refuse_others(word.keys(), &format!("frames of kind \"{name}\""));
    let max = frame.integer("max", SIZES).map_or(BINARY_BYTES_DEFAULT, |max| max.value as usize);
    Some(match word {
        KindWord::Line => Kind::Line { max },
        KindWord::Cobs => Kind::Cobs { max },
        KindWord::Slip => Kind::Slip { max },
        KindWord::Datagram => Kind::Datagram { max },
        KindWord::IdleGap => {
            frame.require("gap", "\"10ms\"");
            Kind::IdleGap { gap_ns: frame.duration("gap", MS..=60 * SECOND)?.value, max }
        }
        KindWord::Sync => {
            frame.require("sync", "\"42 4D\"");
            let length = length(frame, max);
            let sync = frame.text("sync").and_then(|found| hex(frame, "sync", &found))?;
            Kind::Counted(Counted { sync, length: length? })
        }
        KindWord::Fixed | KindWord::LengthPrefixed => {
            let length = length(frame, max)?;
            let told = matches!(length, Length::Told { .. });
            if told != (word == KindWord::LengthPrefixed) {
                let remark = Remark::new(format!("this `length` does not fit the kind \"{name}\""));
                let help = "a number for \"fixed\", { at = 2, type = \"u16be\", plus = 4 } for \
                            \"length-prefixed\"";
                let span = frame.key_span("length").unwrap_or_else(|| frame.span.clone());
                frame.sink.error(&span, remark.help(help));
                return None;
            }
            Kind::Counted(Counted { sync: Box::default(), length })
        }
    })
}

fn length(frame: &Section<'_>, max: usize) -> Option<Length> {
    frame.require("length", "32");
    if !frame.is_table("length") {
        return Some(Length::Fixed(frame.integer("length", SIZES)?.value as usize));
    }
    let section = frame.section("length", "`length`", keys::LENGTH)?;
    section.require("at", "2");
    section.require("type", "\"u16be\"");
    let at = section.integer("at", 0..=FRAME_BYTES_MAX as i64);
    let plus = section.integer("plus", PLACES);
    let number = number(&section, |number| number.is_unsigned());
    Some(Length::Told {
        at: at?.value as usize,
        number: number?,
        plus: plus.map_or(0, |plus| plus.value),
        max,
    })
}

/// The type of a number; records what is none, or not one of those that fit.
fn number(section: &Section<'_>, fits: impl Fn(Number) -> bool) -> Option<Number> {
    let found = section.text("type")?;
    let number = Number::named(found.value);
    if number.is_none_or(|number| !fits(number)) {
        let remark = Remark::new(format!("`type` cannot be \"{}\"", found.value));
        let help = match number {
            Some(_) => "a length is a whole number without a sign",
            None => {
                "u8, i8, bcd2, or u16, i16, u24, i24, u32, i32, u64, i64, f32, f64, bcd4, … with \
                 `be` or `le` behind it, and `-ws` if the words of 16 bits are swapped"
            }
        };
        section.sink.error(&found.span, remark.help(help));
        return None;
    }
    number
}

/// Bytes in hexadecimal digits, one at least; records what is none.
fn hex(section: &Section<'_>, key: &str, found: &Found<&str>) -> Option<Box<[u8]>> {
    let bytes = hex_bytes(found.value).filter(|bytes| !bytes.is_empty());
    if bytes.is_none() {
        let remark = Remark::new(format!("`{key}` is no bytes: \"{}\"", found.value));
        section.sink.error(&found.span, remark.help("two hexadecimal digits each, as \"42 4D\""));
    }
    bytes.map(Into::into)
}

/// The required bytes, each with its place in the file.
fn require(frame: &Section<'_>) -> Option<Vec<(Require, Range<usize>)>> {
    let read = |section: &Section<'_>| {
        section.require("at", "2");
        section.require("equals", "\"00 1C\"");
        let at = section.integer("at", PLACES);
        let equals = section.text("equals").and_then(|found| hex(section, "equals", &found));
        Some((Require { at: Place::new(at?.value), equals: equals? }, section.span.clone()))
    };
    frame.sections("require", "`require`", keys::REQUIRE).iter().map(read).collect()
}

/// The checksum; `Some(None)` for `kind = "none"`.
fn check(section: &Section<'_>) -> Option<Option<Check>> {
    let checksum = match section.section("custom", "`custom`", keys::CUSTOM) {
        Some(custom) => {
            if let Some(span) = section.key_span("kind") {
                let remark = Remark::new("`kind` does not fit beside `custom`");
                section.sink.error(&span, remark.help("remove one of the two"));
            }
            Checksum::Crc(Crc::new(crc_rule(&custom)?))
        }
        None if section.has("custom") => return None,
        None => {
            section.require("kind", "\"crc16/modbus\"");
            let names: Vec<_> =
                ["none"].into_iter().chain(Checksum::NAMES).map(|name| (name, name)).collect();
            match Checksum::named(section.choice("kind", &names)?.value) {
                Some(checksum) => checksum,
                None => return Some(None),
            }
        }
    };
    let written = 0 < checksum.size();
    if written {
        section.require("at", "-2");
    }
    if 1 < checksum.size() {
        section.require("order", "\"be\"");
    }
    let order = section.choice("order", &Order::ALL);
    if let Some(found) = order.as_ref().filter(|found| found.value == Order::Sdi12)
        && checksum.size() != 2
    {
        let remark = Remark::new("the order \"sdi12\" is for checksums of 16 bits");
        section.sink.error(&found.span, remark);
    }
    let at = section.integer("at", PLACES);
    let over = over(section);
    let at = match at {
        Some(at) => Place::new(at.value),
        None if written => return None,
        None => Place::FromStart(0),
    };
    let (from, to) = over?;
    let order = order.map_or(Order::Be, |found| found.value);
    Some(Some(Check { checksum, from, to, at, order }))
}

/// `over = [0, -2]`: from a place up to another; without the second one up to the end.
fn over(section: &Section<'_>) -> Option<(Place, Place)> {
    section.require("over", "[0, -2]");
    let found = section.array("over")?;
    let whole = |item: &Spanned<DeValue<'_>>| {
        let number = number_of(item.get_ref()).filter(|number| number.fract() == 0.0)?;
        PLACES.contains(&(number as i64)).then_some(number as i64)
    };
    let places: Option<Vec<i64>> = found.value.iter().map(whole).collect();
    match places.as_deref() {
        Some(&[from]) => Some((Place::new(from), Place::FromEnd(0))),
        Some(&[from, to]) => Some((Place::new(from), Place::new(to))),
        _ => {
            let remark = Remark::new("`over` is no part of a frame");
            let help = "[0, -2] is from the first byte up to the last but two, which are not part \
                        of it; [0] is all";
            section.sink.error(&found.span, remark.help(help));
            None
        }
    }
}

fn crc_rule(section: &Section<'_>) -> Option<CrcRule> {
    section.require("width", "16");
    section.require("poly", "0x1021");
    let widths = i64::from(CrcRule::WIDTH_MIN)..=i64::from(CrcRule::WIDTH_MAX);
    let width = section.integer("width", widths)?.value as u8;
    let most = (1_i64 << width) - 1;
    let word = |key| section.integer(key, 0..=most).map(|found| found.value as u32);
    let flag = |key| section.boolean(key).is_some_and(|found| found.value);
    Some(CrcRule {
        width,
        poly: word("poly")?,
        init: word("init").unwrap_or_default(),
        refin: flag("refin"),
        refout: flag("refout"),
        xorout: word("xorout").unwrap_or_default(),
    })
}

fn fields(section: &Section<'_>, sections: &[Section<'_>]) -> Option<Vec<FieldRule>> {
    if let Some(one_more) = sections.get(FIELDS_PER_LINE_MAX) {
        let title = format!("{} fields, more than {FIELDS_PER_LINE_MAX}", sections.len());
        section.sink.error(&one_more.span, Remark::new(title));
        return None;
    }
    let read: Vec<_> = sections.iter().map(field).collect();
    let read: Vec<FieldRule> = read.into_iter().collect::<Option<_>>()?;
    for (index, rule) in read.iter().enumerate() {
        if read[..index].iter().any(|other| other.name == rule.name) {
            let remark = Remark::new(format!("the field \"{}\" is there twice", rule.name));
            let span = sections[index].key_span("name").unwrap_or_default();
            section.sink.error(&span, remark);
        }
    }
    Some(read)
}

fn field(section: &Section<'_>) -> Option<FieldRule> {
    section.require("name", "\"pm2_5\"");
    section.require("at", "12");
    section.require("type", "\"u16be\"");
    let name = section.text("name").filter(|found| field_name(section, "name", found));
    let at = section.integer("at", PLACES);
    let number = number(section, |_| true);
    let bits = number.map(|number| bits(section, number));
    let scaling = scaling(section);
    let unit = unit(section);
    let missing = missing(section);
    Some(FieldRule {
        name: name?.value.into(),
        unit,
        at: Place::new(at?.value),
        number: number?,
        bits: bits?.ok()?,
        scaling,
        missing: missing?,
    })
}

/// `scale` and `offset`.
pub(super) fn scaling(section: &Section<'_>) -> Scaling {
    let scale = section.number("scale", -1e30..=1e30);
    if let Some(found) = scale.as_ref().filter(|found| found.value == 0.0) {
        let remark = Remark::new("`scale` is 0: every value would be the offset");
        section.sink.error(&found.span, remark);
    }
    let offset = section.number("offset", -1e30..=1e30);
    Scaling::new(scale.map_or(1.0, |found| found.value), offset.map_or(0.0, |found| found.value))
}

/// `unit` of a field: a code, if it is one.
pub(super) fn unit(section: &Section<'_>) -> Option<Arc<str>> {
    let found = section.text("unit")?;
    if let Err(error) = Unit::parse(found.value) {
        let remark = Remark::new(format!("`unit` \"{}\" is no unit: {error}", found.value));
        let near = error.suggestion().map(|near| format!("did you mean \"{near}\"?"));
        section.sink.error(&found.span, remark.maybe_help(near));
    }
    Some(found.value.into())
}

/// `bits = [11, 4]`: the highest and the lowest.
pub(super) fn bits(section: &Section<'_>, number: Number) -> Result<Option<Bits>, ()> {
    let Some(found) = section.array("bits") else {
        return if section.has("bits") { Err(()) } else { Ok(None) };
    };
    let bit = |item: &Spanned<DeValue<'_>>| {
        number_of(item.get_ref()).filter(|bit| bit.fract() == 0.0 && (0.0..64.0).contains(bit))
    };
    let read: Option<Vec<f64>> = found.value.iter().map(bit).collect();
    let bits = match read.as_deref() {
        Some(&[high, low]) => Bits::of(number, high as u8, low as u8),
        _ => None,
    };
    if bits.is_none() {
        let remark = Remark::new("`bits` are none of this number");
        let help = "[11, 4] is from bit 11 down to bit 4 of a whole number; the lowest is bit 0";
        section.sink.error(&found.span, remark.help(help));
    }
    bits.map(Some).ok_or(())
}

/// `missing`: raw numbers that say that there is no value.
pub(super) fn missing(section: &Section<'_>) -> Option<Box<[f64]>> {
    let Some(found) = section.array("missing") else {
        return (!section.has("missing")).then(Box::default);
    };
    let read: Option<Box<[f64]>> =
        found.value.iter().map(|item| number_of(item.get_ref())).collect();
    if read.is_none() {
        let remark = Remark::new("`missing` must be a list of numbers");
        section.sink.error(&found.span, remark.help("raw numbers, before `scale`: [65535]"));
    }
    read
}

/// Records where frames are cut by what the transport of a source does not tell.
pub(super) fn check_transport(section: &Section<'_>, input: &InputKind, layout: &Layout) {
    let datagrams = match input {
        InputKind::Udp(udp) => udp.framing == Framing::Datagram,
        InputKind::Serial(_) => false,
        // A log says itself what it holds.
        InputKind::Simulator(_) | InputKind::Replay(_) | InputKind::Modbus(_) => return,
    };
    let help = match (layout.kind(), datagrams) {
        (Kind::Datagram { .. }, false) => "a line has no datagrams: take \"idle-gap\" for pauses",
        (Kind::IdleGap { .. }, true) => {
            "datagrams have no pauses: take \"datagram\", or `framing = \"stream\"`"
        }
        _ => return,
    };
    let span = section.key_span("frame").unwrap_or_else(|| section.span.clone());
    let remark = Remark::new("the kind of these frames does not fit the source");
    section.sink.error(&span, remark.help(help));
}

/// The names of the presets, for help.
#[cfg(test)]
pub(super) fn presets() -> impl Iterator<Item = (&'static str, Option<Arc<Layout>>)> {
    PRESETS.iter().map(|(name, text)| (*name, preset(text)))
}
