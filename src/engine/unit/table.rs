//! The units that can be written: atoms, prefixes, aliases and common misspellings.
//!
//! Factors are from the UCUM specification's tables 3 to 10 (<https://ucum.org/ucum>), as a
//! numerator and a denominator where that is exact.

use super::dimension::{
    AMOUNT, ANGLE, CHARGE, Dimension, LENGTH, LUMINOUS, MASS, TEMPERATURE, TIME,
};

/// One unit that is not made of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atom {
    /// Code, case-sensitive.
    pub code: &'static str,
    /// Whether SI prefixes go before it.
    pub metric: bool,
    /// What it measures.
    pub dimension: Dimension,
    /// How much of the base units it is: numerator.
    pub num: f64,
    /// Denominator.
    pub den: f64,
    /// Where it differs from a plain multiple.
    pub scale: Scale,
}

/// How values of an atom relate to multiples of the base unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Proportional.
    Ratio,
    /// Shifted: its zero lies this many nine-hundredths of a kelvin above absolute zero. Both
    /// Celsius and Fahrenheit are whole numbers of those.
    Shifted(i32),
    /// A logarithm or a convention: comparable with itself alone.
    Opaque,
}

const NONE: Dimension = Dimension::NONE;
const AREA: Dimension = LENGTH.pow(2);
const VOLUME: Dimension = LENGTH.pow(3);
const FREQUENCY: Dimension = TIME.pow(-1);
const FORCE: Dimension = MASS.times(LENGTH).times(TIME.pow(-2));
const ENERGY: Dimension = FORCE.times(LENGTH);
const POWER: Dimension = ENERGY.times(TIME.pow(-1));
const PRESSURE: Dimension = FORCE.times(LENGTH.pow(-2));
const CURRENT: Dimension = CHARGE.times(TIME.pow(-1));
const VOLTAGE: Dimension = ENERGY.times(CHARGE.pow(-1));
const RESISTANCE: Dimension = VOLTAGE.times(CURRENT.pow(-1));
const CAPACITANCE: Dimension = CHARGE.times(VOLTAGE.pow(-1));
const FLUX: Dimension = VOLTAGE.times(TIME);
const FLUX_DENSITY: Dimension = FLUX.times(LENGTH.pow(-2));
const INDUCTANCE: Dimension = FLUX.times(CURRENT.pow(-1));
const LUMINOUS_FLUX: Dimension = LUMINOUS.times(ANGLE.pow(2));
const ILLUMINANCE: Dimension = LUMINOUS_FLUX.times(LENGTH.pow(-2));
const SPEED: Dimension = LENGTH.times(TIME.pow(-1));
const DOSE: Dimension = ENERGY.times(MASS.pow(-1));

/// Standard gravity, m/s2.
const GRAVITY: f64 = 9.80665;
/// Grams in a pound.
const POUND: f64 = 453.592_37;
const PI: f64 = std::f64::consts::PI;

/// Names of dimensions that have one.
pub(super) const NAMED: &[(&str, Dimension)] = &[
    ("a number without dimension", NONE),
    ("length", LENGTH),
    ("area", AREA),
    ("volume", VOLUME),
    ("time", TIME),
    ("mass", MASS),
    ("temperature", TEMPERATURE),
    ("plane angle", ANGLE),
    ("amount of substance", AMOUNT),
    ("electric charge", CHARGE),
    ("luminous intensity", LUMINOUS),
    ("frequency", FREQUENCY),
    ("force", FORCE),
    ("energy", ENERGY),
    ("power", POWER),
    ("pressure", PRESSURE),
    ("electric current", CURRENT),
    ("voltage", VOLTAGE),
    ("electric resistance", RESISTANCE),
    ("electric conductance", RESISTANCE.pow(-1)),
    ("capacitance", CAPACITANCE),
    ("inductance", INDUCTANCE),
    ("magnetic flux", FLUX),
    ("magnetic flux density", FLUX_DENSITY),
    ("luminous flux", LUMINOUS_FLUX),
    ("illuminance", ILLUMINANCE),
];

