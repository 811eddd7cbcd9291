//! Calibrations against published tables, NIST's reference data and arithmetic.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::limits::{SECOND, VALUE_ABS_MAX};

fn moment(count: &mut Option<Count>) -> Moment<'_> {
    Moment { at_ns: 0, cold: None, count }
}

fn apply(transfer: &Transfer, value: f64) -> Graded {
    transfer.apply(value, &mut moment(&mut None))
}

fn failed(graded: Graded, test: Test) -> bool {
    graded.value.is_nan() && graded.flag == Flag::Fail && graded.tests == test.into()
}

fn in_doubt(graded: Graded, test: Test, value: f64) -> bool {
    let stands = graded.flag == Flag::Suspect && graded.tests == test.into();
    stands && (graded.value - value).abs() < 1e-9
}

fn good(graded: Graded, value: f64, tolerance: f64) -> bool {
    graded.flag == Flag::NotEvaluated
        && graded.tests.is_empty()
        && (graded.value - value).abs() <= tolerance
}

const DOMAIN: Test = Test::Domain;

/// Points of NIST's tables, by type: temperature and millivolt.
fn its90() -> Option<Vec<(Thermocouple, f64, f64)>> {
    let data = std::env::var_os("STILLWELL_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let Ok(text) = fs::read_to_string(data.join("its90_thermocouples.json")) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the reference data is missing");
        println!("not run: no its90_thermocouples.json in {}", data.display());
        return None;
    };
    let oracle: Value = serde_json::from_str(&text).expect("JSON");
    let mut points = Vec::new();
    for (letter, pair) in Thermocouple::ALL {
        for point in oracle["points"][letter].as_array().expect("points") {
            let number = |at: usize| point[at].as_f64().expect("a number");
            points.push((pair, number(0), number(1)));
        }
    }
    assert_eq!(points.len(), 1_208);
    Some(points)
}

#[test]
fn thermocouples_agree_with_the_tables_of_nist_both_ways() {
    let Some(points) = its90() else { return };
    let (mut there, mut back) = (0, 0);
    for (pair, celsius, millivolt) in points {
        let found = pair.millivolt(celsius).expect("within the tables");
        assert!((found - millivolt).abs() < 6e-7, "{pair:?} {celsius}: {found} {millivolt}");
        there += 1;
        // Two temperatures share each of these voltages, and no voltage tells which it is.
        if pair == Thermocouple::B && celsius <= 40.0 {
            assert!(pair.celsius(millivolt).is_none_or(|t| (t - celsius).abs() < 0.05));
            continue;
        }
        let again = pair.celsius(found).expect("within the tables");
        assert!((again - celsius).abs() < 1e-6, "{pair:?} {celsius}: {again}");
        // As the tables have it, rounded, also at the ends.
        let again = pair.celsius(millivolt).expect("within the tables");
        assert!((again - celsius).abs() < 0.05, "{pair:?} {celsius}: {again}");
        back += 1;
    }
    assert_eq!((there, back), (1_208, 1_203));
}

fn lowest(pair: Thermocouple) -> f64 {
    match pair {
        Thermocouple::B => 42.2,
        Thermocouple::J => -210.0,
        Thermocouple::R | Thermocouple::S => -50.0,
        _ => -270.0,
    }
}

fn highest(pair: Thermocouple) -> f64 {
    match pair {
        Thermocouple::B => 1_820.0,
        Thermocouple::E => 1_000.0,
        Thermocouple::J => 1_200.0,
        Thermocouple::K => 1_372.0,
        Thermocouple::N => 1_300.0,
        Thermocouple::R | Thermocouple::S => 1_768.1,
        Thermocouple::T => 400.0,
    }
}

