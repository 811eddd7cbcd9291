//! `[[channel]]`: one measured quantity, where it is found and how it is converted.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    errors::Remark,
    keys,
    reader::{Found, Section, nearest},
    rules::RuleKeys,
    source::{Source, field_name},
};
use crate::{
    engine::{
        ChannelKey, ChannelPlan, TimeMode,
        plan::Linear,
        unit::{Conversion, Unit},
    },
    limits::{CHANNEL_ID_BYTES_MAX, CHANNELS_PER_DEVICE},
    simulate::scenario::LineFormat,
};

/// What the channels read so far have taken, to tell duplicates.
#[derive(Debug, Default)]
pub(super) struct Taken {
    ids: BTreeMap<Arc<str>, Range<usize>>,
    keys: BTreeMap<(usize, ChannelKey), Range<usize>>,
}

/// Reads one table; `None` if an error stands in the way of a plan.
pub(super) fn read(
    section: &Section<'_>,
    sources: &mut [Source],
    defaults: &RuleKeys,
    taken: &mut Taken,
) -> Option<ChannelPlan> {
    section.require("id", "\"boiler.flow_temp\"");
    section.require("source", "\"plant\"");
    let id = id(section, taken);
    let source = source(section, sources);
    let key = key(section, source.map(|i| (i, &mut sources[i])), taken);
    let (unit, conversion) = unit(section);
    let calibration = calibration(section);
    let own = RuleKeys::read(section);
    let (base, time) = match source {
        Some(i) => (sources[i].rules.over(defaults), sources[i].time),
        None => (defaults.clone(), TimeMode::Arrival),
    };
    let rules = own.resolve(&base, time, &section.span, section.sink);
    Some(ChannelPlan { id: id?, source: source?, key: key?, unit, calibration, conversion, rules })
}

fn id(section: &Section<'_>, taken: &mut Taken) -> Option<Arc<str>> {
    let found = section.text("id")?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/');
    let length = found.value.len();
    if length == 0 || CHANNEL_ID_BYTES_MAX < length || !found.value.bytes().all(fits) {
        let remark = Remark::new(format!("\"{}\" cannot be the id of a channel", found.value));
        let help = format!("1 to {CHANNEL_ID_BYTES_MAX} letters, digits, `_`, `-`, `.` and `/`");
        section.sink.error(&found.span, remark.help(help));
        return None;
    }
    let id: Arc<str> = Arc::from(found.value);
    if let Some(first) = taken.ids.get(&id) {
        let remark = Remark::new(format!("the id \"{id}\" is taken"));
        let help = format!("the channel of line {} has it", section.sink.line(first));
        section.sink.error(&found.span, remark.help(help));
        return None;
    }
    taken.ids.insert(Arc::clone(&id), found.span);
    Some(id)
}

fn source(section: &Section<'_>, sources: &[Source]) -> Option<usize> {
    let found = section.text("source")?;
    let index = sources.iter().position(|source| *source.name.value == *found.value);
    if index.is_none() {
        let remark = Remark::new(format!("there is no source \"{}\"", found.value));
        let names = || sources.iter().map(|source| &*source.name.value);
        let help = nearest(found.value, names()).map(|near| format!("did you mean \"{near}\"?"));
        let known = || format!("add a [[source]] with `name = \"{}\"`", found.value);
        section.sink.missing(&found.span, remark.help(help.unwrap_or_else(known)));
    }
    index
}

