//! The decoder against the shapes it knows, damage, cuts and its own ledger.

use proptest::prelude::*;

use super::*;
use crate::wire::{
    DeviceClock, FIELD_OVERFLOW, FIELD_UNKNOWN, WireTally,
    decode::{Decoder, Format, Framing},
};

/// What lines with values gave: names and values, a missing one as `None`.
type Values = Vec<(String, Option<f64>)>;

struct Fed {
    out: Frames,
    tally: WireTally,
    decoder: Decoder,
}

impl Fed {
    fn refused(&self, why: FrameRefusal) -> u64 {
        self.tally.refused[why as usize]
    }

    fn values(&self) -> Values {
        let name = |field| match field {
            FIELD_UNKNOWN => "?unknown".to_owned(),
            FIELD_OVERFLOW => "?overflow".to_owned(),
            field => self.decoder.fields().name(field).expect("a learned name").to_string(),
        };
        let value = |value: f64| Some(value).filter(|value| !value.is_nan());
        self.out.samples.iter().map(|sample| (name(sample.field), value(sample.value))).collect()
    }
}

fn options(known: &[&str], discover: usize, timestamp: Option<&str>) -> TextOptions {
    TextOptions {
        naming: Naming { known: known.iter().map(|&name| name.into()).collect(), discover },
        timestamp: timestamp.map(Into::into),
    }
}

fn anything() -> TextOptions {
    options(&[], 100, None)
}

/// Feeds the pieces one after the other; the ledger is checked after each.
fn fed(options: &TextOptions, framing: Framing, pieces: &[&[u8]]) -> Fed {
    let decoder = Decoder::new(&Format::Text(options.clone()), framing);
    let mut fed = Fed { out: Frames::default(), tally: WireTally::default(), decoder };
    for (index, piece) in pieces.iter().enumerate() {
        fed.decoder.feed(piece, index as i64, &mut fed.out, &mut fed.tally);
        assert_balanced(&fed);
    }
    fed
}

fn assert_balanced(fed: &Fed) {
    let tally = &fed.tally;
    let placed = tally.bytes_in_frames + tally.bytes_skipped + fed.decoder.buffered() as u64;
    assert_eq!(tally.bytes_in, placed, "{tally:?}");
    assert_eq!(tally.frames_in, tally.frames_ok + tally.refused_total(), "{tally:?}");
    assert_eq!(fed.out.heads.len() as u64, tally.frames_ok);
    let carried: u64 = fed.out.heads.iter().map(|head| u64::from(head.samples)).sum();
    assert_eq!((carried, fed.out.samples.len() as u64), (tally.readings, tally.readings));
}

fn lines(text: &str) -> Fed {
    fed(&anything(), Framing::Stream, &[text.as_bytes()])
}

#[test]
fn every_shape_of_line() {
    let cases: &[(&str, &[(&str, f64)])] = &[
        ("t:21.53,h:45.2\r\n", &[("t", 21.53), ("h", 45.2)]),
        ("t:21.53\th:45.2\n", &[("t", 21.53), ("h", 45.2)]),
        ("t:21.53 h:45.2\n", &[("t", 21.53), ("h", 45.2)]),
        ("t: 21.53 h: 45.2\n", &[("t", 21.53), ("h", 45.2)]),
        ("t = 21.53\n", &[("t", 21.53)]),
        ("room temp: 21.53, hum : 45.2\n", &[("room temp", 21.53), ("hum", 45.2)]),
        ("t=21.53;h=45.2\n", &[("t", 21.53), ("h", 45.2)]),
        ("t=21.53;h=45.2;\n", &[("t", 21.53), ("h", 45.2)]),
        ("t=-1e-3 on=TRUE off:false\n", &[("t", -0.001), ("on", 1.0), ("off", 0.0)]),
        ("1700000000,t=21.53\n", &[]),
        (
            "98 3.8 1.6 5.2 80.3\r\n",
            &[("1", 98.0), ("2", 3.8), ("3", 1.6), ("4", 5.2), ("5", 80.3)],
        ),
        ("  1\t 2\t\n", &[("1", 1.0), ("2", 2.0)]),
        ("1;2\n", &[("1", 1.0), ("2", 2.0)]),
        ("7\n", &[("1", 7.0)]),
        ("a,b\n1,2\n3,4\n", &[("a", 1.0), ("b", 2.0), ("a", 3.0), ("b", 4.0)]),
        ("t:\th:\n1\t2\n", &[("t", 1.0), ("h", 2.0)]),
        ("temp hum\n1 2\n", &[("temp", 1.0), ("hum", 2.0)]),
        ("\"a\",\"b c\"\n1,\"2\"\n", &[("a", 1.0), ("b c", 2.0)]),
        (",b\n1,2\n", &[("1", 1.0), ("b", 2.0)]),
        ("a,b\n1,2,3\n", &[("1", 1.0), ("2", 2.0), ("3", 3.0)]),
        ("a,b,c\n1,2\n", &[("1", 1.0), ("2", 2.0)]),
        ("a,b,\n1,2\n", &[("a", 1.0), ("b", 2.0)]),
        ("a,b\n1,2,\n", &[("a", 1.0), ("b", 2.0)]),
        ("a,b,\n1,2,3\n", &[("a", 1.0), ("b", 2.0), ("3", 3.0)]),
        ("a,b\nhello world\n1,2\n", &[("a", 1.0), ("b", 2.0)]),
        ("\u{feff}a,b\n1,2\n", &[("a", 1.0), ("b", 2.0)]),
        ("2024-01-01,14:15:00,5.5\n", &[("3", 5.5)]),
        ("12:30:05 5.5\n", &[("2", 5.5)]),
        ("id,state,v\n7,running,5.5\n", &[("id", 7.0), ("v", 5.5)]),
    ];
    for (text, expected) in cases {
        let expected: Values =
            expected.iter().map(|&(name, value)| (name.to_owned(), Some(value))).collect();
        assert_eq!(lines(text).values(), expected, "{text:?}");
    }
}

