//! `qc = { … }`: the quality tests that a channel's readings are judged by.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use toml::{Spanned, de::DeValue};

use super::{
    errors::Remark,
    keys,
    qc_season::season,
    reader::{Found, Section, number_of},
    value::{Code, code},
};
use crate::{
    engine::{
        duration::Nanoseconds,
        qc::{
            attenuated::{Attenuated, Spread},
            bounds::{Span, Spans, Thresholds},
            climatology::Member,
            flat_line::FlatLine,
            plan::{Climatology, Depth, MultiVariate, Neighbour, Partner, QcPlan},
            spike::{Method, Spike},
        },
        statistics::Kind,
        unit::Conversion,
    },
    limits::{CLIMATOLOGY_MEMBERS_MAX, MS, SECOND, VALUE_ABS_MAX, WINDOW_MAX_NS},
};

/// How old a value of another channel may be where nothing is said.
const AGE_MAX_NS: i64 = 60 * SECOND;
/// Readings that a period must hold to be judged by how they vary.
const READINGS_MIN: u64 = 10;
const VALUES: RangeInclusive<f64> = -VALUE_ABS_MAX..=VALUE_ABS_MAX;
const MAGNITUDES: RangeInclusive<f64> = 0.0..=VALUE_ABS_MAX;
const TIMES: RangeInclusive<i64> = MS..=WINDOW_MAX_NS;

/// The channels that tests name, and where.
type Others = Vec<Found<Arc<str>>>;

/// The tests that one table gives, with bounds as they are written.
#[derive(Clone, Debug)]
pub(super) struct QcKeys {
    plan: QcPlan,
    unit: Option<Found<Code>>,
    /// The channels that it names.
    others: Others,
    span: Range<usize>,
}

impl QcKeys {
    /// Reads `qc` of `[defaults]`, a pattern or a channel.
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let qc = section.section("qc", "`qc`", keys::QC)?;
        let mut others = Vec::new();
        let plan = QcPlan {
            gross_range: gross_range(&qc),
            spike: spike(&qc),
            rate_of_change: rate_of_change(&qc),
            flat_line: flat_line(&qc),
            attenuated: attenuated(&qc),
            gap: gap(&qc),
            climatology: climatology(&qc, &mut others),
            multi_variate: multi_variate(&qc, &mut others),
            neighbour: neighbour(&qc, &mut others),
        };
        Some(Self { plan, unit: code(&qc, "unit"), others, span: qc.span.clone() })
    }

    /// The other channels that the tests name, and where.
    pub(super) fn others(&self) -> &[Found<Arc<str>>] {
        &self.others
    }

    /// The tests with bounds in the channel's published unit; `None` for no test.
    pub(super) fn resolve(
        &self,
        unit: Option<&Code>,
        section: &Section<'_>,
    ) -> Option<Arc<QcPlan>> {
        let mut plan = self.plan.clone();
        if let Some(from) = &self.unit {
            match unit.map(|to| Conversion::between(&from.value.unit, &to.unit)) {
                Some(Ok(conversion)) => convert(&mut plan, &conversion),
                Some(Err(error)) => {
                    let title = format!("the bounds of `qc` do not fit the channel: {error}");
                    section.sink.error(&from.span, Remark::new(title));
                }
                None => {
                    let remark = Remark::new("`unit` of `qc` has no effect without the channel's");
                    let help = "name the unit of the channel with `unit`";
                    section.sink.missing(&from.span, remark.help(help));
                }
            }
        }
        (!plan.is_empty()).then(|| Arc::new(plan))
    }

    /// Warns of tests that take values of this kind for what they are not.
    pub(super) fn check_kind(&self, kind: &Kind, section: &Section<'_>) {
        let QcPlan { spike, rate_of_change, attenuated, multi_variate, neighbour, .. } = &self.plan;
        let tests = [
            (spike.is_some(), "spike"),
            (rate_of_change.is_some(), "rate_of_change"),
            (attenuated.is_some(), "attenuated"),
            (multi_variate.is_some(), "multi_variate"),
            (neighbour.is_some(), "neighbour"),
        ];
        let (what, help) = match kind {
            Kind::Scalar | Kind::Counter(_) => return,
            Kind::Circular { .. } => (
                "directions",
                "from 359 to 1 is a change by 358 to it: `gap`, `flat_line` and \
                                `gross_range` suit directions",
            ),
            Kind::State(_) => (
                "numbers of states",
                "how far apart the numbers are means nothing: `gap`, \
                                       `flat_line` and `gross_range` suit states",
            ),
        };
        for (_, test) in tests.into_iter().filter(|(is_there, _)| *is_there) {
            let title = format!("`{test}` takes differences of {what} for quantities");
            section.sink.warn(&self.span, Remark::new(title).help(help));
        }
    }

    /// Warns of a test whose verdict may come too late.
    pub(super) fn check_patience(
        &self,
        lateness_ns: i64,
        expected_rate: Option<f64>,
        section: &Section<'_>,
    ) {
        if self.plan.spike.is_none() {
            return;
        }
        let Some(interval_ns) = expected_rate.map(|rate| (SECOND as f64 / rate) as i64) else {
            if lateness_ns == 0 {
                let remark = Remark::new(
                    "`spike` judges a reading by the one after it, and `lateness` is 0s",
                );
                let help = "where other readings of the source come in between, there is no \
                            verdict: set `lateness` to the time between two readings of the \
                            channel, and `expected_rate`, so that this can be checked";
                section.sink.warn(&self.span, remark.help(help));
            }
            return;
        };
        if interval_ns <= lateness_ns {
            return;
        }
        let (lateness, interval) = (Nanoseconds(lateness_ns), Nanoseconds(interval_ns));
        let title = format!(
            "`spike` judges a reading by the one after it, which comes {interval} later, and \
             `lateness` is {lateness}"
        );
        let help = format!(
            "where other readings of the source come in between, a pane closes before the \
             verdict, and its readings enter without it: set `lateness` to {interval} or more"
        );
        section.sink.warn(&self.span, Remark::new(title).help(help));
    }
}

