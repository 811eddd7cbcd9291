//! Plays a scenario: one frame after the other, in the order in which they go out.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

use super::{
    device::{Actor, Start},
    scenario::{LineFormat, Scenario},
    sent::{Account, Sent, Verdict},
};
use crate::wire::key::Key;

/// Plays a scenario: an iterator that lends what it yields.
///
/// The same scenario, seed and start give the same bytes on every machine. What is kept does not
/// grow with the length of the play.
#[derive(Debug)]
pub struct Player {
    pub(super) format: LineFormat,
    pub(super) key: Option<Key>,
    end_ns: Option<i64>,
    pub(super) actors: Vec<Actor>,
    /// Who is next: time of sending, then the place in the scenario.
    order: BinaryHeap<Reverse<(i64, usize)>>,
    pub(super) account: Account,
    /// Frames that came from the device that nobody knows.
    pub(super) strangers: u32,
    /// Values of the frame being made.
    pub(super) values: Vec<f64>,
    /// Frames made and not yet handed out, and those of the same turn that were.
    pub(super) bytes: Vec<u8>,
    pub(super) parcels: Vec<Parcel>,
    /// How many of the parcels were handed out.
    handed: usize,
    /// Whether the last of them is still to be counted.
    uncounted: bool,
}

/// One frame or line on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emission<'a> {
    /// When it is planned to go out, nanoseconds since 1970; never less than before.
    pub at_ns: i64,
    /// The device it comes from, [`STRANGER`](super::scenario::STRANGER) included.
    pub device: u32,
    /// The frame or line, without stuffing, delimiter or line end.
    pub bytes: &'a [u8],
    /// Readings that a receiver finds in it; none where it does not decode.
    pub readings: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) at_ns: i64,
    pub(super) device: u32,
    /// Its place among the bytes.
    pub(super) range: Range<usize>,
    pub(super) verdict: Verdict,
}

impl Player {
    /// A player before its first frame. `start_ns` is nanoseconds since 1970; the first frames
    /// are complete within one period of their devices from there.
    ///
    /// # Panics
    /// Where the scenario does not pass [`Scenario::check`].
    #[must_use]
    pub fn new(scenario: &Scenario, seed: u64, start_ns: i64) -> Self {
        scenario.check().expect("a scenario is checked when it is read");
        let start = Start { seed, at_ns: start_ns };
        let actors: Vec<Actor> = scenario
            .devices
            .iter()
            .flat_map(|device| {
                let replica = move |number| {
                    Actor::new(device, &scenario.faults, scenario.format, number, start)
                };
                (0..device.count).map(replica)
            })
            .collect();
        let end_ns = scenario.duration_ns.map(|duration_ns| start_ns.saturating_add(duration_ns));
        let mut player = Self {
            format: scenario.format,
            key: scenario.key.clone(),
            end_ns,
            order: BinaryHeap::with_capacity(actors.len()),
            account: Account::new(actors.len()),
            actors,
            strangers: 0,
            values: Vec::new(),
            bytes: Vec::new(),
            parcels: Vec::new(),
            handed: 0,
            uncounted: false,
        };
        for index in 0..player.actors.len() {
            player.schedule(index);
        }
        player
    }

    /// The next frame, or `None` at the end of the play. It counts as sent with the next call of
    /// [`Player::next`] or [`Player::sent`], unless [`Player::unsent`] is called before.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Emission<'_>> {
        self.count();
        while self.handed == self.parcels.len() {
            let Reverse((at_ns, index)) = self.order.pop()?;
            self.bytes.clear();
            self.parcels.clear();
            self.handed = 0;
            self.turn(index, at_ns);
        }
        let parcel = &self.parcels[self.handed];
        self.handed += 1;
        self.uncounted = true;
        Some(Emission {
            at_ns: parcel.at_ns,
            device: parcel.device,
            bytes: &self.bytes[parcel.range.clone()],
            readings: parcel.verdict.readings(),
        })
    }

    /// The frame last handed out could not be sent: it is not counted.
    pub fn unsent(&mut self) {
        self.uncounted = false;
    }

    /// What was sent so far.
    pub fn sent(&mut self) -> &Sent {
        self.count();
        &self.account.sent
    }

    fn count(&mut self) {
        if std::mem::take(&mut self.uncounted) {
            let parcel = &self.parcels[self.handed - 1];
            self.account.count(parcel.verdict, parcel.range.len(), parcel.at_ns);
        }
    }

    /// Puts a device in line for its next frame, or lets it go at the end of the play; says
    /// whether it goes on.
    pub(super) fn schedule(&mut self, index: usize) -> bool {
        let sends_ns = self.actors[index].sends_ns();
        let goes_on = self.end_ns.is_none_or(|end_ns| sends_ns < end_ns);
        if goes_on {
            self.order.push(Reverse((sends_ns, index)));
        }
        goes_on
    }
}
