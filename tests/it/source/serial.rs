//! Serial ports as pseudo-terminals, and the read loop on its own.

use std::{
    fs::File,
    io::{self, Write},
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
    config::model::{Flow, InputKind, Parity, SerialConfig},
    daemon::{
        kernel::LineErrorCounts,
        source::{
            outlet::{Outlet, OutletParts},
            serial::{self, LineErrors, Lost},
        },
        tap::{Junction, Tap},
    },
    wire::{
        Decoder,
        decode::{Format, Framing},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
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

fn port(path: &Path) -> InputKind {
    InputKind::Serial(SerialConfig {
        path: path.to_owned(),
        baud: 115_200,
        data_bits: 8,
        parity: Parity::None,
        stop_bits: 1,
        flow: Flow::None,
    })
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

/// A port whose reads and error counters the test holds.
struct Fake<R> {
    reader: R,
    reads: Arc<AtomicU32>,
    framing: Option<Arc<AtomicU32>>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Fake<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads.fetch_add(1, Relaxed);
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl<R> LineErrors for Fake<R> {
    fn line_errors(&self) -> Option<LineErrorCounts> {
        let framing = self.framing.as_ref()?.load(Relaxed);
        Some(LineErrorCounts { framing, ..LineErrorCounts::default() })
    }
}

fn outlet() -> (Outlet, mpsc::Receiver<Batch>) {
    let (batches, queue) = mpsc::channel(64);
    let outlet = Outlet::new(OutletParts {
        name: "test".into(),
        index: 0,
        batches,
        on_full: OnFull::Count,
        decoder: Decoder::new(&Format::Native, Framing::Stream),
        tap: Tap::new(Arc::new(Junction::new("test".into())), Framing::Stream),
    });
    (outlet, queue)
}

fn sum(queue: &mut mpsc::Receiver<Batch>) -> Account {
    let mut account = Account::default();
    while let Ok(batch) = queue.try_recv() {
        account.add(batch);
    }
    account
}

#[tokio::test]
async fn an_empty_read_is_the_end_and_is_not_repeated() {
    let (mut outlet, _queue) = outlet();
    let reads = Arc::new(AtomicU32::new(0));
    let fake = Fake { reader: tokio::io::empty(), reads: Arc::clone(&reads), framing: None };
    let read = serial::read(fake, Line::anchored(), &mut outlet);
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
    let fake = Fake { reader, reads: Arc::default(), framing: None };
    let lost = serial::read(fake, Line::anchored(), &mut outlet).await.unwrap();
    assert!(matches!(lost, Lost::Broken(_)), "{lost}");
    assert_eq!(sum(&mut queue).wire.frames_ok, 1);
}

#[tokio::test(start_paused = true)]
async fn bytes_and_line_errors_of_a_stream_are_counted() {
    let (mut outlet, mut queue) = outlet();
    let (mut device, reader) = tokio::io::duplex(16);
    let framing = Arc::new(AtomicU32::new(u32::MAX - 1));
    let fake = Fake { reader, reads: Arc::default(), framing: Some(Arc::clone(&framing)) };
    let device = async move {
        for sequence in 0..20 {
            device.write_all(&stuffed(sequence, 1)).await.unwrap();
        }
        framing.store(3, Relaxed);
        // Paused time: two ticks pass as soon as the reader waits.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        device.write_all(&[1, 2]).await.unwrap();
    };
    let (lost, ()) = tokio::join!(serial::read(fake, Line::anchored(), &mut outlet), device);
    assert!(matches!(lost.unwrap(), Lost::HungUp));
    let seen = sum(&mut queue);
    seen.check();
    assert_eq!(seen.sequences(), (0..20).collect::<Vec<_>>());
    assert_eq!(seen.transport.line_errors, 5);
    assert_eq!(seen.buffered, 2);
    assert_eq!(seen.links, [] as [Link; 0]);
}
