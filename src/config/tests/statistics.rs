//! Kinds of channels, and what their summaries say besides.

use super::*;
use crate::engine::{
    Rules,
    statistics::{Kind, Statistics, counter::Range, hold::Course, plan::Grades},
};

fn with(defaults: &str, keys: &str) -> String {
    format!(
        "[defaults]\n{defaults}\n{TEXT}[[channel]]\nid = \"t\"\nsource = \"bench\"\nfield = \"t\"\n{keys}\n"
    )
}

fn rules(defaults: &str, keys: &str) -> Rules {
    good(&with(defaults, keys)).plan.channels[0].rules.clone()
}

fn statistics(keys: &str) -> Statistics {
    rules("", keys).statistics
}

#[test]
fn nothing_is_kept_that_nobody_asks_for() {
    let nothing = statistics("");
    assert!(!nothing.is_kept() && nothing.details() == 0 && nothing.reach_ns() == 0);
    assert_eq!(nothing.grades, Grades::DEFAULT);
    assert!(!statistics("rms = true").is_kept(), "it follows from what panes have");
    assert!(!statistics("trust = false\nqc = { gross_range = { fail = [0, 1] } }").is_kept());
    assert!(statistics("qc = { gross_range = { fail = [0, 1] } }").trust);
}

#[test]
fn each_kind_has_its_keys() {
    let kind = |keys: &str| statistics(keys).kind;
    assert_eq!(kind("kind = \"circular\""), Kind::Circular { turn: 360.0 });
    assert_eq!(kind("kind = \"circular\"\nunit = \"gon\""), Kind::Circular { turn: 400.0 });
    let Kind::Circular { turn } = kind("kind = \"circular\"\nunit = \"rad\"") else { panic!() };
    assert!((turn - std::f64::consts::TAU).abs() < 1e-14);
    let range = |modulus, wrap_max| Kind::Counter(Range { modulus, wrap_max });
    assert_eq!(kind("kind = \"counter\""), range(None, 0.0));
    assert_eq!(kind("kind = \"counter\"\nwidth = 16"), range(Some(65_536.0), 32_768.0));
    let own = kind("kind = \"counter\"\nmodulus = 1000\nwrap_max = 10");
    assert_eq!(own, range(Some(1_000.0), 10.0));
    let named = kind("kind = \"state\"\nstates = [\"off\", \"on\"]");
    assert_eq!(named, Kind::State(["off".into(), "on".into()].into()));
}

#[test]
fn what_is_no_quantity_has_no_percentiles_and_none_of_what_only_quantities_have() {
    let all =
        "interpolation = \"linear\"\nrms = true\newma = \"1m\"\ngust = true\nallan = [\"1s\"]";
    let rules = rules(all, "kind = \"counter\"");
    let Statistics { course, rms, ewma_ns, allan, gust_ns, trust, .. } = rules.statistics;
    assert_eq!((course, rms, ewma_ns, gust_ns, trust), (None, false, None, None, true));
    assert!(allan.is_empty() && rules.percentiles.is_empty());
}

#[test]
fn keys_are_inherited_one_by_one() {
    let defaults = "interpolation = \"stepped\"\nmax_hold = \"1m\"\nstatus = { bad = 90 }";
    let own = rules(defaults, "max_hold = \"5s\"\ncompleteness = 80\nstale_after = \"30s\"");
    assert_eq!(own.statistics.course, Some(Course::Stepped));
    assert_eq!(own.statistics.max_hold_ns, 5 * SECOND);
    assert_eq!(own.statistics.grades, Grades { good: 0.75, bad: 0.9, complete: 0.8 });
    let stale = rules("interpolation = \"linear\"", "stale_after = \"30s\"").statistics;
    assert_eq!((stale.max_hold_ns, stale.reach_ns()), (30 * SECOND, 30 * SECOND));
    let lengths = statistics("allan = [\"10s\", \"1s\", \"10s\"]").allan;
    assert_eq!(*lengths, [SECOND, 10 * SECOND]);
}

#[test]
fn what_does_not_fit_is_said() {
    let says = |keys: &str, wanted: &str| {
        let errors = bad(&with("", keys));
        assert!(errors.contains(wanted), "{keys}: {errors}");
    };
    says("kind = \"angle\"", "`kind` cannot be \"angle\"");
    says("kind = \"state\"", "a channel of states needs their names: `states`");
    says("states = [\"a\"]", "`states` does not fit the kind \"scalar\"");
    says("width = 32", "does not fit the kind \"scalar\"");
    says("kind = \"counter\"\nwidth = 31", "no counter is 31 bits wide");
    says("kind = \"counter\"\nwrap_max = 3", "`wrap_max` has no effect");
    for key in
        ["interpolation = \"linear\"", "rms = true", "ewma = \"1s\"", "gust = true", "allan = []"]
    {
        let name = key.split(' ').next().expect("a key");
        says(
            &format!("kind = \"circular\"\n{key}"),
            &format!("`{name}` does not fit the kind \"circular\""),
        );
    }
    says("kind = \"circular\"\nunit = \"Cel\"", "directions are not measured in `Cel`");
    says("kind = \"state\"\nstates = []", "0 states, where 1 to 16 can be");
    says("kind = \"state\"\nstates = [\"a\", \"a\"]", "the state \"a\" is named twice");
    says("kind = \"state\"\nstates = [\"other\"]", "a state has a name of 1 to");
    says(
        "kind = \"counter\"\npercentiles = [50]",
        "a channel of kind \"counter\" has no percentiles",
    );
    says("interpolation = \"cubic\"", "`interpolation` cannot be \"cubic\"");
    says("max_hold = \"0s\"", "`max_hold` is 0s, which is not within");
    says("allan = [\"1s\", 5]", "`allan` must be a duration in quotes");
    says("allan = [\"0s\"]", "`allan` is 0s, which is not within");
    says("status = { good = 40, bad = 50 }", "a summary could be good and bad at once");
    says("status = { fine = 40 }", "unknown key `fine` in `status`");
    says("completeness = 101", "`completeness` is 101, which is not within 0 to 100");
}

