//! Aggregates of directions.

mod saved;

use std::f64::consts::TAU;

use super::series::Merge;

/// Sums over unit vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circular {
    n: u64,
    sine: f64,
    cosine: f64,
    /// The same of those that have a speed, as long as that is.
    moving: Moving,
}

/// Sums over vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moving {
    n: u64,
    sine: f64,
    cosine: f64,
    /// Sum of their lengths.
    length: f64,
}

/// The mean of vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vector {
    /// Its direction, in `[0, turn)`; absent where the vectors cancel.
    pub direction: Option<f64>,
    /// Its length.
    pub speed: f64,
}

/// What directions come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Directions {
    /// Length of the mean of the unit vectors: 1 where all directions are the same, and 0 where
    /// they cancel.
    pub resultant: f64,
    /// What directions that do not cancel have.
    pub around: Option<Around>,
}

/// The middle of directions, and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Around {
    /// Direction of the mean of the unit vectors, in `[0, turn)`.
    pub mean: f64,
    /// Circular standard deviation `sqrt(-2 ln R)` (Mardia and Jupp, "Directional statistics",
    /// 2.3.11).
    pub stddev: f64,
    /// Standard deviation by Yamartino ("A comparison of several single-pass estimators of the
    /// standard deviation of wind direction", J. Climate Appl. Meteor. 23, 1984).
    pub yamartino: f64,
}

/// Resultant below which directions cancel, and have no middle.
const CANCELLED: f64 = 1e-6;

impl Circular {
    /// The aggregate of one direction, in parts of a turn of which there are `turn`, and of its
    /// speed, if that is a number.
    #[must_use]
    pub fn of(angle: f64, speed: f64, turn: f64) -> Self {
        // The remainder is exact, and small arguments have the better sine.
        let (sine, cosine) = ((angle % turn) / turn * TAU).sin_cos();
        let moving = match speed.is_nan() {
            true => Moving::NONE,
            false => {
                Moving { n: 1, sine: speed * sine, cosine: speed * cosine, length: speed.abs() }
            }
        };
        Self { n: 1, sine, cosine, moving }
    }

    /// The mean of the vectors; `None` if there is none.
    #[must_use]
    pub fn vector(&self, turn: f64) -> Option<Vector> {
        let Moving { n, sine, cosine, length } = self.moving;
        let sum = sine.hypot(cosine);
        let direction =
            (0.0 < length && CANCELLED <= sum / length).then(|| direction(sine, cosine, turn));
        (n != 0).then(|| Vector { direction, speed: sum / n as f64 })
    }

    /// What the directions come to; `None` if there is none.
    #[must_use]
    pub fn directions(&self, turn: f64) -> Option<Directions> {
        if self.n == 0 {
            return None;
        }
        let Self { n, sine, cosine, .. } = *self;
        let resultant = (sine.hypot(cosine) / n as f64).min(1.0);
        let around = (CANCELLED <= resultant).then(|| {
            let unlike = (1.0 - resultant * resultant).sqrt();
            let widened = 1.0 + (2.0 / 3.0_f64.sqrt() - 1.0) * unlike.powi(3);
            Around {
                mean: direction(sine, cosine, turn),
                stddev: (-2.0 * resultant.ln()).max(0.0).sqrt() / TAU * turn,
                yamartino: unlike.asin() * widened / TAU * turn,
            }
        });
        Some(Directions { resultant, around })
    }
}

fn direction(sine: f64, cosine: f64, turn: f64) -> f64 {
    let angle = (sine.atan2(cosine) / TAU * turn).rem_euclid(turn);
    // A hair below zero rounds to a whole turn.
    if angle < turn { angle } else { 0.0 }
}

impl Moving {
    const NONE: Self = Self { n: 0, sine: 0.0, cosine: 0.0, length: 0.0 };
}

impl Merge for Circular {
    const EMPTY: Self = Self { n: 0, sine: 0.0, cosine: 0.0, moving: Moving::NONE };

    fn is_empty(&self) -> bool {
        self.n == 0
    }

