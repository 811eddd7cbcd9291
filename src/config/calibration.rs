//! `calibration = …`: a function or a chain of them, or a list of such, each with its date.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use jiff::Timestamp;
use toml::de::DeValue;

use super::{
    errors::{Remark, Sink},
    keys,
    reader::{Found, Section},
};
use crate::{
    engine::{
        ChannelPlan,
        calibration::{Calibration, Era, Eras, Transfer},
        plan::Linear,
        unit::{Conversion, Unit},
    },
    limits::{CALIBRATION_ERAS_MAX, CALIBRATION_STEPS_MAX, CALIBRATION_VERSION_BYTES_MAX},
};

use self::kinds::Step;
pub(super) use self::kinds::counter_range;

mod kinds;
mod numbers;
mod physics;

/// The places of the configured channels in the plan, by their ids.
pub(super) type Places<'a> = BTreeMap<&'a str, u32>;

/// What a table says about its calibration.
#[derive(Clone, Debug)]
pub(super) struct Calibrated {
    pub calibration: Calibration,
    /// The unit that comes out, where the calibration itself says so.
    pub gives: Option<&'static str>,
    /// Whether what comes out are differences.
    pub counts: bool,
    /// The channels that measure its cold junctions.
    pub junctions: Vec<Found<u32>>,
}

/// One calibration of a list, or the only one.
struct Dated {
    era: Era,
    /// Where its date stands, or the table if it has none.
    at: Range<usize>,
    gives: Option<&'static str>,
    counts: bool,
    junction: Option<Found<u32>>,
}

/// Reads the key `calibration` of a channel or of a pattern.
pub(super) fn read(section: &Section<'_>, places: &Places<'_>) -> Option<Found<Calibrated>> {
    let span = section.value_span("calibration")?;
    let tables = section.one_or_several("calibration", "`calibration`", keys::CALIBRATION)?;
    if tables.is_empty() || CALIBRATION_ERAS_MAX < tables.len() {
        let title =
            format!("{} calibrations, where 1 to {CALIBRATION_ERAS_MAX} can be", tables.len());
        section.sink.error(&span, Remark::new(title));
        return None;
    }
    let dated: Vec<Option<Dated>> = tables.iter().map(|table| self::dated(table, places)).collect();
    let dated: Vec<Dated> = dated.into_iter().collect::<Option<_>>()?;
    check_dates(&dated, section.sink)?;
    let first = &dated[0];
    if let Some(other) = dated.iter().find(|other| other.gives != first.gives) {
        let words = |gives: Option<&str>| gives.unwrap_or("what they are told").to_owned();
        let title = format!(
            "one calibration of this list gives {}, another {}",
            words(first.gives),
            words(other.gives)
        );
        section.sink.error(&other.at, Remark::new(title));
        return None;
    }
    let (gives, counts) = (first.gives, dated.iter().any(|one| one.counts));
    let junctions = dated.iter().filter_map(|one| one.junction.clone()).collect();
    let calibration = calibration(dated.into_iter().map(|one| one.era).collect());
    Some(Found { value: Calibrated { calibration, gives, counts, junctions }, span })
}

/// A line of no special time or name stays one.
fn calibration(eras: Vec<Era>) -> Calibration {
    if let [Era { from_ns: i64::MIN, version: None, chain }] = &eras[..]
        && let [Transfer::Linear(line)] = chain[..]
    {
        return Calibration::Linear(line);
    }
    Calibration::Eras(Arc::new(Eras::new(eras)))
}

fn check_dates(dated: &[Dated], sink: &Sink) -> Option<()> {
    for (at, one) in dated.iter().enumerate() {
        let from_ns = one.era.from_ns;
        if let Some(first) = dated[..at].iter().find(|other| other.era.from_ns == from_ns) {
            let line = sink.line(&first.at);
            let remark = match from_ns {
                i64::MIN => Remark::new("two calibrations have no `from`").help(format!(
                    "the one of line {line} has none either: say from when each counts"
                )),
                _ => Remark::new("two calibrations begin at the same time")
                    .help(format!("see line {line}")),
            };
            sink.error(&one.at, remark);
            return None;
        }
    }
    Some(())
}

