//! Which channels, and which of their windows, a request means.

use std::ops::Range;

use crate::engine::{Snapshot, Window, directory::Directory, glob::Glob};

/// Patterns over ids; a channel is selected if one of them fits. No pattern selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    globs: Vec<Glob>,
}

impl Selection {
    /// The channels that fit one of the patterns; all of them if there is no pattern.
    #[must_use]
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self { globs: patterns.into_iter().map(Glob::new).collect() }
    }

    /// Whether every channel is selected for want of a pattern.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.globs.is_empty()
    }

    /// Whether the channel with this id is selected.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        self.globs.is_empty() || self.globs.iter().any(|glob| glob.matches(id))
    }

    /// The first plain id among the patterns that names no channel.
    #[must_use]
    pub fn unknown_id(&self, snapshot: &Snapshot) -> Option<&str> {
        let mut plain = self.globs.iter().filter_map(Glob::literal);
        plain.find(|id| snapshot.directory.find(id).is_none())
    }

    /// Positions in [`Directory::by_id`] outside of which nothing is selected: ascending, not
    /// overlapping, none before the first id that is at least `from`.
    #[must_use]
    pub fn ranges(&self, snapshot: &Snapshot, from: &str) -> Vec<Range<usize>> {
        let directory = &snapshot.directory;
        let start = directory.position(|id| id < from);
        if self.globs.is_empty() {
            return std::iter::once(start..snapshot.len()).collect();
        }
        let mut ranges: Vec<_> = self.globs.iter().map(|glob| range(directory, glob)).collect();
        ranges.sort_unstable_by_key(|range| (range.start, range.end));
        let mut covered = start;
        for range in &mut ranges {
            range.start = range.start.max(covered);
            covered = covered.max(range.end);
        }
        ranges.retain(|range| range.start < range.end);
        ranges
    }
}

/// The ids that start with the pattern's prefix stand together.
fn range(directory: &Directory, glob: &Glob) -> Range<usize> {
    if let Some(literal) = glob.literal() {
        return directory.position(|id| id < literal)..directory.position(|id| id <= literal);
    }
    let prefix = glob.prefix();
    let end = directory.position(|id| id < prefix || id.starts_with(prefix));
    directory.position(|id| id < prefix)..end
}

/// Which windows of a channel are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowChoice {
    /// Each.
    All,
    /// Those of this length in nanoseconds.
    Length(i64),
}

impl WindowChoice {
    /// Whether this window is meant.
    #[must_use]
    pub fn takes(self, window: &Window) -> bool {
        match self {
            Self::All => true,
            Self::Length(length_ns) => window.length_ns == length_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::page::tests::snapshot_of;

    fn selected(patterns: &[&str], from: &str) -> Vec<String> {
        let snapshot =
            snapshot_of(&["a", "boiler.flow", "boiler.return", "boiler2.flow", "c", "zz"]);
        let selection = Selection::new(patterns.iter().copied());
        let positions = selection.ranges(&snapshot, from).into_iter().flatten();
        positions
            .map(|at| snapshot.channel(snapshot.directory.by_id()[at]).info.id.to_string())
            .filter(|id| selection.matches(id))
            .collect()
    }

    #[test]
    fn ranges_hold_what_is_selected_once_and_in_order() {
        assert_eq!(selected(&[], "").len(), 6);
        assert_eq!(selected(&["boiler.*"], ""), ["boiler.flow", "boiler.return"]);
        assert_eq!(selected(&["*.flow"], ""), ["boiler.flow", "boiler2.flow"]);
        assert_eq!(selected(&["zz", "a", "zz"], ""), ["a", "zz"]);
        assert_eq!(selected(&["b*", "boiler.*", "boiler.flow"], "").len(), 3);
        assert_eq!(selected(&["nothing.*"], ""), [""; 0]);
        assert_eq!(selected(&["*"], "boiler.return").len(), 4);
        assert_eq!(selected(&["boiler.*"], "boiler.g"), ["boiler.return"]);
        assert_eq!(selected(&[], "zzz"), [""; 0]);
    }

    #[test]
    fn a_plain_id_must_exist_and_a_pattern_need_not() {
        let snapshot = snapshot_of(&["a", "b"]);
        assert_eq!(Selection::new(["a", "x*", "nope"]).unknown_id(&snapshot), Some("nope"));
        assert_eq!(Selection::new(["a", "x*"]).unknown_id(&snapshot), None);
    }
}
