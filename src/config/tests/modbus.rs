//! Modbus devices in a configuration.

use super::*;
use crate::{
    config::model::{ModbusConfig, ModbusPath},
    limits::{MS, SECOND},
    wire::modbus::{
        Mode,
        request::{Request, Table},
    },
};

/// A source with these lines, and what is said of it.
fn source(lines: &str) -> Result<Loaded, String> {
    let text = format!("[[source]]\nname = \"s\"\nkind = \"modbus\"\n{lines}");
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    Config::parse(&text, Path::new("c.toml"), &nothing).map_err(|errors| errors.to_string())
}

fn read(lines: &str) -> ModbusConfig {
    let loaded = source(lines).unwrap_or_else(|errors| panic!("{errors}"));
    match loaded.config.inputs[0].kind.clone() {
        InputKind::Modbus(modbus) => modbus,
        other => panic!("{other:?}"),
    }
}

const PLACE: &str = "path = \"/dev/null\"\nbaud = 9600\nunknown = \"discover\"\n";

fn register(name: &str, lines: &str) -> String {
    format!("[[source.register]]\nname = \"{name}\"\n{lines}\n")
}

fn holding(device: u8, address: u16, kind: &str) -> String {
    let name = format!("{device}.{address}");
    let place = format!("device = {device}\ntable = \"holding\"\naddress = {address}");
    register(&name, &format!("{place}\ntype = \"{kind}\""))
}

#[test]
fn what_is_not_said_has_its_default() {
    let config = read(&format!("{PLACE}{}", holding(1, 5, "u16")));
    let device = &config.devices[0];
    assert_eq!((device.address, device.retries), (1, 1));
    // 3.5 characters of ten bits at 9600 baud are less than the least gap.
    let times = (device.timeout_ns, device.quarantine_ns, device.gap_ns);
    assert_eq!(times, (500 * MS, 500 * MS, 5 * MS));
    let poll = config.polls[0];
    let request = Request { device: 1, table: Table::HoldingRegisters, address: 5, count: 1 };
    assert_eq!((poll.request, poll.every_ns), (request, SECOND));
    // 8 characters out and 7 back.
    assert_eq!(poll.line_ns, 15 * (10 * SECOND / 9_600));
    assert_eq!(config.mode, Mode::Rtu);
    let tcp = "connect = \"[::1]:502\"\nunknown = \"discover\"\n";
    let config = read(&format!("{tcp}{}", holding(1, 5, "u16")));
    assert_eq!(config.path, ModbusPath::Network("[::1]:502".parse().expect("an address")));
    assert_eq!((config.mode, config.devices[0].gap_ns, config.polls[0].line_ns), (Mode::Tcp, 0, 0));
}

#[test]
fn neighbours_of_one_period_share_a_request_where_they_may() {
    let registers = [
        holding(1, 0, "u16"),
        holding(1, 1, "f32"),
        holding(1, 4, "u16"),
        holding(2, 0, "f64"),
        holding(2, 4, "u16"),
        holding(2, 7, "u16"),
        register(
            "slow",
            "device = 1\ntable = \"holding\"\naddress = 3\ntype = \"u16\"\nevery = \"10s\"",
        ),
        register("c1", "device = 1\ntable = \"coil\"\naddress = 3"),
        register("c2", "device = 1\ntable = \"coil\"\naddress = 4"),
    ]
    .concat();
    let device = "[[source.device]]\naddress = 2\nretries = 0\nbridge = 2\nregisters_max = 5\n\
                  every = \"2s\"\ntimeout = \"1s\"\n";
    let config = read(&format!("{PLACE}gap = \"10ms\"\n{device}{registers}"));
    let found: Vec<_> = config
        .polls
        .iter()
        .map(|poll| {
            let Request { device, table, address, count } = poll.request;
            (device, table.name(), address, count, poll.every_ns / SECOND)
        })
        .collect();
    let expected = [
        (1, "coil", 3, 2, 1),
        (1, "holding", 0, 3, 1),
        (1, "holding", 4, 1, 1),
        (1, "holding", 3, 1, 10),
        (2, "holding", 0, 5, 2),
        (2, "holding", 7, 1, 2),
    ];
    assert_eq!(found, expected);
    let second = &config.devices[1];
    let times = (second.timeout_ns, second.quarantine_ns, second.gap_ns, second.retries);
    assert_eq!(times, (SECOND, SECOND, 10 * MS, 0));
}

