//! A source of kind `modbus`: where the devices are, their manners, and their registers.

use std::{collections::BTreeMap, net::SocketAddr, ops::RangeInclusive, sync::Arc};

use super::{
    Context, binary,
    errors::Remark,
    format::field_name,
    keys,
    model::{ModbusConfig, ModbusDevice, ModbusPath, ModbusPoll, Parity, PortConfig},
    reader::{Found, Section},
    serial,
};
use crate::{
    limits::{MODBUS_REGISTERS_MAX, MS, POLL_MIN_NS, SECOND},
    wire::{
        binary::{FieldRule, Number, Place},
        decode::Naming,
        modbus::{
            ModbusOptions, Mode,
            map::{Joining, Register, RegisterMap},
            request::{Request, Table},
        },
    },
};

const TIMEOUT_NS: i64 = 500 * MS;
const EVERY_NS: i64 = SECOND;
const RETRIES: u32 = 1;
const REGISTERS_MAX: u16 = 64;
/// Silence that even fast lines keep: many a device needs longer than the protocol asks for.
const GAP_MIN_NS: i64 = 5 * MS;
const MINUTE_NS: i64 = 60 * SECOND;
const DAY_NS: i64 = 24 * 60 * MINUTE_NS;
const ADDRESSES: RangeInclusive<i64> = 0..=255;

/// Reads what is particular to the kind; `None` if an error stands in the way of it.
pub(super) fn read(
    section: &Section<'_>,
    context: &Context<'_>,
) -> Option<(ModbusConfig, ModbusOptions)> {
    let place = place(section, context);
    let (path, mode) = place.as_ref().map_or((None, Mode::Rtu), |(path, mode)| (Some(path), *mode));
    let usual = Manners::usual(path, mode).read(section);
    let devices = devices(section, usual);
    let registers = registers(section, usual, &devices);
    let (registers, periods): (Vec<Register>, Vec<i64>) = registers?.into_iter().unzip();
    let char_ns = path.map_or(0, char_ns);
    let (devices, polls) = plan(&registers, &periods, usual, &devices, char_ns);
    let (path, mode) = place?;
    let config = ModbusConfig { path, mode, devices: devices.into(), polls: polls.into() };
    warn_of_haste(section, &config);
    let map = Arc::new(RegisterMap::new(registers));
    Some((config, ModbusOptions { naming: Naming::default(), mode, map }))
}

/// Where the devices are, and how they are spoken to there.
fn place(section: &Section<'_>, context: &Context<'_>) -> Option<(ModbusPath, Mode)> {
    let modes = [("rtu", Mode::Rtu), ("tcp", Mode::Tcp)];
    let mode = section.choice("mode", &modes);
    if let (true, Some(span)) = (section.has("path"), section.key_span("connect")) {
        let remark = Remark::new("`connect` does not fit beside `path`");
        let help = "a source is one serial line or one address: make two of it";
        section.sink.error(&span, remark.help(help));
        return None;
    }
    if section.has("connect") {
        for key in keys::PORT {
            if let Some(span) = section.key_span(key) {
                let remark = Remark::new(format!("`{key}` has no effect with `connect`"));
                section.sink.error(&span, remark.help("it is for a serial line: see `path`"));
            }
        }
        let mode = mode.map_or(Mode::Tcp, |found| found.value);
        return Some((ModbusPath::Network(address(section)?), mode));
    }
    if !section.has("path") {
        let remark = Remark::new("a source of kind \"modbus\" needs `path` or `connect`");
        let help = "add `path = \"/dev/serial/by-id/usb-…\"` for a serial line, or \
                    `connect = \"192.168.1.20:502\"`";
        section.sink.missing(&section.span, remark.help(help));
        return None;
    }
    if let Some(found) = mode.filter(|found| found.value == Mode::Tcp) {
        let remark = Remark::new("`mode` \"tcp\" does not fit a serial line");
        section.sink.error(&found.span, remark.help("remove it, or take `connect`"));
    }
    let port = serial::port(section, context)?;
    if port.data_bits != 8 {
        let span = section.key_span("data_bits").unwrap_or_else(|| section.span.clone());
        section.sink.error(&span, Remark::new("Modbus RTU needs 8 data bits"));
    }
    Some((ModbusPath::Serial(port), Mode::Rtu))
}

fn address(section: &Section<'_>) -> Option<SocketAddr> {
    let found = section.text("connect")?;
    let address = found.value.parse::<SocketAddr>().ok();
    let address = address.filter(|address| address.port() != 0 && !address.ip().is_unspecified());
    if address.is_none() {
        let remark =
            Remark::new(format!("`connect` is no address with a port: \"{}\"", found.value));
        let help = "write numbers, such as \"192.168.1.20:502\" or \"[fd00::20]:502\": names are \
                    not looked up";
        section.sink.error(&found.span, remark.help(help));
    }
    address
}

