//! `qc`: the tests of a channel, and what cannot be meant.

use super::*;
use crate::engine::qc::{
    attenuated::Spread,
    bounds::{Span, Spans, Thresholds},
    climatology::Season,
    plan::{Depth, QcPlan},
    spike::Method,
};

fn with(qc: &str) -> String {
    format!(
        "{TEXT}[[channel]]\nid = \"t\"\nsource = \"bench\"\nfield = \"t\"\nunit = \"[degF]\"\n\
         expected_rate = 2\nlateness = \"500ms\"\nqc = {{ {qc} }}\n\
         [[channel]]\nid = \"other\"\nsource = \"bench\"\nfield = \"o\"\n"
    )
}

fn plan(qc: &str) -> QcPlan {
    let config = good(&with(qc));
    QcPlan::clone(config.plan.channels[0].qc.as_ref().expect("tests"))
}

#[test]
fn bounds_convert_as_points_and_as_differences() {
    let all = plan(
        "unit = \"Cel\", gross_range = { fail = [-10, 100] }, spike = { suspect = 5 }, \
         rate_of_change = { fail = 60, per = \"1m\" }, flat_line = { tolerance = 0.5, fail = \"1h\" }",
    );
    let fail = Some(Span { min: 14.0, max: 212.0 });
    assert_eq!(all.gross_range, Some(Spans { fail, suspect: None }));
    let near = |got: Option<f64>, wanted: f64| (got.expect("a bound") - wanted).abs() < 1e-12;
    assert!(near(all.spike.expect("a test").thresholds.suspect, 9.0));
    assert!(near(all.rate_of_change.expect("a test").fail, 1.8));
    assert!(near(all.flat_line.map(|flat| flat.tolerance), 0.9));
}

#[test]
fn every_test_has_its_keys() {
    let all = plan(
        "spike = { method = \"differential\", suspect = 1, fail = 2 }, \
         attenuated = { spread = \"range\", period = \"1h\", suspect = 2, fail = 1, min_readings = 5 }, \
         gap = { suspect = \"2s\", fail = \"1m\" }, \
         climatology = { depth_channel = \"other\", members = [{ months = [11, 2], fail = [0, 9], depth = [1, 2] }] }, \
         multi_variate = { channel = \"other\", rate = 2, other_rate = 1, per = \"2s\" }, \
         neighbour = { channel = \"other\", suspect = 3 }",
    );
    assert_eq!(all.spike.expect("a test").method, Method::Differential);
    let attenuated = all.attenuated.expect("a test");
    assert_eq!((attenuated.spread, attenuated.readings_min), (Spread::Range, 5));
    assert_eq!(all.gap, Some(Thresholds { suspect: Some(2.0), fail: Some(60.0) }));
    let climatology = all.climatology.as_ref().expect("a test");
    assert_eq!(climatology.members[0].season, Season::Months(11, 2));
    assert!(
        matches!(&climatology.depth, Some(Depth::Measured(partner)) if &*partner.id == "other")
    );
    let multi = all.multi_variate.as_ref().expect("a test");
    assert_eq!((multi.rate, multi.partner_rate), (1.0, 0.5));
    assert_eq!(all.partners().count(), 3);
}

#[test]
fn what_cannot_be_meant_is_named() {
    let cases = [
        ("gross_range = { fail = [0, 10], suspect = [5, 20] }", "does not lie within `fail`"),
        ("gross_range = { fail = [10, 0] }", "`fail` is no range"),
        ("gross_range = { }", "needs `fail` or `suspect`"),
        ("spike = { suspect = 5, fail = 2 }", "never be suspect before"),
        ("attenuated = { period = \"1h\", suspect = 1, fail = 2 }", "never be suspect before"),
        ("flat_line = { tolerance = 0, fail = \"1h\" }", "finds nothing"),
        ("flat_line = { tolerance = 1, fail = \"1s\", suspect = \"2s\" }", "never be suspect"),
        ("neighbour = { channel = \"othr\", suspect = 1 }", "did you mean \"other\"?"),
        ("climatology = { members = [{ suspect = [0, 1] }] }", "does not say when it holds"),
        ("climatology = { members = [{ months = [0, 3], fail = [0, 1] }] }", "no part of the year"),
        (
            "climatology = { members = [{ months = [1, 3], weeks = [1, 2], fail = [0, 1] }] }",
            "say twice",
        ),
        ("unit = \"bar\", gross_range = { fail = [0, 1] }", "do not fit the channel"),
        ("spikes = { fail = 1 }", "did you mean `spike`"),
    ];
    for (qc, words) in cases {
        let errors = bad(&with(qc));
        assert!(errors.contains(words), "{qc}: {errors}");
    }
}

#[test]
fn a_verdict_that_may_come_too_late_is_warned_of() {
    let warned = |lateness: &str| {
        let text = with("spike = { fail = 1 }");
        let text = text.replace("lateness = \"500ms\"", &format!("lateness = \"{lateness}\""));
        let loaded = parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
        let spike = |line: String| line.contains("`spike` judges a reading by the one after it");
        loaded.warnings.lines().any(spike)
    };
    assert!(warned("400ms"));
    assert!(!warned("500ms"));
}

