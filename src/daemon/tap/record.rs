//! A recording of a source: all of its bytes, in blocks, or the count of those that found no room.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::mpsc;

use super::{Junction, Place};
use crate::{limits::RECORDED_BLOCKS_MAX, recording::Block, wire::decode::Framing};

/// The source's end.
#[derive(Debug)]
pub(super) struct Recorder {
    takes: mpsc::Sender<Take>,
    block: Block,
    framing: Framing,
    lost: Arc<Lost>,
}

/// What came next.
#[derive(Debug)]
pub struct Take {
    /// Records and bytes that are lacking before the block.
    pub lost: (u64, u64),
    /// How the bytes are framed.
    pub framing: Framing,
    /// The bytes.
    pub block: Block,
}

/// What a recording lacks and nobody was told of.
#[derive(Debug, Default)]
struct Lost {
    records: AtomicU64,
    bytes: AtomicU64,
}

/// The listener's end.
#[derive(Debug)]
pub struct Recording {
    takes: mpsc::Receiver<Take>,
    lost: Arc<Lost>,
    junction: Arc<Junction>,
    _place: Place,
}

impl Recorder {
    pub(super) fn bytes(&mut self, bytes: &[u8], arrived_ns: i64, framing: Framing) {
        self.frame_as(framing);
        self.block.push(arrived_ns, bytes);
        if self.block.is_full() {
            self.hand_over();
        }
    }

    pub(super) fn line_down(&mut self, at_ns: i64, framing: Framing) {
        self.frame_as(framing);
        self.block.push_line_down(at_ns);
    }

    pub(super) fn hand_over(&mut self) {
        let lost = self.lost.take();
        if self.block.is_empty() && lost == (0, 0) {
            return;
        }
        let take = Take { lost, framing: self.framing, block: std::mem::take(&mut self.block) };
        if let Err(error) = self.takes.try_send(take) {
            let Take { lost: (records, bytes), block, .. } = error.into_inner();
            self.lose(records + block.len() as u64, bytes as usize + block.bytes_len());
        }
    }

    pub(super) fn lose(&self, records: u64, bytes: usize) {
        self.lost.records.fetch_add(records, Relaxed);
        self.lost.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// A source whose framing is not known before it is opened changes it once.
    fn frame_as(&mut self, framing: Framing) {
        if self.framing != framing {
            self.hand_over();
            self.framing = framing;
        }
    }
}

impl Lost {
    fn take(&self) -> (u64, u64) {
        (self.records.swap(0, Relaxed), self.bytes.swap(0, Relaxed))
    }
}

impl Recording {
    pub(super) fn start(junction: Arc<Junction>, place: Place) -> Self {
        let (sender, takes) = mpsc::channel(RECORDED_BLOCKS_MAX);
        let lost: Arc<Lost> = Arc::default();
        let recorder = Recorder {
            takes: sender,
            block: Block::default(),
            framing: Framing::Datagram,
            lost: Arc::clone(&lost),
        };
        let mut recorders = junction.recorders();
        recorders.push(recorder);
        junction.listeners.fetch_add(1, Relaxed);
        drop(recorders);
        Self { takes, lost, junction, _place: place }
    }

    /// What came next; `None` when the source has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<Take> {
        self.takes.recv().await
    }

    /// Records and bytes that are lacking at the end, when there is no next.
    #[must_use]
    pub fn lost_at_end(&self) -> (u64, u64) {
        self.lost.take()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.takes.close();
        let mut recorders = self.junction.recorders();
        recorders.retain(|recorder| !recorder.takes.is_closed());
        self.junction.listeners.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::{
        daemon::tap::{Full, Tap, Taps},
        limits::LISTENERS_MAX,
        recording::Piece,
    };

    fn taps() -> (Taps, Tap) {
        let taps = Taps::new(["a".into(), "b".into()]);
        let tap = Tap::new(taps.junction(1), Framing::Stream);
        (taps, tap)
    }

    fn next(recording: &mut Recording) -> Option<Take> {
        recording.next().now_or_never().expect("there is something")
    }

    #[test]
    fn a_recording_has_all_that_came_while_it_lasted() {
        let (taps, tap) = taps();
        assert!(taps.record("c").is_none());
        tap.record(b"before", 4);
        let mut recording = taps.record("b").expect("a source").expect("a place");
        assert!(tap.is_open());
        tap.record(b"abc", 5);
        tap.each(|recorder| recorder.line_down(6, Framing::Stream));
        tap.record(b"d", 7);
        assert!(recording.next().now_or_never().is_none(), "it is collected first");
        drop(tap);
        let Take { lost, framing, block } = next(&mut recording).expect("a block");
        let pieces: Vec<_> = block.chunks().collect();
        let expected = [(5, Piece::Bytes(b"abc")), (6, Piece::LineDown), (7, Piece::Bytes(b"d"))];
        assert_eq!((framing, &*pieces), (Framing::Stream, &expected[..]));
        assert!(next(&mut recording).is_none(), "the end is told");
        assert_eq!((lost, recording.lost_at_end()), ((0, 0), (0, 0)));
    }

    #[test]
    fn what_finds_no_room_is_counted_and_holds_nobody_up() {
        let (taps, tap) = taps();
        let mut recording = taps.record("b").expect("a source").expect("a place");
        let total = RECORDED_BLOCKS_MAX + 3;
        for _ in 0..total {
            tap.record(b"xy", 1);
            tap.hand_over();
        }
        tap.lose(10);
        tap.record(b"", 2);
        let queued = |recording: &mut Recording| {
            (0..RECORDED_BLOCKS_MAX).for_each(|_| {
                assert_eq!(next(recording).expect("a block").lost, (0, 0));
            });
        };
        queued(&mut recording);
        tap.record(b"z", 3);
        tap.hand_over();
        let after = next(&mut recording).expect("a block");
        assert_eq!((after.lost, after.block.len()), ((5, 16), 1), "it is told at its place");
        for _ in 0..total {
            tap.record(b"xy", 1);
            tap.hand_over();
        }
        drop(tap);
        queued(&mut recording);
        assert!(next(&mut recording).is_none());
        assert_eq!(recording.lost_at_end(), (3, 6));
    }

    #[test]
    fn listeners_are_so_many_and_give_their_places_back() {
        let (taps, tap) = taps();
        let listen = || taps.record("b").expect("a source");
        let all: Vec<_> = (0..LISTENERS_MAX).map(|_| listen().expect("a place")).collect();
        assert_eq!(listen().err(), Some(Full));
        drop(all);
        assert!(!tap.is_open());
        assert!(tap.junction.recorders().is_empty());
        assert!(listen().is_ok());
    }
}