/// How a device is treated, where its own table does not say otherwise.
#[derive(Clone, Copy, Debug)]
struct Manners {
    timeout_ns: i64,
    /// As long as the timeout if nobody says.
    quarantine_ns: Option<i64>,
    gap_ns: i64,
    retries: u32,
    every_ns: i64,
    joining: Joining,
}

impl Manners {
    /// What holds where nothing is said.
    fn usual(path: Option<&ModbusPath>, mode: Mode) -> Self {
        // "MODBUS over Serial Line V1.02", section 2.5.1.1: three and a half characters.
        let silence_ns = path.map_or(0, |path| char_ns(path) * 7 / 2);
        Self {
            timeout_ns: TIMEOUT_NS,
            quarantine_ns: None,
            gap_ns: if mode == Mode::Rtu { silence_ns.max(GAP_MIN_NS) } else { 0 },
            retries: RETRIES,
            every_ns: EVERY_NS,
            joining: Joining { registers_max: REGISTERS_MAX, bridge: 0 },
        }
    }

    /// These, but for what a table says.
    fn read(self, section: &Section<'_>) -> Self {
        let time = |key, least| section.duration(key, least..=MINUTE_NS).map(|found| found.value);
        let whole = |key, range| section.integer(key, range).map(|found| found.value);
        Self {
            timeout_ns: time("timeout", MS).unwrap_or(self.timeout_ns),
            quarantine_ns: time("quarantine", 0).or(self.quarantine_ns),
            gap_ns: time("gap", 0).unwrap_or(self.gap_ns),
            retries: whole("retries", 0..=100).map_or(self.retries, |value| value as u32),
            every_ns: every(section).unwrap_or(self.every_ns),
            joining: Joining {
                registers_max: whole("registers_max", 1..=125)
                    .map_or(self.joining.registers_max, |value| value as u16),
                bridge: whole("bridge", 0..=124).map_or(self.joining.bridge, |value| value as u16),
            },
        }
    }

    fn device(&self, address: u8) -> ModbusDevice {
        ModbusDevice {
            address,
            timeout_ns: self.timeout_ns,
            quarantine_ns: self.quarantine_ns.unwrap_or(self.timeout_ns),
            gap_ns: self.gap_ns,
            retries: self.retries,
        }
    }
}

fn every(section: &Section<'_>) -> Option<i64> {
    section.duration("every", POLL_MIN_NS..=DAY_NS).map(|found| found.value)
}

/// The devices with a table of their own.
fn devices(section: &Section<'_>, usual: Manners) -> BTreeMap<u8, Found<Manners>> {
    let mut devices: BTreeMap<u8, Found<Manners>> = BTreeMap::new();
    for table in section.sections("device", "[[source.device]]", keys::MODBUS_DEVICE) {
        table.require("address", "1");
        let manners = Found { value: usual.read(&table), span: table.span.clone() };
        let Some(address) = table.integer("address", ADDRESSES) else { continue };
        if let Some(first) = devices.insert(address.value as u8, manners) {
            let title = format!("the device {} is there twice", address.value);
            let help = format!("see line {}", table.sink.line(&first.span));
            table.sink.error(&address.span, Remark::new(title).help(help));
        }
    }
    devices
}

/// The registers, each with its period.
fn registers(
    section: &Section<'_>,
    usual: Manners,
    devices: &BTreeMap<u8, Found<Manners>>,
) -> Option<Vec<(Register, i64)>> {
    let example =
        "[{ name = \"power\", device = 1, table = \"input\", address = 12, type = \"f32\" }]";
    section.require("register", example);
    let tables = section.sections("register", "[[source.register]]", keys::REGISTER);
    if let Some(one_more) = tables.get(MODBUS_REGISTERS_MAX) {
        let title = format!("{} registers, more than {MODBUS_REGISTERS_MAX}", tables.len());
        section.sink.error(&one_more.span, Remark::new(title));
        return None;
    }
    let mut names = BTreeMap::new();
    let mut read = Vec::with_capacity(tables.len());
    for table in &tables {
        let register = register(table);
        let period_ns = every(table);
        let Some(register) = register else { continue };
        let name = Arc::clone(&register.rule.name);
        if let Some(first) = names.insert(name, table.span.clone()) {
            let title = format!("the register \"{}\" is there twice", register.rule.name);
            let help = format!("see line {}", section.sink.line(&first));
            let span = table.key_span("name").unwrap_or_else(|| table.span.clone());
            section.sink.error(&span, Remark::new(title).help(help));
        }
        let manners = devices.get(&register.device).map_or(usual, |found| found.value);
        read.push((register, period_ns.unwrap_or(manners.every_ns)));
    }
    for (address, found) in devices {
        if !read.iter().any(|(register, _)| register.device == *address) {
            let remark = Remark::new(format!("no register is read from the device {address}"));
            section.sink.warn(&found.span, remark.help("add a [[source.register]], or remove it"));
        }
    }
    (!tables.is_empty() && read.len() == tables.len()).then_some(read)
}

