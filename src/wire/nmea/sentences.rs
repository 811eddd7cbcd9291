//! The sentences that carry readings, field by field.
//!
//! Forms after IEC 61162-1 and "The NMEA 0183 Protocol" (Betke, 2001). Speeds are published in
//! m/s, distances and depths in m, angles in degrees from 0 to 360, pressures in Pa and
//! temperatures in Cel. A quantity that a sentence gives in several units is taken from the first
//! that is there.

use std::fmt::{self, Write as _};

use super::super::{draft::Draft, number};
use super::sentence::Sentence;

/// m/s in a knot.
const KNOT: Unit = Unit { code: "m/s", times: 1_852.0, over: 3_600.0 };
const KM_PER_HOUR: Unit = Unit { code: "m/s", times: 1.0, over: 3.6 };
const MILE_PER_HOUR: Unit = Unit { code: "m/s", times: 1_609.344, over: 3_600.0 };
const METER_PER_SECOND: Unit = Unit::plain("m/s");
const METER: Unit = Unit::plain("m");
const FOOT: Unit = Unit { code: "m", times: 0.304_8, over: 1.0 };
const FATHOM: Unit = Unit { code: "m", times: 1.828_8, over: 1.0 };
const NAUTICAL_MILE: Unit = Unit { code: "m", times: 1_852.0, over: 1.0 };
const BAR: Unit = Unit { code: "Pa", times: 1e5, over: 1.0 };
const INCH_OF_MERCURY: Unit = Unit { code: "Pa", times: 3_386.389, over: 1.0 };
const DEGREE: Unit = Unit::plain("deg");
const CELSIUS: Unit = Unit::plain("Cel");
const PERCENT: Unit = Unit::plain("%");
const ONE: Unit = Unit::plain("1");

/// Longest name: that of a transducer behind `XDR.`.
const TRANSDUCER_BYTES_MAX: usize = crate::limits::FIELD_NAME_BYTES_MAX - "AAXDR.".len();

/// What a field is in, and what makes it the published unit.
#[derive(Clone, Copy)]
struct Unit {
    /// UCUM code of the published unit.
    code: &'static str,
    times: f64,
    over: f64,
}

impl Unit {
    const fn plain(code: &'static str) -> Self {
        Self { code, times: 1.0, over: 1.0 }
    }
}

/// Fields that any of the sentences has, transducers aside.
const FIELDS_MAX: usize = 20;

/// The first fields of one sentence: those that are not there are empty.
struct Fields<'a> {
    texts: [&'a [u8]; FIELDS_MAX],
    count: usize,
}

impl<'a> Fields<'a> {
    fn of(sentence: &Sentence<'a>) -> Self {
        let (mut texts, mut count) = ([&[][..]; FIELDS_MAX], 0);
        for (text, field) in texts.iter_mut().zip(sentence.fields()) {
            *text = field;
            count += 1;
        }
        Self { texts, count }
    }

    fn text(&self, at: usize) -> &'a [u8] {
        self.texts.get(at).copied().unwrap_or_default()
    }

    fn number(&self, at: usize) -> Option<f64> {
        number::parse(self.text(at))
    }

    /// Whether the sentence is so long that it has this field.
    fn has(&self, at: usize) -> bool {
        at < self.count
    }

    /// A number whose sign is a letter in the next field: `minus` is the letter of the negative.
    fn signed(&self, at: usize, minus: &[u8]) -> Option<f64> {
        let number = self.number(at)?;
        Some(if self.text(at + 1) == minus { -number } else { number })
    }

    /// Degrees and minutes as `dddmm.mmm`, with a letter in the next field.
    fn position(&self, at: usize, minus: &[u8]) -> Option<f64> {
        let text = self.text(at);
        let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
        let (degrees, minutes) = text.split_at_checked(point.checked_sub(2)?)?;
        let degrees = if degrees.is_empty() { 0.0 } else { number::parse(degrees)? };
        let value = degrees + number::parse(minutes)? / 60.0;
        Some(if self.text(at + 1) == minus { -value } else { value })
    }

    /// The first of these fields that has a number, with its unit; the first unit if none has.
    fn first_of(&self, choices: &[(usize, Unit)]) -> (Option<f64>, Unit) {
        let filled = choices.iter().find_map(|&(at, unit)| Some((Some(self.number(at)?), unit)));
        filled.unwrap_or((None, choices[0].1))
    }
}