/// Points and differences are converted differently: 2 Cel are 35.6 °F, 2 K are 3.6 °F.
fn convert(plan: &mut QcPlan, conversion: &Conversion) {
    let point = |value: f64| {
        let (turned, shift) = (value * conversion.factor, conversion.offset);
        to_digits(turned + shift, turned.abs().max(shift.abs()))
    };
    let between = |Span { min, max }: &mut Span| {
        // A factor below zero turns them round.
        let ends = [point(*min), point(*max)];
        (*min, *max) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
    };
    let spans = |spans: &mut Spans| {
        [&mut spans.fail, &mut spans.suspect].into_iter().flatten().for_each(between);
    };
    let difference = |value: &mut f64| *value *= conversion.factor.abs();
    let thresholds = |all: &mut Thresholds| {
        [&mut all.fail, &mut all.suspect].into_iter().flatten().for_each(difference);
    };
    plan.gross_range.iter_mut().for_each(spans);
    plan.spike.iter_mut().for_each(|spike| thresholds(&mut spike.thresholds));
    plan.rate_of_change.iter_mut().for_each(thresholds);
    if let Some(flat) = &mut plan.flat_line {
        difference(&mut flat.tolerance);
        flat.except.iter_mut().for_each(between);
    }
    plan.attenuated.iter_mut().for_each(|test| thresholds(&mut test.thresholds));
    plan.neighbour.iter_mut().for_each(|test| thresholds(&mut test.thresholds));
    plan.multi_variate.iter_mut().for_each(|test| difference(&mut test.rate));
    if let Some(climatology) = &mut plan.climatology {
        let mut members = climatology.members.to_vec();
        members.iter_mut().for_each(|member| spans(&mut member.spans));
        climatology.members = members.into();
    }
}

/// A value that comes of terms up to this size, without what is lost in their last digits: bounds
/// are decimals that people write, and a value at one is inside.
fn to_digits(value: f64, largest: f64) -> f64 {
    const DIGITS: f64 = 12.0;
    if !largest.is_normal() {
        return value;
    }
    let places = (DIGITS - largest.log10().floor()).clamp(0.0, 300.0) as usize;
    format!("{value:.places$}").parse().unwrap_or(value)
}

fn gross_range(qc: &Section<'_>) -> Option<Spans> {
    let test = qc.section("gross_range", "`gross_range`", keys::BOUNDS)?;
    spans(&test)
}

/// `fail` and `suspect`, of which at least one is there and the latter lies in the former.
fn spans(test: &Section<'_>) -> Option<Spans> {
    require_one(test, "[-20, 150]")?;
    let (fail, suspect) = (span(test, "fail"), span(test, "suspect"));
    if let (Some(outer), Some(inner)) = (&fail, &suspect)
        && !(outer.value.contains(inner.value.min) && outer.value.contains(inner.value.max))
    {
        let remark = Remark::new("`suspect` does not lie within `fail`");
        let help = "values outside of `suspect` are suspect, those outside of `fail` fail";
        test.sink.error(&inner.span, remark.help(help));
    }
    let value = |found: Option<Found<Span>>| found.map(|found| found.value);
    Some(Spans { fail: value(fail), suspect: value(suspect) })
}

