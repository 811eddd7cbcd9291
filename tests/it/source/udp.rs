//! Datagrams: `sent = received + kernel_dropped`, to the datagram.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    ops::Range,
    os::fd::AsFd,
    thread,
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use stillwell::{
    config::model::{InputConfig, InputKind, OnFull, UdpConfig},
    daemon::{
        inherited::{Adopted, Keeper},
        kernel,
    },
    limits::{DATAGRAM_BYTES_MAX, RECEIVE_BUFFER_DEFAULT},
    wire::{
        FrameRefusal,
        decode::{Format, Framing},
        text::TextOptions,
    },
};

use super::{Account, Outcome, PATIENCE, Running, frame, input};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn udp(listen: SocketAddr, receive_buffer: usize) -> InputKind {
    InputKind::Udp(UdpConfig { listen, receive_buffer, gro: false, framing: Framing::Datagram })
}

/// A source on a port of its own and a socket that sends to it.
async fn linked(receive_buffer: usize, capacity: usize) -> (Running, UdpSocket) {
    let mut running = Running::start(input(udp(LOOPBACK, receive_buffer)), capacity);
    let detail = running.up().await;
    let address = detail.split(',').next().unwrap();
    let sender = UdpSocket::bind(LOOPBACK).unwrap();
    sender.connect(address).unwrap();
    (running, sender)
}

/// As a serial line comes that is tunnelled over UDP.
#[tokio::test]
async fn datagrams_may_be_cuts_of_one_stream() {
    let udp = UdpConfig {
        listen: LOOPBACK,
        receive_buffer: RECEIVE_BUFFER_DEFAULT,
        gro: false,
        framing: Framing::Stream,
    };
    let format = Format::Text(TextOptions::default());
    let input = InputConfig { format, ..input(InputKind::Udp(udp)) };
    let mut running = Running::start(input, 1_024);
    let detail = running.up().await;
    let sender = UdpSocket::bind(LOOPBACK).unwrap();
    sender.connect(detail.split(',').next().unwrap()).unwrap();
    for cut in ["t:2", "1.5\nt", ":22", "\nt:"] {
        sender.send(cut.as_bytes()).unwrap();
    }
    running.until("both lines and a bit", |seen| seen.transport.datagrams == 4).await;
    let seen = running.stop().await;
    assert_eq!((seen.wire.frames_ok, seen.wire.readings), (2, 2));
    assert_eq!(seen.wire.refused[FrameRefusal::Partial as usize], 1, "what had begun");
    assert_eq!(seen.wire.bytes_in, seen.wire.bytes_in_frames);
}

#[tokio::test]
async fn every_datagram_is_received_or_counted_as_dropped() {
    let (mut running, sender) = linked(1, 1_024).await;
    // The source runs on this thread, so that it is stalled while this sends.
    let sent = 5_000;
    for sequence in 0..sent {
        sender.send(&frame(sequence, 1)).unwrap();
    }
    let sent = u64::from(sent);
    running
        .until("all accounted for", |seen| {
            seen.transport.datagrams + seen.transport.kernel_dropped == sent
        })
        .await;
    let seen = running.stop().await;
    assert!(0 < seen.transport.kernel_dropped, "the buffer was meant to overflow");
    assert!(0 < seen.transport.datagrams);
    assert_eq!(seen.transport.datagrams + seen.transport.kernel_dropped, sent);
    assert_eq!(seen.wire.frames_ok, seen.transport.datagrams);
}

/// Sends the frames with these numbers, each a datagram, in trains of up to 50 (UDP_SEGMENT).
fn send_trains(sender: &UdpSocket, sequences: Range<u32>) {
    let segment = i32::try_from(frame(0, 1).len()).unwrap();
    setsockopt(sender, UdpGsoSegment, &segment).unwrap();
    for start in sequences.clone().step_by(50) {
        let train = start..sequences.end.min(start + 50);
        sender.send(&train.flat_map(|sequence| frame(sequence, 1)).collect::<Vec<_>>()).unwrap();
    }
}

