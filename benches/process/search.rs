//! The highest rate at which nothing is lost and nothing piles up.

use std::{io, thread, time::Duration};

use stillwell::{
    daemon::clock::boot_ns,
    limits::{MS, SECOND},
};

use crate::{
    load::{Load, Sent},
    receiver::{Receiver, Taken},
};

/// How long one rate is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) trial_ns: i64,
    pub(crate) measure_ns: i64,
    /// As `measure_ns`, for a rate that is given: it may be a low one.
    pub(crate) given_ns: i64,
    /// Halvings of the interval between a rate that went well and one that did not.
    pub(crate) halvings: u32,
}

impl Effort {
    pub(crate) const FULL: Self =
        Self { trial_ns: SECOND, measure_ns: 6 * SECOND, given_ns: 10 * SECOND, halvings: 4 };
    pub(crate) const SMOKE: Self =
        Self { trial_ns: 100 * MS, measure_ns: 200 * MS, given_ns: 200 * MS, halvings: 0 };
}

/// What a search found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Highest {
    /// Readings a second.
    pub(crate) rate: f64,
    /// The sender could do no more: the receiver's own limit is higher.
    pub(crate) sender_limited: bool,
}

/// What became of what was sent for a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) sent: Sent,
    pub(crate) taken: Taken,
    /// From the last datagram sent until nothing was under way any more.
    pub(crate) drained_ns: i64,
}

/// Share of the readings asked for below which the sender is the limit.
const KEEPS_PACE: f64 = 0.97;
const GROWTH: f64 = 2.0;
/// Longest time after the last datagram for what a receiver that keeps up has still to do: it
/// publishes each 100 ms. One that needs longer was filling its queue.
const DRAINED_NS: i64 = 300 * MS;
/// Longest wait for what is under way.
const PATIENCE_NS: i64 = 5 * SECOND;

impl Trial {
    /// Whether everything that was sent has been accepted.
    pub(crate) fn lost_nothing(&self) -> bool {
        let Self { sent, taken, .. } = self;
        (taken.datagrams, taken.accepted) == (sent.datagrams, sent.readings)
    }

    /// Whether it could have gone on like this.
    pub(crate) fn is_sustained(&self) -> bool {
        self.lost_nothing() && self.drained_ns <= DRAINED_NS
    }
}

/// Raises the rate until something is lost, then closes in.
pub(crate) fn highest(
    receiver: &mut dyn Receiver,
    load: &mut Load,
    from: f64,
    effort: Effort,
) -> io::Result<Highest> {
    let (mut good, mut bad) = (0.0, f64::INFINITY);
    let mut rate = from;
    let mut halvings = effort.halvings;
    loop {
        let trial = trial(receiver, load, rate, effort.trial_ns)?;
        if trial.is_sustained() {
            good = trial.sent.rate();
            if good < KEEPS_PACE * rate {
                return Ok(Highest { rate: good, sender_limited: true });
            }
        } else {
            bad = rate;
        }
        if effort.halvings == 0 || (halvings == 0 && bad.is_finite()) {
            return Ok(Highest { rate: good, sender_limited: false });
        }
        rate = if bad.is_infinite() {
            rate * GROWTH
        } else {
            halvings -= 1;
            if good == 0.0 { bad / 2.0 } else { (good * bad).sqrt() }
        };
    }
}

/// Sends for a time and waits until all that was sent has come through or is known to be lost.
pub(crate) fn trial(
    receiver: &mut dyn Receiver,
    load: &mut Load,
    rate: f64,
    for_ns: i64,
) -> io::Result<Trial> {
    let before = receiver.taken()?;
    let sent = load.send(rate, for_ns)?;
    let sent_ns = boot_ns();
    loop {
        let taken = receiver.taken()?.since(&before);
        let drained_ns = boot_ns() - sent_ns;
        let is_known = sent.datagrams <= taken.datagrams + taken.kernel_dropped
            && sent.readings
                <= taken.accepted
                    + taken.queue_full
                    + taken.refused
                    + taken.kernel_dropped * load.readings_per_datagram();
        if is_known || PATIENCE_NS < drained_ns {
            return Ok(Trial { sent, taken, drained_ns });
        }
        thread::sleep(Duration::from_millis(20));
    }
}
