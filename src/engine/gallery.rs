//! What snapshots show of the channels, kept so that a new one shares what did not change.

use super::{
    column::{Column, Draft, bits},
    rules::Rules,
    snapshot::Live,
    summary::Figures,
};
use crate::limits::CHANNELS_PER_CHUNK;

/// The channels as snapshots show them, with what has changed since the last one.
///
/// Each window has columns of its own, so that one that changes every second copies nothing of
/// one that changes every hour.
#[derive(Debug, Default)]
pub struct Gallery {
    /// The latest value of each channel: flat, because every reading comes by.
    lives: Vec<Option<Live>>,
    /// One bit a channel that shows something new; a word is a chunk.
    changed: Vec<u64>,
    shown: Draft<Shown>,
    levels: Vec<Level>,
}

/// The channels as one snapshot shows them: those of one gallery.
#[derive(Clone, Debug, Default)]
pub struct Part {
    pub(super) shown: Column<Shown>,
    pub(super) windows: Vec<Results>,
}

/// What is shown of a channel itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub(super) live: Option<Live>,
    pub(super) changed_seq: u64,
}

/// The results of all channels for the window with one index in their rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    pub(super) figures: Column<Option<Figures>>,
    pub(super) percentiles: Column<f64>,
}

#[derive(Debug, Default)]
struct Level {
    figures: Draft<Option<Figures>>,
    percentiles: Draft<f64>,
}

impl Gallery {
    /// Bytes that a channel with these rules takes in the gallery and in the snapshots, while no
    /// reader holds on to an old one.
    #[must_use]
    pub fn bytes_per_channel(rules: &Rules) -> usize {
        let level = Draft::<Option<Figures>>::bytes_per_channel(1)
            + Draft::<f64>::bytes_per_channel(rules.percentiles.len());
        size_of::<Option<Live>>()
            + Draft::<Shown>::bytes_per_channel(1)
            + rules.windows.len() * level
    }

    /// Adds the next channel.
    pub fn add(&mut self, rules: &Rules) {
        let channel = self.lives.len();
        self.lives.push(None);
        self.shown.add(1);
        let windows = rules.windows.len();
        while self.levels.len() < windows {
            let mut level = Level::default();
            (0..channel).for_each(|_| level.add(0, 0));
            self.levels.push(level);
        }
        for (window, level) in self.levels.iter_mut().enumerate() {
            if window < windows {
                level.add(1, rules.percentiles.len());
            } else {
                level.add(0, 0);
            }
        }
        self.mark(channel);
    }

    /// Shows a value as the latest unless a younger one is shown.
    pub fn show_live(&mut self, channel: u32, live: Live) {
        let shown = &mut self.lives[channel as usize];
        if shown.is_none_or(|shown| shown.at_ns <= live.at_ns) {
            *shown = Some(live);
            self.mark(channel as usize);
        }
    }

    /// Shows the latest result of a window, be it that there is none; with one for each of the
    /// channel's percentiles, or none if it has no value.
    pub fn show_summary(
        &mut self,
        channel: u32,
        window: usize,
        figures: Option<Figures>,
        percentiles: &[f64],
    ) {
        let channel = channel as usize;
        let level = &mut self.levels[window];
        level.figures.write(channel)[0] = figures;
        if !percentiles.is_empty() {
            level.percentiles.write(channel).copy_from_slice(percentiles);
        }
        self.mark(channel);
    }

    /// The channels as they are now; what changed is marked with `seq`.
    pub fn publish(&mut self, seq: u64) -> Part {
        for (chunk, changed) in self.changed.iter_mut().enumerate() {
            let changed = std::mem::take(changed);
            for at in bits(changed) {
                let channel = chunk * CHANNELS_PER_CHUNK + at;
                self.shown.write(channel)[0] =
                    Shown { live: self.lives[channel], changed_seq: seq };
            }
        }
        Part {
            shown: self.shown.publish(),
            windows: self.levels.iter_mut().map(Level::publish).collect(),
        }
    }

    fn mark(&mut self, channel: usize) {
        let chunk = channel / CHANNELS_PER_CHUNK;
        if self.changed.len() <= chunk {
            self.changed.resize(chunk + 1, 0);
        }
        self.changed[chunk] |= 1 << (channel % CHANNELS_PER_CHUNK);
    }
}

impl Level {
    fn add(&mut self, figures: usize, percentiles: usize) {
        self.figures.add(figures);
        self.percentiles.add(percentiles);
    }

    fn publish(&mut self) -> Results {
        Results { figures: self.figures.publish(), percentiles: self.percentiles.publish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{snapshot::tests_support, summary::Flag};

    fn live(value: f64, at_ns: i64) -> Live {
        Live { value, at_ns, arrived_ns: at_ns, flag: Flag::Pass }
    }

    #[test]
    fn the_latest_value_is_the_one_with_the_largest_event_time() {
        let mut gallery = Gallery::default();
        gallery.add(&tests_support::rules());
        gallery.show_live(0, live(1.0, 10));
        gallery.show_live(0, live(2.0, 9));
        gallery.show_live(0, live(3.0, 10));
        let part = gallery.publish(1);
        assert_eq!(part.shown.cells(0)[0].live, Some(live(3.0, 10)));
    }
}
