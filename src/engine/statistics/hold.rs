//! What is known of a quantity between its readings.

mod saved;

/// A reading as a quantity that has its value from then on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Event time.
    pub at_ns: i64,
    /// The value; not a number where the reading says that none is known.
    pub value: f64,
}

impl Point {
    /// What is before the first reading.
    pub const NEVER: Self = Self { at_ns: i64::MIN, value: f64::NAN };
    /// What is after the last reading.
    pub const NOT_YET: Self = Self { at_ns: i64::MAX, value: f64::NAN };

    /// Whether a value is known at its time.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.value.is_nan()
    }
}

/// How a quantity goes on between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// The value stays as it is.
    Stepped,
    /// Along the straight line to the next one.
    Linear,
}

/// How far the value of a reading reaches.
///
/// Until the next reading, but not further than `max_ns`: what comes after is not known. A reading
/// without a value ends what was known. A line is drawn between two readings that are no further
/// apart than that; else, and as long as there is no next one, the value stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// How the quantity goes on.
    pub course: Course,
    /// Longest time for which it is taken as known without a reading.
    pub max_ns: i64,
}

/// A stretch of time in which a quantity is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Its mean.
    pub mean: f64,
    /// How long it is.
    pub ns: i64,
}

impl Hold {
    /// Of which nothing is known.
    pub const NONE: Self = Self { course: Course::Stepped, max_ns: 0 };

    /// What is known between two readings that follow each other, as far as it lies between
    /// `from_ns` and `until_ns`; `None` if nothing is.
    #[must_use]
    pub fn between(&self, a: Point, b: Point, (from_ns, until_ns): (i64, i64)) -> Option<Stretch> {
        if !a.is_known() {
            return None;
        }
        let reach_ns = b.at_ns.min(a.at_ns.saturating_add(self.max_ns));
        let from_ns = from_ns.max(a.at_ns);
        let until_ns = until_ns.min(reach_ns);
        let ns = until_ns.checked_sub(from_ns).filter(|ns| 0 < *ns)?;
        let is_line = self.course == Course::Linear && b.is_known() && reach_ns == b.at_ns;
        let mean = if is_line {
            // The mean of a line is its value in the middle.
            let middle_ns = from_ns - a.at_ns + ns / 2;
            let share = (middle_ns as f64 + (ns % 2) as f64 / 2.0) / (b.at_ns - a.at_ns) as f64;
            a.value * (1.0 - share) + b.value * share
        } else {
            a.value
        };
        Some(Stretch { mean, ns })
    }

    /// All of what is known between two readings that follow each other.
    #[must_use]
    pub fn bridge(&self, a: Point, b: Point) -> Option<Stretch> {
        self.between(a, b, (a.at_ns, b.at_ns))
    }
}

/// What aggregates over time know of the ends of their readings: how they go on from what came
/// before, and to what comes after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends {
    hold: Hold,
    /// The last reading before the first.
    before: Point,
    first: Point,
    last: Point,
}

impl Ends {
    /// Of no reading.
    pub const NONE: Self =
        Self { hold: Hold::NONE, before: Point::NEVER, first: Point::NEVER, last: Point::NEVER };

    /// Of one reading, with the one before it.
    #[must_use]
    pub fn of(point: Point, before: Point, hold: Hold) -> Self {
        Self { hold, before, first: point, last: point }
    }

    /// Whether they are those of no reading.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.first.at_ns == Point::NEVER.at_ns
    }

    /// The reading before the first, and the first.
    #[must_use]
    pub fn lead(&self) -> (Point, Point) {
        (self.before, self.first)
    }

    /// What is known from an instant on until the first reading.
    #[must_use]
    pub fn known_from(&self, from_ns: i64) -> Option<Stretch> {
        self.hold.between(self.before, self.first, (from_ns, self.first.at_ns))
    }

    /// Goes on to the last of later readings; the two readings between which it does, and what is
    /// known between them.
    pub fn reach(&mut self, later: &Self) -> ((Point, Point), Option<Stretch>) {
        debug_assert_eq!(self.hold, later.hold);
        let (a, b) = (self.last, later.first);
        self.last = later.last;
        ((a, b), self.hold.bridge(a, b))
    }
}

#[cfg(test)]
impl Ends {
    /// Whether the same readings are at the ends, as far as their times and values tell.
    pub(super) fn are_like(&self, other: &Self) -> bool {
        let bits = |ends: &Self| {
            [ends.before, ends.first, ends.last].map(|point| (point.at_ns, point.value.to_bits()))
        };
        bits(self) == bits(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_ns: i64, value: f64) -> Point {
        Point { at_ns, value }
    }

    fn hold(course: Course) -> Hold {
        Hold { course, max_ns: 10 }
    }

    #[test]
    fn a_step_stays_and_a_line_goes() {
        let (a, b) = (point(0, 1.0), point(8, 5.0));
        let all = |course| hold(course).bridge(a, b);
        assert_eq!(all(Course::Stepped), Some(Stretch { mean: 1.0, ns: 8 }));
        assert_eq!(all(Course::Linear), Some(Stretch { mean: 3.0, ns: 8 }));
        let part = |course| hold(course).between(a, b, (5, 6));
        assert_eq!(part(Course::Stepped), Some(Stretch { mean: 1.0, ns: 1 }));
        assert_eq!(part(Course::Linear), Some(Stretch { mean: 3.75, ns: 1 }));
    }

    #[test]
    fn nothing_is_known_beyond_the_longest_hold() {
        for course in [Course::Stepped, Course::Linear] {
            let far = hold(course).bridge(point(0, 1.0), point(11, 5.0));
            assert_eq!(far, Some(Stretch { mean: 1.0, ns: 10 }));
            let just = hold(course).bridge(point(0, 1.0), point(10, 1.0));
            assert_eq!(just, Some(Stretch { mean: 1.0, ns: 10 }));
            assert_eq!(hold(course).between(point(0, 1.0), Point::NOT_YET, (10, 20)), None);
        }
    }

    #[test]
    fn a_reading_without_a_value_ends_what_is_known() {
        let nothing = point(4, f64::NAN);
        for course in [Course::Stepped, Course::Linear] {
            let before = hold(course).bridge(point(0, 1.0), nothing);
            assert_eq!(before, Some(Stretch { mean: 1.0, ns: 4 }));
            assert_eq!(hold(course).bridge(nothing, point(6, 5.0)), None);
        }
        assert_eq!(hold(Course::Stepped).bridge(Point::NEVER, point(0, 1.0)), None);
    }

    #[test]
    fn two_readings_of_one_time_have_nothing_between_them() {
        assert_eq!(hold(Course::Linear).bridge(point(3, 1.0), point(3, 2.0)), None);
    }
}
