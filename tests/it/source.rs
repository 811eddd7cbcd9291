//! Sources against real sockets, pseudo-terminals and files: what goes in is accounted for.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod modbus;
mod replay;
mod serial;
mod simulated;
mod udp;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use stillwell::{
    config::model::{InputConfig, InputKind, OnFull},
    daemon::{
        clock::Line,
        source::{Outcome, Source},
    },
    engine::{
        Batch, Link,
        batch::{SocketDrops, Transport},
    },
    wire::{FrameRefusal, Head, WireTally, decode::Format},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};

use crate::support::Device;

/// Long enough that only a defect reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A source that runs, and everything that came out of it.
struct Running {
    batches: mpsc::Receiver<Batch>,
    stop: oneshot::Sender<()>,
    task: JoinSet<Outcome>,
    line: Line,
    seen: Account,
}

/// Sums over batches.
#[derive(Default)]
struct Account {
    heads: Vec<Head>,
    values: u64,
    shed: u64,
    wire: WireTally,
    transport: Transport,
    drops: Option<SocketDrops>,
    buffered: u64,
    links: Vec<Link>,
    batches: u64,
    now_ns: i64,
}

fn input(kind: InputKind) -> InputConfig {
    InputConfig { name: "test".into(), kind, format: Format::NATIVE, on_full: OnFull::Count }
}

impl Running {
    fn start(input: InputConfig, capacity: usize) -> Self {
        Self::start_with(input, capacity, |source| source)
    }

    fn start_with(
        input: InputConfig,
        capacity: usize,
        adapt: impl FnOnce(Source) -> Source,
    ) -> Self {
        let (sender, batches) = mpsc::channel(capacity);
        let (stop, stopped) = oneshot::channel();
        let line = Line::anchored();
        let source = adapt(Source::new(0, input, line, sender));
        let mut task = JoinSet::new();
        let stop_source = async {
            let _ = stopped.await;
        };
        task.spawn(async { source.run(stop_source).await.outcome });
        Self { batches, stop, task, line, seen: Account::default() }
    }

    async fn until(&mut self, what: &str, reached: impl Fn(&Account) -> bool) {
        while !reached(&self.seen) {
            let batch = timeout(PATIENCE, self.batches.recv()).await;
            match batch {
                Ok(Some(batch)) => self.seen.add(batch),
                Ok(None) => panic!("the source ended before {what}: {:?}", self.seen.links),
                Err(_) => panic!("no {what}: {:?} {:?}", self.seen.links, self.seen.wire),
            }
        }
    }

    /// Waits for the source to be up and returns the detail.
    async fn up(&mut self) -> String {
        self.until("link up", |seen| matches!(seen.links.last(), Some(Link::Up(_)))).await;
        self.seen.detail()
    }

    async fn down(&mut self) -> String {
        self.until("link down", |seen| matches!(seen.links.last(), Some(Link::Down(_)))).await;
        self.seen.detail()
    }

    /// Stops the source, takes in the rest and checks that the account is complete.
    async fn stop(self) -> Account {
        let Self { stop, .. } = self;
        stop.send(()).expect("the source runs");
        finish(self.batches, self.task, self.seen, Outcome::Stopped).await
    }

    async fn end(self) -> Account {
        finish(self.batches, self.task, self.seen, Outcome::Ended).await
    }
}

async fn finish(
    mut batches: mpsc::Receiver<Batch>,
    mut task: JoinSet<Outcome>,
    mut seen: Account,
    expected: Outcome,
) -> Account {
    while let Some(batch) = timeout(PATIENCE, batches.recv()).await.expect("the source ends") {
        seen.add(batch);
    }
    assert_eq!(task.join_next().await.unwrap().unwrap(), expected);
    seen.check();
    seen
}

impl Account {
    fn add(&mut self, batch: Batch) {
        let owned: u64 = batch.frames.heads.iter().map(|head| u64::from(head.samples)).sum();
        let shed = batch.frames.heads.iter().filter(|head| head.shed);
        let shed: u64 = shed.map(|head| u64::from(head.samples)).sum();
        assert_eq!(owned - shed, batch.frames.samples.len() as u64, "each value has a head");
        self.values += owned - shed;
        self.shed += shed + batch.shed_readings;
        self.wire.add(&batch.wire);
        self.transport.add(&batch.transport);
        // As the books of the engine do.
        if let Some(drops) = batch.drops {
            self.transport.kernel_dropped += drops.beyond(self.drops);
            self.drops = Some(drops);
        }
        self.buffered = batch.buffered;
        self.links.extend(batch.link);
        let oldest_ns = batch.frames.heads.first().map_or(i64::MAX, |head| head.arrived_ns);
        assert!(self.now_ns <= oldest_ns, "arrived before the time that the batch before told");
        assert!(self.now_ns <= batch.now_ns, "time went back");
        self.heads.extend(batch.frames.heads);
        self.now_ns = batch.now_ns;
        self.batches += 1;
    }

    fn detail(&self) -> String {
        self.links.last().and_then(Link::detail).expect("a link with a detail").to_owned()
    }

    fn refused(&self, why: FrameRefusal) -> u64 {
        self.wire.refused[why as usize]
    }

    /// The ledger of the source, as far as the source has it.
    fn check(&self) {
        let wire = &self.wire;
        assert_eq!(wire.readings, self.values + self.shed, "readings");
        assert_eq!(wire.frames_in, wire.frames_ok + wire.refused_total(), "frames");
        let bytes = wire.bytes_in_frames + wire.bytes_skipped + self.buffered;
        assert_eq!(wire.bytes_in, bytes, "bytes");
    }

    fn sequences(&self) -> Vec<u32> {
        self.heads.iter().filter_map(|head| head.sequence).collect()
    }
}

/// A native frame with `values` readings.
fn frame(sequence: u32, values: usize) -> Vec<u8> {
    Device { sequence, ..Device::new(17) }.frame(&vec![1.5; values])
}

/// A native frame as it goes over a serial line.
fn stuffed(sequence: u32, values: usize) -> Vec<u8> {
    Device { sequence, ..Device::new(17) }.stuffed(&vec![1.5; values])
}

/// A directory of one test, gone with it.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stillwell-source-{}-{next}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::join(&self.0, name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
