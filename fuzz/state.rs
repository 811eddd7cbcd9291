//! What holds for an engine that goes on from an image, whatever is in the image: checked by the
//! fuzzer on what it makes up, and by the tests on the inputs that are kept in `corpus/state`.
//!
//! An input is the records of an image; it is put into an envelope with the right checksum. The
//! engine that is made of it plays a short history to its end: nothing may break, the books must
//! balance after every step, and the image that is taken of it must be gone on with whole.

use std::sync::{Arc, mpsc::sync_channel};

use stillwell::{
    engine::{
        Batch, ChannelKey, ChannelPlan, ExactWindow, Input, Plan, Rules, Snapshot, SourcePlan,
        TimeMode, Unknown, Window,
        calibration::{Calibration, Counter, Era, Eras, Gives, OnReset, Transfer},
        image::{Head, Image, Misfit, Sealed, Sitting},
        normalize::Normalize,
        qc::{
            Qc,
            attenuated::{Attenuated, Spread},
            bounds::Thresholds,
            flat_line::FlatLine,
            plan::{Neighbour, Partner, QcPlan},
            spike::{Method, Spike},
        },
        rolling::Rolling,
        sequence::Starts,
        statistics::{Kind, Statistics, counter::Range, hold::Course},
        unit::Conversion,
        validate::{Terms, Validate},
    },
    limits::MS,
    scan::{Rest, Step},
    wire::{DeviceClock, Frames, Head as FrameHead, Health, Sample, WireTally},
};

/// When histories begin.
pub(crate) const BEGIN_NS: i64 = 1_000_000 * MS;
/// Length of a pane.
pub(crate) const PANE_NS: i64 = 100 * MS;
/// Batches of a history before the image, and after.
const BATCHES: i64 = 14;
const CHANNELS: u32 = 7;

/// Goes on from these records, and from those of the image that is taken then; what is lost of
/// each.
pub(crate) fn check(records: &[u8]) -> Option<[Vec<(Misfit, u64)>; 2]> {
    let (again, first) = go_on(records, BATCHES)?;
    let (_, second) = go_on(&again, 2 * BATCHES + 1).expect("what is written can be read");
    // Counts at their bounds may have grown beyond.
    Some([first, second].map(|image| image.salvage().dropped().collect()))
}

/// The same without a second time; whether anything is lost of it.
pub(crate) fn survives(records: &[u8]) -> Option<bool> {
    let (_, image) = go_on(records, BATCHES)?;
    Some(image.salvage().dropped().next().is_some())
}

/// The records of an image that is taken in the middle of a history.
pub(crate) fn sample() -> Vec<u8> {
    let plan = plan();
    let mut engine = Engine::new(&plan, Validate::new(&plan));
    (0..BATCHES - 1).for_each(|n| engine.take(n, None));
    engine.image(BATCHES - 1)
}

/// Plays a history on from these records, if they can be read at all; the records of an image at
/// its end, and what it went on from.
fn go_on(records: &[u8], from: i64) -> Option<(Vec<u8>, Arc<Image>)> {
    let head = Head { epoch: 1, number: 1, ..Head::default() };
    let bytes = Sealed::new(&head, vec![records.to_vec()]).to_bytes();
    let image = Arc::new(Image::open(bytes).ok()?);
    let plan = plan();
    let terms = Terms { now_ns: at_ns(from), line_goes_on: true, sources: Vec::new() };
    let mut engine = Engine::new(&plan, Validate::resume(&plan, &image, &terms));
    let end = from + BATCHES;
    (from..end).for_each(|n| engine.take(n, None));
    let records = engine.image(end);
    let last = engine.rolling.finish().expect("a last snapshot");
    assert_balanced(&last);
    Some((records, image))
}

fn assert_balanced(snapshot: &Snapshot) {
    assert_eq!(snapshot.total.imbalance(), None);
    for source in &*snapshot.sources {
        assert_eq!(source.ledger.imbalance(), None);
    }
    // All that is shown can be asked for.
    for &index in snapshot.directory.by_id() {
        let view = snapshot.channel(index);
        (0..view.info.rules.window_count()).for_each(|window| drop(view.summary(window)));
    }
}

struct Engine {
    validate: Validate,
    normalize: Normalize,
    qc: Qc,
    rolling: Rolling,
}

impl Engine {
    fn new(plan: &Plan, validate: Validate) -> Self {
        let (normalize, qc) = (Normalize::new(plan), Qc::new(plan));
        Self { validate, normalize, qc, rolling: Rolling::new(plan, MS, 1) }
    }

    fn take(&mut self, n: i64, sitting: Option<Arc<Sitting>>) {
        let input = Input { now_ns: at_ns(n), batch: Some(batch(n)), sitting };
        let checked = self.validate.step(input).expect("one for one");
        let checked = self.normalize.step(checked).expect("one for one");
        let checked = self.qc.step(checked).expect("one for one");
        let mut said = self.rolling.step(checked);
        loop {
            said.take().iter().for_each(|snapshot| assert_balanced(snapshot));
            match (self.qc.go_on(), self.rolling.go_on()) {
                (Rest::Nothing, Rest::Nothing) => break,
                (_, Rest::Says(snapshot)) => said = Some(snapshot),
                _ => {}
            }
        }
    }

