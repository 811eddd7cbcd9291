//! Exchanges: what is a reply, what is none, and what becomes of all other bytes.

use proptest::prelude::*;

use super::{
    super::{
        binary::{FieldRule, Number, Place, Scaling},
        decode::{Format, Framing},
        harness::{Decoded, decode, everything, pieces},
    },
    dialogue::{Dialogue, Heard},
    map::{Joining, Register},
    request::{Request, Table},
    *,
};

/// A register whose name says where it is.
fn register(device: u8, table: Table, address: u16, kind: &str) -> Register {
    let name = format!("{device}.{}.{address}", table.name());
    let rule = FieldRule {
        name: name.into(),
        unit: Some("V".into()),
        at: Place::FromStart(0),
        number: Number::named(kind).expect("a type"),
        bits: None,
        scaling: Scaling::new(1.0, 0.0),
        missing: [65_535.0].into(),
    };
    Register { device, table, address, rule }
}

fn format(mode: Mode, registers: Vec<Register>) -> Format {
    let map = Arc::new(RegisterMap::new(registers));
    Format::Modbus(ModbusOptions { naming: everything(), mode, map })
}

fn holding(address: u16, count: u16) -> Request {
    Request { device: 1, table: Table::HoldingRegisters, address, count }
}

/// A reply as a device sends it: the first transaction of a dialogue.
fn reply(mode: Mode, request: &Request, values: &[u8]) -> Vec<u8> {
    let mut pdu = vec![request.table.function(), values.len() as u8];
    pdu.extend_from_slice(values);
    framed(mode, request.device, &pdu)
}

fn framed(mode: Mode, device: u8, pdu: &[u8]) -> Vec<u8> {
    let mut bytes = match mode {
        Mode::Rtu => vec![device],
        Mode::Tcp => vec![0, 1, 0, 0, 0, pdu.len() as u8 + 1, device],
    };
    bytes.extend_from_slice(pdu);
    if mode == Mode::Rtu {
        bytes.extend_from_slice(&(CRC.of(&bytes) as u16).to_le_bytes());
    }
    bytes
}

/// An exchange in which all of this came, and nothing more.
fn exchange(mode: Mode, request: Request, came: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let asked = Asked::new(mode, request, 1);
    Exchange { asked: asked.bytes(), came, line_is_down: false }.write(&mut bytes);
    bytes
}

fn judged(mode: Mode, exchange: &[u8]) -> Decoded {
    let registers = (0..200).map(|at| register(1, Table::HoldingRegisters, at, "u16be")).collect();
    decode(&format(mode, registers), Framing::Datagram, [exchange])
}

/// The values of registers that hold their own addresses.
fn own_addresses(request: &Request) -> Vec<u8> {
    (0..request.count).flat_map(|at| (request.address + at).to_be_bytes()).collect()
}

const MODES: [Mode; 2] = [Mode::Rtu, Mode::Tcp];

#[test]
fn requests_are_those_of_the_specifications() {
    let asked = Asked::new(Mode::Rtu, holding(0, 10), 7);
    assert_eq!(asked.bytes(), [0x01, 0x03, 0x00, 0x00, 0x00, 0x0A, 0xC5, 0xCD]);
    // "MODBUS Application Protocol V1.1b3", section 6.3, behind the header of TCP.
    let asked = Asked::new(Mode::Tcp, Request { device: 0x11, ..holding(0x006B, 3) }, 0x1501);
    assert_eq!(asked.bytes(), [0x15, 0x01, 0, 0, 0, 6, 0x11, 0x03, 0x00, 0x6B, 0x00, 0x03]);
    // The same section's reply, and that of 6.1: coils 20 to 38.
    let values = [0x02, 0x2B, 0x00, 0x00, 0x00, 0x64];
    let exchange =
        exchange(Mode::Rtu, holding(0x6B, 3), &reply(Mode::Rtu, &holding(0x6B, 3), &values));
    let decoded = judged(Mode::Rtu, &exchange);
    let read = [("1.holding.107", 555.0), ("1.holding.108", 0.0), ("1.holding.109", 100.0)];
    assert_eq!(decoded.readings(), read);
    assert_eq!(decoded.fields[0].1.as_deref(), Some("V"));
}

