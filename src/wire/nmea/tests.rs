//! Sentences as devices send them, and what is read from them.

mod kinds;

use proptest::prelude::*;

use super::*;
use crate::wire::{
    Decoder, DeviceClock,
    decode::{Format, Framing},
    harness::{Decoded, MISSING, assert_any_split, decode, everything, garbage},
};

fn format() -> Format {
    Format::Nmea(NmeaOptions { naming: everything(), ..NmeaOptions::default() })
}

fn decoded(bytes: &[u8]) -> Decoded {
    decode(&format(), Framing::Stream, [bytes])
}

/// The text with its first byte, checksum and line end.
fn sentence(text: &str) -> String {
    let xor = text.bytes().fold(0, |xor, byte| xor ^ byte);
    format!("${text}*{xor:02X}\r\n")
}

/// Bytes, how many good frames are in them, and how many are refused for which reason.
type Case<'a> = (&'a str, u64, &'a [(&'static str, u64)]);

#[test]
fn each_kind_of_sentence_and_its_readings() {
    for (text, expected) in kinds::KINDS {
        let decoded = decoded(sentence(text).as_bytes());
        assert_eq!(decoded.readings(), *expected, "{text}");
        assert_eq!(decoded.counts(), (1, vec![]), "{text}");
    }
}

#[test]
fn names_have_units() {
    let bytes = ["WIMWV,57.5,R,13.0,N,A", "IIXDR,P,1.02,B,BARO,G,7,,tank"].map(sentence).concat();
    let expected = [
        ("MWV.angle_relative", Some("deg")),
        ("MWV.speed_relative", Some("m/s")),
        ("XDR.BARO", Some("Pa")),
        ("XDR.tank", None),
    ];
    let decoded = decoded(bytes.as_bytes());
    let fields = decoded.fields.iter().map(|(name, unit)| (name.as_str(), unit.as_deref()));
    assert_eq!(fields.collect::<Vec<_>>(), expected);
}

#[test]
fn who_talks_may_be_part_of_a_name() {
    let options =
        NmeaOptions { naming: everything(), talkers: Talkers::Apart, ..NmeaOptions::default() };
    let bytes = ["SDDPT,5.3,0.4,", "IIDPT,5.1,0.0,", "IIXDR,A,1.0,D,HEEL"].map(sentence).concat();
    let decoded = decode(&Format::Nmea(options), Framing::Stream, [bytes.as_bytes()]);
    assert_eq!(
        decoded.readings(),
        [
            ("SDDPT.depth", 5.3),
            ("SDDPT.offset", 0.4),
            ("IIDPT.depth", 5.1),
            ("IIDPT.offset", 0.0),
            ("IIXDR.HEEL", 1.0),
        ]
    );
}

#[test]
fn what_is_no_sound_sentence_has_a_reason() {
    let cases: &[Case<'_>] = &[
        // The checksum does not fit; in lower case it would.
        ("$INDPT,2.2,0.0*48\r\n", 0, &[("checksum", 1)]),
        ("$GPGGA,,*5a\r\n$HCHDG,1,,,,*5d\r\n", 1, &[("checksum", 1)]),
        ("$PLCS,REV,PLN012054S07,070312,145743\r\n", 0, &[("unchecked", 1)]),
        ("$GP\n", 0, &[("unchecked", 1)]),
        ("$GPVTG,,T,,M,2C\r\n", 0, &[("unchecked", 1)]),
        ("$GPGSA,A,1,,,,,,,,,,,,,,,*1E*43\r\n", 0, &[("malformed", 1)]),
        ("$GPRMC,000346.03,A,4808\0\0\0  \r\n", 0, &[("not_text", 1)]),
        // A new sentence begins in the middle of one.
        ("$GPGGA,030130$INDPT,2.2,0.0*47\r\n", 1, &[("checksum", 1)]),
        ("!AIVDM,1,1,,B,14eG;o@03!AIVDO,2*5A\r\n", 0, &[("checksum", 2)]),
        // A doubled start is no sentence.
        ("$$INDPT,2.2,0.0*47\r\n", 1, &[]),
        ("\u{fffd}$INDPT,2.2,0.0*47 \r\n", 1, &[]),
        // Binary data contains what begins a sentence and is none.
        ("\u{1}$\u{2}!\u{3}\n$tI\u{fffd}\n!A\n$INDPT,2.2,0.0*47\r\n", 1, &[]),
        // A remark, as recordings begin with, even where it quotes a sentence.
        ("# $INDPT,2.2,0.0*47\n#\tµ\r\n", 0, &[]),
        ("#\u{1}$INDPT,2.2,0.0*47\n", 1, &[]),
        (" # $INDPT,2.2,0.0*47\n", 1, &[]),
        // The input ends.
        ("$INDPT,2.2,0.0*47", 1, &[]),
        ("$INDPT,2.2,", 0, &[("unchecked", 1)]),
    ];
    for (text, good, refused) in cases {
        let decoded = decoded(text.as_bytes());
        assert_eq!(decoded.counts(), (*good, refused.to_vec()), "{text:?}");
    }
}

