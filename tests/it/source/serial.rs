//! Serial ports as pseudo-terminals, and the read loop on its own.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use stillwell::{
    config::{
        Config,
        model::{InputKind, PollConfig, SerialConfig, SilenceConfig},
    },
    daemon::{
        source::{
            outlet::{EngineGone, Outlet, OutletParts, Switch},
            serial::{self, Lost, condition::Condition, port::LineErrors, talk::Talk},
        },
        tap::{Junction, Tap},
    },
    limits::MS,
    wire::{
        decode::{Format, Framing},
        diagnosis::LineErrorCounts,
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::mpsc,
};

use super::{
    Account, Batch, Dir, FrameRefusal, Line, Link, OnFull, PATIENCE, Running, input, stuffed,
};

/// The far end of a serial line.
struct Device {
    master: File,
    path: PathBuf,
}

impl Device {
    fn new() -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap().into();
        Self { master: master.into(), path }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }
}

/// What is configured of a line where nothing is but its path.
fn config(path: &Path) -> SerialConfig {
    let toml = format!(
        "[[source]]\nname = \"port\"\nkind = \"serial\"\npath = {path:?}\nformat = \"native\"\n"
    );
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let loaded = Config::parse(&toml, Path::new("port.toml"), &nothing).unwrap();
    match loaded.config.inputs.into_iter().next().unwrap().kind {
        InputKind::Serial(config) => config,
        other => panic!("a serial line: {other:?}"),
    }
}

fn port(path: &Path) -> InputKind {
    InputKind::Serial(config(path))
}

async fn reason_for(path: &Path) -> String {
    let mut running = Running::start(input(port(path)), 16);
    let reason = running.down().await;
    running.stop().await;
    reason
}

#[tokio::test]
async fn frames_come_through_whatever_the_writes() {
    let mut device = Device::new();
    let mut running = Running::start(input(port(&device.path)), 4_096);
    let detail = running.up().await;
    assert!(detail.ends_with("115200 baud 8N1"), "{detail}");
    // The checksum of some frame contains each of these, which a line that is not raw eats.
    let mut bytes: Vec<u8> = Vec::new();
    for sequence in 0..300 {
        bytes.extend(stuffed(sequence, 2));
    }
    for byte in [0x03, 0x04, 0x0a, 0x0d, 0x11, 0x13, 0x1a, 0x7f, 0xff] {
        assert!(bytes.contains(&byte), "{byte:#x} is not among the bytes sent");
    }
    for piece in bytes.chunks(7) {
        device.send(piece);
        tokio::task::yield_now().await;
    }
    running.until("all frames", |seen| seen.wire.frames_ok == 300).await;
    let seen = running.stop().await;
    assert_eq!(seen.sequences(), (0..300).collect::<Vec<_>>());
    assert_eq!(seen.values, 600);
    assert_eq!(seen.wire.refused_total(), 0);
}

#[tokio::test]
async fn a_port_unplugged_in_a_frame_is_counted_and_found_again() {
    let dir = Dir::new();
    let path = dir.path("by-id");
    let mut device = Device::new();
    symlink(&device.path, &path).unwrap();
    let mut running = Running::start(input(port(&path)), 64);
    running.up().await;
    device.send(&stuffed(0, 1));
    device.send(&stuffed(1, 1)[..20]);
    running.until("half a frame", |seen| seen.wire.frames_ok == 1 && seen.buffered == 20).await;

    let up_ns = running.seen.now_ns;
    running.until("the time in silence", |seen| up_ns < seen.now_ns).await;
    drop(device);
    let reason = running.down().await;
    assert!(reason.contains("hung up"), "{reason}");
    assert_eq!(running.seen.refused(FrameRefusal::Partial), 1);
    assert_eq!(running.seen.buffered, 0);

    // It comes back under another name behind the same path.
    let mut device = Device::new();
    std::fs::remove_file(&path).unwrap();
    symlink(&device.path, &path).unwrap();
    running.up().await;
    device.send(&stuffed(2, 1));
    running.until("the next frame", |seen| seen.wire.frames_ok == 2).await;
    device.send(&stuffed(3, 1)[..5]);
    running.until("half a frame", |seen| seen.buffered == 5).await;
    let seen = running.stop().await;
    assert_eq!(seen.sequences(), [0, 2]);
    assert_eq!(seen.refused(FrameRefusal::Partial), 2, "that of the stop is counted too");
    assert_eq!(seen.wire.refused_total(), 2);
}