#[test]
fn an_empty_field_is_missing_and_never_zero() {
    for (text, expected) in [
        ("1,,3\n", vec![("1", Some(1.0)), ("2", None), ("3", Some(3.0))]),
        (",1\n", vec![("1", None), ("2", Some(1.0))]),
        ("1,,\n", vec![("1", Some(1.0)), ("2", None)]),
        ("a,b\n1,\n", vec![("a", Some(1.0)), ("b", None)]),
        ("a,b\n1,,\n", vec![("a", Some(1.0)), ("b", None)]),
        ("a,b,c\n1,2,\n", vec![("a", Some(1.0)), ("b", Some(2.0)), ("c", None)]),
        ("t:5\nt:\n", vec![("t", Some(5.0)), ("t", None)]),
        ("a\tb\n\t1\n", vec![("a", None), ("b", Some(1.0))]),
        ("t: h:45\n", vec![("t", None), ("h", Some(45.0))]),
        ("t:,h:45\n", vec![("t", None), ("h", Some(45.0))]),
        ("t:nan,h:null,p:-\n", vec![("t", None), ("h", None), ("p", None)]),
        ("1,n/a\n", vec![("1", Some(1.0)), ("2", None)]),
    ] {
        let expected: Values =
            expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(lines(text).values(), expected, "{text:?}");
    }
}

#[test]
fn a_line_that_is_wrong_anywhere_gives_nothing() {
    for text in [
        "t:21.5,h:x\n",
        "t:21.5,45\n",
        "t:21.5C\n",
        "ok 21.5 C\n",
        "21.5,4x.2\n",
        "a,b\n21.5,4x.2\n",
        "a,b\n21.5,\"x\n",
        "a,b\n21.5,x\u{1}y\n",
        "21.5,ok\n",
        "0x10\n",
        "1_000,2\n",
        "\u{0}\u{1}5\n",
        "@#! $%&\n",
        "-----\n",
        "\"a,5\",3\n",
        "Ready\n",
        "Ready,\n",
        "Ready:\n",
        "5,\"a\n",
    ] {
        let fed = lines(text);
        assert_eq!(fed.refused(FrameRefusal::Malformed), 1, "{text:?}");
        assert!(fed.out.samples.is_empty(), "{text:?}");
        assert!(fed.decoder.fields().is_empty(), "{text:?} taught a name");
    }
    assert_eq!(fed(&anything(), Framing::Stream, &[b"t:\xff\n"]).refused(FrameRefusal::NotText), 1);
    assert_eq!(lines(&"1 ".repeat(256)).tally.frames_in, 0, "no line end yet");
    assert_eq!(lines(&("1 ".repeat(256) + "\n")).tally.readings, 256);
    let long = lines(&("1 ".repeat(257) + "\n"));
    assert_eq!(long.refused(FrameRefusal::Malformed), 1);
}

