//! The functions of thermometers and transmitters, each with its keys.

use std::ops::Range;

use toml::de::DeValue;

use super::{
    Places,
    kinds::Step,
    numbers::{number, number_or, positive, range},
};
use crate::{
    config::{
        errors::Remark,
        reader::{Found, Section, nearest, number_of},
    },
    engine::calibration::{
        CurrentLoop, Divider, Junction, Rtd, Side, Thermistor, Thermocouple, Transfer,
    },
    limits::{COLD_JUNCTION_AGE_DEFAULT_NS, MS, SECOND},
};

/// A range of temperatures that must lie within another, which counts if none is given.
fn temperatures(section: &Section<'_>, whole: (f64, f64)) -> Option<(f64, f64)> {
    let Some(Found { value: (least, most), span }) = range(section, "range")? else {
        return Some(whole);
    };
    if least < whole.0 || whole.1 < most {
        let title = format!(
            "`range` is [{least}, {most}], which is not within {} to {} Cel",
            whole.0, whole.1
        );
        section.sink.error(&span, Remark::new(title));
        return None;
    }
    Some((least, most))
}

/// From absolute zero to where everything has melted, degrees Celsius.
const TEMPERATURES: (f64, f64) = (-273.15, 3_000.0);

pub(super) fn rtd(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let r0_ohm = positive(section, "r0", None);
    let [a, b, c] = Rtd::PLATINUM;
    let is_platinum = !["a", "b", "c"].iter().any(|key| section.has(key));
    let (a, b, c) = match is_platinum {
        true => (Some(a), Some(b), Some(c)),
        // Whoever has coefficients of his own has all that are not 0.
        false => (number(section, "a"), number_or(section, "b", 0.0), number_or(section, "c", 0.0)),
    };
    let whole = if is_platinum { Rtd::RANGE } else { TEMPERATURES };
    if !is_platinum {
        section.require("range", "[-60, 180]");
    }
    let range = temperatures(section, whole);
    match Rtd::new(r0_ohm?, [a?, b?, c?], range?) {
        Ok(rtd) => Step::of_physics(section, Transfer::Rtd(rtd), "Ohm", Some("Cel")),
        Err(error) => {
            let title = format!("the resistance does not rise at {} Cel", error.celsius);
            let help = "narrow the `range`, or look at the coefficients: \
                        R = r0 (1 + a t + b t^2 + c (t - 100) t^3)";
            section.sink.error(&section.span, Remark::new(title).help(help));
            None
        }
    }
}

pub(super) fn steinhart_hart(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let (a, b, c) = (number(section, "a"), number(section, "b"), number(section, "c"));
    thermistor(section, [a?, b?, c?])
}

pub(super) fn beta(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let (beta, r0) = (positive(section, "beta", None), positive(section, "r0", None));
    let t0 = section.number("t0", -200.0..=1_000.0).map(|found| found.value);
    let t0 = if section.has("t0") { t0 } else { Some(25.0) };
    thermistor(section, Thermistor::beta(beta?, r0?, t0?))
}

fn thermistor(section: &Section<'_>, coefficients: [f64; 3]) -> Option<Step> {
    let range = match section.has("range") {
        true => temperatures(section, TEMPERATURES)?,
        false => Thermistor::RANGE,
    };
    let thermistor = Thermistor { coefficients, range };
    if !thermistor.reaches_its_range() {
        let remark = Remark::new("no resistance is a temperature within the range");
        let help = "1/T = a + b ln R + c (ln R)^3, with T in kelvin and R in ohm";
        section.sink.error(&section.span, remark.help(help));
        return None;
    }
    Step::of_physics(section, Transfer::Thermistor(thermistor), "Ohm", Some("Cel"))
}

pub(super) fn divider(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let known_ohm = positive(section, "known", None);
    let full_scale = positive(section, "full_scale", Some(1.0));
    section.require("sensor", "\"low\"");
    let side = section.choice("sensor", &[("low", Side::Low), ("high", Side::High)]);
    let divider = Divider { known_ohm: known_ohm?, side: side?.value, full_scale: full_scale? };
    let step = Step::new(section, vec![Transfer::Divider(divider)]);
    Some(Step { gives: Some("Ohm"), ..step })
}