/// Where the readings are found: by numbers or by name, as the source's format has it.
fn key(
    section: &Section<'_>,
    source: Option<(usize, &mut Source)>,
    taken: &mut Taken,
) -> Option<ChannelKey> {
    let device = section.integer("device", 0..=i64::from(u32::MAX));
    let index = section.integer("index", 0..=CHANNELS_PER_DEVICE as i64 - 1);
    let field = section.text("field").filter(|found| field_name(section, "field", found));
    let (source_index, source) = source?;
    let named = source.speech? == LineFormat::Text;
    let misplaced: &[&str] = if named { &["device", "index"] } else { &["field"] };
    for key in misplaced {
        let Some(span) = section.key_span(key) else { continue };
        let (format, wanted) =
            if named { ("text", "`field`") } else { ("native", "`device` and `index`") };
        let name = &source.name.value;
        let title = format!("`{key}` does not fit: the source \"{name}\" speaks \"{format}\"");
        let help = format!("a channel of it is found by {wanted}");
        section.sink.error(&span, Remark::new(title).help(help));
    }
    let (key, span) = if named {
        section.require("field", "\"temperature\"");
        let Found { value, span } = field?;
        if source.timestamp.as_deref() == Some(value) {
            let remark = Remark::new(format!("the field \"{value}\" holds the time of the line"));
            section.sink.error(&span, remark.help("see `timestamp` of the source"));
            return None;
        }
        let name: Arc<str> = Arc::from(value);
        source.fields.push(Arc::clone(&name));
        (ChannelKey::Named(name), span)
    } else {
        section.require("device", "17");
        section.require("index", "0");
        let (device, index) = (device?.value as u32, index?);
        source.devices.insert(device);
        (ChannelKey::Numbered { device, index: index.value as u8 }, index.span)
    };
    if let Some(first) = taken.keys.get(&(source_index, key.clone())) {
        let remark = Remark::new("two channels for the same readings");
        let line = section.sink.line(first);
        let help = format!("line {line} names the same place in the same source");
        section.sink.error(&span, remark.help(help));
        return None;
    }
    taken.keys.insert((source_index, key.clone()), span);
    Some(key)
}

/// The published unit as written, and the conversion to it.
fn unit(section: &Section<'_>) -> (Option<Arc<str>>, Conversion) {
    let to = code(section, "unit");
    let from = code(section, "raw_unit");
    if let (Some(span), false) = (section.key_span("raw_unit"), section.has("unit")) {
        let remark = Remark::new("`raw_unit` has no effect without `unit`");
        section.sink.missing(&span, remark.help("name the unit to convert to with `unit`"));
    }
    let written = to.as_ref().map(|found| Arc::from(found.value.0));
    let (Some(to), Some(from)) = (to, from) else { return (written, Conversion::IDENTITY) };
    let conversion = Conversion::between(&from.value.1, &to.value.1).unwrap_or_else(|error| {
        let (from_code, to_code) = (from.value.0, to.value.0);
        let title = format!("`{from_code}` does not convert to `{to_code}`: {error}");
        section.sink.error(&from.span, Remark::new(title));
        Conversion::IDENTITY
    });
    (written, conversion)
}

fn code<'a>(section: &Section<'a>, key: &'static str) -> Option<Found<(&'a str, Unit)>> {
    let found = section.text(key)?;
    match Unit::parse(found.value) {
        Ok(unit) => {
            warn_of_electricity(section, &found);
            Some(found.map(|code| (code, unit)))
        }
        Err(error) => {
            let title = format!("`{key}` \"{}\" is no unit: {error}", found.value);
            let help = match error.suggestion() {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "units are UCUM codes; a name of your own goes in braces: \"{widgets}\""
                    .to_owned(),
            };
            section.sink.error(&found.span, Remark::new(title).help(help));
            None
        }
    }
}

/// C and F are units, and rarely the ones that are meant.
fn warn_of_electricity(section: &Section<'_>, found: &Found<&str>) {
    let (is, meant) = match found.value {
        "C" => ("the coulomb", "degrees Celsius are \"Cel\""),
        "F" => ("the farad", "degrees Fahrenheit are \"[degF]\""),
        _ => return,
    };
    let remark = Remark::new(format!("`{}` is {is}", found.value));
    section.sink.warn(&found.span, remark.help(meant));
}

fn calibration(section: &Section<'_>) -> Linear {
    let inner = section.section("calibration", "`calibration`", keys::CALIBRATION);
    let Some(inner) = inner else { return Linear::IDENTITY };
    inner.require("kind", "\"linear\"");
    inner.choice("kind", &[("linear", ())]);
    let scale = inner.number("scale", -1e30..=1e30);
    let offset = inner.number("offset", -1e30..=1e30);
    if let Some(found) = scale.as_ref().filter(|found| found.value == 0.0) {
        let remark = Remark::new("`scale` is 0: every value would be the offset");
        section.sink.error(&found.span, remark);
    }
    Linear {
        scale: scale.map_or(Linear::IDENTITY.scale, |found| found.value),
        offset: offset.map_or(Linear::IDENTITY.offset, |found| found.value),
    }
}
