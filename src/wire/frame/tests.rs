//! The codec against its golden frames, against itself, and against damage.

use proptest::prelude::*;

use super::vectors::{VECTORS, Vector, vector};
use super::*;

/// Everything a block says, in an order that can be compared: channel, offset, value or none.
fn readings(block: &Block<'_>) -> Vec<(u8, u64, Option<f64>)> {
    let mut found = Vec::new();
    block.for_each(|channel, offset_us, value| {
        found.push((channel, offset_us, Some(value).filter(|value| !value.is_nan())));
    });
    found
}

fn only_block(vector: &Vector) -> (Header, BlockHead, Vec<(u8, u64, Option<f64>)>) {
    let bytes = vector.bytes();
    let frame = parse(&bytes).unwrap();
    let blocks: Vec<_> = frame.blocks().collect();
    assert_eq!(blocks.len(), 1);
    (*frame.header(), *blocks[0].head(), readings(&blocks[0]))
}

#[test]
fn one_sample_of_three_floats() {
    let (header, head, readings) = only_block(vector("one_f32x3"));
    let expected = Header {
        kind: Kind::Data,
        first_since_reset: false,
        authenticated: false,
        health: 0,
        device: 0x1122_3344,
        boot: 0xBEEF,
        time_kind: TimeKind::Utc,
        time_error: 10,
        sequence: 1,
        time_us: 1_700_000_000_000_000,
    };
    assert_eq!(header, expected);
    assert_eq!((head.value_type, head.channels, head.samples), (ValueType::F32, 3, 1));
    let values = [21.53_f32, 45.2, 1013.2].map(|value| Some(f64::from(value)));
    assert_eq!(readings, [(0, 0, values[0]), (1, 0, values[1]), (2, 0, values[2])]);
}

#[test]
fn one_sample_of_three_integers() {
    let (header, _, readings) = only_block(vector("one_i16x3"));
    assert_eq!(header.sequence, 2);
    assert_eq!(readings, [(0, 0, Some(2153.0)), (1, 0, Some(452.0)), (2, 0, Some(10132.0))]);
}

#[test]
fn twenty_samples_at_even_steps() {
    let (header, head, readings) = only_block(vector("batch20_i16x3"));
    assert_eq!((header.time_kind, header.time_error), (TimeKind::SinceBoot, 255));
    assert_eq!(header.time_us, 5_000_000);
    assert_eq!((head.samples, head.dt_us), (20, 50_000));
    assert_eq!(readings.len(), 60);
    assert_eq!(readings[3], (0, 50_000, Some(2154.0)));
    assert_eq!(readings[59], (2, 950_000, Some(10132.0)));
}

#[test]
fn deltas_take_the_place_of_even_steps() {
    let (header, _, readings) = only_block(vector("irregular_u32_counter"));
    assert!(header.first_since_reset);
    assert_eq!((header.health, header.sequence, header.boot), (4, 0, 1));
    let expected =
        [(9, 0, Some(4_294_967_290.0)), (9, 1_000, Some(4_294_967_295.0)), (9, 2_500, Some(3.0))];
    assert_eq!(readings, expected);
}

#[test]
fn minimum_and_nan_are_no_value() {
    let bytes = vector("missing_values").bytes();
    let frame = parse(&bytes).unwrap();
    assert_eq!((frame.header().time_kind, frame.header().health), (TimeKind::None, 3));
    let found: Vec<_> = frame.blocks().flat_map(|block| readings(&block)).collect();
    assert_eq!(found, [(0, 0, None), (1, 0, Some(100.0)), (2, 0, None)]);
    let block = frame.blocks().next().unwrap();
    assert_eq!(block.value(0, 0), None);
    assert_eq!(block.value(0, 1), Some(100.0));
    assert_eq!((block.value(1, 0), block.value(0, 2)), (None, None), "outside the block");
}

