//! Random numbers with the same bits on every machine.

use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

/// A stream of random numbers that depends on the seed, the device, the channel and the purpose,
/// and on nothing else: whatever is added to a scenario leaves the other streams alone.
#[derive(Debug)]
pub(super) struct Random {
    rng: ChaCha8Rng,
    /// Box and Muller's method makes two at a time.
    spare: Option<f64>,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// The course of a channel's true value.
    Waveform,
    /// Noise on the readings of a channel.
    Noise,
    /// When the faults of a device begin, and what they look like.
    Faults,
}

impl Random {
    pub(super) fn new(seed: u64, device: u32, channel: u8, purpose: Purpose) -> Self {
        // `seed_from_u64` would do, but nobody promises that it stays as it is.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(u64::from(device) << 32 | u64::from(channel) << 8 | purpose as u64);
        Self { rng, spare: None }
    }

    /// Evenly spread over [0, 1), in steps of 2^-53.
    pub(super) fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.rng.next_u64() >> 11) as f64 * STEP
    }

    /// Evenly spread over [-1, 1).
    pub(super) fn either_way(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }

    /// A whole number in [0, end), for an `end` of at least 1; even to within end / 2^32.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        let scaled = u64::from(self.rng.next_u32()) * u64::from(end);
        u32::try_from(scaled >> 32).unwrap_or(u32::MAX)
    }

    /// Standard normal: Box and Muller, "A note on the generation of random normal deviates",
    /// Annals of Mathematical Statistics 29(2), 1958.
    pub(super) fn gaussian(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // 1 - u lies in (0, 1], where the logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        let (sine, cosine) = libm::sincos(core::f64::consts::TAU * self.unit());
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// How many trials fail before the next that succeeds: geometric, by inversion, so that a
    /// rare event costs one draw and not one a trial.
    pub(super) fn failures_before(&mut self, probability: f64) -> u64 {
        if probability >= 1.0 {
            return 0;
        }
        if probability <= 0.0 {
            return u64::MAX;
        }
        let failures = libm::log(1.0 - self.unit()) / libm::log1p(-probability);
        // The cast saturates, and takes towards zero, which is the floor of what is not negative.
        failures as u64
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(seed: u64) -> Random {
        Random::new(seed, 1, 0, Purpose::Noise)
    }

    #[test]
    fn streams_differ_by_each_of_their_names() {
        let first = |mut random: Random| random.rng.next_u64();
        let base = first(Random::new(1, 1, 1, Purpose::Noise));
        assert_eq!(base, first(Random::new(1, 1, 1, Purpose::Noise)));
        for other in [
            Random::new(2, 1, 1, Purpose::Noise),
            Random::new(1, 2, 1, Purpose::Noise),
            Random::new(1, 1, 2, Purpose::Noise),
            Random::new(1, 1, 1, Purpose::Waveform),
        ] {
            assert_ne!(base, first(other));
        }
    }

    #[test]
    fn gaussian_has_its_moments() {
        let mut random = stream(7);
        let n = 200_000;
        let draws: Vec<f64> = (0..n).map(|_| random.gaussian()).collect();
        let moment = |power| draws.iter().map(|x| libm::pow(*x, power)).sum::<f64>() / f64::from(n);
        // Five standard errors each: sqrt(1/n), sqrt(2/n), sqrt(96/n).
        assert!(moment(1.0).abs() < 0.0112, "mean {}", moment(1.0));
        assert!((moment(2.0) - 1.0).abs() < 0.0158, "variance {}", moment(2.0));
        assert!((moment(4.0) - 3.0).abs() < 0.11, "fourth moment {}", moment(4.0));
    }

    #[test]
    fn waiting_times_have_the_mean_of_their_probability() {
        let mut random = stream(3);
        let n = 100_000_u32;
        for p in [0.9, 0.5, 0.05, 0.001] {
            let sum: u64 = (0..n).map(|_| random.failures_before(p)).sum();
            let mean = (1.0 - p) / p;
            let error = 5.0 * libm::sqrt((1.0 - p) / f64::from(n)) / p;
            let got = sum as f64 / f64::from(n);
            assert!((got - mean).abs() < error, "p {p}: mean {got}, should be {mean}");
        }
        assert_eq!(random.failures_before(0.0), u64::MAX);
        assert_eq!(random.failures_before(1.0), 0);
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut random = stream(5);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[random.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1_200).contains(&n)), "{seen:?}");
    }
}