fn dated(section: &Section<'_>, places: &Places<'_>) -> Option<Dated> {
    let from = from(section);
    let version = version(section);
    section.require("kind", "\"linear\"");
    let steps = if is_chain(section) {
        section.refuse_others(&["kind", "steps", "from", "version"], "a chain");
        chain(section, places)
    } else {
        kinds::read(section, &["from", "version"], places).map(|step| vec![step])
    };
    let joined = join(steps?, section)?;
    let (from, version) = (from?, version?);
    let at = from.as_ref().map_or_else(|| section.span.clone(), |from| from.span.clone());
    let from_text = from.as_ref().map(|from| Arc::from(from.value.to_string()));
    let from_ns = from.as_ref().map_or(Some(i64::MIN), |from| nanoseconds(from, section.sink))?;
    let Joined { chain, gives, counts, junction } = joined;
    let era = Era { from_ns, version: version.or(from_text), chain };
    Some(Dated { era, at, gives, counts, junction })
}

fn nanoseconds(from: &Found<Timestamp>, sink: &Sink) -> Option<i64> {
    let ns = i64::try_from(from.value.as_nanosecond()).ok();
    if ns.is_none() {
        let title = format!("`from` is {}, which is not within 1678 to 2261", from.value);
        sink.error(&from.span, Remark::new(title));
    }
    ns
}

/// From when on it counts: the outer `None` is an error.
fn from(section: &Section<'_>) -> Option<Option<Found<Timestamp>>> {
    let Some((value, span)) = section.raw("from") else { return Some(None) };
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        _ => String::new(),
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(Some(Found { value: time, span }));
    }
    let remark = Remark::new("`from` is no time with its offset from UTC");
    section.sink.error(&span, remark.help("write it such as \"2026-01-01T00:00:00Z\""));
    None
}

/// What it is called: the outer `None` is an error.
fn version(section: &Section<'_>) -> Option<Option<Arc<str>>> {
    if !section.has("version") {
        return Some(None);
    }
    let found = section.text("version")?;
    let length = found.value.len();
    let fits = (1..=CALIBRATION_VERSION_BYTES_MAX).contains(&length);
    if !fits || found.value.contains(char::is_control) {
        let title = format!("`version` is no name of 1 to {CALIBRATION_VERSION_BYTES_MAX} bytes");
        section.sink.error(&found.span, Remark::new(title));
        return None;
    }
    Some(Some(Arc::from(found.value)))
}

fn is_chain(section: &Section<'_>) -> bool {
    section.is_text("kind") && section.text("kind").is_some_and(|kind| kind.value == "chain")
}

fn chain(section: &Section<'_>, places: &Places<'_>) -> Option<Vec<Step>> {
    section.require("steps", "[{ kind = \"divider\", … }, { kind = \"beta\", … }]");
    let span = section.value_span("steps")?;
    let tables = section.one_or_several("steps", "a step", keys::CALIBRATION)?;
    if tables.is_empty() || CALIBRATION_STEPS_MAX < tables.len() {
        let title = format!("{} steps, where 1 to {CALIBRATION_STEPS_MAX} can be", tables.len());
        section.sink.error(&span, Remark::new(title));
        return None;
    }
    let steps: Vec<Option<Step>> =
        tables.iter().map(|table| kinds::read(table, &[], places)).collect();
    steps.into_iter().collect()
}

/// Steps that follow each other.
struct Joined {
    chain: Box<[Transfer]>,
    gives: Option<&'static str>,
    counts: bool,
    junction: Option<Found<u32>>,
}