#[tokio::test]
async fn a_sender_of_trains_is_accounted_for_to_the_datagram() {
    let (mut running, sender) = linked(64 * 1_024, 1_024).await;
    let sent = 20_000;
    send_trains(&sender, 0..sent);
    running
        .until("all accounted for", |seen| {
            seen.transport.datagrams + seen.transport.kernel_dropped == u64::from(sent)
        })
        .await;
    let seen = running.stop().await;
    assert!(0 < seen.transport.kernel_dropped, "the buffer was meant to overflow");
    assert_eq!(seen.transport.datagrams + seen.transport.kernel_dropped, u64::from(sent));
    assert_eq!(seen.wire.frames_ok, seen.transport.datagrams);
}

#[tokio::test]
async fn trains_are_taken_in_one_piece_where_that_is_asked_for() {
    let receive_buffer = 64 * 1_024;
    let config =
        UdpConfig { listen: LOOPBACK, receive_buffer, gro: true, framing: Framing::Datagram };
    let mut running = Running::start(input(InputKind::Udp(config)), 1_024);
    let detail = running.up().await;
    assert!(detail.ends_with("counted by trains"), "{detail}");
    let sender = UdpSocket::bind(LOOPBACK).unwrap();
    sender.connect(detail.split(',').next().unwrap()).unwrap();
    // Fits whole, and one by one would not.
    let sent = 510;
    send_trains(&sender, 0..sent);
    running.until("all frames", |seen| seen.wire.frames_ok == u64::from(sent)).await;
    assert_eq!(running.seen.transport.kernel_dropped, 0);
    assert_eq!(running.seen.transport.datagrams, u64::from(sent));
    // Does not fit: the kernel counts what it drops by trains, and the numbers tell the rest.
    send_trains(&sender, sent..sent + 50 * 500);
    let trains = |seen: &Account| {
        (seen.transport.datagrams - u64::from(sent)) / 50 + seen.transport.kernel_dropped
    };
    running.until("all trains", |seen| trains(seen) == 500).await;
    let seen = running.stop().await;
    assert!(0 < seen.transport.kernel_dropped, "the buffer was meant to overflow");
    assert_eq!(trains(&seen), 500);
    assert_eq!(seen.wire.frames_ok, seen.transport.datagrams);
    assert!(seen.heads.is_sorted_by_key(|head| (head.sequence, head.arrived_ns)));
}

#[tokio::test]
async fn a_busy_source_hands_over_in_batches_and_a_quiet_one_at_once() {
    let (mut running, sender) = linked(RECEIVE_BUFFER_DEFAULT, 1_024).await;
    // The second of a pair waits for its like, until something else would have come long ago.
    for sequence in 0..2 {
        sender.send(&frame(sequence, 1)).unwrap();
        let frames = u64::from(sequence) + 1;
        running.until("the frame", |seen| seen.wire.frames_ok == frames).await;
    }
    let before = running.seen.batches;
    for sequence in 2..2_002 {
        sender.send(&frame(sequence, 1)).unwrap();
        tokio::task::yield_now().await;
    }
    running.until("all frames", |seen| seen.wire.frames_ok == 2_002).await;
    let batches = running.seen.batches - before;
    assert!(batches < 1_000, "{batches} batches of 2,000 datagrams");
    running.stop().await;
}

#[tokio::test]
async fn what_waits_in_the_socket_at_the_stop_is_accounted_for() {
    let (running, sender) = linked(16 * 1_024, 1_024).await;
    let sent = 500;
    for sequence in 0..sent {
        sender.send(&frame(sequence, 1)).unwrap();
    }
    let seen = running.stop().await;
    assert!(0 < seen.transport.kernel_dropped, "the buffer was meant to overflow");
    assert_eq!(seen.transport.datagrams + seen.transport.kernel_dropped, u64::from(sent));
    assert_eq!(seen.wire.frames_ok, seen.transport.datagrams);
}