fn span(test: &Section<'_>, key: &'static str) -> Option<Found<Span>> {
    let list = test.array(key)?;
    let numbers: Option<Vec<f64>> =
        list.value.iter().map(|item: &Spanned<DeValue<'_>>| number_of(item.get_ref())).collect();
    match numbers.as_deref() {
        Some(&[min, max]) if min <= max && VALUES.contains(&min) && VALUES.contains(&max) => {
            Some(Found { value: Span { min, max }, span: list.span })
        }
        _ => {
            let remark = Remark::new(format!("`{key}` is no range"));
            let help = "write the smallest and the largest value: [-20, 150]";
            test.sink.error(&list.span, remark.help(help));
            None
        }
    }
}

fn require_one(test: &Section<'_>, example: &str) -> Option<()> {
    if !test.has("fail") && !test.has("suspect") {
        let remark = Remark::new(format!("{} needs `fail` or `suspect`", test.name));
        test.sink.missing(&test.span, remark.help(format!("add `suspect = {example}`")));
        return None;
    }
    Some(())
}

/// Which of `suspect` and `fail` is reached first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// What is too large: `suspect` is the smaller.
    Above,
    /// What is too small: `suspect` is the larger.
    Below,
}

fn thresholds(test: &Section<'_>, order: Order) -> Option<Thresholds> {
    require_one(test, "2.0")?;
    let (fail, suspect) = (test.number("fail", MAGNITUDES), test.number("suspect", MAGNITUDES));
    if let (Some(fail), Some(suspect)) = (&fail, &suspect)
        && (fail.value < suspect.value) == (order == Order::Above)
        && fail.value != suspect.value
    {
        let remark = Remark::new("what fails would never be suspect before");
        let word = if order == Order::Above { "above" } else { "below" };
        let help = format!("`fail` is {word} `suspect`");
        test.sink.error(&suspect.span, remark.help(help));
    }
    let value = |found: Option<Found<f64>>| found.map(|found| found.value);
    Some(Thresholds { fail: value(fail), suspect: value(suspect) })
}

fn spike(qc: &Section<'_>) -> Option<Spike> {
    let test = qc.section("spike", "`spike`", keys::SPIKE)?;
    let words = [("average", Method::Average), ("differential", Method::Differential)];
    let method = test.choice("method", &words).map_or_else(Method::default, |found| found.value);
    Some(Spike { method, thresholds: thresholds(&test, Order::Above)? })
}

/// Divides what is given for a time by its seconds.
fn per_second(test: &Section<'_>) -> f64 {
    let per_ns = test.duration("per", TIMES).map_or(SECOND, |found| found.value);
    SECOND as f64 / per_ns as f64
}

fn rate_of_change(qc: &Section<'_>) -> Option<Thresholds> {
    let test = qc.section("rate_of_change", "`rate_of_change`", keys::RATE_OF_CHANGE)?;
    let scale = per_second(&test);
    let Thresholds { fail, suspect } = thresholds(&test, Order::Above)?;
    let scaled = |value: Option<f64>| value.map(|value| value * scale);
    Some(Thresholds { fail: scaled(fail), suspect: scaled(suspect) })
}

fn flat_line(qc: &Section<'_>) -> Option<FlatLine> {
    let test = qc.section("flat_line", "`flat_line`", keys::FLAT_LINE)?;
    test.require("tolerance", "0.01");
    let tolerance = test.number("tolerance", MAGNITUDES);
    if let Some(found) = tolerance.as_ref().filter(|found| found.value == 0.0) {
        let remark = Remark::new("a `tolerance` of 0 finds nothing");
        let help = "values are the same if they differ by less: name the smallest step that the \
                    sensor shows";
        test.sink.error(&found.span, remark.help(help));
    }
    let (suspect_ns, fail_ns) = times(&test)?;
    let except = span(&test, "except").map(|found| found.value);
    Some(FlatLine { tolerance: tolerance?.value, suspect_ns, fail_ns, except })
}

/// `suspect` and `fail` as times, of which at least one is there and the latter is the longer.
fn times(test: &Section<'_>) -> Option<(Option<i64>, Option<i64>)> {
    require_one(test, "\"10m\"")?;
    let (suspect, fail) = (test.duration("suspect", TIMES), test.duration("fail", TIMES));
    if let (Some(suspect), Some(fail)) = (&suspect, &fail)
        && fail.value < suspect.value
    {
        let remark = Remark::new("what fails would never be suspect before");
        test.sink.error(&suspect.span, remark.help("`fail` is longer than `suspect`"));
    }
    let value = |found: Option<Found<i64>>| found.map(|found| found.value);
    Some((value(suspect), value(fail)))
}

