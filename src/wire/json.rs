//! JSON: an object, or an array of objects, for each line or one after the other in a datagram.
//!
//! A value is named by the keys and indexes that lead to it, joined by dots: `obs.0.7`. Numbers
//! are readings, `true` and `false` are 1 and 0, `null` is a missing value. Strings are none, but
//! where a field is configured that holds a number in quotes. An object in an array is a record
//! of its own, as if it stood alone; a key that comes twice in an object gives two readings.
//!
//! What does not parse is refused up to its line end, so that garbage costs only itself.

mod messages;
mod parse;
mod record;
mod rtl_433;
mod tempest;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(super) use self::{
    messages::{Messages, ReadJson},
    parse::{Listener, Parser, Path, Scalar, append_unescaped},
};
use self::{
    record::{Keys, Record, Room},
    tempest::{Report, Texts},
};
use super::{FieldTable, FrameRefusal, Frames, decode::Naming, draft::Draft, names::Names};

/// How JSON is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonOptions {
    /// Which names are taken up.
    pub naming: Naming,
    /// What is where in the messages.
    pub layout: JsonLayout,
}

/// What is where in JSON messages.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonLayout {
    /// Anything.
    Plain {
        /// Path to the time of a record, which must be there then.
        timestamp: Option<Arc<str>>,
        /// Paths to what tells several devices apart: their values come before the names of all
        /// other fields.
        name_by: Vec<Arc<str>>,
    },
    /// What `rtl_433 -F json` or `-F syslog` prints.
    Rtl433,
    /// What a hub of a WeatherFlow Tempest station sends to port 50222.
    Tempest,
}

impl Default for JsonLayout {
    fn default() -> Self {
        Self::Plain { timestamp: None, name_by: Vec::new() }
    }
}

/// Makes samples of JSON.
#[derive(Debug)]
pub(super) struct JsonReader {
    names: Names,
    layout: Layout,
    /// Kept for its room.
    path: Path,
}

#[derive(Debug)]
enum Layout {
    Keyed(Keys, Room),
    Rtl433(Keys, Room),
    Tempest(Texts),
}

impl JsonReader {
    pub(super) fn new(options: &JsonOptions) -> Self {
        let layout = match &options.layout {
            JsonLayout::Plain { timestamp, name_by } => {
                Layout::Keyed(Keys::new(timestamp.as_ref(), name_by), Room::default())
            }
            JsonLayout::Rtl433 => Layout::Rtl433(rtl_433::keys(), Room::default()),
            JsonLayout::Tempest => Layout::Tempest(Texts::default()),
        };
        let names = Names::new(&options.naming);
        Self { names, layout, path: Path::default() }
    }
}

impl ReadJson for JsonReader {
    fn read(
        &mut self,
        parser: &mut Parser<'_>,
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<usize, FrameRefusal> {
        let draft = Draft::new(&mut self.names, out);
        match &mut self.layout {
            Layout::Keyed(keys, room) | Layout::Rtl433(keys, room) => {
                let mut record = Record::new(keys, draft, room, arrived_ns);
                parser.walk(&mut self.path, &mut record)?;
                Ok(record.keep())
            }
            Layout::Tempest(texts) => {
                let mut report = Report::new(draft, texts, arrived_ns);
                parser.walk(&mut self.path, &mut report)?;
                Ok(report.keep())
            }
        }
    }

    fn unwrapped<'t>(&self, text: &'t str) -> &'t str {
        match self.layout {
            Layout::Rtl433(..) => rtl_433::unwrapped(text),
            Layout::Keyed(..) | Layout::Tempest(_) => text,
        }
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.names.table()
    }
}