#[tokio::test]
async fn a_large_buffer_takes_a_burst_in_order() {
    let (mut running, sender) = linked(RECEIVE_BUFFER_DEFAULT, 1_024).await;
    // Fits what an unprivileged process can have on a host left at 4 MiB, and on this one.
    let effective = socket2::SockRef::from(&sender).recv_buffer_size().unwrap();
    let sent = u32::try_from(effective / 2_048).unwrap().clamp(100, 2_000);
    for sequence in 0..sent {
        sender.send(&frame(sequence, 3)).unwrap();
    }
    running.until("all frames", |seen| seen.wire.frames_ok == u64::from(sent)).await;
    let seen = running.stop().await;
    assert_eq!(seen.transport.kernel_dropped, 0);
    assert_eq!(seen.sequences(), (0..sent).collect::<Vec<_>>());
    assert_eq!(seen.values, u64::from(sent) * 3);
    assert!(seen.heads.is_sorted_by_key(|head| head.arrived_ns));
}

#[tokio::test]
async fn oversize_and_empty_datagrams_are_counted_with_their_lengths() {
    let (mut running, sender) = linked(RECEIVE_BUFFER_DEFAULT, 16).await;
    for bytes in [0, DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MAX + 1, 60_000] {
        sender.send(&vec![0xaa; bytes]).unwrap();
    }
    sender.send(&frame(7, 1)).unwrap();
    running.until("all datagrams", |seen| seen.transport.datagrams == 5).await;
    let seen = running.stop().await;
    assert_eq!(seen.refused(FrameRefusal::Empty), 1);
    assert_eq!(seen.refused(FrameRefusal::Magic), 1);
    assert_eq!(seen.refused(FrameRefusal::Oversize), 2);
    let bytes = DATAGRAM_BYTES_MAX * 2 + 1 + 60_000 + frame(7, 1).len();
    assert_eq!(seen.wire.bytes_in, bytes as u64);
    assert_eq!(seen.sequences(), [7]);
}

#[tokio::test]
async fn a_full_queue_loses_values_and_no_count() {
    let (running, sender) = linked(RECEIVE_BUFFER_DEFAULT, 1).await;
    // Nobody takes from the queue, so that all batches but the first find it full.
    let rounds = 200;
    for round in 0..rounds {
        for n in 0..20 {
            sender.send(&frame(round * 20 + n, 5)).unwrap();
        }
        tokio::task::yield_now().await;
    }
    let seen = running.stop().await;
    assert_eq!(seen.transport.datagrams + seen.transport.kernel_dropped, u64::from(rounds) * 20);
    assert!(0 < seen.shed, "the queue was meant to be full");
    assert!(0 < seen.transport.batches_refused);
    assert_eq!(seen.values + seen.shed, seen.transport.datagrams * 5);
    // The heads came through, so that no sequence number is missed.
    assert_eq!(seen.sequences(), (0..rounds * 20).collect::<Vec<_>>());
}

