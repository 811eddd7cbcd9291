//! Results, as they are found and as they are handed out.

use std::sync::Arc;

use crate::engine::{
    condition::Condition,
    snapshot::ChannelInfo,
    statistics::Detail,
    summary::{Figures, Summary},
};

/// A result, as it is handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    /// Which channel.
    pub channel: Arc<ChannelInfo>,
    /// Number of the window in the channel's rules.
    pub window: usize,
    /// The result.
    pub summary: Summary,
    /// The worst condition of the device in the time of the window, as far as it is known.
    pub condition: Option<Condition>,
}

/// A result, as it is found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Which channel.
    pub channel: &'a Arc<ChannelInfo>,
    /// Its number here: see [`Windows::add`].
    ///
    /// [`Windows::add`]: super::Windows::add
    pub place: u32,
    /// Number of the window in the channel's rules.
    pub window: usize,
    /// The result.
    pub figures: Figures,
    /// One for each of the channel's percentiles, or none if there is no value.
    pub percentiles: &'a [f64],
    /// What is said besides, as much as there is for the channel.
    pub details: &'a [Detail],
}

/// The latest result of a window, be it that there is none any more.
#[derive(Clone, Copy, Debug)]
pub struct Latest<'a> {
    /// Number of the channel here: see [`Windows::add`].
    ///
    /// [`Windows::add`]: super::Windows::add
    pub place: u32,
    /// Number of the window in the channel's rules.
    pub window: usize,
    /// The result.
    pub figures: Option<Figures>,
    /// One for each of the channel's percentiles, or none if there is no value.
    pub percentiles: &'a [f64],
    /// What is said besides, as much as there is for the channel.
    pub details: &'a [Detail],
}

impl From<Found<'_>> for Emitted {
    fn from(found: Found<'_>) -> Self {
        let Found { channel, window, figures, percentiles, details, .. } = found;
        let rules = &channel.rules;
        let summary = Summary::of(&figures, percentiles, details, rules.window(window), rules);
        Self { channel: Arc::clone(channel), window, summary, condition: None }
    }
}

impl<'a> From<Found<'a>> for Latest<'a> {
    fn from(found: Found<'a>) -> Self {
        let Found { place, window, figures, percentiles, details, .. } = found;
        Self { place, window, figures: Some(figures), percentiles, details }
    }
}
