//! Which channel a field of a frame is.

mod saved;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    calibration::Calibration,
    image::{Kept, fingerprint},
    plan::{ChannelKey, ChannelPlan, Linear, PatternPlan, Plan, Unknown},
    qc::plan::QcPlan,
    rules::Rules,
    snapshot::ChannelInfo,
    timeline::{LaneRules, Timeline},
    unit::{Conversion, Unit},
};
use crate::{
    engine::ledger::ReadingRefusal,
    limits::{CHANNELS_MAX, DEVICES_PER_SOURCE_MAX, VALUE_ABS_MAX},
    wire::Field,
};

/// Room for channels that a device gets with its first.
const TARGETS_FIRST: usize = 8;

/// A channel as validation sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Dense index.
    pub channel: u32,
    /// Lane, numbered within the source.
    pub lane: u32,
    /// Largest magnitude of a raw value that stays a number through calibration and statistics;
    /// not below 0.
    pub raw_abs_max: f64,
}

impl Target {
    /// No channel is known here: no magnitude is small enough.
    const UNKNOWN: Self = Self { channel: u32::MAX, lane: u32::MAX, raw_abs_max: -1.0 };

    fn is_known(&self) -> bool {
        0.0 <= self.raw_abs_max
    }

    /// Whether there is nothing to say against a raw value of a channel that is known: one
    /// comparison, which no value passes that is not a number.
    #[inline]
    #[must_use]
    pub fn takes(&self, value: f64) -> bool {
        value.abs() <= self.raw_abs_max
    }
}

/// All channels there are: the configured ones, and those found on the wire.
#[derive(Debug)]
pub struct Registry {
    /// Names taken, so that a found channel never passes for a configured one.
    ids: BTreeSet<Arc<str>>,
    sources: Vec<SourceChannels>,
    lanes: usize,
    /// Channels not yet told to the stages behind.
    added: Vec<Added>,
    /// Ids of the channels of the plan, by their numbers: calibrations refer to these.
    planned: Vec<Arc<str>>,
}

/// What the stages behind validation must know of a new channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Added {
    /// The channel.
    pub info: Arc<ChannelInfo>,
    /// From calibrated to published units.
    pub conversion: Conversion,
    /// What it is judged by; `None` for no test.
    pub qc: Option<Arc<QcPlan>>,
    /// What it goes on from, if there is anything.
    pub kept: Option<Kept>,
}

#[derive(Debug)]
struct SourceChannels {
    name: Arc<str>,
    unknown: Unknown,
    rules: Rules,
    qc: Option<Arc<QcPlan>>,
    patterns: Vec<PatternPlan>,
    discovered: usize,
    count: usize,
    devices: Devices,
}

/// Devices of a source with their channels, dense in the order they were met.
#[derive(Debug, Default)]
struct Devices {
    by_id: HashMap<u32, u32, foldhash::quality::RandomState>,
    /// Id and number of the one that was asked for last: it often sends the next frame too.
    latest: Option<(u32, u32)>,
    channels: Vec<DeviceChannels>,
}

#[derive(Debug, Default)]
struct DeviceChannels {
    /// By channel number or by index of the field, grown as far as needed.
    targets: Vec<Target>,
    /// Configured fields by name, for formats that name them.
    named: HashMap<Arc<str>, Target, foldhash::quality::RandomState>,
    id: u32,
}

impl Registry {
    /// The channels of a plan; `timelines` has one entry a source.
    #[must_use]
    pub fn new(plan: &Plan, timelines: &mut [Timeline]) -> Self {
        let sources = plan.sources.iter().map(|source| SourceChannels {
            name: Arc::clone(&source.name),
            unknown: source.unknown,
            rules: source.discovered.clone(),
            qc: source.qc.clone(),
            patterns: source.patterns.clone(),
            discovered: 0,
            count: 0,
            devices: Devices::default(),
        });
        let mut registry = Self {
            ids: plan.channels.iter().map(|channel| Arc::clone(&channel.id)).collect(),
            sources: sources.collect(),
            lanes: 0,
            added: Vec::new(),
            planned: plan.channels.iter().map(|channel| Arc::clone(&channel.id)).collect(),
        };
        for (source, planned) in plan.sources.iter().enumerate() {
            if planned.named_fields {
                registry.sources[source].devices.add(0);
            }
        }
        for channel in &plan.channels {
            registry.add_configured(channel, &mut timelines[channel.source]);
        }
        registry
    }

