//! The recorded log: what came over a wire, with the time of its arrival.
//!
//! ```text
//! #stillwell-log 1
//! 1764000000000000000 f5100100…
//! 1764000000100000000 f5100100…
//! ```
//!
//! A text file. The first line is [`LOG_HEADER`]; `#stillwell-log 1 stream` says that the records
//! are cuts of a byte stream, as a serial port gives them; without that word each record is a
//! whole datagram. Every further line is a record: nanoseconds since 1970, one space, the bytes in
//! hexadecimal. A time without bytes says that nothing else had come until then; one with the word
//! `down`, that the line went down then, and with it what had begun. Empty lines and lines that
//! start with `#` say nothing.

use std::fmt;

use super::decode::Framing;
use crate::limits::EVENT_TIME_ABS_MAX_NS;

/// The first line of every log.
pub const LOG_HEADER: &str = "#stillwell-log 1";
/// Most bytes in one record: the largest that UDP can carry.
pub const LOG_RECORD_BYTES_MAX: usize = 65_535;
/// Longest line of a log, without its end: a time, a space and the largest record.
pub const LOG_LINE_BYTES_MAX: usize = 20 + 1 + 2 * LOG_RECORD_BYTES_MAX;

/// What stands in place of bytes where the line went down.
const LINE_DOWN: &[u8] = b"down";

/// What a record says besides its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Bytes came, or none until then.
    Bytes,
    /// The line went down.
    LineDown,
}

/// A line that is not a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError {
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: LogFault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFault {
    /// The header names a version or a word that this program does not know.
    Header,
    /// No time at the start, or one before 1970 or after 2116.
    Time,
    /// What follows the time is not pairs of hexadecimal digits.
    Hex,
    /// Longer than [`LOG_LINE_BYTES_MAX`].
    Length,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            LogFault::Header => "a log of a kind that this version does not read",
            LogFault::Time => "no time in nanoseconds since 1970 at the start",
            LogFault::Hex => "not pairs of hexadecimal digits after the time",
            LogFault::Length => "too long for a record",
        };
        write!(f, "line {}: {what}", self.line)
    }
}

impl std::error::Error for LogError {}

/// Reads the first line of a file: `None` if the file is no log, otherwise how the records of the
/// log are framed.
///
/// # Errors
///
/// [`LogFault::Header`] for a log of another version.
pub fn parse_header(line: &[u8]) -> Result<Option<Framing>, LogError> {
    let line = line.trim_ascii_end();
    if !line.starts_with(b"#stillwell-log") {
        return Ok(None);
    }
    match line.strip_prefix(LOG_HEADER.as_bytes()) {
        Some(b"") => Ok(Some(Framing::Datagram)),
        Some(b" stream") => Ok(Some(Framing::Stream)),
        _ => Err(LogError { line: 1, fault: LogFault::Header }),
    }
}

/// The first line of a log whose records are framed like this.
#[must_use]
pub fn header(framing: Framing) -> &'static str {
    match framing {
        Framing::Datagram => LOG_HEADER,
        Framing::Stream => "#stillwell-log 1 stream",
    }
}

/// Reads line `number` of a log: appends the bytes of its record to `bytes` and returns its time
/// and kind, or `None` for a line that says nothing. Appends nothing if it fails.
///
/// # Errors
///
/// [`LogError`] with the number of the line.
pub fn parse_line(
    number: u64,
    line: &[u8],
    bytes: &mut Vec<u8>,
) -> Result<Option<(i64, Entry)>, LogError> {
    let fault = |fault| LogError { line: number, fault };
    let line = line.trim_ascii_end();
    if line.is_empty() || line[0] == b'#' {
        return Ok(None);
    }
    if LOG_LINE_BYTES_MAX < line.len() {
        return Err(fault(LogFault::Length));
    }
    let (time, hex) = match line.iter().position(|&byte| byte == b' ') {
        Some(space) => (&line[..space], &line[space + 1..]),
        None => (line, &line[line.len()..]),
    };
    let time = std::str::from_utf8(time).ok().and_then(|time| time.parse().ok());
    let at_ns = time
        .filter(|at_ns| (0..=EVENT_TIME_ABS_MAX_NS).contains(at_ns))
        .ok_or_else(|| fault(LogFault::Time))?;
    if hex == LINE_DOWN {
        return Ok(Some((at_ns, Entry::LineDown)));
    }
    let (pairs, rest) = hex.as_chunks::<2>();
    let start = bytes.len();
    for &[high, low] in pairs {
        match (digit(high), digit(low)) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => break,
        }
    }
    if !rest.is_empty() || bytes.len() - start != pairs.len() {
        bytes.truncate(start);
        return Err(fault(LogFault::Hex));
    }
    Ok(Some((at_ns, Entry::Bytes)))
}

