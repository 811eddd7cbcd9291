//! What a unit measures: exponents of the base quantities.

use std::fmt;

use super::table::NAMED;

/// Base quantities, in the order of the exponents.
const BASES: [&str; 8] = [
    "length",
    "time",
    "mass",
    "plane angle",
    "temperature",
    "electric charge",
    "luminous intensity",
    "amount of substance",
];

/// Exponents of the base quantities; shown in words, such as `length/time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension([i8; BASES.len()]);

/// Length; the metre.
pub(super) const LENGTH: Dimension = Dimension::base(0);
/// Time; the second.
pub(super) const TIME: Dimension = Dimension::base(1);
/// Mass; the gram.
pub(super) const MASS: Dimension = Dimension::base(2);
/// Plane angle; the radian.
pub(super) const ANGLE: Dimension = Dimension::base(3);
/// Temperature; the kelvin.
pub(super) const TEMPERATURE: Dimension = Dimension::base(4);
/// Electric charge; the coulomb.
pub(super) const CHARGE: Dimension = Dimension::base(5);
/// Luminous intensity; the candela.
pub(super) const LUMINOUS: Dimension = Dimension::base(6);
/// Amount of substance; the mole.
pub(super) const AMOUNT: Dimension = Dimension::base(7);

impl Dimension {
    /// A bare number.
    pub const NONE: Self = Self([0; BASES.len()]);

    const fn base(index: usize) -> Self {
        let mut exponents = [0; BASES.len()];
        exponents[index] = 1;
        Self(exponents)
    }

    /// For the table, whose exponents are small.
    pub(super) const fn times(self, other: Self) -> Self {
        match self.checked_times(other, 1) {
            Some(product) => product,
            None => panic!("exponents of the table are small"),
        }
    }

    /// For the table, whose exponents are small.
    pub(super) const fn pow(self, exponent: i32) -> Self {
        match Self::NONE.checked_times(self, exponent) {
            Some(power) => power,
            None => panic!("exponents of the table are small"),
        }
    }

    /// `self * other^exponent`; `None` if an exponent does not fit.
    pub(super) const fn checked_times(self, other: Self, exponent: i32) -> Option<Self> {
        let mut exponents = self.0;
        let mut i = 0;
        while i < BASES.len() {
            let Some(change) = (other.0[i] as i32).checked_mul(exponent) else { return None };
            let Some(sum) = (exponents[i] as i32).checked_add(change) else { return None };
            if sum < i8::MIN as i32 || (i8::MAX as i32) < sum {
                return None;
            }
            exponents[i] = sum as i8;
            i += 1;
        }
        Some(Self(exponents))
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMED.iter().find(|(_, dimension)| dimension == self) {
            return f.write_str(name);
        }
        let factors = |sign: i8| {
            BASES.iter().zip(self.0).filter(move |(_, e)| 0 < e.saturating_mul(sign)).map(
                |(name, e)| match e.unsigned_abs() {
                    1 => (*name).to_owned(),
                    power => format!("{name}^{power}"),
                },
            )
        };
        let above: Vec<String> = factors(1).collect();
        let below: Vec<String> = factors(-1).collect();
        f.write_str(&if above.is_empty() { "1".to_owned() } else { above.join("*") })?;
        match below.len() {
            0 => Ok(()),
            1 => write!(f, "/{}", below[0]),
            _ => write!(f, "/({})", below.join("*")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_words() {
        let cases = [
            (TEMPERATURE, "temperature"),
            (LENGTH.times(TIME.pow(-1)), "length/time"),
            (MASS.times(LENGTH.pow(-3)), "mass/length^3"),
            (MASS.times(TIME.pow(-3)), "mass/time^3"),
            (TIME.pow(-1).times(LENGTH.pow(-2)), "1/(length^2*time)"),
            (Dimension::NONE, "a number without dimension"),
        ];
        for (dimension, words) in cases {
            assert_eq!(dimension.to_string(), words);
        }
    }

    #[test]
    fn refuses_exponents_that_do_not_fit() {
        assert_eq!(
            Dimension::NONE.checked_times(LENGTH, 127),
            Some(Dimension([127, 0, 0, 0, 0, 0, 0, 0]))
        );
        assert_eq!(Dimension::NONE.checked_times(LENGTH, 128), None);
        assert_eq!(LENGTH.pow(2).checked_times(LENGTH, i32::MAX), None);
    }
}