    /// Number of the device within its source, in the order of meeting.
    ///
    /// # Errors
    /// If it is not known and not to be taken up.
    pub fn device(&mut self, source: usize, id: u32) -> Result<u32, ReadingRefusal> {
        let source = &mut self.sources[source];
        if let Some((latest, device)) = source.devices.latest
            && latest == id
        {
            return Ok(device);
        }
        if let Some(&device) = source.devices.by_id.get(&id) {
            source.devices.latest = Some((id, device));
            return Ok(device);
        }
        let Unknown::Discover { max } = source.unknown else {
            return Err(ReadingRefusal::UnknownDevice);
        };
        // A device is worth remembering only if a channel of it can be.
        if max <= source.discovered || DEVICES_PER_SOURCE_MAX <= source.devices.channels.len() {
            return Err(ReadingRefusal::Cardinality);
        }
        Ok(source.devices.add(id))
    }

    /// The channel behind a field of a known device. `named` gives the field's name and unit in
    /// formats that have names.
    ///
    /// # Errors
    /// If it is not known and not to be taken up.
    pub fn target(
        &mut self,
        source: usize,
        device: u32,
        field: u32,
        named: impl FnOnce() -> Option<Field>,
        timeline: &mut Timeline,
    ) -> Result<Target, ReadingRefusal> {
        if let Some(target) = self.targets(source, device).get(field as usize)
            && target.is_known()
        {
            return Ok(*target);
        }
        self.meet(source, device, field, named(), timeline)
    }

    /// The channels behind the fields of a known device, by channel number or by index of the
    /// field. A field that was not met yet, or that no channel is behind, takes no value.
    #[inline]
    #[must_use]
    pub fn targets(&self, source: usize, device: u32) -> &[Target] {
        &self.sources[source].devices.channels[device as usize].targets
    }

    /// The channel of a field that was met before, by its dense index.
    pub(super) fn known(&self, source: usize, device: u32, field: u32) -> Option<u32> {
        let target = self.targets(source, device).get(field as usize)?;
        target.is_known().then_some(target.channel)
    }

    /// Channels added since the last call, in the order of their indexes.
    pub fn take_added(&mut self) -> Vec<Added> {
        std::mem::take(&mut self.added)
    }

    fn meet(
        &mut self,
        source: usize,
        device: u32,
        field: u32,
        named: Option<Field>,
        timeline: &mut Timeline,
    ) -> Result<Target, ReadingRefusal> {
        let found = &mut self.sources[source];
        let channels = &mut found.devices.channels[device as usize];
        let configured = named.as_ref().and_then(|named| channels.named.get(&named.name));
        if let Some(target) = configured.copied() {
            channels.set(field, target);
            return Ok(target);
        }
        let Unknown::Discover { max } = found.unknown else {
            return Err(ReadingRefusal::UnknownChannel);
        };
        if max <= found.discovered || CHANNELS_MAX <= self.ids.len() {
            return Err(ReadingRefusal::Cardinality);
        }
        let (id, key, unit) = match named {
            Some(Field { name, unit }) => {
                let id = format!("{}.{}", found.name, id_part(&name));
                let unit = unit.filter(|code| Unit::parse(code).is_ok());
                (untaken(&self.ids, id), ChannelKey::Named(name), unit)
            }
            None => {
                let index = u8::try_from(field).map_err(|_| ReadingRefusal::UnknownChannel)?;
                let device = channels.id;
                let id = format!("{}.{device}.{index}", found.name);
                (id, ChannelKey::Numbered { device, index }, None)
            }
        };
        let id: Arc<str> = id.into();
        if !self.ids.insert(Arc::clone(&id)) {
            return Err(ReadingRefusal::UnknownChannel);
        }
        found.discovered += 1;
        let plan = found.with_unit(found.plan(source, id, key), unit);
        let target = self.add(&plan, true, timeline);
        self.sources[source].devices.channels[device as usize].set(field, target);
        Ok(target)
    }

