//! Where the readings of a channel go.

/// Where a channel's open panes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    /// Place of its lane.
    pub(super) lane: u32,
    /// Number within the lane.
    pub(super) member: u32,
    /// Where readings go besides.
    pub(super) besides: Besides,
}

/// Where the readings of a channel go besides its open panes: a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Besides(u8);

impl Besides {
    pub(super) const NOWHERE: Self = Self(0);
    /// Into the bins behind its percentiles: so mostly, hence the least.
    pub(super) const BINS: Self = Self(1);
    /// Into its exact windows.
    pub(super) const EXACT: Self = Self(2);
    /// Into what is kept for its statistics.
    pub(super) const DETAILS: Self = Self(4);

    pub(super) fn with(self, other: Self, is_there: bool) -> Self {
        if is_there { Self(self.0 | other.0) } else { self }
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
