//! What devices say: some messages of each format, as they come over a line.

use crate::support::{Crc16, Device, sum8, with_sum16};

/// Messages that each device here sends before it begins anew.
const MESSAGES: u32 = 40;

/// A device of one format.
pub(super) struct Tongue {
    pub(super) name: &'static str,
    /// Bits a second of its line.
    pub(super) baud: u32,
    /// What chooses its format in a configuration.
    pub(super) toml: &'static str,
    /// What it says in turn.
    pub(super) messages: Vec<Vec<u8>>,
    /// How many readings each message has.
    pub(super) readings: u64,
}

/// One of each format, and of each preset.
pub(super) fn all() -> Vec<Tongue> {
    let mut device = Device::new(17);
    vec![
        tongue("native", 19_200, "format = \"native\"\n", 1, |n| device.stuffed(&[f64::from(n)])),
        tongue("text", 57_600, "format = \"text\"\n", 2, |n| {
            text(&format!("level:2.{n} temp:21.{n}\r\n"))
        }),
        tongue("json", 115_200, "format = \"json\"\n", 2, |n| {
            text(&format!("{{\"t\":21.{n},\"air\":{{\"h\":{n}}},\"type\":\"bme280\"}}\n"))
        }),
        tongue("rtl_433", 38_400, "format = \"json\"\npreset = \"rtl_433\"\n", 2, |n| {
            text(&format!(
                "{{\"time\" : \"2025-01-02 03:04:05\", \"model\" : \"Acurite-Tower\", \
                 \"id\" : 7997, \"temperature_C\" : 12.{n}, \"humidity\" : {n}}}\n"
            ))
        }),
        tongue("tempest", 9_600, "format = \"json\"\npreset = \"tempest\"\n", 2, |n| {
            text(&format!(
                "{{\"serial_number\":\"ST-1\",\"type\":\"rapid_wind\",\"hub_sn\":\"HB-1\",\
                 \"ob\":[1493322445,2.{n},{n}]}}\n"
            ))
        }),
        tongue("senml", 9_600, "format = \"senml\"\n", 2, |n| {
            text(&format!(
                "[{{\"bn\":\"roof/\",\"n\":\"t\",\"u\":\"Cel\",\"v\":21.{n}}},\
                 {{\"n\":\"h\",\"u\":\"%RH\",\"v\":{n}}}]\n"
            ))
        }),
        tongue("influx", 19_200, "format = \"influx\"\n", 2, |n| {
            text(&format!("env,room=hall t=21.{n},h={n}i 17000000{:02}000000000\n", n % 100))
        }),
        tongue("influx in seconds", 4_800, "format = \"influx\"\nprecision = \"s\"\n", 1, |n| {
            text(&format!("env t=21.{n} 17000000{:02}\n", n % 100))
        }),
        tongue("statsd", 4_800, "format = \"statsd\"\n", 1, |n| text(&format!("hits:{n}|c\n"))),
        tongue("pms5003", 9_600, "preset = \"pms5003\"\n", 12, |n| {
            let values = (0..12).flat_map(|at| (n as u16 + at).to_be_bytes());
            let body: Vec<u8> = [0x42, 0x4D, 0, 28].into_iter().chain(values).collect();
            with_sum16(&[&body[..], &[0x97, 0]].concat())
        }),
        tongue("sds011", 9_600, "preset = \"sds011\"\n", 2, |n| {
            let body = [n as u8, 4, 58, 10, 161, 96];
            [&[0xAA, 0xC0][..], &body, &[sum8(&body), 0xAB]].concat()
        }),
        tongue("nmea", 4_800, "format = \"nmea\"\n", 2, |n| {
            let said = format!("WIMWV,{n}.5,R,13.0,N,A");
            let xor = said.bytes().fold(0, |xor, byte| xor ^ byte);
            text(&format!("${said}*{xor:02X}\r\n"))
        }),
        tongue("vedirect", 19_200, "format = \"vedirect\"\n", 2, |n| {
            let mut block =
                text(&format!("\r\nPID\t0x203\r\nV\t12{n:03}\r\nI\t-{n}\r\nChecksum\t"));
            block.push(sum8(&block).wrapping_neg());
            block
        }),
        tongue("dsmr", 115_200, "format = \"dsmr\"\n", 2, |n| {
            let telegram = format!(
                "/ISk5\\2MT382-1000\r\n\r\n0-0:1.0.0(1701021920{n:02}W)\r\n\
                 1-0:1.8.1({n:06}.426*kWh)\r\n1-0:32.7.0(0230.0*V)\r\n!"
            );
            text(&format!("{telegram}{:04X}\r\n", Crc16::ARC.of(telegram.as_bytes())))
        }),
    ]
}

fn tongue(
    name: &'static str,
    baud: u32,
    toml: &'static str,
    readings: u64,
    message: impl FnMut(u32) -> Vec<u8>,
) -> Tongue {
    Tongue { name, baud, toml, messages: (0..MESSAGES).map(message).collect(), readings }
}

fn text(said: &str) -> Vec<u8> {
    said.as_bytes().to_vec()
}
