//! How well each format explains what came.
//!
//! Two questions, apart: what share of the bytes is in good frames, and how many bits of evidence
//! the good frames are against chance. A format is named if both are enough.

use std::{cmp::Ordering, ops::RangeInclusive};

use super::candidate::{CANDIDATES, Candidate};
use crate::{
    limits::SECOND,
    wire::{
        Decoder, DeviceClock, Frames, WireTally,
        decode::{Format, Framing},
        influx::Precision,
    },
};

/// Bits that name a format: chance brings that about once in a quarter of a million.
const BITS_MIN: u64 = 18;
/// Bits at which nothing more need be heard.
const BITS_PLENTY: u64 = 2 * BITS_MIN;
/// Share of the bytes that must be in good frames for a format to be named.
const SHARE_MIN: f64 = 0.5;
/// Share at which nothing more need be heard.
const SHARE_PLENTY: f64 = 0.9;
/// Shares that differ by less explain the bytes equally well.
const SHARE_STEP: f64 = 0.05;
/// A line is rarely joined at the start of a frame: so many mean frames before the first good one
/// are not held against a format.
const JOINED_FRAMES: f64 = 2.0;
/// Good frames that are shown.
const SAMPLES_SHOWN: usize = 3;
/// Values of a frame that are shown.
const VALUES_SHOWN: usize = 8;
/// Times that devices say lie between 2001 and 2286, nanoseconds since 1970.
const TIMES_NS: RangeInclusive<i64> = 1_000_000_000 * SECOND..=9_000_000_000 * SECOND;

/// How well a format explains what came.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) candidate: &'static Candidate,
    /// How the bytes make sense: datagrams may be cuts of a stream.
    pub(super) framing: Framing,
    pub(super) tally: WireTally,
    /// Share of the bytes in good frames.
    pub(super) share: f64,
    /// The first good frames with values, decoded, for people.
    pub(super) samples: Vec<String>,
    /// The unit of the times in line protocol, which only their size tells.
    pub(super) precision: Precision,
}

/// The format that explains the pieces best; `None` if nothing came. Datagrams that make more sense
/// as cuts of a stream are taken as such.
pub(super) fn best(pieces: &[Vec<u8>], framing: Framing) -> Option<Verdict> {
    let framings: &[Framing] = match framing {
        // The last of two that are as good counts.
        Framing::Datagram => &[Framing::Stream, Framing::Datagram],
        Framing::Stream => &[Framing::Stream],
    };
    let all = framings.iter().flat_map(|&framing| {
        CANDIDATES.iter().map(move |candidate| judge(candidate, pieces, framing))
    });
    all.filter(|verdict| 0 < verdict.tally.bytes_in).max_by(Verdict::rank)
}

fn judge(candidate: &'static Candidate, pieces: &[Vec<u8>], framing: Framing) -> Verdict {
    let format = candidate.format();
    let mut decoder = Decoder::new(&format, framing);
    let (mut frames, mut tally) = (Frames::default(), WireTally::default());
    let mut samples = Vec::new();
    let mut precision = Precision::default();
    // Bytes of good frames, and bytes that came to an end before the first of them.
    let (mut good, mut before) = (0, 0);
    // A tally does not part the bytes of good frames from those of refused ones, but what one
    // byte of a stream brings about is one or the other.
    let step = match framing {
        Framing::Stream => 1,
        Framing::Datagram => usize::MAX,
    };
    for bytes in pieces.iter().flat_map(|piece| piece.chunks(step)) {
        let (frames_ok, refused, in_frames) =
            (tally.frames_ok, tally.refused_total(), tally.bytes_in_frames);
        decoder.feed(bytes, 0, &mut frames, &mut tally);
        let (fine, bad) = (tally.frames_ok - frames_ok, tally.refused_total() - refused);
        if 0 < fine {
            good += (tally.bytes_in_frames - in_frames) * fine / (fine + bad);
            show(&frames, &decoder, &mut samples);
            if let Format::Influx(_) = format {
                precision = precision_of(&frames).unwrap_or(precision);
            }
        } else if tally.frames_ok == 0 {
            before = tally.bytes_in_frames + tally.bytes_skipped;
        }
        frames.clear();
    }
    let mean = good as f64 / tally.frames_ok.max(1) as f64;
    let joined = (before as f64).min(JOINED_FRAMES * mean);
    let all = (tally.bytes_in_frames + tally.bytes_skipped) as f64 - joined;
    let explains = 0.0 < all && candidate.is_marked(pieces, tally.frames_ok);
    let share = if explains { good as f64 / all } else { 0.0 };
    Verdict { candidate, framing, tally, share, samples, precision }
}

