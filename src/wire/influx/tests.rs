//! Line protocol: names, times, strings over lines, and what is too long.

use super::*;
use crate::wire::{
    DeviceClock,
    decode::{Decoder, Format},
};

struct Fed {
    out: Frames,
    tally: WireTally,
    decoder: Decoder,
}

fn fed(options: &InfluxOptions, framing: Framing, pieces: &[&[u8]]) -> Fed {
    let naming = Naming { known: vec![], discover: 100 };
    let options = InfluxOptions { naming, ..options.clone() };
    let decoder = Decoder::new(&Format::Influx(options), framing);
    let mut fed = Fed { out: Frames::default(), tally: WireTally::default(), decoder };
    for piece in pieces {
        fed.decoder.feed(piece, 7, &mut fed.out, &mut fed.tally);
        let Fed { tally, decoder, .. } = &fed;
        let placed = tally.bytes_in_frames + tally.bytes_skipped + decoder.buffered() as u64;
        assert_eq!(tally.bytes_in, placed, "{tally:?}");
    }
    fed
}

impl Fed {
    fn values(&self) -> Vec<(String, f64)> {
        let name = |field| self.decoder.fields().name(field).expect("a learned name").to_string();
        self.out.samples.iter().map(|sample| (name(sample.field), sample.value)).collect()
    }

    fn refused(&self, why: FrameRefusal) -> u64 {
        self.tally.refused[why as usize]
    }
}

fn stream(text: &str) -> Fed {
    let mut fed = fed(&InfluxOptions::default(), Framing::Stream, &[text.as_bytes()]);
    fed.decoder.finish(7, &mut fed.out, &mut fed.tally);
    fed
}

#[test]
fn names_are_measurement_tag_values_and_field() {
    for (text, expected) in [
        ("env t=21.5\n", vec![("env.t", 21.5)]),
        (
            "env,room=hall,id=e7 t=21.5,h=45i 17\n",
            vec![("env.e7.hall.t", 21.5), ("env.e7.hall.h", 45.0)],
        ),
        ("env,id=e7,room=hall t=1u\n", vec![("env.e7.hall.t", 1.0)]),
        (
            "e\\ n\\,v,a\\=b=c\\ d x\\ y=t,z=F,s=\"no\"\n",
            vec![("e n,v.c d.x y", 1.0), ("e n,v.c d.z", 0.0)],
        ),
        ("a\\b c\\d=1", vec![("a\\b.c\\d", 1.0)]),
        ("# remark\n\n  m v=1\r\n", vec![("m.v", 1.0)]),
        ("m s=\"only text\"\n", vec![]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        let fed = stream(text);
        assert_eq!((fed.values(), fed.tally.refused_total()), (expected, 0), "{text}");
    }
    let options = InfluxOptions { tags: Tags::Ignore, ..InfluxOptions::default() };
    let fed = fed(&options, Framing::Datagram, &[b"env,id=e7 t=1"]);
    assert_eq!(fed.values(), [("env.t".to_owned(), 1.0)]);
}

#[test]
fn a_tag_key_stands_once_in_a_line() {
    for (tags, is_line) in [
        ("a=1,b=2", true),
        ("b=1,a=1", true),
        ("a=1,aa=1,A=1", true),
        ("a=1,a=1", false),
        ("a=1,a=2", false),
        ("b=1,a=2,b=3", false),
        ("c=1,a=2,b=3,c=4", false),
        ("a\\ b=1,a\\ b=2", false),
    ] {
        let fed = stream(&format!("m,{tags} v=1\nm v=2\n"));
        assert_eq!(fed.refused(FrameRefusal::Malformed), u64::from(!is_line), "{tags}");
        assert_eq!(fed.tally.frames_ok, 1 + u64::from(is_line), "{tags}");
    }
}

#[test]
fn times_are_in_the_configured_unit() {
    for (precision, unit_ns) in [
        (Precision::Nanoseconds, 1),
        (Precision::Microseconds, 1_000),
        (Precision::Milliseconds, 1_000_000),
        (Precision::Seconds, 1_000_000_000),
    ] {
        let options = InfluxOptions { precision, ..InfluxOptions::default() };
        let fed =
            fed(&options, Framing::Datagram, &[b"m v=1 17\nm v=2\nm v=3 9223372036854775807"]);
        assert_eq!(fed.out.samples[0].at_ns, 17 * unit_ns);
        let clocks: Vec<_> = fed.out.heads.iter().map(|head| head.clock).collect();
        assert_eq!(clocks[..2], [DeviceClock::Utc, DeviceClock::None]);
        let beyond = u64::from(1 < unit_ns);
        assert_eq!(fed.refused(FrameRefusal::Malformed), beyond, "{precision:?}");
    }
}

#[test]
fn a_string_may_hold_line_ends_however_it_is_cut() {
    let text = b"m s=\"one\ntwo\n\\\"three\",v=1\nm v=2\n";
    for size in 1..text.len() {
        let pieces: Vec<_> = text.chunks(size).collect();
        let fed = fed(&InfluxOptions::default(), Framing::Stream, &pieces);
        assert_eq!((fed.tally.frames_ok, fed.tally.readings), (2, 2), "by {size}");
    }
}

#[test]
fn a_string_that_is_not_closed_costs_the_line_it_begins_in() {
    let open = "m s=\"open\nm v=1\nm v=2\n";
    let fed = stream(open);
    assert_eq!((fed.tally.readings, fed.refused(FrameRefusal::Malformed)), (2, 1));
    let long = format!("m s=\"open\n{}", "m v=1\n".repeat(limits::LINE_BYTES_MAX / 6 + 9));
    let fed = stream(&long);
    assert_eq!(fed.refused(FrameRefusal::Malformed), 1);
    assert_eq!(fed.tally.readings, long.matches("v=1").count() as u64);
}

#[test]
fn what_is_too_long_is_counted_once() {
    let full = format!("m v=1{}\n", " ".repeat(limits::LINE_BYTES_MAX - 5));
    assert_eq!(stream(&full).tally.readings, 1);
    let over = format!(" {full}m v=2\n");
    for pieces in [vec![over.as_bytes()], over.as_bytes().chunks(100).collect()] {
        let fed = fed(&InfluxOptions::default(), Framing::Stream, &pieces);
        assert_eq!((fed.refused(FrameRefusal::Oversize), fed.tally.frames_in), (1, 2));
        assert_eq!(fed.values(), [("m.v".to_owned(), 2.0)]);
    }
}

#[test]
fn a_line_that_went_down_costs_what_had_begun() {
    let mut fed = fed(&InfluxOptions::default(), Framing::Stream, &[b"m v=1\nm s=\"a\nb"]);
    fed.decoder.reset(&mut fed.tally);
    assert_eq!((fed.refused(FrameRefusal::Partial), fed.decoder.buffered()), (1, 0));
    fed.decoder.feed(b"m v=3\n", 8, &mut fed.out, &mut fed.tally);
    assert_eq!(fed.tally.readings, 2);
}
