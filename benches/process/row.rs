//! What is sent to a daemon of which configuration.

use crate::load::Payload;

/// One line of the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) payload: Payload,
    pub(crate) channels: usize,
    pub(crate) percentiles: bool,
    /// Where the receiver may run; the sender keeps to CPU 0.
    pub(crate) cpus: &'static [usize],
    /// Whether the receivers ask the kernel for trains of datagrams.
    pub(crate) gro: bool,
    pub(crate) pace: Pace,
}

/// How fast it is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As fast as nothing is lost, and then at 80 % of that.
    Highest,
    /// So many readings of each channel a second.
    EachChannel(f64),
}

const ONE: &[usize] = &[1];
const TWO: &[usize] = &[0, 1];

const NATIVE: Row = Row {
    payload: Payload::Native(50),
    channels: 1_000,
    percentiles: false,
    cpus: TWO,
    gro: false,
    pace: Pace::Highest,
};
const SINGLE: Row = Row { payload: Payload::Native(1), ..NATIVE };
const STATSD: Row = Row { payload: Payload::Statsd(25), percentiles: true, cpus: ONE, ..NATIVE };
const IDLE: Row = Row { channels: 100, percentiles: true, pace: Pace::EachChannel(10.0), ..NATIVE };

pub(crate) const ROWS: [Row; 14] = [
    NATIVE,
    Row { percentiles: true, ..NATIVE },
    Row { channels: 100_000, ..NATIVE },
    Row { channels: 100_000, percentiles: true, ..NATIVE },
    Row { gro: true, ..NATIVE },
    SINGLE,
    Row { percentiles: true, ..SINGLE },
    Row { channels: 100_000, ..SINGLE },
    Row { gro: true, ..SINGLE },
    STATSD,
    Row { payload: Payload::Statsd(1), ..STATSD },
    IDLE,
    Row { payload: Payload::Native(1), ..IDLE },
    // As many as the devices of one source may have, 50 each, in round figures.
    Row { channels: 800_000, pace: Pace::EachChannel(1.0), ..NATIVE },
];

impl Row {
    pub(crate) fn name(&self) -> String {
        let Self { payload, channels, percentiles, cpus, gro, pace } = self;
        let (format, readings, cpus) = (payload.format(), payload.readings(), cpus.len());
        let mut name = format!("{format} x {readings}, {channels} channels");
        if let Pace::EachChannel(hz) = pace {
            name += &format!(" at {hz} Hz");
        }
        name += if *percentiles { ", p50 p90 p99" } else { ", no percentiles" };
        name += if *gro { ", gro" } else { "" };
        name + &format!(", {cpus} CPU")
    }

    /// What the limit depends on: it knows neither channels nor percentiles.
    pub(crate) fn limit_key(&self) -> (Payload, usize, bool) {
        (self.payload, self.cpus.len(), self.gro)
    }

    pub(crate) fn config(&self) -> String {
        let Self { payload, channels, percentiles, gro, .. } = self;
        let percentiles = if *percentiles { "[50, 90, 99]" } else { "[]" };
        // So many channels at 1 Hz have nothing to say more often.
        let windows = match self.pace {
            Pace::EachChannel(1.0) => {
                "pane = \"1s\"\nwindows = [\"10s\", \"1m\", \"10m\", \"1h\", \"24h\"]\n"
            }
            _ => "",
        };
        format!(
            "[defaults]\n{windows}percentiles = {percentiles}\nresolution = 0.01\n\n[[source]]\n\
             name = \"load\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\nformat = \"{}\"\n\
             gro = {gro}\nunknown = \"discover\"\ndiscover_max = {channels}\n",
            payload.format(),
        )
    }

    /// A rate, in readings a second, that any machine takes.
    pub(crate) fn gentle(&self) -> f64 {
        match self.payload.readings() {
            1 => 50_000.0,
            _ => 500_000.0,
        }
    }
}
