//! The data path allocates nothing for a frame or a reading: it fills what it emptied before.

use std::sync::Arc;

use futures::executor::block_on;
use stillwell::{
    config::model::OnFull,
    daemon::{
        source::outlet::{Outlet, OutletParts},
        tap::{Junction, Tap},
    },
    engine::{
        Batch, Input, Plan, Rules, SourcePlan, TimeMode, Unknown, Window, normalize::Normalize,
        rolling::Rolling, validate::Validate,
    },
    limits::{BATCH_READINGS_MAX, MS, SECOND},
    scan::Step,
    wire::{
        Decoder,
        decode::{Format, Framing},
        frame::{BlockHead, Encoder, Header, Kind, TimeKind, ValueType},
    },
};
use tokio::sync::mpsc;

const START_NS: i64 = 1_700_000_000 * SECOND;
const DEVICES: u32 = 100;
/// Time from one frame of a device to its next.
const PERIOD_NS: i64 = 10 * MS;

/// From the bytes of a datagram to the windows, on one thread.
struct Path {
    outlet: Outlet,
    queue: mpsc::Receiver<Batch>,
    validate: Validate,
    normalize: Normalize,
    rolling: Rolling,
    /// Readings of each frame.
    readings: u8,
    frames: u32,
    publications: u64,
}

impl Path {
    fn new(readings: u8) -> Self {
        let (batches, queue) = mpsc::channel(4);
        let plan = plan();
        Self {
            outlet: Outlet::new(OutletParts {
                name: "test".into(),
                index: 0,
                batches,
                on_full: OnFull::Count,
                decoder: Decoder::new(&Format::Native, Framing::Datagram),
                tap: Tap::new(Arc::new(Junction::new("test".into())), Framing::Datagram),
            }),
            queue,
            validate: Validate::new(&plan),
            normalize: Normalize::new(&plan),
            // Publications allocate what is shown, which is for others to keep.
            rolling: Rolling::new(&plan, 3_600 * SECOND, 1),
            readings,
            frames: 0,
            publications: 0,
        }
    }

    /// Takes frames of all devices in turn until there were so many readings.
    fn run(&mut self, readings: usize) {
        for _ in 0..readings / usize::from(self.readings) {
            let (round, device) = (self.frames / DEVICES, self.frames % DEVICES);
            self.frames += 1;
            let arrived_ns = START_NS + i64::from(round) * PERIOD_NS;
            let mut buffer = [0; 1_024];
            let frame = frame(&mut buffer, device, round, self.readings);
            self.outlet.feed(frame, arrived_ns);
            if self.outlet.is_full() {
                block_on(self.outlet.offer(arrived_ns)).expect("the queue is open");
                self.take();
            }
        }
    }

    fn take(&mut self) {
        while let Ok(batch) = self.queue.try_recv() {
            assert_eq!(batch.transport.batches_refused, 0);
            let input = Input { now_ns: batch.now_ns, batch: Some(batch) };
            let checked = self.validate.step(input).expect("one for one");
            let checked = self.normalize.step(checked).expect("one for one");
            self.publications += u64::from(self.rolling.step(checked).is_some());
        }
    }
}

fn frame(buffer: &mut [u8], device: u32, sequence: u32, readings: u8) -> &[u8] {
    let header = Header {
        kind: Kind::Data,
        first_since_reset: false,
        authenticated: false,
        health: 0,
        device,
        boot: 1,
        time_kind: TimeKind::None,
        time_error: 255,
        sequence,
        time_us: 0,
    };
    let block = BlockHead {
        first_channel: 0,
        channels: readings,
        value_type: ValueType::F32,
        samples: 1,
        dt_us: 0,
    };
    let values = [f64::from(sequence % 13); 50];
    let mut encoder = Encoder::new(buffer, &header).expect("it fits");
    encoder.block(block, None, &values[..usize::from(readings)]).expect("it fits");
    encoder.finish().expect("it fits")
}

fn plan() -> Plan {
    let windows = [(1, 100), (10, 1_000), (60, 6_000), (600, 60_000)];
    let window =
        |(length_s, every_ms)| Window { length_ns: length_s * SECOND, every_ns: every_ms * MS };
    let rules = Rules {
        pane_ns: 100 * MS,
        lateness_ns: 0,
        future_ns: 2 * SECOND,
        windows: windows.map(window).into(),
        percentiles: [].into(),
        figures: 2,
        resolution: 0.01,
        expected_rate: None,
        stale_ns: 10 * SECOND,
        silent_ns: 60 * SECOND,
    };
    let source = SourcePlan {
        name: "s".into(),
        time: TimeMode::Arrival,
        unknown: Unknown::Discover { max: 5_000 },
        named_fields: false,
        idle_ns: SECOND,
        discovered: rules.clone(),
        patterns: Vec::new(),
    };
    Plan { sources: vec![source], channels: Vec::new(), defaults: rules, percentile_bytes: 1 << 30 }
}

#[test]
fn a_million_readings_between_two_publications_allocate_nothing() {
    for readings in [50, 1] {
        let mut path = Path::new(readings);
        // Meets the devices and their channels, and goes through the blocks that the queue is of.
        path.run(200 * BATCH_READINGS_MAX);
        let before = (path.frames, path.publications);
        let made = allocation_counter::measure(|| path.run(1_000_000));
        assert_eq!(path.publications, before.1);
        let frames = path.frames - before.0;
        assert_eq!(made.count_total, 0, "{readings} readings a frame, {frames} frames: {made:?}");
    }
}