#[tokio::test]
async fn ports_that_do_not_open_are_explained() {
    let dir = Dir::new();
    let missing = reason_for(&dir.path("ttyUSB9")).await;
    assert!(missing.contains("is not there"), "{missing}");
    let null = reason_for(Path::new("/dev/null")).await;
    assert!(null.contains("is not a serial port"), "{null}");
    let file = dir.path("file");
    std::fs::write(&file, "").unwrap();
    let file = reason_for(&file).await;
    assert!(file.contains("is not a serial port"), "{file}");
    let directory = reason_for(&dir.0).await;
    assert!(directory.contains("cannot open"), "{directory}");
}

#[tokio::test]
async fn a_port_in_use_is_told_from_one_that_is_gone() {
    let device = Device::new();
    let path = device.path.to_str().unwrap();
    let holder = tokio_serial::SerialStream::open(&tokio_serial::new(path, 9_600)).unwrap();
    let mut running = Running::start(input(port(&device.path)), 16);
    let reason = running.down().await;
    assert!(reason.contains("in use by another program"), "{reason}");
    drop(holder);
    running.up().await;
    running.stop().await;
}

/// A port whose line and error counters the test holds.
pub(super) struct Fake<L> {
    line: L,
    reads: Arc<AtomicU32>,
    framing: Option<Arc<AtomicU32>>,
}

impl<L> Fake<L> {
    pub(super) fn new(line: L) -> Self {
        Self { line, reads: Arc::default(), framing: None }
    }
}

impl<L: AsyncRead + Unpin> AsyncRead for Fake<L> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads.fetch_add(1, Relaxed);
        Pin::new(&mut self.line).poll_read(context, buffer)
    }
}

/// A flush would wait until the line has sent everything: nobody may call it.
impl<L: AsyncWrite + Unpin> AsyncWrite for Fake<L> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.line).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("flushed");
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        panic!("shut down");
    }
}

impl<L> LineErrors for Fake<L> {
    fn line_errors(&self) -> Option<LineErrorCounts> {
        let framing = self.framing.as_ref()?.load(Relaxed);
        Some(LineErrorCounts { framing, ..LineErrorCounts::default() })
    }
}

/// Reads an open port as the source does.
async fn read<L>(
    port: Fake<L>,
    config: &SerialConfig,
    outlet: &mut Outlet,
) -> Result<Lost, EngineGone>
where
    L: AsyncRead + AsyncWrite + Unpin,
{
    let line = Line::anchored();
    let mut condition = Condition::new(config, false);
    let opened_ns = line.now_ns();
    outlet.report(condition.opened("open".to_owned(), opened_ns).expect("a state"), opened_ns);
    let mut talk = Talk::new(config, opened_ns);
    serial::read(port, &mut talk, &mut condition, line, outlet).await
}

fn plain() -> SerialConfig {
    config(Path::new("/dev/fake"))
}

fn outlet() -> (Outlet, mpsc::Receiver<Batch>) {
    let (batches, queue) = mpsc::channel(64);
    let outlet = Outlet::new(OutletParts {
        name: "test".into(),
        index: 0,
        batches,
        on_full: OnFull::Count,
        format: Format::NATIVE,
        framing: Framing::Stream,
        switch: Switch::default(),
        tap: Tap::new(Arc::new(Junction::new("test".into())), Framing::Stream),
    });
    (outlet, queue)
}

pub(super) fn sum(queue: &mut mpsc::Receiver<Batch>) -> Account {
    let mut account = Account::default();
    while let Ok(batch) = queue.try_recv() {
        account.add(batch);
    }
    account
}

/// Takes in batches until so many errors of the line are counted.
async fn errors_counted(
    queue: &mut mpsc::Receiver<Batch>,
    mut account: Account,
    errors: u64,
) -> Account {
    while account.transport.line_errors < errors {
        account.add(queue.recv().await.expect("the source runs"));
    }
    account
}

