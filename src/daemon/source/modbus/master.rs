//! The master of a line: asks, listens, and keeps late replies away from later requests. It reads
//! no clock and touches no port: time and bytes are handed to it, and exchanges come out.
//!
//! A request that is not answered in time quarantines a serial line: nothing is asked until its
//! late reply has come and gone, or could have. What comes later still is refused, since the next
//! request to that device is one that it does not fit (`schedule.rs`). A device that never
//! answers quarantines nobody else: it is asked ever more rarely, and its address is in a reply.

use super::{
    Lost,
    schedule::{Schedule, Turn},
    standing::Standing,
};
use crate::{
    config::model::ModbusConfig,
    engine::Link,
    limits::{MODBUS_SILENT_AFTER, MODBUS_UNASKED_NS, SECOND},
    wire::modbus::{
        Mode,
        dialogue::{Dialogue, Heard},
    },
};

/// What keeps a request from being sent for so long is no late reply.
const BABBLE_NS: i64 = 10 * SECOND;

/// One opening of a line.
#[derive(Debug)]
pub struct Master {
    mode: Mode,
    dialogue: Dialogue,
    schedule: Schedule,
    standing: Standing,
    state: State,
    /// The last poll that was asked.
    last: Option<usize>,
    /// When a byte moved last, either way.
    moved_ns: i64,
    /// When something was asked last.
    begun_ns: i64,
    unsent: Vec<u8>,
    /// Requests in a row for which nothing came, from whatever device.
    silent: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing is awaited.
    Resting,
    /// A reply is awaited.
    Asking { turn: Turn, deadline_ns: i64 },
    /// A late reply may come.
    Quarantined { until_ns: i64, for_ns: i64 },
}

impl Master {
    /// The master of a line that was opened at `now_ns`, of which `detail` is worth knowing.
    #[must_use]
    pub fn new(config: &ModbusConfig, detail: &str, now_ns: i64) -> Self {
        let mut master = Self {
            mode: config.mode,
            dialogue: Dialogue::new(config.mode),
            schedule: Schedule::new(config, now_ns),
            standing: Standing::new(config, detail),
            state: State::Resting,
            last: None,
            moved_ns: now_ns,
            begun_ns: now_ns,
            unsent: Vec::new(),
            silent: 0,
        };
        // Whoever had the line before may have asked, and not waited for the reply.
        let longest = config.devices.iter().map(|device| device.quarantine_ns).max();
        master.quarantine(longest.unwrap_or_default(), now_ns);
        master
    }

    /// When [`Self::passed`] is to be called.
    #[must_use]
    pub fn due_ns(&self) -> i64 {
        match self.state {
            State::Asking { deadline_ns, .. } => deadline_ns,
            State::Quarantined { until_ns, .. } => until_ns,
            State::Resting => {
                let (due_ns, gap_ns) = self.schedule.due();
                due_ns.max(self.moved_ns.saturating_add(gap_ns))
            }
        }
    }