/// Takes the readings out of a sentence.
pub(super) struct Readings<'d, 'n> {
    pub(super) draft: &'d mut Draft<'n>,
    /// What the names begin with instead of the kind.
    pub(super) prefix: Option<&'d str>,
    /// Where a name is put together.
    pub(super) name: &'d mut String,
}

impl Readings<'_, '_> {
    /// Adds the readings of a sentence, if its kind has any.
    pub(super) fn read(&mut self, kind: [u8; 3], sentence: &Sentence<'_>) {
        let read = match &kind {
            b"MWV" | b"MWD" | b"VWR" | b"VWT" | b"MDA" | b"MTA" | b"MTW" | b"MMB" | b"MHU" => {
                Self::weather
            }
            b"HDG" | b"HDT" | b"HDM" | b"THS" | b"ROT" | b"RSA" | b"RPM" => Self::steering,
            b"DBT" | b"DBS" | b"DBK" | b"DPT" => Self::depth,
            b"VHW" | b"VTG" | b"VBW" | b"VDR" | b"VLW" | b"VPW" => Self::speed,
            b"RMC" | b"GGA" | b"GLL" | b"GNS" => Self::fix,
            b"XDR" => return self.transducers(sentence),
            _ => return,
        };
        read(self, kind, &Fields::of(sentence));
    }

    /// Adds a value in a unit; a value that is missing or not valid is NaN.
    fn put(&mut self, name: &'static str, unit: Unit, value: Option<f64>) {
        let value = value.map_or(f64::NAN, |value| value * unit.times / unit.over);
        let Some(prefix) = self.prefix else {
            self.draft.push_with(name, Some(unit.code), 0, value);
            return;
        };
        let quantity = name.split_once('.').map_or(name, |(_, quantity)| quantity);
        self.put_named(prefix, format_args!("{quantity}"), unit, value);
    }

    fn put_named(&mut self, prefix: &str, quantity: fmt::Arguments<'_>, unit: Unit, value: f64) {
        self.name.clear();
        write!(self.name, "{prefix}.{quantity}").expect("a string takes everything");
        let code = Some(unit.code).filter(|code| !code.is_empty());
        self.draft.push_with(self.name, code, 0, value);
    }

    fn put_first(&mut self, name: &'static str, valid: bool, (value, unit): (Option<f64>, Unit)) {
        self.put(name, unit, value.filter(|_| valid));
    }

