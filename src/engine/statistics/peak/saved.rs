//! The largest of values in an image.

use super::Peak;
use crate::engine::{
    image::{Reader, Writer},
    statistics::{
        saved::{Common, Saved},
        series::Span,
    },
};

impl Saved for Peak {
    fn save(&self, writer: &mut Writer<'_>) {
        writer.real(self.value);
        writer.integer(self.at_ns);
    }

    fn restore(reader: &mut Reader<'_>, within: Span, _common: &Common) -> Option<Self> {
        let value = reader.value()?;
        let at_ns = reader.time().filter(|at_ns| within.holds(*at_ns))?;
        Some(Self { value, at_ns })
    }
}
