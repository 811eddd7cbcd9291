//! At which rate a serial line makes sense.
//!
//! The rates are tried in the order in which devices have them. At each one the line is listened
//! to until a format explains what comes, until what comes can be nothing that is written at this
//! rate, or until the time for a rate is over. The whole is bounded by the number of rates.
//!
//! Seven data bits with parity need no try of their own: read as eight bits, every byte of such
//! a line has the same parity, and the eighth bit is that.

use std::io;

use super::{
    judge::{self, Verdict},
    port::{Bits, Port, Settings},
    until::Until,
};
use crate::{
    limits::{PROBE_BYTES_MAX, SECOND},
    wire::decode::Framing,
};

/// Rates in the order in which they are tried.
pub(super) const RATES: [u32; 11] =
    [115_200, 9_600, 19_200, 4_800, 38_400, 57_600, 2_400, 230_400, 1_200, 460_800, 921_600];
/// All is judged again when there is this part more of it, or a pause: each time costs as much as
/// there is.
const JUDGED_AGAIN: usize = 8;
/// Bytes that tell noise from text.
const NOISE_BYTES: usize = 512;
/// Share of printable bytes below which a line carries no text.
const PRINTABLE_MIN: f64 = 0.8;
/// Bytes whose parity is no chance.
const PARITY_BYTES: usize = 64;

/// What was heard at one setting.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) settings: Settings,
    pub(super) bytes: usize,
    pub(super) verdict: Option<Verdict>,
}

/// Listens at each of the rates, `seconds` at most at each; what was heard best comes first.
///
/// `tell` hears of each rate as it is tried, with its number.
pub(super) fn hunt(
    port: &mut Port,
    rates: &[u32],
    seconds: i64,
    mut tell: impl FnMut(usize, Settings),
) -> io::Result<Vec<Heard>> {
    let mut all = Vec::new();
    for (at, &baud) in rates.iter().enumerate() {
        let settings = Settings { baud, bits: Bits::EightNone };
        tell(at, settings);
        // A driver that cannot run at a rate is no reason not to try the others.
        if port.set(settings).is_err() {
            continue;
        }
        let heard = listen(port, settings, Until::after_ns(seconds.saturating_mul(SECOND)))?;
        let is_plain = heard.verdict.as_ref().is_some_and(Verdict::is_plain);
        all.push(heard);
        if is_plain {
            break;
        }
    }
    all.sort_by(|a, b| match (&a.verdict, &b.verdict) {
        (Some(a), Some(b)) => b.rank(a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    Ok(all)
}

/// Listens at one setting, or to datagrams.
pub(super) fn listen(port: &mut Port, settings: Settings, until: Until) -> io::Result<Heard> {
    let framing = port.framing();
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let mut heard = Heard { settings, bytes: 0, verdict: None };
    // Bytes that were judged, and with how many more it is worth doing again.
    let (mut judged, mut due) = (0, 0);
    loop {
        let is_over = until.is_over() || PROBE_BYTES_MAX <= heard.bytes;
        if !is_over && let Some((_, bytes)) = port.listen()? {
            heard.bytes += bytes.len();
            pieces.push(bytes.to_vec());
            if heard.bytes < due {
                continue;
            }
        }
        if judged < heard.bytes {
            judged = heard.bytes;
            due = judged + judged / JUDGED_AGAIN;
            heard.judge(&pieces, framing);
        }
        let is_plain = heard.verdict.as_ref().is_some_and(Verdict::is_plain);
        if is_over || is_plain || is_hopeless(&heard, &pieces, framing) {
            return Ok(heard);
        }
    }
}

impl Heard {
    fn judge(&mut self, pieces: &[Vec<u8>], framing: Framing) {
        let (bits, stripped) = match parity(pieces, framing) {
            None => (Bits::EightNone, None),
            Some(bits) => (bits, Some(without_eighth(pieces))),
        };
        self.settings.bits = bits;
        self.verdict = judge::best(stripped.as_deref().unwrap_or(pieces), framing);
    }
}

/// Whether more of the same would say no more: noise, and no frame in it.
fn is_hopeless(heard: &Heard, pieces: &[Vec<u8>], framing: Framing) -> bool {
    let has_frames = heard.verdict.as_ref().is_some_and(|verdict| 0 < verdict.tally.frames_ok);
    if framing == Framing::Datagram || has_frames || heard.bytes < NOISE_BYTES {
        return false;
    }
    let printable = |byte: &&u8| matches!(**byte & 0x7f, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    let count = pieces.iter().flatten().filter(printable).count();
    (count as f64) < PRINTABLE_MIN * heard.bytes as f64
}

/// The parity that all bytes have, if that is no chance and the eighth bit is used.
fn parity(pieces: &[Vec<u8>], framing: Framing) -> Option<Bits> {
    let bytes = || pieces.iter().flatten();
    if framing == Framing::Datagram || bytes().nth(PARITY_BYTES - 1).is_none() {
        return None;
    }
    let all = |odd| bytes().all(|byte| byte.count_ones() % 2 == odd);
    let used = bytes().any(|byte| 0x80 <= *byte);
    match () {
        () if used && all(0) => Some(Bits::SevenEven),
        () if used && all(1) => Some(Bits::SevenOdd),
        () => None,
    }
}

fn without_eighth(pieces: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let strip = |piece: &Vec<u8>| piece.iter().map(|byte| byte & 0x7f).collect();
    pieces.iter().map(strip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_parity(text: &str, odd: u32) -> Vec<Vec<u8>> {
        let set = |byte: u8| byte | u8::from(byte.count_ones() % 2 != odd) << 7;
        vec![text.bytes().map(set).collect()]
    }

    #[test]
    fn seven_bits_with_parity_are_known_by_their_eighth() {
        let text = "t:21.5 h:45\n".repeat(8);
        for (odd, bits) in [(0, Bits::SevenEven), (1, Bits::SevenOdd)] {
            let pieces = with_parity(&text, odd);
            assert_eq!(parity(&pieces, Framing::Stream), Some(bits));
            assert_eq!(without_eighth(&pieces), [text.as_bytes()]);
            assert_eq!(parity(&pieces, Framing::Datagram), None);
        }
        assert_eq!(parity(&[text.clone().into_bytes()], Framing::Stream), None, "eight bits");
        assert_eq!(parity(&with_parity("t:2\n", 0), Framing::Stream), None, "too few");
    }
}