    fn weather(&mut self, kind: [u8; 3], fields: &Fields<'_>) {
        match &kind {
            b"MWV" => {
                let (angle, speed) = match fields.text(1) {
                    b"R" => ("MWV.angle_relative", "MWV.speed_relative"),
                    b"T" => ("MWV.angle_true", "MWV.speed_true"),
                    _ => return,
                };
                let valid = fields.text(4) == b"A";
                self.put(angle, DEGREE, fields.number(0).filter(|_| valid));
                let (unit, known) = match fields.text(3) {
                    b"N" => (KNOT, true),
                    b"M" => (METER_PER_SECOND, true),
                    b"K" => (KM_PER_HOUR, true),
                    b"S" => (MILE_PER_HOUR, true),
                    _ => (METER_PER_SECOND, false),
                };
                self.put(speed, unit, fields.number(2).filter(|_| valid && known));
            }
            b"MWD" => {
                self.put("MWD.direction_true", DEGREE, fields.number(0));
                self.put("MWD.direction_magnetic", DEGREE, fields.number(2));
                let speed = fields.first_of(&[(4, KNOT), (6, METER_PER_SECOND)]);
                self.put_first("MWD.speed", true, speed);
            }
            b"VWR" | b"VWT" => {
                let (angle, speed) = if kind == *b"VWR" {
                    ("VWR.angle_relative", "VWR.speed_relative")
                } else {
                    ("VWT.angle_true", "VWT.speed_true")
                };
                let from_bow = fields.signed(0, b"L");
                self.put(angle, DEGREE, from_bow.map(|angle| (angle + 360.0) % 360.0));
                let speeds = [(2, KNOT), (4, METER_PER_SECOND), (6, KM_PER_HOUR)];
                self.put_first(speed, true, fields.first_of(&speeds));
            }
            b"MDA" => {
                let pressure = fields.first_of(&[(2, BAR), (0, INCH_OF_MERCURY)]);
                self.put_first("MDA.pressure", true, pressure);
                self.put("MDA.air_temperature", CELSIUS, fields.number(4));
                self.put("MDA.water_temperature", CELSIUS, fields.number(6));
                self.put("MDA.relative_humidity", PERCENT, fields.number(8));
                self.put("MDA.dew_point", CELSIUS, fields.number(10));
                self.put("MDA.direction_true", DEGREE, fields.number(12));
                self.put("MDA.direction_magnetic", DEGREE, fields.number(14));
                let speed = fields.first_of(&[(16, KNOT), (18, METER_PER_SECOND)]);
                self.put_first("MDA.speed", true, speed);
            }
            b"MMB" => {
                let pressure = fields.first_of(&[(2, BAR), (0, INCH_OF_MERCURY)]);
                self.put_first("MMB.pressure", true, pressure);
            }
            b"MHU" => {
                self.put("MHU.relative_humidity", PERCENT, fields.number(0));
                self.put("MHU.dew_point", CELSIUS, fields.number(2));
            }
            b"MTA" => self.put("MTA.temperature", CELSIUS, fields.number(0)),
            _ => self.put("MTW.temperature", CELSIUS, fields.number(0)),
        }
    }

    fn steering(&mut self, kind: [u8; 3], fields: &Fields<'_>) {
        let valid = |at: usize| fields.text(at) == b"A";
        match &kind {
            b"HDG" => {
                self.put("HDG.heading", DEGREE, fields.number(0));
                self.put("HDG.deviation", DEGREE, fields.signed(1, b"W"));
                self.put("HDG.variation", DEGREE, fields.signed(3, b"W"));
            }
            b"HDT" => self.put("HDT.heading_true", DEGREE, fields.number(0)),
            b"HDM" => self.put("HDM.heading_magnetic", DEGREE, fields.number(0)),
            b"THS" => {
                let invalid = matches!(fields.text(1), b"V" | b"");
                self.put("THS.heading_true", DEGREE, fields.number(0).filter(|_| !invalid));
            }
            b"ROT" => {
                let unit = Unit::plain("deg/min");
                self.put("ROT.rate", unit, fields.number(0).filter(|_| valid(1)));
            }
            b"RSA" => {
                self.put("RSA.starboard", DEGREE, fields.number(0).filter(|_| valid(1)));
                // A vessel with one rudder leaves the other half empty.
                if !fields.text(2).is_empty() {
                    self.put("RSA.port", DEGREE, fields.number(2).filter(|_| valid(3)));
                }
            }
            _ => {
                let (speed, pitch) = match (fields.text(0), fields.text(1)) {
                    (b"E", b"0") => ("RPM.engine0_speed", "RPM.engine0_pitch"),
                    (b"E", b"1") => ("RPM.engine1_speed", "RPM.engine1_pitch"),
                    (b"E", b"2") => ("RPM.engine2_speed", "RPM.engine2_pitch"),
                    (b"S", b"0") => ("RPM.shaft0_speed", "RPM.shaft0_pitch"),
                    (b"S", b"1") => ("RPM.shaft1_speed", "RPM.shaft1_pitch"),
                    (b"S", b"2") => ("RPM.shaft2_speed", "RPM.shaft2_pitch"),
                    _ => return,
                };
                let turns = Unit::plain("{rev}/min");
                self.put(speed, turns, fields.number(2).filter(|_| valid(4)));
                self.put(pitch, PERCENT, fields.number(3).filter(|_| valid(4)));
            }
        }
    }

