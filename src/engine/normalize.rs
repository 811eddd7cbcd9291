//! From raw values to the published unit.

use super::{
    plan::Linear,
    summary::Flag,
    unit::Conversion,
    validate::{Checked, Reading},
};
use crate::scan::Step;

/// The second stage: calibrates and converts in place. Validation has made sure that no value
/// leaves the range of numbers on the way.
#[derive(Debug, Default)]
pub struct Normalize {
    channels: Vec<(Linear, Conversion)>,
}

impl Normalize {
    /// A stage that learns of channels as they come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn reading(&self, reading: &mut Reading) {
        if reading.flag != Flag::Missing {
            let (calibration, conversion) = &self.channels[reading.channel as usize];
            let calibrated = reading.value * calibration.scale + calibration.offset;
            reading.value = conversion.point(calibrated);
        }
    }
}

impl Step for Normalize {
    type In = Checked;
    type Out = Checked;

    fn step(&mut self, mut checked: Checked) -> Option<Checked> {
        for added in &checked.added {
            debug_assert_eq!(added.info.index as usize, self.channels.len());
            self.channels.push((added.calibration, added.conversion));
        }
        for reading in &mut checked.readings {
            self.reading(reading);
        }
        Some(checked)
    }

    fn finish(&mut self) -> Option<Checked> {
        None
    }
}