#[test]
fn length_alone_refuses_nothing_below_the_cap() {
    let text = |length: usize| sentence(&format!("PTEST,{}", "x".repeat(length)));
    let longest = crate::limits::SENTENCE_BYTES_MAX - "$PTEST,*00\r".len();
    assert_eq!(decoded(text(longest).as_bytes()).counts(), (1, vec![]));
    assert_eq!(decoded(text(longest + 1).as_bytes()).counts(), (0, vec![("oversize", 1)]));
}

#[test]
fn checksums_may_be_left_out_where_the_source_says_so() {
    let naming = everything();
    let checksum = Presence::Optional;
    let options = NmeaOptions { naming, checksum, ..NmeaOptions::default() };
    let bytes = b"$INMTW,17.9,C\r\n$INMTW,18.0,C*00\r\n$INMTW\r\n";
    let decoded = decode(&Format::Nmea(options), Framing::Stream, [&bytes[..]]);
    assert_eq!(decoded.counts(), (2, vec![("checksum", 1)]));
    assert_eq!(decoded.readings(), [("MTW.temperature", 17.9), ("MTW.temperature", MISSING)]);
}

#[test]
fn readings_have_the_time_that_was_said_last() {
    const DAY: i64 = 86_400_000_000_000;
    let at = |text: &str| -> i64 {
        let time: jiff::Timestamp = text.parse().expect("a time");
        i64::try_from(time.as_nanosecond()).expect("it fits")
    };
    let cases: &[(&[&str], Option<i64>)] = &[
        (&["INMTW,17.9,C"], None),
        (&["INGGA,235959.50,4426.1,N,07140.5,W,2,10,0.9,267.9,M,,,,", "INMTW,1,C"], None),
        (
            &["INRMC,194101,A,4426.1,N,07140.5,W,5.2,77.3,160906,15.8,W", "INMTW,1,C"],
            Some(at("2006-09-16T19:41:01Z")),
        ),
        (&["INRMC,194101,V,4426.1,N,07140.5,W,5.2,77.3,160906,15.8,W", "INMTW,1,C"], None),
        (
            &["INZDA,235959.999,31,12,1999,-05,00", "INMTW,1,C"],
            Some(at("1999-12-31T23:59:59.999Z")),
        ),
        // A day begins before its date is said.
        (
            &["INZDA,235959,31,12,1999,00,00", "INGLL,1.0,N,1.0,W,000001,A", "INMTW,1,C"],
            Some(at("2000-01-01T00:00:01Z")),
        ),
        (
            &["INZDA,000001,01,01,2000,00,00", "INGLL,1.0,N,1.0,W,235959,A", "INMTW,1,C"],
            Some(at("2000-01-01T00:00:00Z") - 1_000_000_000),
        ),
        (
            &["INZDA,000001,01,01,2000,00,00", "INGLL,1.0,N,1.0,W,235959,V", "INMTW,1,C"],
            Some(at("2000-01-01T00:00:01Z")),
        ),
        (&["INZDA,000001,01,13,2000,00,00", "INMTW,1,C"], None),
        (
            &["INZDA,000001.5,29,02,2096,00,00", "INMTW,1,C"],
            Some(at("2096-02-28T00:00:01.5Z") + DAY),
        ),
        (
            &["INRMC,235960,A,4426.1,N,07140.5,W,5.2,77.3,311281,15.8,W", "INMTW,1,C"],
            Some(at("1981-12-31T23:59:59Z")),
        ),
    ];
    for (sentences, expected) in cases {
        let bytes: String = sentences.iter().map(|text| sentence(text)).collect();
        let frames = decoded(bytes.as_bytes()).frames;
        let (head, sample) = (frames.heads.last().unwrap(), frames.samples.last().unwrap());
        let time = (head.clock == DeviceClock::Utc).then_some(sample.at_ns);
        assert_eq!(time, *expected, "{sentences:?}");
    }
}

