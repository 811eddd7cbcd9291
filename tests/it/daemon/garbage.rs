//! Noise on every input at once: counted, never a value, and nobody else's trouble.

use std::net::UdpSocket;

use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha8Rng};

use crate::{
    process::Scratch,
    support::{Daemon, Device, Pty, Steady, number, refused},
};

/// Noise for each input.
const BYTES: usize = 1 << 20;
/// Datagrams sent before the daemon has to have taken them.
const DATAGRAMS: u64 = 64;

/// Wrong baud rates are among it: to a receiver they are just such bytes. (The framing errors that
/// real hardware would count as well cannot be had from a pseudo terminal.) Text has no checksum:
/// what keeps noise from it is that it must spell the name of a channel.
#[test]
fn noise_on_every_input_makes_no_value() {
    let (binary, text) = (Pty::open(), Pty::open());
    let daemon = Daemon::start_in(
        Scratch::new(),
        &format!(
            r#"{}
            [[source]]
            name = "udp"
            kind = "udp"
            listen = "127.0.0.1:0"
            format = "native"
            unknown = "discover"
            [[source]]
            name = "binary"
            kind = "serial"
            path = {:?}
            format = "native"
            unknown = "discover"
            [[source]]
            name = "text"
            kind = "serial"
            path = {:?}
            format = "text"
            [[channel]]
            id = "text"
            source = "text"
            field = "temperature"
            "#,
            Steady::CONFIG,
            binary.path(),
            text.path(),
        ),
    );
    let steady = Steady::start(&daemon);
    let address = daemon.address("udp");
    for source in ["binary", "text"] {
        daemon.until(source, "up", |source| source["state"] == "up");
    }
    let datagrams = std::thread::scope(|scope| {
        scope.spawn(|| binary.write(&noise(1)));
        scope.spawn(|| text.write(&noise(2)));
        flood(&daemon, address)
    });
    let udp = daemon.frames("udp", datagrams);
    assert_eq!(number(&udp, "bytes_in"), BYTES as u64, "{udp:#}");
    assert_eq!(number(&udp, "frames_ok"), 0, "{udp:#}");
    // After the noise each line is readable again from its next delimiter on.
    binary.write(&[0]);
    binary.write(&Device::new(5).stuffed(&[1.5]));
    text.write(b"\ntemperature:2.5\n");
    for (source, value) in [("binary", 1.5), ("text", 2.5)] {
        let accepted = |source: &serde_json::Value| number(&source["ledger"], "accepted") == 1;
        let state = daemon.until(source, "the reading after the noise", accepted);
        let ledger = &state["ledger"];
        assert!(BYTES as u64 <= number(ledger, "bytes_in"), "{ledger:#}");
        assert!(1_000 < refused_frames(ledger), "noise is refused: {ledger:#}");
        let channels = &daemon.get(&format!("{source}*"))["channels"];
        assert_eq!(channels.as_array().map(Vec::len), Some(1), "{channels}");
        assert_eq!(channels[0]["value"], value, "{channels}");
    }
    assert_eq!(daemon.status()["channels"], 3, "noise discovers no channel");
    steady.was_undisturbed(&daemon);
    daemon.stop();
}

/// Sends noise in datagrams of every length, no faster than they are taken; how many.
fn flood(daemon: &Daemon, address: std::net::SocketAddr) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let noise = noise(4);
    let (mut at, mut sent) = (0, 0);
    while at < noise.len() {
        let length = random.random_range(1..3_000).min(noise.len() - at);
        socket.send_to(&noise[at..at + length], address).expect("sends");
        at += length;
        sent += 1;
        if sent % DATAGRAMS == 0 {
            daemon.frames("udp", sent);
        }
    }
    sent
}

/// Random bytes, with enough of those that begin and end things.
fn noise(seed: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bytes = vec![0; BYTES];
    random.fill_bytes(&mut bytes);
    for byte in &mut bytes {
        if random.random_ratio(1, 16) {
            *byte = [0, b'\n', 0xF5, 0x10, b':', b'='][random.random_range(0..6)];
        }
    }
    bytes
}

fn refused_frames(ledger: &serde_json::Value) -> u64 {
    let reasons = ledger["frames_refused"].as_object().expect("reasons");
    reasons.keys().map(|why| refused(ledger, "frames_refused", why)).sum()
}
