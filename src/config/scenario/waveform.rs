//! `waveform = { kind = …, … }`: the course of a value over time.

use super::{DAY_NS, phase};
use crate::{
    config::{
        errors::Remark,
        keys,
        reader::{Section, number_of},
    },
    limits::WINDOW_MAX_NS,
    simulate::scenario::Waveform,
};

/// Levels of a staircase.
const LEVELS_MAX: usize = 1_024;

/// The keys of a kind besides `kind`, and how it is read.
type Kind = (&'static [&'static str], fn(&Section<'_>) -> Option<Waveform>);

const KINDS: [(&str, Kind); 8] = [
    ("constant", (&["value"], constant)),
    ("sine", (&["offset", "amplitude", "period", "phase"], sine)),
    ("triangle", (&["low", "high", "period", "phase"], triangle)),
    ("sawtooth", (&["low", "high", "period", "phase"], sawtooth)),
    ("random_walk", (&["start", "step", "min", "max"], random_walk)),
    ("steps", (&["levels", "dwell"], steps)),
    ("day", (&["night", "noon", "sunrise", "sunset"], day)),
    ("noise", (&["mean", "stddev"], noise)),
];

/// Reads the waveform of a channel.
pub(super) fn read(channel: &Section<'_>) -> Option<Waveform> {
    let section = channel.section("waveform", "`waveform`", keys::WAVEFORM)?;
    section.require("kind", "\"sine\"");
    let (keys, read) = section.choice("kind", &KINDS)?.value;
    let fitting: Vec<&str> = ["kind"].iter().chain(keys).copied().collect();
    section.refuse_others(&fitting, "this kind of waveform");
    read(&section)
}

fn constant(section: &Section<'_>) -> Option<Waveform> {
    Some(Waveform::Constant { value: number(section, "value")? })
}

fn sine(section: &Section<'_>) -> Option<Waveform> {
    let (amplitude, period_ns) = (number(section, "amplitude"), period(section, "period"));
    Some(Waveform::Sine {
        offset: number_or_zero(section, "offset"),
        amplitude: amplitude?,
        period_ns: period_ns?,
        phase: phase(section),
    })
}

fn triangle(section: &Section<'_>) -> Option<Waveform> {
    let (low, high) = (number(section, "low"), number(section, "high"));
    let period_ns = period(section, "period")?;
    Some(Waveform::Triangle { low: low?, high: high?, period_ns, phase: phase(section) })
}

fn sawtooth(section: &Section<'_>) -> Option<Waveform> {
    let (low, high) = (number(section, "low"), number(section, "high"));
    let period_ns = period(section, "period")?;
    Some(Waveform::Sawtooth { low: low?, high: high?, period_ns, phase: phase(section) })
}

fn random_walk(section: &Section<'_>) -> Option<Waveform> {
    let (start, step) = (number(section, "start"), number(section, "step"));
    let (min, max) = (number(section, "min"), number(section, "max"));
    let (start, step, min, max) = (start?, step?, min?, max?);
    if max <= min || start < min || max < start || step < 0.0 {
        let title =
            "a random walk needs `min` < `max`, `start` between them, and a `step` of at least 0";
        section.sink.error(&section.span, Remark::new(title));
        return None;
    }
    Some(Waveform::RandomWalk { start, step, min, max })
}

fn steps(section: &Section<'_>) -> Option<Waveform> {
    section.require("levels", "[1, 2]");
    let dwell_ns = period(section, "dwell");
    let list = section.array("levels")?;
    let count = list.value.len();
    if count == 0 || LEVELS_MAX < count {
        let title = format!("{count} levels, where 1 to {LEVELS_MAX} can be");
        section.sink.error(&list.span, Remark::new(title));
        return None;
    }
    let level = |item: &toml::Spanned<toml::de::DeValue<'_>>| {
        let level = number_of(item.get_ref()).filter(|level| level.is_finite());
        if level.is_none() {
            section.wrong_type("levels", &item.span(), item.get_ref(), "a list of numbers", None);
        }
        level
    };
    let levels: Vec<Option<f64>> = list.value.iter().map(level).collect();
    let levels = levels.into_iter().collect::<Option<_>>()?;
    Some(Waveform::Steps { levels, dwell_ns: dwell_ns? })
}

fn day(section: &Section<'_>) -> Option<Waveform> {
    let (night, noon) = (number(section, "night"), number(section, "noon"));
    section.require("sunrise", "\"6h\"");
    section.require("sunset", "\"18h\"");
    let sunrise = section.duration("sunrise", 0..=DAY_NS);
    let sunset = section.duration("sunset", 0..=DAY_NS);
    let (sunrise, sunset) = (sunrise?, sunset?);
    if sunset.value <= sunrise.value {
        let remark = Remark::new("`sunset` is not after `sunrise`");
        section.sink.error(&sunset.span, remark.help("both count from midnight UTC"));
        return None;
    }
    let (sunrise_ns, sunset_ns) = (sunrise.value, sunset.value);
    Some(Waveform::Day { night: night?, noon: noon?, sunrise_ns, sunset_ns })
}

fn noise(section: &Section<'_>) -> Option<Waveform> {
    section.require("stddev", "0.5");
    let stddev = section.number("stddev", 0.0..=1e30);
    Some(Waveform::Noise { mean: number_or_zero(section, "mean"), stddev: stddev?.value })
}

fn number(section: &Section<'_>, key: &'static str) -> Option<f64> {
    section.require(key, "1.0");
    section.number(key, -1e30..=1e30).map(|found| found.value)
}

fn number_or_zero(section: &Section<'_>, key: &'static str) -> f64 {
    section.number(key, -1e30..=1e30).map_or(0.0, |found| found.value)
}

fn period(section: &Section<'_>, key: &'static str) -> Option<i64> {
    section.require(key, "\"10s\"");
    section.duration(key, 1_000..=WINDOW_MAX_NS).map(|found| found.value)
}