    /// What is to be sent and is not.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.unsent
    }

    /// The line has taken so many of the unsent bytes.
    pub fn sent(&mut self, length: usize, now_ns: i64) {
        self.unsent.drain(..length.min(self.unsent.len()));
        self.moved_ns = now_ns;
    }

    /// The state of the source, if it is another one.
    pub fn news(&mut self) -> Option<Link> {
        self.standing.news()
    }

    /// Time has come to `now_ns`; exchanges that end by it go to `sink`.
    ///
    /// # Errors
    ///
    /// If the line is of no use any more.
    pub fn passed(&mut self, now_ns: i64, sink: &mut impl FnMut(&[u8])) -> Result<(), Lost> {
        if now_ns < self.due_ns() {
            return Ok(());
        }
        match self.state {
            State::Asking { .. } if !self.unsent.is_empty() => return Err(Lost::Stuck),
            State::Asking { turn, .. } => self.failed(turn, now_ns, sink)?,
            State::Quarantined { .. } => self.state = State::Resting,
            State::Resting => self.begin(now_ns, sink),
        }
        Ok(())
    }

    /// Bytes came; exchanges that end by them go to `sink`.
    ///
    /// # Errors
    ///
    /// If the line is of no use any more.
    pub fn heard(
        &mut self,
        mut bytes: &[u8],
        now_ns: i64,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(), Lost> {
        self.moved_ns = now_ns;
        self.silent = 0;
        while !bytes.is_empty() {
            let (taken, heard) = self.dialogue.hear(bytes);
            bytes = &bytes[taken..];
            if let State::Quarantined { until_ns, for_ns, .. } = &mut self.state {
                *until_ns = now_ns.saturating_add(*for_ns);
            }
            match heard {
                Heard::Nothing => {}
                Heard::Values => self.answered(None, now_ns, sink),
                Heard::Exception(code) => self.answered(Some(code), now_ns, sink),
                Heard::Late => self.late(now_ns, sink),
                Heard::TooMuch => match self.state {
                    State::Asking { turn, .. } => self.failed(turn, now_ns, sink)?,
                    _ => self.take(sink),
                },
                Heard::Misfit | Heard::OutOfStep => {
                    self.take(sink);
                    return Err(Lost::OutOfStep);
                }
            }
        }
        Ok(())
    }

    /// Looks after what time alone does not bring about.
    pub fn tick(&mut self, now_ns: i64, sink: &mut impl FnMut(&[u8])) {
        let quiet = MODBUS_UNASKED_NS <= now_ns - self.moved_ns;
        if quiet && !matches!(self.state, State::Asking { .. }) {
            self.take(sink);
        }
        let (due_ns, _) = self.schedule.due();
        let kept = BABBLE_NS < now_ns - due_ns.max(self.begun_ns);
        if kept && !matches!(self.state, State::Asking { .. }) {
            self.standing.babbles(true);
        }
    }

    /// The line is gone: what had come of a reply is counted.
    pub fn line_down(&mut self, sink: &mut impl FnMut(&[u8])) {
        if let Some(exchange) = self.dialogue.take(true) {
            sink(exchange);
        }
    }

    fn begin(&mut self, now_ns: i64, sink: &mut impl FnMut(&[u8])) {
        let Some(turn) = self.schedule.turn(now_ns) else { return };
        self.take(sink);
        self.unsent.clear();
        self.unsent.extend_from_slice(self.dialogue.ask(turn.request));
        self.last = Some(turn.poll);
        self.begun_ns = now_ns;
        self.standing.babbles(false);
        let wait_ns =
            self.schedule.plan(turn.poll).line_ns + self.schedule.device(turn.poll).timeout_ns;
        self.state = State::Asking { turn, deadline_ns: now_ns.saturating_add(wait_ns) };
    }

    /// The awaited reply came: with values, or with an exception.
    fn answered(&mut self, exception: Option<u8>, now_ns: i64, sink: &mut impl FnMut(&[u8])) {
        self.take(sink);
        let State::Asking { turn, .. } = self.state else { return };
        self.state = State::Resting;
        match exception {
            None => self.standing.answered(&turn.request),
            Some(_) if turn.is_probe => self.standing.present(turn.request.device),
            Some(code) => self.standing.refused(turn.request, code),
        }
        // Exceptions do not tell one request from another: silence has to clear up the doubt.
        if exception.is_some() && self.schedule.is_in_doubt(turn.poll) {
            self.quarantine(self.schedule.device(turn.poll).quarantine_ns, now_ns);
        }
        self.schedule.answered(turn, now_ns);
    }

    /// No sound reply came.
    fn failed(
        &mut self,
        turn: Turn,
        now_ns: i64,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(), Lost> {
        let something = 0 < self.dialogue.came();
        self.take(sink);
        self.state = State::Resting;
        self.schedule.failed(turn, now_ns);
        if self.schedule.is_absent(turn.poll) {
            self.standing.absent(turn.request.device, something);
        } else {
            self.quarantine(self.schedule.device(turn.poll).quarantine_ns, now_ns);
        }
        self.silent = if something { 0 } else { self.silent.saturating_add(1) };
        // A connection whose other end is gone without a word looks like this.
        let gone = self.mode == Mode::Tcp && MODBUS_SILENT_AFTER <= self.silent;
        if gone { Err(Lost::Silent) } else { Ok(()) }
    }

    /// A reply came that is not awaited any more. In quarantine it is what was waited for; else a
    /// second reply to one request, after which no count of replies can be relied on.
    fn late(&mut self, now_ns: i64, sink: &mut impl FnMut(&[u8])) {
        self.take(sink);
        match (self.state, self.last) {
            (State::Quarantined { .. }, _) => self.state = State::Resting,
            (_, Some(poll)) => {
                self.schedule.doubt(poll);
                self.quarantine(self.schedule.device(poll).quarantine_ns, now_ns);
            }
            (_, None) => {}
        }
    }

    /// Asks nothing before it was silent for so long. Over TCP replies tell what they answer.
    fn quarantine(&mut self, for_ns: i64, now_ns: i64) {
        if self.mode == Mode::Rtu {
            let until_ns = now_ns.saturating_add(for_ns);
            self.state = State::Quarantined { until_ns, for_ns };
        }
    }

    fn take(&mut self, sink: &mut impl FnMut(&[u8])) {
        if let Some(exchange) = self.dialogue.take(false) {
            sink(exchange);
        }
    }
}
