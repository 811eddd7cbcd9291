//! A value that the season does not have.
//!
//! QARTOD test 5 ("Climatology Test"): bounds that hold for a part of the year, and for a range
//! of depths.

use jiff::{Timestamp, tz::TimeZone};

use super::bounds::{Span, Spans};
use crate::engine::summary::Flag;

/// When bounds hold; all in UTC, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Season {
    /// From one instant to another, nanoseconds since 1970.
    Instants(i64, i64),
    /// Months, 1 to 12.
    Months(i64, i64),
    /// Quarters, 1 to 4.
    Quarters(i64, i64),
    /// Weeks of the ISO calendar, 1 to 53.
    Weeks(i64, i64),
    /// Days of the year, 1 to 366.
    Days(i64, i64),
}

/// Bounds, and where and when they hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// When.
    pub season: Season,
    /// At which depths; without it at all. A reading whose depth is not known lies in no range.
    pub depth: Option<Span>,
    /// The bounds.
    pub spans: Spans,
}

/// The calendar of one day, kept because the next reading is mostly of the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Almanac {
    day: Option<i64>,
    month: i64,
    week: i64,
    day_of_year: i64,
}

const DAY_NS: i64 = 86_400 * crate::limits::SECOND;

impl Almanac {
    /// Whether an instant is in the season. One that wraps around the end of the year, such as
    /// months 11 to 2, has the year's end within.
    pub fn is_in(&mut self, season: Season, at_ns: i64) -> bool {
        let (at, first, last) = match season {
            Season::Instants(first, last) => return first <= at_ns && at_ns <= last,
            Season::Months(first, last) => (self.of(at_ns).month, first, last),
            Season::Quarters(first, last) => ((self.of(at_ns).month + 2) / 3, first, last),
            Season::Weeks(first, last) => (self.of(at_ns).week, first, last),
            Season::Days(first, last) => (self.of(at_ns).day_of_year, first, last),
        };
        if first <= last { first <= at && at <= last } else { first <= at || at <= last }
    }

    fn of(&mut self, at_ns: i64) -> &Self {
        let day = at_ns.div_euclid(DAY_NS);
        if self.day != Some(day) {
            let instant = Timestamp::from_second(day * 86_400).unwrap_or(Timestamp::UNIX_EPOCH);
            let date = instant.to_zoned(TimeZone::UTC).date();
            *self = Self {
                day: Some(day),
                month: i64::from(date.month()),
                week: i64::from(date.iso_week_date().week()),
                day_of_year: i64::from(date.day_of_year()),
            };
        }
        self
    }
}

/// Judges a value by the last of the members that hold for its time and depth; without one there
/// is nothing to judge by.
pub fn judge(
    members: &[Member],
    almanac: &mut Almanac,
    (at_ns, depth): (i64, Option<f64>),
    value: f64,
) -> Flag {
    let at_depth = |member: &Member| match (member.depth, depth) {
        (None, _) => true,
        (Some(span), Some(depth)) => span.contains(depth),
        (Some(_), None) => false,
    };
    members
        .iter()
        .rev()
        .find(|member| at_depth(member) && almanac.is_in(member.season, at_ns))
        .map_or(Flag::NotEvaluated, |member| member.spans.judge(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SECOND;

    fn member(season: Season, depth: Option<(f64, f64)>, suspect: (f64, f64)) -> Member {
        let span = |(min, max)| Span { min, max };
        let spans = Spans { fail: None, suspect: Some(span(suspect)) };
        Member { season, depth: depth.map(span), spans }
    }

    fn flag(members: &[Member], at_s: i64, depth: Option<f64>, value: f64) -> u8 {
        judge(members, &mut Almanac::default(), (at_s * SECOND, depth), value).code()
    }

    #[test]
    fn bounds_hold_in_their_season_alone() {
        // 2011-02-02, 2013-02-03, 2011-04-01, 2011-12-31, 2020-02-29.
        let days = [1_296_604_800, 1_359_849_600, 1_301_616_000, 1_325_289_600, 1_582_934_400];
        let seasons = [
            Season::Days(0, 90),
            Season::Months(0, 3),
            Season::Quarters(0, 1),
            Season::Weeks(0, 12),
        ];
        for season in seasons {
            let members = [member(season, None, (10.0, 20.0))];
            let values = [9.0, 11.0, 21.0, 21.0, 15.0];
            let got: Vec<_> =
                days.iter().zip(values).map(|(&at, v)| flag(&members, at, None, v)).collect();
            assert_eq!(got, [3, 1, 2, 2, 1], "{season:?}");
        }
    }

    #[test]
    fn a_season_may_span_the_end_of_the_year() {
        let winter = [member(Season::Months(11, 2), None, (0.0, 10.0))];
        assert_eq!(flag(&winter, 1_325_289_600, None, 11.0), 3);
        assert_eq!(flag(&winter, 1_296_604_800, None, 11.0), 3);
        assert_eq!(flag(&winter, 1_301_616_000, None, 11.0), 2);
    }

    #[test]
    fn of_members_that_hold_the_last_counts_and_an_unknown_depth_is_none() {
        let year = Season::Instants(1_325_376_000 * SECOND, 1_356_998_400 * SECOND);
        let members = [
            member(year, None, (40.0, 50.0)),
            member(year, Some((0.0, 10.0)), (50.0, 60.0)),
            member(year, Some((10.0, 100.0)), (70.0, 80.0)),
        ];
        let judged = [
            (51.0, Some(2.0)),
            (71.0, Some(90.0)),
            (42.0, None),
            (39.0, None),
            (59.0, Some(11.0)),
            (79.0, Some(101.0)),
        ];
        let got = judged.map(|(value, depth)| flag(&members, 1_325_462_400, depth, value));
        assert_eq!(got, [1, 1, 1, 3, 3, 3]);
    }
}
