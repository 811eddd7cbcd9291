//! `unit`, `raw_unit` and `calibration`: how raw values become published ones.

use std::sync::Arc;

use super::{
    calibration::{self, Calibrated, Places},
    errors::Remark,
    qc::QcKeys,
    reader::{Found, Section},
};
use crate::engine::{
    Rules,
    calibration::Calibration,
    qc::plan::QcPlan,
    unit::{Conversion, Unit},
};

/// The keys that one table gives; what it leaves open comes from the table it inherits from.
#[derive(Clone, Debug, Default)]
pub(super) struct ValueKeys {
    unit: Option<Found<Code>>,
    raw_unit: Option<Found<Code>>,
    calibration: Option<Found<Calibrated>>,
    qc: Option<QcKeys>,
}

/// A unit, and how it is written.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub text: Arc<str>,
    pub unit: Unit,
}

/// How raw values become published ones.
#[derive(Clone, Debug)]
pub(super) struct ValuePlan {
    /// The published unit as written, or as the calibration gives it.
    pub unit: Option<Arc<str>>,
    /// From raw to calibrated values.
    pub calibration: Calibration,
    /// From calibrated to published values.
    pub conversion: Conversion,
    /// The channels that measure the cold junctions of the calibration.
    pub junctions: Vec<Found<u32>>,
    /// What they are judged by.
    pub qc: Option<Arc<QcPlan>>,
}

impl ValueKeys {
    /// Reads the keys of a channel or of a pattern.
    pub(super) fn read(section: &Section<'_>, places: &Places<'_>) -> Self {
        Self {
            unit: code(section, "unit"),
            raw_unit: code(section, "raw_unit"),
            calibration: calibration::read(section, places),
            qc: QcKeys::read(section),
        }
    }

    /// Reads the keys of `[defaults]`, where units and calibrations of all channels mean nothing.
    pub(super) fn read_tests(section: &Section<'_>) -> Self {
        Self { qc: QcKeys::read(section), ..Self::default() }
    }

    /// The channels that measure the cold junctions of the calibration of this table.
    pub(super) fn junctions(&self) -> &[Found<u32>] {
        self.calibration.as_ref().map_or(&[], |found| &found.value.junctions)
    }

    /// These keys where they are given, else those of `base`.
    pub(super) fn over(&self, base: &Self) -> Self {
        let (own, base) = (self.clone(), base.clone());
        Self {
            unit: own.unit.or(base.unit),
            raw_unit: own.raw_unit.or(base.raw_unit),
            calibration: own.calibration.or(base.calibration),
            qc: own.qc.or(base.qc),
        }
    }

    /// What these keys, inheriting from `base`, amount to; errors are those of `section`.
    pub(super) fn resolve(&self, base: &Self, section: &Section<'_>) -> ValuePlan {
        let mut all = self.over(base);
        let calibrated = all.calibration.as_ref().map(|found| found.value.clone());
        let given = all.given();
        // A calibration of its own that knows what it gives is not what a pattern speaks of.
        if self.raw_unit.is_none() && self.given().is_some() {
            all.raw_unit = None;
        }
        if let (Some(given), Some(told)) = (&given, &all.raw_unit) {
            disagree(given, told, section);
        }
        // What a calibration gives is published so unless somebody wants it otherwise.
        if all.unit.is_none() && !section.has("unit") {
            all.unit.clone_from(&given);
        }
        let from = given.or_else(|| all.raw_unit.clone());
        let conversion = match (&all.unit, &from) {
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
        if let (Some(from), true) = (&from, conversion.offset != 0.0)
            && calibrated.as_ref().is_some_and(|calibrated| calibrated.counts)
        {
            let title =
                "what a counter counts are differences, and the zeros of these units differ";
            let remark = Remark::new(title);
            section.sink.error(&from.span, remark);
        }
        let to = all.unit.as_ref().map(|found| &found.value);
        let qc = all.qc.as_ref().and_then(|qc| qc.resolve(to, section));
        let unit = all.unit.map(|found| found.value.text);
        let (calibration, junctions) = match calibrated {
            Some(Calibrated { calibration, junctions, .. }) => (calibration, junctions),
            None => (Calibration::IDENTITY, Vec::new()),
        };
        ValuePlan { unit, calibration, conversion, junctions, qc }
    }

    /// The unit that the calibration itself gives, as if it were written at its place.
    fn given(&self) -> Option<Found<Code>> {
        let Found { value, span } = self.calibration.as_ref()?;
        let text = value.gives?;
        let unit = Unit::parse(text).ok()?;
        Some(Found { value: Code { text: Arc::from(text), unit }, span: span.clone() })
    }

    /// The other channels that these keys name, and where.
    pub(super) fn others(&self) -> &[Found<Arc<str>>] {
        self.qc.as_ref().map_or(&[], QcKeys::others)
    }

    /// Warns of tests that do not suit a channel with these rules.
    pub(super) fn check_tests(&self, base: &Self, rules: &Rules, section: &Section<'_>) {
        if let Some(qc) = self.over(base).qc {
            qc.check_kind(&rules.statistics.kind, section);
            qc.check_patience(rules.lateness_ns, rules.expected_rate, section);
        }
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

/// Records that `raw_unit` contradicts the unit that the calibration gives.
fn disagree(given: &Found<Code>, told: &Found<Code>, section: &Section<'_>) {
    if Conversion::between(&told.value.unit, &given.value.unit) != Ok(Conversion::IDENTITY) {
        let (told_code, given_code) = (&told.value.text, &given.value.text);
        let title =
            format!("`raw_unit` is `{told_code}`, and the calibration gives `{given_code}`");
        let help = format!(
            "`raw_unit` is the unit of calibrated values: remove it; the unit that comes in is \
             `input = \"{told_code}\"` of the calibration"
        );
        section.sink.error(&told.span, Remark::new(title).help(help));
    }
}

/// The unit that a key names.
pub(super) fn code(section: &Section<'_>, key: &'static str) -> Option<Found<Code>> {
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
