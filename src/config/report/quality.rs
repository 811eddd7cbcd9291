//! The quality tests of a channel, in words.

use std::fmt::Display;

use crate::engine::{
    duration::Nanoseconds,
    qc::{
        attenuated::{Attenuated, Spread},
        bounds::{Span, Spans, Thresholds},
        flat_line::FlatLine,
        plan::{Climatology, Depth, MultiVariate, Neighbour, Partner, QcPlan},
        spike::{Method, Spike},
    },
};

/// The tests of a channel with their bounds, in the unit that it publishes.
pub(super) fn of(qc: &QcPlan) -> String {
    let QcPlan {
        gross_range,
        spike,
        rate_of_change,
        flat_line,
        attenuated,
        gap,
        climatology,
        multi_variate,
        neighbour,
    } = qc;
    let tests = [
        gross_range.as_ref().map(|all| format!("gross_range {}", spans(all))),
        spike.as_ref().map(spiked),
        rate_of_change.map(|all| format!("rate_of_change a second {}", thresholds(&all, "above"))),
        flat_line.as_ref().map(flat),
        attenuated.as_ref().map(attenuation),
        gap.map(|all| format!("gap in seconds {}", thresholds(&all, "above"))),
        climatology.as_ref().map(seasons),
        multi_variate.as_ref().map(together),
        neighbour.as_ref().map(near),
    ];
    let tests: Vec<String> = tests.into_iter().flatten().collect();
    tests.join("; ")
}

/// What fails and what is suspect, where there are such bounds.
fn both<T>(
    (fail, suspect): (Option<T>, Option<T>),
    word: &str,
    shown: impl Fn(T) -> String,
) -> String {
    let told = [("suspect", suspect), ("fail", fail)]
        .into_iter()
        .filter_map(|(flag, bound)| bound.map(|bound| format!("{flag} {word} {}", shown(bound))));
    told.collect::<Vec<_>>().join(", ")
}

fn spans(all: &Spans) -> String {
    both((all.fail, all.suspect), "outside", range)
}

fn range(Span { min, max }: Span) -> String {
    format!("{min} to {max}")
}

fn thresholds(all: &Thresholds, word: &str) -> String {
    both((all.fail, all.suspect), word, |bound| bound.to_string())
}

fn spiked(Spike { method, thresholds: all }: &Spike) -> String {
    let method = match method {
        Method::Average => "average",
        Method::Differential => "differential",
    };
    format!("spike by {method} {}", thresholds(all, "above"))
}

fn flat(FlatLine { tolerance, suspect_ns, fail_ns, except }: &FlatLine) -> String {
    let times = both((*fail_ns, *suspect_ns), "after", |ns| Nanoseconds(ns).to_string());
    let except = except.map_or(String::new(), |span| format!(", except {}", range(span)));
    format!("flat_line within {tolerance} {times}{except}")
}

fn attenuation(test: &Attenuated) -> String {
    let Attenuated { spread, thresholds: all, period_ns, readings_min, time_min_ns } = test;
    let spread = match spread {
        Spread::Range => "range",
        Spread::Stddev => "stddev",
    };
    let period = Nanoseconds(*period_ns);
    let bounds = thresholds(all, "below");
    let least = Nanoseconds(*time_min_ns);
    format!("attenuated {spread} of {period} {bounds}, from {readings_min} readings over {least}")
}

fn seasons(Climatology { members, depth }: &Climatology) -> String {
    let depth: Option<&dyn Display> = match depth {
        Some(Depth::Fixed(depth)) => Some(depth),
        Some(Depth::Measured(partner)) => Some(&partner.id),
        None => None,
    };
    let depth = depth.map_or(String::new(), |depth| format!(" at depth {depth}"));
    format!("climatology of {}{depth}", members.len())
}

fn together(MultiVariate { partner, rate, partner_rate }: &MultiVariate) -> String {
    format!("multi_variate above {rate} a second, {} up to {partner_rate}", other(partner))
}

fn near(Neighbour { partner, thresholds: all, .. }: &Neighbour) -> String {
    format!("neighbour {} {}", other(partner), thresholds(all, "above"))
}

fn other(Partner { id, age_max_ns }: &Partner) -> String {
    format!("{id} at most {} away", Nanoseconds(*age_max_ns))
}
