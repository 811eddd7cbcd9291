//! Units by their UCUM codes, and conversion between them.
//!
//! The grammar is UCUM's, case-sensitive (<https://ucum.org/ucum>, sections 2 and 3): products,
//! quotients, exponents, parentheses, numbers, powers of ten and annotations. It differs in three
//! points. The mole is a base unit as in the SI, so that `mol/L` does not convert to `1/L`.
//! Logarithmic and conventional units (`pH`, `dB`) are known by name and never converted. The
//! names of the SenML registries that are no UCUM codes are taken as aliases.
//!
//! Of UCUM's tables, those that sensors report are there: not the clinical, typesetting and
//! arbitrary units, nor the customary ones of the United States before 1959.

use std::{borrow::Cow, fmt};

use self::{
    parse::Parser,
    table::{ALIASES, SPELLINGS},
};
use crate::limits::{UNIT_BYTES_MAX, UNIT_DEPTH_MAX, UNIT_EXPONENT_MAX};

pub use self::dimension::Dimension;

mod dimension;
mod parse;
mod table;

/// A unit that was understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    dimension: Dimension,
    /// How many base units it is: numerator. Kept apart from the denominator because both are
    /// mostly whole numbers, so that conversions by powers of ten round once.
    num: f64,
    /// Denominator.
    den: f64,
    /// Absolute zero lies this many nine-hundredths of a kelvin below the unit's own.
    zero: i32,
    /// A unit that converts to itself alone.
    opaque: Option<&'static str>,
}

impl Unit {
    /// One, the unit of bare numbers.
    pub const ONE: Self =
        Self { dimension: Dimension::NONE, num: 1.0, den: 1.0, zero: 0, opaque: None };

    /// The unit of a code such as `Cel`, `ug/m3`, `[degF]` or `{widgets}`.
    ///
    /// # Errors
    /// If the code is not understood; the error says where and, where it can, what to write.
    pub fn parse(code: &str) -> Result<Self, UnitError> {
        let error = |at, kind| UnitError { at, kind };
        if code.is_empty() {
            return Err(error(0, UnitErrorKind::Empty));
        }
        if UNIT_BYTES_MAX < code.len() {
            return Err(error(0, UnitErrorKind::TooLong));
        }
        if let Some((_, meant)) = SPELLINGS.iter().find(|(spelling, _)| *spelling == code) {
            let unknown = UnitErrorKind::Unknown { code: code.into(), suggestion: Some(*meant) };
            return Err(error(0, unknown));
        }
        if let Some(at) = code.find(|c: char| !c.is_ascii_graphic()) {
            return Err(error(at, UnitErrorKind::NotAscii));
        }
        let alias = ALIASES.iter().find(|(alias, _)| *alias == code);
        let code = alias.map_or(code, |(_, meant)| *meant);
        Parser::new(code).unit()
    }

    /// What it measures.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// The unit's own name if it is one that is never converted, else what it measures.
    fn measure(&self) -> String {
        self.opaque.map_or_else(|| self.dimension.to_string(), |code| format!("{code} alone"))
    }
}

/// The unit of differences between values in a unit with a zero of its own, by its code; `None`
/// where differences have the unit itself.
#[must_use]
pub fn unit_of_differences(code: &str) -> Option<Cow<'static, str>> {
    if code == "[degF]" {
        return Some(Cow::Borrowed("[degR]"));
    }
    let prefix = code.strip_suffix("Cel")?;
    Some(if prefix.is_empty() { Cow::Borrowed("K") } else { Cow::Owned(format!("{prefix}K")) })
}

/// From values in one unit to values in another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    /// Factor.
    pub factor: f64,
    /// Added after the factor.
    pub offset: f64,
}

impl Conversion {
    /// Leaves values as they are.
    pub const IDENTITY: Self = Self { factor: 1.0, offset: 0.0 };

