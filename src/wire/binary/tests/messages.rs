//! Messages of devices in the field that declared frames can express.

use super::*;

/// A checksum, what it is over, where it is, and how it is written.
type Checked = (&'static str, i64, i64, i64, Order);

/// A message, and how its frames are declared.
struct Message {
    of: &'static str,
    kind: Kind,
    require: &'static [(i64, &'static [u8])],
    check: Checked,
    bytes: &'static [u8],
}

fn gap() -> Kind {
    Kind::IdleGap { gap_ns: 10, max: 512 }
}

fn binary() -> Vec<Message> {
    let long = |sync: &[u8]| {
        let length = Length::Told { at: 1, number: number("u8"), plus: 6, max: 261 };
        Kind::Counted(Counted { sync: sync.into(), length })
    };
    let dust = Length::Told { at: 2, number: number("u16be"), plus: 4, max: 64 };
    let dust = Kind::Counted(Counted { sync: [0x42, 0x4D].into(), length: dust });
    let message = |of, kind, require, check, bytes| Message { of, kind, require, check, bytes };
    vec![
        message(
            "Modbus RTU",
            gap(),
            &[],
            ("crc16/modbus", 0, -2, -2, Order::Le),
            b"\x01\x03\x00\x00\x00\x0A\xC5\xCD",
        ),
        message(
            "M-Bus, three bytes",
            long(&[0x68]),
            &[(2, b"\x03\x68"), (-1, b"\x16")],
            ("sum8", 4, -2, -2, Order::Be),
            b"\x68\x03\x03\x68\x08\x0B\x72\x85\x16",
        ),
        message(
            "M-Bus, five bytes",
            long(&[0x68]),
            &[(2, b"\x05\x68"), (-1, b"\x16")],
            ("sum8", 4, -2, -2, Order::Be),
            b"\x68\x05\x05\x68\x08\x00\x78\x0F\x00\x8F\x16",
        ),
        message(
            "SDS011",
            fixed(&[0xAA, 0xC0], 10),
            &[(9, b"\xAB")],
            ("sum8", 2, 8, 8, Order::Be),
            b"\xAA\xC0\xD4\x04\x3A\x0A\xA1\x60\x1D\xAB",
        ),
        message(
            "PMS5003",
            dust,
            &[(2, b"\x00\x1C")],
            ("sum16", 0, -2, -2, Order::Be),
            b"\x42\x4D\x00\x1C\x00\x05\x00\x08\x00\x09\x00\x05\x00\x08\x00\x09\x03\xBD\x01\x16\
              \x00\x2A\x00\x02\x00\x01\x00\x00\x97\x00\x02\x72",
        ),
        message(
            "Davis, the example of the manual",
            gap(),
            &[],
            ("crc16/xmodem", 0, -2, -2, Order::Be),
            b"\xC6\xCE\xA2\x03\xE2\xB4",
        ),
    ]
}

fn lines() -> Vec<Message> {
    let message =
        |of, check, bytes| Message { of, kind: Kind::Line { max: 80 }, require: &[], check, bytes };
    let sdi_12 = ("crc16/arc", 0, -3, -3, Order::Sdi12);
    vec![
        message("SDI-12, five values", sdi_12, b"1+2.7+85.2-0.2-2.7+770.5CAH"),
        message("SDI-12, seven values", sdi_12, b"0+0.04+10+14.8+0.0+0+0.0INy"),
        message("SDI-12, one value", sdi_12, b"0+3.14OqZ"),
        message("the check of DSMR", ("crc16/arc", 0, -4, -4, Order::Hex), b"123456789BB3D"),
        message("the check of NMEA", ("xor8", 0, -2, -2, Order::Hex), b"12345678931"),
    ]
}

#[test]
fn messages_of_the_field_are_frames_and_no_byte_of_them_may_change() {
    for Message { of, kind, require, check: (checksum, from, to, at, order), bytes } in
        binary().into_iter().chain(lines())
    {
        let checksum = Checksum::named(checksum).expect(checksum);
        let (from, to, at) = (Place::new(from), Place::new(to), Place::new(at));
        let check = Check { checksum, from, to, at, order };
        let require = require
            .iter()
            .map(|(at, equals)| Require { at: Place::new(*at), equals: (*equals).into() });
        let layout = Layout::new(kind, require.collect(), Some(check), [rule("a", 0, "u8")].into());
        let layout = layout.expect(of).into();
        let format = Format::Binary(BinaryOptions { naming: everything(), layout });
        let decoded = stream(&format, bytes);
        assert_eq!(decoded.counts(), (1, vec![]), "{of}");
        assert_eq!(decoded.readings(), [("a", f64::from(bytes[0]))], "{of}");
        for at in 0..bytes.len() {
            let mut broken = bytes.to_vec();
            broken[at] ^= 1;
            assert_eq!(stream(&format, &broken).tally.frames_ok, 0, "{of}: byte {at}");
        }
    }
}

/// Each checksum that has a name, behind the text that catalogues check them with; one of the
/// field's own; and each way to write one.
#[test]
fn every_checksum_is_checked_in_a_frame() {
    let custom = Checksum::Crc(Crc::new(CrcRule {
        width: 8,
        poly: 0x31,
        init: 0xFF,
        refin: false,
        refout: false,
        xorout: 0,
    }));
    let named = Checksum::NAMES.map(|name| Checksum::named(name).expect(name));
    for checksum in named.into_iter().chain([custom]) {
        let size = checksum.size();
        for order in [Order::Be, Order::Le, Order::Hex] {
            let written = order.written(size) as i64;
            // What is not written makes the sum of all bytes nothing.
            let (to, value) = if size == 0 {
                (Place::FromEnd(0), u32::from(sum8_of(b"123456789").wrapping_neg()))
            } else {
                (Place::new(-written), checksum.of(b"123456789"))
            };
            let behind = match (size, order) {
                (0, _) => vec![value as u8],
                (_, Order::Le) => value.to_le_bytes()[..size].to_vec(),
                (_, Order::Hex) => format!("{value:0width$x}", width = 2 * size).into_bytes(),
                _ => value.to_be_bytes()[4 - size..].to_vec(),
            };
            let frame = [&b"123456789"[..], &behind].concat();
            let at = if size == 0 { Place::new(0) } else { Place::new(-written) };
            let check = Check { checksum: checksum.clone(), from: Place::new(0), to, at, order };
            let kind = fixed(b"1", frame.len());
            let format = format(kind, Some(check));
            assert_eq!(stream(&format, &frame).counts().0, 1, "{checksum:?} {order:?}");
            let mut broken = frame.clone();
            broken[4] ^= 1;
            assert_eq!(stream(&format, &broken).counts().0, 0, "{checksum:?} {order:?}");
        }
    }
}

fn sum8_of(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}
