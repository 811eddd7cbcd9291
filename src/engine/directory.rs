//! What never changes about the channels, and their order by id.

use std::sync::Arc;

use super::snapshot::ChannelInfo;
use crate::limits::CHANNELS_PER_CHUNK;

/// All channels that a snapshot knows.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By dense index.
    chunks: Vec<Arc<[Arc<ChannelInfo>]>>,
    by_id: Vec<u32>,
}

/// The directory as it grows.
#[derive(Debug, Default)]
pub struct Listing {
    latest: Arc<Directory>,
    /// Channels that the latest does not know, by dense index.
    added: Vec<Arc<ChannelInfo>>,
}

impl Directory {
    /// Number of channels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The channel with this dense index.
    ///
    /// # Panics
    /// If the index is not below [`Self::len`].
    #[must_use]
    pub fn info(&self, index: u32) -> &Arc<ChannelInfo> {
        let index = index as usize;
        &self.chunks[index / CHANNELS_PER_CHUNK][index % CHANNELS_PER_CHUNK]
    }

    /// Dense indexes in ascending order of ids.
    #[must_use]
    pub fn by_id(&self) -> &[u32] {
        &self.by_id
    }

    /// The position in [`Self::by_id`] of the first channel for which `before` does not hold; to
    /// hold for all whose ids are smaller.
    pub fn position(&self, before: impl Fn(&str) -> bool) -> usize {
        self.by_id.partition_point(|&index| before(&self.info(index).id))
    }

    /// The dense index of the channel with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<u32> {
        let at = self.by_id.get(self.position(|other| other < id)).copied();
        at.filter(|&index| &*self.info(index).id == id)
    }

    /// With more channels, which take the next indexes.
    fn with(&self, added: Vec<Arc<ChannelInfo>>) -> Self {
        let first = self.len();
        // Each goes before the first known one that is greater; the known ones are compared with
        // those few only, since they may be a million.
        let mut places: Vec<(usize, &str, u32)> = (0..)
            .map(|at| u32::try_from(first + at).expect("CHANNELS_MAX holds"))
            .zip(&added)
            .map(|(index, info)| (self.position(|id| id < &*info.id), &*info.id, index))
            .collect();
        places.sort_unstable();
        let mut by_id = Vec::with_capacity(first + added.len());
        let mut taken = 0;
        for (place, _, index) in places {
            by_id.extend_from_slice(&self.by_id[taken..place]);
            by_id.push(index);
            taken = place;
        }
        by_id.extend_from_slice(&self.by_id[taken..]);
        let mut chunks = self.chunks.clone();
        let mut last = match first % CHANNELS_PER_CHUNK {
            0 => Vec::new(),
            _ => chunks.pop().map_or_else(Vec::new, |last| last.to_vec()),
        };
        last.extend(added);
        chunks.extend(last.chunks(CHANNELS_PER_CHUNK).map(Arc::from));
        Self { chunks, by_id }
    }
}

impl Listing {
    /// Adds a channel; indexes come densely and in order.
    pub fn add(&mut self, info: Arc<ChannelInfo>) {
        debug_assert_eq!(info.index as usize, self.latest.len() + self.added.len());
        self.added.push(info);
    }

    /// All channels that were added.
    pub fn publish(&mut self) -> Arc<Directory> {
        if !self.added.is_empty() {
            self.latest = Arc::new(self.latest.with(std::mem::take(&mut self.added)));
        }
        Arc::clone(&self.latest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::snapshot::tests_support::info;

    proptest! {
        /// However channels come, they are found by index and by id, and stand in order.
        #[test]
        fn channels_are_found_however_they_come(
            ids in proptest::collection::btree_set("[a-c]{1,6}", 1..300),
            seed in any::<u64>(),
            together in 1..150_usize,
        ) {
            let sorted: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut met = sorted.clone();
            // Any order will do: by a hash of the id.
            met.sort_by_key(|id| {
                let hash = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
                id.bytes().fold(seed, hash)
            });
            let mut listing = Listing::default();
            let mut directory = listing.publish();
            let mut held = Vec::new();
            for (index, id) in (0..).zip(&met) {
                listing.add(info(index, id));
                if (index as usize).is_multiple_of(together) {
                    held.push((index as usize, directory));
                    directory = listing.publish();
                    prop_assert_eq!(directory.len(), index as usize + 1);
                }
            }
            let directory = listing.publish();
            let found: Vec<&str> =
                directory.by_id().iter().map(|&index| &*directory.info(index).id).collect();
            prop_assert_eq!(found, sorted);
            for (index, id) in (0..).zip(&met) {
                prop_assert_eq!(&*directory.info(index).id, *id);
                prop_assert_eq!(directory.find(id), Some(index));
            }
            prop_assert_eq!(directory.find("d"), None);
            prop_assert!(Arc::ptr_eq(&directory, &listing.publish()));
        }
    }
}
