//! Calibrations, whole and broken.

use super::*;
use crate::engine::{
    calibration::{Calibration, Transfer},
    unit::Conversion,
};

/// A channel `a` with these keys, after a channel that measures terminals in Celsius.
fn channel(keys: &str) -> String {
    format!(
        "{UDP}[[channel]]\nid = \"terminals\"\nsource = \"plant\"\ndevice = 2\nindex = 0\n\
         unit = \"[degF]\"\n[[channel]]\nid = \"a\"\nsource = \"plant\"\ndevice = 1\nindex = 0\n\
         {keys}\n"
    )
}

/// The plan of the channel `a`: its calibration, its unit and its conversion.
fn planned(keys: &str) -> (Calibration, Option<String>, Conversion) {
    let mut plan = good(&channel(keys)).plan;
    let channel = plan.channels.remove(1);
    (channel.calibration, channel.unit.map(|unit| unit.to_string()), channel.conversion)
}

fn chain(keys: &str) -> Vec<Transfer> {
    match planned(keys).0 {
        Calibration::Eras(eras) => eras.all()[0].chain.to_vec(),
        line => panic!("{line:?}"),
    }
}

#[test]
fn what_is_a_line_stays_a_line() {
    for (keys, scale, offset) in [
        ("kind = \"linear\", scale = 2, offset = 1", 2.0, 1.0),
        ("kind = \"linear\"", 1.0, 0.0),
        ("kind = \"two-point\", points = [[10, 0.0], [20, 5]]", 0.5, -5.0),
    ] {
        let (calibration, ..) = planned(&format!("calibration = {{ {keys} }}"));
        let Calibration::Linear(line) = calibration else { panic!("{calibration:?}") };
        assert_eq!((line.scale, line.offset), (scale, offset), "{keys}");
    }
    for keys in ["scale = 2, within = [0, 1]", "version = \"x\"", "from = 2026-01-01T00:00:00Z"] {
        assert!(!chain(&format!("calibration = {{ kind = \"linear\", {keys} }}")).is_empty());
    }
}

#[test]
fn a_calibration_publishes_the_unit_it_gives() {
    let rtd = "calibration = { kind = \"rtd\", r0 = 100 }";
    let (_, unit, conversion) = planned(rtd);
    assert_eq!((unit.as_deref(), conversion), (Some("Cel"), Conversion::IDENTITY));
    let (_, unit, conversion) = planned(&format!("unit = \"[degF]\"\n{rtd}"));
    assert_eq!((unit.as_deref(), conversion.point(100.0)), (Some("[degF]"), 212.0));
    let (_, unit, _) = planned(&format!("unit = \"Cel\"\nraw_unit = \"Cel\"\n{rtd}"));
    assert_eq!(unit.as_deref(), Some("Cel"));
    let pattern = "[[pattern]]\nmatch = \"*\"\nraw_unit = \"[degF]\"\nunit = \"K\"";
    let config = good(&channel(&format!("{rtd}\n{pattern}")));
    let inherited = &config.plan.channels[1];
    assert_eq!(inherited.conversion.point(0.0), 273.15, "what it gives counts, not raw_unit");
    let level = "calibration = { kind = \"current-loop\", low = 0, high = 10 }";
    let (_, unit, conversion) = planned(&format!("unit = \"m\"\nraw_unit = \"[ft_i]\"\n{level}"));
    assert_eq!((unit.as_deref(), conversion.factor), (Some("m"), 0.3048));
}

#[test]
fn units_are_converted_on_the_way_in_and_between_steps() {
    let couple = |input: &str| {
        chain(&format!(
            "calibration = {{ kind = \"thermocouple\", type = \"K\", cold_junction = 0{input} }}"
        ))
    };
    assert_eq!(couple("").len(), 1);
    assert_eq!(couple(", input = \"mV\"").len(), 1);
    let micro = couple(", input = \"uV\"");
    let Transfer::Linear(line) = micro[0] else { panic!("{micro:?}") };
    assert_eq!((line.scale, line.offset), (1e-3, 0.0));
    let steps = chain(
        "calibration = { kind = \"chain\", steps = [\n\
         { kind = \"divider\", known = 10000, sensor = \"low\", full_scale = 1023 },\n\
         { kind = \"beta\", beta = 3950, r0 = 10000 }] }",
    );
    assert!(matches!(steps[..], [Transfer::Divider(_), Transfer::Thermistor(_)]), "{steps:?}");
}