    fn add_configured(&mut self, plan: &ChannelPlan, timeline: &mut Timeline) {
        let target = self.add(plan, false, timeline);
        let devices = &mut self.sources[plan.source].devices;
        match &plan.key {
            ChannelKey::Numbered { device, index } => {
                let device =
                    devices.by_id.get(device).copied().unwrap_or_else(|| devices.add(*device));
                devices.channels[device as usize].set(u32::from(*index), target);
            }
            ChannelKey::Named(name) => {
                devices.channels[0].named.insert(Arc::clone(name), target);
            }
        }
    }

    fn add(&mut self, plan: &ChannelPlan, discovered: bool, timeline: &mut Timeline) -> Target {
        let Rules { pane_ns, lateness_ns, future_ns, .. } = plan.rules;
        let bounds = LaneRules { pane_ns, lateness_ns, future_ns };
        let lane = timeline.lane(bounds, || {
            self.lanes += 1;
            self.lanes - 1
        });
        let index = u32::try_from(self.channel_count()).expect("CHANNELS_MAX holds");
        let junctions = self.junctions(plan);
        let source = &mut self.sources[plan.source];
        source.count += 1;
        let info = ChannelInfo {
            id: Arc::clone(&plan.id),
            index,
            source: plan.source,
            source_name: Arc::clone(&source.name),
            key: plan.key.clone(),
            unit: plan.unit.clone(),
            discovered,
            lane: timeline.lane_id(lane),
            calibration: plan.calibration.clone(),
            rules: plan.rules.clone(),
            fingerprint: fingerprint::of(plan, &source.name, &junctions),
        };
        let (conversion, qc) = (plan.conversion, plan.qc.clone());
        self.added.push(Added { info: Arc::new(info), conversion, qc, kept: None });
        Target {
            channel: index,
            lane: u32::try_from(lane).expect("no more lanes than channels"),
            raw_abs_max: raw_abs_max(&plan.calibration, plan.conversion),
        }
    }

    fn channel_count(&self) -> usize {
        self.sources.iter().map(|source| source.count).sum()
    }
}

impl Registry {
    /// Ids of the channels that give the cold junctions of this one.
    fn junctions(&self, plan: &ChannelPlan) -> Vec<Arc<str>> {
        let numbers = plan.calibration.junctions();
        numbers.filter_map(|number| self.planned.get(number as usize)).map(Arc::clone).collect()
    }
}

impl SourceChannels {
    /// What a channel found in source number `source` is given.
    fn plan(&self, source: usize, id: Arc<str>, key: ChannelKey) -> ChannelPlan {
        match self.patterns.iter().find(|pattern| pattern.glob.matches(&id)) {
            Some(pattern) => ChannelPlan {
                id,
                source,
                key,
                unit: pattern.unit.clone(),
                calibration: pattern.calibration.clone(),
                conversion: pattern.conversion,
                qc: pattern.qc.clone(),
                rules: pattern.rules.clone(),
            },
            None => ChannelPlan {
                id,
                source,
                key,
                unit: None,
                calibration: Calibration::IDENTITY,
                conversion: Conversion::IDENTITY,
                qc: self.qc.clone(),
                rules: self.rules.clone(),
            },
        }
    }
}

impl SourceChannels {
    /// With the unit that the wire gives, unless there is another.
    fn with_unit(&self, mut plan: ChannelPlan, unit: Option<Arc<str>>) -> ChannelPlan {
        // Calibrated values are no longer in the unit of the wire.
        if plan.unit.is_none() && plan.calibration == Calibration::IDENTITY {
            plan.unit = unit;
        }
        plan
    }
}

