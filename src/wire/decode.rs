//! One decoder a source, chosen by format and framing.
//!
//! To add a format: a file of its own with its options and its decoder, a variant of [`Format`],
//! and an arm wherever the compiler then asks for one.

use std::{fmt::Debug, sync::Arc};

use super::{
    FieldTable, Frames, WireTally,
    binary::{BinaryDecoder, BinaryOptions, Kind},
    dsmr::{DsmrOptions, DsmrReader},
    influx::{InfluxDecoder, InfluxOptions},
    json::{JsonLayout, JsonOptions, JsonReader, Messages},
    lines::Lines,
    modbus::{ModbusDecoder, ModbusOptions},
    native::{NativeDecoder, NativeOptions},
    nmea::{NmeaOptions, NmeaReader},
    seek::Seeker,
    senml::{SenmlOptions, SenmlReader},
    statsd::{StatsdOptions, StatsdReader},
    text::{TextOptions, TextReader},
    vedirect::{VedirectOptions, VedirectReader},
};

/// The formats a source can speak.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Binary frame v1.
    Native(NativeOptions),
    /// Lines of text.
    Text(TextOptions),
    /// Binary frames that the configuration declares.
    Binary(BinaryOptions),
    /// NMEA 0183 sentences.
    Nmea(NmeaOptions),
    /// VE.Direct text blocks.
    Vedirect(VedirectOptions),
    /// P1 telegrams of smart meters.
    Dsmr(DsmrOptions),
    /// JSON objects.
    Json(JsonOptions),
    /// Sensor measurement lists in JSON.
    Senml(SenmlOptions),
    /// InfluxDB line protocol.
    Influx(InfluxOptions),
    /// StatsD lines.
    Statsd(StatsdOptions),
    /// Requests to Modbus devices, each with what came for it.
    Modbus(ModbusOptions),
}

impl Format {
    /// Native frames of whoever sends them.
    pub const NATIVE: Self = Self::Native(NativeOptions { key: None });

