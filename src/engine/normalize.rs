//! From raw values to the published unit.

use super::{
    Plan,
    calibration::Calibration,
    image::Misfit,
    plan::Linear,
    registry::Added,
    summary::Flag,
    unit::Conversion,
    validate::{Checked, Reading},
};
use crate::scan::Step;

use self::curves::Curves;

mod curves;

/// The second stage: calibrates and converts in place. Validation has made sure that no value
/// leaves the range of numbers on a line; what is more than a line says by a flag where it has no
/// value to give.
#[derive(Debug)]
pub struct Normalize {
    channels: Vec<(Linear, Conversion)>,
    /// Channels with more than a line: nothing of this is looked at while there is none.
    curves: Curves,
}

impl Normalize {
    /// A stage that learns of channels as they come; of the plan it takes which of them measure
    /// cold junctions.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self { channels: Vec::new(), curves: Curves::new(plan) }
    }

    fn add(&mut self, added: &Added) {
        debug_assert_eq!(added.info.index as usize, self.channels.len());
        let line = match &added.info.calibration {
            Calibration::Linear(line) => *line,
            Calibration::Eras(eras) => {
                self.curves.add(added.info.index, eras, added.conversion);
                Linear::IDENTITY
            }
        };
        self.channels.push((line, added.conversion));
        if let Some(kept) = &added.kept
            && let Some(mut remembered) = kept.curve()
            && self.curves.restore(added.info.index, &mut remembered).is_none()
        {
            kept.salvage().lose(Misfit::Malformed);
        }
    }
}

/// Calibrates by a line.
#[inline]
fn by_line(channels: &[(Linear, Conversion)], reading: &mut Reading) {
    if reading.flag != Flag::Missing {
        let (line, conversion) = &channels[reading.channel as usize];
        reading.value = conversion.point(line.at(reading.value));
    }
}

impl Step for Normalize {
    type In = Checked;
    type Out = Checked;

    fn step(&mut self, mut checked: Checked) -> Option<Checked> {
        for added in &checked.added {
            self.add(added);
        }
        let Self { channels, curves } = self;
        if curves.is_empty() {
            checked.readings.iter_mut().for_each(|reading| by_line(channels, reading));
        } else {
            curves.take(&mut checked, |reading| by_line(channels, reading));
        }
        if let Some(sitting) = &checked.sitting {
            let mut sheet = sitting.sheet();
            curves.save(&mut sheet);
            sheet.hand_in();
        }
        Some(checked)
    }

    fn finish(&mut self) -> Option<Checked> {
        None
    }
}

#[cfg(test)]
mod tests;
