//! The master of a line against devices in simulated time, which are late, lose and damage.

use std::{collections::VecDeque, sync::Arc};

use proptest::prelude::*;

use super::{Lost, master::Master};
use crate::{
    config::model::{ModbusConfig, ModbusDevice, ModbusPath, ModbusPoll},
    limits::{MS, SECOND},
    wire::{
        Decoder, FrameRefusal, Frames, WireTally,
        binary::{FieldRule, Number, Place, Scaling},
        checksum::{Crc, CrcRule},
        decode::{Format, Framing, Naming},
        modbus::{
            ModbusOptions, Mode,
            map::{Register, RegisterMap},
            request::{Asked, Request, Table},
        },
    },
};

/// What happens to one reply.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Nothing.
    None,
    /// It comes so much later, but in order.
    Late(i64),
    /// It is lost.
    Lost,
    /// This bit of it is wrong.
    Flipped(usize),
    /// It ends after so many bytes.
    Cut(usize),
    /// It says that the device refuses.
    Exception,
}

/// Devices on one line; registers hold their own addresses, in the order of the requests.
struct Line {
    mode: Mode,
    present: &'static [u8],
    faults: Vec<Fault>,
    asked: Vec<(i64, Request)>,
    replies: VecDeque<(i64, Vec<u8>)>,
}

impl Line {
    fn new(mode: Mode, present: &'static [u8], faults: &[Fault]) -> Self {
        let faults = faults.to_vec();
        Self { mode, present, faults, asked: Vec::new(), replies: VecDeque::new() }
    }

    /// A request has come over the line.
    fn take(&mut self, bytes: &[u8], now_ns: i64) {
        let request = *Asked::parse(self.mode, bytes).expect("a request").request();
        let fault = self.faults.get(self.asked.len() % self.faults.len().max(1));
        self.asked.push((now_ns, request));
        if !self.present.contains(&request.device) {
            return;
        }
        let fault = fault.copied().unwrap_or(Fault::None);
        let values = (0..request.count).flat_map(|at| (request.address + at).to_be_bytes());
        let values: Vec<u8> = values.collect();
        let function = match request.table {
            Table::HoldingRegisters => 3,
            _ => 4,
        };
        let mut pdu = vec![function, values.len() as u8];
        pdu.extend(values);
        if matches!(fault, Fault::Exception) {
            pdu = vec![function | 0x80, 2];
        }
        let mut reply = match self.mode {
            Mode::Rtu => vec![request.device],
            Mode::Tcp => {
                vec![bytes[0], bytes[1], 0, 0, 0, pdu.len() as u8 + 1, request.device]
            }
        };
        reply.extend(pdu);
        if self.mode == Mode::Rtu {
            let sum = Crc::new(CrcRule::MODBUS).of(&reply) as u16;
            reply.extend(sum.to_le_bytes());
        }
        let mut at_ns = now_ns + 3 * MS;
        match fault {
            Fault::None | Fault::Exception => {}
            Fault::Late(late_ns) => at_ns += late_ns,
            Fault::Lost => return,
            Fault::Flipped(bit) => {
                let bit = bit % (8 * reply.len());
                reply[bit / 8] ^= 1 << (bit % 8);
            }
            Fault::Cut(length) => reply.truncate(length % reply.len()),
        }
        let after_ns = self.replies.back().map_or(0, |(at_ns, _)| *at_ns);
        self.replies.push_back((at_ns.max(after_ns + MS), reply));
    }
}

fn poll(device: usize, address: u16, count: u16, every_ns: i64) -> ModbusPoll {
    let table = Table::HoldingRegisters;
    let request = Request { device: device as u8 + 1, table, address, count };
    ModbusPoll { device, request, every_ns, line_ns: 0 }
}

/// Devices 1 and 2, which may take 20 ms, and 30 ms more.
fn config(mode: Mode, polls: &[ModbusPoll]) -> ModbusConfig {
    let device = |address| ModbusDevice {
        address,
        timeout_ns: 20 * MS,
        quarantine_ns: 30 * MS,
        gap_ns: 2 * MS,
        retries: 1,
    };
    ModbusConfig {
        path: ModbusPath::Network(([127, 0, 0, 1], 502).into()),
        mode,
        devices: [device(1), device(2)].into(),
        polls: polls.into(),
    }
}

/// What a source would have made of it.
struct Seen {
    decoder: Decoder,
    frames: Frames,
    tally: WireTally,
    line: Line,
    lost: Option<Lost>,
}

impl Seen {
    fn refused(&self, why: FrameRefusal) -> u64 {
        self.tally.refused[why as usize]
    }

    /// Each reading with the name of its register.
    fn assert_right(&self) {
        for sample in &self.frames.samples {
            let name = self.decoder.fields().name(sample.field).expect("a field");
            assert_eq!(**name, sample.value.to_string(), "a value of another register");
        }
        let WireTally { bytes_in, bytes_in_frames, bytes_skipped, .. } = self.tally;
        assert_eq!(bytes_in, bytes_in_frames + bytes_skipped);
        assert_eq!(self.tally.frames_in, self.tally.frames_ok + self.tally.refused_total());
    }
}

