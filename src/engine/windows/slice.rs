//! Panes closed and results shown for a few channels at a time.

use super::{
    agenda::{Sealed, Show},
    banks::Banks,
    found::Latest,
    lane::Lane,
    saved::Saving,
    seat::Seat,
};
use crate::engine::bins::relief::Relief;

/// What a slice of work came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    /// Channels that were worked for, as they count; at least one, so that there is an end.
    pub(super) channels: usize,
    /// Whether that was all.
    pub(super) is_last: bool,
}

/// Closes a pane for so many channels, and shows their results at once if a watermark is given for
/// that.
pub(super) fn close_some(
    sealed: &mut Sealed,
    lane: &mut Lane,
    most: usize,
    banks: &mut Banks,
    show_ns: Option<i64>,
    shown: &mut impl FnMut(Latest<'_>),
) -> Done {
    let from = (sealed.next, most.div_ceil(lane.weight));
    let slice = lane.close_some(sealed.start_ns, from, |place, closed, closing| {
        let due_ns = banks.close(place, closed, closing);
        if let Some(watermark_ns) = show_ns {
            banks.refresh(place, watermark_ns, shown);
        }
        due_ns
    });
    sealed.accepted += slice.accepted;
    sealed.next = slice.next.unwrap_or_default();
    let channels = slice.channels.saturating_mul(lane.weight).max(1);
    sealed.round.work_off(channels);
    Done { channels, is_last: slice.next.is_none() }
}

/// Shows the results of so many channels whose windows have moved on since they were last shown.
pub(super) fn show_some(
    show: &mut Show,
    lanes: &[Lane],
    seats: &[Seat],
    most: usize,
    banks: &mut Banks,
    saving: &mut Option<Saving>,
    shown: &mut impl FnMut(Latest<'_>),
) -> Done {
    if let relief @ (Relief::Weigh { .. }
    | Relief::Confine(_)
    | Relief::Coarsen(_)
    | Relief::Withhold(_)) = std::mem::take(&mut show.relief)
    {
        if let Some(saving) = saving {
            saving.rest(lanes, seats, banks);
        }
        for (lane, watermark_ns) in show.watermarks_ns.iter().enumerate() {
            banks.counting.reach(lane, *watermark_ns);
        }
        show.weights = banks.counting.relieve(&relief);
    }
    let newest_ns = show.newest_ns();
    let mut channels = 0;
    while let Some(look_ns) = banks.look_ns.get(show.next).copied() {
        if most <= channels {
            return Done { channels, is_last: false };
        }
        // Most are not due in any lane, and theirs need not be looked up.
        if look_ns <= newest_ns {
            let watermark_ns = show.watermark_ns(seats[show.next].lane as usize);
            if look_ns <= watermark_ns {
                if let Some(saving) = saving {
                    saving.before(show.next as u32, lanes, seats, banks);
                }
                banks.refresh(show.next as u32, watermark_ns, shown);
                channels += banks.weight(show.next);
            }
        }
        show.next += 1;
    }
    Done { channels: channels.max(1), is_last: true }
}
