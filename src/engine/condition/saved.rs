//! What devices say of themselves, in an image.

use super::{Change, Condition, History, Origin};
use crate::{
    engine::image::{Reader, Writer},
    limits::CONDITIONS_MAX,
    wire::Health,
};

impl Condition {
    pub(in crate::engine) fn save(&self, writer: &mut Writer<'_>) {
        writer.byte(self.health as u8);
        match self.origin {
            None => writer.byte(0),
            Some(Origin::Device { error_log2_us }) => {
                writer.byte(1);
                writer.byte(error_log2_us);
            }
            Some(Origin::Placed) => writer.byte(2),
            Some(Origin::Arrival) => writer.byte(3),
        }
    }

    pub(in crate::engine) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let health = Health::from_code(reader.byte()?)?;
        let origin = match reader.byte()? {
            0 => None,
            1 => Some(Origin::Device { error_log2_us: reader.byte()? }),
            2 => Some(Origin::Placed),
            3 => Some(Origin::Arrival),
            _ => return None,
        };
        Some(Self { health, origin })
    }
}

impl History {
    pub(in crate::engine) fn save(&self, writer: &mut Writer<'_>) {
        writer.count(self.0.len());
        for Change { from_ns, condition } in &self.0 {
            writer.integer(*from_ns);
            condition.save(writer);
        }
    }

    pub(in crate::engine) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        let mut history = Self::default();
        for _ in 0..reader.count(CONDITIONS_MAX)? {
            let from_ns = reader.integer()?;
            history.note(Change { from_ns, condition: Condition::restore(reader)? });
        }
        Some(history)
    }
}
