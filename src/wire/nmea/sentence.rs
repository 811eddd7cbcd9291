//! Where a sentence begins and ends, and whether it is sound.

use memchr::{memchr, memchr3};

use super::super::{FrameRefusal, checksum::xor8, seek::Found};
use crate::limits::SENTENCE_BYTES_MAX;

/// The text of a sentence: between its first byte and its checksum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sentence<'a> {
    /// Who talks about what, such as `SDDPT`.
    pub(super) address: &'a [u8],
    /// What follows the address and its comma.
    data: &'a [u8],
    /// Whether it has a checksum, which fits then.
    pub(super) is_checked: bool,
}

impl<'a> Sentence<'a> {
    #[inline]
    fn new(text: &'a [u8], is_checked: bool) -> Self {
        let comma = text.iter().position(|&byte| byte == b',').unwrap_or(text.len());
        let data = text.get(comma + 1..).unwrap_or_default();
        Self { address: &text[..comma], data, is_checked }
    }

    /// What it is about, such as `DPT`; `None` for a sentence of a maker's own, which begins with
    /// a P and has no talker, and for one whose address has another form.
    pub(super) fn kind(&self) -> Option<[u8; 3]> {
        match *self.address {
            [talker, _, a, b, c] if talker != b'P' => Some([a, b, c]),
            _ => None,
        }
    }

    /// The fields behind the address.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.data.split(|&byte| byte == b',')
    }
}

/// What stands first in `bytes`, which are not empty: a sentence whose checksum fits, or that has
/// none, if anything. `line` says that they begin a line, and
/// `ended` that none will follow. Without `ended` what is found does not depend on bytes behind
/// it.
///
/// A sentence ends with its line. Another `$` within it is where the next one begins: what was
/// begun is refused, its end is lost. Binary data may well contain a `$` or a `!`: what follows
/// it must look like an address, or be sound, to count as a sentence at all.
#[inline]
pub(super) fn find(bytes: &[u8], line: bool, ended: bool) -> Found<Sentence<'_>> {
    match bytes[0] {
        b'$' | b'!' => sentence(bytes, ended),
        b'#' if line => remark(bytes, ended),
        _ => Found::Noise(noise(bytes)),
    }
}

/// How many bytes come before the next that a sentence or a remark may begin with.
fn noise(bytes: &[u8]) -> usize {
    let begins = |&at: &usize| match bytes[at] {
        b'$' | b'!' => true,
        byte => byte == b'#' && bytes[at - 1] == b'\n',
    };
    (1..bytes.len()).find(begins).unwrap_or(bytes.len())
}

/// A line that recordings begin with: a `#` and text.
fn remark(bytes: &[u8], ended: bool) -> Found<Sentence<'_>> {
    let within = &bytes[..bytes.len().min(SENTENCE_BYTES_MAX)];
    let end = memchr(b'\n', within);
    let text = &within[..end.unwrap_or(within.len())];
    let is_text = !text.iter().any(|byte| is_control(*byte) && !matches!(byte, b'\t' | b'\r'));
    match end {
        Some(end) if is_text => Found::Noise(end + 1),
        None if is_text && within.len() < SENTENCE_BYTES_MAX => {
            if ended {
                Found::Noise(bytes.len())
            } else {
                Found::More
            }
        }
        _ => Found::Noise(1),
    }
}

fn sentence(bytes: &[u8], ended: bool) -> Found<Sentence<'_>> {
    let within = &bytes[..bytes.len().min(SENTENCE_BYTES_MAX)];
    let end = memchr3(b'\r', b'\n', b'$', &within[1..]).map(|at| at + 1);
    let text = &within[1..end.unwrap_or(within.len())];
    match end.map(|end| within[end]) {
        Some(b'$') => broken(
            text,
            if memchr(b'*', text).is_some() {
                // It has been checked, or it has no end: something took the place of its line end.
                FrameRefusal::Malformed
            } else {
                FrameRefusal::Checksum
            },
        ),
        Some(_) => whole(text),
        None if within.len() == SENTENCE_BYTES_MAX => broken(text, FrameRefusal::Oversize),
        None if ended => whole(text),
        None => Found::More,
    }
}

/// Judges a sentence that has come to the end of its line.
fn whole(text: &[u8]) -> Found<Sentence<'_>> {
    // All of them, which is many at once and so faster than to the first.
    if text.iter().fold(false, |found, &byte| found | is_control(byte)) {
        return broken(text, FrameRefusal::NotText);
    }
    let length = 1 + text.len();
    let Some(star) = memchr(b'*', text) else {
        return match broken(text, FrameRefusal::Unchecked) {
            Found::Refused(_, refused) if refused == length => {
                Found::Frame(Sentence::new(text, false), length)
            }
            other => other,
        };
    };
    let Some(expected) = hex_byte(text[star + 1..].trim_ascii_end()) else {
        return broken(text, FrameRefusal::Malformed);
    };
    if xor8(&text[..star]) == expected {
        return Found::Frame(Sentence::new(&text[..star], true), length);
    }
    match broken(text, FrameRefusal::Checksum) {
        // It has the form of a sentence, whatever its address.
        Found::Noise(_) => Found::Refused(FrameRefusal::Checksum, length),
        other => other,
    }
}

/// Refuses what looks like a sentence, up to where another may begin in it; all else is noise.
fn broken(text: &[u8], why: FrameRefusal) -> Found<Sentence<'static>> {
    if !begins_with_address(text) {
        return Found::Noise(1);
    }
    let next = memchr::memchr_iter(b'!', text).find(|&at| begins_with_address(&text[at + 1..]));
    Found::Refused(why, 1 + next.unwrap_or(text.len()))
}

/// Whether two capital letters or digits at least come before the first comma, star or end.
fn begins_with_address(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let length = text.iter().position(|byte| !is_letter(byte)).unwrap_or(text.len());
    2 <= length && matches!(text.get(length), None | Some(b',' | b'*'))
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    match *digits {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7F
}
