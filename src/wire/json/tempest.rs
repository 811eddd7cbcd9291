//! What a WeatherFlow Tempest hub broadcasts: rows of values whose places have meanings
//! (<https://weatherflow.github.io/Tempest/api/udp/v171/>).
//!
//! Names are `<serial number>.<name>`. A row begins with its time in seconds.

use super::parse::{Listener, Path, Scalar, append_unescaped};
use crate::wire::{DeviceClock, FrameRefusal, draft::Draft, time};

/// Name and unit of a place.
type Place = (&'static str, &'static str);

const OBS_ST: &[Place] = &[
    ("wind_lull", "m/s"),
    ("wind_average", "m/s"),
    ("wind_gust", "m/s"),
    ("wind_direction", "deg"),
    ("wind_interval", "s"),
    ("pressure", "mbar"),
    ("air_temperature", "Cel"),
    ("humidity", "%"),
    ("illuminance", "lx"),
    ("uv_index", "1"),
    ("solar_radiation", "W/m2"),
    ("rain", "mm"),
    ("precipitation_type", "1"),
    ("lightning_distance", "km"),
    ("lightning_count", "1"),
    ("battery", "V"),
    ("report_interval", "min"),
];
const OBS_AIR: &[Place] = &[
    ("pressure", "mbar"),
    ("air_temperature", "Cel"),
    ("humidity", "%"),
    ("lightning_count", "1"),
    ("lightning_distance", "km"),
    ("battery", "V"),
    ("report_interval", "min"),
];
const OBS_SKY: &[Place] = &[
    ("illuminance", "lx"),
    ("uv_index", "1"),
    ("rain", "mm"),
    ("wind_lull", "m/s"),
    ("wind_average", "m/s"),
    ("wind_gust", "m/s"),
    ("wind_direction", "deg"),
    ("battery", "V"),
    ("report_interval", "min"),
    ("solar_radiation", "W/m2"),
    ("rain_today", "mm"),
    ("precipitation_type", "1"),
    ("wind_interval", "s"),
];
const RAPID_WIND: &[Place] = &[("rapid_wind_speed", "m/s"), ("rapid_wind_direction", "deg")];
const STRIKE: &[Place] = &[("strike_distance", "km"), ("strike_energy", "1")];
const STATUS: &[Place] = &[("uptime", "s"), ("voltage", "V"), ("rssi", "dB"), ("hub_rssi", "dB")];

/// The places of a row behind its time.
fn places(kind: &str) -> &'static [Place] {
    match kind {
        "obs_st" => OBS_ST,
        "obs_air" => OBS_AIR,
        "obs_sky" => OBS_SKY,
        "rapid_wind" => RAPID_WIND,
        "evt_strike" => STRIKE,
        _ => &[],
    }
}

/// All units it may give.
#[cfg(test)]
pub(super) fn units() -> impl Iterator<Item = &'static str> {
    let all = [OBS_ST, OBS_AIR, OBS_SKY, RAPID_WIND, STRIKE, STATUS];
    all.into_iter().flatten().map(|(_, unit)| *unit)
}

/// What a message says of itself: kept from message to message, so that none allocates.
#[derive(Debug, Default)]
pub(super) struct Texts {
    serial: String,
    kind: String,
    /// Where names are put together, and texts lose their escapes.
    name: String,
}

/// Makes samples of one message.
#[derive(Debug)]
pub(super) struct Report<'d> {
    draft: Draft<'d>,
    texts: &'d mut Texts,
    /// The time of the row, or of the message.
    time_ns: Option<i64>,
    arrived_ns: i64,
    /// Samples before this record, and before this row.
    before: usize,
    row: usize,
    /// The record has to be read again, since what names its values stood behind some of them.
    again: bool,
    /// It is read again: what names its values is known. Keys that come twice with different values
    /// would have it read for ever.
    settled: bool,
    timed: bool,
}

