//! Log lines that cannot flood the log.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::limits::LOG_EVERY_NS;

/// Lets one line of a kind through per [`LOG_EVERY_NS`] and counts the rest.
///
/// Keys are literals of the program: there are as many as there are places that log.
#[derive(Debug, Default)]
pub struct LogLimit {
    kinds: Mutex<BTreeMap<&'static str, Kind>>,
}

#[derive(Debug)]
struct Kind {
    written_ns: i64,
    suppressed: u64,
}

impl LogLimit {
    /// `Some(lines suppressed since the last one)` if a line of this kind may be written now.
    ///
    /// `now_ns` is on a clock that does not step.
    pub fn admit(&self, kind: &'static str, now_ns: i64) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = kinds.get_mut(kind) else {
            kinds.insert(kind, Kind { written_ns: now_ns, suppressed: 0 });
            return Some(0);
        };
        if now_ns.saturating_sub(seen.written_ns) < LOG_EVERY_NS {
            seen.suppressed += 1;
            return None;
        }
        seen.written_ns = now_ns;
        Some(std::mem::take(&mut seen.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_a_kind_and_a_count_of_the_rest() {
        let limit = LogLimit::default();
        assert_eq!(limit.admit("slow", 0), Some(0));
        assert_eq!(limit.admit("slow", 1), None);
        assert_eq!(limit.admit("slow", LOG_EVERY_NS - 1), None);
        assert_eq!(limit.admit("busy", 1), Some(0), "kinds do not share");
        assert_eq!(limit.admit("slow", LOG_EVERY_NS), Some(2));
        assert_eq!(limit.admit("slow", 2 * LOG_EVERY_NS), Some(0));
    }
}