#[tokio::test]
async fn waiting_for_room_loses_nothing() {
    let mut config = input(udp(LOOPBACK, RECEIVE_BUFFER_DEFAULT));
    config.on_full = OnFull::Wait;
    let mut running = Running::start(config, 1);
    let detail = running.up().await;
    let sender = UdpSocket::bind(LOOPBACK).unwrap();
    sender.connect(detail.split(',').next().unwrap()).unwrap();
    // 64 datagrams are several batches: the stop finds the source in the middle of them, waiting.
    let sent = 64;
    for sequence in 0..sent {
        sender.send(&frame(sequence, 1_000)).unwrap();
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let seen = running.stop().await;
    assert_eq!(seen.transport.kernel_dropped, 0);
    assert_eq!((seen.values, seen.shed), (u64::from(sent) * 1_000, 0));
    assert_eq!(seen.sequences(), (0..sent).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_kernels_stamp_is_the_arrival() {
    let (mut running, sender) = linked(RECEIVE_BUFFER_DEFAULT, 16).await;
    let before_ns = running.line.now_ns();
    sender.send(&frame(0, 1)).unwrap();
    let sent_ns = running.line.now_ns();
    // A stalled daemon, not a wait for one.
    let stall = Duration::from_millis(50);
    thread::sleep(stall);
    running.until("the frame", |seen| seen.wire.frames_ok == 1).await;
    let arrived_ns = running.seen.heads[0].arrived_ns;
    let slack_ns = i64::try_from(stall.as_nanos() / 2).unwrap();
    assert!(before_ns - slack_ns <= arrived_ns, "{before_ns} {arrived_ns}");
    assert!(arrived_ns <= sent_ns + slack_ns, "{sent_ns} {arrived_ns}");
    running.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_named_and_tried_again() {
    let holder = UdpSocket::bind(LOOPBACK).unwrap();
    let address = holder.local_addr().unwrap();
    let mut running = Running::start(input(udp(address, RECEIVE_BUFFER_DEFAULT)), 16);
    let reason = running.down().await;
    assert!(reason.contains(&address.to_string()), "{reason}");
    assert!(reason.contains("another program"), "{reason}");
    drop(holder);
    assert!(running.up().await.starts_with(&address.to_string()));
    running.stop().await;
}

#[tokio::test]
async fn an_address_of_another_host_is_named() {
    // TEST-NET-1 is nobody's.
    let address: SocketAddr = "192.0.2.1:7420".parse().unwrap();
    let mut running = Running::start(input(udp(address, RECEIVE_BUFFER_DEFAULT)), 16);
    let reason = running.down().await;
    assert!(reason.contains("no interface"), "{reason}");
    running.stop().await;
}

#[tokio::test]
async fn an_adopted_socket_is_used_and_left_full() {
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    let address = socket.local_addr().unwrap();
    let heir = socket.try_clone().unwrap();
    // The configured address is not that of the socket, which counts.
    let listen: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let config = input(udp(listen, RECEIVE_BUFFER_DEFAULT));
    let sender = UdpSocket::bind(LOOPBACK).unwrap();
    sender.send_to(&frame(0, 1), address).unwrap();
    let mut running = Running::start_with(config, 16, |source| {
        source.adopt(Adopted { socket, keeper: Keeper::Unit })
    });
    assert!(running.up().await.starts_with(&address.to_string()));
    running.until("the frame sent before", |seen| seen.wire.frames_ok == 1).await;
    sender.send_to(&frame(1, 1), address).unwrap();
    let seen = running.stop().await;
    assert_eq!(seen.sequences(), [0]);
    let mut buffer = [0; 128];
    let (length, _) = heir.recv_from(&mut buffer).unwrap();
    assert_eq!(buffer[..length], frame(1, 1));
}

/// Nobody had asked for stamps when these came: each has one all the same, since another socket of
/// the host has some, or is counted, and has the time of its reading.
#[tokio::test]
async fn what_waited_without_a_stamp_is_counted() {
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    let address = socket.local_addr().unwrap();
    let sender = UdpSocket::bind(LOOPBACK).unwrap();
    let waited = 5;
    for sequence in 0..waited {
        sender.send_to(&frame(sequence, 1), address).unwrap();
    }
    // They are older than the source by more than clocks differ.
    thread::sleep(Duration::from_millis(50));
    let adopted = Adopted { socket, keeper: Keeper::Unit };
    let config = input(udp(address, RECEIVE_BUFFER_DEFAULT));
    let mut running = Running::start_with(config, 16, |source| source.adopt(adopted));
    let before_ns = running.line.now_ns();
    running.until("what waited", |seen| seen.wire.frames_ok == u64::from(waited)).await;
    let unknown = running.seen.heads.iter().filter(|head| before_ns <= head.arrived_ns).count();
    assert_eq!(running.seen.transport.unstamped, unknown as u64);
    // What comes later has a stamp, whatever it was that came before.
    running.until("silence", |seen| before_ns + 150_000_000 < seen.now_ns).await;
    for sequence in waited..2 * waited {
        sender.send_to(&frame(sequence, 1), address).unwrap();
    }
    running.until("the rest", |seen| seen.wire.frames_ok == u64::from(2 * waited)).await;
    let seen = running.stop().await;
    assert_eq!(seen.transport.unstamped, unknown as u64);
}

/// The socket had `gro` in the life before, and has it no more.
#[tokio::test]
async fn trains_that_waited_are_taken_apart_and_none_come_later() {
    let socket = UdpSocket::bind(LOOPBACK).unwrap();
    let address = socket.local_addr().unwrap();
    kernel::set_trains(socket.as_fd(), true).unwrap();
    let kept = socket.try_clone().unwrap();
    let sender = UdpSocket::bind(LOOPBACK).unwrap();
    sender.connect(address).unwrap();
    send_trains(&sender, 0..100);
    let adopted = Adopted { socket, keeper: Keeper::Store };
    let config = input(udp(address, RECEIVE_BUFFER_DEFAULT));
    let mut running = Running::start_with(config, 16, |source| source.adopt(adopted));
    running.until("the trains", |seen| seen.wire.frames_ok == 100).await;
    let now_ns = running.seen.now_ns;
    running.until("silence", |seen| now_ns + 150_000_000 < seen.now_ns).await;
    assert!(!kernel::has_trains(kept.as_fd()));
    send_trains(&sender, 100..200);
    running.until("the rest", |seen| seen.wire.frames_ok == 200).await;
    let seen = running.stop().await;
    assert_eq!(seen.sequences(), (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn receives_over_ipv6() {
    let listen: SocketAddr = "[::1]:0".parse().unwrap();
    let Ok(sender) = UdpSocket::bind(listen) else {
        println!("receives_over_ipv6 did not run: this host has no IPv6 loopback");
        return;
    };
    let mut running = Running::start(input(udp(listen, RECEIVE_BUFFER_DEFAULT)), 16);
    let detail = running.up().await;
    sender.send_to(&frame(5, 1), detail.split(',').next().unwrap()).unwrap();
    running.until("the frame", |seen| seen.sequences() == [5]).await;
    running.stop().await;
}

#[tokio::test]
async fn an_engine_that_is_gone_ends_the_source() {
    let (running, sender) = linked(RECEIVE_BUFFER_DEFAULT, 16).await;
    let Running { batches, stop, mut task, .. } = running;
    drop(batches);
    sender.send(&frame(0, 1)).unwrap();
    let outcome = tokio::time::timeout(PATIENCE, task.join_next()).await.unwrap();
    assert_eq!(outcome.unwrap().unwrap(), Outcome::EngineGone);
    drop(stop);
}

#[tokio::test]
async fn silence_is_told_and_a_backlog_is_not_taken_for_silence() {
    let (mut running, sender) = linked(RECEIVE_BUFFER_DEFAULT, 64).await;
    let before_ns = running.line.now_ns();
    running.until("the time in silence", |seen| before_ns < seen.now_ns).await;

    // The daemon is frozen over a tick while datagrams come.
    for sequence in 0..3_000 {
        sender.send(&frame(sequence, 3)).unwrap();
        if sequence % 1_000 == 0 {
            thread::sleep(Duration::from_millis(50));
        }
    }
    // The account checks that no batch tells a time beyond the arrival of what follows.
    running.until("the backlog", |seen| seen.wire.frames_ok == 3_000).await;
    let seen = running.stop().await;
    assert!(1 < seen.batches - 1);
}

#[tokio::test]
async fn time_goes_on_while_the_socket_cannot_be_bound() {
    let holder = UdpSocket::bind(LOOPBACK).unwrap();
    let address = holder.local_addr().unwrap();
    let mut running = Running::start(input(udp(address, RECEIVE_BUFFER_DEFAULT)), 16);
    running.down().await;
    let down_ns = running.seen.now_ns;
    running.until("later times", |seen| down_ns + 150_000_000 < seen.now_ns).await;
    running.stop().await;
}
