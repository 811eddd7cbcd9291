//! What holds for every decoder, whatever it is fed: checked by the fuzzer on what it makes up, and
//! by the tests on the inputs that are kept in `corpus`.
//!
//! To add a decoder: an entry of [`TARGETS`], a file in `fuzz_targets` with its `[[bin]]`, and a
//! folder in `corpus` with a few small inputs.

use stillwell::wire::{
    Decoder, FieldTable, Frames, WireTally,
    binary::{
        BinaryOptions, Check, Counted, FieldRule, Kind, Layout, Length, Number, Place, Scaling,
    },
    checksum::{Checksum, Order, Presence},
    decode::{Format, Framing, Naming, Tags},
    dsmr::DsmrOptions,
    influx::{InfluxOptions, Precision},
    json::{JsonLayout, JsonOptions},
    key::Key,
    modbus::{
        ModbusOptions, Mode,
        dialogue::{Dialogue, Heard},
        map::{Register, RegisterMap},
        request::{Request, Table},
    },
    native::NativeOptions,
    nmea::{NmeaOptions, Talkers},
    senml::SenmlOptions,
    statsd::StatsdOptions,
    text::TextOptions,
    vedirect::VedirectOptions,
};

/// A fuzz target by its name, and the formats that its inputs are fed to.
pub(crate) type Target = (&'static str, fn() -> Vec<Format>);

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    ("native", || vec![Format::NATIVE, authenticated()]),
    ("text", text),
    ("nmea", nmea),
    ("vedirect", || vec![Format::Vedirect(VedirectOptions { naming: few() })]),
    ("dsmr", dsmr),
    ("json", json),
    ("senml", || vec![Format::Senml(SenmlOptions { naming: few() })]),
    ("influx", influx),
    ("statsd", statsd),
    ("binary", binary),
    ("modbus", || vec![modbus(Mode::Rtu), modbus(Mode::Tcp)]),
];

/// Native frames of a source with a key: two of the inputs that are kept have it.
fn authenticated() -> Format {
    let key = Key::from_hex(&"5a".repeat(32)).expect("a key");
    Format::Native(NativeOptions { key: Some(key) })
}

/// A few registers of one device, and some bits.
fn modbus(mode: Mode) -> Format {
    let register = |table, address, name: &str, kind| Register {
        device: 1,
        table,
        address,
        rule: FieldRule {
            name: name.into(),
            unit: Some("V".into()),
            at: Place::FromStart(0),
            number: Number::named(kind).expect("a type"),
            bits: None,
            scaling: Scaling::new(0.1, 0.0),
            missing: [7.0].into(),
        },
    };
    let registers = vec![
        register(Table::HoldingRegisters, 0, "t", "u16be"),
        register(Table::HoldingRegisters, 1, "h", "f32be-ws"),
        register(Table::Coils, 3, "c", "u8"),
    ];
    let map = RegisterMap::new(registers).into();
    Format::Modbus(ModbusOptions { naming: few(), mode, map })
}

/// The master's side of a line, on which the input comes after a request.
fn heard(format: &Format, mode: Mode, input: &[u8]) {
    let request = Request { device: 1, table: Table::HoldingRegisters, address: 0, count: 3 };
    let end = |pieces: Vec<&[u8]>| {
        let mut dialogue = Dialogue::new(mode);
        dialogue.ask(request);
        for mut piece in pieces {
            while !piece.is_empty() {
                let (taken, heard) = dialogue.hear(piece);
                piece = &piece[taken..];
                if heard != Heard::Nothing {
                    return (heard, dialogue.take(false).expect("it was open").to_vec());
                }
            }
        }
        (Heard::Nothing, dialogue.take(true).expect("it was open").to_vec())
    };
    let whole = end(vec![input]);
    for cuts in [Cuts::Bytes, Cuts::Halves, Cuts::Uneven] {
        assert_eq!(whole, end(cuts.of(input)), "{cuts:?}");
    }
    let (heard, exchange) = whole;
    let fed = Fed::new(format, Framing::Datagram, [&*exchange]);
    assert_eq!(fed.tally.frames_ok, u64::from(heard == Heard::Values), "{heard:?}");
}