impl<'d> Report<'d> {
    pub(super) fn new(draft: Draft<'d>, texts: &'d mut Texts, arrived_ns: i64) -> Self {
        Self {
            draft,
            texts,
            time_ns: None,
            arrived_ns,
            before: 0,
            row: 0,
            again: false,
            settled: false,
            timed: false,
        }
    }

    /// The text is good: how many samples it has.
    pub(super) fn keep(self) -> usize {
        let clock = if self.timed { DeviceClock::Utc } else { DeviceClock::None };
        self.draft.keep(clock, self.arrived_ns)
    }

    fn set(&mut self, which: fn(&mut Texts) -> &mut String, written: &str) {
        if self.settled {
            return;
        }
        let mut text = std::mem::take(&mut self.texts.name);
        text.clear();
        append_unescaped(written, &mut text);
        let own = which(self.texts);
        if *own != text {
            std::mem::swap(own, &mut text);
            self.again |= self.before < self.draft.len();
        }
        self.texts.name = text;
    }

    fn push(&mut self, name: &str, unit: Option<&str>, value: f64) {
        let Texts { serial, name: whole, .. } = &mut *self.texts;
        whole.clear();
        if !serial.is_empty() {
            whole.push_str(serial);
            whole.push('.');
        }
        whole.push_str(name);
        let at_ns = self.time_ns.unwrap_or(self.arrived_ns);
        self.draft.push_with(whole, unit, at_ns, value);
    }

    /// A value of a row.
    fn place(&mut self, path: &Path, index: usize, value: f64) {
        match places(&self.texts.kind).get(index - 1) {
            Some((name, unit)) => self.push(name, Some(unit), value),
            None => self.push(path.text(), None, value),
        }
    }

    /// The first of a row is its time; where that is all, the row tells that something happened.
    fn begin_row(&mut self, written: &str) {
        self.time_ns = time::parse(written);
        self.timed |= self.time_ns.is_some();
        if self.texts.kind == "evt_precip" {
            self.push("rain_start", Some("1"), 1.0);
        }
        self.row = self.draft.len();
    }
}

impl Listener for Report<'_> {
    fn begin(&mut self) {
        self.time_ns = None;
        if !self.again {
            self.before = self.draft.len();
            self.texts.serial.clear();
            self.texts.kind.clear();
        }
        self.row = self.before;
        self.settled = self.again;
        self.again = false;
    }

    fn scalar(&mut self, path: &Path, scalar: Scalar<'_>) -> Result<(), FrameRefusal> {
        let is_row = matches!(path.first(), "obs" | "ob" | "evt");
        let place = path.index(path.depth() - 1).filter(|_| is_row);
        match (path.text(), place, scalar) {
            ("serial_number", _, Scalar::Text(text)) => self.set(|own| &mut own.serial, text),
            ("type", _, Scalar::Text(text)) => self.set(|own| &mut own.kind, text),
            ("timestamp", _, Scalar::Number(_, written)) => {
                self.time_ns = time::parse(written);
                self.timed |= self.time_ns.is_some();
            }
            (_, Some(0), Scalar::Number(_, written)) => self.begin_row(written),
            (_, Some(0), _) | (_, _, Scalar::Text(_)) => {}
            (_, Some(index), Scalar::Number(value, _)) => self.place(path, index, value),
            (_, Some(index), Scalar::Truth(_) | Scalar::Null) => {
                self.place(path, index, f64::NAN);
            }
            (name, None, scalar) => {
                let unit = STATUS.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit);
                let value = match scalar {
                    Scalar::Number(value, _) => value,
                    Scalar::Truth(truth) => f64::from(u8::from(truth)),
                    Scalar::Null | Scalar::Text(_) => f64::NAN,
                };
                self.push(name, unit, value);
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<bool, FrameRefusal> {
        if self.again {
            self.draft.truncate(self.before);
            return Ok(true);
        }
        // The time of a status report stands behind some of its values.
        if self.row == self.before
            && let Some(time_ns) = self.time_ns
        {
            self.draft.stamp_from(self.before, time_ns);
        }
        Ok(false)
    }
}
