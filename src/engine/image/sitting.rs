//! An image while it is taken.
//!
//! A [`Sitting`] goes through the stages as a mark among the batches. Each stage that comes to it
//! begins a [`Sheet`], writes what it keeps as it is at that place of the stream, at once or in
//! slices, and hands it in. When the last of them has let go of the sitting it is over, and who
//! called for it is given the sheets, if none is lacking.

use std::{
    fmt, mem,
    sync::{Arc, Mutex, PoisonError},
};

use super::{bytes::Writer, record::Kind};
use crate::limits::IMAGE_BLOCK_BYTES;

/// The records of an image, in blocks: no growth moves more than one.
pub type Blocks = Vec<Vec<u8>>;

/// One instant of the stream at which all stages are taken.
pub struct Sitting {
    sheets: Mutex<Sheets>,
    /// Takes the records; dropped if some are lacking.
    done: Option<Box<dyn FnOnce(Blocks) + Send + Sync>>,
}

#[derive(Debug, Default)]
struct Sheets {
    begun: usize,
    handed_in: usize,
    blocks: Blocks,
}

impl fmt::Debug for Sitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sitting").finish_non_exhaustive()
    }
}

impl Sitting {
    /// Calls for an image, which is given to `done`.
    #[must_use = "it has to go through the stages"]
    pub fn new(done: impl FnOnce(Blocks) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { sheets: Mutex::default(), done: Some(Box::new(done)) })
    }

    /// The sheet of one stage.
    #[must_use]
    pub fn sheet(self: &Arc<Self>) -> Sheet {
        self.with(|sheets| sheets.begun += 1);
        Sheet { sitting: Arc::clone(self), full: Vec::new(), block: Vec::new(), record: Vec::new() }
    }

    fn with(&self, change: impl FnOnce(&mut Sheets)) {
        // Nothing that is done with the sheets can leave them half done.
        change(&mut self.sheets.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        let sheets = self.sheets.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Sheets { begun, handed_in, blocks } = mem::take(sheets);
        if begun == handed_in
            && let Some(done) = self.done.take()
        {
            done(blocks);
        }
    }
}

/// What one stage says of itself.
#[derive(Debug)]
pub struct Sheet {
    sitting: Arc<Sitting>,
    full: Blocks,
    block: Vec<u8>,
    /// The record at hand.
    record: Vec<u8>,
}

impl Sheet {
    /// Adds a record.
    pub fn record(&mut self, kind: Kind, write: impl FnOnce(&mut Writer<'_>)) {
        self.record.clear();
        write(&mut Writer::new(&mut self.record));
        // Two numbers of at most ten bytes stand before it.
        let needed = self.record.len() + 20;
        if self.block.capacity() - self.block.len() < needed {
            let fresh = Vec::with_capacity(needed.max(IMAGE_BLOCK_BYTES));
            self.full.push(mem::replace(&mut self.block, fresh));
        }
        let mut writer = Writer::new(&mut self.block);
        writer.byte(kind as u8);
        writer.bytes(&self.record);
    }

    /// The stage has said all.
    pub fn hand_in(self) {
        let Self { sitting, mut full, block, .. } = self;
        full.push(block);
        full.retain(|block| !block.is_empty());
        sitting.with(|sheets| {
            sheets.handed_in += 1;
            sheets.blocks.append(&mut full);
        });
    }
}

/// Which of many are yet to be written, while those that change meanwhile are written before.
#[derive(Debug, Default)]
pub struct Unsaved {
    /// A bit for each.
    words: Vec<u64>,
    /// All words before it are 0.
    next: usize,
}

impl Unsaved {
    /// So many, none of them written.
    #[must_use]
    pub fn all(count: usize) -> Self {
        let mut words = vec![u64::MAX; count.div_ceil(64)];
        if let Some(last) = words.last_mut()
            && !count.is_multiple_of(64)
        {
            *last = (1 << (count % 64)) - 1;
        }
        Self { words, next: 0 }
    }

    /// Whether this one is yet to be written; it is not any more then. One that came later is not
    /// among them.
    #[inline]
    pub fn take(&mut self, at: usize) -> bool {
        let Some(word) = self.words.get_mut(at / 64) else { return false };
        let bit = 1 << (at % 64);
        let is_unsaved = *word & bit != 0;
        *word &= !bit;
        is_unsaved
    }

    /// The first that is yet to be written; it is not any more then.
    pub fn take_first(&mut self) -> Option<usize> {
        while let Some(word) = self.words.get_mut(self.next) {
            if *word != 0 {
                let bit = word.trailing_zeros() as usize;
                *word &= *word - 1;
                return Some(self.next * 64 + bit);
            }
            self.next += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_written_once_however_it_comes_about() {
        for count in [0, 1, 63, 64, 65, 200] {
            let mut unsaved = Unsaved::all(count);
            assert!(!unsaved.take(count + 64), "came later");
            let mut seen = vec![false; count];
            for at in (0..count).step_by(7) {
                assert!(unsaved.take(at) && !unsaved.take(at));
                seen[at] = true;
            }
            while let Some(at) = unsaved.take_first() {
                assert!(!std::mem::replace(&mut seen[at], true), "{at} of {count} twice");
            }
            assert!(seen.iter().all(|seen| *seen));
        }
    }

    #[test]
    fn an_image_is_given_when_all_have_let_go_and_only_if_none_is_lacking() {
        let (send, given) = std::sync::mpsc::sync_channel::<Blocks>(2);
        let call = || {
            let send = send.clone();
            Sitting::new(move |blocks| send.send(blocks).expect("room"))
        };
        let sitting = call();
        let mut first = sitting.sheet();
        first.record(Kind::Source, |writer| writer.text("a"));
        first.hand_in();
        let mut second = sitting.sheet();
        drop(sitting);
        assert!(given.try_recv().is_err(), "one is still at it");
        second.record(Kind::Lane, |writer| writer.number(300));
        second.hand_in();
        let blocks = given.try_recv().expect("given").concat();
        assert_eq!(blocks, [Kind::Source as u8, 2, 1, b'a', Kind::Lane as u8, 2, 0xac, 2]);

        let sitting = call();
        sitting.sheet().hand_in();
        drop(sitting.sheet());
        drop(sitting);
        assert!(given.try_recv().is_err(), "one did not finish");
    }
}