#[test]
fn an_announce_hands_out_its_descriptor() {
    let bytes = vector("announce").bytes();
    let frame = parse(&bytes).unwrap();
    assert_eq!(frame.header().kind, Kind::Announce);
    assert!(frame.announce().starts_with(br#"{"n":"esp32-17","c":[["t","Cel",0.01]"#));
    assert_eq!(frame.blocks().count(), 0);
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    for vector in &VECTORS {
        let bytes = vector.bytes();
        assert_eq!(parse(&bytes).is_ok(), vector.name != "bad_crc", "{}", vector.name);
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_err(), "{} cut to {end}", vector.name);
        }
        if vector.name == "bad_crc" {
            continue;
        }
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bent).is_err(), "{} with bit {bit} flipped", vector.name);
        }
    }
    assert_eq!(parse(&vector("bad_crc").bytes()), Err(Error::Checksum));
}

/// The golden frame with one byte replaced and the checksum made right again.
fn forged(at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = vector("one_i16x3").bytes();
    bytes[at] = byte;
    reseal(bytes)
}

fn reseal(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - CRC_BYTES;
    let check = crc32(&bytes[..end]);
    bytes[end..].copy_from_slice(&check.to_le_bytes());
    bytes
}

#[test]
fn each_rule_of_the_header_has_its_refusal() {
    let cases = [
        ("magic", 0, 0xF4, Error::Magic),
        ("version", 1, 0x20, Error::Version),
        ("type", 1, 0x13, Error::Type),
        ("flags", 2, 0x04, Error::Flags),
        ("health", 3, 5, Error::Header),
        ("time kind", 10, 5, Error::Header),
        ("authenticated without room for the tag", 2, 0x02, Error::Layout),
        ("heartbeat with a payload", 1, 0x12, Error::Layout),
        ("channels beyond 256", 24, 254, Error::Layout),
        ("no channels", 25, 0, Error::Layout),
        ("type 0", 26, 0, Error::Layout),
        ("type 10", 26, 10, Error::Layout),
        ("block flags", 27, 0x02, Error::Flags),
        ("deltas that are not there", 27, 0x01, Error::Layout),
        ("no samples", 28, 0, Error::Layout),
        ("samples that are not there", 28, 2, Error::Layout),
        ("samples by the thousand that are not there", 29, 0xFF, Error::Layout),
        ("half a value left over", 25, 2, Error::Layout),
    ];
    for (what, at, byte, expected) in cases {
        assert_eq!(parse(&forged(at, byte)), Err(expected), "{what}");
    }
    assert!(parse(&forged(24, 253)).is_ok(), "channels up to 255");
}

#[test]
fn a_frame_must_have_room_for_all_its_parts() {
    assert_eq!(parse(&[]), Err(Error::Truncated));
    assert_eq!(parse(&[MAGIC]), Err(Error::Truncated));
    assert_eq!(parse(b"t:21.5"), Err(Error::Magic));
    let mut short = vector("one_i16x3").bytes();
    short.truncate(HEADER_BYTES + CRC_BYTES);
    assert_eq!(parse(&reseal(short.clone())), Err(Error::Layout), "a data frame of no blocks");
    short[2] = FLAG_AUTHENTICATED;
    assert_eq!(parse(&reseal(short)), Err(Error::Truncated), "a tag of no bytes");
}

const PLAIN: Header = Header {
    kind: Kind::Data,
    first_since_reset: true,
    authenticated: false,
    health: 0,
    device: 7,
    boot: 1,
    time_kind: TimeKind::Utc,
    time_error: 0,
    sequence: u32::MAX,
    time_us: u64::MAX,
};

fn single(value_type: ValueType) -> BlockHead {
    BlockHead { first_channel: 255, channels: 1, value_type, samples: 1, dt_us: 0 }
}

fn through(value_type: ValueType, value: f64) -> Result<Option<f64>, EncodeError> {
    let mut buffer = [0; 64];
    let mut encoder = Encoder::new(&mut buffer, &PLAIN)?;
    encoder.block(single(value_type), None, &[value])?;
    let frame = parse(encoder.finish()?).expect("what the encoder wrote");
    Ok(frame.blocks().next().expect("one block").value(0, 255))
}