#[test]
fn published_points_are_exact_at_the_digits_of_the_table() {
    use Thermocouple::{B, E, J, K, N, R, S, T};
    for (pair, celsius, millivolt) in [
        (K, -200.0, "-5.891"),
        (K, -100.0, "-3.554"),
        (K, 0.0, "0.000"),
        (K, 100.0, "4.096"),
        (K, 300.0, "12.209"),
        (K, 500.0, "20.644"),
        (K, 1_000.0, "41.276"),
        (K, 1_372.0, "54.886"),
        (J, 100.0, "5.269"),
        (T, 100.0, "4.279"),
        (T, -200.0, "-5.603"),
        (S, 1_000.0, "9.587"),
        (B, 1_000.0, "4.834"),
        (N, 1_000.0, "36.256"),
        (E, 1_000.0, "76.373"),
        (R, 1_000.0, "10.506"),
    ] {
        let found = format!("{:.3}", pair.millivolt(celsius).expect("within the tables"));
        assert_eq!(found.trim_start_matches("-0.000"), millivolt.trim_start_matches("-0.000"));
    }
}

/// Where two pieces of a function meet there is no step to speak of, and all functions rise from
/// where their inversion begins.
#[test]
fn thermocouple_functions_rise() {
    for (letter, pair) in Thermocouple::ALL {
        let (low, high) = (lowest(pair), highest(pair));
        let tenths = ((high - low) * 10.0) as i64;
        let mut before = f64::NEG_INFINITY;
        for tenth in 0..=tenths {
            let celsius = (low + tenth as f64 / 10.0).min(high);
            let millivolt = pair.millivolt(celsius).expect("within");
            assert!(before < millivolt, "{letter} at {celsius}");
            before = millivolt;
        }
        assert_eq!(pair.millivolt(high + 0.1), None, "{letter}");
        assert_eq!(pair.celsius(before + 0.01), None, "{letter}");
        assert_eq!(pair.celsius(f64::NAN), None, "{letter}");
    }
    assert_eq!(Thermocouple::K.millivolt(-270.1), None);
    assert_eq!(Thermocouple::B.celsius(-0.001), None);
}

#[test]
fn a_cold_junction_adds_its_voltage_and_not_its_temperature() {
    let fixed = Transfer::Thermocouple {
        pair: Thermocouple::K,
        junction: Junction::Fixed { celsius: 25.0 },
    };
    assert!(good(apply(&fixed, 12.0), 319.054, 5e-4), "{:?}", apply(&fixed, 12.0));
    let junction = Junction::Channel { channel: 1, max_age_ns: SECOND };
    let other = Transfer::Thermocouple { pair: Thermocouple::K, junction };
    let mut count = None;
    let mut at = |cold| other.apply(12.0, &mut Moment { at_ns: 0, cold, count: &mut count });
    let cold = Cold { celsius: 25.0, is_suspect: false };
    assert!(good(at(Some(cold)), 319.054, 5e-4));
    let doubted = at(Some(Cold { is_suspect: true, ..cold }));
    assert!((doubted.value - 319.054).abs() < 5e-4 && doubted.flag == Flag::Suspect);
    assert!(failed(at(None), Test::Companion));
    assert!(failed(at(Some(Cold { celsius: 2_000.0, ..cold })), Test::Companion));
    assert!(failed(apply(&fixed, 54.0), DOMAIN));
    assert!(failed(apply(&fixed, -8.0), DOMAIN));
}

#[test]
fn platinum_agrees_with_the_tables_of_iec_60751() {
    let pt100 = Rtd::new(100.0, Rtd::PLATINUM, Rtd::RANGE).expect("rises");
    for (celsius, ohm) in [
        (-200.0, "18.52"),
        (-100.0, "60.26"),
        (-50.0, "80.31"),
        (0.0, "100.00"),
        (25.0, "109.73"),
        (100.0, "138.51"),
        (200.0, "175.86"),
        (400.0, "247.09"),
        (600.0, "313.71"),
        (850.0, "390.48"),
    ] {
        let (exact, _) = pt100.resistance(celsius);
        assert_eq!(format!("{exact:.2}"), ohm);
        let back = pt100.celsius(exact);
        assert!(good(back, celsius, 1e-6), "{celsius}: {back:?}");
        let rounded = pt100.celsius(ohm.parse().expect("a number"));
        assert!(good(rounded, celsius, 0.02), "{celsius}: {rounded:?}");
    }
    assert!(failed(pt100.celsius(18.51), DOMAIN), "a short");
    assert!(failed(pt100.celsius(390.6), DOMAIN), "a broken wire");
    assert!(failed(pt100.celsius(f64::NAN), DOMAIN));
    let pt1000 = Rtd::new(1_000.0, Rtd::PLATINUM, (-50.0, 150.0)).expect("rises");
    assert!(good(pt1000.celsius(1_385.055), 100.0, 1e-4));
    assert!(failed(pt1000.celsius(1_600.0), DOMAIN), "beyond its range");
    let falls = Rtd::new(100.0, [1e-3, -1e-6, 0.0], Rtd::RANGE).expect_err("turns at 500");
    assert!((499.0..=502.0).contains(&falls.celsius), "{falls:?}");
    let line = Rtd::new(100.0, [6.17e-3, 0.0, 0.0], (-60.0, 180.0)).expect("rises");
    assert!(good(line.celsius(161.7), 100.0, 1e-9));
}