#[test]
fn bits_are_counted_from_the_lowest_of_the_first_byte() {
    let request = Request { device: 2, table: Table::Coils, address: 19, count: 19 };
    let registers = [19, 22, 26, 27, 35, 37].map(|at| register(2, Table::Coils, at, "u8"));
    let came = reply(Mode::Tcp, &request, &[0xCD, 0x6B, 0x05]);
    let bytes = exchange(Mode::Tcp, request, &came);
    let decoded = decode(&format(Mode::Tcp, registers.into()), Framing::Datagram, [&*bytes]);
    let values: Vec<f64> = decoded.readings().iter().map(|(_, value)| *value).collect();
    assert_eq!(values, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    let registers = [20, 23, 36].map(|at| register(2, Table::Coils, at, "u8"));
    let decoded = decode(&format(Mode::Tcp, registers.into()), Framing::Datagram, [&*bytes]);
    let values: Vec<f64> = decoded.readings().iter().map(|(_, value)| *value).collect();
    assert_eq!(values, [0.0, 0.0, 0.0]);
}

/// A reason, and how often it occurred.
type Refused = (&'static str, u64);

/// What came for ten registers, and what is said of it.
#[test]
fn each_fault_has_its_name() {
    let request = holding(0, 2);
    let values = [0, 0, 0, 1];
    let good = reply(Mode::Rtu, &request, &values);
    let other = |request: Request| reply(Mode::Rtu, &request, &values[..request.data_bytes()]);
    let mut broken = good.clone();
    broken[4] ^= 1;
    let asked = Asked::new(Mode::Rtu, request, 1);
    let cases: [(&[u8], &[Refused]); 10] = [
        (&[], &[("timeout", 1)]),
        (&broken, &[("checksum", 1)]),
        (&good[..5], &[("truncated", 1)]),
        (&framed(Mode::Rtu, 1, &[0x83, 2]), &[("exception", 1)]),
        (&other(Request { device: 2, ..request }), &[("unit", 1)]),
        (&other(Request { table: Table::InputRegisters, ..request }), &[("function", 1)]),
        (&other(holding(0, 1)), &[("length", 1)]),
        // Its own voice, and then nothing.
        (asked.bytes(), &[("timeout", 1)]),
        (&[&*other(holding(7, 1)), &*broken].concat(), &[("checksum", 1), ("length", 1)]),
        (&[0xFF; 9], &[("checksum", 1)]),
    ];
    for (came, refused) in cases {
        let (good, found) = judged(Mode::Rtu, &exchange(Mode::Rtu, request, came)).counts();
        assert_eq!((good, &*found), (0, refused), "{came:02x?}");
    }
    let tcp = |came: &[u8]| judged(Mode::Tcp, &exchange(Mode::Tcp, request, came)).counts();
    let good = reply(Mode::Tcp, &request, &values);
    let with = |at: usize, byte: u8| {
        let mut came = good.clone();
        came[at] = byte;
        tcp(&came).1
    };
    assert_eq!(tcp(&good), (1, vec![]));
    assert_eq!(with(1, 0), [("unasked", 1)], "of the transaction before");
    assert_eq!(with(1, 2), [("header", 1)], "of one that was never asked");
    assert_eq!(with(2, 1), [("header", 1)]);
    assert_eq!(with(5, 2), [("header", 1)]);
    assert_eq!(with(6, 9), [("unit", 1)]);
    assert_eq!(with(7, 4), [("function", 1)]);
    assert_eq!(with(8, 2), [("length", 1)]);
    assert_eq!(tcp(&good[..7]).1, [("truncated", 1)]);
}

#[test]
fn what_nobody_asked_for_is_counted_apart() {
    let good = reply(Mode::Rtu, &holding(0, 1), &[0, 0]);
    let mut bytes = Vec::new();
    let came = [&[0xFF, 0][..], &good, &[1], &good].concat();
    Exchange { asked: &[], came: &came, line_is_down: false }.write(&mut bytes);
    let decoded = judged(Mode::Rtu, &bytes);
    assert_eq!(decoded.counts(), (0, vec![("unasked", 2)]));
    assert_eq!(decoded.tally.bytes_skipped, 3);
    // A line that goes down is no fault of the device.
    for (came, refused) in [(&good[..4], vec![("partial", 1)]), (&[], vec![])] {
        let asked = Asked::new(Mode::Rtu, holding(0, 1), 1);
        Exchange { asked: asked.bytes(), came, line_is_down: true }.write(&mut bytes);
        assert_eq!(judged(Mode::Rtu, &bytes).counts(), (0, refused));
    }
    for bytes in [&[][..], &[9, 1], &[1, 1]] {
        assert_eq!(judged(Mode::Rtu, bytes).tally.refused_total(), 1);
    }
}

/// Requests of three bytes of bits look like their own reply where the address begins with 3.
#[test]
fn an_echo_is_no_reply() {
    let request = Request { device: 1, table: Table::Coils, address: 0x0312, count: 20 };
    let mut dialogue = Dialogue::new(Mode::Rtu);
    let echo = dialogue.ask(request).to_vec();
    assert_eq!(dialogue.hear(&echo), (8, Heard::Nothing));
    let real = reply(Mode::Rtu, &request, &[1, 2, 3]);
    assert_eq!(dialogue.hear(&real), (8, Heard::Values));
}

#[test]
fn a_reply_that_comes_late_is_told_as_such() {
    let mut dialogue = Dialogue::new(Mode::Rtu);
    let late = reply(Mode::Rtu, &holding(0, 1), &[0, 0]);
    dialogue.ask(holding(0, 1));
    assert!(dialogue.take(false).is_some(), "it was not answered in time");
    assert_eq!(dialogue.hear(&late), (late.len(), Heard::Late));
    assert!(dialogue.take(false).is_some());
    assert!(dialogue.take(false).is_none());
    dialogue.ask(holding(0, 1).told_apart());
    assert_eq!(dialogue.hear(&late), (late.len(), Heard::Nothing), "no reply to this one");
    let endless = vec![0; 2_000];
    assert!(matches!(dialogue.hear(&endless), (taken, Heard::TooMuch) if taken < 1_024));
}

/// Feeds a dialogue, and returns what it said in the end, and the exchange up to then.
fn heard(mode: Mode, request: Request, pieces: &[&[u8]]) -> (Heard, Vec<u8>) {
    let mut dialogue = Dialogue::new(mode);
    dialogue.ask(request);
    for piece in pieces {
        let (_, heard) = dialogue.hear(piece);
        if heard != Heard::Nothing {
            return (heard, dialogue.take(false).expect("it was open").to_vec());
        }
    }
    (Heard::Nothing, dialogue.take(false).expect("it was open").to_vec())
}

fn requests() -> impl Strategy<Value = Request> {
    let table = prop::sample::select(&Table::ALL[..]).prop_map(|(_, table)| table);
    (1..4_u8, table, 0..150_u16, 1..40_u16).prop_map(|(device, table, address, count)| Request {
        device,
        table,
        address,
        count,
    })
}

proptest! {
    #[test]
    fn however_it_is_cut_the_same_is_heard(
        before in prop::collection::vec(any::<u8>(), 0..20),
        after in prop::collection::vec(any::<u8>(), 0..20),
        request in requests(),
        seed in any::<u8>(),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        rtu in any::<bool>(),
    ) {
        let mode = if rtu { Mode::Rtu } else { Mode::Tcp };
        let values: Vec<u8> = (0..request.data_bytes()).map(|at| seed.wrapping_add(at as u8)).collect();
        let before = if rtu { before } else { Vec::new() };
        let came = [&before[..], &reply(mode, &request, &values), &after].concat();
        let whole = heard(mode, request, &[&came]);
        prop_assert_eq!(whole.0, Heard::Values);
        prop_assert_eq!(&whole, &heard(mode, request, &pieces(&came, &cuts)));
        let single: Vec<&[u8]> = came.chunks(1).collect();
        prop_assert_eq!(&whole, &heard(mode, request, &single));
        // Garbage costs itself alone: the values are whole, and all else is counted.
        let registers = (request.address..request.address + request.count)
            .map(|at| {
                let kind = if request.table.is_bits() { "u8" } else { "u16be" };
                register(request.device, request.table, at, kind)
            });
        let decoded = decode(&format(mode, registers.collect()), Framing::Datagram, [&*whole.1]);
        prop_assert_eq!(decoded.tally.frames_ok, 1);
        prop_assert_eq!(decoded.tally.readings, u64::from(request.count));
    }

    #[test]
    fn each_value_is_at_its_own_register(address in 0..150_u16, count in 1..50_u16, rtu in any::<bool>()) {
        let mode = if rtu { Mode::Rtu } else { Mode::Tcp };
        let request = holding(address, count);
        let came = reply(mode, &request, &own_addresses(&request));
        let decoded = judged(mode, &exchange(mode, request, &came));
        prop_assert_eq!(decoded.tally.readings, u64::from(count));
        for (name, value) in decoded.readings() {
            prop_assert_eq!(name, format!("1.holding.{value}"));
        }
    }

    #[test]
    fn no_single_bit_may_be_wrong_on_a_serial_line(request in requests(), seed in any::<u8>()) {
        let values: Vec<u8> = (0..request.data_bytes()).map(|at| seed.wrapping_mul(at as u8)).collect();
        let good = reply(Mode::Rtu, &request, &values);
        for bit in 0..8 * good.len() {
            let mut came = good.clone();
            came[bit / 8] ^= 1 << (bit % 8);
            let (heard, exchange) = heard(Mode::Rtu, request, &[&came]);
            // A reply is one bit away from an exception, of which its first values may be the CRC.
            let (function, code) = (request.table.function() | 0x80, came[2]);
            let refused = came.starts_with(&framed(Mode::Rtu, request.device, &[function, code]));
            let expected = if refused { Heard::Exception(code) } else { Heard::Nothing };
            prop_assert_eq!(heard, expected);
            let decoded = judged(Mode::Rtu, &exchange);
            prop_assert_eq!(decoded.tally.frames_ok, 0);
            prop_assert!(0 < decoded.tally.refused_total());
        }
    }

    /// Over TCP the values are in the care of the transport; the header is in ours.
    #[test]
    fn no_bit_of_a_header_may_be_wrong(request in requests()) {
        let good = reply(Mode::Tcp, &request, &vec![7; request.data_bytes()]);
        for bit in 0..8 * 9 {
            let mut came = good.clone();
            came[bit / 8] ^= 1 << (bit % 8);
            let (heard, exchange) = heard(Mode::Tcp, request, &[&came]);
            prop_assert!(!matches!(heard, Heard::Values), "{heard:?}: {came:02x?}");
            let decoded = judged(Mode::Tcp, &exchange);
            prop_assert_eq!(decoded.tally.frames_ok, 0);
            prop_assert!(0 < decoded.tally.refused_total());
        }
    }

    #[test]
    fn nothing_short_of_a_reply_is_one(request in requests(), seed in any::<u8>()) {
        for mode in MODES {
            let values = vec![seed; request.data_bytes()];
            let good = reply(mode, &request, &values);
            for length in 0..good.len() {
                let (heard, exchange) = heard(mode, request, &[&good[..length]]);
                prop_assert_eq!(heard, Heard::Nothing);
                let why = if length == 0 { FrameRefusal::Timeout } else { FrameRefusal::Truncated };
                let decoded = judged(mode, &exchange);
                prop_assert_eq!(decoded.tally.frames_ok, 0);
                prop_assert_eq!(decoded.tally.refused[why as usize], 1);
            }
        }
    }

    /// No reply to one request is one to a request that differs in what a reply tells.
    #[test]
    fn replies_of_others_are_none(one in requests(), other in requests(), seed in any::<u8>()) {
        let came = reply(Mode::Rtu, &one, &vec![seed; one.data_bytes()]);
        let told = |request: &Request| (request.device, request.table, request.data_bytes());
        let (heard, _) = heard(Mode::Rtu, other, &[&came]);
        prop_assert_eq!(heard == Heard::Values, told(&one) == told(&other));
        let apart = one.told_apart();
        prop_assert_ne!(told(&one), told(&apart));
        let (heard, _) = super::tests::heard(Mode::Rtu, apart, &[&came]);
        prop_assert_eq!(heard, Heard::Nothing);
        let parsed = |mode, request| Asked::parse(mode, Asked::new(mode, request, 9).bytes());
        for mode in MODES {
            prop_assert_eq!(parsed(mode, apart), Some(Asked::new(mode, apart, 9)));
        }
    }

    #[test]
    fn requests_read_all_that_is_wanted_and_no_more_than_they_may(
        wanted in prop::collection::btree_map((0..3_u8, 0..4_usize, 0..300_u16), 0..3_usize, 0..80),
        registers_max in 1..40_u16,
        bridge in 0..10_u16,
    ) {
        let kinds = ["u16be", "f32be", "f64be"];
        let registers = wanted.iter().map(|(&(device, table, address), &kind)| {
            let table = Table::ALL[table].1;
            let kind = if table.is_bits() { "u8" } else { kinds[kind] };
            register(device, table, address, kind)
        });
        let registers: Vec<Register> = registers.collect();
        let joining = Joining { registers_max, bridge };
        let requests = joining.requests(&registers);
        prop_assert!(requests.is_sorted());
        let holds = |request: &Request, register: &Register| {
            (request.device, request.table) == (register.device, register.table)
                && request.address <= register.address
                && register.address + register.count() <= request.address + request.count
        };
        for register in &registers {
            prop_assert!(requests.iter().any(|request| holds(request, register)));
        }
        for request in &requests {
            let most = if request.table.is_bits() { registers_max * 16 } else { registers_max };
            let alone = |register: &Register| {
                holds(request, register) && register.count() == request.count
            };
            let fits = request.count <= most || registers.iter().any(alone);
            prop_assert!(fits, "{request:?}");
            let Request { device, table, address, count } = *request;
            // From one wanted entry to the next it is never further than the bridge.
            let mut unwanted = 0;
            for at in address..address + count {
                let entry = Request { device, table, address: at, count: 1 };
                let wanted = registers.iter().any(|register| {
                    let Register { device, table, address, .. } = *register;
                    let count = register.count();
                    let own = Request { device, table, address, count };
                    (own.device, own.table) == (entry.device, entry.table)
                        && own.address <= at
                        && at < own.address + own.count
                });
                unwanted = if wanted { 0 } else { unwanted + 1 };
                prop_assert!(unwanted <= bridge);
            }
        }
    }

    #[test]
    fn an_exchange_of_any_bytes_is_accounted_for(bytes: Vec<u8>, rtu in any::<bool>()) {
        judged(if rtu { Mode::Rtu } else { Mode::Tcp }, &bytes);
    }
}
