//! The readings of one channel, one after the other.

use core::f64::consts::{PI, TAU};

use super::{
    random::{Purpose, Random},
    scenario::{Channel, Waveform},
};
use crate::wire::frame::ValueType;

const DAY_NS: i64 = 86_400 * crate::limits::SECOND;

/// One channel at play.
#[derive(Debug)]
pub(super) struct Wave {
    waveform: Waveform,
    /// Of the waveform, where it has one.
    course: Option<Box<Random>>,
    /// Of the noise, where there is any.
    noise: Option<(f64, Box<Random>)>,
    /// Where a random walk stands.
    walked: f64,
}

impl Wave {
    pub(super) fn new(channel: &Channel, seed: u64, device: u32, number: u8) -> Self {
        let random = |purpose| Box::new(Random::new(seed, device, number, purpose));
        let wanders =
            matches!(channel.waveform, Waveform::RandomWalk { .. } | Waveform::Noise { .. });
        Self {
            course: wanders.then(|| random(Purpose::Waveform)),
            noise: (channel.noise > 0.0).then(|| (channel.noise, random(Purpose::Noise))),
            walked: match channel.waveform {
                Waveform::RandomWalk { start, .. } => start,
                _ => 0.0,
            },
            waveform: channel.waveform.clone(),
        }
    }

    /// Writes one reading into each of `out`, `every` apart, the first taken at `first_ns`.
    pub(super) fn play(&mut self, first_ns: i64, dt_ns: i64, out: &mut [f64], stride: usize) {
        let mut at_ns = first_ns;
        for value in out.iter_mut().step_by(stride) {
            *value = self.true_value(at_ns);
            at_ns = at_ns.saturating_add(dt_ns);
        }
        if let Some((deviation, random)) = &mut self.noise {
            for value in out.iter_mut().step_by(stride) {
                *value += *deviation * random.gaussian();
            }
        }
    }

    fn true_value(&mut self, at_ns: i64) -> f64 {
        match self.waveform {
            Waveform::Constant { value } => value,
            Waveform::Sine { offset, amplitude, period_ns, phase } => {
                offset + amplitude * libm::sin(TAU * turn(at_ns, period_ns, phase))
            }
            Waveform::Triangle { low, high, period_ns, phase } => {
                let up = 1.0 - libm::fabs(2.0 * turn(at_ns, period_ns, phase) - 1.0);
                low + (high - low) * up
            }
            Waveform::Sawtooth { low, high, period_ns, phase } => {
                low + (high - low) * turn(at_ns, period_ns, phase)
            }
            Waveform::RandomWalk { step, min, max, .. } => {
                let value = self.walked;
                let change = self.course.as_mut().map_or(0.0, |random| step * random.either_way());
                self.walked = reflect(value + change, min, max);
                value
            }
            Waveform::Steps { ref levels, dwell_ns } => {
                let count = i64::try_from(levels.len()).unwrap_or(1).max(1);
                let turn = at_ns.div_euclid(dwell_ns.max(1)).rem_euclid(count);
                levels.get(usize::try_from(turn).unwrap_or(0)).copied().unwrap_or(0.0)
            }
            Waveform::Day { night, noon, sunrise_ns, sunset_ns } => {
                let since_sunrise_ns = at_ns.rem_euclid(DAY_NS) - sunrise_ns;
                let day_ns = sunset_ns - sunrise_ns;
                if 0 < since_sunrise_ns && since_sunrise_ns < day_ns {
                    let height = libm::sin(PI * (since_sunrise_ns as f64 / day_ns as f64));
                    night + (noon - night) * height * height
                } else {
                    night
                }
            }
            Waveform::Noise { mean, stddev } => {
                mean + self.course.as_mut().map_or(0.0, |random| stddev * random.gaussian())
            }
        }
    }
}

/// Where in its period a wave is, in [0, 1). The remainder is taken in whole nanoseconds: a float
/// of the time since 1970 would be off by 200 of them.
fn turn(at_ns: i64, period_ns: i64, phase: f64) -> f64 {
    let period_ns = period_ns.max(1);
    let turn = at_ns.rem_euclid(period_ns) as f64 / period_ns as f64 + phase;
    turn - libm::floor(turn)
}

/// Mirrors what went over a bound back inside; a step longer than the range stops at the bound.
fn reflect(value: f64, min: f64, max: f64) -> f64 {
    let inside = if value < min {
        min + (min - value)
    } else if value > max {
        max - (value - max)
    } else {
        value
    };
    libm::fmin(libm::fmax(inside, min), max)
}

/// Rounds values as their channel does, and keeps them within what its type can carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounding {
    /// Steps in one, where it is given as a resolution that is one part of a whole number.
    per_unit: f64,
    /// Whether values are rounded to steps at all.
    steps: bool,
    /// Whether the wire carries the number of steps, not the value.
    whole: bool,
    min: f64,
    max: f64,
}

impl Rounding {
    /// For a native frame.
    pub(super) fn native(channel: &Channel) -> Self {
        let (min, max) = range(channel.value_type);
        let whole = !matches!(channel.value_type, ValueType::F32 | ValueType::F64);
        Self { whole, min, max, ..Self::text(channel) }
    }