    fn depth(&mut self, kind: [u8; 3], fields: &Fields<'_>) {
        if kind == *b"DPT" {
            self.put("DPT.depth", METER, fields.number(0));
            self.put("DPT.offset", METER, fields.number(1));
            return;
        }
        let name = match &kind {
            b"DBT" => "DBT.depth",
            b"DBS" => "DBS.depth",
            _ => "DBK.depth",
        };
        self.put_first(name, true, fields.first_of(&[(2, METER), (0, FOOT), (4, FATHOM)]));
    }

    fn speed(&mut self, kind: [u8; 3], fields: &Fields<'_>) {
        match &kind {
            b"VHW" => {
                self.put("VHW.heading_true", DEGREE, fields.number(0));
                self.put("VHW.heading_magnetic", DEGREE, fields.number(2));
                self.put_first("VHW.speed", true, fields.first_of(&[(4, KNOT), (6, KM_PER_HOUR)]));
            }
            // Before NMEA 2.0 the same four numbers came without letters.
            b"VTG" if fields.has(4) => {
                let valid = fields.text(8) != b"N";
                self.put("VTG.track_true", DEGREE, fields.number(0).filter(|_| valid));
                self.put("VTG.track_magnetic", DEGREE, fields.number(2).filter(|_| valid));
                let speed = fields.first_of(&[(4, KNOT), (6, KM_PER_HOUR)]);
                self.put_first("VTG.speed", valid, speed);
            }
            b"VTG" => {
                self.put("VTG.track_true", DEGREE, fields.number(0));
                self.put("VTG.track_magnetic", DEGREE, fields.number(1));
                self.put_first("VTG.speed", true, fields.first_of(&[(2, KNOT), (3, KM_PER_HOUR)]));
            }
            b"VBW" => {
                let valid = |at: usize| fields.text(at) == b"A";
                self.put("VBW.water_ahead", KNOT, fields.number(0).filter(|_| valid(2)));
                self.put("VBW.water_starboard", KNOT, fields.number(1).filter(|_| valid(2)));
                self.put("VBW.ground_ahead", KNOT, fields.number(3).filter(|_| valid(5)));
                self.put("VBW.ground_starboard", KNOT, fields.number(4).filter(|_| valid(5)));
            }
            b"VDR" => {
                self.put("VDR.set_true", DEGREE, fields.number(0));
                self.put("VDR.set_magnetic", DEGREE, fields.number(2));
                self.put("VDR.drift", KNOT, fields.number(4));
            }
            b"VLW" => {
                self.put("VLW.water_total", NAUTICAL_MILE, fields.number(0));
                self.put("VLW.water_trip", NAUTICAL_MILE, fields.number(2));
                if fields.has(6) {
                    self.put("VLW.ground_total", NAUTICAL_MILE, fields.number(4));
                    self.put("VLW.ground_trip", NAUTICAL_MILE, fields.number(6));
                }
            }
            _ => {
                let speed = fields.first_of(&[(0, KNOT), (2, METER_PER_SECOND)]);
                self.put_first("VPW.speed", true, speed);
            }
        }
    }