#[test]
fn comments_and_empty_lines_are_skipped_bytes_and_headers_are_silent_frames() {
    let fed = lines("# 5\n\n \t\r\n  # x\nt:\th:\na,b\n");
    assert_eq!((fed.tally.bytes_skipped, fed.tally.bytes_in), (15, 25));
    assert_eq!((fed.tally.frames_ok, fed.tally.frames_silent), (2, 2));
    assert_eq!(fed.out.heads[0].samples, 0);
    assert!(fed.decoder.fields().is_empty(), "a header alone teaches no name");
}

#[test]
fn names_are_known_learned_overflowing_or_unknown() {
    let text: &[u8] = b"a:1 t:2 b:3 c:4\n";
    let names = |options| {
        let fed = fed(&options, Framing::Stream, &[text]);
        fed.values().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(options(&["t"], 0, None)), ["?unknown", "t", "?unknown", "?unknown"]);
    assert_eq!(names(options(&["t"], 2, None)), ["a", "t", "b", "?overflow"]);
    assert_eq!(names(options(&["t"], 9, None)), ["a", "t", "b", "c"]);
}

#[test]
fn a_banner_does_not_rename_a_column_that_is_known_by_position() {
    let read = |known: &[&str], text: &[u8]| {
        let fed = fed(&options(known, 9, None), Framing::Stream, &[text]);
        fed.values().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(read(&["1"], b"Hello world\n5 6\n"), ["1", "world"]);
    assert_eq!(read(&["1", "t"], b"t,h\n5,6\n"), ["t", "h"]);
    assert_eq!(read(&[], b"1,2\nt,h\n5,6\n"), ["1", "2", "t", "h"]);
}

#[test]
fn a_banner_does_not_rename_a_value_that_stands_alone() {
    for (banner, refused) in
        [("hello world", 0), ("Boot ok", 0), ("Sensor hub v2 ready", 0), ("Ready", 1)]
    {
        let fed = lines(&format!("{banner}\n23.5\n"));
        assert_eq!(fed.values(), [("1".to_owned(), Some(23.5))], "{banner}");
        assert_eq!(fed.refused(FrameRefusal::Malformed), refused, "{banner}");
    }
    let fed = lines("Boot ok\n1,2\n1 2 3\n");
    assert!(fed.values().iter().all(|(name, _)| name.parse::<u8>().is_ok()), "{:?}", fed.values());
}

#[test]
fn a_label_alone_is_a_missing_value_only_of_a_name_that_is_known() {
    for (known, discover, expected) in [(&["t"][..], 0, 1), (&[], 0, 0), (&[], 9, 0)] {
        let fed = fed(&options(known, discover, None), Framing::Stream, &[b"t:\n"]);
        assert_eq!(fed.out.samples.len(), expected, "{known:?} {discover}");
        assert_eq!(fed.refused(FrameRefusal::Malformed), 1 - expected as u64);
    }
}

const T_NS: i64 = 1_293_632_100_000_000_000;

#[test]
fn the_time_of_a_line_by_label_header_or_position() {
    for (timestamp, text) in [
        ("1", "2010-12-29 14:15:00+00:00,5\n"),
        ("2", "5;1293632100.000\n"),
        ("time", "v,time\n5,2010-12-29T14:15:00Z\n"),
        ("time", "time=1293632100 v=5\n"),
        ("1", "2010-12-29T14:15:00Z v:5\n"),
        ("1", ",v\n\"2010-12-29 07:15:00-07:00\",5\n"),
    ] {
        let fed = fed(&options(&[], 9, Some(timestamp)), Framing::Stream, &[text.as_bytes()]);
        assert_eq!(fed.out.samples.len(), 1, "{text:?}");
        let (sample, head) = (fed.out.samples[0], fed.out.heads.last().expect("a line"));
        assert_eq!((sample.at_ns, sample.value), (T_NS, 5.0), "{text:?}");
        assert_eq!((head.clock, head.time_error), (DeviceClock::Utc, 255), "{text:?}");
    }
}

#[test]
fn a_line_without_its_time_is_malformed() {
    for (timestamp, text) in [
        ("t", "v=5\n"),
        ("t", "t=,v=5\n"),
        ("t", "t=soon,v=5\n"),
        ("2", "5\n"),
        ("1", ",5\n"),
        ("1", "2010-13-01,5\n"),
        ("1", "soon,5\n"),
    ] {
        let fed = fed(&options(&[], 9, Some(timestamp)), Framing::Stream, &[text.as_bytes()]);
        assert_eq!(fed.refused(FrameRefusal::Malformed), 1, "{text:?}");
        assert!(fed.out.samples.is_empty() && fed.decoder.fields().is_empty(), "{text:?}");
    }
    let line = b"2010-12-29 14:15:00,\n";
    let fed = fed(&options(&[], 9, Some("1")), Framing::Stream, &[b",v\n", line]);
    assert_eq!(fed.values(), [("v".to_owned(), None)]);
    assert_eq!(fed.out.samples[0].at_ns, T_NS);
}

#[test]
fn a_datagram_is_whole_lines_and_its_header_ends_with_it() {
    let fed = fed(
        &anything(),
        Framing::Datagram,
        &[b"a,b\n1,2\n3,4", b"", b"\n", &[b'5'; limits::LINE_BYTES_MAX + 1], b"5,6"],
    );
    let values: Vec<_> = fed.out.samples.iter().map(|sample| sample.value).collect();
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let names: Vec<_> = fed.values().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "a", "b", "1", "2"], "another sender may have sent the last");
    assert_eq!(fed.refused(FrameRefusal::Empty), 1);
    assert_eq!(fed.refused(FrameRefusal::Oversize), 1);
    assert_eq!((fed.tally.bytes_skipped, fed.decoder.buffered()), (1, 0));
}