const fn metric(code: &'static str, dimension: Dimension, num: f64) -> Atom {
    Atom { code, metric: true, dimension, num, den: 1.0, scale: Scale::Ratio }
}

const fn plain(code: &'static str, dimension: Dimension, num: f64, den: f64) -> Atom {
    Atom { code, metric: false, dimension, num, den, scale: Scale::Ratio }
}

const fn shifted(code: &'static str, metric: bool, num: f64, den: f64, zero: i32) -> Atom {
    Atom { code, metric, dimension: TEMPERATURE, num, den, scale: Scale::Shifted(zero) }
}

const fn opaque(code: &'static str) -> Atom {
    Atom { code, metric: false, dimension: NONE, num: 1.0, den: 1.0, scale: Scale::Opaque }
}

/// All atoms.
pub(super) const ATOMS: &[Atom] = &[
    // Base units; the gram rather than the kilogram, as in UCUM.
    metric("m", LENGTH, 1.0),
    metric("s", TIME, 1.0),
    metric("g", MASS, 1.0),
    metric("rad", ANGLE, 1.0),
    metric("K", TEMPERATURE, 1.0),
    metric("C", CHARGE, 1.0),
    metric("cd", LUMINOUS, 1.0),
    // UCUM makes it a number; here it is a base unit, so that nobody turns a concentration into a
    // bare number by accident.
    metric("mol", AMOUNT, 1.0),
    // Numbers.
    plain("%", NONE, 1.0, 100.0),
    plain("[ppth]", NONE, 1.0, 1e3),
    plain("[ppm]", NONE, 1.0, 1e6),
    plain("[ppb]", NONE, 1.0, 1e9),
    plain("[pptr]", NONE, 1.0, 1e12),
    plain("[pi]", NONE, PI, 1.0),
    // SI units with names.
    metric("Hz", FREQUENCY, 1.0),
    metric("N", FORCE, 1e3),
    metric("Pa", PRESSURE, 1e3),
    metric("J", ENERGY, 1e3),
    metric("W", POWER, 1e3),
    metric("A", CURRENT, 1.0),
    metric("V", VOLTAGE, 1e3),
    metric("F", CAPACITANCE, 1e-3),
    metric("Ohm", RESISTANCE, 1e3),
    Atom { den: 1e3, ..metric("S", RESISTANCE.pow(-1), 1.0) },
    metric("Wb", FLUX, 1e3),
    metric("T", FLUX_DENSITY, 1e3),
    metric("H", INDUCTANCE, 1e3),
    metric("lm", LUMINOUS_FLUX, 1.0),
    metric("lx", ILLUMINANCE, 1.0),
    metric("sr", ANGLE.pow(2), 1.0),
    metric("Bq", FREQUENCY, 1.0),
    metric("Gy", DOSE, 1.0),
    metric("Sv", DOSE, 1.0),
    metric("kat", AMOUNT.times(TIME.pow(-1)), 1.0),
    // Temperature.
    shifted("Cel", true, 1.0, 1.0, 245_835),
    shifted("[degF]", false, 5.0, 9.0, 229_835),
    plain("[degR]", TEMPERATURE, 5.0, 9.0),
    // Beside the SI.
    metric("L", VOLUME, 1e-3),
    metric("l", VOLUME, 1e-3),
    metric("ar", AREA, 100.0),
    metric("t", MASS, 1e6),
    metric("bar", PRESSURE, 1e8),
    metric("eV", ENERGY, 1.602_176_634e-16),
    metric("cal", ENERGY, 4_184.0),
    metric("eq", AMOUNT, 1.0),
    metric("osm", AMOUNT, 1.0),
    metric("G", FLUX_DENSITY, 0.1),
    metric("dyn", FORCE, 1e-2),
    metric("erg", ENERGY, 1e-4),
    metric("St", AREA.times(TIME.pow(-1)), 1e-4),
    metric("P", PRESSURE.times(TIME), 100.0),
    // Time.
    plain("min", TIME, 60.0, 1.0),
    plain("h", TIME, 3_600.0, 1.0),
    plain("d", TIME, 86_400.0, 1.0),
    plain("wk", TIME, 604_800.0, 1.0),
    plain("mo", TIME, 2_629_800.0, 1.0),
    plain("a", TIME, 31_557_600.0, 1.0),
    // Angle.
    plain("deg", ANGLE, PI, 180.0),
    plain("'", ANGLE, PI, 10_800.0),
    plain("''", ANGLE, PI, 648_000.0),
    plain("gon", ANGLE, PI, 200.0),
    // Columns of liquid, with prefixes on the metre: `mm[Hg]`, `cm[H2O]`.
    metric("m[Hg]", PRESSURE, 133_322_000.0),
    metric("m[H2O]", PRESSURE, 9_806_650.0),
    plain("[in_i'Hg]", PRESSURE, 133_322_000.0 * 0.0254, 1.0),
    plain("[in_i'H2O]", PRESSURE, 9_806_650.0 * 0.0254, 1.0),
    plain("atm", PRESSURE, 101_325_000.0, 1.0),
    plain("[psi]", PRESSURE, POUND * GRAVITY, 0.0254 * 0.0254),
    // International customary units, and those of seafaring.
    plain("[in_i]", LENGTH, 254.0, 1e4),
    plain("[ft_i]", LENGTH, 3_048.0, 1e4),
    plain("[yd_i]", LENGTH, 9_144.0, 1e4),
    plain("[mi_i]", LENGTH, 1_609_344.0, 1e3),
    plain("[fth_i]", LENGTH, 18_288.0, 1e4),
    plain("[nmi_i]", LENGTH, 1_852.0, 1.0),
    plain("[kn_i]", SPEED, 1_852.0, 3_600.0),
    plain("[sin_i]", AREA, 64_516.0, 1e8),
    plain("[sft_i]", AREA, 9_290_304.0, 1e8),
    plain("[syd_i]", AREA, 83_612_736.0, 1e8),
    plain("[cin_i]", VOLUME, 16_387_064.0, 1e12),
    plain("[cft_i]", VOLUME, 28_316_846_592.0, 1e12),
    plain("[gal_us]", VOLUME, 3_785_411_784.0, 1e12),
    plain("[gal_br]", VOLUME, 4_546_090.0, 1e9),
    plain("[lb_av]", MASS, POUND, 1.0),
    plain("[oz_av]", MASS, POUND, 16.0),
    plain("[lbf_av]", FORCE, POUND * GRAVITY, 1.0),
    plain("[HP]", POWER, 550.0 * 0.3048 * POUND * GRAVITY, 1.0),
    metric("[Btu_IT]", ENERGY, 1_055_055.852_62),
    metric("[g]", LENGTH.times(TIME.pow(-2)), GRAVITY),
    metric("[ly]", LENGTH, 9_460_730_472_580_800.0),
    plain("[mu_0]", FORCE.times(CURRENT.pow(-2)), 4.0 * PI * 1e3, 1e7),
    // Logarithms and conventions: published, never converted.
    opaque("pH"),
    opaque("Np"),
    opaque("B"),
    opaque("dB"),
    opaque("dB[SPL]"),
    opaque("dB[V]"),
    opaque("dB[mV]"),
    opaque("dB[uV]"),
    opaque("dB[W]"),
    opaque("dB[kW]"),
    opaque("dBm"),
];

