//! Blocks as Victron's devices print them.

use proptest::prelude::*;

use super::*;
use crate::wire::{
    Decoder,
    decode::{Format, Framing},
    harness::{Decoded, MISSING, assert_any_split, decode, everything, garbage},
};

/// Pieces, how many good frames are in them, and how many are refused for which reason.
type Case<'a> = (&'a [&'a [u8]], u64, &'a [(&'static str, u64)]);

fn format() -> Format {
    Format::Vedirect(VedirectOptions { naming: everything() })
}

fn decoded(bytes: &[u8]) -> Decoded {
    decode(&format(), Framing::Stream, [bytes])
}

/// The lines with what begins them, and the checksum.
fn block(lines: &[&str]) -> Vec<u8> {
    let mut block: Vec<u8> =
        lines.iter().flat_map(|line| ["\r\n", *line]).collect::<String>().into();
    block.extend_from_slice(LAST_LABEL);
    block.push(sum8(&block).wrapping_neg());
    block
}

const BLOCK: [&str; 4] = ["PID\t0x203", "V\t12065", "I\t-7625", "SOC\t839"];

/// A HEX message with what makes it one.
const MESSAGE: &[u8] = b":A4F10000100E8\n";

#[test]
fn labels_have_units_and_states_are_numbers() {
    let lines = [
        "PID\t0xA05F",
        "FW\t139",
        "SER#\tHQ18486U2B4",
        "V\t12810",
        "VS\t-5",
        "DM\t12",
        "IL\t200",
        "LOAD\tON",
        "Relay\tOFF",
        "Alarm\t?",
        "T\t---",
        "CE\t-65473",
        "TTG\t-1",
        "SOC\t839",
        "H9\t368003",
        "H17\t6843",
        "CS\t3",
        "OR\t0x00000101",
        "AC_OUT_V\t23010",
        "XYZ\t7",
        "XY Z\t8",
        "NAME\ttank",
        "no tab",
    ];
    let decoded = decoded(&block(&lines));
    assert_eq!(decoded.counts(), (1, vec![]));
    let unit = |at: usize| decoded.fields[at].1.as_deref();
    let readings = decoded.readings();
    let readings = readings.iter().enumerate().map(|(at, (name, value))| (*name, *value, unit(at)));
    assert_eq!(
        readings.collect::<Vec<_>>(),
        [
            ("V", 12.81, Some("V")),
            ("VS", -0.005, Some("V")),
            ("DM", 1.2, Some("%")),
            ("IL", 0.2, Some("A")),
            ("LOAD", 1.0, None),
            ("Relay", 0.0, None),
            ("Alarm", MISSING, None),
            ("T", MISSING, Some("Cel")),
            ("CE", -65.473, Some("A.h")),
            ("TTG", MISSING, Some("min")),
            ("SOC", 83.9, Some("%")),
            ("H9", 368_003.0, Some("s")),
            ("H17", 68.43, Some("kW.h")),
            ("CS", 3.0, None),
            ("OR", 257.0, None),
            ("AC_OUT_V", 230.1, Some("V")),
            ("XYZ", 7.0, None),
        ]
    );
}

#[test]
fn any_byte_can_be_the_checksum() {
    for number in 0..400 {
        let line = format!("H3\t{number}");
        let bytes = [block(&["PID\t0x203", &line]), block(&BLOCK)].concat();
        assert_eq!(decoded(&bytes).counts(), (2, vec![]), "{line}");
    }
}

#[test]
fn hex_messages_are_counted_and_no_part_of_a_sum() {
    let good = block(&BLOCK);
    let (head, tail) = good.split_at(18);
    for bytes in [
        [MESSAGE, &good, &good].concat(),
        [&good, MESSAGE, &good].concat(),
        [head, MESSAGE, tail, &good].concat(),
        [&good, head, MESSAGE, tail].concat(),
    ] {
        assert_eq!(decoded(&bytes).counts(), (2, vec![("hex", 1)]));
    }
}

#[test]
fn a_block_that_is_not_whole_has_a_reason() {
    let good = block(&BLOCK);
    let mut damaged = good.clone();
    damaged[16] ^= 1;
    let cases: &[Case<'_>] = &[
        // Joined in the middle of a line, as every device is.
        (&[&good[7..], &good], 1, &[("truncated", 1)]),
        // Joined between two lines: what follows is sound but for what is missing.
        (&[&good[11..], &good], 1, &[("checksum", 1)]),
        (&[&damaged, &good], 1, &[("checksum", 1)]),
        // The device has restarted in the middle of a block.
        (&[&good, &good[..20], &good], 2, &[("truncated", 1)]),
        (&[&good, b"xx\r", &good], 2, &[]),
        (&[b"\r\n", LAST_LABEL, &good], 1, &[("checksum", 1)]),
        (&[&good, &good[..30]], 1, &[("partial", 1)]),
        (&[&good, b":12G\n", &good, b":12"], 2, &[("partial", 1)]),
    ];
    for (pieces, good, refused) in cases {
        let bytes = pieces.concat();
        assert_eq!(decoded(&bytes).counts(), (*good, refused.to_vec()), "{bytes:?}");
    }
}

#[test]
fn what_has_no_end_is_passed_by() {
    let endless = b"\r\nV\t12065".repeat(1_000);
    let bytes = [&endless[..], &block(&BLOCK)].concat();
    let decoded = decoded(&bytes);
    assert_eq!(decoded.tally.frames_ok, 1);
    assert!(decoded.tally.refused_total() <= 1);
    let mut decoder = Decoder::new(&Format::Vedirect(VedirectOptions::default()), Framing::Stream);
    let (mut frames, mut tally) = (Frames::default(), WireTally::default());
    for byte in endless.chunks(7) {
        decoder.feed(byte, 0, &mut frames, &mut tally);
        assert!(decoder.buffered() < WAITING_MAX + 7);
    }
}

#[test]
fn a_datagram_holds_whole_blocks() {
    let good = block(&BLOCK);
    let both = [&good[..], &good].concat();
    let pieces: [&[u8]; 4] = [&both, &good[..9], b"", &good];
    let decoded = decode(&format(), Framing::Datagram, pieces);
    assert_eq!(decoded.counts(), (3, vec![("empty", 1), ("partial", 1)]));
}

/// Whether this and the CR that a block begins with end with a sound block. No decoder can tell
/// that from a block, which ends with just this checksum, and a damaged one: the bytes are the same.
fn is_sound_with_a_return(garbage: &[u8]) -> bool {
    let mut clean = Vec::new();
    let mut rest = garbage;
    while let [first, behind @ ..] = rest {
        let digits = behind.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let is_message = *first == b':' && 0 < digits && behind.get(digits) == Some(&b'\n');
        if !is_message {
            clean.push(*first);
        }
        rest = if is_message { &behind[digits + 1..] } else { behind };
    }
    clean.push(b'\r');
    let sum = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, &byte| sum.wrapping_add(byte));
    let mut ends = (0..clean.len()).map(|at| &clean[at..]);
    garbage.ends_with(LAST_LABEL) && ends.any(|end| end.starts_with(b"\r\n") && sum(end) == 0)
}

/// What garbage is made of, besides bytes at random. A HEX message is something else.
const MARKS: &[&[u8]] =
    &[b"\r\n", b"\t", LAST_LABEL, b"\r\nPID\t", b"\r\nV\t1", b":", b"\r", b":A5"];

proptest! {
    #[test]
    fn any_split_gives_the_same(
        pieces in prop::collection::vec(garbage(MARKS), 3),
        cuts in prop::collection::vec(0..60_usize, 0..30),
        inside in 0..48_usize,
    ) {
        let good = block(&BLOCK);
        let (head, tail) = good.split_at(inside);
        let bytes =
            [&pieces[0], &good[..], &pieces[1], head, MESSAGE, tail, &pieces[2]].concat();
        assert_any_split(&format(), &bytes, &cuts);
    }

    #[test]
    fn garbage_costs_only_the_garbage(pieces in prop::collection::vec(garbage(MARKS), 3)) {
        prop_assume!(pieces[..2].iter().all(|piece| !is_sound_with_a_return(piece)));
        let good = block(&BLOCK);
        let bytes = [&pieces[0], &good[..], &pieces[1], &good, &pieces[2]].concat();
        let found = decoded(&bytes);
        let whole = found.readings().iter().filter(|(_, value)| *value == 12.065).count();
        prop_assert!(2 <= whole, "{:?}", found.counts());
    }
}
