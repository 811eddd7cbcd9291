//! Modbus devices over a stream of the test's own, in time that stands still until everybody
//! waits.

use std::{sync::Arc, time::Duration};

use stillwell::{
    config::model::{ModbusConfig, ModbusDevice, ModbusPath, ModbusPoll},
    daemon::{
        clock::Stopwatch,
        source::{
            modbus::{Lost, Modbus},
            outlet::{Outlet, OutletParts, Switch},
        },
        tap::{Junction, Tap},
    },
    limits::{MS, SECOND},
    wire::{
        binary::{FieldRule, Number, Place, Scaling},
        decode::{Format, Framing, Naming},
        modbus::{
            ModbusOptions, Mode,
            map::{Register, RegisterMap},
            request::{Request, Table},
        },
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    Account, Batch, FrameRefusal, Line, Link, OnFull,
    serial::{Fake, sum},
};

/// Two registers that are asked for one by one, each second.
fn config() -> ModbusConfig {
    let device = ModbusDevice {
        address: 1,
        timeout_ns: 200 * MS,
        quarantine_ns: 300 * MS,
        gap_ns: 10 * MS,
        retries: 1,
    };
    let poll = |address| {
        let table = Table::HoldingRegisters;
        let request = Request { device: 1, table, address, count: 1 };
        ModbusPoll { device: 0, request, every_ns: SECOND, line_ns: 0 }
    };
    ModbusConfig {
        path: ModbusPath::Network(([127, 0, 0, 1], 502).into()),
        mode: Mode::Rtu,
        devices: [device].into(),
        polls: [poll(10), poll(20)].into(),
    }
}

fn outlet() -> (Outlet, mpsc::Receiver<Batch>) {
    let register = |address: u16| Register {
        device: 1,
        table: Table::HoldingRegisters,
        address,
        rule: FieldRule {
            name: address.to_string().into(),
            unit: None,
            at: Place::FromStart(0),
            number: Number::named("u16be").unwrap(),
            bits: None,
            scaling: Scaling::new(1.0, 0.0),
            missing: Box::default(),
        },
    };
    let map = Arc::new(RegisterMap::new([10, 11, 20, 21].map(register).into()));
    let naming = Naming { known: Vec::new(), discover: 9 };
    let format = Format::Modbus(ModbusOptions { naming, mode: Mode::Rtu, map });
    let (batches, queue) = mpsc::channel(1_024);
    let outlet = Outlet::new(OutletParts {
        name: "test".into(),
        index: 0,
        batches,
        on_full: OnFull::Count,
        format: format.clone(),
        framing: Framing::Datagram,
        switch: Switch::default(),
        tap: Tap::new(Arc::new(Junction::new("test".into())), Framing::Datagram),
    });
    (outlet, queue)
}

/// A reply of registers that hold ten times their address, with the CRC (bit by bit, after
/// "MODBUS over Serial Line V1.02", appendix B).
fn reply(request: [u8; 8]) -> Vec<u8> {
    let mut reply = vec![request[0], request[1], 2 * request[5]];
    for at in 0..u16::from(request[5]) {
        reply.extend((10 * (u16::from(request[3]) + at)).to_be_bytes());
    }
    let mut crc = 0xFFFF_u16;
    for byte in &reply {
        crc ^= u16::from(*byte);
        (0..8).for_each(|_| crc = crc >> 1 ^ if crc & 1 == 1 { 0xA001 } else { 0 });
    }
    reply.extend(crc.to_le_bytes());
    reply
}

/// The next request, and how long it took to come.
async fn asked(device: &mut DuplexStream) -> ([u8; 8], Duration) {
    let waited = Stopwatch::start();
    let mut request = [0; 8];
    device.read_exact(&mut request).await.unwrap();
    (request, Duration::from_nanos(waited.now_ns().unsigned_abs()))
}

/// Runs both ends until the device is done and drops its own; what came of it.
async fn with(device: impl AsyncFnOnce(DuplexStream)) -> (Lost, Account) {
    let (mut outlet, mut queue) = outlet();
    let (end, line) = tokio::io::duplex(1_024);
    let mut modbus = Modbus::new(config(), Line::anchored());
    let talk = modbus.talk(Fake::new(line), "a line", &mut outlet);
    let (lost, ()) = tokio::join!(talk, device(end));
    outlet.close().await.unwrap();
    let seen = sum(&mut queue);
    seen.check();
    (lost.unwrap(), seen)
}

#[tokio::test(start_paused = true)]
async fn devices_are_asked_in_turn_and_in_their_period() {
    let (lost, seen) = with(async |mut device| {
        let mut waits = Vec::new();
        for _ in 0..6 {
            let (request, wait) = asked(&mut device).await;
            waits.push((request[3], wait.as_millis()));
            device.write_all(&reply(request)).await.unwrap();
        }
        // Whoever had the line before may have asked; then one after the other, each second.
        let turns: Vec<u8> = waits.iter().map(|(address, _)| *address).collect();
        assert_eq!(turns, [10, 20, 10, 20, 10, 20]);
        assert!((300..305).contains(&waits[0].1), "{waits:?}");
        assert!((10..15).contains(&waits[1].1) && (685..695).contains(&waits[2].1), "{waits:?}");
        assert!((980..1_000).contains(&waits[4].1), "{waits:?}");
    })
    .await;
    assert!(matches!(lost, Lost::HungUp), "{lost}");
    assert_eq!((seen.wire.frames_ok, seen.values), (6, 6));
    assert_eq!(seen.wire.refused_total(), 0);
    assert_eq!(seen.links, [Link::Up("a line".into())]);
}

/// A reply that comes after its time, and during the quarantine: nothing was asked meanwhile, and
/// it is nobody's.
#[tokio::test(start_paused = true)]
async fn nothing_is_asked_until_a_late_reply_is_gone() {
    let (_, seen) = with(async |mut device| {
        let (request, _) = asked(&mut device).await;
        sleep(Duration::from_millis(450)).await;
        let early = timeout(Duration::ZERO, asked(&mut device)).await;
        assert!(early.is_err(), "the line is in quarantine: {early:?}");
        device.write_all(&reply(request)).await.unwrap();
        // Told apart from the first, which is asked again when that is answered.
        let (probe, wait) = asked(&mut device).await;
        assert_eq!((probe[3], probe[5]), (10, 2));
        assert!((10..15).contains(&wait.as_millis()), "the gap, and no longer: {wait:?}");
        device.write_all(&reply(probe)).await.unwrap();
        let (confirm, _) = asked(&mut device).await;
        assert_eq!((confirm[3], confirm[5]), (10, 1));
        device.write_all(&reply(confirm)).await.unwrap();
        let (other, _) = asked(&mut device).await;
        assert_eq!((other[3], other[5]), (20, 1));
        device.write_all(&reply(other)).await.unwrap();
    })
    .await;
    assert_eq!(seen.refused(FrameRefusal::Timeout), 1);
    assert_eq!(seen.refused(FrameRefusal::Unasked), 1);
    assert_eq!(seen.wire.refused_total(), 2);
    assert_eq!((seen.wire.frames_ok, seen.values), (3, 4));
}

/// Bytes that belong to nothing begin the quarantine anew: more of them may be on the way.
#[tokio::test(start_paused = true)]
async fn nothing_is_asked_while_something_comes() {
    let (_, seen) = with(async |mut device| {
        asked(&mut device).await;
        for _ in 0..5 {
            sleep(Duration::from_millis(250)).await;
            device.write_all(b"U").await.unwrap();
        }
        let (_, wait) = asked(&mut device).await;
        assert!((300..315).contains(&wait.as_millis()), "{wait:?}");
    })
    .await;
    assert_eq!(seen.refused(FrameRefusal::Timeout), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_in_pieces_is_one_and_a_line_that_ends_within_is_told() {
    let (lost, seen) = with(async |mut device| {
        let (request, _) = asked(&mut device).await;
        for byte in reply(request) {
            device.write_all(&[byte]).await.unwrap();
            sleep(Duration::from_millis(20)).await;
        }
        let (request, _) = asked(&mut device).await;
        device.write_all(&reply(request)[..3]).await.unwrap();
    })
    .await;
    assert!(matches!(lost, Lost::HungUp), "{lost}");
    assert_eq!((seen.wire.frames_ok, seen.refused(FrameRefusal::Partial)), (1, 1));
    assert_eq!(seen.wire.refused_total(), 1);
}

/// What had come of a reply when the source was told to stop is in the books.
#[tokio::test(start_paused = true)]
async fn a_stop_within_a_reply_costs_no_count() {
    let (mut outlet, mut queue) = outlet();
    let (mut device, line) = tokio::io::duplex(1_024);
    let mut modbus = Modbus::new(config(), Line::anchored());
    {
        let talk = modbus.talk(Fake::new(line), "a line", &mut outlet);
        let device = async {
            let (request, _) = asked(&mut device).await;
            device.write_all(&reply(request)[..3]).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        };
        tokio::select! {
            biased;
            lost = talk => panic!("{lost:?}"),
            () = device => {}
        }
    }
    modbus.stop(&mut outlet);
    outlet.close().await.unwrap();
    let seen = sum(&mut queue);
    seen.check();
    assert_eq!(seen.refused(FrameRefusal::Partial), 1);
    assert_eq!((seen.wire.bytes_in, seen.wire.frames_in), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_takes_nothing_is_given_up() {
    let (mut outlet, _queue) = outlet();
    let (_device, line) = tokio::io::duplex(4);
    let mut modbus = Modbus::new(config(), Line::anchored());
    let lost = modbus.talk(Fake::new(line), "a line", &mut outlet).await.unwrap();
    assert!(matches!(lost, Lost::Stuck), "{lost}");
}
