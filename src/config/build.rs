//! From the tables of a file to a [`Config`]: what concerns several tables at once.

use std::{net::SocketAddr, ops::Range, sync::Arc};

use toml::de::DeTable;

use super::{
    Config, Context, InputConfig, InputKind,
    calibration::check_junctions,
    channel::{self, Heritage},
    daemon,
    errors::{Remark, Sink},
    keys, partner, pattern,
    reader::{Found, Section},
    rules::RuleKeys,
    source::Source,
    value::ValueKeys,
};
use crate::{
    engine::{ChannelPlan, Plan, SourcePlan, TimeMode, Unknown, sequence::Starts},
    limits::{CHANNELS_MAX, DEVICES_PER_SOURCE_MAX, FIELDS_PER_SOURCE_MAX, SOURCES_MAX},
    wire::{
        decode::{Format, Naming},
        native::NativeOptions,
    },
};

/// Reads all tables; `None` if an error stands in the way.
pub(super) fn build(table: &DeTable<'_>, sink: &Sink, context: &Context<'_>) -> Option<Config> {
    let root = Section::open(table, 0..0, "the configuration", keys::TOP, sink);
    let daemon = daemon::read(&root, context.dir);
    let builtin = RuleKeys::builtin();
    let given = root.section("defaults", "[defaults]", keys::DEFAULTS);
    let default_keys = given.as_ref().map(RuleKeys::read).unwrap_or_default();
    let default_values = given.as_ref().map(ValueKeys::read_tests).unwrap_or_default();
    let at = given.as_ref().map_or(0..0, |section| section.span.clone());
    let default_rules = default_keys.resolve(&builtin, TimeMode::Arrival, &at, sink);
    let defaults = default_keys.over(&builtin);

    let tables = root.sections("source", "[[source]]", keys::SOURCE);
    if let Some(section) = tables.get(SOURCES_MAX) {
        let title = format!("{} sources, more than {SOURCES_MAX}", tables.len());
        sink.error(&section.span, Remark::new(title));
    }
    let read: Vec<Option<Source>> =
        tables.iter().take(SOURCES_MAX).map(|section| Source::read(section, context)).collect();
    let complete = read.iter().all(Option::is_some);
    let mut sources: Vec<Source> = read.into_iter().flatten().collect();
    check_names(&sources, sink);
    check_inputs(&sources, sink);

    let channel_tables = root.sections("channel", "[[channel]]", keys::CHANNEL);
    let places = channel::places(&channel_tables);
    let patterns = root.sections("pattern", "[[pattern]]", keys::PATTERN);
    let patterns = pattern::read_all(patterns, &places, sink);
    let heritage = Heritage {
        given: given.as_ref(),
        rules: &defaults,
        values: &default_values,
        patterns: &patterns,
        places: &places,
    };
    let mut taken = channel::Taken::default();
    let channels: Vec<Option<ChannelPlan>> = channel_tables
        .iter()
        .map(|section| channel::read(section, &mut sources, heritage, &mut taken))
        .collect();
    let channel_count = channels.len();
    check_sizes(&sources, channel_count, sink);
    let plans = sources.iter().map(|source| source_plan(source, heritage, sink));
    let mut plans: Vec<SourcePlan> = plans.collect::<Option<_>>()?;
    let mut channels: Vec<ChannelPlan> = channels.into_iter().collect::<Option<_>>()?;
    for (id, junctions) in &taken.junctions {
        check_junctions(junctions, Some(id), &channels, sink);
    }
    pattern::check_values(&patterns, &channels, sink);
    pattern::check_use(&patterns, &sources, &channels, sink);
    let of_defaults = default_values.others().iter().chain(defaults.others()).cloned();
    let of_patterns = patterns
        .iter()
        .flat_map(|pattern| pattern.values.others().iter().chain(pattern.rules.others()).cloned());
    let others: Vec<Found<Arc<str>>> =
        taken.others.into_iter().chain(of_defaults).chain(of_patterns).collect();
    partner::check_there(&others, &channels, &sources, sink);
    partner::fit(&mut channels, &mut plans, &others, sink);
    let inputs: Vec<InputConfig> = sources.into_iter().map(input).collect::<Option<_>>()?;
    let percentile_bytes = daemon.percentile_bytes;
    let plan = Plan { sources: plans, channels, defaults: default_rules, percentile_bytes };
    (complete && sink.is_clean()).then_some(Config { daemon, plan, inputs })
}

fn check_names(sources: &[Source], sink: &Sink) {
    for (i, source) in sources.iter().enumerate() {
        let name = &source.name;
        if let Some(first) = sources[..i].iter().find(|other| other.name.value == name.value) {
            let remark = Remark::new(format!("the name \"{}\" is taken", name.value));
            let help = format!("the source of line {} has it", sink.line(&first.name.span));
            sink.error(&name.span, remark.help(help));
        }
    }
}