#[test]
fn a_plan_that_cannot_be_kept_is_told() {
    let many: String = (0..20).map(|at| holding(1, 10 * at, "u16")).collect();
    let warnings = |every: &str| {
        let loaded = source(&format!("{PLACE}every = \"{every}\"\n{many}"));
        loaded.unwrap_or_else(|errors| panic!("{errors}")).warnings.lines().collect::<Vec<_>>()
    };
    assert_eq!(warnings("1s"), Vec::<String>::new());
    // Twenty times 15.6 ms on the line and 5 ms of silence.
    let told = warnings("200ms").concat();
    assert!(told.contains("the line would be busy 206 % of the time"), "{told}");
    let config = source(&format!("{PLACE}{many}")).expect("it is right").config;
    let report = crate::config::report::report(&config, Path::new("q"));
    let words = "modbus /dev/null, 9600 8N1, line busy 41.2 %, 1 device, 20 requests, Modbus";
    assert!(report.contains(words), "{report}");
    let place = "connect = \"10.0.0.7:502\"\nunknown = \"discover\"\n";
    let config = source(&format!("{place}{many}")).expect("it is right").config;
    let report = crate::config::report::report(&config, Path::new("q"));
    assert!(report.contains("tcp to 10.0.0.7:502: by the daemon itself, with the drop-in"));
}

#[test]
fn each_mistake_is_named_where_it_is() {
    let one = holding(1, 0, "u16");
    let with =
        |lines: &str| format!("{PLACE}[[source.register]]\nname = \"a\"\ndevice = 1\n{lines}\n");
    let words = "table = \"holding\"\naddress = 0\n";
    for (lines, line, said) in [
        (one.clone(), 1, "needs `path` or `connect`"),
        (PLACE.to_owned(), 1, "needs `register`"),
        (format!("connect = \"1.2.3.4:5\"\n{PLACE}{one}"), 4, "`connect` does not fit beside"),
        (format!("connect = \"plc:502\"\n{one}"), 4, "`connect` is no address"),
        (format!("connect = \"1.2.3.4:5\"\nbaud = 9600\n{one}"), 5, "`baud` has no effect"),
        (format!("{PLACE}mode = \"tcp\"\n{one}"), 7, "`mode` \"tcp\" does not fit"),
        (format!("{PLACE}data_bits = 7\n{one}"), 7, "needs 8 data bits"),
        (format!("{PLACE}format = \"text\"\n{one}"), 7, "`format` does not fit"),
        (format!("{PLACE}silence = \"1s\"\n{one}"), 7, "`silence` does not fit"),
        (format!("{PLACE}time = \"device\"\n{one}"), 7, "no time of the device"),
        (format!("{PLACE}timeout = \"0s\"\n{one}"), 7, "not within 1ms"),
        (format!("{PLACE}registers_max = 126\n{one}"), 7, "not within 1 to 125"),
        (format!("{PLACE}{one}{one}"), 14, "\"1.0\" is there twice"),
        (
            format!("{PLACE}device = [{{ address = 1 }}, {{ address = 1 }}]\n{one}"),
            7,
            "the device 1 is there twice",
        ),
        (with("table = \"holdin\"\naddress = 0\ntype = \"u16\""), 10, "did you mean \"holding\""),
        (with(words), 7, "needs `type`"),
        (with(&format!("{words}type = \"u17\"")), 12, "did you mean \"u16\""),
        (with(&format!("{words}type = \"u16\"\norder = \"acbd\"")), 13, "`order` cannot be"),
        (with(&format!("{words}type = \"u16\"\nbits = [16, 0]")), 13, "`bits` are none"),
        (with(&format!("{words}type = \"u16\"\nscale = 0")), 13, "`scale` is 0"),
        (with(&format!("{words}type = \"u16\"\nunit = \"C el\"")), 13, "is no unit"),
        (with("table = \"coil\"\naddress = 0\ntype = \"u16\""), 12, "does not fit a table of bits"),
        (
            with("table = \"input\"\naddress = 65533\ntype = \"f64\""),
            11,
            "ends beyond the last address",
        ),
        (
            format!("{PLACE}{one}[[channel]]\nid = \"x\"\nsource = \"s\"\nfield = \"1.1\"\n"),
            16,
            "no register of the source has the name \"1.1\"",
        ),
    ] {
        let errors = source(&lines).map(|loaded| loaded.config).expect_err(said);
        assert!(errors.contains(said), "{lines}: {errors}");
        assert!(errors.contains(&format!("c.toml:{line}:")), "{lines}: line {line}: {errors}");
    }
    let twice = format!(
        "{PLACE}{one}[[source]]\nname = \"t\"\nkind = \"serial\"\npath = \"/dev/null\"\n\
         format = \"text\"\n"
    );
    assert!(source(&twice).expect_err("one line").contains("is taken by the source \"s\""));
}
