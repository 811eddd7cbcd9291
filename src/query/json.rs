//! Small pieces that all forms share.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use crate::engine::verdict::{Test, Tests};

/// Nanoseconds since 1970 as RFC 3339 in UTC: `2026-11-23T01:02:06Z`.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(pub i64);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(Timestamp::UNIX_EPOCH);
        serializer.collect_str(&time)
    }
}

/// Anything that can be displayed, as a string.
#[derive(Clone, Copy, Debug)]
pub struct Text<T>(pub T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Counters under their names, those that are 0 left out.
#[derive(Clone, Copy, Debug)]
pub struct NonZero<'a>(pub &'a [(&'static str, u64)]);

impl Serialize for NonZero<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(_, n)| *n != 0).copied())
    }
}

/// Writes the entry unless the number is absent or not finite.
///
/// # Errors
/// Those of the serializer.
pub fn number<M: SerializeMap>(
    map: &mut M,
    key: &'static str,
    value: Option<f64>,
) -> Result<(), M::Error> {
    match value.filter(|v| v.is_finite()) {
        Some(value) => map.serialize_entry(key, &value),
        None => Ok(()),
    }
}

/// Writes the entry unless it is absent.
///
/// # Errors
/// Those of the serializer.
pub fn optional<M: SerializeMap, T: Serialize>(
    map: &mut M,
    key: &'static str,
    value: Option<T>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(key, &value),
        None => Ok(()),
    }
}

/// Writes what speaks against a reading, unless nothing does: `"reasons":["current_loop"]`.
///
/// # Errors
/// Those of the serializer.
pub fn reasons<M: SerializeMap>(map: &mut M, tests: Tests) -> Result<(), M::Error> {
    let names: Vec<&str> = tests.iter().map(Test::name).collect();
    optional(map, "reasons", Some(names).filter(|names| !names.is_empty()))
}

/// A count that may be a fraction: `600`, not `600.0`.
#[derive(Clone, Copy, Debug)]
pub struct Count(pub f64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Above this, not every whole number is an `f64`.
        const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
        if 0.0 <= self.0 && self.0 <= WHOLE_MAX && self.0.fract() == 0.0 {
            serializer.serialize_u64(self.0 as u64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// Values under the name of their percentile: `{"50":1.5,"99.9":2}`.
pub struct Percentiles<'a> {
    /// Percentiles in (0, 100].
    pub ranks: &'a [f64],
    /// One value for each.
    pub values: &'a [f64],
}

impl Serialize for Percentiles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut name = String::new();
        for (rank, value) in self.ranks.iter().zip(self.values).filter(|(_, v)| v.is_finite()) {
            name.clear();
            write!(name, "{rank}").map_err(serde::ser::Error::custom)?;
            map.serialize_entry(&name, value)?;
        }
        map.end()
    }
}

/// What an iterator yields, as an array.
///
/// # Errors
/// Those of the serializer.
pub fn sequence<S: Serializer, T: Serialize>(
    serializer: S,
    items: impl Iterator<Item = T>,
) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(None)?;
    for item in items {
        seq.serialize_element(&item)?;
    }
    seq.end()
}

/// Appends the JSON of a value.
pub fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("memory takes every byte, and all keys are strings");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("serialises")
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(json(&Rfc3339(0)), r#""1970-01-01T00:00:00Z""#);
        assert_eq!(json(&Rfc3339(1_500_000_000)), r#""1970-01-01T00:00:01.5Z""#);
        assert_eq!(json(&Rfc3339(i64::MAX)), r#""2262-04-11T23:47:16.854775807Z""#);
        assert_eq!(json(&Rfc3339(i64::MIN)), r#""1677-09-21T00:12:43.145224192Z""#);
    }

    #[test]
    fn counts_are_whole_where_they_can_be() {
        assert_eq!(json(&Count(600.0)), "600");
        assert_eq!(json(&Count(0.5)), "0.5");
        assert_eq!(json(&Count(1e300)), "1e+300");
    }

    #[test]
    fn percentiles_carry_their_names_and_only_numbers() {
        let percentiles =
            Percentiles { ranks: &[50.0, 99.0, 99.9], values: &[1.5, f64::NAN, 2.25] };
        assert_eq!(json(&percentiles), r#"{"50":1.5,"99.9":2.25}"#);
    }
}