#[test]
fn values_are_held_exactly_or_refused() {
    use EncodeError::Value;
    use ValueType::{F32, F64, I8, I16, I32, U8, U16, U32, U64};
    for (value_type, min, max) in [
        (I8, -127.0, 127.0),
        (I16, -32_767.0, 32_767.0),
        (I32, -2_147_483_647.0, 2_147_483_647.0),
        (U8, 0.0, 255.0),
        (U16, 0.0, 65_535.0),
        (U32, 0.0, 4_294_967_295.0),
    ] {
        assert_eq!(through(value_type, min), Ok(Some(min)), "{value_type:?}");
        assert_eq!(through(value_type, max), Ok(Some(max)), "{value_type:?}");
        assert_eq!(through(value_type, min - 1.0), Err(Value), "{value_type:?}");
        assert_eq!(through(value_type, max + 1.0), Err(Value), "{value_type:?}");
        assert_eq!(through(value_type, 2.5), Ok(Some(3.0)), "{value_type:?}");
    }
    assert_eq!(through(I8, -2.5), Ok(Some(-3.0)));
    assert_eq!(through(I8, 0.499_999_999_999_999_94), Ok(Some(0.0)));
    for none in [I8, I16, I32, F32, F64] {
        assert_eq!(through(none, f64::NAN), Ok(None), "{none:?}");
    }
    for always in [U8, U16, U32, U64] {
        assert_eq!(through(always, f64::NAN), Err(Value), "{always:?}");
    }
    assert_eq!(through(U64, 18_446_744_073_709_549_568.0), Ok(Some(18_446_744_073_709_549_568.0)));
    assert_eq!(through(U64, 18_446_744_073_709_551_616.0), Err(Value));
    assert_eq!(through(F32, 1e39), Err(Value));
    assert_eq!(through(F64, -1e308), Ok(Some(-1e308)));
    assert_eq!(through(F32, f64::INFINITY), Ok(Some(f64::INFINITY)));
}

#[test]
fn a_refused_block_leaves_the_frame_as_it_was() {
    let mut buffer = [0; HEADER_BYTES + BLOCK_HEAD_BYTES + 1 + CRC_BYTES];
    let mut encoder = Encoder::new(&mut buffer, &PLAIN).unwrap();
    let head = single(ValueType::U8);
    assert_eq!(encoder.block(head, None, &[256.0]), Err(EncodeError::Value));
    assert_eq!(encoder.block(head, None, &[1.0, 2.0]), Err(EncodeError::Shape));
    assert_eq!(encoder.block(head, Some(&[]), &[1.0]), Err(EncodeError::Shape));
    let wide = BlockHead { channels: 2, ..head };
    assert_eq!(encoder.block(wide, None, &[1.0, 2.0]), Err(EncodeError::Shape));
    let long = single(ValueType::F64);
    assert_eq!(encoder.block(long, None, &[1.0]), Err(EncodeError::Full));
    assert_eq!(encoder.announce(b"{}"), Err(EncodeError::Header));
    encoder.block(head, None, &[9.0]).unwrap();
    let frame = parse(encoder.finish().unwrap()).unwrap();
    assert_eq!(frame.blocks().next().unwrap().value(0, 255), Some(9.0));
}

#[test]
fn a_tag_is_carried_but_only_where_it_was_promised() {
    let mut buffer = [0; 64];
    let tagged = Header { kind: Kind::Heartbeat, authenticated: true, ..PLAIN };
    assert_eq!(Encoder::new(&mut buffer, &tagged).unwrap().finish(), Err(EncodeError::Header));
    let encoder = Encoder::new(&mut buffer, &tagged).unwrap();
    let frame = encoder.finish_with_tag(|before| [before[1]; TAG_BYTES]).unwrap();
    assert_eq!(parse(frame).unwrap().tag(), Some(&[0x12; TAG_BYTES]));
    let plain = Header { kind: Kind::Heartbeat, ..PLAIN };
    let encoder = Encoder::new(&mut buffer, &plain).unwrap();
    assert_eq!(encoder.finish_with_tag(|_| [0; TAG_BYTES]), Err(EncodeError::Header));
}

type Rectangle = (BlockHead, Option<Vec<u32>>, Vec<f64>);

fn any_header() -> impl Strategy<Value = Header> {
    (
        any::<bool>(),
        0..=HEALTH_MAX,
        any::<(u32, u16, u8, u32, u64)>(),
        prop::sample::select(&TimeKind::ALL[..]),
    )
        .prop_map(
            |(first, health, (device, boot, time_error, sequence, time_us), time_kind)| Header {
                kind: Kind::Data,
                first_since_reset: first,
                authenticated: false,
                health,
                device,
                boot,
                time_kind,
                time_error,
                sequence,
                time_us,
            },
        )
}