impl Devices {
    fn add(&mut self, id: u32) -> u32 {
        let device = u32::try_from(self.channels.len()).expect("DEVICES_PER_SOURCE_MAX holds");
        self.by_id.insert(id, device);
        self.channels.push(DeviceChannels { id, ..DeviceChannels::default() });
        device
    }
}

impl DeviceChannels {
    fn set(&mut self, field: u32, target: Target) {
        let field = field as usize;
        if self.targets.len() <= field {
            self.targets.resize((field + 1).max(TARGETS_FIRST), Target::UNKNOWN);
        }
        self.targets[field] = target;
    }
}

/// What a field is called within an id: its name, with one `_` for each run of characters that
/// an id does not have, and none for such a run at the end.
///
/// Not longer than the name; `field` for a name that has nothing to keep.
fn id_part(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let words: Vec<&str> = name.split(|c| !fits(c)).collect();
    let Some(last) = words.iter().rposition(|word| !word.is_empty()) else {
        return "field".to_owned();
    };
    let mut id = String::with_capacity(name.len());
    for (at, word) in words[..=last].iter().enumerate() {
        if 0 < at && !word.is_empty() {
            id.push('_');
        }
        id.push_str(word);
    }
    id
}

/// The id itself, or the first of `id_2`, `id_3` and so on that nobody has.
fn untaken(ids: &BTreeSet<Arc<str>>, id: String) -> String {
    if !ids.contains(&*id) {
        return id;
    }
    let numbered = (2_u32..).map(|number| format!("{id}_{number}"));
    numbered
        .into_iter()
        .find(|id| !ids.contains(&**id))
        .expect("CHANNELS_MAX ids are taken at most")
}

/// The largest raw magnitude for which `(raw * scale + offset) * factor + offset'` stays below
/// [`VALUE_ABS_MAX`], by solving the triangle inequality from the outside in. What is more than a
/// line has its own domain, by which values are flagged and not refused.
fn raw_abs_max(calibration: &Calibration, conversion: Conversion) -> f64 {
    let Calibration::Linear(Linear { scale, offset }) = *calibration else { return f64::MAX };
    let invert = |bound: f64, scale: f64, offset: f64| {
        let room = bound - offset.abs();
        if scale == 0.0 { f64::MAX } else { (room / scale.abs()).min(f64::MAX) }
    };
    let calibrated = invert(VALUE_ABS_MAX, conversion.factor, conversion.offset);
    invert(calibrated.min(VALUE_ABS_MAX), scale, offset).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_an_id_keeps_to_the_rule_of_ids() {
        for (name, part) in [
            ("t", "t"),
            ("a__b-c.d/e_", "a__b-c.d/e_"),
            ("Global CMP22 (vent/cor) [W/m^2]", "Global_CMP22_vent/cor_W/m_2"),
            ("temp (°C)", "temp_C"),
            ("humidity %", "humidity"),
            ("Außen", "Au_en"),
            ("Älter", "_lter"),
            ("温度", "field"),
        ] {
            assert_eq!(id_part(name), part, "{name}");
        }
    }

    #[test]
    fn names_that_come_to_the_same_id_are_numbered_as_they_are_met() {
        let mut ids = BTreeSet::new();
        let met = ["t %", "t", "t_2", "t (°)", "h"].map(|name| {
            let id = untaken(&ids, format!("log.{}", id_part(name)));
            ids.insert(Arc::from(&*id));
            id
        });
        assert_eq!(met, ["log.t", "log.t_2", "log.t_2_2", "log.t_3", "log.h"]);
    }

    #[test]
    fn what_validation_lets_through_stays_a_number() {
        let conversion = Conversion { factor: 1.8, offset: 32.0 };
        for scale in [1e-30, 1.0, 1e30, 1e200] {
            let line = Linear { scale, offset: -5.0 };
            let raw = raw_abs_max(&Calibration::Linear(line), conversion);
            let value = conversion.point(line.at(raw));
            assert!(value.abs() <= VALUE_ABS_MAX * 1.000_001, "{scale} gave {value}");
        }
        assert_eq!(raw_abs_max(&Calibration::IDENTITY, Conversion::IDENTITY), VALUE_ABS_MAX);
    }
}