    fn merge(&mut self, later: &Self) {
        self.n += later.n;
        self.sine += later.sine;
        self.cosine += later.cosine;
        self.moving.n += later.moving.n;
        self.moving.sine += later.moving.sine;
        self.moving.cosine += later.moving.cosine;
        self.moving.length += later.moving.length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::statistics::{
        hold::Point,
        series::tests_support::{assert_associative, close, partials},
    };

    fn around(angles: &[f64], turn: f64) -> (f64, Option<Around>) {
        let mut all = Circular::EMPTY;
        angles.iter().for_each(|&angle| all.merge(&Circular::of(angle, f64::NAN, turn)));
        let found = all.directions(turn).expect("not empty");
        (found.resultant, found.around)
    }

    /// By `scipy.stats.circmean` and `circstd`.
    #[test]
    fn nine_directions_have_the_middle_that_others_find() {
        let angles = [43.0, 45.0, 52.0, 61.0, 75.0, 88.0, 88.0, 279.0, 357.0];
        let (resultant, found) = around(&angles, 360.0);
        let found = found.expect("they do not cancel");
        assert!((found.mean - 51.0502).abs() < 5e-5, "{found:?}");
        assert!((resultant - 0.71099).abs() < 5e-6, "{resultant}");
        assert!((found.stddev - 47.3234).abs() < 5e-5, "{found:?}");
        assert!((found.yamartino - 47.088).abs() < 5e-4, "{found:?}");
    }

    #[test]
    fn north_lies_between_350_and_10() {
        let (resultant, found) = around(&[350.0, 10.0], 360.0);
        let mean = found.expect("they do not cancel").mean;
        assert!(mean.min(360.0 - mean) < 1e-12 && mean < 360.0, "{mean}");
        assert!((resultant - 0.98481).abs() < 5e-6);
        let (resultant, found) = around(&[370.0, -350.0], 360.0);
        assert!((found.expect("they are one").mean - 10.0).abs() < 1e-12);
        assert!((resultant - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_direction_weighs_as_much_as_its_speed() {
        let mean = |vectors: &[(f64, f64)]| {
            let mut all = Circular::EMPTY;
            vectors
                .iter()
                .for_each(|&(angle, speed)| all.merge(&Circular::of(angle, speed, 360.0)));
            all.vector(360.0)
        };
        let found = mean(&[(0.0, 3.0), (90.0, 4.0)]).expect("two vectors");
        assert!((found.speed - 2.5).abs() < 1e-15);
        let direction = found.direction.expect("they do not cancel");
        assert!((direction - 53.130_102_354_155_98).abs() < 1e-12, "{direction}");
        let calm = mean(&[(10.0, 0.0), (200.0, 0.0)]);
        assert_eq!(calm, Some(Vector { direction: None, speed: 0.0 }));
        let against = mean(&[(0.0, 5.0), (180.0, 5.0)]).expect("two vectors");
        assert!(against.direction.is_none() && against.speed < 1e-15);
        assert_eq!(mean(&[(10.0, f64::NAN)]), None, "no speed is known");
    }

    #[test]
    fn opposite_directions_have_no_middle() {
        assert_eq!(around(&[0.0, 180.0], 360.0).1, None);
        assert_eq!(around(&[0.0, 120.0, 240.0], 360.0).1, None);
        assert_eq!(Circular::EMPTY.directions(360.0), None);
    }

    #[test]
    fn equal_directions_do_not_spread() {
        for angle in [0.0, 1.0, 90.0, 359.0] {
            let (resultant, found) = around(&[angle; 1_000], 360.0);
            let found = found.expect("they do not cancel");
            assert!(1.0 - 1e-12 < resultant && resultant <= 1.0);
            assert!((found.mean - angle).abs() < 1e-9 && found.stddev < 1e-4, "{found:?}");
            assert!(found.yamartino < 1e-4, "{found:?}");
        }
    }

    proptest! {
        #[test]
        fn merging_is_associative(
            angles in proptest::collection::vec(-720.0..720.0, 1..60),
            cuts in any::<[prop::sample::Index; 2]>(),
        ) {
            let points: Vec<Point> =
                angles.iter().map(|&value| Point { at_ns: 0, value }).collect();
            let parts = partials(&points, cuts, |point, _| {
                Circular::of(point.value, point.value / 90.0, 360.0)
            });
            let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
            assert_associative(parts, |a, b| {
                let (x, y) = (a.moving, b.moving);
                (a.n, x.n) == (b.n, y.n)
                    && near(a.sine, b.sine)
                    && near(a.cosine, b.cosine)
                    && near(x.sine, y.sine)
                    && near(x.cosine, y.cosine)
                    && near(x.length, y.length)
            });
        }

        /// Turning all directions turns their middle, and nothing else.
        #[test]
        fn the_middle_turns_with_the_directions(
            angles in proptest::collection::vec(0.0..90.0, 1..40),
            by in 0.0..360.0,
        ) {
            let turned: Vec<f64> = angles.iter().map(|angle| angle + by).collect();
            let (resultant, found) = around(&angles, 360.0);
            let (resultant_turned, found_turned) = around(&turned, 360.0);
            let (found, found_turned) = (found.expect("near"), found_turned.expect("near"));
            let difference = f64::rem_euclid(found_turned.mean - found.mean - by, 360.0);
            prop_assert!(difference.min(360.0 - difference) < 1e-9);
            prop_assert!(close(resultant, resultant_turned, 1e-12));
        }
    }
}