/// A value that the type holds exactly, NaN among them where it may.
fn any_value(value_type: ValueType) -> BoxedStrategy<f64> {
    let none = Just(f64::NAN);
    match value_type {
        ValueType::I8 => prop_oneof![none, (-127..=127_i8).prop_map(f64::from)].boxed(),
        ValueType::U8 => any::<u8>().prop_map(f64::from).boxed(),
        ValueType::I16 => prop_oneof![none, (-32_767..=32_767_i16).prop_map(f64::from)].boxed(),
        ValueType::U16 => any::<u16>().prop_map(f64::from).boxed(),
        ValueType::I32 => prop_oneof![none, (-i32::MAX..=i32::MAX).prop_map(f64::from)].boxed(),
        ValueType::U32 => any::<u32>().prop_map(f64::from).boxed(),
        ValueType::F32 => prop_oneof![none, any::<f32>().prop_map(f64::from)].boxed(),
        ValueType::F64 => prop_oneof![none, any::<f64>()].boxed(),
        ValueType::U64 => (0..1_u64 << 53).prop_map(|value| value as f64).boxed(),
    }
}

fn any_rectangle() -> impl Strategy<Value = Rectangle> {
    (1..=4_u8, any::<u8>(), 1..=5_u16, any::<u32>(), prop::sample::select(&ValueType::ALL[..]))
        .prop_flat_map(|(channels, first, samples, dt_us, value_type)| {
            let first_channel = first.min(u8::MAX - channels + 1);
            let head = BlockHead { first_channel, channels, value_type, samples, dt_us };
            let deltas =
                prop::option::of(prop::collection::vec(any::<u32>(), usize::from(samples)));
            let values = prop::collection::vec(any_value(value_type), head.values());
            (Just(head), deltas, values)
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        header in any_header(),
        rectangles in prop::collection::vec(any_rectangle(), 1..5),
    ) {
        let mut buffer = [0; 4096];
        let mut encoder = Encoder::new(&mut buffer, &header).unwrap();
        for (head, deltas, values) in &rectangles {
            encoder.block(*head, deltas.as_deref(), values).unwrap();
        }
        let bytes = encoder.finish().unwrap();
        let frame = parse(bytes).unwrap();
        prop_assert_eq!(frame.header(), &header);
        prop_assert_eq!(frame.blocks().count(), rectangles.len());
        for (block, (head, deltas, values)) in frame.blocks().zip(&rectangles) {
            prop_assert_eq!(block.head(), head);
            let mut next = values.iter();
            for sample in 0..head.samples {
                let expected = deltas.as_ref().map_or_else(
                    || u64::from(sample) * u64::from(head.dt_us),
                    |deltas| u64::from(deltas[usize::from(sample)]),
                );
                prop_assert_eq!(block.offset_us(sample), expected);
                for channel in (head.first_channel..=u8::MAX).take(head.channels.into()) {
                    let value = Some(*next.next().unwrap()).filter(|value| !value.is_nan());
                    prop_assert_eq!(block.value(sample, channel), value);
                }
            }
            let all: Vec<_> = readings(&block).iter().map(|&(_, _, value)| value).collect();
            let expected: Vec<_> =
                values.iter().map(|&value| Some(value).filter(|value| !value.is_nan())).collect();
            prop_assert_eq!(all, expected);
        }
    }

    #[test]
    fn a_frame_of_noise_with_a_right_checksum_is_refused_or_read_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), HEADER_BYTES + CRC_BYTES..200),
        kind in 0..4_u8,
    ) {
        bytes[..4].copy_from_slice(&[MAGIC, VERSION << 4 | kind, 0, 0]);
        bytes[10] = 0;
        if let Some(block) = bytes.get_mut(HEADER_BYTES..HEADER_BYTES + 6) {
            // Shapes that have a chance: noise alone would hardly ever get past the counts.
            block[1] %= 4;
            block[2] %= 11;
            block[3] &= 1;
            block[4] %= 8;
            block[5] = 0;
        }
        let bytes = reseal(bytes);
        if let Ok(frame) = parse(&bytes) {
            for block in frame.blocks() {
                prop_assert_eq!(readings(&block).len(), block.head().values());
            }
        }
    }
}
