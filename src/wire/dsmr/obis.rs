//! What the lines of a telegram are about: OBIS codes (IEC 62056-61), names and units.

use super::super::{draft::Draft, number};
use super::telegram::time_ns;

/// Meters that one meter can have behind it: M-Bus channels, counted from 1.
const MBUS_CHANNELS: usize = 10;
/// Readings with a time of their own that are told apart from their repetitions.
const OWN_TIMES_MAX: usize = 16;

/// `A-B:C.D.E`, of which the billing period `*F` says nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Code {
    a: u8,
    b: u8,
    cde: (u8, u8, u8),
}

impl Code {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = [0_u8; 5];
        let mut rest = text;
        for (part, end) in parts.iter_mut().zip([&b"-"[..], b":", b".", b".", b"*("]) {
            let (mut number, mut digits) = (None, 0);
            while let Some(byte @ b'0'..=b'9') = rest.get(digits) {
                let tens = number.unwrap_or(0_u8).checked_mul(10)?;
                number = Some(tens.checked_add(byte - b'0')?);
                digits += 1;
            }
            *part = number?;
            let behind = &rest[digits..];
            rest = match behind.split_first() {
                Some((byte, behind)) if end.contains(byte) => behind,
                None if end.contains(&b'(') => behind,
                _ => return None,
            };
        }
        let [a, b, c, d, e] = parts;
        Some(Self { a, b, cde: (c, d, e) })
    }
}

/// The times of readings that had one of their own: what is repeated with the same time is no
/// reading again.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<(Code, i64)>);

impl Seen {
    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether this time is another than the last one.
    fn is_new(&mut self, code: Code, at_ns: i64) -> bool {
        match self.0.iter_mut().find(|(known, _)| *known == code) {
            Some((_, last_ns)) => std::mem::replace(last_ns, at_ns) != at_ns,
            None => {
                if self.0.len() < OWN_TIMES_MAX {
                    self.0.push((code, at_ns));
                }
                true
            }
        }
    }
}

/// Takes the readings out of a telegram.
pub(super) struct Readings<'d, 'n> {
    draft: &'d mut Draft<'n>,
    seen: &'d mut Seen,
    made_ns: Option<i64>,
    /// What the M-Bus channels measure.
    media: [u8; MBUS_CHANNELS],
    /// A line of DSMR 2 whose value follows on a line of its own.
    continued: Option<(u8, Option<&'static str>)>,
}

impl<'d, 'n> Readings<'d, 'n> {
    /// Of a telegram that the meter made at this time, if it says so.
    pub(super) fn new(draft: &'d mut Draft<'n>, seen: &'d mut Seen, made_ns: Option<i64>) -> Self {
        Self { draft, seen, made_ns, media: [0; MBUS_CHANNELS], continued: None }
    }

    pub(super) fn read<'t>(&mut self, lines: impl Iterator<Item = &'t [u8]>) {
        for line in lines {
            let continued = self.continued.take();
            let begin = line.iter().position(|&byte| byte == b'(').unwrap_or(line.len());
            let (code, groups) = line.split_at(begin);
            if let (Some((channel, unit)), true) = (continued, code.is_empty()) {
                let value = self::groups(groups).next().and_then(number::parse);
                self.put(mbus_name(channel, self.media(channel)), unit, self.made_ns, value);
            } else if let Some(parsed) = Code::parse(code) {
                self.line(parsed, code, groups);
            }
        }
    }

    fn line(&mut self, code: Code, text: &[u8], line: &[u8]) {
        let mut groups = groups(line);
        let (first, second) = (groups.next().unwrap_or_default(), groups.next());
        match (code.a, code.cde) {
            (0, (24, 1, 0)) => {
                if let (Some(medium), Some(number)) =
                    (self.media.get_mut(usize::from(code.b)), number::parse(first))
                {
                    *medium = number as u8;
                }
                return;
            }
            (0, (24, 3, 0)) => {
                self.continued = Some((code.b, groups.nth(3).and_then(unit)));
                return;
            }
            _ => {}
        }
        // More groups are a history, which is of another time than this telegram.
        let (value, at_ns) = match (second, groups.next()) {
            (None, _) => (first, self.made_ns),
            (Some(value), None) => {
                let own_ns = time_ns(first);
                if own_ns.is_some_and(|at_ns| !self.seen.is_new(code, at_ns)) {
                    return;
                }
                (value, own_ns.or(self.made_ns))
            }
            (Some(_), Some(_)) => return,
        };
        let (number, unit) = match value.iter().position(|&byte| byte == b'*') {
            Some(star) => (&value[..star], unit(&value[star + 1..])),
            None if is_count(code) => (value, None),
            None => return,
        };
        let number = number::parse(number);
        match (code.a, code.b, code.cde) {
            (0, channel @ 1.., (24, 2, _)) => {
                self.put(mbus_name(channel, self.media(channel)), unit, at_ns, number);
            }
            (0, channel @ 1.., (24, 4, 0)) => {
                const NAMES: [&str; 4] =
                    ["mbus1.valve", "mbus2.valve", "mbus3.valve", "mbus4.valve"];
                let name = NAMES.get(usize::from(channel - 1)).copied();
                self.put(name.unwrap_or("mbus.valve"), unit, at_ns, number);
            }
            // Before DSMR 4 the limit was one of the current.
            (0, 0, (17, 0, 0)) if unit == Some("A") => {
                self.put("current_limit", unit, at_ns, number);
            }
            _ => match name(code) {
                Some(name) => self.put(name, unit, at_ns, number),
                None => {
                    let text = text.split(|&byte| byte == b'*').next().unwrap_or_default();
                    if let Ok(name) = str::from_utf8(text) {
                        self.put(name, unit, at_ns, number);
                    }
                }
            },
        }
    }

