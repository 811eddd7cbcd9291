//! Binary frames: those of the presets, and one declared layout for each way to find frames.

use stillwell::wire::cobs;

use super::Made;
use crate::support::{Crc16, Device, Log, Random, sum8, with_sum16};

/// Frames of each log.
const FRAMES: usize = 200;

/// Makes frames of two random numbers each, some of them damaged and some behind garbage.
struct Maker {
    /// What stands before the checksum, for two numbers.
    parts: fn(u8, u16) -> Vec<u8>,
    /// What goes over the line for that.
    frame: fn(&[u8]) -> Vec<u8>,
    /// The byte of that which is damaged at times.
    soft: usize,
    /// Whether there is garbage between frames, where they have a beginning.
    garbage: bool,
}

impl Maker {
    fn make(&self, name: &str, frames: usize) -> Made {
        let mut random = Random::named(name);
        let mut made = Made::default();
        let mut is_aligned = true;
        for n in 0..frames {
            let (a, b) = (random.below(100) as u8, random.below(10_000) as u16);
            let frame = (self.frame)(&(self.parts)(a, b));
            match random.below(8) {
                // The last frames are good, so that nothing waits for more; and frames without a
                // beginning count once however many behind each other are damaged.
                0 if is_aligned && n + 8 < frames => {
                    let mut frame = frame;
                    frame[self.soft] ^= 1;
                    made.bad("checksum", frame);
                    is_aligned = false;
                }
                1 if self.garbage => made.nothing(random.garbage()),
                _ => {
                    let readings = [("a", f64::from(a)), ("b", f64::from(b) * 0.5 - 10.0)];
                    made.good(frame, &readings);
                    is_aligned = true;
                }
            }
        }
        made
    }
}

/// The fields of all declared layouts here: a byte and a number of two.
fn fields(a: usize, b: usize) -> String {
    format!(
        "field = [{{ name = \"a\", at = {a}, type = \"u8\" }}, \
         {{ name = \"b\", at = {b}, type = \"u16be\", scale = 0.5, offset = -10.0, unit = \"Cel\" }}]"
    )
}

fn played(name: &str, frame: &str, check: &str, fields: &str, maker: &Maker) {
    let format = format!("format = \"binary\"\nframe = {frame}\ncheck = {check}\n{fields}");
    let made = maker.make(name, FRAMES);
    made.assert_all(&made.log(name, &format).played_as_stream(), name);
}

fn plain(a: u8, b: u16) -> Vec<u8> {
    let [high, low] = b.to_be_bytes();
    vec![a, high, low]
}

#[test]
fn lines() {
    let maker = Maker {
        parts: plain,
        frame: |bytes| {
            // A line end is none of its bytes.
            let bytes: Vec<u8> = bytes.iter().map(|byte| byte | 0x80).collect();
            let sum = sum8(&bytes);
            [&bytes[..], format!("{sum:02X}\r\n").as_bytes()].concat()
        },
        soft: 0,
        garbage: false,
    };
    let bits = "field = [{ name = \"a\", at = 0, type = \"u8\", bits = [6, 0] }]";
    let check = "{ kind = \"sum8\", over = [0, -2], at = -2, order = \"hex\" }";
    let format =
        format!("format = \"binary\"\nframe = {{ kind = \"line\" }}\ncheck = {check}\n{bits}");
    let mut made = maker.make("binary lines", FRAMES);
    made.values.remove("b");
    let log = made.log("binary lines", &format);
    made.assert_all(&log.played_as_stream(), "binary lines");
    made.assert_all(&log.played_as_datagrams(4), "binary lines in datagrams");
}

