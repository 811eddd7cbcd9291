//! Units against UCUM's own cases and against arithmetic.

use std::{fs, path::PathBuf};

use proptest::prelude::*;

use super::{
    parse::simple,
    table::{ALIASES, ATOMS, SPELLINGS},
    *,
};

fn convert(value: f64, from: &str, to: &str) -> f64 {
    let unit = |code| Unit::parse(code).unwrap_or_else(|error| panic!("{code}: {error}"));
    Conversion::between(&unit(from), &unit(to)).expect("same dimension").point(value)
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-12 * right.abs()
}

#[test]
fn converts() {
    let cases = [
        (1.0, "m", "mm", 1000.0),
        (1013.25, "hPa", "Pa", 101_325.0),
        (1.0, "bar", "mbar", 1000.0),
        (1.0, "bar", "kPa", 100.0),
        (36.0, "km/h", "m/s", 10.0),
        (1.0, "[kn_i]", "km/h", 1.852),
        (1.0, "[mi_i]/h", "m/s", 0.447_04),
        (1.0, "kW.h", "MJ", 3.6),
        (1.0, "kWh", "J", 3.6e6),
        (360.0, "m3/h", "L/s", 100.0),
        (1.0, "ug/m3", "mg/m3", 1e-3),
        (100.0, "[psi]", "kPa", 689.475_729_316_836_1),
        (29.92, "[in_i'Hg]", "hPa", 1_013.204_536_96),
        (760.0, "mm[Hg]", "Pa", 101_324.72),
        (180.0, "deg", "rad", std::f64::consts::PI),
        (55.0, "%", "1", 0.55),
        (400.0, "[ppm]", "%", 0.04),
        (60.0, "/min", "Hz", 1.0),
        (1.0, "W/m2", "mW/cm2", 0.1),
        (12.0, "V.A", "W", 12.0),
        (2.0, "Ohm.A", "V", 2.0),
        (1.0, "lx.m2", "lm", 1.0),
        (3.0, "uS/cm", "S/m", 3e-4),
        (7.0, "{widgets}/h", "{parts}/h", 7.0),
        (5.0, "m/s{gust}", "m/s", 5.0),
    ];
    for (value, from, to, expected) in cases {
        let found = convert(value, from, to);
        assert!(close(found, expected), "{value} {from} = {found} {to}, not {expected}");
    }
}

#[test]
fn converts_temperatures_as_points() {
    let cases = [
        (0.0, "Cel", "K", 273.15),
        (100.0, "Cel", "[degF]", 212.0),
        (-40.0, "Cel", "[degF]", -40.0),
        (0.0, "[degF]", "Cel", -160.0 / 9.0),
        (0.0, "[degF]", "K", 229_835.0 / 900.0),
        (300.0, "K", "Cel", 26.85),
        (0.0, "K", "[degF]", -459.67),
        (491.67, "[degR]", "Cel", 0.0),
        (1000.0, "mCel", "Cel", 1.0),
    ];
    for (value, from, to, expected) in cases {
        let found = convert(value, from, to);
        let near = close(found, expected) || (found - expected).abs() <= 1e-12;
        assert!(near, "{value} {from} = {found} {to}, not {expected}");
    }
    assert_eq!(convert(0.0, "Cel", "[degF]").to_bits(), 32_f64.to_bits(), "exact");
}

#[test]
fn says_what_is_wrong() {
    let cases = [
        ("", "a unit has at least one character; `1` is the bare number", None),
        ("C°", "UCUM codes are ASCII without spaces: `deg`, `u` for micro, `m3`, `Ohm`", None),
        ("°C", "`°C` is no known UCUM code", Some("Cel")),
        ("celsius", "`celsius` is no known UCUM code", Some("Cel")),
        ("km/hour", "`hour` is no known UCUM code", Some("h")),
        ("PSI", "`PSI` is no known UCUM code", Some("[psi]")),
        ("CEL", "`CEL` is no known UCUM code", Some("Cel")),
        ("m/", "a unit is missing at byte 2", None),
        ("m//s", "a unit is missing at byte 2", None),
        ("(m", "the bracket opened at byte 0 is not closed", None),
        ("m{x", "the bracket opened at byte 1 is not closed", None),
        ("[psi", "the bracket opened at byte 0 is not closed", None),
        ("m)", "expected `.` for a product or `/` for a quotient at byte 1", None),
        ("m{a}s", "expected `.` for a product or `/` for a quotient at byte 4", None),
        ("m999", "an exponent is a whole number within ±99", None),
        ("m-2147483648", "an exponent is a whole number within ±99", None),
        ("10*99.10*99", "the factor of this unit is too large or too small", None),
        ("kh", "`kh` is no known UCUM code", None),
    ];
    for (code, message, suggestion) in cases {
        let error = Unit::parse(code).expect_err(code);
        assert_eq!((error.to_string().as_str(), error.suggestion()), (message, suggestion));
    }
    for code in ["W/Cel", "Cel2", "1/[degF]", "dB/m", "m.Cel"] {
        assert_eq!(
            Unit::parse(code).map_err(|error| error.kind),
            Err(UnitErrorKind::Special),
            "{code}"
        );
    }
    let deep = "(".repeat(UNIT_DEPTH_MAX + 1) + "m" + &")".repeat(UNIT_DEPTH_MAX + 1);
    assert_eq!(Unit::parse(&deep).map_err(|error| error.kind), Err(UnitErrorKind::Depth));
}

