//! What is asked next, and when: pure, in nanoseconds of whatever clock.
//!
//! Each request has its own period and keeps its step; what was missed is not made up for. Of
//! several that are due the one that was due first comes first.
//!
//! A serial line does not tell which request a reply answers. So after a request without a sound
//! reply the device is in doubt: that reply may yet come, however late. It is then asked what no
//! such reply can be taken for ([`Request::told_apart`]), until it answers. Devices answer in the
//! order of the requests, so nothing older can come after that; and a second answer, to the
//! request in doubt itself, leaves nothing of the probing behind either.

use crate::{
    config::model::{ModbusConfig, ModbusDevice, ModbusPoll},
    limits::{MODBUS_ABSENT_AFTER, MODBUS_ABSENT_FIRST_NS, MODBUS_ABSENT_LAST_NS},
    wire::modbus::{Mode, request::Request},
};

/// The requests of one line and how its devices do.
#[derive(Debug)]
pub(super) struct Schedule {
    polls: Vec<Poll>,
    devices: Vec<Device>,
    /// Whether a reply does not tell what it answers.
    doubts: bool,
}

#[derive(Debug)]
struct Poll {
    plan: ModbusPoll,
    due_ns: i64,
    /// Attempts of this turn that failed.
    failed: u32,
}

#[derive(Debug)]
struct Device {
    config: ModbusDevice,
    doubt: Option<Doubt>,
    /// Requests in a row without a sound reply.
    missed: u32,
    /// When it may be asked again, after it was found absent.
    awake_ns: i64,
    /// The wait after the next time that it is.
    pause_ns: i64,
}

/// Which request is in doubt, and how far that is cleared up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    poll: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A request that is told apart from it is to be answered.
    Probe,
    /// It is to be answered itself.
    Confirm,
}

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Whose turn it is.
    pub(super) poll: usize,
    /// What is asked.
    pub(super) request: Request,
    /// Not what the poll is for, but told apart from it.
    pub(super) is_probe: bool,
}

impl Schedule {
    /// Everything is due at `now_ns`.
    pub(super) fn new(config: &ModbusConfig, now_ns: i64) -> Self {
        let poll = |plan: &ModbusPoll| Poll { plan: *plan, due_ns: now_ns, failed: 0 };
        let device = |config: &ModbusDevice| Device {
            config: config.clone(),
            doubt: None,
            missed: 0,
            awake_ns: now_ns,
            pause_ns: MODBUS_ABSENT_FIRST_NS,
        };
        Self {
            polls: config.polls.iter().map(poll).collect(),
            devices: config.devices.iter().map(device).collect(),
            doubts: config.mode == Mode::Rtu,
        }
    }

    /// When the next turn is, and of which poll; `None` if there are none.
    fn next(&self) -> Option<(i64, usize)> {
        let due = |poll: &Poll| poll.due_ns.max(self.devices[poll.plan.device].awake_ns);
        self.polls.iter().zip(0..).map(|(poll, index)| (due(poll), index)).min()
    }

    /// When the next turn is, and how long the line must be silent before it.
    pub(super) fn due(&self) -> (i64, i64) {
        let due = |(due_ns, poll)| (due_ns, self.device(poll).gap_ns);
        self.next().map_or((i64::MAX, 0), due)
    }

    /// The turn that is due, if one is.
    pub(super) fn turn(&self, now_ns: i64) -> Option<Turn> {
        let (_, poll) = self.next().filter(|(due_ns, _)| *due_ns <= now_ns)?;
        let device = &self.devices[self.polls[poll].plan.device];
        let doubt = device.doubt.unwrap_or(Doubt { poll, stage: Stage::Confirm });
        let request = self.polls[doubt.poll].plan.request;
        let is_probe = doubt.stage == Stage::Probe;
        let request = if is_probe { request.told_apart() } else { request };
        Some(Turn { poll: doubt.poll, request, is_probe })
    }

    /// The plan of a poll.
    pub(super) fn plan(&self, poll: usize) -> &ModbusPoll {
        &self.polls[poll].plan
    }

    /// The device of a poll.
    pub(super) fn device(&self, poll: usize) -> &ModbusDevice {
        &self.devices[self.polls[poll].plan.device].config
    }

    /// Whether a reply of the device of this poll may yet come that is not awaited any more.
    pub(super) fn is_in_doubt(&self, poll: usize) -> bool {
        self.devices[self.polls[poll].plan.device].doubt.is_some()
    }

    /// Whether the device of a poll has left so many requests unanswered that it is not expected
    /// to answer at all.
    pub(super) fn is_absent(&self, poll: usize) -> bool {
        self.devices[self.polls[poll].plan.device].is_absent()
    }

    /// The device has answered: with values, or that it refuses.
    pub(super) fn answered(&mut self, turn: Turn, now_ns: i64) {
        let poll = &mut self.polls[turn.poll];
        let device = &mut self.devices[poll.plan.device];
        device.missed = 0;
        device.awake_ns = now_ns;
        device.pause_ns = MODBUS_ABSENT_FIRST_NS;
        if turn.is_probe {
            device.doubt = Some(Doubt { poll: turn.poll, stage: Stage::Confirm });
            return;
        }
        device.doubt = None;
        poll.next_period(now_ns);
    }

    /// Nothing came in time, or nothing sound.
    pub(super) fn failed(&mut self, turn: Turn, now_ns: i64) {
        self.doubt(turn.poll);
        let poll = &mut self.polls[turn.poll];
        let device = &mut self.devices[poll.plan.device];
        device.missed = device.missed.saturating_add(1);
        poll.failed += 1;
        if device.is_absent() {
            device.awake_ns = now_ns.saturating_add(device.pause_ns);
            device.pause_ns = device.pause_ns.saturating_mul(2).min(MODBUS_ABSENT_LAST_NS);
            poll.next_period(now_ns);
        } else if device.config.retries < poll.failed {
            poll.next_period(now_ns);
        }
    }

    /// A reply to this poll may come, or come again, that nobody waits for.
    pub(super) fn doubt(&mut self, poll: usize) {
        if self.doubts {
            let device = &mut self.devices[self.polls[poll].plan.device];
            device.doubt = Some(Doubt { poll, stage: Stage::Probe });
        }
    }
}

impl Poll {
    /// Its turn is over: the next time in step that is not past. A poll that was asked to clear up
    /// a doubt alone keeps its time.
    fn next_period(&mut self, now_ns: i64) {
        self.failed = 0;
        if now_ns < self.due_ns {
            return;
        }
        let every_ns = self.plan.every_ns;
        let behind = (now_ns - self.due_ns) / every_ns;
        self.due_ns = self.due_ns.saturating_add((behind + 1).saturating_mul(every_ns));
    }
}

impl Device {
    fn is_absent(&self) -> bool {
        MODBUS_ABSENT_AFTER.max(self.config.retries.saturating_add(1)) <= self.missed
    }
}