fn thermistor(coefficients: [f64; 3]) -> Thermistor {
    Thermistor { coefficients, range: Thermistor::RANGE }
}

#[test]
fn thermistors_agree_with_their_references() {
    let generic = thermistor([0.001_129_148, 0.000_234_125, 8.767_41e-8]);
    for (ohm, celsius) in [(1_000.0, 87.168_1), (10_000.0, 24.999_7), (32_650.0, 0.000_2)] {
        assert!(good(generic.celsius(ohm), celsius, 5e-5), "{:?}", generic.celsius(ohm));
    }
    let fitted = thermistor([1.104_159_12e-3, 2.389_179_47e-4, 6.931_626_53e-8]);
    for (ohm, celsius) in
        [(32_128.0, 0.0), (9_814.0, 25.0), (3_542.0, 50.0), (19_549.0, 10.0), (12_262.0, 19.999)]
    {
        assert!(good(fitted.celsius(ohm), celsius, 5.1e-4), "{:?}", fitted.celsius(ohm));
    }
    assert!(good(fitted.celsius(7_908.0), 29.998, 5e-4));
    let beta = thermistor(Thermistor::beta(3_950.0, 10_000.0, 25.0));
    for (ohm, celsius) in [(32_650.0, 0.554), (3_588.0, 50.001), (1_000.0, 87.720)] {
        assert!(good(beta.celsius(ohm), celsius, 5e-4), "{:?}", beta.celsius(ohm));
    }
    for ohm in [0.0, -5.0, 1e-3, 1e12, f64::INFINITY, f64::NAN] {
        assert!(failed(beta.celsius(ohm), DOMAIN), "{ohm}: {:?}", beta.celsius(ohm));
    }
}

#[test]
fn a_divider_gives_the_resistance_of_its_sensor() {
    let low = Divider { known_ohm: 10_000.0, side: Side::Low, full_scale: 1_023.0 };
    assert!(good(low.ohm(511.5), 10_000.0, 1e-9));
    assert!(good(low.ohm(341.0), 5_000.0, 1e-9));
    let high = Divider { side: Side::High, ..low };
    assert!(good(high.ohm(341.0), 20_000.0, 1e-9));
    for broken in [0.0, 1_023.0, -1.0, 2_000.0, f64::NAN] {
        assert!(failed(low.ohm(broken), DOMAIN) && failed(high.ohm(broken), DOMAIN), "{broken}");
    }
    let chain = Era {
        from_ns: i64::MIN,
        version: None,
        chain: Box::new([
            Transfer::Divider(low),
            Transfer::Thermistor(thermistor(Thermistor::beta(3_950.0, 10_000.0, 25.0))),
        ]),
    };
    assert!(good(chain.apply(511.5, &mut moment(&mut None)), 25.0, 1e-9));
    assert!(failed(chain.apply(1_023.0, &mut moment(&mut None)), DOMAIN));
}

