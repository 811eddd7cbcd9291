//! What the engine is to do: the typed outcome of a configuration, without a file, a port or a
//! socket in it.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Rules, calibration::Calibration, glob::Glob, qc::plan::QcPlan, sequence::Starts,
    unit::Conversion,
};

/// All of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Sources, by index.
    pub sources: Vec<SourcePlan>,
    /// Configured channels.
    pub channels: Vec<ChannelPlan>,
    /// Rules of channels that say nothing of their own, by arrival time.
    pub defaults: Rules,
    /// Most bytes that the percentile bins of all channels may take.
    pub percentile_bytes: u64,
}

impl Plan {
    /// The tests of all channels that there are or may come to be.
    pub fn all_tests(&self) -> impl Iterator<Item = &QcPlan> {
        let configured = self.channels.iter().map(|channel| &channel.qc);
        let all = configured.chain(self.sources.iter().map(|source| &source.qc));
        all.chain(self.patterns().map(|pattern| &pattern.qc)).flatten().map(|qc| &**qc)
    }

    /// The rules of all channels that there are or may come to be.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rules> {
        let configured = self.channels.iter().map(|channel| &channel.rules);
        let all = configured.chain(self.sources.iter().map(|source| &source.discovered));
        all.chain(self.patterns().map(|pattern| &pattern.rules))
    }

    /// The ids of the channels that a channel's calibration takes as cold junctions.
    #[must_use]
    pub fn junctions_of(&self, channel: &ChannelPlan) -> Vec<Arc<str>> {
        let numbers = channel.calibration.junctions();
        let found = numbers.filter_map(|number| self.channels.get(number as usize));
        found.map(|channel| Arc::clone(&channel.id)).collect()
    }

    fn patterns(&self) -> impl Iterator<Item = &PatternPlan> {
        self.sources.iter().flat_map(|source| &source.patterns)
    }

    /// The channels whose values others take as the temperature of their cold junction.
    #[must_use]
    pub fn junctions(&self) -> BTreeSet<u32> {
        let found = self.patterns().map(|pattern| &pattern.calibration);
        let all = self.channels.iter().map(|channel| &channel.calibration).chain(found);
        all.flat_map(Calibration::junctions).collect()
    }
}

/// One source, as far as the engine is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcePlan {
    /// Name, unique.
    pub name: Arc<str>,
    /// Which time counts.
    pub time: TimeMode,
    /// What happens to devices and channels that no configuration names.
    pub unknown: Unknown,
    /// What the restart marks of its devices are.
    pub starts: Starts,
    /// Whether the fields of the format have names (text) or numbers (native).
    pub named_fields: bool,
    /// Silence after which the source no longer holds back its windows.
    pub idle_ns: i64,
    /// Rules of discovered channels that fit no pattern.
    pub discovered: Rules,
    /// The tests that their readings are judged by; `None` for no test.
    pub qc: Option<Arc<QcPlan>>,
    /// What discovered channels are given by their ids: the first that fits counts.
    pub patterns: Vec<PatternPlan>,
}

/// What discovered channels are given whose ids fit.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternPlan {
    /// Which ids fit.
    pub glob: Glob,
    /// Unit of the published values, as written in the configuration.
    pub unit: Option<Arc<str>>,
    /// From raw to calibrated values.
    pub calibration: Calibration,
    /// From the unit of the calibrated values to the published one.
    pub conversion: Conversion,
    /// The tests that readings are judged by; `None` for no test.
    pub qc: Option<Arc<QcPlan>>,
    /// How they are aggregated.
    pub rules: Rules,
}

/// Whose clock gives the event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// The arrival at this host.
    Arrival,
    /// The device's own, where it sends one.
    Device,
}

/// What happens to devices and channels that no configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Their readings are refused and counted.
    Reject,
    /// They are taken up, as many as this.
    Discover {
        /// Most channels taken up.
        max: usize,
    },
}

/// One configured channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelPlan {
    /// Id, unique.
    pub id: Arc<str>,
    /// Index of its source.
    pub source: usize,
    /// Where its readings are found in the source's frames.
    pub key: ChannelKey,
    /// Unit of the published values, as written in the configuration.
    pub unit: Option<Arc<str>>,
    /// From raw to calibrated values.
    pub calibration: Calibration,
    /// From the unit of the calibrated values to the published one.
    pub conversion: Conversion,
    /// The tests that readings are judged by; `None` for no test.
    pub qc: Option<Arc<QcPlan>>,
    /// How it is aggregated.
    pub rules: Rules,
}

/// Address of a channel within its source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKey {
    /// Native frames: device and channel number.
    Numbered {
        /// Device id.
        device: u32,
        /// Channel number.
        index: u8,
    },
    /// Named formats: the field.
    Named(Arc<str>),
}

impl ChannelKey {
    /// The device, which is number 0 for formats that name none.
    #[must_use]
    pub fn device(&self) -> u32 {
        match self {
            Self::Numbered { device, .. } => *device,
            Self::Named(_) => 0,
        }
    }
}

/// `value = raw * scale + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    /// Factor.
    pub scale: f64,
    /// Added after the factor.
    pub offset: f64,
}

impl Linear {
    /// Leaves values as they are.
    pub const IDENTITY: Self = Self { scale: 1.0, offset: 0.0 };

    /// The value at a raw one.
    #[inline]
    #[must_use]
    pub fn at(&self, raw: f64) -> f64 {
        raw * self.scale + self.offset
    }
}
