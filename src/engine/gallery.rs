//! The views of all channels, kept so that a new snapshot shares what did not change.

use std::sync::Arc;

use super::{
    snapshot::{ChannelInfo, ChannelView, Chunk, Live},
    summary::Summary,
};
use crate::limits::CHANNELS_PER_CHUNK;

/// The channels as snapshots show them, with what has changed since the last one.
#[derive(Debug, Default)]
pub struct Gallery {
    pending: Vec<Pending>,
    /// One bit a channel that must be shown anew; a word is a chunk.
    changed: Vec<u64>,
    chunks: Vec<Chunk>,
    by_id: Arc<[u32]>,
    grown: bool,
}

#[derive(Debug)]
struct Pending {
    info: Arc<ChannelInfo>,
    live: Option<Live>,
    summaries: Box<[Option<Arc<Summary>>]>,
}

const _: () = assert!(CHANNELS_PER_CHUNK == u64::BITS as usize);

impl Gallery {
    /// Adds a channel; indexes come densely and in order.
    pub fn add(&mut self, info: Arc<ChannelInfo>) {
        debug_assert_eq!(info.index as usize, self.pending.len());
        let summaries = vec![None; info.rules.windows.len()].into();
        self.mark(info.index);
        self.pending.push(Pending { info, live: None, summaries });
        self.grown = true;
    }

    /// Shows a value as the latest unless a younger one is shown.
    pub fn show_live(&mut self, channel: u32, live: Live) {
        let shown = &mut self.pending[channel as usize].live;
        if shown.is_none_or(|shown| shown.at_ns <= live.at_ns) {
            *shown = Some(live);
            self.mark(channel);
        }
    }

    /// Shows the latest result of a window.
    pub fn show_summary(&mut self, channel: u32, window: usize, summary: Option<Summary>) {
        self.pending[channel as usize].summaries[window] = summary.map(Arc::new);
        self.mark(channel);
    }

    /// Channels in chunks, and their order by id; what changed is marked with `seq`.
    pub fn publish(&mut self, seq: u64) -> (Vec<Chunk>, Arc<[u32]>) {
        for chunk in 0..self.changed.len() {
            let changed = std::mem::take(&mut self.changed[chunk]);
            if changed != 0 {
                self.renew(chunk, changed, seq);
            }
        }
        if std::mem::take(&mut self.grown) {
            let mut by_id: Vec<u32> = (0..).take(self.pending.len()).collect();
            by_id.sort_unstable_by(|&a, &b| {
                self.pending[a as usize].info.id.cmp(&self.pending[b as usize].info.id)
            });
            self.by_id = by_id.into();
        }
        (self.chunks.clone(), Arc::clone(&self.by_id))
    }

    fn renew(&mut self, chunk: usize, changed: u64, seq: u64) {
        let from = chunk * CHANNELS_PER_CHUNK;
        let upto = self.pending.len().min(from + CHANNELS_PER_CHUNK);
        let before = self.chunks.get(chunk);
        let views = self.pending[from..upto].iter().enumerate().map(|(i, pending)| {
            match before.and_then(|views| views.get(i)) {
                Some(view) if changed & (1 << i) == 0 => Arc::clone(view),
                _ => Arc::new(pending.view(seq)),
            }
        });
        let views = views.collect();
        match self.chunks.get_mut(chunk) {
            Some(before) => *before = views,
            None => self.chunks.push(views),
        }
    }

    fn mark(&mut self, channel: u32) {
        let chunk = channel as usize / CHANNELS_PER_CHUNK;
        if self.changed.len() <= chunk {
            self.changed.resize(chunk + 1, 0);
        }
        self.changed[chunk] |= 1 << (channel as usize % CHANNELS_PER_CHUNK);
    }
}

impl Pending {
    fn view(&self, seq: u64) -> ChannelView {
        ChannelView {
            info: Arc::clone(&self.info),
            live: self.live,
            changed_seq: seq,
            summaries: self.summaries.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{snapshot::tests_support::info, summary::Flag};

    fn live(value: f64, at_ns: i64) -> Live {
        Live { value, at_ns, arrived_ns: at_ns, flag: Flag::Pass }
    }

    #[test]
    fn what_did_not_change_is_shared() {
        let mut gallery = Gallery::default();
        for index in 0..200 {
            gallery.add(info(index, &format!("c{:03}", 199 - index)));
        }
        let (first, by_id) = gallery.publish(1);
        assert_eq!(by_id[..2], [199, 198]);
        gallery.show_live(70, live(1.0, 5));
        let (second, same_ids) = gallery.publish(2);
        assert!(Arc::ptr_eq(&by_id, &same_ids));
        let shared: Vec<bool> = first.iter().zip(&second).map(|(a, b)| Arc::ptr_eq(a, b)).collect();
        assert_eq!(shared, [true, false, true, true]);
        let changed: Vec<u32> = (second[1].iter().zip(first[1].iter()))
            .filter(|(new, old)| !Arc::ptr_eq(new, old))
            .map(|(new, _)| new.info.index)
            .collect();
        assert_eq!(changed, [70]);
        assert_eq!(second[1][6].changed_seq, 2);
    }

    #[test]
    fn the_latest_value_is_the_one_with_the_largest_event_time() {
        let mut gallery = Gallery::default();
        gallery.add(info(0, "a"));
        gallery.show_live(0, live(1.0, 10));
        gallery.show_live(0, live(2.0, 9));
        gallery.show_live(0, live(3.0, 10));
        let (chunks, _) = gallery.publish(1);
        assert_eq!(chunks[0][0].live, Some(live(3.0, 10)));
    }
}