    /// The conversion from one unit to another.
    ///
    /// # Errors
    /// If the two do not measure the same.
    pub fn between(from: &Unit, to: &Unit) -> Result<Self, Incompatible> {
        if from.dimension != to.dimension || from.opaque != to.opaque {
            return Err(Incompatible { from: from.measure(), to: to.measure() });
        }
        let factor = (from.num * to.den) / (from.den * to.num);
        // Whole nine-hundredths of a kelvin subtract without rounding.
        let shift = f64::from(from.zero - to.zero);
        let offset = shift * to.den / (900.0 * to.num);
        Ok(Self { factor, offset })
    }

    /// Converts a point (not a difference).
    #[must_use]
    pub fn point(&self, value: f64) -> f64 {
        value * self.factor + self.offset
    }

    /// Converts a difference of two points, such as a standard deviation, a threshold or a rate:
    /// by the factor alone.
    #[must_use]
    pub fn difference(&self, value: f64) -> f64 {
        value * self.factor
    }
}

/// Two units that do not measure the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incompatible {
    /// What the first measures, in words.
    pub from: String,
    /// What the second measures, in words.
    pub to: String,
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be converted to {}", self.from, self.to)
    }
}

impl std::error::Error for Incompatible {}

/// Why a text is no unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError {
    /// Byte of the code where it was noticed.
    pub at: usize,
    /// What is wrong.
    pub kind: UnitErrorKind,
}

/// What is wrong with a unit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitErrorKind {
    /// Nothing there.
    Empty,
    /// Longer than [`UNIT_BYTES_MAX`].
    TooLong,
    /// A character that no code has.
    NotAscii,
    /// A symbol that is not in the table.
    Unknown {
        /// The symbol.
        code: String,
        /// The nearest code.
        suggestion: Option<&'static str>,
    },
    /// No unit where one must be.
    Missing,
    /// Something other than `.` or `/` between two units.
    Operator,
    /// An opening parenthesis or brace without its closing one.
    Unclosed,
    /// Parentheses nested deeper than [`UNIT_DEPTH_MAX`].
    Depth,
    /// An exponent that is no number, or beyond [`UNIT_EXPONENT_MAX`].
    Exponent,
    /// A factor that no number holds.
    Overflow,
    /// A unit with a zero of its own, or a logarithm, inside a product.
    Special,
}

impl UnitError {
    /// What to write instead, where that is clear.
    #[must_use]
    pub fn suggestion(&self) -> Option<&'static str> {
        match self.kind {
            UnitErrorKind::Unknown { suggestion, .. } => suggestion,
            _ => None,
        }
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            UnitErrorKind::Empty => {
                f.write_str("a unit has at least one character; `1` is the bare number")
            }
            UnitErrorKind::TooLong => write!(f, "longer than {UNIT_BYTES_MAX} bytes"),
            UnitErrorKind::NotAscii => f.write_str(
                "UCUM codes are ASCII without spaces: `deg`, `u` for micro, `m3`, `Ohm`",
            ),
            UnitErrorKind::Unknown { code, .. } => write!(f, "`{code}` is no known UCUM code"),
            UnitErrorKind::Missing => write!(f, "a unit is missing at byte {}", self.at),
            UnitErrorKind::Operator => {
                write!(f, "expected `.` for a product or `/` for a quotient at byte {}", self.at)
            }
            UnitErrorKind::Unclosed => {
                write!(f, "the bracket opened at byte {} is not closed", self.at)
            }
            UnitErrorKind::Depth => write!(f, "more than {UNIT_DEPTH_MAX} nested parentheses"),
            UnitErrorKind::Exponent => {
                write!(f, "an exponent is a whole number within ±{UNIT_EXPONENT_MAX}")
            }
            UnitErrorKind::Overflow => {
                f.write_str("the factor of this unit is too large or too small")
            }
            UnitErrorKind::Special => f.write_str(
                "units with a zero of their own (Cel, [degF]) and logarithms stand alone: \
                 in a product write K, or [degR]",
            ),
        }
    }
}

impl std::error::Error for UnitError {}

#[cfg(test)]
mod tests;
