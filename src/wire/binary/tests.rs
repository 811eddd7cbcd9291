//! Declared frames of every kind, sound and broken.

mod messages;

use proptest::prelude::*;

use super::*;
use crate::wire::{
    checksum::{Checksum, Crc, CrcRule, Order},
    decode::Format,
    harness::{Decoded, MISSING, assert_any_split, decode, everything, garbage, pieces},
};

fn number(name: &str) -> Number {
    Number::named(name).expect(name)
}

fn rule(name: &str, at: i64, kind: &str) -> FieldRule {
    FieldRule {
        name: name.into(),
        unit: Some("m".into()),
        at: Place::new(at),
        number: number(kind),
        bits: None,
        scaling: Scaling::new(1.0, 0.0),
        missing: Box::default(),
    }
}

fn sum8(from: i64, to: i64, at: i64) -> Check {
    let (from, to, at) = (Place::new(from), Place::new(to), Place::new(at));
    Check { checksum: Checksum::Sum8, from, to, at, order: Order::Be }
}

fn format(kind: Kind, check: Option<Check>) -> Format {
    let fields = [rule("a", 1, "u8"), rule("b", 2, "i16be")];
    let layout = Layout::new(kind, Box::default(), check, fields.into()).expect("it fits");
    Format::Binary(BinaryOptions { naming: everything(), layout: layout.into() })
}

fn told(sync: &[u8]) -> Kind {
    let length = Length::Told { at: sync.len(), number: number("u8"), plus: 2, max: 40 };
    Kind::Counted(Counted { sync: sync.into(), length })
}

fn fixed(sync: &[u8], bytes: usize) -> Kind {
    Kind::Counted(Counted { sync: sync.into(), length: Length::Fixed(bytes) })
}

/// A frame with its sum behind it.
fn summed(bytes: &[u8]) -> Vec<u8> {
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [bytes, &[sum]].concat()
}

fn stream(format: &Format, bytes: &[u8]) -> Decoded {
    decode(format, Framing::Stream, [bytes])
}

/// The check value of the datasheet that the preset is from, and what it says.
#[test]
fn the_frame_of_a_dust_sensor_on_its_data_sheet() {
    let fields = ["pm2_5", "pm10"]
        .into_iter()
        .zip([2, 4])
        .map(|(name, at)| FieldRule { scaling: Scaling::new(0.1, 0.0), ..rule(name, at, "u16le") });
    let require = [Require { at: Place::new(9), equals: [0xAB].into() }];
    let check = Some(sum8(2, 8, 8));
    let layout = Layout::new(fixed(&[0xAA, 0xC0], 10), require.into(), check, fields.collect());
    let layout = layout.expect("it fits").into();
    let format = Format::Binary(BinaryOptions { naming: everything(), layout });
    let frame = [0xAA, 0xC0, 0xD4, 0x04, 0x3A, 0x0A, 0xA1, 0x60, 0x1D, 0xAB];
    let bytes = [&frame[..7], &frame, &[0xAA, 0xAA, 0xC0], &frame, &frame[..4]].concat();
    let decoded = stream(&format, &bytes);
    let values = [("pm2_5", 123.6), ("pm10", 261.8)];
    assert_eq!(decoded.readings(), [values, values].concat());
    assert_eq!(decoded.counts(), (2, vec![("header", 2), ("partial", 1)]));
}

#[test]
fn delimited_frames_end_where_their_kind_says() {
    let check = || Some(sum8(0, -1, -1));
    let frame = summed(&[7, 200, 0xFF, 0xFE]);
    let readings = [("a", 200.0), ("b", -2.0)];
    let mut stuffed = vec![0; cobs::encoded_bytes_max(frame.len())];
    let length = cobs::encode(&frame, &mut stuffed).expect("the bound is always enough");
    stuffed.truncate(length);
    for (kind, bytes, refused) in [
        (
            Kind::Cobs { max: 20 },
            [&stuffed[..], &[0, 0], &stuffed, &[0, 9, 1, 0]].concat(),
            "stuffing",
        ),
        (
            Kind::Slip { max: 20 },
            [&[0xC0][..], &frame, &[0xC0], &frame, &[0xC0, 1, 0xDB, 0xC0]].concat(),
            "stuffing",
        ),
        (
            Kind::Line { max: 20 },
            [&frame[..], b"\r\n\n\r\n", &frame, b"\nabcdef\n"].concat(),
            "checksum",
        ),
    ] {
        let format = format(kind.clone(), check());
        let decoded = stream(&format, &bytes);
        assert_eq!(decoded.readings(), [readings, readings].concat(), "{kind:?}");
        assert_eq!(decoded.counts(), (2, vec![(refused, 1)]), "{kind:?}");
        // The next frame is as good after one that has no end.
        let long = [&[9; 50][..], &bytes].concat();
        let refused = stream(&format, &long).tally.refused[FrameRefusal::Oversize as usize];
        assert_eq!(refused, 1, "{kind:?}");
    }
}

