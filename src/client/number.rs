//! Numbers as people read them.

/// Six significant digits, without trailing zeros; powers of ten only where nothing else will
/// do.
pub(super) fn value(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e9).contains(&magnitude) {
        return format!("{value:.4e}");
    }
    let digits_before = magnitude.log10().floor() as i32 + 1;
    let decimals = usize::try_from(6 - digits_before).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An optional number, a dash where there is none.
pub(super) fn optional(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), value)
}

/// A share of 1 as whole percent, rounded down so that only all is 100 %.
pub(super) fn percent(share: f64) -> String {
    format!("{}%", (share * 100.0 + 1e-9).floor())
}

/// A time span in its largest unit.
pub(super) fn span(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0 => format!("{ms} ms"),
        1..10 => format!("{}.{} s", s, ms % 1_000 / 100),
        10..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

/// A number of things: `1 channel`, `2 channels`.
pub(super) fn count(n: u64, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// Bytes in binary units.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_true() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (61.2, "61.2"),
            (62.712_612_345, "62.7126"),
            (-3.5, "-3.5"),
            (100.0, "100"),
            (101_325.0, "101325"),
            (999_999.96, "1000000"),
            (123_456_789.0, "123456789"),
            (0.001_234_567_8, "0.00123457"),
            (1.5e-7, "1.5000e-7"),
            (2e12, "2.0000e12"),
        ];
        for (number, text) in cases {
            assert_eq!(value(number), text);
        }
        assert_eq!(optional(None), "-");
    }

    #[test]
    fn only_all_is_a_hundred_percent() {
        assert_eq!(percent(1.0), "100%");
        assert_eq!(percent(0.9999), "99%");
        assert_eq!(percent(0.29), "29%");
        assert_eq!(percent(0.0), "0%");
    }

    #[test]
    fn spans_have_the_unit_that_fits() {
        let cases = [
            (412, "412 ms"),
            (1_500, "1.5 s"),
            (65_000, "65 s"),
            (600_000, "10 min"),
            (90_000_000, "25 h"),
        ];
        for (ms, text) in cases {
            assert_eq!(span(ms), text);
        }
        assert_eq!(["1 channel", "0 channels"], [1, 0].map(|n| count(n, "channel")));
        assert_eq!(bytes(16 * 1_024 * 1_024), "16.0 MiB");
    }
}
