//! `[[channel]]`: one measured quantity, and where it is found.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    calibration::Places,
    errors::Remark,
    format::field_name,
    pattern::{self, Pattern},
    reader::{Found, Section, listed, nearest},
    rules::RuleKeys,
    source::Source,
    value::ValueKeys,
};
use crate::{
    engine::{ChannelKey, ChannelPlan, TimeMode},
    limits::{CHANNEL_ID_BYTES_MAX, CHANNELS_PER_DEVICE},
    wire::{decode::Format, json::JsonLayout},
};

/// What the channels read so far have taken, to tell duplicates.
#[derive(Debug, Default)]
pub(super) struct Taken {
    ids: BTreeMap<Arc<str>, Range<usize>>,
    keys: BTreeMap<(usize, ChannelKey), Range<usize>>,
    /// The channels that measure the cold junctions of which channel.
    pub(super) junctions: Vec<(Arc<str>, Vec<Found<u32>>)>,
    /// Channels that others are judged by, by name.
    pub others: Vec<Found<Arc<str>>>,
}

/// Where a channel takes what it does not say itself, the nearest last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heritage<'a> {
    /// `[defaults]`, if there is such a table.
    pub given: Option<&'a Section<'a>>,
    /// What it says of rules, over what is built in.
    pub rules: &'a RuleKeys,
    /// What it says of values.
    pub values: &'a ValueKeys,
    /// `[[pattern]]`.
    pub patterns: &'a [Pattern<'a>],
    /// Where each channel will be in the plan.
    pub places: &'a Places<'a>,
}

/// Where the channels of these tables will be in the plan, by their ids.
pub(super) fn places<'a>(tables: &[Section<'a>]) -> Places<'a> {
    let id = |table: &Section<'a>| table.is_text("id").then(|| table.text("id"))?;
    let place = |(at, table)| Some((id(table)?.value, u32::try_from(at).ok()?));
    tables.iter().enumerate().filter_map(place).collect()
}

/// Reads one table; `None` if an error stands in the way of a plan.
pub(super) fn read(
    section: &Section<'_>,
    sources: &mut [Source],
    heritage: Heritage<'_>,
    taken: &mut Taken,
) -> Option<ChannelPlan> {
    section.require("id", "\"boiler.flow_temp\"");
    section.require("source", "\"plant\"");
    let id = id(section, taken);
    let source = source(section, sources);
    let key = key(section, source.map(|i| (i, &mut sources[i])), taken);
    let Heritage { rules, values, patterns, places, .. } = heritage;
    let (mut base, time) = match source {
        Some(i) => (sources[i].rules.over(rules), sources[i].time),
        None => (rules.clone(), TimeMode::Arrival),
    };
    let mut value_base = values.clone();
    if let Some(pattern) = id.as_ref().and_then(|id| pattern::of_channel(patterns, id)) {
        base = pattern.rules.over(&base);
        value_base = pattern.values.over(&value_base);
    }
    let value_keys = ValueKeys::read(section, places);
    let mut values = value_keys.resolve(&value_base, section);
    let rule_keys = RuleKeys::read(section);
    let mut rules = rule_keys.resolve(&base, time, &section.span, section.sink);
    rule_keys.fit(&base, &mut rules, &mut values, section);
    taken.others.extend_from_slice(value_keys.others());
    taken.others.extend(rule_keys.others().cloned());
    value_keys.check_tests(&value_base, &rules, section);
    let id = id?;
    taken.junctions.push((Arc::clone(&id), values.junctions));
    Some(ChannelPlan {
        id,
        source: source?,
        key: key?,
        unit: values.unit,
        calibration: values.calibration,
        conversion: values.conversion,
        qc: values.qc,
        rules,
    })
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
    let format = source.format.as_ref()?;
    let named = format.naming().is_some();
    let misplaced: &[&str] = if named { &["device", "index"] } else { &["field"] };
    for key in misplaced {
        let Some(span) = section.key_span(key) else { continue };
        let wanted = if named { "`field`" } else { "`device` and `index`" };
        let (name, format) = (&source.name.value, format.name());
        let title = format!("`{key}` does not fit: the source \"{name}\" speaks \"{format}\"");
        let help = format!("a channel of it is found by {wanted}");
        section.sink.error(&span, Remark::new(title).help(help));
    }
    let (key, span) = if named {
        section.require("field", "\"temperature\"");
        let Found { value, span } = field?;
        if timestamp(format) == Some(value) {
            let remark = Remark::new(format!("the field \"{value}\" holds the time of the line"));
            section.sink.error(&span, remark.help("see `timestamp` of the source"));
            return None;
        }
        check_name(section, format, value, &span);
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

/// A name must be one of those that the configuration gives, where it gives them all.
fn check_name(section: &Section<'_>, format: &Format, name: &str, span: &Range<usize>) {
    let Some(names) = format.names().filter(|names| !names.contains(&name)) else { return };
    let what = if let Format::Modbus(_) = format { "register" } else { "field" };
    let remark = Remark::new(format!("no {what} of the source has the name \"{name}\""));
    let help = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are {}", listed(&names)),
    };
    section.sink.error(span, remark.help(help));
}

/// The field that holds no value but the time.
fn timestamp(format: &Format) -> Option<&str> {
    match format {
        Format::Text(options) => options.timestamp.as_deref(),
        Format::Json(options) => match &options.layout {
            JsonLayout::Plain { timestamp, .. } => timestamp.as_deref(),
            JsonLayout::Rtl433 | JsonLayout::Tempest => None,
        },
        _ => None,
    }
}
