//! `stillwell tap`: frames as they come, and what becomes of them.

use std::io::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    args::TapArgs,
    channels,
    connection::{Connection, parse},
    failure::Failure,
    number,
    output::{Output, Reader},
};

/// Bytes shown on one line.
const BYTES_SHOWN: usize = 24;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    frames: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    settled: Vec<&'a RawValue>,
    passed_over: u64,
    missed: u64,
}

#[derive(Deserialize)]
struct Frame {
    source: String,
    arrived: String,
    bytes: u64,
    hex: String,
    #[serde(default)]
    cut: bool,
    verdict: String,
    reason: Option<String>,
    device: Option<u64>,
    sequence: Option<u64>,
    #[serde(default)]
    readings: Vec<Reading>,
    #[serde(default)]
    more: u64,
}

#[derive(Deserialize)]
struct Reading {
    id: Option<String>,
    field: Option<String>,
    index: Option<u64>,
    raw: Option<f64>,
    verdict: String,
    reason: Option<String>,
    value: Option<f64>,
    unit: Option<String>,
    flag: Option<String>,
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(default)]
    waits: bool,
    time: Option<String>,
    pane: Option<String>,
}

/// A reading that has had the verdict it waited for.
#[derive(Deserialize)]
struct Settled {
    id: String,
    flag: String,
    #[serde(default)]
    reasons: Vec<String>,
    time: String,
}

pub(super) fn run(args: &TapArgs) -> Result<(), Failure> {
    let mut parameters = channels::selection(&args.patterns);
    if let Some(source) = &args.source {
        parameters.insert("source".into(), source.as_str().into());
    }
    let mut connection = Connection::open(args.common.socket.as_deref())?;
    let mut output = Output::new(args.common.json);
    connection.subscribe("Tap", &parameters)?;
    let mut left = args.frames.unwrap_or(u64::MAX);
    while 0 < left {
        let message = connection.message()?;
        let message: Message<'_> = parse(message.get())?;
        for text in message.frames {
            if left == 0 {
                break;
            }
            left -= 1;
            match output.reader {
                Reader::Program => output.line(text.get())?,
                Reader::Person => {
                    for line in lines(&parse(text.get())?) {
                        let line = output.styled(&line).into_owned();
                        output.line(&line)?;
                    }
                }
            }
        }
        for text in message.settled {
            match output.reader {
                Reader::Program => output.line(&format!("{{\"settled\":{}}}", text.get()))?,
                Reader::Person => {
                    let line = output.styled(&settled(&parse(text.get())?)).into_owned();
                    output.line(&line)?;
                }
            }
        }
        if let Some(note) = note(message.passed_over, message.missed) {
            match output.reader {
                Reader::Program => output.line(&format!(
                    "{{\"passed_over\":{},\"missed\":{}}}",
                    message.passed_over, message.missed
                ))?,
                Reader::Person => output.line(&note)?,
            }
        }
        output.stream.flush()?;
    }
    Ok(())
}

/// What was not shown, if there was something.
fn note(passed_over: u64, missed: u64) -> Option<String> {
    let passed = format!("{} passed over", number::count(passed_over, "frame"));
    match (passed_over, missed) {
        (0, 0) => None,
        (_, 0) => Some(format!("-- {passed}: more come than are shown")),
        _ => Some(format!("-- {passed}, {missed} missed because this end was slow")),
    }
}

/// A frame for people: a line of its own, its bytes, and a line for each reading.
fn lines(frame: &Frame) -> Vec<String> {
    let Frame { source, bytes, verdict, more, .. } = frame;
    let mut head = format!("{} {source}  {}", clock(&frame.arrived), number::count(*bytes, "byte"));
    let optional = [("device", frame.device), ("sequence", frame.sequence)];
    for (name, value) in optional {
        value.iter().for_each(|value| head.push_str(&format!("  {name} {value}")));
    }
    if frame.cut {
        head.push_str("  (it began before this)");
    }
    head.push_str(&format!("  {}", judged(verdict, frame.reason.as_deref())));
    let mut lines = vec![head, format!("    {}", dump(&frame.hex))];
    for reading in &frame.readings {
        lines.push(format!("    {}", told(reading)));
    }
    if 0 < *more {
        lines.push(format!("    and {more} readings more"));
    }
    lines
}

fn told(reading: &Reading) -> String {
    let place = match (&reading.field, reading.index) {
        (Some(field), _) => format!("field {field}"),
        (None, Some(index)) => format!("channel {index}"),
        (None, None) => "a field that is not taken up".to_owned(),
    };
    let id = reading.id.as_deref().unwrap_or("-");
    let raw = number::optional(reading.raw);
    let mut text = format!("{id}  ({place})  raw {raw}");
    if let Some(value) = reading.value {
        let unit = reading.unit.as_deref().unwrap_or_default();
        text.push_str(format!(" -> {} {unit}", number::value(value)).trim_end());
    }
    text.push_str(&format!("  {}", judged(&reading.verdict, reading.reason.as_deref())));
    if let (Some(time), Some(pane), Some(flag)) = (&reading.time, &reading.pane, &reading.flag) {
        text.push_str(&format!(", {}, ", judged(flag, reasons(&reading.reasons).as_deref())));
        if reading.waits {
            text.push_str("waits for the next reading, ");
        }
        text.push_str(&format!("at {}, pane {}", clock(time), clock(pane)));
    }
    plain(&text)
}

