//! Channels and devices that were found before, taken up again.

use std::sync::Arc;

use super::{Added, Registry};
use crate::engine::{
    image::{ChannelRecords, Misfit},
    plan::{ChannelKey, Unknown},
    timeline::Timeline,
};

impl Registry {
    /// Takes up a channel of source number `source` that was found before, under the same id. It
    /// takes the next index.
    ///
    /// # Errors
    /// If nothing is to be found any more, or no more, or if its id or its place in the frames is
    /// that of another channel now.
    pub(in crate::engine) fn adopt(
        &mut self,
        source: usize,
        found: &ChannelRecords,
        timeline: &mut Timeline,
    ) -> Result<(), Misfit> {
        let into = &self.sources[source];
        let Unknown::Discover { max } = into.unknown else { return Err(Misfit::Gone) };
        if max <= into.discovered || crate::limits::CHANNELS_MAX <= self.ids.len() {
            return Err(Misfit::Cardinality);
        }
        let device = match &found.key {
            ChannelKey::Numbered { device, .. } => {
                self.device(source, *device).map_err(|_| Misfit::Cardinality)?
            }
            ChannelKey::Named(_) => 0,
        };
        let devices = &self.sources[source].devices;
        let Some(channels) = devices.channels.get(device as usize) else {
            return Err(Misfit::Gone);
        };
        let is_taken = match &found.key {
            ChannelKey::Numbered { index, .. } => {
                let target = channels.targets.get(usize::from(*index));
                target.is_some_and(super::Target::is_known)
            }
            ChannelKey::Named(name) => channels.named.contains_key(name),
        };
        if is_taken || !self.ids.insert(Arc::clone(&found.id)) {
            return Err(Misfit::Gone);
        }
        let into = &mut self.sources[source];
        into.discovered += 1;
        let plan = into.plan(source, Arc::clone(&found.id), found.key.clone());
        let plan = into.with_unit(plan, found.unit.clone());
        let target = self.add(&plan, true, timeline);
        let channels = &mut self.sources[source].devices.channels[device as usize];
        match &found.key {
            ChannelKey::Numbered { index, .. } => channels.set(u32::from(*index), target),
            ChannelKey::Named(name) => {
                channels.named.insert(Arc::clone(name), target);
            }
        }
        Ok(())
    }

    /// Channels not yet told to the stages behind.
    pub(in crate::engine) fn added_mut(&mut self) -> &mut [Added] {
        &mut self.added
    }

    /// Name of a source.
    pub(in crate::engine) fn source_name(&self, source: usize) -> &Arc<str> {
        &self.sources[source].name
    }

    /// Id of a device by its number within the source.
    pub(in crate::engine) fn device_id(&self, source: usize, number: u32) -> u32 {
        self.sources[source].devices.channels[number as usize].id
    }
}
