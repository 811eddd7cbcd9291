//! Sensor Measurement Lists in JSON (RFC 8428).
//!
//! A pack, an array of records, is a frame. Base fields hold for the records that come after them;
//! a record is taken after they are added. A time at or above 2^28 is absolute, one below counts
//! from the arrival of the pack. Sums are named `<name>.sum`. Text and data are no readings.

use std::sync::Arc;

use super::{
    DeviceClock, FieldTable, FrameRefusal, Frames,
    decode::Naming,
    draft::Draft,
    json::{Listener, Parser, Path, ReadJson, Scalar, append_unescaped},
    names::Names,
};

/// How SenML is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SenmlOptions {
    /// Which names are taken up.
    pub naming: Naming,
}

/// The version of the RFC.
const VERSION: f64 = 10.0;
/// A time in seconds below this counts from now (section 4.5.3).
const ABSOLUTE_MIN: f64 = 268_435_456.0;
/// What is behind the name of a sum.
const SUM: &str = ".sum";

/// Makes samples of packs.
#[derive(Debug)]
pub(super) struct SenmlReader {
    names: Names,
    /// Kept for its room.
    path: Path,
    texts: Texts,
}

/// Texts of a pack: kept from pack to pack, so that none allocates.
#[derive(Debug, Default)]
struct Texts {
    base_name: String,
    base_unit: String,
    name: String,
    unit: String,
    /// A name with the base name before it.
    whole: String,
}

impl SenmlReader {
    pub(super) fn new(options: &SenmlOptions) -> Self {
        Self { names: Names::new(&options.naming), path: Path::default(), texts: Texts::default() }
    }
}

impl ReadJson for SenmlReader {
    fn read(
        &mut self,
        parser: &mut Parser<'_>,
        arrived_ns: i64,
        out: &mut Frames,
    ) -> Result<usize, FrameRefusal> {
        if !parser.begins_with(b'[') {
            return Err(FrameRefusal::Malformed);
        }
        let draft = Draft::new(&mut self.names, out);
        let mut pack = Pack::new(draft, &mut self.texts, arrived_ns);
        parser.walk(&mut self.path, &mut pack)?;
        Ok(pack.keep())
    }

    fn fields(&self) -> &Arc<FieldTable> {
        self.names.table()
    }
}

/// What holds for the records that follow.
#[derive(Debug, Default)]
struct Base {
    time: Option<f64>,
    value: Option<f64>,
    sum: Option<f64>,
}

/// One record as it stands.
#[derive(Debug, Default)]
struct Record {
    time: Option<f64>,
    value: Option<f64>,
    sum: Option<f64>,
    /// Values of all kinds.
    values: usize,
    /// Fields besides the base fields.
    fields: usize,
}

/// Makes samples of one pack.
#[derive(Debug)]
struct Pack<'d> {
    draft: Draft<'d>,
    texts: &'d mut Texts,
    arrived_ns: i64,
    base: Base,
    record: Record,
    timed: bool,
}

impl<'d> Pack<'d> {
    fn new(draft: Draft<'d>, texts: &'d mut Texts, arrived_ns: i64) -> Self {
        texts.base_name.clear();
        texts.base_unit.clear();
        let (base, record) = Default::default();
        Self { draft, texts, arrived_ns, base, record, timed: false }
    }

    fn keep(self) -> usize {
        let clock = if self.timed { DeviceClock::Utc } else { DeviceClock::None };
        self.draft.keep(clock, self.arrived_ns)
    }

    /// The time of the record. What is below a millionth of a second is beyond a double's digits.
    fn at_ns(&mut self) -> Result<i64, FrameRefusal> {
        let (base, own) = (self.base.time, self.record.time);
        self.timed |= base.is_some() || own.is_some();
        let seconds = base.unwrap_or(0.0) + own.unwrap_or(0.0);
        let time_us = (seconds * 1e6).round();
        if 9.2e15 <= time_us.abs() {
            return Err(FrameRefusal::Malformed);
        }
        let time_ns = time_us as i64 * 1_000;
        Ok(if ABSOLUTE_MIN <= seconds { time_ns } else { self.arrived_ns.saturating_add(time_ns) })
    }
}

