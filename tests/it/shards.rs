//! What the threads of shards add: queues that fill, an end that reaches everybody.

use std::{cell::RefCell, io, path::Path, rc::Rc, sync::Arc};

use stillwell::{
    config::Config,
    daemon::{
        publish::Vitals,
        shards::{self, Shard, Shards},
    },
    engine::{
        Batch, Input, Plan, Snapshot,
        edition::{Binder, Editor},
        stages::Stages as _,
    },
    limits::{CHANNELS_PER_CHUNK, MS, SECOND, SHARD_QUEUE},
    wire::{DeviceClock, Frames, Head, Health, Sample, WireTally},
};
use tokio::{sync::mpsc, task::LocalSet};
use tokio_stream::wrappers::ReceiverStream;

const START_NS: i64 = 1_700_000_000 * SECOND;
/// A full chunk for each of two shards.
const CHANNELS: usize = 2 * CHANNELS_PER_CHUNK;
/// More than fit all queues on the way.
const BATCHES: usize = 4 * SHARD_QUEUE;

fn plan() -> Plan {
    let text = "[defaults]\nwindows = [\"1s\"]\n[[source]]\nname = \"s\"\nkind = \"udp\"\n\
        listen = \"127.0.0.1:0\"\nformat = \"native\"\nunknown = \"discover\"\n";
    let nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    let loaded = Config::parse(text, Path::new("shards.toml"), &nothing);
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config.plan
}

/// The n-th batch: a frame with a reading of each channel, 10 ms after the one before.
fn input(n: usize) -> Input {
    let now_ns = START_NS + n as i64 * 10 * MS;
    let mut frames = Frames::default();
    frames.heads.push(Head {
        device: 1,
        boot: 1,
        sequence: Some(n as u32),
        first: false,
        health: Health::Good,
        clock: DeviceClock::None,
        time_error: 255,
        arrived_ns: now_ns,
        samples: CHANNELS as u32,
        shed: false,
    });
    let sample = |channel: usize| Sample {
        field: channel as u32,
        at_ns: 0,
        value: (n * 7 + channel) as f64,
    };
    frames.samples.extend((0..CHANNELS).map(sample));
    let mut wire = WireTally { bytes_in: 10, ..WireTally::default() };
    wire.accept(10, CHANNELS);
    Input { now_ns, batch: Some(Batch { now_ns, frames, wire, ..Batch::default() }), sitting: None }
}

type Published = Rc<RefCell<Vec<Arc<Snapshot>>>>;

/// The engine's side of the shards, behind a queue for one batch.
fn engine(
    ends: Shards,
    publish_ns: i64,
) -> (mpsc::Sender<Input>, Published, impl Future<Output = ()>) {
    let (inputs, queue) = mpsc::channel(1);
    let published = Published::default();
    let shown = Rc::clone(&published);
    let run = async move {
        let plan = plan();
        let checked = ReceiverStream::new(queue).validate(&plan).normalize(&plan);
        let (editor, binder) = (Editor::new(&plan, publish_ns, 1), Binder::new(&plan));
        ends.run(checked, editor, binder, |snapshot| shown.borrow_mut().push(snapshot)).await;
    };
    (inputs, published, run)
}

fn two() -> (Arc<Vitals>, Shards, [Shard; 2]) {
    let vitals = Arc::new(Vitals::new(2));
    let (ends, each) = shards::open(&vitals);
    (vitals, ends, each.try_into().expect("two"))
}

fn waiting(vitals: &Vitals) -> [u64; 2] {
    [0, 1].map(|shard: usize| vitals.shards[shard].waiting())
}

/// Lets everything run that can.
async fn settle() {
    for _ in 0..10 * BATCHES {
        tokio::task::yield_now().await;
    }
}

/// A shard that stalls makes the engine wait, and by that the engine's own queue, where what finds
/// no room is counted; what was taken before is not lost.
#[tokio::test]
async fn a_stalled_shard_holds_everything_up_and_loses_nothing() {
    let local = LocalSet::new();
    local
        .run_until(async {
            let (vitals, ends, [first, second]) = two();
            let (inputs, published, run) = engine(ends, 3_600 * SECOND);
            let engine = tokio::task::spawn_local(run);
            let first = tokio::task::spawn_local(first.run());
            let mut taken = 0;
            while taken < BATCHES {
                settle().await;
                if inputs.try_send(input(taken)).is_err() {
                    break;
                }
                taken += 1;
            }
            assert!(taken < BATCHES, "the engine waits for room");
            assert_eq!(waiting(&vitals), [0, SHARD_QUEUE as u64]);
            assert!(published.borrow().is_empty(), "half of a snapshot is none");
            let second = tokio::task::spawn_local(second.run());
            for n in taken..BATCHES {
                inputs.send(input(n)).await.expect("the engine goes on");
            }
            drop(inputs);
            for task in [engine, first, second] {
                task.await.expect("it ends with the stream");
            }
            assert_eq!(waiting(&vitals), [0, 0]);
            let published = published.borrow();
            for snapshot in published.iter() {
                assert_eq!(snapshot.total.imbalance(), None);
            }
            let total = published.last().expect("a last snapshot").total;
            let all = (BATCHES * CHANNELS) as u64;
            assert_eq!((total.readings.accepted, total.in_closed_panes), (all, all));
        })
        .await;
}

/// Every publication is made once all shards have come to its mark, and shows in each channel what
/// the books say of that instant.
#[tokio::test]
async fn a_snapshot_is_of_one_instant() {
    let local = LocalSet::new();
    local
        .run_until(async {
            let (_, ends, [first, second]) = two();
            let (inputs, published, run) = engine(ends, 100 * MS);
            let tasks = [
                tokio::task::spawn_local(run),
                tokio::task::spawn_local(first.run()),
                tokio::task::spawn_local(second.run()),
            ];
            for n in 0..BATCHES {
                inputs.send(input(n)).await.expect("the engine takes it");
            }
            drop(inputs);
            for task in tasks {
                task.await.expect("it ends with the stream");
            }
            let published = published.borrow();
            assert_eq!(published.len(), BATCHES.div_ceil(10) + 1, "each 100 ms, and the last");
            for snapshot in published.iter() {
                assert_eq!(snapshot.parts.len(), 2);
                let batches = snapshot.total.readings.accepted as usize / CHANNELS;
                for index in 0..CHANNELS {
                    let live = snapshot.channel(index as u32).live.expect("a value");
                    assert_eq!(live.value, ((batches - 1) * 7 + index) as f64);
                }
            }
        })
        .await;
}