/// SI prefixes, as a numerator and a denominator.
pub(super) const PREFIXES: &[(&str, f64, f64)] = &[
    ("da", 10.0, 1.0),
    ("Y", 1e24, 1.0),
    ("Z", 1e21, 1.0),
    ("E", 1e18, 1.0),
    ("P", 1e15, 1.0),
    ("T", 1e12, 1.0),
    ("G", 1e9, 1.0),
    ("M", 1e6, 1.0),
    ("k", 1e3, 1.0),
    ("h", 1e2, 1.0),
    ("d", 1.0, 1e1),
    ("c", 1.0, 1e2),
    ("m", 1.0, 1e3),
    ("u", 1.0, 1e6),
    ("n", 1.0, 1e9),
    ("p", 1.0, 1e12),
    ("f", 1.0, 1e15),
    ("a", 1.0, 1e18),
    ("z", 1.0, 1e21),
    ("y", 1.0, 1e24),
];

/// Names of the SenML registries (RFC 8428, RFC 8798) that are no UCUM codes, with the code that
/// means the same.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("%RH", "%"),
    ("%EL", "%"),
    ("/", "1"),
    ("count", "1"),
    ("lat", "deg"),
    ("lon", "deg"),
    ("ppm", "[ppm]"),
    ("ppb", "[ppb]"),
    ("Ah", "A.h"),
    ("Wh", "W.h"),
    ("kWh", "kW.h"),
    ("VA", "V.A"),
    ("kVA", "kV.A"),
    ("var", "V.A"),
    ("kvar", "kV.A"),
    ("beat/min", "/min"),
];

