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
    limits::{PROBE_BYTES_MAX, PROBE_STALE_NS, SECOND},
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

/// Bits of a frame from which on its format is named as soon as it explains what came: what looks
/// like lines of text at first may be part of a longer frame.
const STRONG_BITS: u32 = 12;
/// Bytes, or bursts of bytes, that are heard before any other format is named: more than two blocks
/// of VE.Direct.
const WEAK_BYTES: usize = 640;
const WEAK_BURSTS: usize = 3;

/// What was heard at one setting.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) settings: Settings,
    pub(super) bytes: usize,
    /// How often bytes came behind a pause.
    pub(super) bursts: usize,
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
        // What was received at the rate before may still be on its way through the driver.
        let stale = Until::after_ns(PROBE_STALE_NS);
        while 0 < at && !stale.is_over() {
            port.listen()?;
        }
        let heard = listen(port, settings, Until::after_ns(seconds.saturating_mul(SECOND)))?;
        let is_enough = heard.is_enough();
        all.push(heard);
        if is_enough {
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
    let mut heard = Heard { settings, bytes: 0, bursts: 0, verdict: None };
    // Bytes that were judged, and with how many more it is worth doing again.
    let (mut judged, mut due) = (0, 0);
    let mut paused = true;
    loop {
        let is_over = until.is_over() || PROBE_BYTES_MAX <= heard.bytes;
        let came = if is_over { None } else { port.listen()? };
        if let Some((_, bytes)) = came {
            heard.bytes += bytes.len();
            heard.bursts += usize::from(paused);
            paused = false;
            pieces.push(bytes.to_vec());
            if heard.bytes < due {
                continue;
            }
        } else {
            paused = true;
        }
        if judged < heard.bytes {
            judged = heard.bytes;
            due = judged + judged / JUDGED_AGAIN;
            heard.judge(&pieces, framing);
        }
        if is_over || heard.is_enough() || is_hopeless(&heard, &pieces, framing) {
            return Ok(heard);
        }
    }
}

impl Heard {
    /// Whether nothing more need be heard.
    fn is_enough(&self) -> bool {
        let long = WEAK_BYTES <= self.bytes || WEAK_BURSTS <= self.bursts;
        let verdict = self.verdict.as_ref().filter(|verdict| verdict.is_plain());
        verdict.is_some_and(|verdict| long || STRONG_BITS <= verdict.candidate.bits)
    }

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
    fn lines_that_may_be_part_of_a_block_name_nothing_yet() {
        let settings = Settings { baud: 19_200, bits: Bits::EightNone };
        let heard = |bytes: &[u8], bursts| {
            let mut heard = Heard { settings, bytes: bytes.len(), bursts, verdict: None };
            heard.judge(&[bytes.to_vec()], Framing::Stream);
            (heard.is_enough(), heard.verdict.expect("something came").candidate.name)
        };
        // A battery monitor that is joined in the middle of a block, and what follows.
        let part = b"Relay\tOFF\r\nH3\t-149322\r\nH4\t1\r\nH5\t0\r\nH6\t-82854\r\nH7\t8\r\nH8\t9\r\nH9\t0\r\n\
                     H10\t1\r\nH11\t0\r\nH12\t0";
        assert_eq!(heard(part, 2), (false, "text"));
        let mut block = b"\r\nPID\t0x203\r\nV\t12065\r\nI\t-7625\r\nChecksum\t".to_vec();
        let sum = block.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        block.push(sum.wrapping_neg());
        let both = [&part[..], b"\r\nChecksum\tx", &block.repeat(12)].concat();
        assert_eq!(heard(&both, 2), (true, "VE.Direct"));
        // Lines that are lines.
        let lines = "t:21.5 h:45\n".repeat(8);
        assert_eq!(heard(lines.as_bytes(), 1), (false, "text"));
        assert_eq!(heard(lines.as_bytes(), 3), (true, "text"), "one after the other");
        assert_eq!(heard(lines.repeat(8).as_bytes(), 1), (true, "text"), "so many at once");
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