#[test]
fn a_current_loop_is_judged_by_the_bands_of_ne_43() {
    let level = CurrentLoop {
        low: 0.0,
        high: 10.0,
        fail: CurrentLoop::NE43_FAIL,
        suspect: CurrentLoop::NE43_MEASURES,
    };
    for (milliampere, value) in [(3.8, -0.125), (4.0, 0.0), (12.0, 5.0), (20.5, 10.312_5)] {
        assert!(good(level.at(milliampere), value, 1e-12), "{:?}", level.at(milliampere));
    }
    for (milliampere, value) in
        [(3.6, -0.25), (3.799, -0.125_625), (20.501, 10.313_125), (21.0, 10.625)]
    {
        assert!(in_doubt(level.at(milliampere), Test::CurrentLoop, value), "{milliampere}");
    }
    for milliampere in [3.599, 0.0, -1.0, 21.001, f64::NAN, f64::INFINITY] {
        assert!(failed(level.at(milliampere), Test::CurrentLoop), "{milliampere}");
    }
}

#[test]
fn a_table_is_met_at_its_points_and_straight_between_them() {
    let points = vec![(0.0, 10.0), (1.0, 0.3), (3.0, 40.1)];
    let table = |outside| Table::new(points.clone(), outside).expect("rises");
    let strict = table(Outside::Fail);
    for (raw, value) in &points {
        assert_eq!(strict.at(*raw).value.to_bits(), value.to_bits(), "exact at {raw}");
    }
    assert!(good(strict.at(2.0), 20.2, 1e-12));
    assert!(failed(strict.at(-0.001), DOMAIN) && failed(strict.at(3.001), DOMAIN));
    let clamp = table(Outside::Clamp);
    assert!(in_doubt(clamp.at(-5.0), DOMAIN, 10.0) && in_doubt(clamp.at(9.0), DOMAIN, 40.1));
    let extrapolate = table(Outside::Extrapolate);
    assert!(in_doubt(extrapolate.at(-1.0), DOMAIN, 19.7));
    assert!(in_doubt(extrapolate.at(4.0), DOMAIN, 60.0));
    let falling: Vec<_> = points.iter().rev().copied().collect();
    assert_eq!(Table::new(falling, Outside::Fail), Ok(strict));
    for (points, error) in [
        (vec![], TableError::Count),
        (vec![(1.0, 1.0)], TableError::Count),
        (vec![(0.0, 0.0); 4_097], TableError::Count),
        (vec![(0.0, 0.0), (0.0, 1.0)], TableError::Turns(1)),
        (vec![(0.0, 0.0), (2.0, 1.0), (1.0, 2.0)], TableError::Turns(2)),
        (vec![(2.0, 0.0), (1.0, 1.0), (1.0, 2.0)], TableError::Turns(2)),
        (vec![(0.0, 0.0), (1e-300, 1e30)], TableError::Steep(1)),
    ] {
        assert_eq!(Table::new(points, Outside::Fail).map(|_| ()), Err(error));
    }
}

#[test]
fn polynomials_bounds_and_angles() {
    let cubic = Transfer::Polynomial(Box::new([1.0, -2.0, 0.0, 0.5]));
    assert!(good(apply(&cubic, 2.0), 1.0, 0.0) && good(apply(&cubic, -2.0), 1.0, 0.0));
    let within = Transfer::Within { min: 0.0, max: 5.0 };
    assert!(good(apply(&within, 0.0), 0.0, 0.0) && good(apply(&within, 5.0), 5.0, 0.0));
    for outside in [-1e-9, 5.000_001, f64::NAN] {
        assert!(failed(apply(&within, outside), DOMAIN), "{outside}");
    }
    let vane = |offset| Transfer::Circular { offset, turn: 360.0 };
    for (offset, raw, angle) in
        [(-12.5, 5.0, 352.5), (90.0, 300.0, 30.0), (0.0, 360.0, 0.0), (0.0, -1e-20, 0.0)]
    {
        let found = apply(&vane(offset), raw);
        assert!(good(found, angle, 1e-12), "{raw}: {found:?}");
    }
}

/// The steps of a counter for readings with their times in microseconds.
fn steps(counter: Counter, readings: &[(i64, f64)]) -> Vec<Graded> {
    let mut count = None;
    let step = |(at_us, raw): &(i64, f64)| counter.step(*raw, at_us * 1_000, &mut count);
    readings.iter().map(step).collect()
}