/// Of the tables that have tests, the nearest to a channel counts, and no other.
#[test]
fn tests_of_the_defaults_hold_until_a_pattern_or_the_channel_has_its_own() {
    let channel = |id: &str, qc: &str| {
        format!("[[channel]]\nid = \"{id}\"\nsource = \"bench\"\nfield = \"{id}\"\n{qc}\n")
    };
    let text = format!(
        "[defaults]\nqc = {{ gap = {{ fail = \"1s\" }} }}\n{TEXT}unknown = \"discover\"\n\
         [[pattern]]\nmatch = \"*spiky\"\nqc = {{ spike = {{ suspect = 1 }} }}\n\
         [[pattern]]\nmatch = \"*.free\"\nqc = {{}}\n[[pattern]]\nmatch = \"*.named\"\nunit = \"K\"\n\
         {}{}{}{}",
        channel("plain", ""),
        channel("spiky", ""),
        channel("own", "qc = { neighbour = { channel = \"plain\", fail = 1 } }"),
        channel("none", "qc = {}"),
    );
    let config = good(&text);
    let tests = |qc: &Option<std::sync::Arc<QcPlan>>| {
        let all = qc.as_deref().cloned().unwrap_or_default();
        (all.gap.is_some(), all.spike.is_some(), all.neighbour.is_some())
    };
    let (gap, spike, neighbour) =
        ((true, false, false), (false, true, false), (false, false, true));
    let got: Vec<_> = config.plan.channels.iter().map(|channel| tests(&channel.qc)).collect();
    assert_eq!(got, [gap, spike, neighbour, (false, false, false)]);
    let source = &config.plan.sources[0];
    assert_eq!(tests(&source.qc), gap, "found channels have them too");
    let patterns: Vec<_> = source.patterns.iter().map(|pattern| tests(&pattern.qc)).collect();
    assert_eq!(patterns, [spike, (false, false, false), gap]);
    assert!(source.discovered.statistics.trust && !source.patterns[1].rules.statistics.trust);
}

#[test]
fn what_the_defaults_name_must_be_there() {
    let defaults = "[defaults]\nqc = { neighbour = { channel = \"nobody\", fail = 1 } }\n";
    assert!(bad(&format!("{defaults}{}", with("gap = { fail = \"1s\" }"))).contains("nobody"));
}

#[test]
fn tests_that_take_what_is_no_quantity_for_one_are_warned_of() {
    let warned = |kind: &str| {
        let tests = "gap = { fail = \"1s\" }, rate_of_change = { fail = 1 }, \
                     gross_range = { fail = [0, 360] }, attenuated = { period = \"1h\", fail = 1 }";
        let text = with(tests).replace("unit = \"[degF]\"", kind);
        let loaded = parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
        let all = loaded.warnings.lines().filter(|line| line.contains("for quantities"));
        all.map(|line| line.split('`').nth(1).expect("a test").to_owned()).collect::<Vec<_>>()
    };
    let both = ["rate_of_change", "attenuated"];
    assert_eq!(warned("kind = \"circular\""), both);
    assert_eq!(warned("kind = \"state\"\nstates = [\"shut\", \"open\"]"), both);
    assert!(warned("").is_empty() && warned("kind = \"counter\"").is_empty());
}

#[test]
fn a_neighbour_is_converted_and_must_measure_the_same() {
    let neighbour = |unit: &str| {
        let text = with("neighbour = { channel = \"other\", suspect = 1 }");
        text.replace("field = \"o\"", &format!("field = \"o\"\n{unit}"))
    };
    let plan = good(&neighbour("unit = \"Cel\"")).plan.channels[0].qc.clone().expect("tests");
    let conversion = plan.neighbour.as_ref().expect("a neighbour").conversion;
    assert!((conversion.point(20.0) - 68.0).abs() < 1e-9, "{conversion:?}");
    let of_bar = bad(&neighbour("unit = \"bar\""));
    assert!(of_bar.contains("the neighbour \"other\" measures something else"), "{of_bar}");
    let itself = bad(&with("neighbour = { channel = \"t\", suspect = 1 }"));
    assert!(itself.contains("the channel \"t\" would be held against itself"), "{itself}");
    let itself = bad(&with("multi_variate = { channel = \"t\", rate = 1, other_rate = 1 }"));
    assert!(itself.contains("would be held against itself"), "{itself}");
}

/// The freezing and the boiling point in kelvin are bounds that these points are within.
#[test]
fn converted_bounds_are_the_decimals_that_people_mean() {
    let all =
        plan("unit = \"K\", gross_range = { fail = [273.15, 373.15], suspect = [300, 310.5] }");
    let fail = Some(Span { min: 32.0, max: 212.0 });
    let suspect = Some(Span { min: 80.33, max: 99.23 });
    assert_eq!(all.gross_range, Some(Spans { fail, suspect }));
}

#[test]
fn a_spike_without_patience_is_warned_of_where_no_rate_is_known() {
    let warned = |lateness: &str| {
        let text = with("spike = { fail = 1 }").replace("expected_rate = 2\n", "");
        let text = text.replace("lateness = \"500ms\"", &format!("lateness = \"{lateness}\""));
        let loaded = parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
        loaded.warnings.lines().any(|line| line.contains("and `lateness` is 0s"))
    };
    assert!(warned("0s") && !warned("1ms"));
}