    /// For a line of text.
    pub(super) fn text(channel: &Channel) -> Self {
        let per_unit = 1.0 / channel.resolution.unwrap_or(1.0);
        // 213 / 10 is the number that people write as 21.3, and 213 * 0.1 is not.
        let nearest = libm::round(per_unit);
        let even = libm::fabs(per_unit - nearest) < 1e-9 * nearest;
        Self {
            per_unit: if even { nearest } else { per_unit },
            steps: channel.resolution.is_some(),
            whole: false,
            min: -f64::MAX,
            max: f64::MAX,
        }
    }

    /// What the wire carries for `value`, which is finite.
    pub(super) fn apply(&self, value: f64) -> f64 {
        let raw = if self.whole {
            libm::round(value * self.per_unit)
        } else if self.steps {
            libm::round(value * self.per_unit) / self.per_unit
        } else {
            value
        };
        libm::fmin(libm::fmax(raw, self.min), self.max)
    }
}

/// What a type can carry, without the number that stands for no value.
fn range(value_type: ValueType) -> (f64, f64) {
    /// The largest `f64` below 2^64.
    const U64_LAST: f64 = 18_446_744_073_709_549_568.0;
    let (min, max) = match value_type {
        ValueType::I8 => (-127.0, 127.0),
        ValueType::U8 => (0.0, 255.0),
        ValueType::I16 => (-32_767.0, 32_767.0),
        ValueType::U16 => (0.0, 65_535.0),
        ValueType::I32 => (-2_147_483_647.0, 2_147_483_647.0),
        ValueType::U32 => (0.0, 4_294_967_295.0),
        ValueType::U64 => (0.0, U64_LAST),
        ValueType::F32 => (-f64::from(f32::MAX), f64::from(f32::MAX)),
        ValueType::F64 => (-f64::MAX, f64::MAX),
    };
    (min, max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SECOND;

    fn channel(waveform: Waveform) -> Channel {
        Channel {
            name: "x".into(),
            count: 1,
            unit: None,
            value_type: ValueType::F64,
            waveform,
            noise: 0.0,
            resolution: None,
        }
    }

    fn play(waveform: Waveform, first_ns: i64, dt_ns: i64, n: usize) -> Vec<f64> {
        let mut out = vec![0.0; n];
        Wave::new(&channel(waveform), 1, 1, 0).play(first_ns, dt_ns, &mut out, 1);
        out
    }

    #[test]
    fn periodic_waves_have_their_textbook_values() {
        let period_ns = 4 * SECOND;
        let sine = Waveform::Sine { offset: 10.0, amplitude: 2.0, period_ns, phase: 0.0 };
        for (got, want) in play(sine, 0, SECOND, 5).iter().zip([10.0, 12.0, 10.0, 8.0, 10.0]) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        let triangle = Waveform::Triangle { low: 0.0, high: 8.0, period_ns, phase: 0.25 };
        assert_eq!(play(triangle, 0, SECOND, 5), [4.0, 8.0, 4.0, 0.0, 4.0]);
        let sawtooth = Waveform::Sawtooth { low: 0.0, high: 8.0, period_ns, phase: 0.0 };
        assert_eq!(play(sawtooth, -SECOND, SECOND, 5), [6.0, 0.0, 2.0, 4.0, 6.0]);
        let steps = Waveform::Steps { levels: vec![1.0, 5.0, 3.0], dwell_ns: 2 * SECOND };
        assert_eq!(play(steps, 0, SECOND, 7), [1.0, 1.0, 5.0, 5.0, 3.0, 3.0, 1.0]);
    }

    #[test]
    fn the_sun_rises_peaks_and_sets() {
        let hour_ns = 3_600 * SECOND;
        let day = Waveform::Day {
            night: 1.0,
            noon: 801.0,
            sunrise_ns: 6 * hour_ns,
            sunset_ns: 18 * hour_ns,
        };
        let hours = play(day, 20_000 * DAY_NS, hour_ns, 25);
        assert_eq!((hours[0], hours[6], hours[18], hours[23]), (1.0, 1.0, 1.0, 1.0));
        assert!((hours[12] - 801.0).abs() < 1e-9);
        assert!((hours[9] - 401.0).abs() < 1e-9, "squared sine at an eighth: {}", hours[9]);
    }

    #[test]
    fn a_walk_stays_inside_and_moves_by_no_more_than_its_step() {
        let walk = Waveform::RandomWalk { start: 0.5, step: 0.3, min: 0.0, max: 1.0 };
        let path = play(walk, 0, SECOND, 10_000);
        assert!(path.iter().all(|x| (0.0..=1.0).contains(x)));
        assert!(path.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= 0.3));
        let spread = path.iter().fold(0.0_f64, |most, x| most.max((x - 0.5).abs()));
        assert!(spread > 0.45, "it gets about: {spread}");
    }

    #[test]
    fn rounding_gives_what_people_would_write() {
        let tenth = Channel {
            resolution: Some(0.1),
            value_type: ValueType::I16,
            ..channel(Waveform::Constant { value: 0.0 })
        };
        assert_eq!(Rounding::text(&tenth).apply(21.3499), 21.3);
        assert_eq!(Rounding::native(&tenth).apply(21.3499), 213.0);
        assert_eq!(Rounding::native(&tenth).apply(-1e9), -32_767.0);
        let odd = Channel { resolution: Some(2.5), ..tenth };
        assert_eq!(Rounding::text(&odd).apply(8.0), 7.5);
        let plain = Channel { resolution: None, ..odd };
        assert_eq!(Rounding::text(&plain).apply(8.123), 8.123);
        assert_eq!(Rounding::native(&plain).apply(8.6), 9.0);
    }
}