    fn image(&mut self, n: i64) -> Vec<u8> {
        let (send, given) = sync_channel(1);
        let sitting = Sitting::new(move |blocks| send.send(blocks).expect("somebody waits"));
        self.take(n, Some(sitting));
        given.try_recv().expect("all of it is written").concat()
    }
}

fn at_ns(n: i64) -> i64 {
    BEGIN_NS + n * 70 * MS
}

/// A frame of each of two devices, with readings of all channels, some of them late.
fn batch(n: i64) -> Batch {
    let mut frames = Frames::default();
    let mut wire = WireTally::default();
    for device in [1, 2] {
        let samples = (0..CHANNELS).map(|field| {
            let at_ns = at_ns(n) - (n * 13 + i64::from(field) * 7) % 50 * MS;
            let value = ((n * 37 + i64::from(field) * 11) % 23) as f64;
            Sample { field, at_ns, value: if n % 9 == 4 { f64::NAN } else { value } }
        });
        frames.samples.extend(samples);
        frames.heads.push(FrameHead {
            device,
            boot: 1,
            sequence: Some(n as u32),
            first: false,
            health: Health::Good,
            clock: DeviceClock::Utc,
            time_error: 255,
            arrived_ns: at_ns(n),
            samples: CHANNELS,
            shed: false,
        });
        wire.accept(10, CHANNELS as usize);
        wire.bytes_in += 10;
    }
    Batch { now_ns: at_ns(n), frames, wire, ..Batch::default() }
}

/// One source with a channel of each kind that remembers something, and a device that is found.
fn plan() -> Plan {
    let window = |length_ms: i64, every_ms: i64| Window {
        length_ns: length_ms * MS,
        every_ns: every_ms * MS,
    };
    let rules = Rules {
        pane_ns: PANE_NS,
        lateness_ns: 120 * MS,
        future_ns: 2_000 * MS,
        windows: [window(400, 100), window(1_200, 400)].into(),
        exact: [].into(),
        percentiles: [50.0].into(),
        figures: 2,
        resolution: 0.01,
        expected_rate: Some(10.0),
        stale_ns: 1_000 * MS,
        silent_ns: 9_000 * MS,
        statistics: Statistics::none(),
    };
    let channel = |index: u8| {
        let mut rules = rules.clone();
        rules.statistics = statistics(index);
        if index == 0 {
            rules.exact = [ExactWindow { length_ns: 300 * MS, capacity: 3 }].into();
        }
        ChannelPlan {
            id: format!("c{index}").into(),
            source: 0,
            key: ChannelKey::Numbered { device: 1, index },
            unit: None,
            calibration: if index == 1 { counter() } else { Calibration::IDENTITY },
            conversion: Conversion::IDENTITY,
            qc: (index == 2).then(|| Arc::new(tests())),
            rules,
        }
    };
    Plan {
        sources: vec![SourcePlan {
            name: "plant".into(),
            time: TimeMode::Device,
            unknown: Unknown::Discover { max: 3 },
            starts: Starts::Marked,
            named_fields: false,
            idle_ns: 1_000 * MS,
            discovered: rules.clone(),
            qc: None,
            patterns: Vec::new(),
        }],
        channels: (0..CHANNELS as u8).map(channel).collect(),
        defaults: rules.clone(),
        percentile_bytes: 1 << 20,
    }
}

fn statistics(index: u8) -> Statistics {
    let none = Statistics { max_hold_ns: 300 * MS, trust: true, ..Statistics::none() };
    match index {
        2 => Statistics { course: Some(Course::Linear), ..none },
        3 => Statistics { kind: Kind::Circular { turn: 360.0 }, ..none },
        4 => {
            let range = Range { modulus: Some(23.0), wrap_max: 12.0 };
            Statistics { kind: Kind::Counter(range), ..none }
        }
        5 => Statistics { kind: Kind::State(["a".into(), "b".into()].into()), ..none },
        6 => {
            let (ewma_ns, gust_ns) = (Some(150 * MS), Some(200 * MS));
            Statistics { ewma_ns, gust_ns, allan: [200 * MS].into(), ..none }
        }
        _ => Statistics::none(),
    }
}

fn counter() -> Calibration {
    let counter = Counter {
        modulus: Some(23.0),
        wrap_max: 12.0,
        gives: Gives::Total,
        on_reset: OnReset::FromZero,
    };
    let chain = [Transfer::Counter(counter)].into();
    Calibration::Eras(Arc::new(Eras::new(vec![Era { from_ns: i64::MIN, version: None, chain }])))
}

fn tests() -> QcPlan {
    let thresholds = Thresholds { suspect: Some(5.0), fail: None };
    QcPlan {
        spike: Some(Spike { method: Method::Average, thresholds }),
        rate_of_change: Some(thresholds),
        flat_line: Some(FlatLine {
            tolerance: 9.0,
            suspect_ns: Some(200 * MS),
            fail_ns: Some(500 * MS),
            except: None,
        }),
        attenuated: Some(Attenuated {
            spread: Spread::Range,
            thresholds,
            period_ns: 500 * MS,
            readings_min: 2,
            time_min_ns: 0,
        }),
        neighbour: Some(Neighbour {
            conversion: Conversion::IDENTITY,
            partner: Partner { id: "c0".into(), age_max_ns: 900 * MS },
            thresholds,
        }),
        ..QcPlan::default()
    }
}