fn attenuated(qc: &Section<'_>) -> Option<Attenuated> {
    let test = qc.section("attenuated", "`attenuated`", keys::ATTENUATED)?;
    test.require("period", "\"1h\"");
    let words = [("stddev", Spread::Stddev), ("range", Spread::Range)];
    let spread = test.choice("spread", &words).map_or_else(Spread::default, |found| found.value);
    let period = test.duration("period", TIMES);
    let least = test.integer("min_readings", 1..=i64::from(u32::MAX));
    let period_ns = period?.value;
    let shortest = test.duration("min_period", 0..=period_ns);
    Some(Attenuated {
        spread,
        thresholds: thresholds(&test, Order::Below)?,
        period_ns,
        readings_min: least.map_or(READINGS_MIN, |found| found.value as u64),
        time_min_ns: shortest.map_or(period_ns / 2, |found| found.value),
    })
}

fn gap(qc: &Section<'_>) -> Option<Thresholds> {
    let test = qc.section("gap", "`gap`", keys::BOUNDS)?;
    let (suspect_ns, fail_ns) = times(&test)?;
    let seconds = |ns: Option<i64>| ns.map(|ns| ns as f64 / SECOND as f64);
    Some(Thresholds { fail: seconds(fail_ns), suspect: seconds(suspect_ns) })
}

fn climatology(qc: &Section<'_>, others: &mut Others) -> Option<Climatology> {
    let test = qc.section("climatology", "`climatology`", keys::CLIMATOLOGY)?;
    test.require("members", "[{ months = [6, 8], suspect = [5, 35] }]");
    let members = test.sections("members", "a member of `climatology`", keys::MEMBER);
    if CLIMATOLOGY_MEMBERS_MAX < members.len() {
        let title = format!("{} members, more than {CLIMATOLOGY_MEMBERS_MAX}", members.len());
        test.sink.error(&test.span, Remark::new(title));
        return None;
    }
    let members: Vec<Option<Member>> = members.iter().map(member).collect();
    let fixed = test.number("depth", VALUES).map(|found| Depth::Fixed(found.value));
    if let Some(span) = test.key_span("depth").filter(|_| test.has("depth_channel")) {
        let remark = Remark::new("`depth` and `depth_channel` are two depths");
        test.sink.error(&span, remark.help("keep one of them"));
    }
    let measured = partner(&test, "depth_channel", others).map(Depth::Measured);
    let members: Vec<Member> = members.into_iter().collect::<Option<_>>()?;
    Some(Climatology { members: members.into(), depth: fixed.or(measured) })
}

fn member(member: &Section<'_>) -> Option<Member> {
    let season = season(member);
    let depth = span(member, "depth").map(|found| found.value);
    Some(Member { season: season?, depth, spans: spans(member)? })
}

/// The channel that a test names under this key, if it does; `others` takes note of it.
fn partner(test: &Section<'_>, key: &'static str, others: &mut Others) -> Option<Partner> {
    let id: Found<Arc<str>> = test.text(key)?.map(Arc::from);
    let age_max_ns = test.duration("max_age", TIMES).map_or(AGE_MAX_NS, |found| found.value);
    others.push(id.clone());
    Some(Partner { id: id.value, age_max_ns })
}

/// The channel without which a test is none.
fn needed_partner(test: &Section<'_>, others: &mut Others) -> Option<Partner> {
    test.require("channel", "\"mast.temperature_2\"");
    partner(test, "channel", others)
}

fn multi_variate(qc: &Section<'_>, others: &mut Others) -> Option<MultiVariate> {
    let test = qc.section("multi_variate", "`multi_variate`", keys::MULTI_VARIATE)?;
    test.require("rate", "0.5");
    test.require("other_rate", "0.1");
    let scale = per_second(&test);
    let partner = needed_partner(&test, others);
    let rate = test.number("rate", MAGNITUDES);
    let other = test.number("other_rate", MAGNITUDES);
    Some(MultiVariate {
        partner: partner?,
        rate: rate?.value * scale,
        partner_rate: other?.value * scale,
    })
}

fn neighbour(qc: &Section<'_>, others: &mut Others) -> Option<Neighbour> {
    let test = qc.section("neighbour", "`neighbour`", keys::NEIGHBOUR)?;
    let partner = needed_partner(&test, others);
    let thresholds = thresholds(&test, Order::Above)?;
    // Which unit the other has is known when all channels are.
    Some(Neighbour { thresholds, partner: partner?, conversion: Conversion::IDENTITY })
}
