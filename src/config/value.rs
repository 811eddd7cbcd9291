//! `unit`, `raw_unit` and `calibration`: how raw values become published ones.

use std::sync::Arc;

use super::{
    errors::Remark,
    keys,
    reader::{Found, Section},
};
use crate::engine::{
    plan::Linear,
    unit::{Conversion, Unit},
};

/// The keys that one table gives; what it leaves open comes from the table it inherits from.
#[derive(Clone, Debug, Default)]
pub(super) struct ValueKeys {
    unit: Option<Found<Code>>,
    raw_unit: Option<Found<Code>>,
    calibration: Option<Linear>,
}

/// A unit, and how it is written.
#[derive(Clone, Debug)]
struct Code {
    text: Arc<str>,
    unit: Unit,
}

/// How raw values become published ones.
#[derive(Clone, Debug)]
pub(super) struct ValuePlan {
    /// The published unit as written.
    pub unit: Option<Arc<str>>,
    /// From raw to calibrated values.
    pub calibration: Linear,
    /// From calibrated to published values.
    pub conversion: Conversion,
}

impl ValueKeys {
    /// Reads the keys of a channel or of a pattern.
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            unit: code(section, "unit"),
            raw_unit: code(section, "raw_unit"),
            calibration: calibration(section),
        }
    }

    /// These keys where they are given, else those of `base`.
    pub(super) fn over(&self, base: &Self) -> Self {
        let (own, base) = (self.clone(), base.clone());
        Self {
            unit: own.unit.or(base.unit),
            raw_unit: own.raw_unit.or(base.raw_unit),
            calibration: own.calibration.or(base.calibration),
        }
    }

    /// What these keys, inheriting from `base`, amount to; errors are those of `section`.
    pub(super) fn resolve(&self, base: &Self, section: &Section<'_>) -> ValuePlan {
        let all = self.over(base);
        let unit = all.unit.as_ref().map(|found| Arc::clone(&found.value.text));
        let calibration = all.calibration.unwrap_or(Linear::IDENTITY);
        let conversion = match (&all.unit, &all.raw_unit) {
            (_, None) => Conversion::IDENTITY,
            (None, Some(_)) if section.has("unit") => Conversion::IDENTITY,
            (None, Some(from)) => {
                let remark = Remark::new("`raw_unit` has no effect without `unit`");
                let help = "name the unit to convert to with `unit`";
                section.sink.missing(&from.span, remark.help(help));
                Conversion::IDENTITY
            }
            (Some(to), Some(from)) => self.conversion(from, to, section),
        };
        ValuePlan { unit, calibration, conversion }
    }

    fn conversion(
        &self,
        from: &Found<Code>,
        to: &Found<Code>,
        section: &Section<'_>,
    ) -> Conversion {
        let converted = Conversion::between(&from.value.unit, &to.value.unit);
        converted.unwrap_or_else(|error| {
            let (from_code, to_code) = (&from.value.text, &to.value.text);
            let title = format!("`{from_code}` does not convert to `{to_code}`: {error}");
            // The table that gives one of the two is to blame, not the one that has both.
            let blamed = if self.raw_unit.is_none() && self.unit.is_some() { to } else { from };
            section.sink.error(&blamed.span, Remark::new(title));
            Conversion::IDENTITY
        })
    }
}

fn code(section: &Section<'_>, key: &'static str) -> Option<Found<Code>> {
    let found = section.text(key)?;
    match Unit::parse(found.value) {
        Ok(unit) => {
            warn_of_electricity(section, &found);
            Some(found.map(|code| Code { text: Arc::from(code), unit }))
        }
        Err(error) => {
            let title = format!("`{key}` \"{}\" is no unit: {error}", found.value);
            let help = match error.suggestion() {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "units are UCUM codes; a name of your own goes in braces: \"{widgets}\""
                    .to_owned(),
            };
            section.sink.error(&found.span, Remark::new(title).help(help));
            None
        }
    }
}

/// C and F are units, and rarely the ones that are meant.
fn warn_of_electricity(section: &Section<'_>, found: &Found<&str>) {
    let (is, meant) = match found.value {
        "C" => ("the coulomb", "degrees Celsius are \"Cel\""),
        "F" => ("the farad", "degrees Fahrenheit are \"[degF]\""),
        _ => return,
    };
    let remark = Remark::new(format!("`{}` is {is}", found.value));
    section.sink.warn(&found.span, remark.help(meant));
}

fn calibration(section: &Section<'_>) -> Option<Linear> {
    let inner = section.section("calibration", "`calibration`", keys::CALIBRATION)?;
    inner.require("kind", "\"linear\"");
    inner.choice("kind", &[("linear", ())]);
    let scale = inner.number("scale", -1e30..=1e30);
    let offset = inner.number("offset", -1e30..=1e30);
    if let Some(found) = scale.as_ref().filter(|found| found.value == 0.0) {
        let remark = Remark::new("`scale` is 0: every value would be the offset");
        section.sink.error(&found.span, remark);
    }
    Some(Linear {
        scale: scale.map_or(Linear::IDENTITY.scale, |found| found.value),
        offset: offset.map_or(Linear::IDENTITY.offset, |found| found.value),
    })
}
