//! The decoder against golden frames, cuts, noise and its own ledger.

use proptest::prelude::*;

use super::*;
use crate::wire::frame::{
    BlockHead, Encoder, Header, ValueType,
    vectors::{VECTORS, vector},
};

const ARRIVED_NS: i64 = 77;

/// Feeds the pieces one after the other.
fn fed(framing: Framing, pieces: &[&[u8]]) -> (Frames, WireTally, NativeDecoder) {
    fed_with(None, framing, pieces)
}

/// As [`fed`], to a source with a key.
fn fed_with(
    key: Option<Key>,
    framing: Framing,
    pieces: &[&[u8]],
) -> (Frames, WireTally, NativeDecoder) {
    let mut decoder = NativeDecoder::new(&NativeOptions { key }, framing);
    let (mut out, mut tally) = (Frames::default(), WireTally::default());
    for piece in pieces {
        decoder.feed(piece, ARRIVED_NS, &mut out, &mut tally);
        assert_balanced(&tally, decoder.buffered());
    }
    (out, tally, decoder)
}

fn assert_balanced(tally: &WireTally, buffered: usize) {
    assert_eq!(
        tally.bytes_in,
        tally.bytes_in_frames + tally.bytes_skipped + buffered as u64,
        "{tally:?}"
    );
    assert_eq!(tally.frames_in, tally.frames_ok + tally.refused_total(), "{tally:?}");
}

fn refused(tally: &WireTally, why: FrameRefusal) -> u64 {
    tally.refused[why as usize]
}

fn frame_with(header: Header, offsets: &[u32]) -> Vec<u8> {
    let mut buffer = [0; 256];
    let mut encoder = Encoder::new(&mut buffer, &header).unwrap();
    let samples = u16::try_from(offsets.len()).unwrap();
    let head =
        BlockHead { first_channel: 3, channels: 1, value_type: ValueType::U8, samples, dt_us: 0 };
    encoder.block(head, Some(offsets), &vec![5.0; offsets.len()]).unwrap();
    encoder.finish().unwrap().to_vec()
}

const HEADER: Header = Header {
    kind: Kind::Data,
    first_since_reset: false,
    authenticated: false,
    health: 2,
    device: 9,
    boot: 4,
    time_kind: TimeKind::SinceBoot,
    time_error: 20,
    sequence: 6,
    time_us: 1_000,
};

#[test]
fn a_datagram_is_a_frame() {
    let bytes = vector("batch20_i16x3").bytes();
    let (out, tally, _) = fed(Framing::Datagram, &[&bytes, &[], b"t:21.5\n"]);
    assert_eq!((tally.frames_in, tally.frames_ok, tally.readings), (3, 1, 60));
    assert_eq!(refused(&tally, FrameRefusal::Empty), 1);
    assert_eq!(refused(&tally, FrameRefusal::Magic), 1);
    let head = out.heads[0];
    assert_eq!((head.device, head.boot, head.sequence), (0x1122_3344, 0xBEEF, Some(3)));
    assert_eq!((head.clock, head.time_error), (DeviceClock::SinceBoot, 255));
    assert_eq!((head.samples, head.arrived_ns, head.shed), (60, ARRIVED_NS, false));
    let last = out.samples[59];
    assert_eq!((last.field, last.at_ns, last.value), (2, 5_950_000_000, 10_132.0));
}

#[test]
fn the_last_moment_of_the_line_is_where_times_end() {
    let late = Header { time_us: u64::MAX, ..HEADER };
    let (out, ..) = fed(Framing::Datagram, &[&frame_with(late, &[0, u32::MAX])]);
    assert_eq!(out.samples.iter().map(|sample| sample.at_ns).collect::<Vec<_>>(), [i64::MAX; 2]);
    let none = Header { time_kind: TimeKind::None, ..HEADER };
    let (out, ..) = fed(Framing::Datagram, &[&frame_with(none, &[7])]);
    assert_eq!((out.samples[0].at_ns, out.heads[0].clock), (0, DeviceClock::None));
    assert_eq!(out.heads[0].health, Health::Check);
}

#[test]
fn no_value_is_nan_and_announces_are_silent() {
    let bytes = [vector("missing_values").serial_bytes(), vector("announce").serial_bytes()];
    let (out, tally, _) = fed(Framing::Stream, &[&bytes.concat()]);
    assert_eq!((tally.frames_ok, tally.frames_silent, tally.readings), (2, 1, 3));
    let values: Vec<_> = out.samples.iter().map(|sample| sample.value).collect();
    assert!(values[0].is_nan() && values[1] == 100.0 && values[2].is_nan());
    assert_eq!(out.heads.iter().map(|head| head.samples).collect::<Vec<_>>(), [3, 0]);
}

