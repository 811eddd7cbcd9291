//! The names of one source, and which of them may still be learned.

use std::{collections::BTreeMap, sync::Arc};

use super::{FIELD_OVERFLOW, FIELD_UNKNOWN, FieldTable, decode::TextOptions};
use crate::limits;

/// Names to indexes and back.
///
/// A tree and not a hash table: names come from the wire, a tree has no seed to choose and no
/// names that make it slow, and a look-up compares a handful of short strings.
#[derive(Debug)]
pub(super) struct Names {
    table: Arc<FieldTable>,
    indexes: BTreeMap<Arc<str>, u32>,
    configured: usize,
    /// Names the table may grow to.
    names_max: usize,
    discover: bool,
}

impl Names {
    /// Begins with the configured names.
    pub(super) fn new(options: &TextOptions) -> Self {
        let mut indexes = BTreeMap::new();
        for (index, name) in (0..).zip(&options.known) {
            indexes.entry(Arc::clone(name)).or_insert(index);
        }
        Self {
            table: Arc::new(FieldTable::new(&options.known)),
            indexes,
            configured: options.known.len(),
            names_max: options
                .known
                .len()
                .saturating_add(options.discover)
                .min(limits::FIELDS_PER_SOURCE_MAX),
            discover: options.discover > 0,
        }
    }

    /// Whether the options know this name.
    pub(super) fn is_configured(&self, name: &str) -> bool {
        self.indexes.get(name).is_some_and(|&index| (index as usize) < self.configured)
    }

    /// What stands for this name; `None` if it is new and there is room to learn it.
    pub(super) fn find(&self, name: &str) -> Option<u32> {
        match self.indexes.get(name) {
            Some(&index) => Some(index),
            None if !self.discover => Some(FIELD_UNKNOWN),
            None if self.table.len() >= self.names_max => Some(FIELD_OVERFLOW),
            None => None,
        }
    }

    /// What stands for this name, which is learned if it is new and there is room.
    pub(super) fn find_or_learn(&mut self, name: &str) -> u32 {
        self.find(name).unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            let index = Arc::make_mut(&mut self.table).push(Arc::clone(&name));
            self.indexes.insert(name, index);
            index
        })
    }

    /// Index to name.
    pub(super) fn table(&self) -> &Arc<FieldTable> {
        &self.table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(known: &[&str], discover: usize) -> Names {
        let known = known.iter().map(|&name| name.into()).collect();
        Names::new(&TextOptions { known, discover, timestamp: None })
    }

    #[test]
    fn learning_ends_at_the_cap_and_keeps_what_it_has() {
        let mut names = names(&["t"], 2);
        let shared = Arc::clone(names.table());
        let learned = ["a", "t", "b", "c", "a"].map(|name| names.find_or_learn(name));
        assert_eq!(learned, [1, 0, 2, FIELD_OVERFLOW, 1]);
        assert_eq!((names.table().len(), shared.len()), (3, 1), "a shared table does not change");
        assert_eq!(names.table().name(2).map(|name| &**name), Some("b"));
    }

    #[test]
    fn without_discovery_a_new_name_is_unknown() {
        let mut names = names(&["t"], 0);
        assert_eq!(names.find_or_learn("h"), FIELD_UNKNOWN);
        assert_eq!(names.find("t"), Some(0));
        assert_eq!(names.table().len(), 1);
    }

    #[test]
    fn no_source_outgrows_the_limit() {
        let mut names = names(&[], usize::MAX);
        for index in 0..limits::FIELDS_PER_SOURCE_MAX {
            names.find_or_learn(&format!("n{index}"));
        }
        assert_eq!(names.find_or_learn("one more"), FIELD_OVERFLOW);
        assert_eq!(names.table().len(), limits::FIELDS_PER_SOURCE_MAX);
    }
}