#[test]
fn the_end_of_the_input_ends_a_line_and_a_lost_line_does_not() {
    let mut fed = fed(&anything(), Framing::Stream, &[b"a,b\n1,2\n3,4"]);
    assert_eq!((fed.out.samples.len(), fed.decoder.buffered()), (2, 3));
    fed.decoder.finish(9, &mut fed.out, &mut fed.tally);
    assert_eq!((fed.out.samples.len(), fed.out.heads[2].arrived_ns), (4, 9));
    assert_balanced(&fed);
    fed.decoder.feed(b"5,", 10, &mut fed.out, &mut fed.tally);
    fed.decoder.reset(&mut fed.tally);
    assert_eq!(fed.refused(FrameRefusal::Partial), 1);
    fed.decoder.feed(b"5,6\n", 11, &mut fed.out, &mut fed.tally);
    assert_eq!(fed.values()[4].0, "1", "the header was forgotten");
    assert_balanced(&fed);
}

#[test]
fn a_line_of_the_bound_is_read_and_a_longer_one_counted_once() {
    let full = format!("{:>width$}\n", 5, width = limits::LINE_BYTES_MAX);
    assert_eq!(lines(&full).tally.readings, 1);
    let over = fed(&anything(), Framing::Stream, &[b" ", full.as_bytes(), b"7\n"]);
    assert_eq!((over.refused(FrameRefusal::Oversize), over.tally.readings), (1, 1));
}

/// Text with a chance of being lines.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(
        &[
            "t",
            "h:",
            "t:21.5",
            "k=3",
            "7",
            "-1.5e3",
            "nan",
            "true",
            "null",
            "2010-12-29",
            "12:30:05",
            "\"",
            "x\u{1}",
            "é",
            "=",
            "#",
        ][..],
    );
    let between = prop::sample::select(&[",", ";", "\t", " ", "  ", "\n", "\r\n", ", "][..]);
    let tokens = prop::collection::vec((word, between), 0..40).prop_map(|tokens| {
        tokens.into_iter().flat_map(|(word, between)| [word, between]).collect::<String>()
    });
    prop_oneof![
        4 => tokens.prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..100),
    ]
}

/// Lines that are put together alike, more or less.
fn similar_lines() -> impl Strategy<Value = Vec<String>> {
    const BEFORE: &[&str] = &["", "", "t:", "h=", "t: ", "x = ", "\"", " ", "#", "2010-12-29 "];
    const NUMBERS: &[&str] = &["5", "21.625", "-1.5e3", "+.5", "5.", "1293632100", "1e999"];
    const OTHERS: &[&str] = &[
        "2010-12-29 14:15:00",
        "2010-12-29T14:15:00.5Z",
        "2010-12-29T14:15",
        "true",
        "False",
        "truer",
        "",
        "-",
        "n/a",
        "nan",
        "inf",
        "1e",
        "5C",
        "0x10",
        "5 ",
        "5\"",
        "a:5",
        "=5",
        "5,6",
        "5:",
        "on",
        "é",
        "--5",
        "5..2",
    ];
    let text = prop_oneof![
        5 => prop::sample::select(NUMBERS),
        2 => prop::sample::select(&OTHERS[..5]),
        2 => prop::sample::select(OTHERS),
    ];
    let before = prop::collection::vec(prop::sample::select(BEFORE), 1..4);
    let texts = prop::collection::vec(text, 1..4);
    let separator = prop::sample::select(&[",", ",", ";", "\t", " ", " : ", ", "][..]);
    let end = prop::sample::select(&["", "", "", ",", " ", "\""][..]);
    (before, separator, prop::collection::vec((texts, end), 2..9)).prop_map(
        |(before, separator, lines)| {
            let line = |(texts, end): (Vec<_>, &str)| {
                let parts = before.iter().zip(texts.iter().cycle());
                let parts: Vec<_> = parts.map(|(before, text)| format!("{before}{text}")).collect();
                parts.join(separator) + end
            };
            lines.into_iter().map(line).collect()
        },
    )
}

