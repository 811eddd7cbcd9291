//! The grammar of unit codes, by recursive descent.

use super::{
    Unit, UnitError, UnitErrorKind,
    table::{ATOMS, Atom, PREFIXES, SPELLINGS, Scale},
};
use crate::limits::{UNIT_DEPTH_MAX, UNIT_EXPONENT_MAX};

/// Goes through a code once, from left to right; the depth of its recursion is bounded.
pub(super) struct Parser<'a> {
    /// ASCII without spaces.
    code: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// At the start of a code of graphic ASCII.
    pub(super) fn new(code: &'a str) -> Self {
        Self { code, at: 0, depth: 0 }
    }

    /// The whole code.
    pub(super) fn unit(mut self) -> Result<Unit, UnitError> {
        let unit = if self.eat(b'/') {
            let below = self.term()?;
            combine(Unit::ONE, below, -1, 0)?
        } else {
            self.term()?
        };
        if self.at < self.code.len() { Err(self.fail(UnitErrorKind::Operator)) } else { Ok(unit) }
    }

    /// `component (("." | "/") component)*`, from left to right.
    fn term(&mut self) -> Result<Unit, UnitError> {
        let mut unit = self.component()?;
        loop {
            let sign = match self.peek() {
                Some(b'.') => 1,
                Some(b'/') => -1,
                _ => return Ok(unit),
            };
            let at = self.at;
            self.at += 1;
            let next = self.component()?;
            unit = combine(unit, next, sign, at)?;
        }
    }

    /// A unit, a number, or a term in parentheses, with its annotation; or an annotation alone.
    fn component(&mut self) -> Result<Unit, UnitError> {
        let opened = self.at;
        match self.peek() {
            Some(b'(') => {
                self.at += 1;
                self.depth += 1;
                if UNIT_DEPTH_MAX < self.depth {
                    return Err(self.fail(UnitErrorKind::Depth));
                }
                let unit = self.term()?;
                if !self.eat(b')') {
                    return Err(UnitError { at: opened, kind: UnitErrorKind::Unclosed });
                }
                self.depth -= 1;
                Ok(unit)
            }
            Some(b'{') => {
                self.annotation()?;
                Ok(Unit::ONE)
            }
            _ => {
                let unit = self.factor()?;
                if self.peek() == Some(b'{') {
                    self.annotation()?;
                }
                Ok(unit)
            }
        }
    }

    /// `{…}`, which means something to people alone.
    fn annotation(&mut self) -> Result<(), UnitError> {
        match self.code[self.at..].find('}') {
            Some(end) => {
                self.at += end + 1;
                Ok(())
            }
            None => Err(self.fail(UnitErrorKind::Unclosed)),
        }
    }

    /// A number, a power of ten, or a symbol with its exponent.
    fn factor(&mut self) -> Result<Unit, UnitError> {
        let start = self.at;
        let symbol = self.symbol()?;
        let unknown = |symbol: &str| UnitError {
            at: start,
            kind: UnitErrorKind::Unknown { code: symbol.to_owned(), suggestion: nearest(symbol) },
        };
        if symbol.is_empty() {
            return Err(self.fail(UnitErrorKind::Missing));
        }
        if let Some(exponent) = symbol.strip_prefix("10*").or_else(|| symbol.strip_prefix("10^")) {
            let ten = Unit { num: 10.0, ..Unit::ONE };
            return power(ten, if exponent.is_empty() { "1" } else { exponent }, start);
        }
        if symbol.bytes().all(|b| b.is_ascii_digit()) {
            let num: f64 = symbol.parse().map_err(|_| unknown(symbol))?;
            return combine(Unit::ONE, Unit { num, ..Unit::ONE }, 1, start);
        }
        let (name, exponent) = split_exponent(symbol);
        let unit = simple(name).ok_or_else(|| unknown(name))?;
        if exponent.is_empty() { Ok(unit) } else { power(unit, exponent, start) }
    }

    /// Up to the next operator, parenthesis or annotation; square brackets hide them.
    fn symbol(&mut self) -> Result<&'a str, UnitError> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'.' | b'/' | b'(' | b')' | b'{' | b'}' => break,
                b'[' => match self.code[self.at..].find(']') {
                    Some(end) => self.at += end + 1,
                    None => return Err(self.fail(UnitErrorKind::Unclosed)),
                },
                _ => self.at += 1,
            }
        }
        Ok(&self.code[start..self.at])
    }

    fn peek(&self) -> Option<u8> {
        self.code.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn fail(&self, kind: UnitErrorKind) -> UnitError {
        UnitError { at: self.at, kind }
    }
}