#[tokio::test]
async fn an_empty_read_is_the_end_and_is_not_repeated() {
    let (mut outlet, _queue) = outlet();
    let reads = Arc::new(AtomicU32::new(0));
    let fake = Fake { reads: Arc::clone(&reads), ..Fake::new(tokio::io::empty()) };
    let config = plain();
    let read = read(fake, &config, &mut outlet);
    let lost = tokio::time::timeout(PATIENCE, read).await.expect("it ends").unwrap();
    assert!(matches!(lost, Lost::HungUp), "{lost}");
    assert_eq!(reads.load(Relaxed), 1);
}

#[tokio::test]
async fn a_read_error_is_the_end_and_an_interruption_is_not() {
    let (mut outlet, mut queue) = outlet();
    let reader = tokio_test::io::Builder::new()
        .read_error(io::ErrorKind::Interrupted.into())
        .read(&stuffed(1, 1))
        .read_error(io::Error::from_raw_os_error(libc::EIO))
        .build();
    let lost = read(Fake::new(reader), &plain(), &mut outlet).await.unwrap();
    assert!(matches!(lost, Lost::Broken(_)), "{lost}");
    assert_eq!(sum(&mut queue).wire.frames_ok, 1);
}

#[tokio::test(start_paused = true)]
async fn bytes_and_line_errors_of_a_stream_are_counted() {
    let (outlet, mut queue) = outlet();
    let (mut device, reader) = tokio::io::duplex(16);
    let framing = Arc::new(AtomicU32::new(u32::MAX - 1));
    let fake = Fake { framing: Some(Arc::clone(&framing)), ..Fake::new(reader) };
    let config = plain();
    let device = async {
        for sequence in 0..20 {
            device.write_all(&stuffed(sequence, 1)).await.unwrap();
        }
        framing.store(3, Relaxed);
        // A tick looks at the counters, though nothing comes.
        let mut seen = errors_counted(&mut queue, Account::default(), 5).await;
        device.write_all(&[1, 2]).await.unwrap();
        drop(device);
        while let Some(batch) = queue.recv().await {
            seen.add(batch);
        }
        seen
    };
    let reader = async {
        let mut outlet = outlet;
        read(fake, &config, &mut outlet).await
    };
    let (lost, seen) = tokio::join!(reader, device);
    assert!(matches!(lost.unwrap(), Lost::HungUp));
    seen.check();
    assert_eq!(seen.sequences(), (0..20).collect::<Vec<_>>());
    assert_eq!(seen.transport.line_errors, 5);
    assert_eq!(seen.buffered, 2);
    assert_eq!(seen.links, [Link::Up("open".into())]);
}

#[tokio::test]
async fn a_device_that_speaks_when_asked_is_greeted_and_asked() {
    let mut device = Device::new();
    let poll = PollConfig { bytes: b"get\r\n"[..].into(), every_ns: 20 * MS };
    let on_open = b"\x1bstart\r\n"[..].into();
    let config = SerialConfig { on_open, poll: Some(poll), ..config(&device.path) };
    let mut running = Running::start(input(InputKind::Serial(config)), 64);
    running.up().await;
    // What the device hears: blocking reads belong on another thread.
    let mut line = device.master.try_clone().unwrap();
    let heard = tokio::task::spawn_blocking(move || {
        let mut heard = vec![0; b"\x1bstart\r\nget\r\nget\r\n".len()];
        line.read_exact(&mut heard).map(|()| heard)
    });
    assert_eq!(heard.await.unwrap().unwrap(), b"\x1bstart\r\nget\r\nget\r\n");
    device.send(&stuffed(0, 1));
    running.until("the answer", |seen| seen.wire.frames_ok == 1).await;
    running.stop().await;
}

/// A line that the other side holds: nothing can be sent, and all else goes on.
#[tokio::test]
async fn a_port_that_takes_nothing_keeps_nobody() {
    let (mut outlet, mut queue) = outlet();
    let (mut device, line) = tokio::io::duplex(4);
    let poll = PollConfig { bytes: b"a long question"[..].into(), every_ns: 10 * MS };
    let config = SerialConfig { poll: Some(poll), ..plain() };
    let device = async move {
        for sequence in 0..5 {
            device.write_all(&stuffed(sequence, 1)).await.unwrap();
        }
        let mut heard = [0; 20];
        device.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"a long questiona lon", "whole questions, one after the other");
    };
    let (lost, ()) = tokio::join!(read(Fake::new(line), &config, &mut outlet), device);
    assert!(matches!(lost.unwrap(), Lost::HungUp | Lost::Broken(_)));
    let seen = sum(&mut queue);
    assert_eq!(seen.wire.frames_ok, 5);
    seen.check();
}