    /// Its name in a configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Native(_) => "native",
            Self::Text(_) => "text",
            Self::Binary(_) => "binary",
            Self::Nmea(_) => "nmea",
            Self::Vedirect(_) => "vedirect",
            Self::Dsmr(_) => "dsmr",
            Self::Json(_) => "json",
            Self::Senml(_) => "senml",
            Self::Influx(_) => "influx",
            Self::Statsd(_) => "statsd",
            Self::Modbus(_) => "modbus",
        }
    }

    /// Which names are taken up; `None` for formats that number their fields.
    #[must_use]
    pub fn naming(&self) -> Option<&Naming> {
        match self {
            Self::Native(_) => None,
            Self::Text(options) => Some(&options.naming),
            Self::Binary(options) => Some(&options.naming),
            Self::Nmea(options) => Some(&options.naming),
            Self::Vedirect(options) => Some(&options.naming),
            Self::Dsmr(options) => Some(&options.naming),
            Self::Json(options) => Some(&options.naming),
            Self::Senml(options) => Some(&options.naming),
            Self::Influx(options) => Some(&options.naming),
            Self::Statsd(options) => Some(&options.naming),
            Self::Modbus(options) => Some(&options.naming),
        }
    }

    /// As [`Self::naming`], to set it.
    pub fn naming_mut(&mut self) -> Option<&mut Naming> {
        match self {
            Self::Native(_) => None,
            Self::Text(options) => Some(&mut options.naming),
            Self::Binary(options) => Some(&mut options.naming),
            Self::Nmea(options) => Some(&mut options.naming),
            Self::Vedirect(options) => Some(&mut options.naming),
            Self::Dsmr(options) => Some(&mut options.naming),
            Self::Json(options) => Some(&mut options.naming),
            Self::Senml(options) => Some(&mut options.naming),
            Self::Influx(options) => Some(&mut options.naming),
            Self::Statsd(options) => Some(&mut options.naming),
            Self::Modbus(options) => Some(&mut options.naming),
        }
    }

    /// The names of all fields that it has, where the configuration lists them; `None` where
    /// frames may bring others.
    #[must_use]
    pub fn names(&self) -> Option<Vec<&str>> {
        match self {
            Self::Binary(options) => {
                Some(options.layout.fields().iter().map(|field| &*field.name).collect())
            }
            Self::Modbus(options) => {
                let registers = options.map.registers().iter();
                Some(registers.map(|register| &*register.rule.name).collect())
            }
            Self::Native(_)
            | Self::Text(_)
            | Self::Nmea(_)
            | Self::Vedirect(_)
            | Self::Dsmr(_)
            | Self::Json(_)
            | Self::Senml(_)
            | Self::Influx(_)
            | Self::Statsd(_) => None,
        }
    }

    /// Whether its frames can say when they were made.
    #[must_use]
    pub fn tells_time(&self) -> bool {
        match self {
            Self::Native(_) | Self::Nmea(_) | Self::Dsmr(_) | Self::Senml(_) | Self::Influx(_) => {
                true
            }
            Self::Text(options) => options.timestamp.is_some(),
            Self::Json(options) => match &options.layout {
                JsonLayout::Plain { timestamp, .. } => timestamp.is_some(),
                JsonLayout::Rtl433 | JsonLayout::Tempest => true,
            },
            Self::Vedirect(_) | Self::Statsd(_) | Self::Binary(_) | Self::Modbus(_) => false,
        }
    }

    /// The byte behind which a recording of raw bytes is cut into chunks, each with a time of its
    /// own. It only paces: a decoder gives the same frames however a stream is cut.
    #[must_use]
    pub fn chunk_end(&self) -> u8 {
        match self {
            // Only a log has exchanges of Modbus.
            Self::Native(_) | Self::Modbus(_) => 0,
            Self::Text(_)
            | Self::Json(_)
            | Self::Senml(_)
            | Self::Influx(_)
            | Self::Statsd(_)
            | Self::Nmea(_) => b'\n',
            // The last byte before the first that a block or a telegram begins with.
            Self::Vedirect(_) | Self::Dsmr(_) => b'\n',
            Self::Binary(options) => match options.layout.kind() {
                Kind::Line { .. } => b'\n',
                Kind::Slip { .. } => 0xC0,
                _ => 0,
            },
        }
    }

    /// Whether all of it is text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        match self {
            // A block of VE.Direct ends with a byte that may be anything.
            Self::Native(_) | Self::Vedirect(_) | Self::Binary(_) | Self::Modbus(_) => false,
            Self::Text(_)
            | Self::Json(_)
            | Self::Senml(_)
            | Self::Influx(_)
            | Self::Statsd(_)
            | Self::Nmea(_)
            | Self::Dsmr(_) => true,
        }
    }
}

/// Which names a source takes up, for formats that name their fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Naming {
    /// Fields with a channel of their own: known from the start and never crowded out.
    pub known: Vec<Arc<str>>,
    /// How many further field names may be taken up; 0 rejects unknown fields.
    pub discover: usize,
}

/// What the tags of a message are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tags {
    /// Their values are part of the names of fields: messages with other tags are other fields.
    #[default]
    Name,
    /// Nothing.
    Ignore,
}

/// Whether the transport keeps frame boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Each slice handed over is one whole message.
    Datagram,
    /// Slices are arbitrary cuts of a byte stream.
    Stream,
}