#[test]
fn names_what_does_not_fit() {
    let unit = |code| Unit::parse(code).expect(code);
    let cases = [
        ("Cel", "m", "temperature cannot be converted to length"),
        ("m/s", "kg/m3", "length/time cannot be converted to mass/length^3"),
        ("pH", "1", "pH alone cannot be converted to a number without dimension"),
        ("dB", "pH", "dB alone cannot be converted to pH alone"),
        ("mol/L", "/L", "amount of substance/length^3 cannot be converted to 1/length^3"),
    ];
    for (from, to, message) in cases {
        let error = Conversion::between(&unit(from), &unit(to)).expect_err("different");
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(Conversion::between(&unit("pH"), &unit("pH")), Ok(Conversion::IDENTITY));
}

#[test]
fn every_code_of_the_tables_parses() {
    for atom in ATOMS {
        Unit::parse(atom.code).unwrap_or_else(|error| panic!("{}: {error}", atom.code));
    }
    for (alias, code) in ALIASES {
        assert_eq!(Unit::parse(alias), Unit::parse(code), "{alias}");
        Unit::parse(code).unwrap_or_else(|error| panic!("{code}: {error}"));
    }
    for (spelling, code) in SPELLINGS {
        Unit::parse(code).unwrap_or_else(|error| panic!("{code}: {error}"));
        assert!(
            simple(spelling).is_none() || spelling.len() <= 2,
            "`{spelling}` is a code of its own"
        );
    }
}

proptest! {
    #[test]
    fn never_panics(code in "\\PC{0,80}") {
        let _ = Unit::parse(&code);
    }

    #[test]
    fn never_panics_on_near_units(code in "[mskg0-9./(){}\\[\\]*^+-]{0,40}") {
        let _ = Unit::parse(&code);
    }

    #[test]
    fn there_and_back(value in -1e6_f64..1e6) {
        for (one, other) in [("Cel", "[degF]"), ("[degF]", "K"), ("km/h", "[kn_i]"), ("[psi]", "bar")] {
            let back = convert(convert(value, one, other), other, one);
            prop_assert!((back - value).abs() <= 1e-12 * value.abs().max(1e3), "{value} {one} {other} {back}");
        }
    }
}

/// Units of UCUM's cases that are accepted, refused as they must be, and not claimed.
const VALIDITY: (u32, u32, u32) = (429, 40, 61);

/// Symbols of UCUM's cases that are not claimed: clinical, arbitrary, kitchen and old customary
/// units, radiation doses in rem, and the logarithm with a reference of ten nanovolt.
const NOT_CLAIMED: [&str; 31] = [
    "[cup_us]",
    "[foz_br]",
    "[pt_br]",
    "[qt_br]",
    "[tbs_us]",
    "[tsp_us]",
    "[mi_us]",
    "[in_us]",
    "[HPF]",
    "[LPF]",
    "[APL'U]",
    "[GPL'U]",
    "[MPL'U]",
    "[IU]",
    "[iU]",
    "[arb'U]",
    "[bdsk'U]",
    "[drp]",
    "[ka'U]",
    "[knk'U]",
    "[mclg'U]",
    "[todd'U]",
    "REM",
    "dB[10.nV]",
    "U",
    "mU",
    "kU",
    "m[IU]",
    "u[IU]",
    "m[iU]",
    "u[iU]",
];

/// UCUM's functional tests, if they are here.
fn functional_tests() -> Option<String> {
    let data = std::env::var_os("STILLWELL_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let text = fs::read_to_string(data.join("UcumFunctionalTests.xml")).ok();
    if text.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the recorded data is missing");
        println!("not run: no UcumFunctionalTests.xml in {}", data.display());
    }
    text
}

/// The cases between the tags of a group, each with its attributes.
fn cases<'t>(text: &'t str, group: &str) -> impl Iterator<Item = &'t str> {
    let (_, rest) = text.split_once(&format!("<{group}>")).expect("the group begins");
    let (within, _) = rest.split_once(&format!("</{group}>")).expect("the group ends");
    within.lines().filter_map(|line| line.trim_start().strip_prefix("<case"))
}

fn attribute<'t>(case: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = case.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0)
}

fn number(case: &str, name: &str) -> f64 {
    attribute(case, name).and_then(|text| text.parse().ok()).expect(name)
}

