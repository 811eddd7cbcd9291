//! What tests of decoders have in common.

use proptest::prelude::*;

use super::{
    Decoder, FrameRefusal, Frames, WireTally,
    decode::{Format, Framing, Naming},
};

/// What came of some bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decoded {
    pub(super) frames: Frames,
    pub(super) tally: WireTally,
    /// Names and units of the fields.
    pub(super) fields: Vec<(String, Option<String>)>,
}

/// Takes up every name there is.
pub(super) fn everything() -> Naming {
    Naming { known: Vec::new(), discover: 999 }
}

/// Feeds pieces that arrive a second apart; nothing follows them.
pub(super) fn decode<'a>(
    format: &Format,
    framing: Framing,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Decoded {
    let mut decoder = Decoder::new(format, framing);
    let (mut frames, mut tally) = (Frames::default(), WireTally::default());
    for piece in pieces {
        decoder.feed(piece, 0, &mut frames, &mut tally);
        let waiting = decoder.buffered() as u64;
        assert_eq!(tally.bytes_in, tally.bytes_in_frames + tally.bytes_skipped + waiting);
    }
    decoder.finish(0, &mut frames, &mut tally);
    assert_eq!(decoder.buffered(), 0);
    assert_sound(&frames, &tally);
    let field = |field| {
        let field = decoder.fields().get(field).expect("the index is below the length");
        (field.name.to_string(), field.unit.as_ref().map(ToString::to_string))
    };
    let fields = (0..decoder.fields().len() as u32).map(field).collect();
    // One NaN is like another here.
    for sample in frames.samples.iter_mut().filter(|sample| sample.value.is_nan()) {
        sample.value = MISSING;
    }
    Decoded { frames, tally, fields }
}

/// What a missing value is turned into, so that it equals itself.
pub(super) const MISSING: f64 = -9.875e77;

/// Bytes, frames and readings add up.
fn assert_sound(frames: &Frames, tally: &WireTally) {
    assert_eq!(tally.bytes_in, tally.bytes_in_frames + tally.bytes_skipped);
    assert_eq!(tally.frames_in, tally.frames_ok + tally.refused_total());
    assert_eq!(tally.frames_ok, frames.heads.len() as u64);
    assert_eq!(tally.readings, frames.samples.len() as u64);
    let owned: u64 = frames.heads.iter().map(|head| u64::from(head.samples)).sum();
    assert_eq!(owned, tally.readings);
}

impl Decoded {
    /// The readings, each with its name.
    pub(super) fn readings(&self) -> Vec<(&str, f64)> {
        let reading =
            |sample: &super::Sample| (self.fields[sample.field as usize].0.as_str(), sample.value);
        self.frames.samples.iter().map(reading).collect()
    }

    /// Frames that are good, and those refused for each reason that occurred.
    pub(super) fn counts(&self) -> (u64, Vec<(&'static str, u64)>) {
        let refused =
            FrameRefusal::ALL.into_iter().map(|why| (why.name(), self.tally.refused[why as usize]));
        (self.tally.frames_ok, refused.filter(|(_, count)| 0 < *count).collect())
    }
}

/// Cuts bytes at the given places, each taken modulo what is left.
pub(super) fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (bytes, Vec::new());
    for cut in cuts {
        let (piece, behind) = rest.split_at(cut % (rest.len() + 1));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

/// Holds that a stream gives the same however it is cut: here, and byte by byte.
pub(super) fn assert_any_split(format: &Format, bytes: &[u8], cuts: &[usize]) {
    let whole = decode(format, Framing::Stream, [bytes]);
    let cut = decode(format, Framing::Stream, pieces(bytes, cuts));
    assert_eq!(cut, whole);
    let single = decode(format, Framing::Stream, bytes.chunks(1));
    assert_eq!(single, whole);
}

/// Bytes in which some that matter to a format are frequent.
pub(super) fn garbage(marks: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..20),
        2 => prop::sample::select(marks).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}
