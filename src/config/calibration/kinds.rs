//! The functions that a calibration may be, each with its keys.

use std::ops::Range;

use super::{
    Places,
    numbers::{number_or, numbers, points, positive, range},
    physics::{beta, current_loop, divider, rtd, steinhart_hart, thermocouple},
};
use crate::{
    config::{
        errors::Remark,
        reader::{Found, Section},
    },
    engine::{
        calibration::{Counter, Gives, OnReset, Outside, Table, TableError, Transfer},
        plan::Linear,
    },
    limits::{CALIBRATION_COEFFICIENTS_MAX, CALIBRATION_POINTS_MAX},
};

/// One function, with what belongs around it.
#[derive(Debug)]
pub(super) struct Step {
    pub transfers: Vec<Transfer>,
    /// The unit its formula takes, if it is one of physics.
    pub takes: Option<&'static str>,
    /// The unit its formula gives.
    pub gives: Option<&'static str>,
    /// The unit that comes in, where it is not what the formula takes.
    pub input: Option<Found<String>>,
    /// The channel that measures its cold junction.
    pub junction: Option<Found<u32>>,
    /// Whether it gives differences.
    pub counts: bool,
    /// Where it stands.
    pub span: Range<usize>,
}

/// The keys of a kind besides `kind`, and how it is read.
type Kind = (&'static [&'static str], fn(&Section<'_>, &Places<'_>) -> Option<Step>);

const KINDS: [(&str, Kind); 13] = [
    ("linear", (&["scale", "offset", "within"], linear)),
    ("two-point", (&["points", "within"], two_point)),
    ("polynomial", (&["coefficients", "within"], polynomial)),
    ("table", (&["points", "outside"], table)),
    ("rtd", (&["r0", "a", "b", "c", "range", "input"], rtd)),
    ("steinhart-hart", (&["a", "b", "c", "range", "input"], steinhart_hart)),
    ("beta", (&["beta", "r0", "t0", "range", "input"], beta)),
    ("divider", (&["known", "sensor", "full_scale"], divider)),
    ("thermocouple", (&["type", "cold_junction", "max_age", "range", "input"], thermocouple)),
    ("current-loop", (&["low", "high", "suspect", "fail", "input"], current_loop)),
    ("counter", (&["width", "modulus", "gives", "on_reset", "wrap_max"], counter)),
    ("circular", (&["offset", "turn"], circular)),
    ("chain", (&["steps"], inner_chain)),
];

/// Reads one function; its table may also have the keys `beside`.
pub(super) fn read(section: &Section<'_>, beside: &[&str], places: &Places<'_>) -> Option<Step> {
    section.require("kind", "\"linear\"");
    let (keys, read) = section.choice("kind", &KINDS)?.value;
    let fitting: Vec<&str> = ["kind"].iter().chain(keys).chain(beside).copied().collect();
    section.refuse_others(&fitting, "this kind of calibration");
    read(section, places)
}

impl Step {
    pub(super) fn new(section: &Section<'_>, transfers: Vec<Transfer>) -> Self {
        Self {
            transfers,
            takes: None,
            gives: None,
            input: None,
            junction: None,
            counts: false,
            span: section.span.clone(),
        }
    }

    /// A step of physics, with the unit that comes in if it is told.
    pub(super) fn of_physics(
        section: &Section<'_>,
        transfer: Transfer,
        takes: &'static str,
        gives: Option<&'static str>,
    ) -> Option<Self> {
        let input = match section.has("input") {
            true => Some(section.text("input")?.map(str::to_owned)),
            false => None,
        };
        let step = Self::new(section, vec![transfer]);
        Some(Self { takes: Some(takes), gives, input, ..step })
    }
}

/// The bounds of `within`, as a function before the one they are for.
fn within(section: &Section<'_>) -> Option<Option<Transfer>> {
    let bounds = range(section, "within")?;
    Some(bounds.map(|Found { value: (min, max), .. }| Transfer::Within { min, max }))
}

fn linear(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let within = within(section);
    let (scale, offset) = (number_or(section, "scale", 1.0), number_or(section, "offset", 0.0));
    let (scale, offset) = (scale?, offset?);
    if scale == 0.0 {
        let span = section.value_span("scale").unwrap_or_else(|| section.span.clone());
        section.sink.error(&span, Remark::new("`scale` is 0: every value would be the offset"));
        return None;
    }
    let line = Transfer::Linear(Linear { scale, offset });
    Some(Step::new(section, within?.into_iter().chain([line]).collect()))
}

fn two_point(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let within = within(section);
    let points = points(section)?;
    let [first, second] = &points.value[..] else {
        let title = format!("{} points, where two make a line", points.value.len());
        let remark = Remark::new(title).help("more points are a `table`");
        section.sink.error(&points.span, remark);
        return None;
    };
    let ((x0, y0), (x1, y1)) = (first.value, second.value);
    let scale = (y1 - y0) / (x1 - x0);
    let offset = y0 - x0 * scale;
    if !(scale.is_finite() && offset.is_finite()) || scale == 0.0 {
        let remark = Remark::new("the two points make no line: they differ in both numbers");
        section.sink.error(&second.span, remark);
        return None;
    }
    let line = Transfer::Linear(Linear { scale, offset });
    Some(Step::new(section, within?.into_iter().chain([line]).collect()))
}

