//! The state of the engine as data, to go on with after a restart.
//!
//! An image is taken at one instant of the stream ([`sitting`]): each stage writes what it keeps of
//! each channel, source and device as a record of its own ([`record`]), by explicit rules
//! ([`bytes`]), and all of them go into one envelope ([`envelope`]). No pointer, no layout and no
//! rule of the configuration is part of it.
//!
//! Going on is left to those whose records they are: validation takes the times, the devices and
//! the channels that were found, and hands each channel on together with what the image has of it
//! ([`Kept`]); every stage behind takes its part when it is told of the channel. They build
//! ordinary structures by their ordinary operations, and what does not fit those is dropped and
//! counted under a reason ([`Misfit`]). A channel is known by its id, and starts empty if it was
//! made under other rules ([`fingerprint`]).
//!
//! Nothing here knows of files or clocks. The format is described in `docs/state.md`.

pub mod bytes;
pub mod envelope;
pub mod fingerprint;
pub mod record;
pub mod sitting;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use self::record::Index;
pub use self::{
    bytes::{Reader, Writer},
    envelope::{Damage, Head, Sealed},
    record::{ChannelRecords, Kind, Place, SourceRecords},
    sitting::{Sheet, Sitting, Unsaved},
};
use super::snapshot::ChannelInfo;

/// Why something of an image is not gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The channel is aggregated, calibrated or read otherwise now.
    RulesChanged,
    /// The configuration has it no more.
    Gone,
    /// There is no room for it: the caps on what is discovered are lower now.
    Cardinality,
    /// Its time lies ahead of the clock, which must have been set back.
    Ahead,
    /// Its source plays a recording, which begins anew.
    Replayed,
    /// It contradicts itself.
    Malformed,
}

impl Misfit {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::RulesChanged,
        Self::Gone,
        Self::Cardinality,
        Self::Ahead,
        Self::Replayed,
        Self::Malformed,
    ];

    /// Name in Status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RulesChanged => "rules_changed",
            Self::Gone => "gone",
            Self::Cardinality => "cardinality",
            Self::Ahead => "ahead",
            Self::Replayed => "replayed",
            Self::Malformed => "malformed",
        }
    }
}

/// What became of an image.
#[derive(Debug, Default)]
pub struct Salvage {
    channels: AtomicU64,
    dropped: [AtomicU64; Misfit::ALL.len()],
}

impl Salvage {
    /// A channel goes on.
    pub fn keep(&self) {
        self.channels.fetch_add(1, Relaxed);
    }

    /// A channel, a device or the time of a source does not.
    pub fn lose(&self, why: Misfit) {
        self.dropped[why as usize].fetch_add(1, Relaxed);
    }

    /// Channels that go on.
    #[must_use]
    pub fn channels(&self) -> u64 {
        self.channels.load(Relaxed)
    }

    /// What does not go on, by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (Misfit, u64)> {
        let count = |why: Misfit| (why, self.dropped[why as usize].load(Relaxed));
        Misfit::ALL.into_iter().map(count).filter(|(_, n)| 0 < *n)
    }
}

/// An image that was taken, whole.
#[derive(Debug)]
pub struct Image {
    head: Head,
    bytes: Vec<u8>,
    index: Index,
    salvage: Arc<Salvage>,
}

impl Image {
    /// The image in these bytes.
    ///
    /// # Errors
    /// If they are none, or none that this program can read.
    pub fn open(bytes: Vec<u8>) -> Result<Self, Damage> {
        let (head, records) = envelope::open(&bytes)?;
        let start = records.as_ptr().addr() - bytes.as_ptr().addr();
        let place = start..start + records.len();
        let index = Index::new(&bytes, place)?;
        Ok(Self { head, bytes, index, salvage: Arc::default() })
    }

    /// What is known of it without its records.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no bytes, which it always has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What becomes of it.
    #[must_use]
    pub fn salvage(&self) -> &Arc<Salvage> {
        &self.salvage
    }

    /// Sources, each with its number in the image.
    pub fn sources(&self) -> impl Iterator<Item = (u32, &SourceRecords)> {
        self.index.sources.iter().map(|(number, source)| (*number, source))
    }

    /// Channels by their numbers in the image, ascending.
    pub fn channels(&self) -> impl Iterator<Item = (u32, &ChannelRecords)> {
        self.index.channels.iter().map(|(number, channel)| (*number, channel))
    }

    /// The number of the channel with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<u32> {
        self.index.by_id.get(id).copied()
    }

    /// Reads what is at a place of it.
    #[must_use]
    pub fn reader(&self, place: &Place) -> Reader<'_> {
        Reader::new(&self.bytes[place.clone()])
    }
}

/// What an image has of one channel, on its way through the stages.
#[derive(Clone, Debug)]
pub struct Kept {
    image: Arc<Image>,
    /// Number of the channel in the image.
    number: u32,
    /// Where the watermark of its lane is; what is closed lies before it.
    pub watermark_ns: i64,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.image, &other.image) && self.number == other.number
    }
}

impl Kept {
    /// What `image` has of this channel.
    ///
    /// # Errors
    /// If it was made under other rules; `Ok(None)` if there is nothing of it.
    pub fn of(
        image: &Arc<Image>,
        info: &ChannelInfo,
        watermark_ns: i64,
    ) -> Result<Option<Self>, Misfit> {
        let Some(number) = image.find(&info.id) else { return Ok(None) };
        if image.index.channels[&number].fingerprint != info.fingerprint {
            return Err(Misfit::RulesChanged);
        }
        Ok(Some(Self { image: Arc::clone(image), number, watermark_ns }))
    }

    /// What the image has of it.
    #[must_use]
    pub fn records(&self) -> &ChannelRecords {
        &self.image.index.channels[&self.number]
    }

    /// Its panes and windows.
    #[must_use]
    pub fn windows(&self) -> Reader<'_> {
        self.image.reader(&self.records().windows)
    }

    /// What its calibration remembers, if it does.
    #[must_use]
    pub fn curve(&self) -> Option<Reader<'_>> {
        self.records().curve.as_ref().map(|place| self.image.reader(place))
    }

    /// What its tests remember, if there are any.
    #[must_use]
    pub fn judged(&self) -> Option<Reader<'_>> {
        self.records().judged.as_ref().map(|place| self.image.reader(place))
    }

    /// Where to count what becomes of it.
    #[must_use]
    pub fn salvage(&self) -> &Salvage {
        &self.image.salvage
    }
}
