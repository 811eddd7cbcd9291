//! What stands behind the labels.

use super::super::{draft::Draft, number};
use crate::limits::FIELD_NAME_BYTES_MAX;

/// How the text of a label is read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reading {
    /// A number, divided into the unit with this code.
    Number(f64, &'static str),
    /// A number without a unit: a state, a count, bits.
    Plain,
    /// `ON` is 1, `OFF` is 0.
    Switch,
    /// Bits as a hexadecimal number with `0x`.
    Bits,
    /// Says what the device is, and no value.
    Identity,
}

/// Adds the reading of a line, if it has one; text that is not what the label asks for, such as
/// `---`, is a missing value.
pub(super) fn read(name: &str, text: &[u8], draft: &mut Draft<'_>) {
    let label = name.as_bytes();
    let (value, unit) = match reading(label) {
        Some(Reading::Number(over, unit)) => {
            (number::parse(text).map(|value| value / over), Some(unit))
        }
        Some(Reading::Plain) => (number::parse(text), None),
        Some(Reading::Switch) => (switch(text), None),
        Some(Reading::Bits) => (bits(text), None),
        Some(Reading::Identity) => return,
        // A label of a later version of the protocol: a number speaks for itself.
        None => match number::parse(text) {
            Some(value) if is_label(name) => (Some(value), None),
            _ => return,
        },
    };
    // The time to go of a battery that is not being emptied.
    let endless = label == b"TTG" && value.is_some_and(|value| value < 0.0);
    draft.push_with(name, unit, 0, value.filter(|_| !endless).unwrap_or(f64::NAN));
}

/// The table of the protocol, version 3.33.
fn reading(label: &[u8]) -> Option<Reading> {
    use Reading::{Bits, Identity, Number, Plain, Switch};
    Some(match label {
        b"V" | b"V2" | b"V3" | b"VS" | b"VM" | b"VPV" | b"H7" | b"H8" | b"H15" | b"H16" => {
            Number(1_000.0, "V")
        }
        b"I" | b"I2" | b"I3" | b"IL" => Number(1_000.0, "A"),
        b"P" | b"PPV" | b"H21" | b"H23" | b"DC_IN_P" => Number(1.0, "W"),
        b"CE" | b"H1" | b"H2" | b"H3" | b"H6" => Number(1_000.0, "A.h"),
        b"SOC" | b"DM" => Number(10.0, "%"),
        b"TTG" => Number(1.0, "min"),
        b"T" => Number(1.0, "Cel"),
        b"H9" => Number(1.0, "s"),
        b"H17" | b"H18" | b"H19" | b"H20" | b"H22" => Number(100.0, "kW.h"),
        b"AC_OUT_V" | b"DC_IN_V" => Number(100.0, "V"),
        b"AC_OUT_I" | b"DC_IN_I" => Number(10.0, "A"),
        b"AC_OUT_S" => Number(1.0, "V.A"),
        b"Alarm" | b"Relay" | b"LOAD" => Switch,
        b"OR" => Bits,
        b"H4" | b"H5" | b"H10" | b"H11" | b"H12" | b"H13" | b"H14" | b"HSDS" | b"CS" | b"ERR"
        | b"MPPT" | b"MODE" | b"MON" | b"AR" | b"WARN" => Plain,
        b"PID" | b"FW" | b"FWE" | b"SER#" | b"BMV" => Identity,
        _ => return None,
    })
}

fn is_label(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'#');
    (1..=FIELD_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits)
}

fn switch(text: &[u8]) -> Option<f64> {
    if text.eq_ignore_ascii_case(b"on") {
        Some(1.0)
    } else if text.eq_ignore_ascii_case(b"off") {
        Some(0.0)
    } else {
        None
    }
}

fn bits(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X"))?;
    u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok().map(f64::from)
}
