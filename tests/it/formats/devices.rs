//! What devices send of which there is no recording here, written from the documents of their
//! makers and of the standards.

use stillwell::wire::{
    FrameRefusal,
    decode::{Format, Framing},
    dsmr::DsmrOptions,
    nmea::NmeaOptions,
    vedirect::VedirectOptions,
};

use super::{any_name, fed};
use crate::support::{Crc16, sum8};

/// What it is, the bytes, how many frames are good and which are refused, and readings among
/// those that are there.
type Case<'a> = (&'a str, Vec<u8>, u64, &'a [(&'static str, u64)], &'a [(&'a str, f64)]);

fn check(format: &Format, cases: &[Case<'_>]) {
    for (what, bytes, good, refused, readings) in cases {
        let fed = fed(format, Framing::Stream, bytes);
        let found = FrameRefusal::ALL.map(|why| (why.name(), fed.tally.refused[why as usize]));
        let found: Vec<_> = found.into_iter().filter(|(_, count)| 0 < *count).collect();
        assert_eq!((fed.tally.frames_ok, found.as_slice()), (*good, *refused), "{what}");
        let values = fed.values();
        for (name, value) in *readings {
            let is_there = |(known, bits): &(String, u64)| {
                known == name && (f64::from_bits(*bits) - value).abs() < 1e-9
            };
            assert!(values.iter().any(is_there), "{what}: {name} {value}: {values:?}");
        }
    }
}

/// A sentence with its first byte, its checksum and its line end.
fn sentence(begin: char, text: &str, end: &str) -> Vec<u8> {
    let xor = text.bytes().fold(0, |xor, byte| xor ^ byte);
    format!("{begin}{text}*{xor:02X}{end}").into_bytes()
}

const AIS: &str = "AIVDM,1,1,,B,13aDp<PP000IwSlN?Wm@0?wN2<1T,0";
const DEPTH: &str = "SDDPT,5.3,0.4,";

fn nmea() -> Format {
    Format::Nmea(NmeaOptions { naming: any_name(), ..NmeaOptions::default() })
}

fn depth() -> Vec<u8> {
    sentence('$', DEPTH, "\r\n")
}

fn ais(end: &str) -> Vec<u8> {
    sentence('!', AIS, end)
}

#[test]
fn receivers_of_ais() {
    let parts = [
        &b"!AIVDM,2,1,9,B,55R3Vn82=ILTQ3KKS>1<D60Dq@E918U<F222221J1`?164vc03S1CCAD,0*2A\r\n"[..],
        b"!AIVDM,2,2,9,B,`88888888888880,2*76\r\n",
    ];
    let added = ais(",s30037,T56.67,r003669959,1120809599\r\n");
    let grouped = b"\\g:1-2-73874,n:157036,s:r003669945,c:1241544035*4A\\";
    let timed = b"\\c:1577836800*5A\\";
    check(
        &nmea(),
        &[
            ("alone", [ais("\r\n"), depth()].concat(), 2, &[], &[("DPT.depth", 5.3)]),
            ("in several parts, with all sorts of signs", parts.concat(), 2, &[], &[]),
            (
                "with what the receiving station adds behind the checksum",
                [added, ais("\r\n")].concat(),
                1,
                &[("malformed", 1)],
                &[],
            ),
            (
                "in tag blocks of NMEA 4.10",
                [grouped, &ais("\r\n")[..], timed, &depth()].concat(),
                2,
                &[],
                &[("DPT.depth", 5.3)],
            ),
        ],
    );
}

#[test]
fn what_stands_between_sentences() {
    let ends = ["\r", "\n", "\r\r\n", " \r\n", "\r\n\r\n"];
    let binary = |head: &[u8]| [head, b"\0$gp!a*\n#\xff$A\0\x01\x02", &[0x55; 90]].concat();
    let (ublox, sirf) = (binary(b"\xb5\x62\x01\x07\x5c\x00"), binary(b"\xa0\xa2\x00\x5b"));
    let logged = [
        (b"2020-04-08T21:39:50.123Z ".as_slice(), depth()),
        (b"[12:00:01.5] ", depth()),
        (b"1586381990,", ais("\r\n")),
    ];
    let logged: Vec<u8> =
        logged.iter().flat_map(|(before, said)| [before, said.as_slice()].concat()).collect();
    check(
        &nmea(),
        &[
            (
                "line ends of all kinds",
                ends.map(|end| sentence('$', DEPTH, end)).concat(),
                5,
                &[],
                &[("DPT.depth", 5.3)],
            ),
            (
                "zeros, as a line has where nobody drives it",
                [&[0; 64][..], &depth(), &[0; 3], &depth(), &[0; 9]].concat(),
                2,
                &[],
                &[],
            ),
            (
                "the binary messages of u-blox and of SiRF",
                [depth(), ublox, depth(), sirf, depth()].concat(),
                3,
                &[],
                &[],
            ),
            ("what loggers write before each line", logged, 3, &[], &[]),
        ],
    );
}

#[test]
fn receivers_of_satellites() {
    let own = [
        "PGRME,15.0,M,45.0,M,25.0,M",
        "PASHR,085335.000,224.19,T,-01.26,+00.83,+00.00,0.101",
        "PMTK010,001",
        "CCGPQ,GGA",
    ];
    let own = own.map(|text| sentence('$', text, "\r\n")).concat();
    let unchecked = b"$PGRMT,GPS 10x Software Version 2.10,,,,,,,,\r\n";
    let lost = ["GPRMC,,V,,,,,,,,,,N", "GPGGA,,,,,,0,00,99.99,,,,,,", "GPVTG,,,,,,,,,N"];
    let small = String::from_utf8(depth()).expect("text").to_lowercase().replace("sddpt", "SDDPT");
    check(
        &nmea(),
        &[
            (
                "sentences of a maker's own, and queries",
                [&own[..], unchecked].concat(),
                4,
                &[("unchecked", 1)],
                &[],
            ),
            (
                "one that knows nothing yet",
                lost.map(|text| sentence('$', text, "\r\n")).concat(),
                3,
                &[],
                &[("GGA.satellites", 0.0)],
            ),
            (
                "half a checksum, a checksum in small letters, and none",
                [b"$SDDPT,5.3,0.4,*7\r\n", small.as_bytes(), b"$SDDPT,5.3,0.4,\r\n"].concat(),
                1,
                &[("malformed", 1), ("unchecked", 1)],
                &[],
            ),
        ],
    );
}

/// Lines with what begins them, and the checksum.
fn block(lines: &str) -> Vec<u8> {
    let mut block: Vec<u8> = lines
        .split(' ')
        .flat_map(|line| ["\r\n", line])
        .collect::<String>()
        .replace('=', "\t")
        .into();
    block.extend_from_slice(b"\r\nChecksum\t");
    block.push(sum8(&block).wrapping_neg());
    block
}

/// The two blocks of a battery monitor.
fn monitor() -> (Vec<u8>, Vec<u8>) {
    let shunt = block(
        "PID=0xA381 V=13224 VM=6611 DM=-3 I=-2050 P=-27 CE=-4520 SOC=956 TTG=2304 Alarm=OFF \
         Relay=OFF AR=0 BMV=712 FW=0408 MON=0",
    );
    let history = block("H1=-61342 H2=-4520 H4=12 H9=1036800 H15=0 H16=6702 H17=1242 H18=1401");
    (shunt, history)
}

#[test]
fn inverters_chargers_and_battery_monitors() {
    let format = Format::Vedirect(VedirectOptions { naming: any_name() });
    let (shunt, history) = monitor();
    check(
        &format,
        &[
            (
                "a battery monitor with two blocks in turn",
                [&shunt[..], &history, &shunt, &history].concat(),
                4,
                &[],
                &[("V", 13.224), ("DM", -0.3), ("SOC", 95.6), ("H16", 6.702), ("H18", 14.01)],
            ),
            (
                "one that restarts within the first of its two, asked in HEX within the second",
                [&shunt[..40], &history[..40], b":A0102000543\n", &history[40..]].concat(),
                1,
                &[("truncated", 1), ("hex", 1)],
                &[("H9", 1_036_800.0)],
            ),
            (
                "one of the first kind, which has neither PID nor SER#",
                block(
                    "V=25632 VS=25609 I=-120 CE=-3402 SOC=988 TTG=-1 Alarm=OFF Relay=OFF AR=0 \
                       BMV=602S FW=212",
                ),
                1,
                &[],
                &[("VS", 25.609), ("SOC", 98.8)],
            ),
            (
                "an inverter",
                block(
                    "PID=0xA231 FW=0118 SER#=HQ1736HXYZ1 MODE=2 CS=9 AC_OUT_I=12 AC_OUT_V=23005 \
                       AC_OUT_S=276 V=12850 AR=0 WARN=0 OR=0x00000000",
                ),
                1,
                &[],
                &[("AC_OUT_V", 230.05), ("AC_OUT_I", 1.2), ("AC_OUT_S", 276.0), ("MODE", 2.0)],
            ),
            (
                "a charger with three outputs",
                block(
                    "PID=0xA332 FWE=0342FF SER#=HQ2134ABCDE V=13801 V2=0 V3=0 I=14900 I2=0 I3=0 \
                       T=--- ERR=0 CS=3 AR=0 MODE=4 HC#=00000064",
                ),
                1,
                &[],
                &[("V", 13.801), ("I", 14.9), ("V3", 0.0), ("CS", 3.0)],
            ),
            (
                "a solar charger of a later kind, with labels that nobody knows yet",
                block(
                    "PID=0xA05F FW=161 VPV=36410 PPV=112 CS=3 MPPT=2 OR=0x00000001 LOAD=ON IL=400 \
                       H19=24813 H20=87 H21=341 HSDS=120 PPV2=5 TXT=abc",
                ),
                1,
                &[],
                &[("VPV", 36.41), ("H19", 248.13), ("OR", 1.0), ("PPV2", 5.0), ("LOAD", 1.0)],
            ),
            (
                "a line on which somebody asks in HEX, and zeros",
                [b"\0\0:7F0ED0071\n:", &shunt[..], b":A0102000543\n:5DA1641\n", &history].concat(),
                2,
                &[("hex", 3)],
                &[],
            ),
        ],
    );
}

/// A telegram with its header, and its CRC where the meter has one.
fn telegram(header: &str, lines: &str, has_crc: bool) -> Vec<u8> {
    let lines: String = lines.split_whitespace().flat_map(|line| [line, "\r\n"]).collect();
    let telegram = format!("/{header}\r\n\r\n{lines}!");
    let crc = Crc16::ARC.of(telegram.as_bytes());
    let crc = if has_crc { format!("{crc:04X}") } else { String::new() };
    format!("{telegram}{crc}\r\n").into_bytes()
}

fn dsmr() -> Format {
    Format::Dsmr(DsmrOptions { naming: any_name(), ..DsmrOptions::default() })
}

#[test]
fn meters_of_several_countries() {
    check(
        &dsmr(),
        &[
            (
                "DSMR 3: no CRC, a limit in amperes, and gas on two lines",
                telegram(
                    r"ISk5\2MT382-1000",
                    "0-0:96.1.1(4B384547303034303436333935353037) 1-0:1.8.1(12345.678*kWh) \
                     0-0:96.14.0(0002) 1-0:1.7.0(001.19*kW) 0-0:17.0.0(016*A) 0-0:96.3.10(1) \
                     0-0:96.13.1(303132333435363738) 0-1:96.1.0(3232323241424344313233343536373839) \
                     0-1:24.1.0(03) 0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(m3) \
                     (00001.001) 0-1:24.4.0(1)",
                    false,
                ),
                1,
                &[],
                &[("current_limit", 16.0), ("mbus1.gas", 1.001), ("mbus1.valve", 1.0)],
            ),
            (
                "Austria: whole watt hours, and reactive energy",
                telegram(
                    r"EST5\253710000_A",
                    "1-3:0.2.8(50) 0-0:1.0.0(221006155014S) 1-0:1.8.0(006545766*Wh) \
                     1-0:1.7.0(000000286*W) 1-0:3.8.0(000000747*varh) 1-0:4.8.1(002692848*varh) \
                     1-0:4.7.0(000000166*var)",
                    true,
                ),
                1,
                &[],
                &[("energy_import", 6_545_766.0), ("reactive_import", 747.0), ("1-0:4.7.0", 166.0)],
            ),
            (
                "Luxembourg and Sweden: kvar and kvarh, in letters of either size",
                [
                    telegram(
                        r"Lux5\253663629_D",
                        "1-3:0.2.8(42) 0-0:1.0.0(210214124813W) 1-0:1.8.0(001288.305*kWh) \
                         1-0:3.8.0(000005.215*kvarh) 1-0:3.7.0(00.112*kvar) 0-0:96.50.68(1) \
                         1-1:31.4.0(200*A)(-200*A)",
                        true,
                    ),
                    telegram(
                        r"ELL5\253833635_A",
                        "0-0:1.0.0(210217184019W) 1-0:1.8.0(00006678.394*kWh) \
                         1-0:4.8.0(00001020.971*kVArh) 1-0:23.7.0(0000.000*kVAr)",
                        true,
                    ),
                ]
                .concat(),
                2,
                &[],
                &[("reactive_import", 5.215), ("reactive_export", 1_020.971), ("1-0:23.7.0", 0.0)],
            ),
            (
                "Hungary: power factors, phases, and the values of the last month as a list",
                telegram(
                    "SAG5SAG-METER",
                    "0-0:1.0.0(230724150730S) 0-0:96.14.0(0001) 0-0:96.50.68(ON) 0-0:17.0.0(90.000*kW) \
                     1-0:15.8.0(000174.130*kWh) 1-0:32.7.0(233.4*V) 1-0:13.7.0(0.989) 1-0:33.7.0(0.000) \
                     1-0:14.7.0(50.01*Hz) 1-0:31.4.0(200.00*A) \
                     0-0:98.1.0(230701000000S)(000040.777*kWh)(000008.218*kWh)(000004.1*kvarh)",
                    true,
                ),
                1,
                &[],
                &[("power_limit", 90.0), ("power_factor", 0.989), ("frequency", 50.01)],
            ),
        ],
    );
}

#[test]
fn what_meters_leave_out_and_gateways_add() {
    check(
        &dsmr(),
        &[
            (
                "Belgium: peaks, and gas whose volume is converted to that of other conditions",
                telegram(
                    r"FLU5\253769484_A",
                    "0-0:96.1.4(50217) 0-0:1.0.0(200512145552S) 1-0:1.4.0(02.351*kW) \
                     1-0:1.6.0(200509134558S)(02.589*kW) \
                     0-0:98.1.0(3)(1-0:1.6.0)(1-0:1.6.0)(200501000000S)(200423192538S)(03.695*kW) \
                     0-1:24.1.0(003) 0-1:96.1.1(37464C4F32313139303333373333) \
                     0-1:24.2.3(200512134558S)(00112.384*m3) 0-2:24.1.0(007) \
                     0-2:24.2.1(200512134558S)(00872.234*m3) 0-0:17.0.0(999.9*kW) 1-0:31.4.0(999*A)",
                    true,
                ),
                1,
                &[],
                &[("demand", 2.351), ("demand_peak", 2.589), ("mbus1.gas", 112.384), ("mbus2.water", 872.234)],
            ),
            (
                "values and devices that are not there",
                telegram(
                    r"ISk5\2MT382-1000",
                    "0-0:1.0.0() 1-0:32.7.0() 1-0:52.7.0(*V) 0-1:24.2.1() 0-1:24.2.1()() \
                     0-2:24.2.1(632525252525S)(00000000) 1-0:99.97.0() 1-0:72.7.0(0229.0*V)",
                    true,
                ),
                1,
                &[],
                &[("voltage_l3", 229.0)],
            ),
            (
                "what a gateway puts around telegrams",
                [
                    b"\xff\xff  25803103\r\n".as_slice(),
                    &telegram(
                        "ESY5Q3DB1024 V3.04",
                        "1-0:0.0.0*255(0272031312565) 1-0:1.8.0*255(00052185.7825309*kWh) \
                         1-0:21.7.0*255(000747.85*W) 1-0:96.5.5*255(80) 0-0:96.1.255*255(1ESY1313002565)",
                        false,
                    ),
                    b"  25803103\r\n\xff\xff\xff\xff\r\n",
                ]
                .concat(),
                1,
                &[],
                &[("energy_import", 52_185.782_530_9), ("power_import_l1", 747.85)],
            ),
        ],
    );
}
