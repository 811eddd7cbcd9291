//! Datagrams that are none: too long, empty, halves.

use std::net::UdpSocket;

use stillwell::limits::DATAGRAM_BYTES_MAX;

use crate::support::{Daemon, Device, Steady, number, refused};

/// Largest payload of a datagram over IPv4.
const LARGEST: usize = 65_507;
/// Values in the largest frame that is taken.
const FITTING: usize = (DATAGRAM_BYTES_MAX - 24 - 10 - 4) / 8;

#[test]
fn datagrams_of_every_length_are_counted_and_only_whole_frames_taken() {
    let daemon = Daemon::start(&format!(
        "{}[[source]]\nname = \"odd\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
         format = \"native\"\n[[channel]]\nid = \"odd\"\nsource = \"odd\"\ndevice = 1\nindex = 0\n",
        Steady::CONFIG
    ));
    let steady = Steady::start(&daemon);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(daemon.address("odd")).expect("an address");
    let send = |bytes: &[u8]| assert_eq!(socket.send(bytes).expect("sends"), bytes.len());
    let mut device = Device::new(1);
    let mut bytes = 0;
    send(&[]);
    send(&vec![0xF5; LARGEST]);
    send(&vec![0; LARGEST]);
    bytes += 2 * LARGEST;
    // A frame is taken up to the documented bound, and not beyond.
    let largest = device.frame(&[1.0; FITTING]);
    assert!(largest.len() <= DATAGRAM_BYTES_MAX && DATAGRAM_BYTES_MAX < largest.len() + 8);
    send(&largest);
    bytes += largest.len();
    // Every half of a frame is refused, wherever it is cut.
    let whole = device.frame(&[2.0, 3.0]);
    for cut in 1..whole.len() {
        send(&whole[..cut]);
        bytes += cut;
        // The receive buffer is not what is tested here.
        if cut % 16 == 0 {
            daemon.frames("odd", cut as u64 + 4);
        }
    }
    send(&whole);
    bytes += whole.len();
    let datagrams = 4 + whole.len();
    let ledger = daemon.frames("odd", datagrams as u64);
    let count = |key| number(&ledger, key);
    assert_eq!(count("datagrams"), datagrams as u64, "{ledger:#}");
    assert_eq!(count("bytes_in"), bytes as u64, "{ledger:#}");
    assert_eq!(count("frames_ok"), 2, "{ledger:#}");
    assert_eq!(count("accepted"), FITTING as u64 + 2, "{ledger:#}");
    assert_eq!(count("kernel_dropped"), 0, "{ledger:#}");
    // Header and checksum are 28 bytes; what has both is cut within its values.
    let halves = whole.len() as u64 - 1;
    for (why, n) in [("empty", 1), ("oversize", 2), ("truncated", 27), ("checksum", halves - 27)] {
        assert_eq!(refused(&ledger, "frames_refused", why), n, "{why}: {ledger:#}");
    }
    let live = &daemon.get("odd")["channels"][0];
    assert_eq!(live["value"], 3.0, "{live}");
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

/// A port that others use is told as such, again and again, and costs the rest nothing.
#[test]
fn a_port_in_use_is_told_and_tried_again() {
    let other = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let taken = other.local_addr().expect("it is bound");
    let daemon = Daemon::start(&format!(
        "{}[[source]]\nname = \"late\"\nkind = \"udp\"\nlisten = \"{taken}\"\n\
         format = \"native\"\nunknown = \"discover\"\n",
        Steady::CONFIG
    ));
    let steady = Steady::start(&daemon);
    let down = daemon.until("late", "down", |source| source["state"] == "down");
    let detail = down["detail"].as_str().expect("a reason");
    assert!(detail.contains(&taken.to_string()) && detail.contains("listens there"), "{detail}");
    drop(other);
    assert_eq!(daemon.address("late"), taken);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.send_to(&Device::new(4).frame(&[5.0]), taken).expect("sends");
    daemon.frames("late", 1);
    assert_eq!(daemon.get("late.*")["channels"][0]["value"], 5.0);
    steady.was_undisturbed(&daemon);
    daemon.stop();
}
