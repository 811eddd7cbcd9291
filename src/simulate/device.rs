//! One device at play: its values, its clock and the faults that befall it.

use super::{
    clock::{Clock, is_absolute},
    fault::{Due, FAULT_KINDS, Scope},
    layout::{Layout, numbered},
    random::{Purpose, Random},
    scenario::{Device, Fault, FaultKind, LineFormat},
    sent::Verdict,
    waveform::Wave,
};
use crate::{limits::SECOND, wire::Health};

/// One device at play.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) id: u32,
    pub(super) boot: u16,
    pub(super) sequence: u32,
    /// Whether no frame of this boot was made yet.
    pub(super) fresh: bool,
    pub(super) health: Health,
    pub(super) time_error: u8,
    pub(super) clock: Clock,
    pub(super) layout: Layout,
    pub(super) random: Random,
    /// Frames that a dropout still swallows.
    pub(super) dropping: u32,
    /// A frame that is to go out after others.
    pub(super) held: Option<Held>,
    waves: Vec<Wave>,
    due: Vec<Due>,
    period_ns: i64,
    /// When the next frame is complete.
    at_ns: i64,
    /// Until when the line is held up.
    blocked_ns: i64,
    stuck: Option<Spell>,
    drift: Option<Spell>,
    /// Frames for which the clock still goes wrong.
    skewed: u32,
}

/// A frame that is to go out after others of its device.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    pub(super) verdict: Verdict,
    /// Good frames that go out before.
    pub(super) wait: u32,
}

/// Something that a channel's values go through for some frames.
#[derive(Clone, Copy, Debug)]
struct Spell {
    channel: usize,
    frames_left: u32,
    /// The value to stick to, once there is one, or the distance a second.
    amount: Option<f64>,
    since_ns: i64,
}

/// The values of one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampled {
    /// When the first sample was taken.
    pub(super) first_ns: i64,
    /// When the last was, which is when the frame is complete.
    pub(super) last_ns: i64,
    /// How many of the values are not finite.
    pub(super) not_finite: u64,
}

impl Actor {
    /// The replica with this number.
    pub(super) fn new(
        device: &Device,
        common: &[Fault],
        format: LineFormat,
        replica: u32,
        start: Start,
    ) -> Self {
        let id = device.id.wrapping_add(replica);
        let period_ns = ((SECOND as f64 / device.rate_hz) as i64).max(1);
        let spread = device.phase + f64::from(replica) / f64::from(device.count.max(1));
        let phase = spread - libm::floor(spread);
        let at_ns = start.at_ns.saturating_add((period_ns as f64 * phase) as i64);
        let layout = Layout::new(device, format, id, period_ns);
        let mut random = Random::new(start.seed, id, 0, Purpose::Faults);
        let due = device
            .faults
            .iter()
            .chain(common)
            .filter(|fault| can_befall(&fault.kind, device, format))
            .map(|fault| Due::new(fault, &mut random))
            .collect();
        let since_ns = at_ns.saturating_sub(period_ns);
        Self {
            id,
            boot: device.boot,
            sequence: 0,
            fresh: true,
            health: device.health,
            time_error: device.time_error,
            clock: Clock::new(
                device.clock,
                device.clock_skew_ppm,
                device.clock_offset_ns,
                since_ns,
            ),
            waves: numbered(device)
                .map(|(channel, _, number)| Wave::new(channel, start.seed, id, number))
                .collect(),
            layout,
            random,
            due,
            dropping: 0,
            held: None,
            period_ns,
            at_ns,
            blocked_ns: i64::MIN,
            stuck: None,
            drift: None,
            skewed: 0,
        }
    }

    /// When the next frame goes out.
    pub(super) fn sends_ns(&self) -> i64 {
        self.at_ns.max(self.blocked_ns)
    }

    /// Takes the samples of the next frame into `values`, in the order of the wire, with what
    /// goes wrong with values and clock.
    pub(super) fn sample(
        &mut self,
        values: &mut Vec<f64>,
        faults: &mut [u64; FAULT_KINDS],
    ) -> Sampled {
        let samples = usize::from(self.layout.samples);
        let dt_ns = self.layout.dt_ns;
        let last_ns = self.at_ns;
        let steps = i64::from(self.layout.samples) - 1;
        let first_ns = last_ns.saturating_sub(dt_ns.saturating_mul(steps));
        values.clear();
        values.resize(self.layout.values(), 0.0);
        self.begin_spells(faults);
        for (channel, wave) in self.waves.iter_mut().enumerate() {
            let (from, stride) = self.layout.column(channel);
            let end = from + (samples - 1) * stride + 1;
            wave.play(first_ns, dt_ns, &mut values[from..end], stride);
        }
        self.go_through_spells(first_ns, values);
        self.spike(values, faults);
        self.layout.round(values);
        let not_finite = self.blank(values, faults);
        Sampled { first_ns, last_ns, not_finite }
    }

    /// The fault that changes the verdict on the next frame, if one is due and `may` begin.
    pub(super) fn verdict_fault(
        &mut self,
        may: impl Fn(&FaultKind) -> bool,
        faults: &mut [u64; FAULT_KINDS],
    ) -> Option<FaultKind> {
        let mut chosen = None;
        for due in self.due.iter_mut().filter(|due| due.kind.scope() == Scope::Verdict) {
            if due.is_due() && chosen.is_none() && may(&due.kind) {
                due.begin(&mut self.random);
                faults[due.kind.index()] += 1;
                chosen = Some(due.kind);
            }
        }
        chosen
    }

