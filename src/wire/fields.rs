//! Names that a text source has met, as dense numbers.

use std::sync::Arc;

/// The field names of one source: index to name. Grown only by its decoder, shared by `Arc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldTable {
    names: Vec<Arc<str>>,
}

impl FieldTable {
    /// A table that starts with the configured names, which keep the first indexes.
    #[must_use]
    pub fn new(known: &[Arc<str>]) -> Self {
        Self { names: known.to_vec() }
    }

    /// Number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name with this index.
    #[must_use]
    pub fn name(&self, field: u32) -> Option<&Arc<str>> {
        self.names.get(field as usize)
    }

    /// All names in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.iter()
    }

    /// Appends a name and returns its index. The caller holds the bound.
    pub fn push(&mut self, name: Arc<str>) -> u32 {
        self.names.push(name);
        u32::try_from(self.names.len() - 1).expect("bounded by FIELDS_PER_SOURCE_MAX")
    }
}