fn counter(bits: i32, gives: Gives) -> Counter {
    let modulus = 2_f64.powi(bits);
    let on_reset = OnReset::FromZero;
    Counter { modulus: Some(modulus), wrap_max: modulus / 2.0, gives, on_reset }
}

#[test]
fn a_counter_wraps() {
    let readings = [(0, 4_294_967_290.0), (1_000, 4_294_967_295.0), (2_500, 3.0)];
    let increments = steps(counter(32, Gives::Increment), &readings);
    assert!(failed(increments[0], Test::CounterStep));
    assert!(good(increments[1], 5.0, 0.0) && good(increments[2], 4.0, 0.0), "{increments:?}");
    let totals = steps(counter(32, Gives::Total), &readings);
    assert_eq!(Vec::from_iter(totals.iter().map(|graded| graded.value)), [0.0, 5.0, 9.0]);
    let rates = steps(counter(32, Gives::Rate), &readings);
    assert!(failed(rates[0], Test::CounterStep));
    assert!(good(rates[1], 5_000.0, 1e-9) && good(rates[2], 4.0 / 0.001_5, 1e-9));
    for bits in [8, 16, 24, 32, 48, 64] {
        let top = 2_f64.powi(bits);
        // The last numbers of 64 bits that are numbers of floating point lie 2048 apart.
        let near = if bits == 64 { top - 4_096.0 } else { top - 3.0 };
        let found = steps(counter(bits, Gives::Increment), &[(0, near), (1, 2.0)]);
        assert!(good(found[1], top - near + 2.0, 0.0), "{bits}: {found:?}");
        assert!(failed(steps(counter(bits, Gives::Total), &[(0, top)])[0], DOMAIN), "{bits}");
    }
}

#[test]
fn a_counter_that_began_anew_has_not_wrapped() {
    let readings = [(0, 1_000.0), (1, 5.0), (2, 7.0)];
    let found = steps(counter(32, Gives::Increment), &readings);
    assert!(in_doubt(found[1], Test::CounterReset, 5.0), "{found:?}");
    assert!(good(found[2], 2.0, 0.0));
    let lost = Counter { on_reset: OnReset::Unknown, ..counter(32, Gives::Total) };
    let found = steps(lost, &readings);
    assert!(failed(found[1], Test::CounterReset) && good(found[2], 2.0, 0.0), "{found:?}");
    // Half the range on is still a wrap, and one more is none.
    let byte = counter(8, Gives::Increment);
    assert!(good(steps(byte, &[(0, 200.0), (1, 72.0)])[1], 128.0, 0.0));
    assert!(in_doubt(steps(byte, &[(0, 200.0), (1, 73.0)])[1], Test::CounterReset, 73.0));
    let small = Counter { wrap_max: 10.0, ..byte };
    assert!(good(steps(small, &[(0, 250.0), (1, 4.0)])[1], 10.0, 0.0));
    assert!(in_doubt(steps(small, &[(0, 250.0), (1, 5.0)])[1], Test::CounterReset, 5.0));
    let endless = Counter { modulus: None, ..byte };
    assert!(in_doubt(steps(endless, &[(0, 250.5), (1, 0.5)])[1], Test::CounterReset, 0.5));
    assert!(failed(steps(endless, &[(0, -1.0)])[0], DOMAIN));
}

#[test]
fn a_reading_that_comes_late_is_part_of_a_step_that_was_given() {
    let readings = [(0, 10.0), (20, 30.0), (10, 20.0), (20, 31.0), (30, 40.0)];
    let found = steps(counter(32, Gives::Increment), &readings);
    assert!(failed(found[2], Test::CounterStep), "{found:?}");
    let sum: f64 = found.iter().map(|graded| graded.value).filter(|step| step.is_finite()).sum();
    assert_eq!(sum.to_bits(), 30_f64.to_bits(), "what was counted between 10 and 40");
    let rates = steps(counter(32, Gives::Rate), &readings);
    assert!(failed(rates[3], Test::CounterStep), "no time has passed: {rates:?}");
    assert!(good(rates[4], 1e6, 1e-3), "{rates:?}");
}

