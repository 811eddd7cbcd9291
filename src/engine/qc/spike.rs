//! A value that stands out from both of its neighbours.
//!
//! QARTOD test 6 ("Spike Test"; IOOS manuals for in-situ temperature and salinity, wind, water
//! level): the value before the last is judged, since it takes both neighbours.

use super::bounds::Thresholds;
use crate::engine::summary::Flag;

/// How far a value stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The distance from the mean of the neighbours: a step shows as half of its height.
    #[default]
    Average,
    /// The smaller of the distances from the neighbours, and nothing unless the value lies above
    /// or below both: a step does not show at all.
    Differential,
}

/// The test of one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// How far a value stands out.
    pub method: Method,
    /// Height from which it is one.
    pub thresholds: Thresholds,
}

impl Spike {
    /// Judges a value by what came before and after it. Where one of the two is missing, there
    /// is nothing to judge by.
    #[must_use]
    pub fn judge(&self, before: Option<f64>, value: f64, after: Option<f64>) -> Flag {
        let (Some(before), Some(after)) = (before, after) else { return Flag::NotEvaluated };
        self.thresholds.judge_above(self.method.height(before, value, after))
    }
}

impl Method {
    fn height(self, before: f64, value: f64, after: f64) -> f64 {
        match self {
            Self::Average => (value - f64::midpoint(before, after)).abs(),
            Self::Differential => {
                let (rise, fall) = (value - before, after - value);
                if rise * fall < 0.0 { rise.abs().min(fall.abs()) } else { 0.0 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags of a whole series, as the daemon gives them: ends and neighbours of what is missing
    /// are not evaluated.
    fn flags(spike: Spike, series: &[Option<f64>]) -> Vec<u8> {
        (0..series.len())
            .map(|at| {
                let near = |at: Option<usize>| *at.and_then(|at| series.get(at)).unwrap_or(&None);
                series[at].map_or(Flag::Missing, |value| {
                    spike.judge(near(at.checked_sub(1)), value, near(at.checked_add(1)))
                })
            })
            .map(Flag::code)
            .collect()
    }

    fn spike(method: Method, suspect: f64, fail: f64) -> Spike {
        Spike { method, thresholds: Thresholds { suspect: Some(suspect), fail: Some(fail) } }
    }

    #[test]
    fn a_high_value_marks_its_neighbours_too_where_their_mean_is_what_counts() {
        let series = [10.0, 12.0, 999.99, 13.0, 15.0, 40.0, 9.0, 9.0].map(Some);
        let got = flags(spike(Method::Average, 25.0, 50.0), &series);
        assert_eq!(got, [2, 4, 4, 4, 1, 3, 1, 2]);
    }

    #[test]
    fn where_a_value_is_missing_its_neighbours_cannot_be_judged() {
        let mut series = [10.0, 12.0, 999.99, 13.0, 15.0, 40.0, 9.0, 9.0].map(Some).to_vec();
        series.extend([None, Some(10.0), Some(10.0), Some(999.99), Some(10.0), None]);
        let got = flags(spike(Method::Average, 25.0, 50.0), &series);
        assert_eq!(got, [2, 4, 4, 4, 1, 3, 1, 2, 9, 2, 4, 4, 2, 9]);
    }

    #[test]
    fn a_step_is_no_spike_by_the_differential_method() {
        let values = [
            3.0, 4.99, 5.0, 6.0, 8.0, 6.0, 6.0, 6.75, 6.0, 6.0, 5.3, 6.0, 6.0, 9.0, 5.0, 0.0, 4.0,
            4.0,
        ];
        let mut series = values.map(Some);
        series[15] = None;
        let differential = flags(spike(Method::Differential, 0.5, 1.0), &series);
        assert_eq!(differential, [2, 1, 1, 1, 4, 1, 1, 3, 1, 1, 3, 1, 1, 4, 2, 9, 2, 2]);
        let average = flags(spike(Method::Average, 0.5, 1.0), &series);
        assert_eq!(average, [2, 3, 1, 1, 4, 3, 1, 3, 1, 1, 3, 1, 4, 4, 2, 9, 2, 2]);
    }
}