#[test]
fn stuffed_blocks() {
    let maker = Maker {
        parts: plain,
        frame: |bytes| {
            let whole = Crc16::MODBUS.behind(bytes);
            let mut block = vec![0; cobs::encoded_bytes_max(whole.len())];
            let length = cobs::encode(&whole, &mut block).expect("it fits");
            block.truncate(length);
            block.push(0);
            block
        },
        // Where a zero would be, the damage is one of the stuffing.
        soft: 1,
        garbage: false,
    };
    let check = "{ kind = \"crc16/modbus\", over = [0, -2], at = -2, order = \"be\" }";
    let maker = Maker { parts: |a, b| plain(a | 1 << 6, b), ..maker };
    let mut made = maker.make("cobs", FRAMES);
    let marked = made.values.get_mut("a").expect("a field");
    marked.iter_mut().for_each(|a| *a = f64::from(*a as u8 | 1 << 6));
    let format = format!(
        "format = \"binary\"\nframe = {{ kind = \"cobs\" }}\ncheck = {check}\n{}",
        fields(0, 1)
    );
    made.assert_all(&made.log("cobs", &format).played_as_stream(), "cobs");
}

#[test]
fn escaped_packets() {
    let maker = Maker {
        parts: plain,
        frame: |bytes| {
            let mut packet = vec![0xC0];
            for byte in Crc16::XMODEM.behind(bytes) {
                match byte {
                    0xC0 => packet.extend([0xDB, 0xDC]),
                    0xDB => packet.extend([0xDB, 0xDD]),
                    other => packet.push(other),
                }
            }
            packet.push(0xC0);
            packet
        },
        soft: 1,
        garbage: false,
    };
    let check = "{ kind = \"crc16/xmodem\", over = [0, -2], at = -2, order = \"be\" }";
    played("slip", "{ kind = \"slip\" }", check, &fields(0, 1), &maker);
}

#[test]
fn frames_that_tell_their_length() {
    let maker = Maker {
        parts: |a, b| {
            [&[4 + (b % 3) as u8, a][..], &b.to_be_bytes(), &vec![7; usize::from(b % 3)]].concat()
        },
        frame: |bytes| Crc16::CCITT_FALSE.behind(bytes),
        soft: 1,
        garbage: false,
    };
    let frame =
        "{ kind = \"length-prefixed\", length = { at = 0, type = \"u8\", plus = 2 }, max = 12 }";
    let check = "{ kind = \"crc16/ccitt-false\", over = [0, -2], at = -2, order = \"be\" }";
    played("length-prefixed", frame, check, &fields(1, 2), &maker);
}

#[test]
fn frames_of_one_length() {
    let maker = Maker { parts: plain, frame: |bytes| with_sum16(bytes), soft: 0, garbage: false };
    let frame = "{ kind = \"fixed\", length = 5 }";
    let check = "{ kind = \"sum16\", over = [0, -2], at = -2, order = \"be\" }";
    played("fixed", frame, check, &fields(0, 1), &maker);
}

#[test]
fn frames_that_begin_with_certain_bytes() {
    let maker = Maker {
        parts: |a, b| [&[0xA5, 0x5A, a][..], &b.to_be_bytes()].concat(),
        frame: |bytes| with_sum16(bytes),
        soft: 2,
        garbage: true,
    };
    let frame = "{ kind = \"sync\", sync = \"A5 5A\", length = 7 }";
    let check = "{ kind = \"sum16\", over = [0, -2], at = -2, order = \"be\" }";
    played("sync", frame, check, &fields(2, 3), &maker);
}

#[test]
fn frames_between_pauses() {
    let maker = Maker { parts: plain, frame: |bytes| with_sum16(bytes), soft: 0, garbage: false };
    let made = maker.make("idle-gap", 30);
    let format = format!(
        "format = \"binary\"\nframe = {{ kind = \"idle-gap\", gap = \"10ms\" }}\n\
         check = {{ kind = \"sum16\", over = [0, -2], at = -2, order = \"be\" }}\n{}",
        fields(0, 1)
    );
    let log = Log { paused: true, ..made.log("idle-gap", &format) };
    made.assert_all(&log.played_as_stream(), "idle-gap");
}

