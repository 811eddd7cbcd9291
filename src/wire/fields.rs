//! Names that a source has met, as dense numbers.

use std::sync::Arc;

/// A field of a source whose format names its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, as it is sent.
    pub name: Arc<str>,
    /// The code of its unit where the format tells one; nobody has looked whether it is one.
    pub unit: Option<Arc<str>>,
}

/// The fields of one source: index to name. Grown only by its decoder, shared by `Arc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldTable {
    fields: Vec<Field>,
}

impl FieldTable {
    /// A table that starts with the configured names, which keep the first indexes.
    #[must_use]
    pub fn new(known: &[Arc<str>]) -> Self {
        let field = |name| Field { name: Arc::clone(name), unit: None };
        Self { fields: known.iter().map(field).collect() }
    }

    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The field with this index.
    #[must_use]
    pub fn get(&self, field: u32) -> Option<&Field> {
        self.fields.get(field as usize)
    }

    /// The name with this index.
    #[must_use]
    pub fn name(&self, field: u32) -> Option<&Arc<str>> {
        self.get(field).map(|field| &field.name)
    }

    /// The unit that came with this name when it was met first.
    #[must_use]
    pub fn unit(&self, field: u32) -> Option<&Arc<str>> {
        self.get(field)?.unit.as_ref()
    }

    /// All names in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.fields.iter().map(|field| &field.name)
    }

    /// Appends a field and returns its index. The caller holds the bound.
    pub fn push(&mut self, name: Arc<str>, unit: Option<Arc<str>>) -> u32 {
        self.fields.push(Field { name, unit });
        u32::try_from(self.fields.len() - 1).expect("bounded by FIELDS_PER_SOURCE_MAX")
    }
}