#[test]
fn told_lengths_are_kept_within_their_bounds() {
    let format = format(told(&[0xF0]), Some(sum8(0, -1, -1)));
    let frame = |more: &[u8]| summed(&[&[0xF0, more.len() as u8 + 1], more].concat());
    let (short, long) = (frame(&[1, 2, 3]), frame(&[1; 36]));
    let bytes = [&short[..], &long, &[0xF0, 0xFF], &short, &[0xF0, 38, 1], &short].concat();
    let decoded = stream(&format, &bytes);
    // A length beyond the longest frame, and one that the input ends before.
    assert_eq!(decoded.counts(), (4, vec![("header", 1), ("partial", 1)]));
    let bare = format_without_sync();
    let bytes = [&[5, 1, 2, 3, 4, 5][..]; 2].concat();
    assert_eq!(stream(&bare, &summed(&bytes[..6])).counts(), (1, vec![]));
}

fn format_without_sync() -> Format {
    format(told(&[]), Some(sum8(0, -1, -1)))
}

#[test]
fn frames_without_a_beginning_are_found_again_after_one_refusal() {
    let format = format(fixed(&[], 5), Some(sum8(0, -1, -1)));
    let frame = summed(&[7, 1, 0, 2]);
    let bytes = [&frame[..], &frame, &[1, 1, 1], &frame, &frame, &frame[..3]].concat();
    let decoded = stream(&format, &bytes);
    assert_eq!(decoded.counts(), (4, vec![("checksum", 1), ("partial", 1)]));
}

#[test]
fn what_a_frame_does_not_reach_is_missing_and_what_the_device_says_is() {
    let check = Some(sum8(0, -1, -1));
    let fields = [
        FieldRule { missing: [255.0].into(), ..rule("a", 1, "u8") },
        FieldRule { scaling: Scaling::new(2.0, -1.0), ..rule("b", 4, "u16be") },
        FieldRule { bits: Bits::of(number("u8"), 7, 4), ..rule("c", 2, "u8") },
        rule("d", -3, "bcd2"),
    ];
    let layout = Layout::new(Kind::Datagram { max: 9 }, Box::default(), check, fields.into());
    let layout = layout.expect("it fits").into();
    let format = Format::Binary(BinaryOptions { naming: everything(), layout });
    let pieces = [summed(&[0, 255, 0xA0, 7]), summed(&[0, 1, 0x5F, 0, 0x10, 0x42, 0]), vec![0; 10]];
    let decoded = decode(&format, Framing::Datagram, pieces.iter().map(Vec::as_slice));
    assert_eq!(
        decoded.readings(),
        [
            ("a", MISSING),
            ("b", MISSING),
            ("c", 10.0),
            ("d", MISSING),
            ("a", 1.0),
            ("b", 8_323.0),
            ("c", 5.0),
            ("d", 42.0),
        ]
    );
    assert_eq!(decoded.counts(), (2, vec![("oversize", 1)]));
}

#[test]
fn a_pause_ends_a_frame_and_nothing_else_does() {
    const MS: i64 = crate::limits::MS;
    let kind = Kind::IdleGap { gap_ns: 10 * MS, max: 8 };
    let Format::Binary(options) = format(kind, Some(sum8(0, -1, -1))) else { unreachable!() };
    let frame = summed(&[7, 1, 0, 2]);
    let (head, tail) = frame.split_at(2);
    let mut decoder = BinaryDecoder::new(&options, Framing::Stream);
    let (mut out, mut tally) = (Frames::default(), WireTally::default());
    // In two reads, and in two that come too far apart, which are two frames and none.
    for (at_ms, bytes) in [(0, head), (9, tail), (30, head), (40, tail), (60, &frame[..])] {
        decoder.feed(bytes, at_ms * MS, &mut out, &mut tally);
    }
    assert_eq!((tally.frames_ok, tally.refused_total()), (1, 2));
    assert_eq!(out.heads[0].arrived_ns, 9 * MS);
    decoder.tick(69 * MS, &mut out, &mut tally);
    assert_eq!((tally.frames_ok, decoder.buffered()), (1, 5));
    assert_eq!(decoder.pending_ns(), Some(60 * MS), "it has arrived, and is told later");
    decoder.tick(70 * MS, &mut out, &mut tally);
    assert_eq!((tally.frames_ok, decoder.buffered(), decoder.pending_ns()), (2, 0, None));
    assert_eq!(out.heads[1].arrived_ns, 60 * MS);
    // What has no pause is passed by as it comes, up to the next.
    for at_ms in 100..104 {
        decoder.feed(&frame, at_ms * MS, &mut out, &mut tally);
    }
    decoder.feed(&frame, 120 * MS, &mut out, &mut tally);
    decoder.finish(120 * MS, &mut out, &mut tally);
    assert_eq!((tally.frames_ok, tally.refused[FrameRefusal::Oversize as usize]), (3, 1));
    assert_eq!(tally.bytes_in, tally.bytes_in_frames + tally.bytes_skipped);
}