#[test]
fn frames_in_datagrams() {
    let maker = Maker { parts: plain, frame: |bytes| with_sum16(bytes), soft: 0, garbage: false };
    let made = maker.make("datagram", FRAMES);
    let format = format!(
        "format = \"binary\"\nframe = {{ kind = \"datagram\" }}\n\
         check = {{ kind = \"sum16\", over = [0, -2], at = -2, order = \"be\" }}\n{}",
        fields(0, 1)
    );
    made.assert_all(&made.log("datagram", &format).played_as_datagrams(1), "datagram");
}

/// The frames of a PMS5003, with garbage and damage between them.
#[test]
fn a_dust_sensor_of_one_maker() {
    const NAMES: [&str; 12] = [
        "pm1_0_factory",
        "pm2_5_factory",
        "pm10_factory",
        "pm1_0",
        "pm2_5",
        "pm10",
        "n0_3",
        "n0_5",
        "n1_0",
        "n2_5",
        "n5_0",
        "n10",
    ];
    let mut random = Random::named("pms5003");
    let mut made = Made::default();
    for _ in 0..FRAMES {
        let values: Vec<u16> = NAMES.iter().map(|_| random.below(3_000) as u16).collect();
        let mut body = vec![0x42, 0x4D, 0, 28];
        values.iter().for_each(|value| body.extend(value.to_be_bytes()));
        body.extend([0x97, 0]);
        let mut frame = with_sum16(&body);
        match random.below(8) {
            0 => made.nothing(random.garbage()),
            1 => {
                frame[10] ^= 0x20;
                made.bad("checksum", frame);
            }
            _ => {
                let readings: Vec<_> =
                    NAMES.iter().zip(&values).map(|(name, v)| (*name, f64::from(*v))).collect();
                made.good(frame, &readings);
            }
        }
    }
    let log = made.log("pms5003", "format = \"binary\"\npreset = \"pms5003\"");
    made.assert_all(&log.played_as_stream(), "pms5003");
}

/// Those of an SDS011.
#[test]
fn a_dust_sensor_of_another() {
    let mut random = Random::named("sds011");
    let mut made = Made::default();
    for _ in 0..FRAMES {
        let (pm2_5, pm10) = (random.below(9_999) as u16, random.below(9_999) as u16);
        let body = [&pm2_5.to_le_bytes()[..], &pm10.to_le_bytes(), &[0xA1, 0x60]].concat();
        let mut frame = [&[0xAA, 0xC0][..], &body, &[sum8(&body), 0xAB]].concat();
        match random.below(8) {
            0 => made.nothing(random.garbage()),
            1 => {
                frame[3] ^= 0x10;
                made.bad("checksum", frame);
            }
            _ => made.good(
                frame,
                &[("pm2_5", f64::from(pm2_5) / 10.0), ("pm10", f64::from(pm10) / 10.0)],
            ),
        }
    }
    let log = made.log("sds011", "format = \"binary\"\npreset = \"sds011\"");
    made.assert_all(&log.played_as_stream(), "sds011");
}

#[test]
fn native_frames() {
    let mut random = Random::named("native");
    let (mut stuffed, mut whole) = (Made::default(), Made::default());
    let (mut on_line, mut in_datagrams) = (Device::new(3), Device::new(3));
    for _ in 0..FRAMES {
        let (a, b) = (random.tenths(100), random.tenths(100));
        let (mut block, mut frame) = (on_line.stuffed(&[a, b]), in_datagrams.frame(&[a, b]));
        if random.below(8) == 0 {
            // Within the values.
            block[50] ^= 0x80;
            frame[40] ^= 0x80;
            stuffed.bad("checksum", block);
            whole.bad("checksum", frame);
            continue;
        }
        for (made, bytes) in [(&mut stuffed, block), (&mut whole, frame)] {
            made.good(bytes, &[("3.0", a), ("3.0", b)]);
        }
    }
    let format = "format = \"native\"";
    stuffed.assert_all(&stuffed.log("native", format).played_as_stream(), "native");
    let log = whole.log("native in datagrams", format);
    whole.assert_all(&log.played_as_datagrams(1), "native in datagrams");
}