#[test]
fn dates_are_texts_or_times() {
    let text = "calibration = [\n\
        { kind = \"linear\", scale = 3, from = 2026-06-01T00:00:00+02:00, version = \"c2\" },\n\
        { kind = \"linear\", scale = 1 },\n\
        { kind = \"linear\", scale = 2, from = \"2026-01-01T00:00:00Z\" }]";
    let (calibration, ..) = planned(text);
    let new_year_ns = 1_767_225_600 * SECOND;
    let june_ns = 1_780_264_800 * SECOND;
    let version = |at_ns| calibration.version_at(at_ns).map(str::to_owned);
    assert_eq!(version(new_year_ns - 1), None);
    assert_eq!(version(new_year_ns).as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(version(june_ns - 1).as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(version(june_ns).as_deref(), Some("c2"));
}

/// What is wrong, and what is said of it.
const BROKEN: &[(&str, &str)] = &[
    ("{ kind = \"tabel\", points = [] }", "`kind` cannot be \"tabel\""),
    (
        "{ kind = \"table\", points = [[0, 1]], ouside = \"clamp\" }",
        "unknown key `ouside` in `calibration`",
    ),
    ("{ kind = \"table\", points = [] }", "0 points, where 2 to 4096 can be"),
    ("{ kind = \"table\", points = [[0, 0], [2, 1], [1, 5]] }", "the raw value 1 turns back"),
    ("{ kind = \"table\", points = [[0, 0], [0, 1]] }", "the raw value 0 turns back"),
    ("{ kind = \"table\", points = [[0, 0], [1]] }", "`points` has 1 numbers where two belong"),
    ("{ kind = \"table\", points = [0, 1] }", "`points` must be a list of pairs"),
    ("{ kind = \"table\", points = [[0, 0], [1, nan]] }", "`points` is NaN, which is not within"),
    ("{ kind = \"table\" }", "`calibration` needs `points`"),
    (
        "{ kind = \"table\", points = [[0, 0], [1, 1]], outside = \"crop\" }",
        "`outside` cannot be \"crop\"",
    ),
    ("{ kind = \"two-point\", points = [[0, 0]] }", "1 points, where two make a line"),
    ("{ kind = \"two-point\", points = [[1, 0], [1, 5]] }", "the two points make no line"),
    ("{ kind = \"two-point\", points = [[1, 5], [2, 5]] }", "the two points make no line"),
    ("{ kind = \"polynomial\", coefficients = [] }", "0 coefficients, where 2 to 16 can be"),
    ("{ kind = \"polynomial\", coefficients = [1, 0, 0] }", "all coefficients but the first are 0"),
    ("{ kind = \"linear\", within = [5, 5] }", "`within` is [5, 5], where nothing lies between"),
    ("{ kind = \"linear\", turn = 360 }", "`turn` does not fit this kind of calibration"),
    ("{ kind = \"rtd\" }", "`calibration` needs `r0`"),
    ("{ kind = \"rtd\", r0 = -5 }", "`r0` is -5, which is not within"),
    (
        "{ kind = \"rtd\", r0 = 100, range = [-300, 0] }",
        "`range` is [-300, 0], which is not within -200 to 850 Cel",
    ),
    (
        "{ kind = \"rtd\", r0 = 100, a = 1e-3, b = -1e-6, range = [0, 800] }",
        "the resistance does not rise at 500",
    ),
    ("{ kind = \"rtd\", r0 = 100, a = 5e-3 }", "`calibration` needs `range`"),
    ("{ kind = \"beta\", beta = 3950 }", "`calibration` needs `r0`"),
    (
        "{ kind = \"steinhart-hart\", a = 1, b = 0, c = 0 }",
        "no resistance is a temperature within the range",
    ),
    ("{ kind = \"divider\", known = 100 }", "`calibration` needs `sensor`"),
    ("{ kind = \"thermocouple\", type = \"K\" }", "`calibration` needs `cold_junction`"),
    ("{ kind = \"thermocouple\", type = \"Q\", cold_junction = 0 }", "`type` cannot be \"Q\""),
    (
        "{ kind = \"thermocouple\", type = \"K\", cold_junction = 5000 }",
        "a thermocouple of type K has no voltage at 5000 Cel",
    ),
    (
        "{ kind = \"thermocouple\", type = \"K\", cold_junction = true }",
        "`cold_junction` must be a temperature in Cel, or the id of a channel in quotes",
    ),
    (
        "{ kind = \"thermocouple\", type = \"K\", cold_junction = \"terminal\" }",
        "there is no channel \"terminal\"",
    ),
    (
        "{ kind = \"thermocouple\", type = \"K\", cold_junction = \"a\" }",
        "the cold junction of \"a\" would be itself",
    ),
    (
        "{ kind = \"thermocouple\", type = \"K\", cold_junction = 0, max_age = \"1s\" }",
        "`max_age` has no effect on a fixed temperature",
    ),
    (
        "{ kind = \"thermocouple\", type = \"K\", cold_junction = 0, input = \"Ohm\" }",
        "`Ohm` comes in where `mV` is needed: electric resistance cannot be converted to voltage",
    ),
    (
        "{ kind = \"thermocouple\", type = \"K\", cold_junction = 0, input = \"mv\" }",
        "\"mv\" is no unit: `mv` is no known UCUM code",
    ),
    ("{ kind = \"current-loop\", low = 0 }", "`calibration` needs `high`"),
    ("{ kind = \"current-loop\", low = 1, high = 1 }", "`low` and `high` are the same"),
    (
        "{ kind = \"current-loop\", low = 0, high = 1, fail = [3.9, 21] }",
        "`suspect` [3.8, 20.5] reaches beyond `fail` [3.9, 21]",
    ),
    ("{ kind = \"counter\", width = 12 }", "no counter is 12 bits wide"),
    ("{ kind = \"counter\", width = 8, modulus = 256 }", "`modulus` has no effect beside `width`"),
    (
        "{ kind = \"counter\", wrap_max = 5 }",
        "`wrap_max` has no effect without `width` or `modulus`",
    ),
    (
        "{ kind = \"counter\", width = 8, wrap_max = 500 }",
        "`wrap_max` is 500, which is not within 0 to 256",
    ),
    ("{ kind = \"counter\", width = 8, gives = \"sum\" }", "`gives` cannot be \"sum\""),
    ("{ kind = \"circular\", turn = 0 }", "`turn` is 0, which is not within"),
    ("[]", "0 calibrations, where 1 to 256 can be"),
    ("5", "`calibration` must be a table"),
    ("{ kind = \"chain\", steps = [] }", "0 steps, where 1 to 8 can be"),
    ("{ kind = \"chain\" }", "`calibration` needs `steps`"),
    (
        "{ kind = \"chain\", scale = 1, steps = [{ kind = \"linear\" }] }",
        "`scale` does not fit a chain",
    ),
    (
        "{ kind = \"chain\", steps = [{ kind = \"chain\", steps = [] }] }",
        "a step is no chain itself",
    ),
    (
        "{ kind = \"chain\", steps = [{ kind = \"linear\" }, { kind = \"counter\" }] }",
        "a counter is the first step",
    ),
    (
        "{ kind = \"chain\", steps = [{ kind = \"linear\", from = \"2026-01-01T00:00:00Z\" }] }",
        "`from` does not fit this kind of calibration",
    ),
    (
        "{ kind = \"chain\", steps = [{ kind = \"divider\", known = 1, sensor = \"low\" }, { kind = \"current-loop\", low = 0, high = 1 }] }",
        "`Ohm` comes in where `mA` is needed: electric resistance cannot be converted to electric current",
    ),
    (
        "{ kind = \"chain\", steps = [{ kind = \"divider\", known = 1, sensor = \"low\" }, { kind = \"rtd\", r0 = 100, input = \"kOhm\" }] }",
        "`input` has no effect: the step before gives Ohm",
    ),
    ("{ kind = \"linear\", from = \"2026-01-01\" }", "`from` is no time with its offset from UTC"),
    ("{ kind = \"linear\", from = 2026 }", "`from` is no time with its offset from UTC"),
    ("{ kind = \"linear\", version = \"\" }", "`version` is no name of 1 to 128 bytes"),
    ("[{ kind = \"linear\" }, { kind = \"linear\" }]", "two calibrations have no `from`"),
    (
        "[{ kind = \"linear\", from = \"2026-01-01T00:00:00Z\" }, { kind = \"linear\", from = \"2026-01-01T01:00:00+01:00\" }]",
        "two calibrations begin at the same time",
    ),
    (
        "[{ kind = \"linear\" }, { kind = \"rtd\", r0 = 100, from = \"2026-01-01T00:00:00Z\" }]",
        "one calibration of this list gives what they are told, another Cel",
    ),
];

#[test]
fn each_calibration_says_what_is_wrong() {
    for (calibration, expected) in BROKEN {
        let text = channel(&format!("calibration = {calibration}"));
        let shown = bad(&text);
        let errors = parse(&text).expect_err("broken");
        let titles: Vec<String> = errors.lines().collect();
        assert!(titles.iter().any(|line| line.contains(expected)), "{calibration}\n{shown}");
        assert!(titles.len() <= 2, "{calibration}\n{shown}");
        // Each is shown where it stands.
        assert!(titles.iter().all(|line| !line.contains(":0:0")), "{shown}");
    }
}

#[test]
fn units_that_do_not_fit_a_calibration_are_named() {
    let rtd = "calibration = { kind = \"rtd\", r0 = 100 }";
    for (keys, expected) in [
        (
            format!("unit = \"bar\"\n{rtd}"),
            "`Cel` does not convert to `bar`: temperature cannot be converted to pressure",
        ),
        (
            format!("raw_unit = \"Ohm\"\n{rtd}"),
            "`raw_unit` is `Ohm`, and the calibration gives `Cel`",
        ),
        (
            format!("unit = \"K\"\nraw_unit = \"K\"\n{rtd}"),
            "`raw_unit` is `K`, and the calibration gives `Cel`",
        ),
        (
            "unit = \"Cel\"\nraw_unit = \"K\"\ncalibration = { kind = \"counter\" }".to_owned(),
            "what a counter counts are differences",
        ),
    ] {
        let shown = bad(&channel(&keys));
        assert!(shown.contains(expected), "{keys}\n{shown}");
        assert!(shown.contains("1 error in"), "{keys}\n{shown}");
    }
    let help = bad(&channel(&format!("raw_unit = \"Ohm\"\n{rtd}")));
    assert!(help.contains("`input = \"Ohm\"` of the calibration"), "{help}");
    let near = bad(&channel("calibration = { kind = \"linera\" }"));
    assert!(near.contains("did you mean \"linear\"?"), "{near}");
    let near = bad(&channel(
        "calibration = { kind = \"thermocouple\", type = \"K\", cold_junction = \"terminal\" }",
    ));
    assert!(near.contains("did you mean \"terminals\"?"), "{near}");
}

#[test]
fn cold_junctions_that_wait_for_each_other_are_refused() {
    let couple = |id: &str, index: u32, junction: &str| {
        format!(
            "[[channel]]\nid = \"{id}\"\nsource = \"plant\"\ndevice = 3\nindex = {index}\n\
             calibration = {{ kind = \"thermocouple\", type = \"K\", cold_junction = \"{junction}\" }}\n"
        )
    };
    let circle = [UDP, &couple("x", 0, "y"), &couple("y", 1, "x")].concat();
    let shown = bad(&circle);
    assert!(shown.contains("\"y\" needs a cold junction itself"), "{shown}");
    assert!(shown.contains("\"x\" needs a cold junction itself"), "{shown}");
    let plain = |unit: &str| {
        format!("[[channel]]\nid = \"p\"\nsource = \"plant\"\ndevice = 3\nindex = 9\n{unit}")
    };
    let pressure = [UDP, &couple("x", 0, "p"), &plain("unit = \"bar\"\n")].concat();
    let shown = bad(&pressure);
    let expected = "\"p\" is no cold junction: pressure cannot be converted to temperature";
    assert!(shown.contains(expected), "{shown}");
    let unknown = [UDP, &couple("x", 0, "p"), &plain("")].concat();
    assert!(bad(&unknown).contains("the channel \"p\" has no unit"));
    let platinum = plain("calibration = { kind = \"rtd\", r0 = 1000 }\n");
    good(&[UDP, &couple("x", 0, "p"), &platinum].concat());
    // A pattern that fits the junction itself.
    let pattern = "[[pattern]]\nmatch = \"*\"\ncalibration = { kind = \"thermocouple\", \
                   type = \"K\", cold_junction = \"p\" }\n";
    let shown = bad(&[UDP, pattern, &plain("unit = \"Cel\"\n")].concat());
    assert!(shown.contains("the cold junction of \"p\" would be itself"), "{shown}");
}