    fn media(&self, channel: u8) -> u8 {
        self.media.get(usize::from(channel)).copied().unwrap_or_default()
    }

    /// Adds a reading; its time counts only in a telegram that has one as well.
    fn put(
        &mut self,
        name: &str,
        unit: Option<&'static str>,
        at_ns: Option<i64>,
        value: Option<f64>,
    ) {
        let at_ns = self.made_ns.and(at_ns).unwrap_or_default();
        self.draft.push_with(name, unit, at_ns, value.unwrap_or(f64::NAN));
    }
}

/// What stands in the parentheses, one after the other.
fn groups(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let groups = text.split(|&byte| byte == b')').map(|group| group.strip_prefix(b"("));
    groups.map_while(|group| group)
}

/// The UCUM code of a unit.
fn unit(text: &[u8]) -> Option<&'static str> {
    Some(match text {
        b"kWh" => "kW.h",
        b"Wh" => "W.h",
        b"kW" => "kW",
        b"W" => "W",
        b"V" => "V",
        b"A" => "A",
        b"VA" => "V.A",
        b"kVA" => "kV.A",
        b"var" => "V.A{reactive}",
        b"kvar" | b"kVAr" => "kV.A{reactive}",
        b"varh" => "V.A.h{reactive}",
        b"kvarh" | b"kVArh" => "kV.A.h{reactive}",
        b"Hz" => "Hz",
        b"m3" => "m3",
        b"dm3" => "dm3",
        b"GJ" => "GJ",
        b"MJ" => "MJ",
        b"s" => "s",
        _ => return None,
    })
}

/// Whether a number without a unit is a reading and no number of a device.
fn is_count(code: Code) -> bool {
    match code.cde {
        (96, 14, 0) | (96, 7, 9 | 21) | (96, 3, 10) => code.a == 0,
        (24, 4, 0) => code.a == 0 && 0 < code.b,
        (32 | 52 | 72, 32 | 36, 0) | (13 | 33 | 53 | 73, 7, 0) => code.a == 1,
        _ => false,
    }
}

/// The name of what a meter of electricity says.
fn name(code: Code) -> Option<&'static str> {
    let name = match code.cde {
        (1, 8, 0) => "energy_import",
        (1, 8, 1) => "energy_import_t1",
        (1, 8, 2) => "energy_import_t2",
        (2, 8, 0) => "energy_export",
        (2, 8, 1) => "energy_export_t1",
        (2, 8, 2) => "energy_export_t2",
        (3, 8, 0) => "reactive_import",
        (4, 8, 0) => "reactive_export",
        (1, 7, 0) => "power_import",
        (2, 7, 0) => "power_export",
        (16, 7, 0) => "power",
        (21, 7, 0) => "power_import_l1",
        (41, 7, 0) => "power_import_l2",
        (61, 7, 0) => "power_import_l3",
        (22, 7, 0) => "power_export_l1",
        (42, 7, 0) => "power_export_l2",
        (62, 7, 0) => "power_export_l3",
        (32, 7, 0) => "voltage_l1",
        (52, 7, 0) => "voltage_l2",
        (72, 7, 0) => "voltage_l3",
        (31, 7, 0) => "current_l1",
        (51, 7, 0) => "current_l2",
        (71, 7, 0) => "current_l3",
        (13, 7, 0) => "power_factor",
        (33, 7, 0) => "power_factor_l1",
        (53, 7, 0) => "power_factor_l2",
        (73, 7, 0) => "power_factor_l3",
        (14, 7, 0) => "frequency",
        (1, 4, 0) => "demand",
        (1, 6, 0) => "demand_peak",
        (17, 0, 0) => "power_limit",
        (31, 4, 0) => "current_limit",
        (32, 32, 0) => "sags_l1",
        (52, 32, 0) => "sags_l2",
        (72, 32, 0) => "sags_l3",
        (32, 36, 0) => "swells_l1",
        (52, 36, 0) => "swells_l2",
        (72, 36, 0) => "swells_l3",
        (96, 14, 0) => "tariff",
        (96, 7, 21) => "failures",
        (96, 7, 9) => "failures_long",
        (96, 3, 10) => "breaker",
        _ => return None,
    };
    Some(name).filter(|_| code.b == 0)
}

/// The name of what a meter behind this one says, by its channel and its medium (EN 13757-3).
fn mbus_name(channel: u8, medium: u8) -> &'static str {
    const NAMES: [[&str; 6]; 4] = [
        ["mbus1.gas", "mbus1.water", "mbus1.heat", "mbus1.cold", "mbus1.electric", "mbus1.meter"],
        ["mbus2.gas", "mbus2.water", "mbus2.heat", "mbus2.cold", "mbus2.electric", "mbus2.meter"],
        ["mbus3.gas", "mbus3.water", "mbus3.heat", "mbus3.cold", "mbus3.electric", "mbus3.meter"],
        ["mbus4.gas", "mbus4.water", "mbus4.heat", "mbus4.cold", "mbus4.electric", "mbus4.meter"],
    ];
    let kind = match medium {
        3 => 0,
        6..=9 | 21 | 22 => 1,
        4 | 12 | 13 => 2,
        10 | 11 => 3,
        2 => 4,
        _ => 5,
    };
    // The protocol has four channels.
    NAMES.get(usize::from(channel).wrapping_sub(1)).map_or("mbus.meter", |names| names[kind])
}