/// Lets the master ask for so long.
fn run(config: &ModbusConfig, line: Line, for_ns: i64) -> Seen {
    let register = |device: u8, address: u16| Register {
        device,
        table: Table::HoldingRegisters,
        address,
        rule: FieldRule {
            name: address.to_string().into(),
            unit: None,
            at: Place::FromStart(0),
            number: Number::named("u16be").expect("a type"),
            bits: None,
            scaling: Scaling::new(1.0, 0.0),
            missing: Box::default(),
        },
    };
    let registers = (1..=2).flat_map(|device| (0..600).map(move |at| register(device, at)));
    let map = Arc::new(RegisterMap::new(registers.collect()));
    let naming = Naming { known: Vec::new(), discover: 2_000 };
    let format = Format::Modbus(ModbusOptions { naming, mode: config.mode, map });
    let mut decoder = Decoder::new(&format, Framing::Datagram);
    let (mut frames, mut tally) = (Frames::default(), WireTally::default());
    let mut master = Master::new(config, "a line", 0);
    let (mut line, mut lost, mut now_ns) = (line, None, 0);
    while lost.is_none() {
        let mut sink = |exchange: &[u8]| decoder.feed(exchange, 0, &mut frames, &mut tally);
        let due_ns = master.due_ns();
        let comes_ns = line.replies.front().map_or(i64::MAX, |(at_ns, _)| *at_ns);
        now_ns = now_ns.max(due_ns.min(comes_ns));
        if for_ns <= now_ns {
            break;
        }
        let done = if comes_ns <= due_ns {
            let (_, bytes) = line.replies.pop_front().expect("it comes");
            master.heard(&bytes, now_ns, &mut sink)
        } else {
            master.passed(now_ns, &mut sink)
        };
        lost = done.err();
        let unsent = master.unsent().to_vec();
        if !unsent.is_empty() {
            line.take(&unsent, now_ns);
            master.sent(unsent.len(), now_ns);
        }
        master.tick(now_ns, &mut |exchange| decoder.feed(exchange, 0, &mut frames, &mut tally));
    }
    master.line_down(&mut |exchange| decoder.feed(exchange, 0, &mut frames, &mut tally));
    let seen = Seen { decoder, frames, tally, line, lost };
    seen.assert_right();
    seen
}

/// Requests that look alike, some of them to another device.
fn alike() -> [ModbusPoll; 6] {
    [
        poll(0, 0, 4, 100 * MS),
        poll(0, 100, 4, 100 * MS),
        poll(0, 200, 4, 150 * MS),
        poll(0, 300, 3, 150 * MS),
        poll(0, 310, 3, 50 * MS),
        poll(1, 400, 4, 100 * MS),
    ]
}

#[test]
fn everyone_is_asked_in_their_own_period() {
    let polls = [poll(0, 0, 4, 100 * MS), poll(0, 100, 4, 250 * MS), poll(1, 0, 1, SECOND)];
    let seen = run(&config(Mode::Rtu, &polls), Line::new(Mode::Rtu, &[1, 2], &[]), 10 * SECOND);
    let times = |address: u16, device: u8| {
        let own = |(at_ns, request): &&(i64, Request)| {
            let fits = (request.address, request.device) == (address, device);
            fits.then_some(*at_ns)
        };
        seen.line.asked.iter().filter_map(|asked| own(&asked)).collect::<Vec<_>>()
    };
    for (address, device, every_ns) in [(0, 1, 100 * MS), (100, 1, 250 * MS), (0, 2, SECOND)] {
        let times = times(address, device);
        let expected = 10 * SECOND / every_ns;
        assert!((expected - 1..=expected).contains(&(times.len() as i64)), "{address}: {times:?}");
        for pair in times[1..].windows(2) {
            let off_ns = (pair[1] - pair[0] - every_ns).abs();
            assert!(off_ns <= 15 * MS, "{address}: {} ns off its step", off_ns);
        }
    }
    assert_eq!(seen.tally.refused_total(), 0);
    assert!(seen.lost.is_none());
}

/// When the request after a failed one was sent, from when that was.
fn next_after(fault: Fault, mode: Mode) -> i64 {
    let polls = [poll(0, 0, 4, 10 * SECOND), poll(0, 100, 4, 10 * SECOND)];
    let line = Line::new(mode, &[1, 2], &[fault, Fault::None, Fault::None]);
    let seen = run(&config(mode, &polls), line, SECOND);
    seen.line.asked[1].0 - seen.line.asked[0].0
}