/// What people write instead, and the code for it.
pub(super) const SPELLINGS: &[(&str, &str)] = &[
    ("°C", "Cel"),
    ("degC", "Cel"),
    ("deg_C", "Cel"),
    ("celsius", "Cel"),
    ("Celsius", "Cel"),
    ("°F", "[degF]"),
    ("degF", "[degF]"),
    ("fahrenheit", "[degF]"),
    ("Fahrenheit", "[degF]"),
    ("kelvin", "K"),
    ("°", "deg"),
    ("degree", "deg"),
    ("degrees", "deg"),
    ("psi", "[psi]"),
    ("PSI", "[psi]"),
    ("kn", "[kn_i]"),
    ("kt", "[kn_i]"),
    ("kts", "[kn_i]"),
    ("knots", "[kn_i]"),
    ("nmi", "[nmi_i]"),
    ("NM", "[nmi_i]"),
    ("mph", "[mi_i]/h"),
    ("mi", "[mi_i]"),
    ("ft", "[ft_i]"),
    ("in", "[in_i]"),
    ("inch", "[in_i]"),
    ("yd", "[yd_i]"),
    ("lb", "[lb_av]"),
    ("gal", "[gal_us]"),
    ("hp", "[HP]"),
    ("mmHg", "mm[Hg]"),
    ("inHg", "[in_i'Hg]"),
    ("cmH2O", "cm[H2O]"),
    ("rpm", "/min"),
    ("RPM", "/min"),
    ("km/hr", "km/h"),
    ("kph", "km/h"),
    ("kmh", "km/h"),
    ("sec", "s"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("year", "a"),
    ("ohm", "Ohm"),
    ("ohms", "Ohm"),
    ("Ω", "Ohm"),
    ("lux", "lx"),
    ("hz", "Hz"),
    ("pa", "Pa"),
    ("hpa", "hPa"),
    ("HPa", "hPa"),
    ("kpa", "kPa"),
    ("volt", "V"),
    ("volts", "V"),
    ("watt", "W"),
    ("watts", "W"),
    ("amp", "A"),
    ("percent", "%"),
    ("pct", "%"),
    ("µm", "um"),
    ("µg/m³", "ug/m3"),
    ("µg/m3", "ug/m3"),
    ("ug/m³", "ug/m3"),
    ("m³", "m3"),
    ("m²", "m2"),
    ("m³/h", "m3/h"),
    ("W/m²", "W/m2"),
    ("m/s²", "m/s2"),
    ("µS/cm", "uS/cm"),
    ("l/min.", "l/min"),
    ("lpm", "l/min"),
    ("cfm", "[cft_i]/min"),
    ("dBA", "dB[SPL]"),
    ("dB(A)", "dB[SPL]"),
];