/// The ways in which frames are found, with few bytes each, so that a fuzzer finds them too.
fn binary() -> Vec<Format> {
    let number = |name| Number::named(name).expect("a type");
    let field = |name: &str, at, kind| FieldRule {
        name: name.into(),
        unit: None,
        at: Place::new(at),
        number: number(kind),
        bits: None,
        scaling: Scaling::new(0.1, 0.0),
        missing: [7.0].into(),
    };
    let counted = |sync: &[u8], length| Kind::Counted(Counted { sync: sync.into(), length });
    let told = || Length::Told { at: 2, number: number("u8"), plus: 3, max: 20 };
    let kinds = [
        Kind::Line { max: 20 },
        Kind::Cobs { max: 20 },
        Kind::Slip { max: 20 },
        Kind::IdleGap { gap_ns: 10, max: 500 },
        counted(b"AB", Length::Fixed(6)),
        counted(b"AA", told()),
        counted(b"", Length::Fixed(6)),
        counted(b"", told()),
    ];
    let format = |kind| {
        let check = Check {
            checksum: Checksum::Sum8,
            from: Place::new(0),
            to: Place::new(-1),
            at: Place::new(-1),
            order: Order::Be,
        };
        let fields = [field("t", 2, "u8"), field("h", -3, "i16le")];
        let layout = Layout::new(kind, Box::default(), Some(check), fields.into());
        let layout = layout.expect("it fits").into();
        Format::Binary(BinaryOptions { naming: few(), layout })
    };
    kinds.map(format).into()
}

fn nmea() -> Vec<Format> {
    let strict = NmeaOptions { naming: few(), ..NmeaOptions::default() };
    let (checksum, talkers) = (Presence::Optional, Talkers::Apart);
    vec![Format::Nmea(strict.clone()), Format::Nmea(NmeaOptions { checksum, talkers, ..strict })]
}

fn dsmr() -> Vec<Format> {
    let options = |checksum| Format::Dsmr(DsmrOptions { naming: few(), checksum });
    vec![options(Presence::Optional), options(Presence::Required)]
}

fn text() -> Vec<Format> {
    let options = |timestamp: Option<&str>| {
        Format::Text(TextOptions { naming: few(), timestamp: timestamp.map(Into::into) })
    };
    vec![options(None), options(Some("1")), options(Some("t"))]
}

fn json() -> Vec<Format> {
    let keyed =
        JsonLayout::Plain { timestamp: Some("t".into()), name_by: vec!["id".into(), "a.b".into()] };
    let layouts = [JsonLayout::default(), keyed, JsonLayout::Rtl433, JsonLayout::Tempest];
    layouts.map(|layout| Format::Json(JsonOptions { naming: few(), layout })).into()
}

fn influx() -> Vec<Format> {
    let options = |precision, tags| InfluxOptions { naming: few(), precision, tags };
    vec![
        Format::Influx(options(Precision::Nanoseconds, Tags::Name)),
        Format::Influx(options(Precision::Seconds, Tags::Ignore)),
    ]
}

fn statsd() -> Vec<Format> {
    [Tags::Name, Tags::Ignore]
        .map(|tags| Format::Statsd(StatsdOptions { naming: few(), tags }))
        .into()
}

/// Names so few that a fuzzer reaches their end.
fn few() -> Naming {
    Naming { known: vec!["t".into(), "h".into()], discover: 4 }
}

/// Checks one input with each format of a target.
///
/// # Panics
/// If anything does not hold, or there is no such target.
pub(crate) fn check(target: &str, input: &[u8]) {
    let formats = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, formats) = formats.unwrap_or_else(|| panic!("no target {target}"));
    for format in formats() {
        let whole = Fed::new(&format, Framing::Stream, [input]);
        for cuts in [Cuts::Bytes, Cuts::Halves, Cuts::Uneven] {
            let split = Fed::new(&format, Framing::Stream, cuts.of(input));
            whole.assert_same(&split, cuts);
        }
        Fed::new(&format, Framing::Datagram, [input]);
        Fed::new(&format, Framing::Datagram, Cuts::Uneven.of(input));
        lost(&format, input);
        if let Format::Modbus(options) = &format {
            heard(&format, options.mode, input);
        }
    }
}

