//! All current summaries, channel states and the ledger: immutable, behind one `Arc`.
//!
//! A snapshot shares what did not change with the one before: see [`super::column`]. Channels are
//! kept as plain numbers; what can be derived from them is derived when it is asked for.

use std::sync::Arc;

use super::{
    Ledger, Link, Rules,
    bins::budget::Load,
    calibration::Calibration,
    condition::{Condition, History},
    directory::Directory,
    gallery::{Part, Shown},
    image::{Reader, Writer},
    ledger::{ReadingTally, SequenceTally},
    plan::ChannelKey,
    split::seat,
    summary::{Flag, Summary},
    verdict::Tests,
};
use crate::wire::Health;

/// The state of everything at one instant.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Counts publications; 0 is the empty snapshot before the first.
    pub seq: u64,
    /// Stretch of unbroken time line.
    pub epoch: u64,
    /// When it was made, nanoseconds since 1970 on the daemon's line.
    pub at_ns: i64,
    /// When the oldest frame arrived that is new in this snapshot.
    pub oldest_arrival_ns: Option<i64>,
    /// When the frame arrived that let the first of its new results fall due.
    pub oldest_due_ns: Option<i64>,
    /// What never changes about the channels, and their order by id.
    pub directory: Arc<Directory>,
    /// What is shown of them, by whoever aggregates them: see [`super::split`].
    pub parts: Arc<[Part]>,
    /// Sources by index.
    pub sources: Arc<[Arc<SourceView>]>,
    /// Sum of all ledgers.
    pub total: Ledger,
    /// Watermark of each lane; see [`ChannelInfo::lane`].
    pub watermarks: Vec<i64>,
    /// What the percentiles take, and what was done about it.
    pub percentiles: Load,
}

impl Snapshot {
    /// Number of channels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.directory.len()
    }

    /// Whether there is no channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.directory.is_empty()
    }

    /// The channel with this dense index.
    ///
    /// # Panics
    /// If the index is not below [`Self::len`].
    #[must_use]
    pub fn channel(&self, index: u32) -> ChannelView<'_> {
        let info = self.directory.info(index);
        let (part, place) = seat(index as usize, self.parts.len());
        let part = &self.parts[part];
        let Shown { live, begun_ns, changed_seq } = part.shown.cells(place)[0];
        ChannelView { info, live, begun_ns, changed_seq, part, place }
    }

    /// What the device of a channel said of itself in its latest frame; good if it says nothing.
    #[must_use]
    pub fn health(&self, info: &ChannelInfo) -> Health {
        self.device(info).map_or(Health::Good, |view| view.health)
    }

    /// The worst condition of a channel's device from `from_ns` on and before `until_ns`; `None` if
    /// nothing was heard of it.
    #[must_use]
    pub fn condition(&self, info: &ChannelInfo, from_ns: i64, until_ns: i64) -> Option<Condition> {
        self.device(info)?.history.within(from_ns, until_ns)
    }

    fn device(&self, info: &ChannelInfo) -> Option<&DeviceView> {
        let devices = &self.sources.get(info.source)?.devices;
        let at = devices.binary_search_by_key(&info.key.device(), |view| view.device);
        devices.get(at.ok()?)
    }

    /// The channel with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<ChannelView<'_>> {
        self.directory.find(id).map(|index| self.channel(index))
    }
}

/// What never changes about a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelInfo {
    /// Id.
    pub id: Arc<str>,
    /// Dense index.
    pub index: u32,
    /// Index of the source.
    pub source: usize,
    /// Name of the source.
    pub source_name: Arc<str>,
    /// Where its readings come from.
    pub key: ChannelKey,
    /// Unit of the values.
    pub unit: Option<Arc<str>>,
    /// Found on the wire rather than configured.
    pub discovered: bool,
    /// Index into [`Snapshot::watermarks`].
    pub lane: usize,
    /// From raw to calibrated values.
    pub calibration: Calibration,
    /// How it is aggregated.
    pub rules: Rules,
    /// What gives its panes their meaning: see [`super::image::fingerprint`].
    pub fingerprint: u64,
}

/// One channel in a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct ChannelView<'a> {
    /// What never changes.
    pub info: &'a Arc<ChannelInfo>,
    /// Latest accepted value.
    pub live: Option<Live>,
    /// Event time of the earliest that was accepted.
    pub begun_ns: Option<i64>,
    /// Number of the snapshot in which anything about the channel changed for the last time.
    pub changed_seq: u64,
    part: &'a Part,
    place: usize,
}

/// Latest accepted value of a channel, by event time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    /// The value; not a number where none can be given, which the flag says.
    pub value: f64,
    /// Event time, nanoseconds since 1970 on the daemon's line.
    pub at_ns: i64,
    /// When it arrived.
    pub arrived_ns: i64,
    /// Its verdict.
    pub flag: Flag,
    /// What speaks against it.
    pub tests: Tests,
}