fn polynomial(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let within = within(section);
    let coefficients = numbers(section, "coefficients")?;
    let count = coefficients.value.len();
    if !(2..=CALIBRATION_COEFFICIENTS_MAX).contains(&count) {
        let title =
            format!("{count} coefficients, where 2 to {CALIBRATION_COEFFICIENTS_MAX} can be");
        section.sink.error(&coefficients.span, Remark::new(title));
        return None;
    }
    if coefficients.value[1..].iter().all(|coefficient| *coefficient == 0.0) {
        let remark = Remark::new("all coefficients but the first are 0: every value would be it");
        section.sink.error(&coefficients.span, remark);
        return None;
    }
    let curve = Transfer::Polynomial(coefficients.value.into());
    Some(Step::new(section, within?.into_iter().chain([curve]).collect()))
}

fn table(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let words =
        [("fail", Outside::Fail), ("clamp", Outside::Clamp), ("extrapolate", Outside::Extrapolate)];
    let outside = match section.has("outside") {
        true => section.choice("outside", &words).map(|found| found.value),
        false => Some(Outside::Fail),
    };
    let points = points(section)?;
    let pairs = points.value.iter().map(|point| point.value).collect();
    match Table::new(pairs, outside?) {
        Ok(table) => Some(Step::new(section, vec![Transfer::Table(table)])),
        Err(error) => {
            let count = points.value.len();
            let (span, remark) = match error {
                TableError::Count => {
                    let title =
                        format!("{count} points, where 2 to {CALIBRATION_POINTS_MAX} can be");
                    (&points.span, Remark::new(title))
                }
                TableError::Turns(at) => {
                    let raw = points.value[at].value.0;
                    let title = format!("the raw value {raw} turns back");
                    let help = "raw values rise from point to point, or fall from point to point";
                    (&points.value[at].span, Remark::new(title).help(help))
                }
                TableError::Steep(at) => {
                    let remark = Remark::new("the line to this point is too steep for a number");
                    (&points.value[at].span, remark)
                }
            };
            section.sink.error(span, remark);
            None
        }
    }
}

fn counter(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let range = counter_range(section);
    let gives = [("increment", Gives::Increment), ("total", Gives::Total), ("rate", Gives::Rate)];
    let gives = match section.has("gives") {
        true => section.choice("gives", &gives).map(|found| found.value),
        false => Some(Gives::Increment),
    };
    let words = [("from-zero", OnReset::FromZero), ("unknown", OnReset::Unknown)];
    let on_reset = match section.has("on_reset") {
        true => section.choice("on_reset", &words).map(|found| found.value),
        false => Some(OnReset::FromZero),
    };
    let (modulus, wrap_max) = range?;
    let counter = Counter { modulus, wrap_max, gives: gives?, on_reset: on_reset? };
    let step = Step::new(section, vec![Transfer::Counter(counter)]);
    Some(Step { counts: true, ..step })
}

/// Where a counter goes over to 0, and the largest step that does so; `None` is an error.
pub(in crate::config) fn counter_range(section: &Section<'_>) -> Option<(Option<f64>, f64)> {
    let modulus = modulus(section)?;
    let wrap_max = match (modulus, section.key_span("wrap_max")) {
        (None, Some(span)) => {
            let remark = Remark::new("`wrap_max` has no effect without `width` or `modulus`");
            section.sink.error(&span, remark);
            return None;
        }
        (None, None) => 0.0,
        (Some(modulus), None) => modulus / 2.0,
        (Some(modulus), Some(_)) => section.number("wrap_max", 0.0..=modulus)?.value,
    };
    Some((modulus, wrap_max))
}

/// Where the counter goes over to 0: the outer `None` is an error.
fn modulus(section: &Section<'_>) -> Option<Option<f64>> {
    match (section.has("width"), section.key_span("modulus")) {
        (true, Some(span)) => {
            let remark = Remark::new("`modulus` has no effect beside `width`");
            section.sink.error(&span, remark.help("2 to the power of the width is the modulus"));
            None
        }
        (true, None) => {
            let width = section.integer("width", 8..=64)?;
            if ![8, 16, 24, 32, 48, 64].contains(&width.value) {
                let title = format!("no counter is {} bits wide", width.value);
                let help = "8, 16, 24, 32, 48 or 64; for any other, give its `modulus`";
                section.sink.error(&width.span, Remark::new(title).help(help));
                return None;
            }
            Some(Some(2_f64.powi(width.value as i32)))
        }
        (false, Some(_)) => positive(section, "modulus", None).map(Some),
        (false, None) => Some(None),
    }
}

fn inner_chain(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let remark = Remark::new("a step is no chain itself");
    section.sink.error(&section.span, remark.help("put its steps in the place of it"));
    None
}

fn circular(section: &Section<'_>, _: &Places<'_>) -> Option<Step> {
    let (offset, turn) =
        (number_or(section, "offset", 0.0), positive(section, "turn", Some(360.0)));
    let transfer = Transfer::Circular { offset: offset?, turn: turn? };
    Some(Step::new(section, vec![transfer]))
}
