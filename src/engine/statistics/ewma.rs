//! The exponentially weighted mean of readings at irregular times.

mod saved;

/// The mean so far, a reading weighing half as much after each half-life.
///
/// `y = sum(w x) / sum(w)` with `w = 2^(-age / half-life)`, as pandas has it
/// (`ewm(halflife, times, adjust=True).mean()`). It depends on all that came before, hence is no
/// aggregate of an interval and does not merge: it runs beside the windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ewma {
    half_life_ns: i64,
    mean: f64,
    /// Sum of the weights, at most 1 and the number of readings within a few half-lives.
    weight: f64,
    newest_ns: i64,
}

impl Ewma {
    /// No reading yet.
    #[must_use]
    pub fn new(half_life_ns: i64) -> Self {
        Self { half_life_ns, mean: 0.0, weight: 0.0, newest_ns: i64::MIN }
    }

    /// Takes the next reading that has a value.
    pub fn push(&mut self, at_ns: i64, value: f64) {
        if self.weight != 0.0 {
            let half_lives = (at_ns - self.newest_ns) as f64 / self.half_life_ns as f64;
            self.weight *= (-half_lives).exp2();
        }
        self.weight += 1.0;
        self.mean += (value - self.mean) / self.weight;
        self.newest_ns = at_ns;
    }

    /// The mean, if there was a reading.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.weight != 0.0).then_some(self.mean)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the sums of the definition.
        #[test]
        fn equals_the_weighted_sums(
            steps in proptest::collection::vec((0..40_i64, -50.0..50.0), 1..80),
            half_life_ns in 1..20_i64,
        ) {
            let mut ewma = Ewma::new(half_life_ns);
            prop_assert_eq!(ewma.mean(), None);
            let (mut seen, mut now_ns) = (Vec::new(), 0);
            for (gap, value) in steps {
                now_ns += gap;
                seen.push((now_ns, value));
                ewma.push(now_ns, value);
                let weight = |at_ns: i64| (-(now_ns - at_ns) as f64 / half_life_ns as f64).exp2();
                let weights: f64 = seen.iter().map(|(at_ns, _)| weight(*at_ns)).sum();
                let sum: f64 = seen.iter().map(|(at_ns, value)| weight(*at_ns) * value).sum();
                let mean = ewma.mean().expect("has a reading");
                prop_assert!((mean - sum / weights).abs() < 1e-11, "{mean} {}", sum / weights);
            }
        }
    }
}
