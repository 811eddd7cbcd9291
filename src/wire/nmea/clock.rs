//! The time that sentences say.

use super::super::{number, time::day_number};
use super::sentence::Sentence;

const DAY_NS: i64 = 86_400_000_000_000;
/// Two-digit years from here on are of the last century: the satellites' time begins in 1980.
const CENTURY_YEAR: i16 = 80;

/// What is known of the time.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Nanoseconds since 1970 UTC that were said last.
    now_ns: Option<i64>,
    /// The receiver has said that it does not know where it is, and so not when.
    void: bool,
}

impl Clock {
    /// The time that was said last.
    pub(super) fn now_ns(&self) -> Option<i64> {
        self.now_ns
    }

    /// Takes up the time of a sentence that says one.
    pub(super) fn hear(&mut self, kind: [u8; 3], sentence: &Sentence<'_>) {
        let mut fields = sentence.fields();
        let mut field = |skipped: usize| fields.nth(skipped).unwrap_or_default();
        match &kind {
            b"RMC" => {
                let (time, status) = (field(0), field(0));
                self.void = status != b"A";
                self.set(date_ns(field(6)), time_of_day_ns(time));
            }
            b"ZDA" => {
                let (time, day, month, year) = (field(0), field(0), field(0), field(0));
                self.set(civil_ns(day, month, whole(year)), time_of_day_ns(time));
            }
            b"GGA" => {
                let (time, quality) = (field(0), field(4));
                if !matches!(quality, b"" | b"0") {
                    self.set_time_of_day(time_of_day_ns(time));
                }
            }
            b"GNS" => {
                let (time, mode) = (field(0), field(4));
                if mode.iter().any(|&system| system != b'N') {
                    self.set_time_of_day(time_of_day_ns(time));
                }
            }
            b"GLL" => {
                let (time, status) = (field(4), field(0));
                if status == b"A" {
                    self.set_time_of_day(time_of_day_ns(time));
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, midnight_ns: Option<i64>, time_ns: Option<i64>) {
        if let (false, Some(midnight_ns), Some(time_ns)) = (self.void, midnight_ns, time_ns) {
            self.now_ns = Some(midnight_ns + time_ns);
        }
    }

    /// Of yesterday, today and tomorrow the day on which the time is nearest to the last one.
    fn set_time_of_day(&mut self, time_ns: Option<i64>) {
        if let (Some(now_ns), Some(time_ns)) = (self.now_ns, time_ns) {
            let ahead_ns = time_ns - now_ns.rem_euclid(DAY_NS);
            let nearest_ns = (ahead_ns + DAY_NS / 2).rem_euclid(DAY_NS) - DAY_NS / 2;
            self.now_ns = Some(now_ns + nearest_ns);
        }
    }
}

/// `hhmmss.sss` in nanoseconds since midnight.
fn time_of_day_ns(text: &[u8]) -> Option<i64> {
    let (whole_part, fraction) = text.split_at_checked(6)?;
    let part = |at: usize| whole::<i64>(&whole_part[at..at + 2]);
    let (hour, minute, second) = (part(0)?, part(2)?, part(4)?);
    if 24 <= hour || 60 <= minute {
        return None;
    }
    // A leap second lasts as long as the second before it.
    let seconds = (60 * hour + minute) * 60 + second.min(59);
    let fraction = match fraction {
        [] | [b'.'] => 0.0,
        [b'.', ..] => number::parse(fraction)?,
        _ => return None,
    };
    Some(seconds * 1_000_000_000 + (fraction * 1e9) as i64)
}

/// `ddmmyy` in nanoseconds since 1970.
fn date_ns(text: &[u8]) -> Option<i64> {
    if text.len() != 6 {
        return None;
    }
    let year = whole::<i16>(&text[4..])?;
    let century = if year < CENTURY_YEAR { 2_000 } else { 1_900 };
    civil_ns(&text[..2], &text[2..4], Some(century + year))
}

fn civil_ns(day: &[u8], month: &[u8], year: Option<i16>) -> Option<i64> {
    let day = day_number(year?.into(), whole::<i8>(month)?.into(), whole::<i8>(day)?.into())?;
    day.checked_mul(DAY_NS)
}

/// A number of digits alone.
fn whole<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    let digits = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}