#[test]
fn a_direction_names_the_channel_of_its_speed() {
    let other = "[[channel]]\nid = \"wind.speed\"\nsource = \"bench\"\nfield = \"s\"";
    let keys = |speed: &str, more: &str| {
        with(
            "",
            &format!(
                "kind = \"circular\"\nspeed = \"{speed}\"\nmax_hold = \"2s\"\n{more}\n{other}"
            ),
        )
    };
    let plan = good(&keys("wind.speed", "")).plan;
    let Statistics { speed, .. } = &plan.channels[0].rules.statistics;
    let speed = speed.as_ref().expect("a partner");
    assert_eq!((&*speed.id, speed.age_max_ns), ("wind.speed", 2 * SECOND));
    let unknown = bad(&keys("wind.sped", ""));
    assert!(unknown.contains("there is no channel \"wind.sped\""), "{unknown}");
    let spike = bad(&keys("wind.speed", "qc = { spike = { fail = 3 } }"));
    assert!(spike.contains("waits for its `spike` test"), "{spike}");
    let scalar = bad(&with("", "speed = \"t\""));
    assert!(scalar.contains("`speed` does not fit the kind \"scalar\""), "{scalar}");
}

#[test]
fn what_has_no_effect_is_said() {
    let warns = |keys: &str| {
        let loaded = parse(&with("", keys)).unwrap_or_else(|errors| panic!("{errors}"));
        loaded.warnings.to_string()
    };
    assert!(warns("max_hold = \"1s\"").contains("`max_hold` has no effect"));
    let long = warns("allan = [\"1h\"]\nwindows = [\"1m\"]");
    assert!(long.contains("no window holds two blocks of 1h: the longest is 1m"), "{long}");
}

/// A counter is as wide as what it shows, whatever is made of that.
#[test]
fn the_range_of_a_counter_is_that_of_its_raw_readings() {
    let range = |keys: &str| {
        let keys = format!("kind = \"counter\"\n{keys}");
        match &rules("", &keys).statistics.kind {
            Kind::Counter(range) => *range,
            other => panic!("{other:?}"),
        }
    };
    let scaled = range("width = 16\ncalibration = { kind = \"linear\", scale = 0.5 }");
    assert_eq!(scaled, Range { modulus: Some(32_768.0), wrap_max: 16_384.0 });
    let converted = range("modulus = 1000\nwrap_max = 10\nraw_unit = \"Wh\"\nunit = \"kW.h\"");
    assert!((converted.modulus.expect("an end") - 1.0).abs() < 1e-12, "{converted:?}");
    assert!((converted.wrap_max - 0.01).abs() < 1e-12, "{converted:?}");
    let shifted = "kind = \"counter\"\nwidth = 16\ncalibration = { kind = \"linear\", offset = 1 }";
    assert!(bad(&with("", shifted)).contains("its calibration is more than a factor"));
}

#[test]
fn speeds_come_from_a_channel_that_gives_some() {
    let with_speed = |speed: &str, keys: &str| {
        let other = "[[channel]]\nid = \"v\"\nsource = \"bench\"\nfield = \"v\"\n";
        let own = format!("kind = \"circular\"\nspeed = \"{speed}\"");
        format!("{}\n{other}{keys}\n", with("", &own))
    };
    assert!(good(&with_speed("v", "unit = \"km/h\"")).plan.channels.len() == 2);
    good(&with_speed("v", ""));
    let says = |text: &str, wanted: &str| {
        let errors = bad(text);
        assert!(errors.contains(wanted), "{errors}");
    };
    says(&with_speed("v", "unit = \"Cel\""), "\"v\" gives no speeds");
    says(&with_speed("v", "kind = \"circular\""), "it is no channel of quantities");
    says(&with_speed("t", ""), "would be held against itself");
}

#[test]
fn completeness_of_what_nobody_expects_is_warned_of() {
    let warned = |keys: &str| {
        let text = with("", &format!("completeness = 80\n{keys}"));
        let loaded = parse(&text).unwrap_or_else(|errors| panic!("{errors}"));
        loaded.warnings.lines().any(|line| line.contains("`completeness` has no effect"))
    };
    assert!(warned(""));
    assert!(!warned("trust = true") && !warned("expected_rate = 3"));
}