#[test]
fn parts_that_do_not_fit_make_no_layout() {
    let layout = |kind, require: &[i64], check, fields: &[i64]| {
        let require = require.iter().map(|at| Require { at: Place::new(*at), equals: [1].into() });
        let fields = fields.iter().map(|at| rule("a", *at, "u16be"));
        Layout::new(kind, require.collect(), check, fields.collect()).err()
    };
    let sync = || fixed(&[1], 5);
    for (expected, found) in [
        (None, layout(sync(), &[4, -5], Some(sum8(0, -1, 4)), &[3, -2, 0])),
        (Some(LayoutError::Require(1)), layout(sync(), &[4, 5], None, &[])),
        (Some(LayoutError::Field(0)), layout(sync(), &[], None, &[4])),
        (Some(LayoutError::Field(1)), layout(sync(), &[], None, &[3, -1])),
        (Some(LayoutError::CheckOver), layout(sync(), &[], Some(sum8(2, 2, 4)), &[])),
        (Some(LayoutError::CheckOver), layout(sync(), &[], Some(sum8(0, 6, 4)), &[])),
        (Some(LayoutError::CheckAt), layout(sync(), &[], Some(sum8(0, 4, 5)), &[])),
        (Some(LayoutError::Unaligned), layout(fixed(&[], 5), &[], None, &[])),
        (Some(LayoutError::Length), layout(fixed(&[1; 6], 5), &[], None, &[])),
        (None, layout(Kind::Datagram { max: 9 }, &[], None, &[7])),
    ] {
        assert_eq!(found, expected);
    }
}

/// What garbage is made of, besides bytes at random.
const MARKS: &[&[u8]] = &[&[0xF0], &[0xF0, 0xF1], &[0xF0, 0xF1, 8], &[0xF0, 0xF1, 255], &[5], &[0]];

proptest! {
    #[test]
    fn any_split_gives_the_same(
        noise in prop::collection::vec(garbage(MARKS), 3),
        cuts in prop::collection::vec(0..60_usize, 0..30),
    ) {
        let good = summed(&[0xF0, 0xF1, 5, 1, 2, 3]);
        let bytes = [&noise[0], &good[..], &noise[1], &good, &noise[2]].concat();
        let check = || Some(sum8(0, -1, -1));
        for kind in [
            told(&[0xF0, 0xF1]),
            told(&[]),
            fixed(&[0xF0, 0xF1], 7),
            fixed(&[], 7),
            Kind::Cobs { max: 20 },
            Kind::Slip { max: 20 },
            Kind::Line { max: 20 },
        ] {
            assert_any_split(&format(kind, check()), &bytes, &cuts);
        }
        let gap = format(Kind::IdleGap { gap_ns: 1, max: 90 }, check());
        let cut = decode(&gap, Framing::Stream, pieces(&bytes, &cuts));
        prop_assert_eq!(cut, stream(&gap, &bytes));
    }

    #[test]
    fn garbage_costs_only_the_garbage(noise in prop::collection::vec(garbage(MARKS), 3)) {
        // A sum of 32 bits tells garbage from frames.
        let checksum = Checksum::named("crc32").expect("it is listed");
        let frame = [0xF0, 0xF1, 9, 77, 2, 3, 4];
        let good = [&frame[..], &checksum.of(&frame).to_le_bytes()].concat();
        let bytes = [&noise[0], &good[..], &noise[1], &good, &noise[2]].concat();
        for kind in [told(&[0xF0, 0xF1]), fixed(&[0xF0, 0xF1], 11), fixed(&[], 11)] {
            let (from, to, at) = (Place::new(0), Place::new(-4), Place::new(-4));
            let check = Check { checksum: checksum.clone(), from, to, at, order: Order::Le };
            let found = stream(&format(kind, Some(check)), &bytes);
            prop_assert_eq!(found.tally.frames_ok, 2, "{:?}", found.counts());
        }
    }
}
