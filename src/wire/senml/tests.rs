//! Packs of the RFC, and what it forbids.

use super::*;
use crate::wire::{
    WireTally,
    decode::{Decoder, Format, Framing},
};

const NOW_NS: i64 = 1_700_000_000_000_000_000;

struct Fed {
    out: Frames,
    tally: WireTally,
    decoder: Decoder,
}

fn fed(text: &str) -> Fed {
    let options = SenmlOptions { naming: Naming { known: vec![], discover: 100 } };
    let decoder = Decoder::new(&Format::Senml(options), Framing::Datagram);
    let mut fed = Fed { out: Frames::default(), tally: WireTally::default(), decoder };
    fed.decoder.feed(text.as_bytes(), NOW_NS, &mut fed.out, &mut fed.tally);
    fed
}

impl Fed {
    /// Name, unit, seconds from 1970, value.
    fn records(&self) -> Vec<(&str, &str, f64, f64)> {
        let fields = self.decoder.fields();
        let record = |sample: &crate::wire::Sample| {
            let name = fields.name(sample.field).map_or("?", |name| &**name);
            let unit = fields.unit(sample.field).map_or("", |unit| &**unit);
            (name, unit, sample.at_ns as f64 / 1e9, sample.value)
        };
        self.out.samples.iter().map(record).collect()
    }
}

/// Sections 5.1.1 to 5.1.4 and 5.1.7 of RFC 8428.
#[test]
fn the_examples_of_the_rfc() {
    let now = NOW_NS as f64 / 1e9;
    let one = fed(r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#);
    assert_eq!(one.records(), [("urn:dev:ow:10e2073a01080063", "Cel", now, 23.1)]);
    assert_eq!(one.out.heads[0].clock, DeviceClock::None, "it says no time");

    let two = fed(r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},
        {"n":"current","u":"A","v":1.2}]"#);
    assert_eq!(
        two.records(),
        [
            ("urn:dev:ow:10e2073a01080063:voltage", "V", now, 120.1),
            ("urn:dev:ow:10e2073a01080063:current", "A", now, 1.2),
        ]
    );
    assert_eq!((two.tally.frames_ok, two.tally.readings), (1, 2), "a pack is a frame");

    let times =
        fed(r#"[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,
        "n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},{"n":"current","v":1.7}]"#);
    let (name, base) = ("urn:dev:ow:10e2073a0108006:", 1_276_020_076.001);
    let expected = [("voltage", "V", base, 120.1), ("current", "A", base - 5.0, 1.2)];
    for (record, (end, unit, time, value)) in times.records().into_iter().zip(expected) {
        assert_eq!((record.0, record.1, record.3), (&*format!("{name}{end}"), unit, value));
        assert!((record.2 - time).abs() < 1e-6, "{record:?}");
    }
    assert_eq!(times.out.samples[0].at_ns, 1_276_020_076_001_000_000);
    assert_eq!(times.out.heads[0].clock, DeviceClock::Utc);

    let kinds = fed(r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},
        {"n":"label","vs":"Machine Room"},{"n":"open","vb":false},{"n":"nfv-reader","vd":"aGkgCg"}]"#);
    assert_eq!(kinds.records().len(), 2);
    assert_eq!(kinds.records()[1].3, 0.0);
}

#[test]
fn times_below_two_to_the_28_count_from_now() {
    let text = r#"[{"n":"a","v":1,"t":268435456},{"n":"a","v":2,"t":268435455.5},{"n":"a","v":3,"t":-60},{"n":"a","v":4}]"#;
    let times: Vec<_> = fed(text).out.samples.iter().map(|s| s.at_ns).collect();
    let second = 1_000_000_000;
    let ahead = NOW_NS + 268_435_455 * second + second / 2;
    assert_eq!(times, [268_435_456 * second, ahead, NOW_NS - 60 * second, NOW_NS]);
}

#[test]
fn base_values_are_added_and_sums_are_fields_of_their_own() {
    let text = r#"[{"bn":"m","bv":20,"bs":100,"v":1.5,"s":5},{"s":6},{"bn":"k","bv":0,"v":3}]"#;
    let fed = fed(text);
    let values: Vec<_> = fed.records().iter().map(|record| (record.0, record.3)).collect();
    assert_eq!(values, [("m", 21.5), ("m.sum", 105.0), ("m.sum", 106.0), ("k", 3.0)]);
}

#[test]
fn what_the_rfc_forbids_gives_nothing() {
    for (text, why) in [
        (r#"{"n":"a","v":1}"#, FrameRefusal::Malformed),
        (r#"[{"n":"a"}]"#, FrameRefusal::Malformed),
        (r#"[{"n":"a","v":1},{"n":"b","v":"1"}]"#, FrameRefusal::Malformed),
        (r#"[{"n":"a","v":1,"vb":true}]"#, FrameRefusal::Malformed),
        (r#"[{"n":"a","vb":1}]"#, FrameRefusal::Malformed),
        (r#"[{"v":1}]"#, FrameRefusal::Malformed),
        (r#"[{"n":"_a","v":1}]"#, FrameRefusal::Malformed),
        (r#"[{"n":"a b","v":1}]"#, FrameRefusal::Malformed),
        (r#"[{"n":1,"v":1}]"#, FrameRefusal::Malformed),
        (r#"[1]"#, FrameRefusal::Malformed),
        (r#"[{"bver":11,"n":"a","v":1}]"#, FrameRefusal::Version),
        (r#"[{"n":"a","v":1,"must_":1}]"#, FrameRefusal::Version),
        (r#"[{"n":"a","v":1,"t":1e300}]"#, FrameRefusal::Malformed),
    ] {
        let fed = fed(text);
        assert_eq!(fed.tally.refused[why as usize], 1, "{text}");
        assert_eq!((fed.out.samples.len(), fed.decoder.fields().len()), (0, 0), "{text}");
    }
    assert_eq!(fed(r#"[{"n":"a","v":1,"extra":{"x":[1]}},{"bn":"b"}]"#).tally.readings, 1);
    assert_eq!(fed("[]").tally.frames_silent, 1);
}

/// A recording that is played an hour later: what counts from its arrival is moved with that, and
/// what is absolute as far.
#[test]
fn times_of_a_recording_that_is_played_later_are_moved_once() {
    const HOUR_NS: i64 = 3_600_000_000_000;
    let options = SenmlOptions { naming: Naming { known: vec![], discover: 100 } };
    let mut decoder = Decoder::new(&Format::Senml(options), Framing::Datagram);
    decoder.shift_by(HOUR_NS);
    let pack = br#"[{"n":"a","t":-5,"v":1},{"n":"b","t":1600000000,"v":2},{"n":"c","v":3}]"#;
    let (mut out, mut tally) = (Frames::default(), WireTally::default());
    decoder.feed(pack, NOW_NS, &mut out, &mut tally);
    let times: Vec<_> = out.samples.iter().map(|sample| sample.at_ns).collect();
    let second = crate::limits::SECOND;
    assert_eq!(times, [NOW_NS - 5 * second, 1_600_000_000 * second + HOUR_NS, NOW_NS]);
    assert_eq!(out.heads[0].arrived_ns, NOW_NS);
}