/// What speaks against a reading, if anything does.
fn reasons(reasons: &[String]) -> Option<String> {
    (!reasons.is_empty()).then(|| reasons.join(" "))
}

/// What became of a reading that waited.
fn settled(Settled { id, flag, reasons: against, time }: &Settled) -> String {
    let judged = judged(flag, reasons(against).as_deref());
    plain(&format!("    {id}  at {} has waited: {judged}", clock(time)))
}

fn judged(verdict: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{verdict}: {reason}"),
        None => verdict.to_owned(),
    }
}

/// The first bytes in pairs of digits, and as text where they are.
fn dump(hex: &str) -> String {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().filter_map(|pair| byte(pair)).collect();
    let shown = &bytes[..bytes.len().min(BYTES_SHOWN)];
    let digits: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let letter = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    };
    let text: String = shown.iter().map(letter).collect();
    let etc = if shown.len() < bytes.len() { " …" } else { "" };
    format!("{}{etc}  |{text}|", digits.join(" "))
}

/// `01:02:06.123` of `2026-11-23T01:02:06.1234Z`; what is no such time stays as it is.
fn clock(time: &str) -> String {
    let of_day = time.split_once('T').map_or(time, |(_, of_day)| of_day.trim_end_matches('Z'));
    of_day.get(..12).unwrap_or(of_day).to_owned()
}

/// What a device named itself must not drive the terminal.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{FFFD}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_told_with_its_bytes_and_what_became_of_its_readings() {
        let text = r#"{"source":"bench","arrived":"2026-11-23T01:02:06.1234Z","bytes":9,
            "hex":"743a3231352c683a0a","verdict":"ok","readings":[
            {"id":"bench.t","field":"t","raw":215,"verdict":"accepted","value":21.5,"unit":"Cel",
             "flag":"not_evaluated","time":"2026-11-23T01:02:06.1234Z",
             "pane":"2026-11-23T01:02:06.1Z"},
            {"id":"bench.i","field":"i","raw":3.5,"verdict":"accepted","unit":"bar","flag":"fail",
             "reasons":["current_loop"],"time":"2026-11-23T01:02:06Z",
             "pane":"2026-11-23T01:02:06Z"},
            {"id":"w","index":3,"raw":1,"verdict":"accepted","value":1,"flag":"pass","waits":true,
             "time":"2026-11-23T01:02:06Z","pane":"2026-11-23T01:02:06Z"},
            {"field":"h\u001b[2J","verdict":"refused","reason":"not_finite"}],"more":2}"#;
        assert_eq!(
            lines(&parse(text).expect("parses")),
            [
                "01:02:06.123 bench  9 bytes  ok",
                "    74 3a 32 31 35 2c 68 3a 0a  |t:215,h:.|",
                "    bench.t  (field t)  raw 215 -> 21.5 Cel  accepted, not_evaluated, \
                 at 01:02:06.123, pane 01:02:06.1",
                "    bench.i  (field i)  raw 3.5  accepted, fail: current_loop, at 01:02:06, \
                 pane 01:02:06",
                "    w  (channel 3)  raw 1 -> 1  accepted, pass, waits for the next reading, \
                 at 01:02:06, pane 01:02:06",
                "    -  (field h\u{FFFD}[2J)  raw -  refused: not_finite",
                "    and 2 readings more",
            ]
        );
        let refused = r#"{"source":"b","arrived":"x","bytes":30,"hex":"ff","cut":true,
            "verdict":"refused","reason":"checksum"}"#;
        let refused = lines(&parse(refused).expect("parses"));
        assert_eq!(refused[0], "x b  30 bytes  (it began before this)  refused: checksum");
    }

    #[test]
    fn what_became_of_a_reading_that_waited_is_told() {
        let text = r#"{"id":"w","value":1,"flag":"suspect","reasons":["spike"],
            "time":"2026-11-23T01:02:06.5Z","pane":"2026-11-23T01:02:06Z"}"#;
        let told = settled(&parse(text).expect("parses"));
        assert_eq!(told, "    w  at 01:02:06.5 has waited: suspect: spike");
    }

    #[test]
    fn what_is_not_shown_is_told() {
        assert_eq!(note(0, 0), None);
        assert_eq!(
            note(5, 0).as_deref(),
            Some("-- 5 frames passed over: more come than are shown")
        );
        assert!(note(1, 2).expect("told").contains("2 missed"));
    }
}
