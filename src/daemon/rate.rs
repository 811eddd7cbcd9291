//! A limit on log lines whose number others decide.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::limits::LOG_EVERY_NS;

/// Lets one line through in a period and counts those it holds back.
#[derive(Clone, Debug)]
pub struct LogLimit {
    period_ns: i64,
    /// When the next line may go, on the clock of [`Self::allow`].
    next_ns: Option<i64>,
    suppressed: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new(LOG_EVERY_NS)
    }
}

impl LogLimit {
    /// A limit of one line in `period_ns`.
    #[must_use]
    pub fn new(period_ns: i64) -> Self {
        Self { period_ns, next_ns: None, suppressed: 0 }
    }

    /// Whether a line may be written now: `Some` with the number of lines held back before it.
    pub fn allow(&mut self, now_ns: i64) -> Option<u64> {
        if self.next_ns.is_some_and(|next_ns| now_ns < next_ns) {
            self.suppressed += 1;
            return None;
        }
        self.next_ns = Some(now_ns.saturating_add(self.period_ns));
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// One [`LogLimit`] for each kind of line, shared by tasks.
///
/// Kinds are literals of the program: there are as many as there are places that log.
#[derive(Debug, Default)]
pub struct LogLimits {
    kinds: Mutex<BTreeMap<&'static str, LogLimit>>,
}

impl LogLimits {
    /// As [`LogLimit::allow`], for lines of this kind.
    pub fn allow(&self, kind: &'static str, now_ns: i64) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.entry(kind).or_default().allow(now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_one_line_through_in_a_period_and_counts_the_others() {
        let mut limit = LogLimit::new(10);
        assert_eq!(limit.allow(100), Some(0));
        assert_eq!(limit.allow(100), None);
        assert_eq!(limit.allow(109), None);
        assert_eq!(limit.allow(110), Some(2));
        assert_eq!(limit.allow(119), None);
        assert_eq!(limit.allow(500), Some(1));
    }

    #[test]
    fn kinds_do_not_share() {
        let limits = LogLimits::default();
        assert_eq!(limits.allow("slow", 0), Some(0));
        assert_eq!(limits.allow("slow", 1), None);
        assert_eq!(limits.allow("busy", 1), Some(0));
        assert_eq!(limits.allow("slow", LOG_EVERY_NS), Some(1));
    }
}