impl Live {
    pub(super) fn save(&self, writer: &mut Writer<'_>) {
        writer.real(self.value);
        writer.integer(self.at_ns);
        writer.integer(self.arrived_ns);
        writer.byte(self.flag as u8);
        self.tests.save(writer);
    }

    pub(super) fn restore(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            value: reader.value_or_none()?,
            at_ns: reader.time()?,
            arrived_ns: reader.time()?,
            flag: *Flag::ALL.get(usize::from(reader.byte()?))?,
            tests: Tests::restore(reader)?,
        })
    }
}

/// Whether a channel delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    /// The latest value is young.
    Ok,
    /// Older than `stale_after`.
    Stale,
    /// Older than `silent_after`.
    Silent,
    /// No value was ever accepted.
    Never,
}

impl ChannelState {
    /// Name in a reply.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Stale => "stale",
            Self::Silent => "silent",
            Self::Never => "never",
        }
    }
}

impl ChannelView<'_> {
    /// Last closed result of the window with this number in `info.rules`; `None` where the window
    /// holds no accepted reading.
    #[must_use]
    pub fn summary(&self, window: usize) -> Option<Summary> {
        let results = self.part.windows.get(window)?;
        let figures = results.figures.cells(self.place).first()?.as_ref()?;
        let rules = &self.info.rules;
        let percentiles = results.percentiles.cells(self.place);
        let details = results.details.cells(self.place);
        Some(Summary::of(figures, percentiles, details, rules.window(window), rules))
    }

    /// State at `now_ns` on the daemon's line.
    #[must_use]
    pub fn state(&self, now_ns: i64) -> ChannelState {
        let Some(live) = &self.live else { return ChannelState::Never };
        let age_ns = now_ns.saturating_sub(live.arrived_ns);
        if self.info.rules.silent_ns <= age_ns {
            ChannelState::Silent
        } else if self.info.rules.stale_ns <= age_ns {
            ChannelState::Stale
        } else {
            ChannelState::Ok
        }
    }
}

/// One source in a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceView {
    /// Name.
    pub name: Arc<str>,
    /// State.
    pub link: Link,
    /// When its latest frame arrived.
    pub last_arrival_ns: Option<i64>,
    /// What it received.
    pub ledger: Ledger,
    /// Its devices, ascending by id.
    pub devices: Arc<[DeviceView]>,
    /// Channels it has, configured and discovered.
    pub channels: usize,
}

impl SourceView {
    /// A source that has not been heard of yet.
    #[must_use]
    pub fn starting(name: Arc<str>) -> Self {
        Self {
            name,
            link: Link::Starting,
            last_arrival_ns: None,
            ledger: Ledger::default(),
            devices: Arc::default(),
            channels: 0,
        }
    }
}

/// One device in a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceView {
    /// Device id; 0 for formats that name none.
    pub device: u32,
    /// Latest restart mark.
    pub boot: u16,
    /// Its own judgement of itself in its latest frame.
    pub health: Health,
    /// What it said of itself and of its clock, and since when.
    pub history: Arc<History>,
    /// When its latest frame arrived.
    pub last_arrival_ns: i64,
    /// Frames decoded.
    pub frames: u64,
    /// Its readings.
    pub readings: ReadingTally,
    /// Its sequence numbers.
    pub sequence: SequenceTally,
}

impl DeviceView {
    /// A device of which nothing is known yet.
    #[must_use]
    pub fn unheard(device: u32) -> Self {
        Self {
            device,
            boot: 0,
            health: Health::Good,
            history: Arc::default(),
            last_arrival_ns: 0,
            frames: 0,
            readings: ReadingTally::default(),
            sequence: SequenceTally::default(),
        }
    }
}

/// What tests of several modules build channels with.
#[cfg(test)]
pub(crate) mod tests_support {
    use super::*;
    use crate::engine::{rules::Window, statistics::Statistics};

    /// Rules with 100 ms panes and windows of 1 s each 100 ms and 10 s each 1 s.
    pub(crate) fn rules() -> Rules {
        let window = |length_s: i64, every_ms: i64| Window {
            length_ns: length_s * 1_000_000_000,
            every_ns: every_ms * 1_000_000,
        };
        Rules {
            pane_ns: 100_000_000,
            lateness_ns: 0,
            future_ns: 2_000_000_000,
            windows: [window(1, 100), window(10, 1_000)].into(),
            exact: [].into(),
            percentiles: [50.0, 90.0].into(),
            figures: 2,
            resolution: 0.001,
            expected_rate: None,
            stale_ns: 10_000_000_000,
            silent_ns: 60_000_000_000,
            statistics: Statistics::none(),
        }
    }

    /// A channel of source 0 with [`rules`].
    pub(crate) fn info(index: u32, id: &str) -> Arc<ChannelInfo> {
        Arc::new(ChannelInfo {
            id: id.into(),
            index,
            source: 0,
            source_name: "test".into(),
            key: ChannelKey::Named(id.into()),
            unit: None,
            discovered: false,
            lane: 0,
            calibration: Calibration::IDENTITY,
            rules: rules(),
            fingerprint: 0,
        })
    }
}