#[test]
fn an_announce_must_be_text() {
    let mut buffer = [0; 64];
    let header = Header { kind: Kind::Announce, ..HEADER };
    let mut encoder = Encoder::new(&mut buffer, &header).unwrap();
    encoder.announce(&[0xFF]).unwrap();
    let (out, tally, _) = fed(Framing::Datagram, &[encoder.finish().unwrap()]);
    assert!(out.is_empty());
    assert_eq!(refused(&tally, FrameRefusal::Layout), 1);
}

#[test]
fn an_authenticated_frame_is_refused_without_a_key() {
    let mut buffer = [0; 64];
    let header = Header { kind: Kind::Heartbeat, authenticated: true, ..HEADER };
    let encoder = Encoder::new(&mut buffer, &header).unwrap();
    let frame = encoder.finish_with_tag(|_| [7; frame::TAG_BYTES]).unwrap();
    let (out, tally, _) = fed(Framing::Datagram, &[frame]);
    assert!(out.is_empty());
    assert_eq!(refused(&tally, FrameRefusal::Authentication), 1);
}

/// Key, frame, device, boot, sequence, values.
type Authenticated = (&'static str, &'static str, u32, u16, u32, &'static [f64]);

/// Frames that Python has made with `struct`, `hmac`, `hashlib` and `zlib`.
const AUTHENTICATED: [Authenticated; 2] = [
    (
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "f510020044332211070000ff050000000000000000000000000207000100000000000000ac41000050c0\
         50b9617bd567048e8be357d27751b0e6d9904447",
        0x1122_3344,
        7,
        5,
        &[21.5, -3.25],
    ),
    (
        "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc\
         e3eaf1f8ff060d141b222930373e454c535a61686f767d848b9299a0a7aeb5bc",
        "f510020001000000ffff00ffffffffff00401e18240a06000001070001000000000000507d44\
         306c84e21830b3b49732ac56fc2cdf38b74d6030",
        1,
        u16::MAX,
        u32::MAX,
        &[1013.25],
    ),
];

fn key(hex: &str) -> Key {
    Key::from_hex(hex).expect("a key")
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// The frame with the byte at a place changed, and the checksum made right again: as someone does
/// who has no key.
fn bent(frame: &[u8], at: usize, by: u8) -> Vec<u8> {
    let mut bytes = frame[..frame.len() - CRC_BYTES].to_vec();
    bytes[at] ^= by;
    let check = frame::crc32(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes
}

#[test]
fn frames_that_another_program_authenticated_are_taken() {
    for (hex, frame, device, boot, sequence, values) in AUTHENTICATED {
        let frame = unhex(frame);
        let mut stuffed = vec![0; frame.len() + 2];
        let length = cobs::encode(&frame, &mut stuffed).unwrap();
        for (framing, bytes) in
            [(Framing::Datagram, &frame[..]), (Framing::Stream, &stuffed[..=length])]
        {
            let (out, tally, _) = fed_with(Some(key(hex)), framing, &[bytes]);
            assert_eq!((tally.frames_ok, tally.refused_total()), (1, 0), "{framing:?}");
            let head = out.heads[0];
            assert_eq!((head.device, head.boot, head.sequence), (device, boot, Some(sequence)));
            let read: Vec<_> = out.samples.iter().map(|sample| sample.value).collect();
            assert_eq!(read, values);
        }
    }
}

#[test]
fn a_frame_without_a_tag_is_refused_where_there_is_a_key() {
    let plain = vector("one_f32x3").bytes();
    let (out, tally, _) = fed_with(Some(key(AUTHENTICATED[0].0)), Framing::Datagram, &[&plain]);
    assert!(out.is_empty());
    assert_eq!(refused(&tally, FrameRefusal::Unauthenticated), 1);
}

#[test]
fn a_frame_is_forged_wherever_a_bit_of_it_is_changed() {
    let (hex, frame, ..) = AUTHENTICATED[0];
    let frame = unhex(frame);
    let payload_ends = frame.len() - CRC_BYTES;
    let (mut forged, mut misshapen) = (0, 0);
    for at in 0..payload_ends {
        for bit in 0..8 {
            let datagram = bent(&frame, at, 1 << bit);
            let (out, tally, _) = fed_with(Some(key(hex)), Framing::Datagram, &[&datagram]);
            assert!(out.is_empty(), "bit {bit} of byte {at}");
            let is_forged = refused(&tally, FrameRefusal::Forged);
            forged += is_forged;
            misshapen += 1 - is_forged;
            let is_value = (34..payload_ends).contains(&at);
            assert!(!is_value || is_forged == 1, "bit {bit} of byte {at}: {tally:?}");
        }
    }
    // The rest is no frame any more, and so never gets as far.
    assert_eq!(forged + misshapen, 8 * payload_ends as u64);
    assert!(misshapen < 100, "{misshapen}");
    let other = AUTHENTICATED[1].0;
    let (_, tally, _) = fed_with(Some(key(other)), Framing::Datagram, &[&frame]);
    assert_eq!(refused(&tally, FrameRefusal::Forged), 1, "the key of another source");
}

#[test]
fn what_the_encoder_authenticates_is_taken() {
    let key = key(AUTHENTICATED[0].0);
    for kind in [Kind::Announce, Kind::Heartbeat] {
        let mut buffer = [0; 64];
        let header = Header { kind, authenticated: true, ..HEADER };
        let encoder = Encoder::new(&mut buffer, &header).unwrap();
        let frame = encoder.finish_with_tag(|before| key.tag(before)).unwrap();
        let (out, tally, _) = fed_with(Some(key.clone()), Framing::Datagram, &[frame]);
        assert_eq!((out.heads.len(), tally.frames_silent), (1, 1), "{kind:?}");
    }
}

#[test]
fn a_stream_joined_in_the_middle_loses_that_frame_only() {
    let whole = vector("one_f32x3").serial_bytes();
    let bytes = [&whole[17..], &whole[..], &[0, 0], &whole[..9]].concat();
    let (out, mut tally, mut decoder) = fed(Framing::Stream, &[&bytes]);
    assert_eq!((out.heads.len(), tally.frames_in, tally.frames_ok), (1, 2, 1));
    assert_eq!((tally.bytes_skipped, decoder.buffered()), (2, 9));
    decoder.reset(&mut tally);
    assert_eq!(refused(&tally, FrameRefusal::Partial), 1);
    assert_balanced(&tally, 0);
    decoder.reset(&mut tally);
    assert_eq!(tally.frames_in, 3, "nothing had begun");
}

#[test]
fn broken_stuffing_has_its_own_reason() {
    let (_, tally, _) = fed(Framing::Stream, &[&[9, 1, 2, 0]]);
    assert_eq!(refused(&tally, FrameRefusal::Stuffing), 1);
}

#[test]
fn a_block_without_end_is_counted_once_and_the_next_frame_is_found() {
    let noise = vec![1; 3 * limits::COBS_BYTES_MAX];
    let frame = vector("one_f32x3").serial_bytes();
    let (out, tally, decoder) = fed(Framing::Stream, &[&noise, &noise, &[0], &frame]);
    assert_eq!((out.heads.len(), refused(&tally, FrameRefusal::Oversize)), (1, 1));
    assert_eq!((tally.frames_in, decoder.buffered()), (2, 0));
    assert_eq!(tally.bytes_in_frames, tally.bytes_in);
}

#[test]
fn the_bound_is_a_frame_and_not_a_byte_more() {
    for (bytes, why) in [
        (limits::FRAME_BYTES_MAX, FrameRefusal::Checksum),
        (limits::FRAME_BYTES_MAX + 1, FrameRefusal::Oversize),
    ] {
        let mut datagram = vec![0x55; bytes];
        datagram[..2].copy_from_slice(&vector("one_f32x3").bytes()[..2]);
        let (_, tally, _) = fed(Framing::Datagram, &[&datagram]);
        assert_eq!(refused(&tally, why), 1, "{bytes} bytes");
        let mut stuffed = vec![0; limits::COBS_BYTES_MAX + 1];
        let length = cobs::encode(&datagram, &mut stuffed).unwrap();
        let (_, tally, _) = fed(Framing::Stream, &[&stuffed[..length], &[0]]);
        assert_eq!(refused(&tally, why), 1, "{bytes} bytes stuffed");
    }
}

/// A stretch of a serial line: golden frames, broken ones, lone zeros and noise.
fn any_stretch() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..VECTORS.len()).prop_map(|index| VECTORS[index].serial_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![0]),
    ]
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_frames(
        stretches in prop::collection::vec(any_stretch(), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = stretches.concat();
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let pieces: Vec<_> = ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let (whole, whole_tally, whole_decoder) = fed(Framing::Stream, &[&bytes]);
        let (split, split_tally, split_decoder) = fed(Framing::Stream, &pieces);
        // Compared as text, because NaN is not equal to itself.
        prop_assert_eq!(format!("{whole:?}"), format!("{split:?}"));
        prop_assert_eq!(whole_tally, split_tally);
        prop_assert_eq!(whole_decoder.buffered(), split_decoder.buffered());
        let carried: usize = whole.heads.iter().map(|head| head.samples as usize).sum();
        prop_assert_eq!(carried, whole.samples.len());
        prop_assert_eq!(carried as u64, whole_tally.readings);
    }

    #[test]
    fn noise_never_panics_and_every_byte_is_counted(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..8),
    ) {
        let pieces: Vec<_> = datagrams.iter().map(Vec::as_slice).collect();
        let (_, tally, _) = fed(Framing::Datagram, &pieces);
        prop_assert_eq!(tally.frames_in, datagrams.len() as u64);
        fed(Framing::Stream, &pieces);
    }
}

#[test]
fn the_quick_checksum_is_that_of_the_format() {
    let bytes: Vec<u8> = (0..1_500_u32).map(|n| ((n * n) >> 3) as u8).collect();
    for end in 0..bytes.len() {
        assert_eq!(crc32fast::hash(&bytes[..end]), frame::crc32(&bytes[..end]), "{end} bytes");
    }
}
