//! What a reply says whatever it is about.

use crate::query::json::{Rfc3339, append};

/// What is known of the host's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostClock {
    /// Its state, in a word.
    pub name: &'static str,
    /// How far it may be off at most, milliseconds, where it is kept in step.
    pub error_ms: Option<f64>,
}

/// What a reply says besides its channels.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Whether more replies to the same call follow.
    pub continues: bool,
    /// Stretch of unbroken time line.
    pub epoch: u64,
    /// Number of the snapshot.
    pub seq: u64,
    /// When the reply was made, nanoseconds on the daemon's line.
    pub now_ns: i64,
    /// State of the host's clock.
    pub clock: HostClock,
    /// Publications that a subscriber was not told of.
    pub skipped: Option<u64>,
    /// First channel that is not on the page.
    pub next: Option<&'a str>,
}

impl Header<'_> {
    /// Begins the reply, up to what it is about.
    pub(in crate::query) fn open(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.continues { b"{\"continues\":true," } else { b"{" });
        out.extend_from_slice(b"\"parameters\":{\"epoch\":");
        append(out, &self.epoch);
        out.extend_from_slice(b",\"seq\":");
        append(out, &self.seq);
        out.extend_from_slice(b",\"time\":");
        append(out, &Rfc3339(self.now_ns));
        out.extend_from_slice(b",\"clock\":");
        append(out, &self.clock.name);
        if let Some(error_ms) = self.clock.error_ms {
            out.extend_from_slice(b",\"clock_error_ms\":");
            append(out, &error_ms);
        }
        if let Some(skipped) = self.skipped {
            out.extend_from_slice(b",\"skipped\":");
            append(out, &skipped);
        }
    }

    /// Ends it.
    pub(in crate::query) fn close(&self, out: &mut Vec<u8>) {
        if let Some(next) = self.next {
            out.extend_from_slice(b",\"next\":");
            append(out, &next);
        }
        out.extend_from_slice(b"}}");
    }
}