#[test]
fn a_line_is_in_quarantine_until_late_replies_are_gone() {
    assert_eq!(next_after(Fault::None, Mode::Rtu), 5 * MS, "a reply and the gap");
    // The time for an answer, then that for a late one; a late one ends it but for the gap.
    assert_eq!(next_after(Fault::Lost, Mode::Rtu), 50 * MS);
    assert_eq!(next_after(Fault::Late(30 * MS), Mode::Rtu), 35 * MS);
    // What is damaged is no reply, and silence is counted from its last byte.
    assert_eq!(next_after(Fault::Flipped(30), Mode::Rtu), 50 * MS);
    // Over TCP a reply tells what it answers.
    assert_eq!(next_after(Fault::Lost, Mode::Tcp), 20 * MS);
}

/// Later than any quarantine: the next request is one that the reply does not fit.
#[test]
fn a_reply_after_the_quarantine_finds_no_request_that_it_fits() {
    let polls = [poll(0, 0, 4, 10 * SECOND), poll(0, 100, 4, 10 * SECOND)];
    let faults = [Fault::Late(48 * MS), Fault::None, Fault::None, Fault::None];
    let line = Line::new(Mode::Rtu, &[1, 2], &faults);
    let seen = run(&config(Mode::Rtu, &polls), line, SECOND);
    let asked: Vec<_> =
        seen.line.asked.iter().map(|(_, request)| (request.address, request.count)).collect();
    assert_eq!(asked, [(0, 4), (0, 3), (0, 4), (100, 4)], "probed, confirmed, and on");
    assert_eq!(seen.refused(FrameRefusal::Timeout), 1);
    assert_eq!(seen.refused(FrameRefusal::Length), 1, "what came late");
    assert_eq!(seen.tally.frames_ok, 3);
}

#[test]
fn a_device_that_is_not_there_keeps_nobody() {
    let polls = [poll(0, 0, 4, 100 * MS), poll(1, 0, 4, 100 * MS), poll(1, 50, 4, 100 * MS)];
    let seen = run(&config(Mode::Rtu, &polls), Line::new(Mode::Rtu, &[1], &[]), 60 * SECOND);
    let to = |device: u8| seen.line.asked.iter().filter(|(_, r)| r.device == device).count();
    // Asked after 1, 2, 4, … seconds, up to half a minute.
    assert_eq!(to(2), 3 + 5, "{:?}", seen.line.asked);
    assert_eq!(seen.refused(FrameRefusal::Timeout), 8);
    assert!(595 <= to(1), "{} of 600", to(1));
    assert_eq!(seen.tally.frames_ok, to(1) as u64);
}

#[test]
fn a_refusal_is_an_answer() {
    let polls = [poll(0, 0, 4, 100 * MS)];
    let line = Line::new(Mode::Rtu, &[1], &[Fault::Exception]);
    let seen = run(&config(Mode::Rtu, &polls), line, 10 * SECOND);
    assert_eq!(seen.refused(FrameRefusal::Exception), seen.line.asked.len() as u64);
    assert!(98 <= seen.line.asked.len(), "once a period: {}", seen.line.asked.len());
}

#[test]
fn a_connection_that_says_nothing_or_nonsense_is_given_up() {
    let polls = [poll(0, 0, 4, 100 * MS)];
    let line = Line::new(Mode::Tcp, &[], &[]);
    let seen = run(&config(Mode::Tcp, &polls), line, 10 * SECOND);
    assert!(matches!(seen.lost, Some(Lost::Silent)), "{:?}", seen.lost);
    assert_eq!(seen.refused(FrameRefusal::Timeout), 3);
    // A bit of the protocol's number, of the length and of the address.
    for bit in [16, 38, 50] {
        let line = Line::new(Mode::Tcp, &[1], &[Fault::None, Fault::Flipped(bit)]);
        let seen = run(&config(Mode::Tcp, &polls), line, 10 * SECOND);
        assert!(matches!(seen.lost, Some(Lost::OutOfStep)), "{bit}: {:?}", seen.lost);
        assert_eq!(seen.line.asked.len(), 2);
        assert_eq!((seen.tally.frames_ok, seen.tally.refused_total()), (1, 1));
    }
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        6 => Just(Fault::None),
        3 => (0..200_i64).prop_map(|late| Fault::Late(late * MS)),
        1 => (0..3_000_i64).prop_map(|late| Fault::Late(late * MS)),
        2 => Just(Fault::Lost),
        2 => any::<usize>().prop_map(Fault::Flipped),
        2 => any::<usize>().prop_map(Fault::Cut),
        1 => Just(Fault::Exception),
    ];
    prop::collection::vec(fault, 1..60)
}

proptest! {
    /// Whatever is late, lost or damaged: no value is that of another register.
    #[test]
    fn no_value_lands_on_another_register(faults in faults(), tcp in any::<bool>()) {
        let mode = if tcp { Mode::Tcp } else { Mode::Rtu };
        // What damages values over TCP is not for this protocol to find.
        let faults: Vec<Fault> = faults
            .into_iter()
            .filter(|fault| !(tcp && matches!(fault, Fault::Flipped(_) | Fault::Cut(_))))
            .collect();
        run(&config(mode, &alike()), Line::new(mode, &[1, 2], &faults), 60 * SECOND);
    }
}