/// Puts conversions between steps whose units are known, and finds those that do not fit.
fn join(steps: Vec<Step>, section: &Section<'_>) -> Option<Joined> {
    let mut chain = Vec::new();
    let mut gives: Option<&'static str> = None;
    let (mut counts, mut junction) = (false, None);
    for (at, step) in steps.into_iter().enumerate() {
        if at != 0 && step.counts {
            let remark = Remark::new("a counter is the first step");
            section.sink.error(&step.span, remark.help("scale what it counted in steps behind it"));
            return None;
        }
        if junction.is_some() && step.junction.is_some() {
            section.sink.error(&step.span, Remark::new("two thermocouples in one chain"));
            return None;
        }
        let comes = match (gives, &step.input) {
            (Some(unit), Some(input)) => {
                let title = format!("`input` has no effect: the step before gives {unit}");
                section.sink.error(&input.span, Remark::new(title));
                return None;
            }
            (Some(unit), None) => Some(unit),
            (None, input) => input.as_ref().map(|input| input.value.as_str()),
        };
        if let (Some(comes), Some(takes)) = (comes, step.takes) {
            let at = step.input.as_ref().map_or(&step.span, |input| &input.span);
            chain.extend(converted(comes, takes, at, section.sink)?);
        }
        chain.extend(step.transfers);
        // Lines and curves before a step that says nothing leave no unit behind.
        gives = step.gives;
        counts |= step.counts;
        junction = junction.or(step.junction);
    }
    Some(Joined { chain: chain.into(), gives, counts, junction })
}

/// From one unit to another; nothing where they are the same.
fn converted(from: &str, to: &str, span: &Range<usize>, sink: &Sink) -> Option<Option<Transfer>> {
    let unit =
        |code: &str| Unit::parse(code).map_err(|error| format!("\"{code}\" is no unit: {error}"));
    let between = unit(from).and_then(|from_unit| {
        let to_unit = unit(to)?;
        Conversion::between(&from_unit, &to_unit)
            .map_err(|error| format!("`{from}` comes in where `{to}` is needed: {error}"))
    });
    match between {
        Ok(Conversion::IDENTITY) => Some(None),
        Ok(Conversion { factor: scale, offset }) => {
            Some(Some(Transfer::Linear(Linear { scale, offset })))
        }
        Err(title) => {
            sink.error(span, Remark::new(title));
            None
        }
    }
}

/// Checks that what measures a cold junction measures a temperature, and that none asks for the
/// temperature of one that asks itself. `asker` is the id of the channel that asks.
pub(super) fn check_junctions(
    junctions: &[Found<u32>],
    asker: Option<&str>,
    channels: &[ChannelPlan],
    sink: &Sink,
) {
    for Found { value: place, span } in junctions {
        let measures = &channels[*place as usize];
        let id = &measures.id;
        let celsius = Unit::parse("Cel").ok();
        let unit = measures.unit.as_deref().and_then(|code| Unit::parse(code).ok());
        let remark = match unit.zip(celsius) {
            _ if asker == Some(&**id) => {
                Remark::new(format!("the cold junction of \"{id}\" would be itself")).help(
                    "name the channel that measures the terminals; where a pattern gives the \
                     calibration, give that channel one of its own",
                )
            }
            _ if measures.calibration.junctions().next().is_some() => {
                let title = format!("\"{id}\" needs a cold junction itself");
                let help = "a cold junction is measured by something that needs none, such as an \
                            RTD: else two could wait for each other";
                Remark::new(title).help(help)
            }
            None => Remark::new(format!("the channel \"{id}\" has no unit"))
                .help("a cold junction is a temperature: give it `unit = \"Cel\"`"),
            Some((from, to)) => match Conversion::between(&from, &to) {
                Ok(_) => continue,
                Err(error) => Remark::new(format!("\"{id}\" is no cold junction: {error}")),
            },
        };
        sink.error(span, remark);
    }
}
