//! The calibrations that are more than a line, in words.

use std::fmt::{self, Write};

use jiff::Timestamp;

use crate::engine::{
    Plan,
    calibration::{Calibration, Era, Gives, Junction, Transfer},
    duration::Nanoseconds,
};

/// Channels and patterns that are listed; the rest is counted.
const SHOWN: usize = 20;

/// Writes what the channels and patterns of a plan are calibrated by, if any has more than a line.
pub(super) fn write(text: &mut String, plan: &Plan) -> fmt::Result {
    let channels = plan.channels.iter().map(|channel| (&*channel.id, &channel.calibration));
    let patterns = plan.sources.iter().flat_map(|source| &source.patterns);
    let patterns = patterns.map(|pattern| (pattern.glob.text(), &pattern.calibration));
    let mut lines: Vec<String> = channels
        .chain(patterns)
        .filter_map(|(name, calibration)| match calibration {
            Calibration::Linear(_) => None,
            Calibration::Eras(eras) => {
                let eras: Vec<String> = eras.all().iter().map(|era| described(era, plan)).collect();
                Some(format!("  {name}: {}", eras.join("; ")))
            }
        })
        .collect();
    // A pattern is there once for each source that discovers.
    lines.dedup();
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(text, "\ncalibrations")?;
    for line in lines.iter().take(SHOWN) {
        writeln!(text, "{line}")?;
    }
    match lines.len().checked_sub(SHOWN) {
        Some(more @ 1..) => writeln!(text, "  and {more} more"),
        _ => Ok(()),
    }
}

fn described(era: &Era, plan: &Plan) -> String {
    let steps: Vec<String> = era.chain.iter().map(|transfer| words(transfer, plan)).collect();
    let mut text = steps.join(", ");
    if era.from_ns != i64::MIN {
        let from = Timestamp::from_nanosecond(i128::from(era.from_ns)).unwrap_or_default();
        text = format!("from {from} {text}");
    }
    match &era.version {
        Some(version) => format!("{text} ({version})"),
        None => text,
    }
}

fn words(transfer: &Transfer, plan: &Plan) -> String {
    match transfer {
        Transfer::Linear(line) => format!("x * {} + {}", line.scale, line.offset),
        Transfer::Within { min, max } => format!("within {min} to {max}"),
        Transfer::Polynomial(coefficients) => format!("polynomial of {}", coefficients.len()),
        Transfer::Table(_) => "table".to_owned(),
        Transfer::CurrentLoop(level) => format!("4-20 mA as {} to {}", level.low, level.high),
        Transfer::Divider(divider) => format!("divider with {} Ohm", divider.known_ohm),
        Transfer::Thermistor(_) => "thermistor".to_owned(),
        Transfer::Rtd(_) => "RTD".to_owned(),
        Transfer::Thermocouple { pair, junction } => {
            let cold = match junction {
                Junction::Fixed { celsius } => format!("{celsius} Cel"),
                Junction::Channel { channel, max_age_ns } => {
                    let id = &plan.channels[*channel as usize].id;
                    format!("{id} at most {} away", Nanoseconds(*max_age_ns))
                }
            };
            format!("thermocouple {pair:?} with the cold junction at {cold}")
        }
        Transfer::Counter(counter) => {
            let gives = match counter.gives {
                Gives::Increment => "increments",
                Gives::Total => "total",
                Gives::Rate => "rate",
            };
            match counter.modulus {
                Some(modulus) => format!("{gives} of a counter up to {modulus}"),
                None => format!("{gives} of a counter without end"),
            }
        }
        Transfer::Circular { offset, turn } => format!("(x + {offset}) mod {turn}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn says_how_channels_are_calibrated() {
        let text = r#"
            [[source]]
            name = "s"
            kind = "udp"
            listen = "127.0.0.1:0"
            format = "text"
            [[channel]]
            id = "oven"
            source = "s"
            field = "tc"
            calibration = { kind = "thermocouple", type = "K", cold_junction = "cold", input = "V" }
            [[channel]]
            id = "cold"
            source = "s"
            field = "pt"
            calibration = [{ kind = "rtd", r0 = 100 }, { kind = "rtd", r0 = 101, from = 2026-01-01T00:00:00Z }]
            [[channel]]
            id = "plain"
            source = "s"
            field = "p"
        "#;
        let nothing = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let config = Config::parse(text, Path::new("c.toml"), &nothing);
        let plan = config.unwrap_or_else(|errors| panic!("{errors}")).config.plan;
        let mut said = String::new();
        write(&mut said, &plan).expect("a string takes it");
        assert_eq!(
            said,
            "\ncalibrations\n  \
             oven: x * 1000 + 0, thermocouple K with the cold junction at cold at most 1m away\n  \
             cold: RTD; from 2026-01-01T00:00:00Z RTD (2026-01-01T00:00:00Z)\n"
        );
    }
}