pub(super) fn thermocouple(section: &Section<'_>, places: &Places<'_>) -> Option<Step> {
    section.require("type", "\"K\"");
    section.require("cold_junction", "\"bench.terminals\"");
    let pair = section.choice("type", &Thermocouple::ALL).map(|found| found.value);
    let max_age = section.duration("max_age", MS..=86_400 * SECOND);
    let narrowed = range(section, "range");
    let (value, span) = section.raw("cold_junction")?;
    let pair = pair?;
    let (junction, place) = match value {
        DeValue::String(id) => {
            let channel = place_of(section, id, &span, places)?;
            let max_age_ns = match section.has("max_age") {
                true => max_age?.value,
                false => COLD_JUNCTION_AGE_DEFAULT_NS,
            };
            (Junction::Channel { channel, max_age_ns }, Some(Found { value: channel, span }))
        }
        value => {
            let celsius = fixed(section, pair, value, &span)?;
            if let Some(span) = section.key_span("max_age") {
                let remark = Remark::new("`max_age` has no effect on a fixed temperature");
                section.sink.error(&span, remark);
            }
            (Junction::Fixed { celsius }, None)
        }
    };
    let transfer = Transfer::Thermocouple { pair, junction };
    let mut step = Step::of_physics(section, transfer, "mV", Some("Cel"))?;
    let bounds = narrowed?.map(|Found { value: (min, max), .. }| Transfer::Within { min, max });
    step.transfers.extend(bounds);
    step.junction = place;
    Some(step)
}

fn place_of(
    section: &Section<'_>,
    id: &str,
    span: &Range<usize>,
    places: &Places<'_>,
) -> Option<u32> {
    let place = places.get(id).copied();
    if place.is_none() {
        let remark = Remark::new(format!("there is no channel \"{id}\""));
        let near =
            nearest(id, places.keys().copied()).map(|near| format!("did you mean \"{near}\"?"));
        let add = || format!("add a [[channel]] with `id = \"{id}\"`, or a temperature in Cel");
        section.sink.missing(span, remark.help(near.unwrap_or_else(add)));
    }
    place
}

/// A cold junction that is always as warm.
fn fixed(
    section: &Section<'_>,
    pair: Thermocouple,
    value: &DeValue<'_>,
    span: &Range<usize>,
) -> Option<f64> {
    let Some(celsius) = number_of(value) else {
        let what = "a temperature in Cel, or the id of a channel in quotes";
        section.wrong_type("cold_junction", span, value, what, None);
        return None;
    };
    if pair.millivolt(celsius).is_none() {
        let title = format!("a thermocouple of type {pair:?} has no voltage at {celsius} Cel");
        section.sink.error(span, Remark::new(title));
        return None;
    }
    Some(celsius)
}

pub(super) fn current_loop(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let (low, high) = (number(section, "low"), number(section, "high"));
    let (suspect, fail) = (range(section, "suspect"), range(section, "fail"));
    let (low, high, suspect, fail) = (low?, high?, suspect?, fail?);
    if low == high {
        let span = section.value_span("high").unwrap_or_else(|| section.span.clone());
        let remark = Remark::new("`low` and `high` are the same: every value would be that");
        section.sink.error(&span, remark);
        return None;
    }
    let span = suspect.as_ref().or(fail.as_ref()).map(|found| found.span.clone());
    let suspect = suspect.map_or(CurrentLoop::NE43_MEASURES, |found| found.value);
    let fail = fail.map_or(CurrentLoop::NE43_FAIL, |found| found.value);
    if suspect.0 < fail.0 || fail.1 < suspect.1 {
        let title = format!(
            "`suspect` [{}, {}] reaches beyond `fail` [{}, {}]",
            suspect.0, suspect.1, fail.0, fail.1
        );
        section.sink.error(&span.unwrap_or_else(|| section.span.clone()), Remark::new(title));
        return None;
    }
    let transfer = Transfer::CurrentLoop(CurrentLoop { low, high, fail, suspect });
    Step::of_physics(section, transfer, "mA", None)
}
