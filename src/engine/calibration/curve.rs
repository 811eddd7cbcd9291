//! Curves that somebody has measured: polynomials, and tables with lines between their points.

use super::Graded;
use crate::{engine::verdict::Test, limits::CALIBRATION_POINTS_MAX};

/// `c[0] + c[1] x + c[2] x^2 + …`, by Horner's rule.
#[must_use]
pub fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// Points with straight lines between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Raw and true values, by rising raw value.
    points: Box<[(f64, f64)]>,
    outside: Outside,
}

/// What becomes of values outside of the points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// They fail.
    Fail,
    /// They get the value of the nearest end, and are suspect.
    Clamp,
    /// They get the value on the line of the nearest two points, and are suspect.
    Extrapolate,
}

/// Why points make no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// Not 2 to [`CALIBRATION_POINTS_MAX`].
    Count,
    /// The raw value of the point with this place does not go on in the direction of those before
    /// it.
    Turns(usize),
    /// The line that ends at the point with this place is steeper than numbers go.
    Steep(usize),
}

impl Table {
    /// Points whose raw values rise, or fall, from each to the next.
    ///
    /// # Errors
    /// If they do neither, or if there are too few or too many.
    pub fn new(mut points: Vec<(f64, f64)>, outside: Outside) -> Result<Self, TableError> {
        if points.len() < 2 || CALIBRATION_POINTS_MAX < points.len() {
            return Err(TableError::Count);
        }
        let rises = points[0].0 < points[1].0;
        for (at, pair) in points.windows(2).enumerate() {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let goes_on = if rises { x0 < x1 } else { x1 < x0 };
            if !goes_on {
                return Err(TableError::Turns(at + 1));
            }
            if !((y1 - y0) / (x1 - x0)).is_finite() {
                return Err(TableError::Steep(at + 1));
            }
        }
        if !rises {
            points.reverse();
        }
        Ok(Self { points: points.into(), outside })
    }

    /// The value at a raw one.
    pub(super) fn at(&self, raw: f64) -> Graded {
        let (first, last) = (self.points[0], self.points[self.points.len() - 1]);
        let is_outside = raw < first.0 || last.0 < raw;
        let suspect = |value| Graded::suspect(value, Test::Domain);
        match self.outside {
            _ if !is_outside => Graded::good(self.on_line(raw)),
            Outside::Fail => Graded::fail(Test::Domain),
            Outside::Clamp => suspect(if raw < first.0 { first.1 } else { last.1 }),
            Outside::Extrapolate => suspect(self.on_line(raw)),
        }
    }

    fn on_line(&self, raw: f64) -> f64 {
        let above = self.points.partition_point(|(x, _)| *x <= raw);
        let end = above.clamp(1, self.points.len() - 1);
        let ((x0, y0), (x1, y1)) = (self.points[end - 1], self.points[end]);
        // The far end is a point too, and is met exactly.
        if raw == x1 { y1 } else { y0 + (raw - x0) * ((y1 - y0) / (x1 - x0)) }
    }
}
