//! The highest rate at which nothing is lost.

use std::{io, thread, time::Duration};

use stillwell::limits::{MS, SECOND};

use crate::{
    load::{Load, Sent},
    receiver::{Receiver, Taken},
};

/// How long one rate is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) trial_ns: i64,
    pub(crate) measure_ns: i64,
    /// Halvings of the interval between a rate that went well and one that did not.
    pub(crate) halvings: u32,
}

impl Effort {
    pub(crate) const FULL: Self =
        Self { trial_ns: 2 * SECOND, measure_ns: 10 * SECOND, halvings: 4 };
    pub(crate) const SMOKE: Self = Self { trial_ns: 100 * MS, measure_ns: 200 * MS, halvings: 0 };
}

/// What a search found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Highest {
    /// Readings a second.
    pub(crate) rate: f64,
    /// The sender could do no more: the receiver's own limit is higher.
    pub(crate) sender_limited: bool,
}

/// Share of the readings asked for below which the sender is the limit.
const KEEPS_PACE: f64 = 0.97;
const GROWTH: f64 = 1.4;

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
        let (sent, lost) = trial(receiver, load, rate, effort.trial_ns)?;
        if lost == Taken::default() {
            good = sent.rate();
            if good < KEEPS_PACE * rate {
                return Ok(Highest { rate: good, sender_limited: true });
            }
        } else {
            bad = rate;
        }
        if bad.is_infinite() {
            rate *= GROWTH;
            if halvings == 0 {
                return Ok(Highest { rate: good, sender_limited: false });
            }
            continue;
        }
        if halvings == 0 {
            return Ok(Highest { rate: good, sender_limited: false });
        }
        halvings -= 1;
        rate = if good == 0.0 { bad / 2.0 } else { (good * bad).sqrt() };
    }
}

/// Sends for a time and waits until all that was sent has come through or is known to be lost;
/// what is lost, nothing if all is default.
pub(crate) fn trial(
    receiver: &mut dyn Receiver,
    load: &mut Load,
    rate: f64,
    for_ns: i64,
) -> io::Result<(Sent, Taken)> {
    let before = receiver.taken()?;
    let sent = load.send(rate, for_ns)?;
    let mut taken = Taken::default();
    // A publication after the last datagram, and some patience with a queue that was full.
    for _ in 0..40 {
        thread::sleep(Duration::from_millis(50));
        let now = receiver.taken()?;
        taken = Taken {
            datagrams: now.datagrams - before.datagrams,
            accepted: now.accepted - before.accepted,
            kernel_dropped: now.kernel_dropped - before.kernel_dropped,
            queue_full: now.queue_full - before.queue_full,
        };
        if sent.datagrams <= taken.datagrams + taken.kernel_dropped
            && sent.readings <= taken.accepted + taken.queue_full
        {
            break;
        }
    }
    let lost = Taken {
        datagrams: sent.datagrams - taken.datagrams,
        accepted: sent.readings - taken.accepted,
        kernel_dropped: taken.kernel_dropped,
        queue_full: taken.queue_full,
    };
    Ok((sent, lost))
}
