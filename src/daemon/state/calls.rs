//! When images are called for.

use std::sync::{Arc, atomic::AtomicBool, mpsc::SyncSender};

use super::{
    keeper::{Busy, Taken},
    standing::Standing,
};
use crate::{
    daemon::clock::Line,
    engine::image::{Head, Sitting},
};

/// Calls for an image when one is due: the first at once, so that the epoch is taken, then one each
/// period, and one at the end.
#[derive(Debug)]
pub struct Calls {
    line: Line,
    every_ns: i64,
    next_ns: i64,
    epoch: u64,
    number: u64,
    boot_id: [u8; 16],
    taken: SyncSender<Taken>,
    busy: Arc<AtomicBool>,
    standing: Arc<Standing>,
}

impl Calls {
    /// Images of this epoch and line, which go to `taken`.
    #[must_use]
    pub fn new(
        (epoch, line): (u64, Line),
        boot_id: Option<[u8; 16]>,
        taken: SyncSender<Taken>,
        standing: Arc<Standing>,
    ) -> Self {
        Self {
            line,
            every_ns: standing.every_ns,
            next_ns: i64::MIN,
            epoch,
            number: 0,
            boot_id: boot_id.unwrap_or_default(),
            taken,
            busy: Arc::default(),
            standing,
        }
    }

    /// The call for an image, if one is due at `now_ns` on the line. One that would come while the
    /// one before is still being taken or written is left out, and counted.
    pub fn due(&mut self, now_ns: i64) -> Option<Arc<Sitting>> {
        if now_ns < self.next_ns {
            return None;
        }
        self.next_ns = now_ns.saturating_add(self.every_ns);
        let busy = Busy::mark(&self.busy);
        if busy.is_none() {
            self.standing.skipped();
        }
        Some(self.call(now_ns, busy?))
    }

    /// The call for the last image, which waits for its turn.
    pub fn last(&mut self, now_ns: i64) -> Arc<Sitting> {
        let busy = Busy::mark(&Arc::default()).expect("nobody else has this one");
        self.call(now_ns, busy)
    }

    fn call(&mut self, now_ns: i64, busy: Busy) -> Arc<Sitting> {
        self.number += 1;
        let head = Head {
            epoch: self.epoch,
            number: self.number,
            at_ns: now_ns,
            anchor_ns: self.line.anchor_ns(),
            boot_id: self.boot_id,
        };
        let (taken, standing) = (self.taken.clone(), Arc::clone(&self.standing));
        Sitting::new(move |blocks| {
            // There is room for one beside the one that is being written.
            if taken.try_send(Taken { head, blocks, busy }).is_err() {
                standing.skipped();
            }
        })
    }
}
