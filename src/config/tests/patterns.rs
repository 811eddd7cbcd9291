//! `[[pattern]]`: who gets what from it.

use super::*;

/// [`TEXT`] as a source that discovers, and [`UDP`] as one that does not.
fn with(tables: &str) -> String {
    format!("{TEXT}unknown = \"discover\"\n{UDP}{tables}")
}

fn warned(text: &str) -> Vec<String> {
    let loaded = parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    loaded.warnings.lines().collect()
}

#[test]
fn the_first_pattern_that_fits_gives_what_the_channel_leaves_open() {
    let config = good(&with(
        r#"
        [defaults]
        figures = 1
        [[pattern]]
        match = "*_F"
        unit = "Cel"
        raw_unit = "[degF]"
        calibration = { kind = "linear", scale = 0.1 }
        windows = ["10s"]
        [[pattern]]
        match = "oven.*"
        unit = "K"
        [[channel]]
        id = "oven.top_F"
        source = "bench"
        field = "t1"
        calibration = { kind = "linear", scale = 0.5 }
        [[channel]]
        id = "oven.hum"
        source = "bench"
        field = "h"
        unit = "%"
        "#,
    ));
    let [top, hum] = &config.plan.channels[..] else { panic!("{config:?}") };
    assert_eq!(top.unit.as_deref(), Some("Cel"));
    let line = Linear { scale: 0.5, offset: 0.0 };
    assert_eq!(top.calibration, Calibration::Linear(line), "its own");
    assert!((top.conversion.point(212.0) - 100.0).abs() < 1e-9, "the unit of the pattern");
    assert_eq!((top.rules.windows.len(), top.rules.figures), (1, 1));
    assert_eq!(hum.unit.as_deref(), Some("%"));
    assert_eq!(hum.rules.windows.len(), 6, "the second pattern says nothing of windows");
}

#[test]
fn a_source_that_discovers_has_the_patterns_that_its_channels_may_fit() {
    let config = good(&with(
        r#"
        [[pattern]]
        match = "bench.t*"
        unit = "Cel"
        lateness = "3s"
        [[pattern]]
        match = "plant.*"
        [[pattern]]
        match = "*"
        resolution = 0.5
        "#,
    ));
    let patterns: Vec<_> = config
        .plan
        .sources
        .iter()
        .map(|source| source.patterns.iter().map(|p| p.glob.text()).collect::<Vec<_>>())
        .collect();
    assert_eq!(patterns, [vec!["bench.t*", "*"], vec![]]);
    let [first, last] = &config.plan.sources[0].patterns[..] else { panic!("{config:?}") };
    assert_eq!((first.unit.as_deref(), first.rules.lateness_ns), (Some("Cel"), 3 * SECOND));
    assert_eq!((last.rules.resolution, last.rules.lateness_ns), (0.5, 0));
    assert_eq!(config.plan.sources[0].discovered.resolution, 0.001);
}

#[test]
fn what_is_wrong_with_a_pattern_is_told_at_its_place() {
    let text = bad(&with(
        r#"
[[pattern]]
unit = "Cel"
[[pattern]]
match = "bench.(t|h)"
[[pattern]]
match = "bench.*"
unit = "Cel"
raw_unit = "bar"
windws = ["1s"]
"#,
    ));
    for words in [
        "c.toml:15:1",
        "[[pattern]] needs `match`",
        "c.toml:18:9",
        "\"bench.(t|h)\" is no pattern over ids",
        "c.toml:22:12",
        "`bar` does not convert to `Cel`",
        "unknown key `windws` in [[pattern]]",
        "did you mean `windows`?",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_pattern_that_never_counts_is_warned_of() {
    let warnings = warned(&with(
        "[[pattern]]\nmatch = \"bench.*\"\n[[pattern]]\nmatch = \"bench.t?\"\n\
         [[pattern]]\nmatch = \"plant.*\"\n",
    ));
    let told = |words: &str| warnings.iter().any(|line| line.contains(words));
    assert!(told("the pattern \"bench.t?\" never counts"), "{warnings:?}");
    assert!(told("no channel fits the pattern \"plant.*\""), "{warnings:?}");
    assert!(!told("\"bench.*\" never"), "{warnings:?}");
    let several = "[[pattern]]\nmatch = \"a?\"\n".repeat(300);
    assert!(bad(&with(&several)).contains("300 patterns, more than 256"));
}
