//! Telegrams as meters send them.

use proptest::prelude::*;

use super::*;
use crate::wire::{
    decode::{Format, Framing},
    harness::{Decoded, assert_any_split, decode, everything, garbage},
};

/// Pieces, how many good frames are in them, and how many are refused for which reason.
type Case<'a> = (&'a [&'a [u8]], u64, &'a [(&'static str, u64)]);

fn format() -> Format {
    Format::Dsmr(DsmrOptions { naming: everything(), ..DsmrOptions::default() })
}

fn decoded(bytes: &[u8]) -> Decoded {
    decode(&format(), Framing::Stream, [bytes])
}

/// The lines as a telegram, without a CRC.
fn bare(lines: &[&str]) -> Vec<u8> {
    let lines: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
    format!("/ISk5\\2MT382-1000\r\n\r\n{lines}!").into_bytes()
}

/// The lines as a telegram.
fn telegram(lines: &[&str]) -> Vec<u8> {
    let mut bytes = bare(lines);
    let crc = Crc::new(CrcRule::ARC).of(&bytes);
    bytes.extend_from_slice(format!("{crc:04X}\r\n").as_bytes());
    bytes
}

const LINES: [&str; 3] =
    ["0-0:1.0.0(170102192002W)", "1-0:1.8.1(000004.426*kWh)", "1-0:32.7.0(0230.0*V)"];

/// 2017-01-02 18:20:02 UTC.
const MADE_NS: i64 = 1_483_381_202_000_000_000;

#[test]
fn codes_have_names_and_units_and_what_is_no_reading_has_none() {
    let lines = [
        "1-3:0.2.8(50)",
        "0-0:1.0.0(170102192002W)",
        "0-0:96.1.1(4B384547)",
        "1-0:0.0.0*255(1336)",
        "1-0:1.8.1(000004.426*kWh)",
        "1-0:2.8.0*255(00032549.5061662*kWh)",
        "0-0:96.14.0(0002)",
        "1-0:1.7.0(00.244*kW)",
        "0-0:96.7.21(00013)",
        "1-0:52.32.0(00003)",
        "0-0:96.13.0()",
        "1-0:99.97.0(1)(0-0:96.7.19)(190326095015W)(0000002014*s)",
        "1-0:72.7.0(0229.0*V)",
        "0-0:17.0.0(999.9*kW)",
        "1-0:31.4.0(999*A)",
        "1-0:3.7.0(00.1*kvar)",
        "1-0:99.1.0(7*Hz)",
        "1-1:1.8.1(1*kWh)",
        "0-0:96.3.10(1)",
        "1-0:1.6.0(200509134558S)(02.589*kW)",
        "noise",
        "0-1:24.1.0(003)",
        "0-1:96.1.0(3232)",
        "0-1:24.2.1(170102161005W)(00000.107*m3)",
        "0-2:24.1.0(007)",
        "0-2:24.2.1(700101010000W)(00000000)",
        "0-2:24.2.1()()",
        "0-1:24.4.0(1)",
        "0-3:24.1.0(004)",
        "0-3:24.2.1(170102191000W)(240.860*GJ)",
        "1-0:51.7.0(*A)",
    ];
    let decoded = decoded(&telegram(&lines));
    assert_eq!(decoded.counts(), (1, vec![]));
    let reading = |sample: &crate::wire::Sample| {
        let (name, unit) = &decoded.fields[sample.field as usize];
        (name.as_str(), unit.as_deref(), sample.value, (sample.at_ns - MADE_NS) / 1_000_000_000)
    };
    let peak_s = 105_643_556;
    assert_eq!(
        decoded.frames.samples.iter().map(reading).collect::<Vec<_>>(),
        [
            ("energy_import_t1", Some("kW.h"), 4.426, 0),
            ("energy_export", Some("kW.h"), 32549.5061662, 0),
            ("tariff", None, 2.0, 0),
            ("power_import", Some("kW"), 0.244, 0),
            ("failures", None, 13.0, 0),
            ("sags_l2", None, 3.0, 0),
            ("voltage_l3", Some("V"), 229.0, 0),
            ("power_limit", Some("kW"), 999.9, 0),
            ("current_limit", Some("A"), 999.0, 0),
            ("1-0:3.7.0", Some("kV.A{reactive}"), 0.1, 0),
            ("1-0:99.1.0", Some("Hz"), 7.0, 0),
            ("1-1:1.8.1", Some("kW.h"), 1.0, 0),
            ("breaker", None, 1.0, 0),
            ("demand_peak", Some("kW"), 2.589, peak_s),
            ("mbus1.gas", Some("m3"), 0.107, -11_397),
            ("mbus1.valve", None, 1.0, 0),
            ("mbus3.heat", Some("GJ"), 240.86, -602),
            ("current_l2", Some("A"), crate::wire::harness::MISSING, 0),
        ]
    );
    assert_eq!(decoded.frames.heads[0].clock, DeviceClock::Utc);
}

#[test]
fn a_meter_of_the_first_kind_has_neither_time_nor_crc() {
    let lines =
        ["0-1:24.1.0(3)", "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)", "(00001.001)"];
    let decoded = decoded(&[&bare(&lines)[..], b"\r\n"].concat());
    assert_eq!(decoded.readings(), [("mbus1.gas", 1.001)]);
    assert_eq!(decoded.fields[0].1.as_deref(), Some("m3"));
    assert_eq!(decoded.frames.heads[0].clock, DeviceClock::None);
}

#[test]
fn what_is_repeated_with_its_time_is_one_reading() {
    let gas = |time: &str| {
        let gas = format!("0-1:24.2.1({time}W)(00000.107*m3)");
        telegram(&["0-0:1.0.0(170102192002W)", "0-1:24.1.0(003)", &gas])
    };
    let first = gas("170102161005");
    let bytes = [&first[..], &first, &gas("170102171005"), &first].concat();
    let decoded = decoded(&bytes);
    assert_eq!(decoded.counts(), (4, vec![]));
    assert_eq!(decoded.readings().len(), 3);
}

#[test]
fn summer_and_winter_are_two_hours_and_one_ahead() {
    let at = |text: &str| telegram::time_ns(text.as_bytes());
    assert_eq!(at("170102192002W"), Some(MADE_NS));
    assert_eq!(at("170102202002S"), Some(MADE_NS));
    // The hour that comes twice in autumn.
    assert_eq!(
        at("231029023000S").zip(at("231029023000W")).map(|(s, w)| w - s),
        Some(3_600_000_000_000)
    );
    for text in ["170102192002", "170102192002X", "171302192002W", "17010219200W", "1701021920x2W"]
    {
        assert_eq!(at(text), None, "{text}");
    }
}

#[test]
fn a_telegram_that_is_not_whole_has_a_reason() {
    let good = telegram(&LINES);
    let bare = [&bare(&LINES)[..], b"\r\n"].concat();
    let mut damaged = good.clone();
    damaged[40] ^= 1;
    let unpadded = [&good[..good.len() - 6], &good[good.len() - 6..]].concat();
    let cases: &[Case<'_>] = &[
        (&[&damaged, &good], 1, &[("checksum", 1)]),
        (&[&good[9..], &good], 1, &[]),
        (&[&good[..60], &good], 1, &[("truncated", 1)]),
        (&[&good, &good[..60]], 1, &[("partial", 1)]),
        (&[&bare, &good, &unpadded], 3, &[]),
        // A meter that has shown a CRC has lost it.
        (&[&good, &bare, &good], 2, &[("unchecked", 1)]),
        (&[&bare[..bare.len() - 2], b"12345\r\n", &good], 1, &[("malformed", 1)]),
        (&[&bare[..bare.len() - 2], b" rest\r\n"], 0, &[("malformed", 1)]),
        (
            &[&good[..30], &b"1-0:1.8.1(000004.426*kWh)\r\n".repeat(400), &good],
            1,
            &[("oversize", 1)],
        ),
        (&[b"a/b\r\n/\r\n/ABC\r\n", &good], 1, &[]),
        (&[&good[..good.len() - 2]], 1, &[]),
    ];
    for (pieces, good, refused) in cases {
        let bytes = pieces.concat();
        let counts = decoded(&bytes).counts();
        assert_eq!(counts, (*good, refused.to_vec()), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn a_crc_needs_no_leading_zeros() {
    let crc = Crc::new(CrcRule::ARC);
    let number = (0..10_000).find(|number| {
        let line = format!("1-0:1.8.1({number:06}.000*kWh)");
        crc.of(&bare(&[&line])) < 0x100
    });
    let line = format!("1-0:1.8.1({:06}.000*kWh)", number.expect("one in 256 is"));
    let bytes = bare(&[&line]);
    let crc = crc.of(&bytes);
    let bytes = [&bytes[..], format!("{crc:X}\r\n").as_bytes()].concat();
    assert_eq!(decoded(&bytes).counts(), (1, vec![]));
    let options = DsmrOptions { naming: everything(), checksum: Presence::Required };
    let decoded = decode(&Format::Dsmr(options), Framing::Stream, [&bytes[..], &bare(&LINES)]);
    assert_eq!(decoded.counts(), (1, vec![("unchecked", 1)]));
}

#[test]
fn a_datagram_holds_whole_telegrams() {
    let good = telegram(&LINES);
    let both = [&good[..], &good].concat();
    let pieces: [&[u8]; 4] = [&both, &good[..40], b"", &good];
    let decoded = decode(&format(), Framing::Datagram, pieces);
    assert_eq!(decoded.counts(), (3, vec![("empty", 1), ("partial", 1)]));
}

/// What garbage is made of, besides bytes at random.
const MARKS: &[&[u8]] =
    &[b"/", b"!", b"\r\n", b"/ISk5", b"\r\n!", b"(", b"1-0:1.8.1(", b"/ABCD\r\n\r\n"];

proptest! {
    #[test]
    fn any_split_gives_the_same(
        pieces in prop::collection::vec(garbage(MARKS), 3),
        cuts in prop::collection::vec(0..60_usize, 0..30),
    ) {
        let good = telegram(&LINES);
        let bytes = [&pieces[0], &good[..], &pieces[1], &good, &pieces[2]].concat();
        assert_any_split(&format(), &bytes, &cuts);
    }

    #[test]
    fn garbage_costs_only_the_garbage(pieces in prop::collection::vec(garbage(MARKS), 3)) {
        let good = telegram(&LINES);
        let bytes = [&pieces[0], &good[..], &pieces[1], &good, &pieces[2]].concat();
        let found = decoded(&bytes);
        let whole = found.readings().iter().filter(|(_, value)| *value == 4.426).count();
        prop_assert_eq!(whole, 2, "{:?}", found.counts());
    }
}
