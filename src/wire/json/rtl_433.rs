//! What rtl_433 prints: one object for each transmission that it understood.
//!
//! Names are `<model>.<id>.<key>`, with the channel where a model sends no id. The time counts as
//! UTC unless it says otherwise: rtl_433 writes local time without `-M time:utc`.

use super::record::Keys;

/// Units by the ends of keys, the longest of those that begin alike first
/// (<https://triq.org/rtl_433/DATA_FORMAT.html>).
const UNITS: [(&str, &str); 38] = [
    ("_C", "Cel"),
    ("_F", "[degF]"),
    ("_mi_h", "[mi_i]/h"),
    ("_km_h", "km/h"),
    ("_m_s", "m/s"),
    ("_kts", "[kn_i]"),
    ("_mm_h", "mm/h"),
    ("_in_h", "[in_i]/h"),
    ("_mm", "mm"),
    ("_cm", "cm"),
    ("_km", "km"),
    ("_m", "m"),
    ("_in", "[in_i]"),
    ("_hPa", "hPa"),
    ("_kPa", "kPa"),
    ("_bar", "bar"),
    ("_PSI", "[psi]"),
    ("_inHg", "[in_i'Hg]"),
    ("_deg", "deg"),
    ("_lux", "lx"),
    ("_klx", "klx"),
    ("_W_m2", "W/m2"),
    ("_mV", "mV"),
    ("_V", "V"),
    ("_mA", "mA"),
    ("_A", "A"),
    ("_kWh", "kW.h"),
    ("_Wh", "W.h"),
    ("_kW", "kW"),
    ("_W", "W"),
    ("_VA", "V.A"),
    ("_kHz", "kHz"),
    ("_MHz", "MHz"),
    ("_Hz", "Hz"),
    ("_ppm", "[ppm]"),
    ("_ug_m3", "ug/m3"),
    ("_pct", "%"),
    ("_L", "L"),
];
/// Units of whole keys.
const KEYS: [(&str, &str); 3] = [("humidity", "%"), ("moisture", "%"), ("freq", "MHz")];

/// What is not a value in its objects.
pub(super) fn keys() -> Keys {
    Keys::known("time", &[&["model"], &["id", "channel"]], unit)
}

/// All units it may give.
#[cfg(test)]
pub(super) fn units() -> impl Iterator<Item = &'static str> {
    UNITS.iter().chain(&KEYS).map(|(_, unit)| *unit)
}

fn unit(path: &str) -> Option<&'static str> {
    let of = |(_, unit): &(_, &'static str)| *unit;
    let by_key = KEYS.iter().find(|(key, _)| *key == path).map(of);
    // Most keys have no underline near their end.
    by_key.or_else(|| {
        path.contains('_').then(|| UNITS.iter().find(|(end, _)| path.ends_with(end)).map(of))?
    })
}

/// A syslog line (RFC 5424) holds an object behind its header.
pub(super) fn unwrapped(text: &str) -> &str {
    let Some(start) = text.find('{') else { return text };
    let header = text[..start].trim_start();
    if header.starts_with('<') && !header.contains('\n') { &text[start..] } else { text }
}