/// What every decoder does.
pub(super) trait Decode: Debug + Send {
    /// See [`Decoder::feed`].
    fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally);

    /// See [`Decoder::tick`]. Only where a pause means something is there anything to do.
    fn tick(&mut self, _now_ns: i64, _out: &mut Frames, _tally: &mut WireTally) {}

    /// See [`Decoder::reset`].
    fn reset(&mut self, tally: &mut WireTally);

    /// See [`Decoder::finish`]. Without lines nothing that has begun is whole.
    fn finish(&mut self, _arrived_ns: i64, _out: &mut Frames, tally: &mut WireTally) {
        self.reset(tally);
    }

    /// See [`Decoder::buffered`].
    fn buffered(&self) -> usize;

    /// See [`Decoder::pending_ns`].
    fn pending_ns(&self) -> Option<i64> {
        None
    }

    /// See [`Decoder::fields`].
    fn fields(&self) -> &Arc<FieldTable>;

    /// See [`Decoder::header`].
    fn header(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// Turns bytes into [`Frames`].
///
/// One indirect call for each read or datagram, which is nothing beside its frames.
#[derive(Debug)]
pub struct Decoder {
    decode: Box<dyn Decode>,
    shift_ns: i64,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub fn new(format: &Format, framing: Framing) -> Self {
        let decode: Box<dyn Decode> = match format {
            Format::Native(options) => Box::new(NativeDecoder::new(options, framing)),
            Format::Text(options) => Box::new(Lines::new(TextReader::new(options), framing)),
            Format::Binary(options) => Box::new(BinaryDecoder::new(options, framing)),
            Format::Nmea(options) => Box::new(Seeker::new(NmeaReader::new(options), framing)),
            Format::Vedirect(options) => {
                Box::new(Seeker::new(VedirectReader::new(options), framing))
            }
            Format::Dsmr(options) => Box::new(Seeker::new(DsmrReader::new(options), framing)),
            Format::Json(options) => Box::new(Messages::new(JsonReader::new(options), framing)),
            Format::Senml(options) => Box::new(Messages::new(SenmlReader::new(options), framing)),
            Format::Influx(options) => Box::new(InfluxDecoder::new(options, framing)),
            Format::Statsd(options) => Box::new(Lines::new(StatsdReader::new(options), framing)),
            Format::Modbus(options) => Box::new(ModbusDecoder::new(options, framing)),
        };
        Self { decode, shift_ns: 0 }
    }

    /// What is fed from now on is a recording that is played so much after its time: what its
    /// frames say of coordinated time is moved with their arrivals.
    pub fn shift_by(&mut self, shift_ns: i64) {
        self.shift_ns = shift_ns;
    }

    /// Feeds bytes that arrived at `arrived_ns`; appends to `out` and counts in `tally`.
    ///
    /// With [`Framing::Datagram`] the slice is one whole datagram.
    pub fn feed(&mut self, bytes: &[u8], arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        self.shifted(arrived_ns, out, |decode, arrived_ns, out| {
            decode.feed(bytes, arrived_ns, out, tally);
        });
    }

    /// Nothing has come up to `now_ns`: where a pause ends a frame, it has ended if that is long
    /// enough.
    pub fn tick(&mut self, now_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        self.shifted(now_ns, out, |decode, now_ns, out| decode.tick(now_ns, out, tally));
    }

    /// The line went down: what is buffered is counted as a partial frame and forgotten, and so
    /// is all that a new connection must learn anew. Names stay.
    pub fn reset(&mut self, tally: &mut WireTally) {
        self.decode.reset(tally);
    }

    /// The input has ended for good: a last line without a line end counts as a line.
    pub fn finish(&mut self, arrived_ns: i64, out: &mut Frames, tally: &mut WireTally) {
        self.shifted(arrived_ns, out, |decode, arrived_ns, out| {
            decode.finish(arrived_ns, out, tally);
        });
    }

    /// Decodes in the time of the recording, so that times which count from an arrival do so, and
    /// moves what came of it.
    fn shifted(
        &mut self,
        now_ns: i64,
        out: &mut Frames,
        step: impl FnOnce(&mut dyn Decode, i64, &mut Frames),
    ) {
        let (heads, samples) = (out.heads.len(), out.samples.len());
        step(&mut *self.decode, now_ns.saturating_sub(self.shift_ns), out);
        if self.shift_ns != 0 {
            out.shift(heads, samples, self.shift_ns);
        }
    }

    /// Bytes of a frame that has begun and not ended.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.decode.buffered()
    }

    /// The arrival of what will be a frame if nothing else comes: there is more to come of that
    /// time.
    #[must_use]
    pub fn pending_ns(&self) -> Option<i64> {
        self.decode.pending_ns().map(|at_ns| at_ns.saturating_add(self.shift_ns))
    }

    /// The names behind [`super::Sample::field`], configured ones first; empty for formats that
    /// number their fields.
    #[must_use]
    pub fn fields(&self) -> &Arc<FieldTable> {
        self.decode.fields()
    }

    /// The columns of the headers that hold, an empty text for one without a name; none for
    /// formats without headers.
    #[must_use]
    pub fn header(&self) -> Vec<&str> {
        self.decode.header()
    }
}
