//! The names of one source, and which of them may still be learned.

use std::{collections::BTreeMap, sync::Arc};

use super::{FIELD_OVERFLOW, FIELD_UNKNOWN, FieldTable, decode::Naming, draft::Strangers};
use crate::limits;

/// Names to indexes and back.
///
/// Names come from the wire, so the index is a tree: it has no seed to choose and no names that
/// make it slow. It is rarely asked, because what a device sends it sends again: for each name
/// the one that came after it last time is tried first, which is one comparison of bytes.
#[derive(Debug)]
pub(super) struct Names {
    table: Arc<FieldTable>,
    indexes: BTreeMap<Arc<str>, u32>,
    /// For each name, the index of the one that was asked for after it.
    after: Vec<u32>,
    /// The one that was asked for last.
    last: u32,
    configured: usize,
    /// Names the table may grow to.
    names_max: usize,
    discover: bool,
    /// New names of the frame that is being read.
    pub(super) strangers: Strangers,
}

impl Names {
    /// Begins with the configured names.
    pub(super) fn new(naming: &Naming) -> Self {
        let Naming { known, discover } = naming;
        let mut indexes = BTreeMap::new();
        for (index, name) in (0..).zip(known) {
            indexes.entry(Arc::clone(name)).or_insert(index);
        }
        Self {
            table: Arc::new(FieldTable::new(known)),
            indexes,
            after: vec![0; known.len()],
            last: 0,
            configured: known.len(),
            names_max: known.len().saturating_add(*discover).min(limits::FIELDS_PER_SOURCE_MAX),
            discover: *discover > 0,
            strangers: Strangers::default(),
        }
    }

    /// Whether the configuration knows this name.
    pub(super) fn is_configured(&self, name: &str) -> bool {
        self.indexes.get(name).is_some_and(|&index| (index as usize) < self.configured)
    }

    /// What stands for this name; `None` if it is new and there is room to learn it.
    #[inline]
    pub(super) fn find(&mut self, name: &str) -> Option<u32> {
        let guess = self.after.get(self.last as usize).copied().unwrap_or(0);
        if self.table.name(guess).is_some_and(|guessed| **guessed == *name) {
            self.last = guess;
            return Some(guess);
        }
        self.look_up(name)
    }

    /// The name was not the one that was guessed.
    fn look_up(&mut self, name: &str) -> Option<u32> {
        match self.indexes.get(name) {
            Some(&index) => {
                self.follow(index);
                Some(index)
            }
            None if !self.discover => Some(FIELD_UNKNOWN),
            None if self.table.len() >= self.names_max => Some(FIELD_OVERFLOW),
            None => None,
        }
    }

    /// What stands for this name, which is learned with its unit if it is new and there is room.
    pub(super) fn find_or_learn(&mut self, name: &str, unit: Option<&str>) -> u32 {
        self.find(name).unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            let index = Arc::make_mut(&mut self.table).push(Arc::clone(&name), unit.map(Arc::from));
            self.indexes.insert(name, index);
            self.after.push(0);
            self.follow(index);
            index
        })
    }

    /// Index to name.
    pub(super) fn table(&self) -> &Arc<FieldTable> {
        &self.table
    }

    /// Notes that `index` came after the last one.
    fn follow(&mut self, index: u32) {
        if let Some(after) = self.after.get_mut(self.last as usize) {
            *after = index;
        }
        self.last = index;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(known: &[&str], discover: usize) -> Names {
        let known = known.iter().map(|&name| name.into()).collect();
        Names::new(&Naming { known, discover })
    }

    #[test]
    fn learning_ends_at_the_cap_and_keeps_what_it_has() {
        let mut names = names(&["t"], 2);
        let shared = Arc::clone(names.table());
        let learned = ["a", "t", "b", "c", "a"].map(|name| names.find_or_learn(name, Some("Cel")));
        assert_eq!(learned, [1, 0, 2, FIELD_OVERFLOW, 1]);
        assert_eq!((names.table().len(), shared.len()), (3, 1), "a shared table does not change");
        assert_eq!(names.table().name(2).map(|name| &**name), Some("b"));
        let units = [0, 1].map(|field| names.table().unit(field).map(|unit| &**unit));
        assert_eq!(units, [None, Some("Cel")], "a configured name has the configured unit");
    }

    #[test]
    fn without_discovery_a_new_name_is_unknown() {
        let mut names = names(&["t"], 0);
        assert_eq!(names.find_or_learn("h", None), FIELD_UNKNOWN);
        assert_eq!(names.find("t"), Some(0));
        assert_eq!(names.table().len(), 1);
    }

    #[test]
    fn no_source_outgrows_the_limit() {
        let mut names = names(&[], usize::MAX);
        for index in 0..limits::FIELDS_PER_SOURCE_MAX {
            names.find_or_learn(&format!("n{index}"), None);
        }
        assert_eq!(names.find_or_learn("one more", None), FIELD_OVERFLOW);
        assert_eq!(names.table().len(), limits::FIELDS_PER_SOURCE_MAX);
    }

    proptest! {
        #[test]
        fn a_guess_never_changes_what_is_found(asked in prop::collection::vec(0..6_u8, 0..60)) {
            let mut names = names(&["n0", "n1"], 3);
            let mut model = vec!["n0".to_owned(), "n1".to_owned()];
            for number in asked {
                let name = format!("n{number}");
                let at = model.iter().position(|known| *known == name);
                let expected = match at {
                    Some(at) => at as u32,
                    None if model.len() < 5 => {
                        model.push(name.clone());
                        model.len() as u32 - 1
                    }
                    None => FIELD_OVERFLOW,
                };
                prop_assert_eq!(names.find_or_learn(&name, None), expected);
            }
        }
    }
}