/// In which unit the times of these frames, read as nanoseconds, are of this century.
fn precision_of(frames: &Frames) -> Option<Precision> {
    let is_timed = frames.heads.first().is_some_and(|head| head.clock == DeviceClock::Utc);
    let at_ns = frames.samples.first().filter(|_| is_timed)?.at_ns;
    let fits = |precision: &Precision| {
        at_ns.checked_mul(precision.unit_ns()).is_some_and(|at_ns| TIMES_NS.contains(&at_ns))
    };
    Precision::ALL.into_iter().find(fits)
}

fn show(frames: &Frames, decoder: &Decoder, shown: &mut Vec<String>) {
    let mut samples = frames.samples.as_slice();
    for head in &frames.heads {
        let (own, rest) = samples.split_at(head.samples as usize);
        samples = rest;
        if own.is_empty() || SAMPLES_SHOWN <= shown.len() {
            continue;
        }
        let mut words: Vec<String> = own
            .iter()
            .take(VALUES_SHOWN)
            .map(|sample| match decoder.fields().name(sample.field) {
                Some(name) => format!("{name} = {}", sample.value),
                None => {
                    format!("device {} channel {} = {}", head.device, sample.field, sample.value)
                }
            })
            .collect();
        if VALUES_SHOWN < own.len() {
            words.push(format!("and {} more", own.len() - VALUES_SHOWN));
        }
        // What a device says must not drive the terminal.
        shown.push(words.join(", ").replace(char::is_control, "\u{FFFD}"));
    }
}

impl Verdict {
    /// Whether this is what the port speaks.
    pub(super) fn is_named(&self) -> bool {
        SHARE_MIN <= self.share && BITS_MIN <= self.bits() && !self.samples.is_empty()
    }

    /// Whether nothing more need be heard.
    pub(super) fn is_plain(&self) -> bool {
        self.is_named() && SHARE_PLENTY <= self.share && BITS_PLENTY <= self.bits()
    }

    fn bits(&self) -> u64 {
        self.tally.frames_ok.saturating_mul(u64::from(self.candidate.bits))
    }

    /// The greater is the better.
    pub(super) fn rank(&self, other: &Self) -> Ordering {
        let step = |verdict: &Self| (verdict.share / SHARE_STEP).round();
        let named = self.is_named().cmp(&other.is_named());
        named
            .then_with(|| step(self).total_cmp(&step(other)))
            .then_with(|| self.candidate.bits.cmp(&other.candidate.bits))
            .then_with(|| self.tally.frames_ok.cmp(&other.tally.frames_ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame;

    fn verdict(bytes: &[u8]) -> Verdict {
        best(&[bytes.to_vec()], Framing::Stream).expect("something came")
    }

    #[test]
    fn lines_are_text_and_the_first_of_them_may_be_cut() {
        let mut lines = b"42,h:3\n".to_vec();
        (0..20).for_each(|n| lines.extend_from_slice(format!("t:{n},h:45.5\n").as_bytes()));
        let verdict = verdict(&lines);
        assert_eq!(verdict.candidate.name, "text");
        assert!(verdict.is_plain(), "{verdict:?}");
        assert_eq!(verdict.samples[0], "t = 0, h = 45.5");
        assert_eq!(verdict.samples.len(), SAMPLES_SHOWN);
    }

    #[test]
    fn little_or_damaged_input_names_nothing() {
        assert!(best(&[], Framing::Stream).is_none());
        assert!(!verdict(b"t:1\nt:2\n").is_named(), "two lines may be chance");
        let mut noise: Vec<u8> = (0..4_000_u32).map(|n| (n * n % 251) as u8).collect();
        assert!(!verdict(&noise).is_named());
        noise.extend_from_slice(b"\nt:1\nt:2\nt:3\nt:4\n");
        assert!(!verdict(&noise).is_named(), "a few lines in noise are not what the port speaks");
    }

    #[test]
    fn a_frame_with_a_long_checksum_is_enough() {
        let header = frame::Header {
            kind: frame::Kind::Data,
            first_since_reset: false,
            authenticated: false,
            health: 0,
            device: 17,
            boot: 1,
            time_kind: frame::TimeKind::None,
            time_error: 255,
            sequence: 1,
            time_us: 0,
        };
        let block = frame::BlockHead {
            first_channel: 2,
            channels: 1,
            value_type: frame::ValueType::F64,
            samples: 1,
            dt_us: 0,
        };
        let mut buffer = [0; 128];
        let mut encoder = frame::Encoder::new(&mut buffer, &header).expect("valid");
        encoder.block(block, None, &[1.5]).expect("fits");
        let datagram = encoder.finish().expect("fits").to_vec();
        let verdict = best(&[datagram], Framing::Datagram).expect("something came");
        assert_eq!(verdict.candidate.name, "native frames");
        assert!(verdict.is_named(), "{verdict:?}");
        assert_eq!(verdict.samples, ["device 17 channel 2 = 1.5"]);
    }
}
