//! What a summary says besides its values, as entries of its JSON object.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::json::{Rfc3339, Text, number, optional};
use crate::{
    engine::{
        duration::Nanoseconds,
        statistics::{
            Detail, Kind, Statistics,
            circular::{Directions, Vector},
            counter::Counted,
            plan::OTHER_STATE,
            trust::Trusted,
            weighted::Weighted,
        },
        verdict::Test,
    },
    limits::{MS, SECOND},
};

/// Writes the entries; statistics that there are not are absent.
///
/// # Errors
/// Those of the serializer.
pub fn write<M: SerializeMap>(
    map: &mut M,
    details: &[Detail],
    statistics: &Statistics,
) -> Result<(), M::Error> {
    for detail in details {
        match detail {
            // What is known of the time is said beside the coverage.
            Detail::Nothing | Detail::Known { .. } => {}
            Detail::Trust(trusted) => trust(map, trusted)?,
            Detail::Weighted(weighted) => map.serialize_entry("time_weighted", &Time(weighted))?,
            Detail::Directions(directions) => map.serialize_entry("circular", &Turn(directions))?,
            Detail::Vector(vector) => map.serialize_entry("vector", &Arrow(vector))?,
            Detail::Counted(counted) => map.serialize_entry("counter", &Count(counted))?,
            // Those of which there are several are told together.
            Detail::State { .. } | Detail::Allan { .. } => {}
            Detail::Transitions(n) => map.serialize_entry("transitions", n)?,
            Detail::Ewma(mean) => number(map, "ewma", Some(*mean))?,
            Detail::Gust { value, at_ns } => {
                map.serialize_entry("gust", &Gust { value: *value, at_ns: *at_ns })?;
            }
        }
    }
    if let Kind::State(names) = &statistics.kind
        && details.iter().any(|detail| matches!(detail, Detail::State { .. }))
    {
        map.serialize_entry("state_seconds", &States { names, details })?;
    }
    if details.iter().any(|detail| matches!(detail, Detail::Allan { .. })) {
        map.serialize_entry("allan", &Deviations(details))?;
    }
    Ok(())
}

fn trust<M: SerializeMap>(map: &mut M, trusted: &Trusted) -> Result<(), M::Error> {
    map.serialize_entry("longest_gap_ms", &(trusted.gap_ns / MS))?;
    optional(map, "good_age_ms", trusted.age_ns.map(|ns| ns / MS))?;
    let names: Vec<&str> = trusted.tests.iter().map(Test::name).collect();
    optional(map, "tests", Some(names).filter(|names| !names.is_empty()))?;
    optional(map, "unordered", Some(trusted.unordered).filter(|&n| n != 0))
}

struct Time<'a>(&'a Weighted);

impl Serialize for Time<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        number(&mut map, "mean", Some(self.0.mean))?;
        number(&mut map, "integral", Some(self.0.integral()))?;
        map.end()
    }
}

struct Turn<'a>(&'a Directions);

impl Serialize for Turn<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let Directions { resultant, around } = self.0;
        number(&mut map, "mean", around.map(|around| around.mean))?;
        number(&mut map, "resultant", Some(*resultant))?;
        number(&mut map, "stddev", around.map(|around| around.stddev))?;
        number(&mut map, "yamartino", around.map(|around| around.yamartino))?;
        map.end()
    }
}

struct Arrow<'a>(&'a Vector);

impl Serialize for Arrow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        number(&mut map, "direction", self.0.direction)?;
        number(&mut map, "speed", Some(self.0.speed))?;
        map.end()
    }
}

struct Count<'a>(&'a Counted);

impl Serialize for Count<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Counted { increase, per_second, wraps, resets } = self.0;
        let mut map = serializer.serialize_map(None)?;
        number(&mut map, "increase", Some(*increase))?;
        number(&mut map, "per_second", *per_second)?;
        map.serialize_entry("wraps", wraps)?;
        map.serialize_entry("resets", resets)?;
        map.end()
    }
}

/// Seconds in each state, by name.
struct States<'a> {
    names: &'a [std::sync::Arc<str>],
    details: &'a [Detail],
}

impl Serialize for States<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for detail in self.details {
            let Detail::State { number, ns } = detail else { continue };
            let name = self.names.get(usize::from(*number)).map_or(OTHER_STATE, |name| name);
            map.serialize_entry(name, &(*ns as f64 / SECOND as f64))?;
        }
        map.end()
    }
}

/// Allan deviations by the length of their blocks.
struct Deviations<'a>(&'a [Detail]);

impl Serialize for Deviations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let deviations = self.0.iter().filter_map(|detail| match detail {
            Detail::Allan { length_ns, deviation } if deviation.is_finite() => {
                Some((Text(Nanoseconds(*length_ns)), deviation))
            }
            _ => None,
        });
        serializer.collect_map(deviations)
    }
}

#[derive(Serialize)]
struct Gust {
    value: f64,
    #[serde(serialize_with = "time")]
    #[serde(rename = "time")]
    at_ns: i64,
}

fn time<S: Serializer>(at_ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    Rfc3339(*at_ns).serialize(serializer)
}