/// Two sources cannot have the same port or the same serial line.
fn check_inputs(sources: &[Source], sink: &Sink) {
    for (i, source) in sources.iter().enumerate() {
        let clash = |other: &&Source| match (&source.input, &other.input) {
            (Some(InputKind::Udp(a)), Some(InputKind::Udp(b))) => overlap(a.listen, b.listen),
            (Some(a), Some(b)) => a.port().is_some_and(|port| b.port() == Some(port)),
            _ => false,
        };
        let Some(first) = sources[..i].iter().find(clash) else { continue };
        let what = match &source.input {
            Some(InputKind::Udp(udp)) => format!("the address {}", udp.listen),
            Some(input) => match input.port() {
                Some(port) => format!("the port {}", port.display()),
                None => continue,
            },
            None => continue,
        };
        let title = format!("{what} is taken by the source \"{}\"", first.name.value);
        sink.error(&source.span, Remark::new(title).help(line_help(sink, &first.span)));
    }
}

fn line_help(sink: &Sink, span: &Range<usize>) -> String {
    format!("see line {}", sink.line(span))
}

/// Whether two addresses cannot both be bound; port 0 is another one each time.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let any = a.ip().is_unspecified() || b.ip().is_unspecified();
    let same = a.is_ipv4() == b.is_ipv4() && (any || a.ip() == b.ip());
    a.port() == b.port() && a.port() != 0 && same
}

fn check_sizes(sources: &[Source], channels: usize, sink: &Sink) {
    let mut total = channels;
    for source in sources {
        let (fields, devices) = (source.fields.len(), source.devices.len());
        for (count, most, what) in [
            (fields, FIELDS_PER_SOURCE_MAX, "fields"),
            (devices, DEVICES_PER_SOURCE_MAX, "devices"),
        ] {
            if most < count {
                let title = format!("{count} {what} of one source have channels, more than {most}");
                sink.error(&source.span, Remark::new(title));
            }
        }
        if let Unknown::Discover { max } = source.unknown {
            total += max;
            if CHANNELS_MAX < total {
                let title =
                    format!("channels and `discover_max` add up to more than {CHANNELS_MAX}");
                sink.error(&source.span, Remark::new(title).help("lower `discover_max`"));
                return;
            }
        } else if fields == 0 && devices == 0 {
            let name = &source.name.value;
            let remark = Remark::new(format!("nothing of the source \"{name}\" is taken up"));
            let help = "no channel names it, and unknown ones are rejected: add a [[channel]], \
                        or `unknown = \"discover\"`";
            sink.warn(&source.span, remark.help(help));
        }
    }
    if CHANNELS_MAX < channels {
        let remark = Remark::new(format!("{channels} channels, more than {CHANNELS_MAX}"));
        sink.error(&(0..0), remark);
    }
}

fn source_plan(source: &Source, heritage: Heritage<'_>, sink: &Sink) -> Option<SourcePlan> {
    let Heritage { rules, values, patterns, given, .. } = heritage;
    let mut discovered = source.rules.resolve(rules, source.time, &source.span, sink);
    let mut qc = None;
    // Only what `[defaults]` says can have to fit the values of channels of which nothing is known.
    if let (Some(given), Unknown::Discover { .. }) = (given, source.unknown) {
        let mut values = ValueKeys::default().resolve(values, given);
        let base = source.rules.over(rules);
        RuleKeys::default().fit(&base, &mut discovered, &mut values, given);
        qc = values.qc;
    }
    Some(SourcePlan {
        name: Arc::clone(&source.name.value),
        time: source.time,
        unknown: source.unknown,
        named_fields: source.format.as_ref()?.naming().is_some(),
        starts: starts(source.format.as_ref()?),
        idle_ns: source.idle_ns,
        discovered,
        qc,
        patterns: patterns.iter().filter_map(|pattern| pattern.plan(source, heritage)).collect(),
    })
}

/// A device that has a key can be asked to count: see docs/formats.md.
fn starts(format: &Format) -> Starts {
    match format {
        Format::Native(NativeOptions { key: Some(_) }) => Starts::Counted,
        _ => Starts::Marked,
    }
}

fn input(source: Source) -> Option<InputConfig> {
    let mut format = source.format?;
    if let Some(naming) = format.naming_mut() {
        let room = FIELDS_PER_SOURCE_MAX.saturating_sub(source.fields.len());
        let discover = match source.unknown {
            Unknown::Reject => 0,
            Unknown::Discover { max } => max.min(room),
        };
        *naming = Naming { known: source.fields, discover };
    }
    let (name, on_full) = (source.name.value, source.on_full);
    Some(InputConfig { name, kind: source.input?, format, on_full })
}