/// Appends one record, with its line end, to the text of a log.
pub fn write_line(at_ns: i64, bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push_str(&at_ns.to_string());
    text.push(' ');
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
    }
    text.push('\n');
}

/// Appends the record of a line that went down, with its line end, to the text of a log.
pub fn write_line_down(at_ns: i64, text: &mut String) {
    text.push_str(&format!("{at_ns} down\n"));
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<Option<(i64, Vec<u8>)>, LogFault> {
        let mut bytes = vec![0xee];
        let at_ns = parse_line(7, line.as_bytes(), &mut bytes).map_err(|error| {
            assert_eq!(error.line, 7);
            error.fault
        });
        assert_eq!(bytes.remove(0), 0xee, "what was there stays");
        if at_ns != Ok(None) && at_ns.is_err() {
            assert!(bytes.is_empty(), "a failure appends nothing");
        }
        Ok(at_ns?.map(|(at_ns, entry)| {
            assert_eq!(entry, Entry::Bytes, "{line}");
            (at_ns, bytes)
        }))
    }

    #[test]
    fn the_header_says_whether_and_how() {
        assert_eq!(parse_header(b"#stillwell-log 1\n"), Ok(Some(Framing::Datagram)));
        assert_eq!(parse_header(b"#stillwell-log 1\r\n"), Ok(Some(Framing::Datagram)));
        assert_eq!(parse_header(b"#stillwell-log 1 stream\n"), Ok(Some(Framing::Stream)));
        assert_eq!(parse_header(b"temperature=3\n"), Ok(None));
        assert_eq!(parse_header(b""), Ok(None));
        for other in ["#stillwell-log 2", "#stillwell-log 12", "#stillwell-log 1 frames"] {
            let error = parse_header(other.as_bytes()).unwrap_err();
            assert_eq!(error.fault, LogFault::Header, "{other}");
        }
    }

    #[test]
    fn records_comments_and_faults() {
        assert_eq!(parse("12 00Ff\n"), Ok(Some((12, vec![0, 255]))));
        assert_eq!(parse("5 \n"), Ok(Some((5, vec![]))));
        assert_eq!(parse("12"), Ok(Some((12, vec![]))));
        assert_eq!(parse("# 12 00"), Ok(None));
        assert_eq!(parse("\n"), Ok(None));
        for (line, fault) in [
            ("x 00", LogFault::Time),
            (" 00", LogFault::Time),
            ("1.5 00", LogFault::Time),
            ("-1 00", LogFault::Time),
            ("4611686018427387905 00", LogFault::Time),
            ("9223372036854775808 00", LogFault::Time),
            ("12 0", LogFault::Hex),
            ("12 00 00", LogFault::Hex),
            ("12 001", LogFault::Hex),
            ("12 0g", LogFault::Hex),
            ("12  00", LogFault::Hex),
        ] {
            assert_eq!(parse(line), Err(fault), "{line}");
        }
        let long = format!("{EVENT_TIME_ABS_MAX_NS} {}", "00".repeat(LOG_RECORD_BYTES_MAX));
        assert_eq!(parse(&long).unwrap().unwrap().1.len(), LOG_RECORD_BYTES_MAX);
        assert_eq!(parse(&(long + "00")), Err(LogFault::Length));
    }

    #[test]
    fn a_line_that_went_down_is_a_record_of_its_own() {
        let mut text = String::new();
        write_line_down(7, &mut text);
        assert_eq!(text, "7 down\n");
        let mut bytes = Vec::new();
        let read = parse_line(2, text.as_bytes(), &mut bytes);
        assert_eq!((read, bytes), (Ok(Some((7, Entry::LineDown))), Vec::new()));
        assert_eq!(parse("7 downs"), Err(LogFault::Hex));
        for framing in [Framing::Datagram, Framing::Stream] {
            assert_eq!(parse_header(header(framing).as_bytes()), Ok(Some(framing)));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(at_ns in 0..=EVENT_TIME_ABS_MAX_NS, bytes: Vec<u8>) {
            let mut text = String::new();
            write_line(at_ns, &bytes, &mut text);
            prop_assert_eq!(parse(&text), Ok(Some((at_ns, bytes))));
        }

        #[test]
        fn no_line_panics(line: Vec<u8>) {
            let _ = parse_line(1, &line, &mut Vec::new());
            let _ = parse_header(&line);
        }
    }
}
