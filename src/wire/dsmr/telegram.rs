//! Where a telegram begins and ends, and its lines.

use memchr::{memchr, memchr_iter, memchr2, memmem};

use super::super::{FrameRefusal, seek::Found, time::day_number};
use crate::limits::TELEGRAM_BYTES_MAX;

/// Most bytes of the first line.
const HEADER_BYTES_MAX: usize = 128;
/// Digits of a CRC.
const CRC_DIGITS_MAX: usize = 4;

/// A telegram, whose CRC nobody has looked at.
#[derive(Debug, PartialEq)]
pub(super) struct Telegram<'a> {
    /// From its `/` to its `!`, which the CRC is over.
    pub(super) bytes: &'a [u8],
    /// The CRC that stands behind it.
    pub(super) crc: Option<u16>,
}

impl<'a> Telegram<'a> {
    /// Its lines but for the first, without their ends.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|&byte| byte == b'\n').skip(1).map(<[u8]>::trim_ascii_end)
    }

    /// When the meter says that it made this.
    pub(super) fn made_ns(&self) -> Option<i64> {
        let clock = b"\n0-0:1.0.0(";
        let at = memmem::find(self.bytes, clock)? + clock.len();
        let text = &self.bytes[at..];
        time_ns(&text[..memchr(b')', text)?])
    }
}

/// `YYMMDDhhmmss` and S or W, in nanoseconds since 1970 UTC.
pub(super) fn time_ns(text: &[u8]) -> Option<i64> {
    let (digits, season) = text.split_first_chunk::<12>()?;
    let offset_hours = match season {
        b"S" => 2,
        b"W" => 1,
        _ => return None,
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let part = |at: usize| i64::from(digits[at] - b'0') * 10 + i64::from(digits[at + 1] - b'0');
    let day = day_number(2_000 + part(0), part(2), part(4))?;
    let (hour, minute, second) = (part(6), part(8), part(10));
    let exists = hour < 24 && minute < 60 && second < 60;
    let hours = 24 * day + hour - offset_hours;
    exists.then_some(((60 * hours + minute) * 60 + second) * 1_000_000_000)
}

/// What stands first in `bytes`, which are not empty; `ended` says that none will follow. Without
/// `ended` what is found does not depend on bytes behind it.
pub(super) fn find(bytes: &[u8], ended: bool) -> Found<Telegram<'_>> {
    if bytes[0] != b'/' {
        return Found::Noise(memchr(b'/', bytes).unwrap_or(bytes.len()));
    }
    match header(bytes) {
        Header::Other => return Found::Noise(1),
        Header::Begun if ended => return Found::Noise(1),
        Header::Begun => return Found::More,
        Header::Whole => {}
    }
    let within = &bytes[..bytes.len().min(TELEGRAM_BYTES_MAX)];
    let mut ends = memchr_iter(b'!', within).filter(|&at| within[at - 1] == b'\n');
    let end = ends.next();
    for at in memchr_iter(b'/', &within[1..end.unwrap_or(within.len())]).map(|at| at + 1) {
        match header(&bytes[at..]) {
            Header::Whole => return Found::Refused(FrameRefusal::Truncated, at),
            // The end, if it is there, comes before what may be a header.
            Header::Begun if end.is_none() && !ended => return Found::More,
            Header::Begun | Header::Other => {}
        }
    }
    match end {
        Some(end) => close(bytes, end, ended),
        // The `/` was none: what comes behind it is looked at again.
        None if within.len() == TELEGRAM_BYTES_MAX => Found::Refused(FrameRefusal::Oversize, 1),
        None => Found::More,
    }
}

/// The telegram whose `!` is at `end`.
fn close(bytes: &[u8], end: usize, ended: bool) -> Found<Telegram<'_>> {
    let (telegram, behind) = bytes.split_at(end + 1);
    let digits = behind.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(behind.len());
    match behind.get(digits) {
        None if !ended && digits <= CRC_DIGITS_MAX => Found::More,
        None | Some(b'\r' | b'\n') if digits <= CRC_DIGITS_MAX => {
            let crc = str::from_utf8(&behind[..digits]).ok();
            let crc = crc.and_then(|digits| u16::from_str_radix(digits, 16).ok());
            Found::Frame(Telegram { bytes: telegram, crc }, end + 1 + digits)
        }
        _ => Found::Refused(FrameRefusal::Malformed, telegram.len()),
    }
}

enum Header {
    Whole,
    Begun,
    Other,
}

/// Whether these bytes, which begin with `/`, are the first line of a telegram and the empty one
/// behind it.
fn header(bytes: &[u8]) -> Header {
    let within = &bytes[1..bytes.len().min(HEADER_BYTES_MAX)];
    let maker = within.iter().take(3);
    if maker.clone().any(|byte| !byte.is_ascii_alphanumeric()) {
        return Header::Other;
    }
    // Meters put all sorts of bytes behind their maker's letters.
    let Some(end) = memchr2(b'\r', b'\n', within) else {
        let full = bytes.len() < HEADER_BYTES_MAX;
        return if full { Header::Begun } else { Header::Other };
    };
    if end < 4 {
        return Header::Other;
    }
    let behind = &bytes[1 + end..];
    for newlines in [&b"\r\n\r\n"[..], b"\n\n"] {
        if behind.starts_with(newlines) {
            return Header::Whole;
        }
        if newlines.starts_with(behind) {
            return Header::Begun;
        }
    }
    Header::Other
}