fn register(section: &Section<'_>) -> Option<Register> {
    section.require("name", "\"power\"");
    section.require("device", "1");
    section.require("table", "\"holding\"");
    section.require("address", "0");
    let name = section.text("name").filter(|found| field_name(section, "name", found));
    let device = section.integer("device", ADDRESSES);
    let table = section.choice("table", &Table::ALL);
    let address = section.integer("address", 0..=i64::from(u16::MAX));
    let is_bits = table.as_ref().is_some_and(|found| found.value.is_bits());
    let number = if is_bits { bit(section) } else { number(section) };
    let bits = number.map(|number| binary::bits(section, number));
    let scaling = binary::scaling(section);
    let unit = binary::unit(section);
    let missing = binary::missing(section);
    let rule = FieldRule {
        name: name?.value.into(),
        unit,
        at: Place::FromStart(0),
        number: number?,
        bits: bits?.ok()?,
        scaling,
        missing: missing?,
    };
    let (device, address) = (device?.value as u8, address?);
    let register = Register { device, table: table?.value, address: address.value as u16, rule };
    if i64::from(u16::MAX) + 1 < address.value + i64::from(register.count()) {
        let remark = Remark::new("this register ends beyond the last address, 65535");
        section.sink.error(&address.span, remark);
        return None;
    }
    Some(register)
}

/// A bit is 0 or 1, and nothing else can be said of it.
fn bit(section: &Section<'_>) -> Option<Number> {
    for key in ["type", "order", "bits"] {
        if let Some(span) = section.key_span(key) {
            let remark = Remark::new(format!("`{key}` does not fit a table of bits"));
            section.sink.error(&span, remark.help("a coil or a discrete input is 0 or 1"));
        }
    }
    Number::named("u8")
}

fn number(section: &Section<'_>) -> Option<Number> {
    const TYPES: [&str; 8] = ["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"];
    section.require("type", "\"u16\"");
    // The bytes of a number from its highest, A, as they come over the line.
    let orders = [
        ("abcd", ("be", "be")),
        ("cdab", ("be", "be-ws")),
        ("badc", ("le", "le-ws")),
        ("dcba", ("le", "le")),
    ];
    let kind = section.choice("type", &TYPES.map(|name| (name, name)));
    let order = section.choice("order", &orders).map_or(("be", "be"), |found| found.value);
    let kind = kind?.value;
    // Within one register there are only two bytes to be swapped.
    let order = if kind.ends_with("16") { order.0 } else { order.1 };
    Number::named(&format!("{kind}{order}"))
}

/// Who is asked what: registers of one device, table and period together, as far as they may be.
fn plan(
    registers: &[Register],
    periods: &[i64],
    usual: Manners,
    devices: &BTreeMap<u8, Found<Manners>>,
    char_ns: i64,
) -> (Vec<ModbusDevice>, Vec<ModbusPoll>) {
    let mut groups: BTreeMap<(u8, i64), Vec<&Register>> = BTreeMap::new();
    for (register, every_ns) in registers.iter().zip(periods) {
        groups.entry((register.device, *every_ns)).or_default().push(register);
    }
    let (mut asked, mut polls) = (Vec::<ModbusDevice>::new(), Vec::new());
    for ((address, every_ns), mut group) in groups {
        let manners = devices.get(&address).map_or(usual, |found| found.value);
        if asked.last().is_none_or(|last| last.address != address) {
            asked.push(manners.device(address));
        }
        group.sort_by_key(|register| (register.table, register.address));
        let device = asked.len() - 1;
        let poll = |request: Request| {
            let (out, back) = request.line_bytes(Mode::Rtu);
            let line_ns = char_ns * (out + back) as i64;
            ModbusPoll { device, request, every_ns, line_ns }
        };
        polls.extend(manners.joining.requests(group).into_iter().map(poll));
    }
    (asked, polls)
}

/// How long one character takes, nanoseconds; 0 where there is no baud rate.
fn char_ns(path: &ModbusPath) -> i64 {
    let ModbusPath::Serial(PortConfig { baud, data_bits, parity, stop_bits, .. }) = path else {
        return 0;
    };
    let parity = i64::from(*parity != Parity::None);
    let bits = 1 + i64::from(*data_bits) + parity + i64::from(*stop_bits);
    bits * SECOND / i64::from(*baud)
}

/// The share of time for which the line is taken, without what the devices need to answer.
pub(super) fn load(config: &ModbusConfig) -> f64 {
    let share = |poll: &ModbusPoll| {
        let gap_ns = config.devices[poll.device].gap_ns;
        (poll.line_ns + gap_ns) as f64 / poll.every_ns as f64
    };
    config.polls.iter().map(share).sum()
}

fn warn_of_haste(section: &Section<'_>, config: &ModbusConfig) {
    let load = load(config);
    if load <= 1.0 {
        return;
    }
    let title = format!(
        "the requests do not fit their periods: the line would be busy {:.0} % of the time",
        100.0 * load
    );
    let help = "and that without the time that the devices need to answer: take longer periods \
                (`every`), fewer requests (`registers_max`, `bridge`), a shorter `gap` or a higher \
                `baud`";
    section.sink.warn(&section.span, Remark::new(title).help(help));
}
