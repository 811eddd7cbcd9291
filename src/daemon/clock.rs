//! The only file that reads clocks.
//!
//! Event time is nanoseconds since 1970 on a line of the daemon's own: the wall clock is read
//! once, at the first start after the host's, and from then on the line follows CLOCK_BOOTTIME,
//! which nobody sets and which goes on in suspend. It never steps.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The daemon's time line.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Wall clock minus boot time when the line was anchored.
    anchor_ns: i64,
}

impl Line {
    /// Anchors the line at the wall clock of this instant.
    #[must_use]
    pub fn anchored() -> Self {
        Self { anchor_ns: wall_ns() - boot_ns() }
    }

    /// The line with this anchor: a line of before, that goes on.
    #[must_use]
    pub fn at(anchor_ns: i64) -> Self {
        Self { anchor_ns }
    }

    /// Its time minus CLOCK_BOOTTIME.
    #[must_use]
    pub fn anchor_ns(&self) -> i64 {
        self.anchor_ns
    }

    /// Nanoseconds since 1970 on the line.
    #[must_use]
    pub fn now_ns(&self) -> i64 {
        self.anchor_ns + boot_ns()
    }

    /// The line's time for a wall-clock stamp of the recent past, such as the kernel's receive
    /// stamp: its age is what counts, so that a step of the wall clock moves nothing.
    ///
    /// A stamp from the future, which only a clock set back can give, is taken as now.
    #[must_use]
    pub fn of_wall(&self, stamp_ns: i64, clocks: Clocks) -> i64 {
        let age_ns = (clocks.wall_ns - stamp_ns).max(0);
        self.anchor_ns + clocks.boot_ns - age_ns
    }
}

/// Both clocks at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// CLOCK_REALTIME, nanoseconds since 1970.
    pub wall_ns: i64,
    /// CLOCK_BOOTTIME, nanoseconds since boot.
    pub boot_ns: i64,
}

impl Clocks {
    /// Reads both.
    #[must_use]
    pub fn now() -> Self {
        Self { wall_ns: wall_ns(), boot_ns: boot_ns() }
    }
}

/// The clock of tokio's timers as nanoseconds since a start: for what has to last and has no date.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    /// Starts at 0.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }

    /// The instant at which it shows `at_ns`, or a day later than now if that is sooner.
    #[must_use]
    pub fn instant(&self, at_ns: i64) -> tokio::time::Instant {
        let most_ns = self.now_ns().saturating_add(DAY_NS);
        self.0 + Duration::from_nanos(at_ns.clamp(0, most_ns).unsigned_abs())
    }
}

/// Timers are never set further ahead.
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// CLOCK_BOOTTIME in nanoseconds.
#[must_use]
pub fn boot_ns() -> i64 {
    nanoseconds(clock_gettime(ClockId::Boottime))
}

/// CPU time that this process has used, in nanoseconds, for benchmarks.
#[must_use]
pub fn cpu_ns() -> i64 {
    nanoseconds(clock_gettime(ClockId::ProcessCPUTime))
}

/// CPU time that this thread has used, in nanoseconds, for benchmarks.
#[must_use]
pub fn thread_cpu_ns() -> i64 {
    nanoseconds(clock_gettime(ClockId::ThreadCPUTime))
}

/// CLOCK_MONOTONIC as tokio's timers use it, for deadlines.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
pub fn deadline_in(ns: i64) -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_nanos(ns.unsigned_abs())
}

fn wall_ns() -> i64 {
    nanoseconds(clock_gettime(ClockId::Realtime))
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