#[test]
fn a_line_of_the_last_ones_form_needs_no_second_look() {
    for (timestamp, lines) in [
        (None, ["t:21.5,h:45", "t:-3.25,h:1e2"]),
        (None, ["t = 21.5 h = 45", "t = 7 h = 8"]),
        (None, ["98 3.8", "99 +.5"]),
        (Some("1"), ["2010-12-29 14:15:00,,False", "2010-12-30 00:00:00.5Z,,true"]),
        (Some("1"), ["1293632100;n/a;\"5\";", "1293632160.25;n/a;\"6\";"]),
    ] {
        let mut reader = TextReader::new(&options(&[], 9, timestamp));
        let mut out = Frames::default();
        let read = reader.read(lines[0].as_bytes(), Whole::of(b""), 0, &mut out);
        assert!(matches!(read, Ok(Line::Frame(_))), "{lines:?}");
        let mut draft = Draft::new(&mut reader.names, &mut out);
        assert!(reader.shape.form.read(lines[1].as_bytes(), &mut draft).is_some(), "{lines:?}");
    }
}

proptest! {
    #[test]
    fn a_form_gives_what_reading_with_care_gives(
        lines in similar_lines(),
        header in prop::sample::select(&["", "a,t", "t;t;x", "t 1"][..]),
        discover in prop::sample::select(&[0_usize, 1, 100][..]),
        timestamp in prop::sample::select(&[None, Some("1"), Some("t")][..]),
    ) {
        let options = options(&["t"], discover, timestamp);
        let (mut quick, mut careful) = (TextReader::new(&options), TextReader::new(&options));
        for line in std::iter::once(header).chain(lines.iter().map(String::as_str)) {
            careful.shape.form.forget();
            let (mut quick_out, mut careful_out) = (Frames::default(), Frames::default());
            let (line, whole) = (line.as_bytes(), Whole::of(line.as_bytes()));
            let read = quick.read(line, whole, 0, &mut quick_out);
            prop_assert_eq!(careful.read(line, whole, 0, &mut careful_out), read);
            // Compared as text, because NaN is not equal to itself.
            prop_assert_eq!(format!("{:?}", quick_out), format!("{:?}", careful_out));
            prop_assert_eq!(quick.fields(), careful.fields());
            prop_assert_eq!(quick.header(), careful.header());
        }
    }

    #[test]
    fn any_split_of_a_stream_gives_the_same_lines(
        bytes in any_text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        discover in prop::sample::select(&[0_usize, 2, 100][..]),
        timestamp in prop::sample::select(&[None, Some("1"), Some("t")][..]),
    ) {
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let pieces: Vec<_> = ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let options = options(&["t"], discover, timestamp);
        let mut whole = fed(&options, Framing::Stream, &[&bytes]);
        let mut split = fed(&options, Framing::Stream, &pieces);
        whole.decoder.finish(0, &mut whole.out, &mut whole.tally);
        split.decoder.finish(0, &mut split.out, &mut split.tally);
        assert_balanced(&whole);
        for head in whole.out.heads.iter_mut().chain(&mut split.out.heads) {
            head.arrived_ns = 0;
        }
        // Compared as text, because NaN is not equal to itself.
        prop_assert_eq!(format!("{:?}", whole.out), format!("{:?}", split.out));
        prop_assert_eq!(whole.tally, split.tally);
        prop_assert_eq!(whole.decoder.fields(), split.decoder.fields());
        fed(&options, Framing::Datagram, &pieces);
    }

    #[test]
    fn every_number_survives(values in prop::collection::vec(any::<f64>(), 1..10)) {
        let text: Vec<_> = values.iter().map(ToString::to_string).collect();
        let fed = lines(&(text.join(",") + "\n"));
        let read: Vec<_> = fed.out.samples.iter().map(|sample| sample.value).collect();
        prop_assert_eq!(read, values);
    }
}