/// Every unit that is claimed is accepted, and every one that must be refused is refused.
#[test]
fn agrees_with_ucum_on_what_a_unit_is() {
    let Some(text) = functional_tests() else { return };
    let (mut valid, mut refused, mut not_claimed) = (0, 0, 0);
    for case in cases(&text, "validation") {
        let code = attribute(case, "unit").expect("a unit");
        let is_claimed = code.split(['/', '.', '(', ')']).all(|part| {
            let part = part.split('{').next().unwrap_or_default();
            !NOT_CLAIMED.contains(&part)
        }) && code != "dB[10.nV]";
        match (Unit::parse(code), attribute(case, "valid") == Some("true")) {
            (Ok(_), true) => valid += 1,
            (Err(_), false) => refused += 1,
            (Err(error), true) => {
                assert!(!is_claimed, "{code}: {error}");
                not_claimed += 1;
            }
            (Ok(unit), false) => panic!("{code} must be refused, not read as {unit:?}"),
        }
    }
    assert_eq!((valid, refused, not_claimed), VALIDITY);
}

/// Every conversion gives the stated value.
#[test]
fn agrees_with_ucum_on_conversions() {
    let Some(text) = functional_tests() else { return };
    let mut converted = 0;
    for case in cases(&text, "conversion") {
        let (value, expected) = (number(case, "value"), number(case, "outcome"));
        let unit = |name| attribute(case, name).expect(name);
        let found = convert(value, unit("srcUnit"), unit("dstUnit"));
        // The outcomes are rounded to the significant figures of the value.
        let digits = attribute(case, "value").into_iter().flat_map(str::chars);
        let figures = digits.filter(char::is_ascii_digit).count();
        let tolerance =
            if figures == 1 { 1e-12 } else { 5.0 * 0.1_f64.powi(figures as i32 - 1) / 10.0 };
        let near = (found - expected).abs() <= tolerance * expected.abs().max(found.abs());
        assert!(near, "{found} and not {expected}: {case}");
        converted += 1;
    }
    assert_eq!(converted, 30);
}

/// Products and quotients of quantities have the stated value and unit.
#[test]
fn agrees_with_ucum_on_products_and_quotients() {
    let Some(text) = functional_tests() else { return };
    let mut done = 0;
    for (group, sign) in [("multiplication", '.'), ("division", '/')] {
        for case in cases(&text, group) {
            let (left, right) = (number(case, "v1"), number(case, "v2"));
            let value = if sign == '.' { left * right } else { left / right };
            let unit = |name| attribute(case, name).expect(name);
            let code = format!("({}){sign}({})", unit("u1"), unit("u2"));
            let result = Some(unit("uRes")).filter(|code| !code.is_empty()).unwrap_or("1");
            let (found, expected) = (convert(value, &code, result), number(case, "vRes"));
            // 4 over 3 is stated as 1.3.
            assert!((found - expected).abs() <= 0.03 * expected, "{found}: {case}");
            done += 1;
        }
    }
    assert_eq!(done, 5);
}

/// A spread, a threshold and a rate know no zero: they change by the factor alone.
#[test]
fn differences_convert_by_the_factor_alone() {
    let between = |from, to| {
        let unit = |code| Unit::parse(code).expect("a unit");
        Conversion::between(&unit(from), &unit(to)).expect("same dimension")
    };
    for (from, to, difference, expected) in [
        ("Cel", "[degF]", 10.0, 18.0),
        ("[degF]", "K", 18.0, 10.0),
        ("K", "Cel", 1.5, 1.5),
        ("km/h", "m/s", 36.0, 10.0),
    ] {
        let conversion = between(from, to);
        assert!(close(conversion.difference(difference), expected), "{from} {to}");
        let apart = conversion.point(5.0 + difference) - conversion.point(5.0);
        assert!((apart - expected).abs() < 1e-12, "points lie as far apart: {from} {to}");
    }
}

/// Every unit with a zero of its own has one for differences, which has none and is as large.
#[test]
fn differences_have_a_unit_that_is_as_large_and_has_no_zero() {
    let prefixed = ["Cel", "mCel", "kCel", "[degF]"];
    let shifted =
        super::table::ATOMS.iter().filter(|atom| atom.scale != super::table::Scale::Ratio);
    let shifted =
        shifted.filter(|atom| atom.scale != super::table::Scale::Opaque).map(|atom| atom.code);
    for code in shifted.chain(prefixed) {
        let of = unit_of_differences(code).unwrap_or_else(|| panic!("{code} has one"));
        let (unit, own) = (Unit::parse(code).expect("a unit"), Unit::parse(&of).expect("a unit"));
        assert_eq!((unit.num, unit.den, own.zero), (own.num, own.den, 0), "{code} and {of}");
    }
    for code in ["K", "[degR]", "m/s", "bar", "W/K", "{Cel}", ""] {
        assert_eq!(unit_of_differences(code), None, "{code}");
    }
}