#[tokio::test]
async fn silence_is_told_and_ends_with_the_first_byte() {
    let mut device = Device::new();
    let silence = Some(SilenceConfig { after_ns: 100 * MS, reopen: false });
    let config = SerialConfig { silence, ..config(&device.path) };
    let mut running = Running::start(input(InputKind::Serial(config)), 64);
    running.up().await;
    running.until("silence", |seen| matches!(seen.links.last(), Some(Link::Silent(_)))).await;
    device.send(&stuffed(0, 1));
    running.up().await;
    let seen = running.stop().await;
    assert_eq!((seen.wire.frames_ok, seen.wire.refused_total()), (1, 0));
}

/// Opened again, a silent line stays silent until something comes, and is no failure.
#[tokio::test]
async fn a_silent_port_is_opened_again_if_so_configured() {
    let mut device = Device::new();
    let silence = Some(SilenceConfig { after_ns: 100 * MS, reopen: true });
    let on_open = b"?"[..].into();
    let config = SerialConfig { silence, on_open, ..config(&device.path) };
    let mut running = Running::start(input(InputKind::Serial(config)), 64);
    running.up().await;
    let mut line = device.master.try_clone().unwrap();
    let greeted = tokio::task::spawn_blocking(move || {
        let mut heard = [0; 3];
        // Between a close and the next open, this end reads an error.
        let mut filled = 0;
        while filled < heard.len() {
            filled += line.read(&mut heard[filled..]).unwrap_or(0);
        }
        heard
    });
    while !greeted.is_finished() {
        let now_ns = running.seen.now_ns;
        running.until("the time", |seen| now_ns < seen.now_ns).await;
    }
    assert_eq!(&greeted.await.unwrap(), b"???", "greeted at each opening");
    device.send(&stuffed(0, 1));
    running.up().await;
    let seen = running.stop().await;
    assert_eq!(seen.wire.frames_ok, 1);
    let states: Vec<_> = seen.links.iter().map(Link::name).collect();
    assert!(!states.contains(&"down"), "{states:?}");
}

#[tokio::test]
async fn a_garbled_line_is_told_with_its_cause_and_recovers() {
    let mut device = Device::new();
    let config = SerialConfig { garbled_after: 3, ..config(&device.path) };
    let mut running = Running::start(input(InputKind::Serial(config)), 64);
    running.up().await;
    // Text ended by zeros where native frames are expected.
    for _ in 0..3 {
        device.send(b"temperature:21.5\r\n\0");
    }
    running.until("garbled", |seen| matches!(seen.links.last(), Some(Link::Garbled(_)))).await;
    let detail = running.seen.detail();
    assert!(detail.contains("the bytes are text: most likely another `format`"), "{detail}");
    device.send(&stuffed(0, 1));
    running.up().await;
    let seen = running.stop().await;
    assert_eq!((seen.wire.frames_ok, seen.wire.refused_total()), (1, 3));
}

/// What only a driver knows, from a port of the test's own.
#[tokio::test(start_paused = true)]
async fn the_cause_is_taken_from_what_the_driver_counts() {
    let (mut outlet, mut queue) = outlet();
    let (device, line) = tokio::io::duplex(64);
    let framing = Arc::new(AtomicU32::new(7));
    let fake = Fake { framing: Some(Arc::clone(&framing)), ..Fake::new(line) };
    let config = SerialConfig { garbled_after: 3, ..plain() };
    let device = async {
        let mut device = device;
        let mut seen = Account::default();
        for errors in [4, 8, 12] {
            framing.fetch_add(4, Relaxed);
            device.write_all(b"\x91\x80\xe3\x40\0").await.unwrap();
            seen = errors_counted(&mut queue, seen, errors).await;
        }
        seen
    };
    let (lost, mut seen) = tokio::join!(read(fake, &config, &mut outlet), device);
    assert!(matches!(lost.unwrap(), Lost::HungUp));
    while let Ok(batch) = queue.try_recv() {
        seen.add(batch);
    }
    assert_eq!(seen.transport.line_errors, 12);
    let detail = seen.detail();
    assert!(matches!(seen.links.last(), Some(Link::Garbled(_))), "{:?}", seen.links);
    assert!(detail.contains("12 characters without a stop bit"), "{detail}");
}