    /// The device starts anew: its next frame is the first of another boot.
    pub(super) fn restart(&mut self) {
        self.boot = self.boot.wrapping_add(1);
        self.sequence = 0;
        self.fresh = true;
        self.clock.restart(self.at_ns.saturating_sub(self.period_ns));
    }

    /// Turns to the next frame, which may be held up together with those that follow it.
    pub(super) fn advance(&mut self, faults: &mut [u64; FAULT_KINDS]) {
        self.sequence = self.sequence.wrapping_add(1);
        self.fresh = false;
        self.at_ns = self.at_ns.saturating_add(self.period_ns);
        for due in &mut self.due {
            let FaultKind::Burst { frames } = due.kind else { continue };
            if due.is_due() && self.blocked_ns < self.at_ns {
                due.begin(&mut self.random);
                faults[due.kind.index()] += 1;
                let held_up_ns = self.period_ns.saturating_mul(i64::from(frames) - 1);
                self.blocked_ns = self.at_ns.saturating_add(held_up_ns);
            }
        }
    }

    fn begin_spells(&mut self, faults: &mut [u64; FAULT_KINDS]) {
        let channels = u32::try_from(self.waves.len()).unwrap_or(u32::MAX);
        for due in &mut self.due {
            let free = match due.kind {
                FaultKind::Stuck { .. } => self.stuck.is_none(),
                FaultKind::Drift { .. } => self.drift.is_none(),
                FaultKind::ClockSkew { .. } => self.skewed == 0,
                _ => continue,
            };
            if !(free && due.is_due()) {
                continue;
            }
            due.begin(&mut self.random);
            faults[due.kind.index()] += 1;
            let mut spell = |frames_left, amount| {
                let channel = self.random.below(channels) as usize;
                Some(Spell { channel, frames_left, amount, since_ns: self.at_ns })
            };
            match due.kind {
                FaultKind::Stuck { frames } => self.stuck = spell(frames, None),
                FaultKind::Drift { per_second, frames } => {
                    self.drift = spell(frames, Some(per_second));
                }
                FaultKind::ClockSkew { ppm, frames } => {
                    self.skewed = frames;
                    self.clock.begin_spell(ppm, self.at_ns);
                }
                _ => {}
            }
        }
        self.skewed = match self.skewed {
            0 => {
                self.clock.end_spell();
                0
            }
            left => left - 1,
        };
    }

    fn go_through_spells(&mut self, first_ns: i64, values: &mut [f64]) {
        let dt_ns = self.layout.dt_ns;
        if let Some(drift) = &self.drift {
            let (from, stride) = self.layout.column(drift.channel);
            let mut at_ns = first_ns;
            for value in self.layout.cut(values, from, stride) {
                let seconds = at_ns.saturating_sub(drift.since_ns).max(0) as f64 / SECOND as f64;
                *value += drift.amount.unwrap_or(0.0) * seconds;
                at_ns = at_ns.saturating_add(dt_ns);
            }
        }
        if let Some(stuck) = &mut self.stuck {
            let (from, stride) = self.layout.column(stuck.channel);
            for value in self.layout.cut(values, from, stride) {
                *value = *stuck.amount.get_or_insert(*value);
            }
        }
        for spell in [&mut self.stuck, &mut self.drift] {
            if let Some(going) = spell {
                going.frames_left = going.frames_left.saturating_sub(1);
                if going.frames_left == 0 {
                    *spell = None;
                }
            }
        }
    }

    fn spike(&mut self, values: &mut [f64], faults: &mut [u64; FAULT_KINDS]) {
        for due in &mut self.due {
            let FaultKind::Spike { size } = due.kind else { continue };
            let index = due.kind.index();
            due.each(values.len(), &mut self.random, |at, random| {
                values[at] += if random.below(2) == 0 { size } else { -size };
                faults[index] += 1;
            });
        }
    }

    /// Takes values away, and returns how many.
    fn blank(&mut self, values: &mut [f64], faults: &mut [u64; FAULT_KINDS]) -> u64 {
        let mut not_finite = 0;
        for due in &mut self.due {
            let infinite = match due.kind {
                FaultKind::Nan => false,
                FaultKind::Infinite => true,
                _ => continue,
            };
            let index = due.kind.index();
            let layout = &self.layout;
            due.each(values.len(), &mut self.random, |at, random| {
                let up = random.below(2) == 0;
                let Some(blank) = layout.blank(at, infinite, up) else { return };
                not_finite += u64::from(values[at].is_finite());
                values[at] = blank;
                faults[index] += 1;
            });
        }
        not_finite
    }
}

/// When and how a play begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) seed: u64,
    pub(super) at_ns: i64,
}

/// Faults that could not show on a device are left out, lest they wait for ever.
fn can_befall(kind: &FaultKind, device: &Device, format: LineFormat) -> bool {
    let native = format == LineFormat::Native;
    match kind {
        FaultKind::LateStamp { .. } | FaultKind::FutureStamp { .. } => {
            native && is_absolute(device.clock)
        }
        // A line of one value cannot be cut so that what is left is certain to be refused.
        FaultKind::Truncation => native || device.channels.len() > 1,
        FaultKind::Reset | FaultKind::UnknownDevice | FaultKind::ClockSkew { .. } => native,
        _ => true,
    }
}