/// Bytes of a piece that came over a line: an exchange holds a request besides.
fn received(format: &Format, framing: Framing, piece: &[u8]) -> u64 {
    let whole = piece.len() as u64;
    match (format, framing, piece) {
        (Format::Modbus(_), Framing::Datagram, [head, rest @ ..]) => {
            let asked = u64::from(head & 0x7F);
            if asked <= rest.len() as u64 { rest.len() as u64 - asked } else { whole }
        }
        _ => whole,
    }
}

/// Ways to cut a stream.
#[derive(Clone, Copy, Debug)]
enum Cuts {
    Bytes,
    Halves,
    Uneven,
}

impl Cuts {
    fn of(self, input: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Bytes => input.chunks(1).collect(),
            Self::Halves => {
                let (one, other) = input.split_at(input.len() / 2);
                vec![one, other]
            }
            Self::Uneven => {
                let mut rest = input;
                let mut pieces = Vec::new();
                let mut length = input.len();
                while !rest.is_empty() {
                    length = (length * 7 + 3) % 23;
                    let (piece, left) = rest.split_at(length.min(rest.len()));
                    pieces.push(piece);
                    rest = left;
                }
                pieces
            }
        }
    }
}

/// What came of feeding pieces to the end of the input.
struct Fed {
    out: Frames,
    tally: WireTally,
    fields: FieldTable,
}

impl Fed {
    fn new<'a>(
        format: &Format,
        framing: Framing,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut decoder = Decoder::new(format, framing);
        let (mut out, mut tally) = (Frames::default(), WireTally::default());
        let mut bytes = 0;
        for piece in pieces {
            decoder.feed(piece, 5, &mut out, &mut tally);
            bytes += received(format, framing, piece);
            assert_eq!(tally.bytes_in, bytes);
            assert_balanced(&out, &tally, decoder.buffered());
            assert!(framing == Framing::Stream || decoder.buffered() == 0, "a datagram is whole");
        }
        decoder.finish(5, &mut out, &mut tally);
        assert_balanced(&out, &tally, 0);
        assert_eq!(decoder.buffered(), 0);
        Self { out, tally, fields: FieldTable::clone(decoder.fields()) }
    }

    fn assert_same(&self, other: &Self, cuts: Cuts) {
        assert_eq!(self.tally, other.tally, "{cuts:?}");
        assert_eq!(self.fields, other.fields, "{cuts:?}");
        // Compared as text, because NaN is not equal to itself.
        assert_eq!(format!("{:?}", self.out), format!("{:?}", other.out), "{cuts:?}");
    }
}

/// The line goes down in the middle, and comes back.
fn lost(format: &Format, input: &[u8]) {
    let mut decoder = Decoder::new(format, Framing::Stream);
    let (mut out, mut tally) = (Frames::default(), WireTally::default());
    let (before, after) = input.split_at(input.len() / 3);
    decoder.feed(before, 5, &mut out, &mut tally);
    decoder.reset(&mut tally);
    assert_balanced(&out, &tally, 0);
    decoder.feed(after, 6, &mut out, &mut tally);
    assert_balanced(&out, &tally, decoder.buffered());
}

/// The identities of the ledger, and what `Frames` says of itself.
fn assert_balanced(out: &Frames, tally: &WireTally, buffered: usize) {
    let placed = tally.bytes_in_frames + tally.bytes_skipped + buffered as u64;
    assert_eq!(tally.bytes_in, placed, "{tally:?}");
    assert_eq!(tally.frames_in, tally.frames_ok + tally.refused_total(), "{tally:?}");
    assert_eq!(out.heads.len() as u64, tally.frames_ok, "{tally:?}");
    let carried: u64 = out.heads.iter().map(|head| u64::from(head.samples)).sum();
    assert_eq!((carried, out.samples.len() as u64), (tally.readings, tally.readings));
    let silent = out.heads.iter().filter(|head| head.samples == 0).count();
    assert_eq!(silent as u64, tally.frames_silent);
}