    fn fix(&mut self, kind: [u8; 3], fields: &Fields<'_>) {
        match &kind {
            b"RMC" => {
                let valid = fields.text(1) == b"A" && fields.text(11) != b"N";
                let value = |value: Option<f64>| value.filter(|_| valid);
                self.put("RMC.latitude", DEGREE, value(fields.position(2, b"S")));
                self.put("RMC.longitude", DEGREE, value(fields.position(4, b"W")));
                self.put("RMC.speed", KNOT, value(fields.number(6)));
                self.put("RMC.track_true", DEGREE, value(fields.number(7)));
                self.put("RMC.variation", DEGREE, value(fields.signed(9, b"W")));
            }
            b"GLL" => {
                // Before NMEA 2.0 there was neither time nor status.
                let valid = matches!(fields.text(5), b"A") || !fields.has(5);
                let value = |value: Option<f64>| value.filter(|_| valid);
                self.put("GLL.latitude", DEGREE, value(fields.position(0, b"S")));
                self.put("GLL.longitude", DEGREE, value(fields.position(2, b"W")));
            }
            _ => {
                let gga = kind == *b"GGA";
                let names = if gga { GGA } else { GNS };
                let valid = if gga {
                    !matches!(fields.text(5), b"" | b"0")
                } else {
                    fields.text(5).iter().any(|&system| system != b'N')
                };
                let value = |value: Option<f64>| value.filter(|_| valid);
                self.put(names[0], DEGREE, value(fields.position(1, b"S")));
                self.put(names[1], DEGREE, value(fields.position(3, b"W")));
                self.put(names[2], METER, value(fields.number(8)));
                // How many satellites is known, and worth knowing, without a fix as well.
                self.put(names[3], ONE, fields.number(6));
                self.put(names[4], ONE, value(fields.number(7)));
            }
        }
    }

    /// Any number of transducers, each with its type, value, unit and name.
    fn transducers(&mut self, sentence: &Sentence<'_>) {
        let mut fields = sentence.fields();
        let prefix = self.prefix.unwrap_or("XDR");
        let mut position = 0;
        while let (Some(sort), Some(value), Some(unit)) =
            (fields.next(), fields.next(), fields.next())
        {
            position += 1;
            // The last name may be missing with its comma.
            let name = str::from_utf8(fields.next().unwrap_or_default()).unwrap_or_default();
            let (unit, shift) = transducer_unit(sort, unit);
            let value = number::parse(value).map(|value| value + shift);
            let value = value.map_or(f64::NAN, |value| value * unit.times / unit.over);
            match name.trim() {
                "" => {
                    let sort = sort.first().map_or('?', |&letter| char::from(letter));
                    self.put_named(prefix, format_args!("{sort}{position}"), unit, value);
                }
                name if name.len() <= TRANSDUCER_BYTES_MAX => {
                    self.put_named(prefix, format_args!("{name}"), unit, value);
                }
                _ => {}
            }
        }
    }
}

const GGA: [&str; 5] =
    ["GGA.latitude", "GGA.longitude", "GGA.altitude", "GGA.satellites", "GGA.hdop"];
const GNS: [&str; 5] =
    ["GNS.latitude", "GNS.longitude", "GNS.altitude", "GNS.satellites", "GNS.hdop"];

/// The unit of a transducer by its type and the letter it says, and what is added before it is
/// converted. No code where the pair is not defined: the value is then as it came.
fn transducer_unit(sort: &[u8], unit: &[u8]) -> (Unit, f64) {
    let fahrenheit = Unit { code: "Cel", times: 5.0, over: 9.0 };
    match (sort, unit) {
        (b"C", b"C") => (CELSIUS, 0.0),
        (b"C", b"F") => (fahrenheit, -32.0),
        (b"C", b"K") => (CELSIUS, -273.15),
        (b"A", b"D") => (DEGREE, 0.0),
        (b"D", b"M") => (METER, 0.0),
        (b"P", b"B") => (BAR, 0.0),
        (b"P", b"P") => (Unit::plain("Pa"), 0.0),
        (b"H" | b"E" | b"V", b"P") => (PERCENT, 0.0),
        (b"V", b"M") => (Unit::plain("m3"), 0.0),
        (b"R", b"l" | b"L") => (Unit::plain("L/s"), 0.0),
        (b"T", b"R") => (Unit::plain("{rev}/min"), 0.0),
        (b"F", b"H") => (Unit::plain("Hz"), 0.0),
        (b"N", b"N") => (Unit::plain("N"), 0.0),
        (b"U", b"V") => (Unit::plain("V"), 0.0),
        (b"I", b"A") => (Unit::plain("A"), 0.0),
        (b"L", b"S") => (Unit::plain("[ppth]"), 0.0),
        _ => (Unit::plain(""), 0.0),
    }
}
