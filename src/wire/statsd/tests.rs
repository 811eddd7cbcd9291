//! StatsD lines of every kind, and what is none.

use super::*;
use crate::wire::{
    WireTally,
    decode::{Decoder, Format, Framing},
};

fn fed(tags: Tags, text: &str) -> (Vec<(String, f64)>, WireTally) {
    let naming = Naming { known: vec![], discover: 100 };
    let options = StatsdOptions { naming, tags };
    let mut decoder = Decoder::new(&Format::Statsd(options), Framing::Datagram);
    let (mut out, mut tally) = (Frames::default(), WireTally::default());
    decoder.feed(text.as_bytes(), 7, &mut out, &mut tally);
    let name = |field| decoder.fields().name(field).expect("a learned name").to_string();
    (out.samples.iter().map(|sample| (name(sample.field), sample.value)).collect(), tally)
}

#[test]
fn every_kind_of_line() {
    for (text, expected) in [
        ("boiler.t:61.5|g", vec![("boiler.t", 61.5)]),
        ("a:1|c", vec![("a", 1.0)]),
        ("a:1|c|@0.1", vec![("a", 10.0)]),
        ("a:-2|c", vec![("a", -2.0)]),
        ("a:320|ms", vec![("a", 320.0)]),
        ("a:320|ms|@0.1", vec![("a", 320.0)]),
        ("a:3|h", vec![("a", 3.0)]),
        ("a:3e2|d", vec![("a", 300.0)]),
        ("a:1:2:3|ms", vec![("a", 1.0), ("a", 2.0), ("a", 3.0)]),
        ("a:1|c:2|g:3|ms|@0.5", vec![("a", 1.0), ("a", 2.0), ("a", 3.0)]),
        ("a:1|c|@0.5:2|g", vec![("a", 2.0), ("a", 2.0)]),
        ("a:1|g\nb:2|g\n", vec![("a", 1.0), ("b", 2.0)]),
        ("a:1|g\r\n\r\nb:2|g", vec![("a", 1.0), ("b", 2.0)]),
        ("a:1|g|#room:hall,env:lab", vec![("a.lab.hall", 1.0)]),
        ("a:1|g|#env:lab,room:hall|c:abc", vec![("a.lab.hall", 1.0)]),
        ("a:1|c|@0.5|#up", vec![("a.up", 2.0)]),
        ("a:1|g|T1656581400", vec![("a", 1.0)]),
        ("users:42|s", vec![]),
        ("users:abc|s", vec![]),
        ("_e{5,4}:title|text|#a:b", vec![]),
        ("_sc|name|0", vec![]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        let (values, tally) = fed(Tags::Name, text);
        assert_eq!((values, tally.refused_total()), (expected, 0), "{text}");
    }
    assert_eq!(fed(Tags::Ignore, "a:1|g|#env:lab").0, [("a".to_owned(), 1.0)]);
}

#[test]
fn a_sign_changes_a_gauge_and_a_zero_before_it_sets_one() {
    let text = "a:10|g\na:+5|g\na:-2.5|g\nb:-3|g\nb:0|g:-3|g\na:+1|g\nc:+2|g:+2|g";
    let values: Vec<_> = fed(Tags::Name, text).0.into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [10.0, 15.0, 12.5, -3.0, 0.0, -3.0, 13.5, 2.0, 4.0]);
}

#[test]
fn what_is_no_line_gives_nothing() {
    for text in [
        "a",
        "a:",
        "a:1",
        "a:1|",
        "a:|g",
        ":1|g",
        "a:1|x",
        "a:1|gg",
        "a:x|g",
        "a:1x|c",
        "a:nan|g",
        "a:inf|g",
        "a:1e999|g",
        "a:1|c|@",
        "a:1|c|@0",
        "a:1|c|@2",
        "a:1|c|@-1",
        "a:1|c|@0.1x",
        "a:1|g|x",
        "a b:1|g",
        "a:1|g|#x|y",
        "a:1:x|ms",
        "a:1|c:2",
        "a:1|c:2|x",
        "a:|s",
        "a\t:1|g",
        "a:1|g:",
        "hello world",
    ] {
        let (values, tally) = fed(Tags::Name, text);
        assert_eq!(tally.refused[FrameRefusal::Malformed as usize], 1, "{text}");
        assert!(values.is_empty(), "{text}");
    }
}
