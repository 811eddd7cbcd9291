//! Where a rising function reaches a value.

/// Steps are at most this many: halving the widest interval there is as often leaves less than
/// the tolerance.
const STEPS_MAX: usize = 64;
/// Two steps that are this close, in units of the argument, are one.
const TOLERANCE: f64 = 1e-9;

/// The argument between `low` and `high` at which a rising function is `target`, found from
/// `guess` by Newton's method, and by halving the interval where that would leave it.
///
/// `f` gives the function and its slope. The target must lie between the values at both ends.
pub(super) fn invert(
    target: f64,
    (mut low, mut high): (f64, f64),
    guess: f64,
    f: impl Fn(f64) -> (f64, f64),
) -> f64 {
    let mut x = guess.clamp(low, high);
    for _ in 0..STEPS_MAX {
        let (y, slope) = f(x);
        if y < target {
            low = x;
        } else {
            high = x;
        }
        let tangent = x - (y - target) / slope;
        let next =
            if low <= tangent && tangent <= high { tangent } else { low + (high - low) / 2.0 };
        if (next - x).abs() <= TOLERANCE {
            return next;
        }
        x = next;
    }
    x
}
