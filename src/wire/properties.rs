//! What holds for each decoder whose frames end with a byte of their own: however a stream is cut,
//! the same frames come out, and garbage costs only the garbage. Decoders that look for their
//! frames have such tests beside them.

use proptest::prelude::*;

use super::{
    Decoder, Frames, WireTally,
    decode::{Format, Framing, Naming, Tags},
    frame::{BlockHead, Encoder, Header, Kind, TimeKind, ValueType},
    harness::{assert_any_split, garbage, pieces},
    influx::{InfluxOptions, Precision},
    json::{JsonLayout, JsonOptions},
    senml::SenmlOptions,
    statsd::StatsdOptions,
    text::TextOptions,
};

/// A format, a good frame of it with its end, and the values in that.
struct Case {
    format: Format,
    good: Vec<u8>,
    values: &'static [f64],
}

impl Case {
    fn new(format: Format, good: &str, values: &'static [f64]) -> Self {
        Self { format, good: format!("{good}\n").into_bytes(), values }
    }

    fn end(&self) -> u8 {
        self.good[self.good.len() - 1]
    }

    /// Good frames behind one another, with noise before, between and after them. Where lines may
    /// go on in the next, which is what an open quote says in line protocol, noise has no quotes.
    fn stream(&self, noise: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = Vec::new();
        for noise in noise {
            let quotes = matches!(self.format, Format::Influx(_));
            stream.extend(noise.iter().filter(|byte| !(quotes && **byte == b'"')));
            stream.push(self.end());
            stream.extend_from_slice(&self.good);
        }
        stream.truncate(stream.len() - self.good.len());
        stream
    }
}

fn cases() -> Vec<Case> {
    let naming = || Naming { known: Vec::new(), discover: 4_096 };
    let json = |layout| Format::Json(JsonOptions { naming: naming(), layout });
    let keyed = JsonLayout::Plain { timestamp: None, name_by: vec!["id".into()] };
    let influx =
        InfluxOptions { naming: naming(), precision: Precision::Nanoseconds, tags: Tags::Name };
    let statsd = StatsdOptions { naming: naming(), tags: Tags::Name };
    vec![
        Case::new(
            Format::Text(TextOptions { naming: naming(), timestamp: None }),
            "Tq:21.625,Hq=45.5",
            &[21.625, 45.5],
        ),
        Case::new(json(JsonLayout::default()), r#"{"t":21.625,"h":{"q":[45.5]}}"#, &[21.625, 45.5]),
        Case::new(json(keyed), r#"{"t":21.625,"id":7,"h":45.5}"#, &[21.625, 45.5]),
        Case::new(
            json(JsonLayout::Rtl433),
            r#"{"time":"2019-06-16 07:15:57","model":"M","id":3,"temperature_C":21.625}"#,
            &[21.625],
        ),
        Case::new(
            json(JsonLayout::Tempest),
            r#"{"serial_number":"S","type":"rapid_wind","ob":[1493322445,21.625,128]}"#,
            &[21.625, 128.0],
        ),
        Case::new(
            Format::Senml(SenmlOptions { naming: naming() }),
            r#"[{"bn":"d:","n":"t","v":21.625},{"n":"h","v":45.5}]"#,
            &[21.625, 45.5],
        ),
        Case::new(
            Format::Influx(influx),
            "env,id=q t=21.625,h=45.5,s=\"a\" 1700000000000000000",
            &[21.625, 45.5],
        ),
        Case::new(Format::Statsd(statsd), "q.t:21.625:45.5|ms|#a:b", &[21.625, 45.5]),
        Case { format: Format::NATIVE, good: native(), values: &[21.625, 45.5] },
    ]
}

fn native() -> Vec<u8> {
    let header = Header {
        kind: Kind::Data,
        first_since_reset: false,
        authenticated: false,
        health: 0,
        device: 7,
        boot: 1,
        time_kind: TimeKind::None,
        time_error: 255,
        sequence: 3,
        time_us: 0,
    };
    let value_type = ValueType::F32;
    let block = BlockHead { first_channel: 0, channels: 2, value_type, samples: 1, dt_us: 0 };
    let (mut buffer, mut stuffed) = ([0; 128], [0; 140]);
    let mut encoder = Encoder::new(&mut buffer, &header).expect("it fits");
    encoder.block(block, None, &[21.625, 45.5]).expect("it fits");
    let frame = encoder.finish().expect("it fits");
    let length = super::cobs::encode(frame, &mut stuffed).expect("it fits");
    [&stuffed[..length], &[0]].concat()
}

/// What garbage is made of, besides bytes at random.
const MARKS: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\0",
    b"t:",
    b"a,b",
    b"1,2",
    b"|g",
    b":1",
    b"=2 ",
    b"m f",
    b"{\"t\":1",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"#",
    b" 5",
];

proptest! {
    #[test]
    fn any_split_gives_the_same(
        noise in prop::collection::vec(garbage(MARKS), 3),
        cuts in prop::collection::vec(0..60_usize, 0..30),
    ) {
        for case in cases() {
            assert_any_split(&case.format, &case.stream(&noise), &cuts);
        }
    }

    #[test]
    fn garbage_costs_only_the_garbage(
        noise in prop::collection::vec(garbage(MARKS), 4),
        cuts in prop::collection::vec(0..60_usize, 0..9),
    ) {
        for case in cases() {
            let mut decoder = Decoder::new(&case.format, Framing::Stream);
            let (mut out, mut tally) = (Frames::default(), WireTally::default());
            for piece in pieces(&case.stream(&noise), &cuts) {
                decoder.feed(piece, 0, &mut out, &mut tally);
            }
            decoder.finish(0, &mut out, &mut tally);
            let mut samples = out.samples.iter().map(|sample| sample.value);
            let frames = out.heads.iter().map(|head| {
                samples.by_ref().take(head.samples as usize).collect::<Vec<_>>()
            });
            let good = frames.filter(|values| values == case.values).count();
            prop_assert_eq!(good, noise.len() - 1, "{:?}: {:?}", case.format.name(), tally);
        }
    }
}