/// `unit^exponent`, with the exponent as it is written.
fn power(unit: Unit, exponent: &str, at: usize) -> Result<Unit, UnitError> {
    let exponent: i32 = exponent
        .parse()
        .ok()
        .filter(|e: &i32| e.unsigned_abs() <= UNIT_EXPONENT_MAX.unsigned_abs())
        .ok_or(UnitError { at, kind: UnitErrorKind::Exponent })?;
    if exponent == 1 { Ok(unit) } else { combine(Unit::ONE, unit, exponent, at) }
}

/// `left * right^exponent`.
fn combine(left: Unit, right: Unit, exponent: i32, at: usize) -> Result<Unit, UnitError> {
    let fail = |kind| UnitError { at, kind };
    if [left, right].iter().any(|unit| unit.zero != 0 || unit.opaque.is_some()) {
        return Err(fail(UnitErrorKind::Special));
    }
    let dimension = left
        .dimension
        .checked_times(right.dimension, exponent)
        .ok_or(fail(UnitErrorKind::Exponent))?;
    let (above, below) =
        if 0 <= exponent { (right.num, right.den) } else { (right.den, right.num) };
    let num = left.num * above.powi(exponent.abs());
    let den = left.den * below.powi(exponent.abs());
    // A conversion multiplies two of these and divides by two: that stays finite.
    let fits = |x: f64| 1e-75 < x && x < 1e75;
    if !fits(num) || !fits(den) {
        return Err(fail(UnitErrorKind::Overflow));
    }
    Ok(Unit { dimension, num, den, ..Unit::ONE })
}

/// Splits `m3`, `s-1` into name and exponent; digits inside square brackets belong to the name.
fn split_exponent(symbol: &str) -> (&str, &str) {
    let digits = symbol.trim_end_matches(|c: char| c.is_ascii_digit());
    if digits.len() == symbol.len() {
        return (symbol, "");
    }
    let name = digits.strip_suffix(['+', '-']).unwrap_or(digits);
    symbol.split_at(name.len())
}

/// The unit of a symbol without exponent: an atom, or a prefix and an atom.
pub(super) fn simple(name: &str) -> Option<Unit> {
    let find = |code: &str| ATOMS.iter().find(|atom| atom.code == code);
    if let Some(atom) = find(name) {
        return Some(atom.unit(1.0, 1.0));
    }
    PREFIXES.iter().find_map(|(prefix, num, den)| {
        let atom = find(name.strip_prefix(prefix)?).filter(|atom| atom.metric)?;
        Some(atom.unit(*num, *den))
    })
}

impl Atom {
    fn unit(&self, num: f64, den: f64) -> Unit {
        Unit {
            dimension: self.dimension,
            num: self.num * num,
            den: self.den * den,
            zero: if let Scale::Shifted(zero) = self.scale { zero } else { 0 },
            opaque: (self.scale == Scale::Opaque).then_some(self.code),
        }
    }
}

/// The code that a misspelt symbol most likely stands for.
fn nearest(symbol: &str) -> Option<&'static str> {
    if let Some((_, meant)) = SPELLINGS.iter().find(|(spelling, _)| *spelling == symbol) {
        return Some(meant);
    }
    let same_letters = ATOMS.iter().find(|atom| {
        atom.code.trim_matches(['[', ']']).eq_ignore_ascii_case(symbol.trim_matches(['[', ']']))
    });
    same_letters.map(|atom| atom.code)
}