#[test]
fn a_lost_line_forgets_the_time_and_what_had_begun() {
    let mut decoder = Decoder::new(&format(), Framing::Stream);
    let (mut frames, mut tally) = (Frames::default(), WireTally::default());
    let timed = sentence("INZDA,235959,31,12,1999,00,00");
    decoder.feed(timed.as_bytes(), 1, &mut frames, &mut tally);
    decoder.feed(b"$INMTW,1", 2, &mut frames, &mut tally);
    assert_eq!(decoder.buffered(), 8);
    decoder.reset(&mut tally);
    assert_eq!((decoder.buffered(), tally.refused[FrameRefusal::Partial as usize]), (0, 1));
    decoder.feed(sentence("INMTW,1,C").as_bytes(), 3, &mut frames, &mut tally);
    assert_eq!(
        frames.heads.last().map(|head| (head.clock, head.arrived_ns)),
        Some((DeviceClock::None, 3))
    );
}

#[test]
fn a_datagram_is_one_sentence_or_several_and_needs_no_line_end() {
    let both = ["INMTW,1,C", "INMTW,2,C"].map(sentence).concat();
    let pieces: [&[u8]; 4] = [both.as_bytes(), both.trim_end().as_bytes(), b"", b"$INMTW,3"];
    let decoded = decode(&format(), Framing::Datagram, pieces);
    assert_eq!(decoded.counts(), (4, vec![("empty", 1), ("unchecked", 1)]));
}

/// What garbage is made of, besides bytes at random. A remark may hide what follows it on its
/// line, as it should, and is none here.
const MARKS: &[&[u8]] = &[b"$", b"!", b"$GP", b"*", b"\r\n", b",", b"$GPGGA,1,", b"*00\r\n", b"A"];

proptest! {
    #[test]
    fn any_split_gives_the_same(
        pieces in prop::collection::vec(garbage(MARKS), 3),
        cuts in prop::collection::vec(0..60_usize, 0..30),
    ) {
        let good = ["WIMWV,57.5,R,13.0,N,A", "SDDPT,5.3,0.4,"].map(sentence);
        let bytes = [
            &pieces[0], good[0].as_bytes(), b"\n# said\n", &pieces[1], good[1].as_bytes(), &pieces[2],
        ].concat();
        assert_any_split(&format(), &bytes, &cuts);
    }

    #[test]
    fn garbage_costs_only_the_garbage(pieces in prop::collection::vec(garbage(MARKS), 3)) {
        let plain = |bytes: &[u8]| bytes.iter().map(|b| if *b == b'#' { 0 } else { *b }).collect();
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| plain(piece)).collect();
        let good = ["SDDPT,4.426,", "IIDPT,4.426,"].map(sentence);
        let bytes = [
            &pieces[0], good[0].as_bytes(), &pieces[1], good[1].as_bytes(), &pieces[2],
        ].concat();
        let found = decoded(&bytes);
        let whole = found.readings().iter().filter(|(_, value)| *value == 4.426).count();
        prop_assert_eq!(whole, 2, "{:?}", found.counts());
    }
}