#[test]
fn the_era_that_began_last_is_in_force() {
    let era = |from_ns, scale| Era {
        from_ns,
        version: Some(format!("x{scale}").into()),
        chain: Box::new([Transfer::Linear(Linear { scale, offset: 0.0 })]),
    };
    let eras = Eras::new(vec![era(2_000, 3.0), era(1_000, 2.0)]);
    let at = |at_ns| eras.at(at_ns).map(|era| era.apply(1.0, &mut moment(&mut None)).value);
    assert_eq!(
        [i64::MIN, 999, 1_000, 1_999, 2_000, i64::MAX].map(at),
        [None, None, Some(2.0), Some(2.0), Some(3.0), Some(3.0)]
    );
    let calibration = Calibration::Eras(Arc::new(eras));
    assert_eq!(calibration.version_at(1_999), Some("x2"));
    assert_eq!((calibration.version_at(0), Calibration::IDENTITY.version_at(0)), (None, None));
    assert!(calibration.junctions().next().is_none());
}

proptest! {
    /// Whatever comes, what comes out is a number without a fail, or no number with one.
    #[test]
    fn a_value_is_finite_or_fails(
        raw in any::<f64>().prop_filter("validation lets none through", |raw| raw.is_finite()),
        celsius in -300.0..2_000.0_f64,
    ) {
        let cold = Some(Cold { celsius, is_suspect: false });
        let level = CurrentLoop {
            low: -1e30,
            high: 1e30,
            fail: CurrentLoop::NE43_FAIL,
            suspect: CurrentLoop::NE43_MEASURES,
        };
        let points = vec![(-1.0, 5.0), (7.0, -1e9)];
        let junction = Junction::Channel {
            channel: 0,
            max_age_ns: 0,
        };
        let mut transfers = vec![
            Transfer::CurrentLoop(level),
            Transfer::Table(Table::new(points, Outside::Clamp).expect("rises")),
            Transfer::Divider(Divider { known_ohm: 1e3, side: Side::High, full_scale: 3.3 }),
            Transfer::Thermistor(thermistor(Thermistor::beta(3_950.0, 10_000.0, 25.0))),
            Transfer::Rtd(Rtd::new(100.0, Rtd::PLATINUM, Rtd::RANGE).expect("rises")),
            Transfer::Counter(counter(32, Gives::Total)),
        ];
        for (_, pair) in Thermocouple::ALL {
            transfers.push(Transfer::Thermocouple { pair, junction });
        }
        for transfer in transfers {
            let mut count = None;
            let chain = Box::new([transfer]);
            let era = Era { from_ns: i64::MIN, version: None, chain };
            let graded = era.apply(raw, &mut Moment { at_ns: 0, cold, count: &mut count });
            let is_value = graded.value.abs() <= VALUE_ABS_MAX;
            prop_assert_eq!(is_value, graded.flag != Flag::Fail, "{:?}", era);
            prop_assert_eq!(is_value, graded.value.is_finite());
        }
    }

    /// Resistances and voltages come back to the temperature they were made of.
    #[test]
    fn inversions_invert(share in 0.0..=1.0_f64) {
        let pt100 = Rtd::new(100.0, Rtd::PLATINUM, Rtd::RANGE).expect("rises");
        let celsius = -200.0 + share * 1_050.0;
        prop_assert!(good(pt100.celsius(pt100.resistance(celsius).0), celsius, 1e-7));
        for (_, pair) in Thermocouple::ALL {
            let celsius = lowest(pair) + share * (highest(pair) - lowest(pair));
            let back = pair.celsius(pair.millivolt(celsius).expect("within")).expect("within");
            prop_assert!((back - celsius).abs() < 1e-6, "{:?} {} {}", pair, celsius, back);
        }
    }
}

#[test]
fn what_is_too_large_for_statistics_fails() {
    let era = Era {
        from_ns: i64::MIN,
        version: None,
        chain: Box::new([Transfer::Polynomial(Box::new([0.0, 0.0, 1e60]))]),
    };
    assert!(failed(era.apply(1e50, &mut moment(&mut None)), DOMAIN));
    assert!(failed(era.apply(1e300, &mut moment(&mut None)), DOMAIN));
    assert!(good(era.apply(1e40, &mut moment(&mut None)), 1e140, 1e126));
}