impl Listener for Pack<'_> {
    fn begin(&mut self) {
        self.texts.name.clear();
        self.texts.unit.clear();
        self.record = Record::default();
    }

    fn scalar(&mut self, path: &Path, scalar: Scalar<'_>) -> Result<(), FrameRefusal> {
        let Self { base, record, texts, .. } = self;
        if path.index(0).is_some() {
            // Not in a record.
            return Err(FrameRefusal::Malformed);
        }
        match (path.first(), scalar) {
            _ if path.depth() != 1 => return unknown(path),
            ("bver", Scalar::Number(version, _)) if version <= VERSION => {}
            ("bver", Scalar::Number(..)) => return Err(FrameRefusal::Version),
            ("bn", Scalar::Text(text)) => set(&mut texts.base_name, text),
            ("bu", Scalar::Text(text)) => set(&mut texts.base_unit, text),
            ("bt", Scalar::Number(number, _)) => base.time = Some(number),
            ("bv", Scalar::Number(number, _)) => base.value = Some(number),
            ("bs", Scalar::Number(number, _)) => base.sum = Some(number),
            ("n", Scalar::Text(text)) => {
                set(&mut texts.name, text);
                record.fields += 1;
            }
            ("u", Scalar::Text(text)) => {
                set(&mut texts.unit, text);
                record.fields += 1;
            }
            ("t", Scalar::Number(number, _)) => record.time = record.count(number),
            ("ut", Scalar::Number(number, _)) => _ = record.count(number),
            ("s", Scalar::Number(number, _)) => record.sum = record.count(number),
            ("v", Scalar::Number(number, _)) => {
                record.value = record.count(number + base.value.unwrap_or(0.0));
                record.values += 1;
            }
            ("vb", Scalar::Truth(truth)) => {
                record.value = record.count(f64::from(u8::from(truth)));
                record.values += 1;
            }
            ("vs" | "vd", Scalar::Text(_)) => {
                record.fields += 1;
                record.values += 1;
            }
            ("bver" | "bn" | "bu" | "bt" | "bv" | "bs" | "n" | "u" | "t" | "ut" | "s", _)
            | ("v" | "vb" | "vs" | "vd", _) => return Err(FrameRefusal::Malformed),
            _ => return unknown(path),
        }
        Ok(())
    }

    fn end(&mut self) -> Result<bool, FrameRefusal> {
        let Record { values, fields, value, sum, .. } = self.record;
        if fields == 0 {
            // Base fields alone.
            return Ok(false);
        }
        if 1 < values || (values == 0 && sum.is_none()) {
            return Err(FrameRefusal::Malformed);
        }
        let at_ns = self.at_ns()?;
        let Texts { base_name, base_unit, name, unit, whole } = &mut *self.texts;
        whole.clear();
        whole.extend([base_name.as_str(), name]);
        if !is_name(whole) {
            return Err(FrameRefusal::Malformed);
        }
        let unit = [unit, base_unit].into_iter().find(|unit| !unit.is_empty());
        if let Some(value) = value {
            self.draft.push_with(whole, unit.map(|unit| &**unit), at_ns, value);
        }
        if let Some(sum) = sum {
            whole.push_str(SUM);
            self.draft.push_with(whole, None, at_ns, sum + self.base.sum.unwrap_or(0.0));
        }
        Ok(false)
    }
}

impl Record {
    fn count(&mut self, number: f64) -> Option<f64> {
        self.fields += 1;
        Some(number)
    }
}

fn set(text: &mut String, written: &str) {
    text.clear();
    append_unescaped(written, text);
}

/// A field that this program does not know may be ignored, unless its label says that it may not
/// (section 4.4).
fn unknown(path: &Path) -> Result<(), FrameRefusal> {
    if path.first().ends_with('_') { Err(FrameRefusal::Version) } else { Ok(()) }
}

/// Whether a name is one by section 4.5.1.
fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| IN_NAMES[usize::from(byte)])
}

/// Which bytes may be in a name.
const IN_NAMES: [bool; 256] = {
    let mut bytes = [false; 256];
    let mut byte = 0;
    while byte < bytes.len() {
        bytes[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(byte as u8, b'-' | b':' | b'.' | b'/' | b'_');
        byte += 1;
    }
    bytes
};

#[cfg(test)]
mod tests;
