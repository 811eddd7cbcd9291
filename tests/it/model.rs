//! The engine against a naive recompute, over random histories.
//!
//! The oracle keeps every reading and applies the rules of acceptance and the definition of a
//! window word for word; it shares no code with the engine but the input types. Histories have
//! disorder, lateness, gaps, duplicates, restarts, jumps in time, missing and infinite values,
//! and are cut into batches at random; results must not depend on the cuts.

mod desk;
mod exact;
mod history;
mod oracle;
mod shards;
mod sliced;
mod state;
mod statistics;

use std::collections::BTreeMap;

use proptest::prelude::*;
use stillwell::{
    engine::{
        Batch, ChannelKey, ChannelPlan, Input, Plan, ReadingRefusal, Rules, Snapshot, SourcePlan,
        TimeMode, Unknown,
        batch::SocketDrops,
        bins::counting::Precision,
        calibration::Calibration,
        normalize::Normalize,
        rolling::{Rolling, RollingThrough},
        sequence::Starts,
        summary::Summary,
        unit::Conversion,
        validate::{Checked, Validate},
        windows::Emitted,
    },
    limits::MS,
    scan::Step,
    wire::{DeviceClock, Frames, Head, Sample, WireTally},
};

use self::{
    history::{Event, Setting, history, moves, setting},
    oracle::Model,
};

const CHANNELS: u32 = 3;
const DEVICES: u32 = 2;
const PERCENTILES: [f64; 3] = [50.0, 90.0, 99.0];
const RESOLUTION: f64 = 0.01;

fn plan(setting: &Setting) -> Plan {
    let rules = Rules {
        pane_ns: setting.pane_ns,
        lateness_ns: setting.lateness_ns,
        future_ns: setting.future_ns,
        windows: setting.windows.clone().into(),
        exact: setting.exact.clone().into(),
        percentiles: PERCENTILES.into(),
        figures: setting.figures,
        resolution: RESOLUTION,
        expected_rate: None,
        stale_ns: 1,
        silent_ns: 2,
        statistics: stillwell::engine::statistics::Statistics::none(),
    };
    let channel = |device: u32, index: u32| ChannelPlan {
        id: format!("d{device}.c{index}").into(),
        source: 0,
        key: ChannelKey::Numbered { device, index: index as u8 },
        unit: None,
        calibration: Calibration::IDENTITY,
        conversion: Conversion::IDENTITY,
        qc: None,
        rules: rules.clone(),
    };
    Plan {
        sources: vec![SourcePlan {
            name: "model".into(),
            time: TimeMode::Device,
            unknown: Unknown::Reject,
            starts: Starts::Marked,
            named_fields: false,
            idle_ns: setting.idle_ns,
            discovered: rules.clone(),
            qc: None,
            patterns: Vec::new(),
        }],
        // Channel c of device d is the model's channel (d - 1) * CHANNELS + c: see `mapped`.
        channels: (1..=DEVICES)
            .flat_map(|d| (0..CHANNELS).map(move |c| (d, c)))
            .map(|(d, c)| channel(d, c))
            .collect(),
        defaults: rules,
        percentile_bytes: setting.percentile_bytes,
    }
}

fn batch_of(events: &[Event], now_ns: i64) -> Batch {
    let mut frames = Frames::default();
    let mut wire = WireTally::default();
    for event in events {
        frames.heads.push(Head {
            device: event.device,
            boot: event.boot,
            sequence: Some(event.sequence),
            first: false,
            health: event.health,
            clock: DeviceClock::Utc,
            time_error: 255,
            arrived_ns: event.arrived_ns,
            samples: event.samples.len() as u32,
            shed: false,
        });
        let samples =
            event.samples.iter().map(|&(field, at_ns, value)| Sample { field, at_ns, value });
        frames.samples.extend(samples);
        wire.accept(10, event.samples.len());
        wire.bytes_in += 10;
    }
    // A counter that moves with time, as a socket of which nobody else knows has it.
    let drops = Some(SocketDrops { cookie: 1, count: (now_ns / MS) as u32 });
    Batch { now_ns, frames, wire, drops, ..Batch::default() }
}

/// The same batch for another engine.
fn batch_again(batch: &Batch) -> Batch {
    let &Batch { now_ns, ref frames, wire, drops, .. } = batch;
    Batch { now_ns, frames: frames.clone(), wire, drops, ..Batch::default() }
}

struct Front(Validate, Normalize);

impl Front {
    fn new(plan: &Plan) -> Self {
        Self(Validate::new(plan), Normalize::new(plan))
    }

    fn step(&mut self, batch: Batch) -> Checked {
        let checked = self
            .0
            .step(Input { now_ns: batch.now_ns, batch: Some(batch), sitting: None })
            .expect("one for one");
        self.1.step(checked).expect("one for one")
    }
}

/// Cuts a history into batches; a batch tells how far time had come when it was handed over,
/// which is up to `delay_ns` after its last frame.
fn batches(events: &[Event], cuts: &[usize], delay_ns: i64) -> Vec<Batch> {
    let mut batches = Vec::new();
    let (mut rest, mut cuts) = (events, cuts.iter().cycle());
    while !rest.is_empty() {
        let size = (*cuts.next().expect("a cycle")).clamp(1, rest.len());
        let (now, later) = rest.split_at(size);
        let until_ns = later.first().map_or(i64::MAX, |event| event.arrived_ns);
        let now_ns = (now[size - 1].arrived_ns + delay_ns).min(until_ns);
        batches.push(batch_of(now, now_ns));
        rest = later;
    }
    batches
}

/// All results of a history, and the refusals.
fn results(plan: &Plan, batches: Vec<Batch>) -> (Vec<Emitted>, [u64; ReadingRefusal::ALL.len()]) {
    let (mut front, mut rolling) = (Front::new(plan), RollingThrough::new(plan));
    let mut all = Vec::new();
    for batch in batches {
        all.extend(rolling.step(front.step(batch)).into_iter().flatten());
        assert_eq!(rolling.books().total().imbalance(), None);
    }
    all.extend(rolling.finish().into_iter().flatten());
    let total = rolling.books().total();
    assert_eq!(total.imbalance(), None);
    assert_eq!(total.in_open_panes, 0, "the end closes every pane");
    (all, total.readings.refused)
}

/// The model follows both devices as one source with six channels.
fn mapped(events: &[Event]) -> Vec<Event> {
    let as_channels = |event: &Event| {
        let shift = (event.device - 1) * CHANNELS;
        let samples = event.samples.iter().map(|&(c, at, v)| (c + shift, at, v)).collect();
        Event { samples, ..event.clone() }
    };
    events.iter().map(as_channels).collect()
}

/// Feeds the model as the batches feed the engine: what silence does is told at their ends.
fn model_of(events: &[Event], batches: &[Batch], setting: &Setting) -> Model {
    let mut model = Model::new(setting);
    let mut events = mapped(events).into_iter();
    for batch in batches {
        let frames = events.by_ref().take(batch.frames.heads.len());
        frames.for_each(|event| model.frame(&event, setting));
        model.quiet(batch.now_ns, setting);
    }
    model
}

proptest! {

    /// Every result is there once, in order, and is what a recompute over the raw history gives.
    #[test]
    fn results_equal_a_naive_recompute(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let events = history(&moves);
        let plan = plan(&setting);
        let batches = batches(&events, &cuts, 400 * MS);
        let mut model = model_of(&events, &batches, &setting);
        let (got, refused) = results(&plan, batches);
        for why in ReadingRefusal::ALL {
            let expected = model.refused.get(&why).copied().unwrap_or(0);
            prop_assert_eq!(refused[why as usize], expected, "{}", why.name());
        }
        let mut found: BTreeMap<(i64, u32, usize), Summary> = BTreeMap::new();
        for result in got {
            let key = (result.summary.end_ns, result.channel.index, result.window);
            prop_assert!(found.insert(key, result.summary).is_none(), "twice: {:?}", key);
        }
        for channel in 0..CHANNELS * DEVICES {
            for index in 0..setting.windows.len() {
                check_window(&model, &setting, &found, channel, index);
            }
        }
        found.retain(|(_, _, window), _| setting.windows.len() <= *window);
        model.exact.finish();
        model.exact.check(&found, setting.windows.len());
    }

    /// Where the input is cut into batches changes nothing.
    #[test]
    fn batching_changes_nothing(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        // Silence is told by batches, so it must not matter here.
        let setting = Setting { idle_ns: i64::MAX, ..setting };
        let events = history(&moves);
        let plan = plan(&setting);
        let whole = results(&plan, batches(&events, &[events.len().max(1)], 0));
        prop_assert_eq!(&results(&plan, batches(&events, &cuts, 0)), &whole);
        prop_assert_eq!(&results(&plan, batches(&events, &[1], 0)), &whole);
    }

    /// Percentiles in a snapshot are those that a replay gives, as far as their figures are as
    /// many: who is coarsened is decided at each pane there, and from one publication to the next
    /// here.
    #[test]
    fn snapshots_show_what_a_replay_gives(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let events = history(&moves);
        let plan = plan(&setting);
        let (all, _) = results(&plan, batches(&events, &cuts, 0));
        let all: BTreeMap<(i64, u32, usize), Emitted> = all
            .into_iter()
            .map(|r| ((r.summary.end_ns, r.channel.index, r.window), r))
            .collect();
        let (mut front, mut rolling) = (Front::new(&plan), Rolling::new(&plan, MS, 1));
        let batches = batches(&events, &cuts, 0);
        let shown = batches.into_iter().filter_map(|batch| rolling.step(front.step(batch)));
        for snapshot in shown.collect::<Vec<_>>() {
            for channel in 0..CHANNELS * DEVICES {
                for window in 0..setting.windows.len() {
                    let view = snapshot.channel(channel);
                    if let Some(summary) = view.summary(window) {
                        let Emitted { summary: replayed, condition, .. } =
                            &all[&(summary.end_ns, channel, window)];
                        let span = setting.windows[window].span_ns(summary.end_ns);
                        let shown = snapshot.condition(view.info, span.0, span.1);
                        // Of many changes a snapshot has forgotten more: it says nothing better.
                        let both = shown.zip(*condition).map(|(shown, said)| shown.worse(said));
                        prop_assert_eq!(shown, both);
                        let (got, expected) = (figures(&summary), figures(replayed));
                        prop_assert!(got == expected || setting.percentile_bytes < 1 << 30);
                        if got == expected {
                            prop_assert_eq!(ranked(&summary), ranked(replayed));
                        }
                    }
                }
            }
        }
    }

    /// A snapshot shows, for each window, the latest result there is.
    #[test]
    fn snapshots_show_the_latest_results(
        setting in setting(),
        moves in moves(),
        cuts in proptest::collection::vec(1..40_usize, 1..6),
    ) {
        let events = history(&moves);
        let plan = plan(&setting);
        let (mut front, mut rolling) = (Front::new(&plan), Rolling::new(&plan, MS, 1));
        let mut model = Model::new(&setting);
        let mapped = mapped(&events);
        let mut mapped = mapped.iter();
        for batch in batches(&events, &cuts, 400 * MS) {
            let frames = batch.frames.heads.len();
            let now_ns = batch.now_ns;
            mapped.by_ref().take(frames).for_each(|event| model.frame(event, &setting));
            model.quiet(now_ns, &setting);
            if let Some(snapshot) = rolling.step(front.step(batch)) {
                check_snapshot(&model, &snapshot, &setting);
            }
        }
        let last = rolling.finish().expect("a last snapshot");
        prop_assert_eq!(last.total.imbalance(), None);
        prop_assert_eq!(last.total.in_open_panes, 0);
    }
}

fn ranked(summary: &Summary) -> &[f64] {
    summary.values.as_ref().map_or(&[], |values| &values.percentiles)
}

fn figures(summary: &Summary) -> u8 {
    match summary.precision {
        Precision::Configured => u8::MAX,
        Precision::Coarsened(figures) => figures,
        Precision::Withheld => 0,
    }
}

/// Before the end: every instant the watermark reached; at the end: also the first instant after
/// the newest reading.
fn check_window(
    model: &Model,
    setting: &Setting,
    found: &BTreeMap<(i64, u32, usize), Summary>,
    channel: u32,
    index: usize,
) {
    let window = setting.windows[index];
    let Some(newest_ns) =
        model.kept.iter().filter(|kept| kept.channel == channel).map(|kept| kept.at_ns).max()
    else {
        assert!(found.keys().all(|(_, c, _)| *c != channel), "channel {channel} has no reading");
        return;
    };
    let flush_ns = (newest_ns.div_euclid(window.every_ns) + 1) * window.every_ns;
    let watermark_ns = model.watermark_ns.expect("readings move it");
    let instants = model.instants(channel, window);
    for end_ns in &instants {
        let key = (*end_ns, channel, index);
        let Some(got) = found.get(&key) else {
            assert!(watermark_ns.max(flush_ns) < *end_ns, "missing {key:?}");
            continue;
        };
        let expected = model.result(channel, window, *end_ns).expect("an instant has readings");
        expected.check(got, setting, &key);
    }
    for key in found.keys().filter(|(_, c, w)| *c == channel && *w == index) {
        assert!(instants.binary_search(&key.0).is_ok(), "made up: {key:?}");
    }
}

fn check_snapshot(model: &Model, snapshot: &Snapshot, setting: &Setting) {
    assert_eq!(snapshot.total.imbalance(), None);
    let watermark_ns = model.watermark_ns;
    for channel in 0..CHANNELS * DEVICES {
        let view = snapshot.channel(channel);
        for (index, window) in setting.windows.iter().enumerate() {
            let shown = view.summary(index);
            let Some(watermark_ns) = watermark_ns else {
                assert_eq!(shown, None);
                continue;
            };
            let end_ns = watermark_ns.div_euclid(window.every_ns) * window.every_ns;
            let context = (end_ns, channel, index);
            match (shown, model.result(channel, *window, end_ns)) {
                (Some(got), Some(expected)) => {
                    assert_eq!(got.end_ns, end_ns, "{context:?}");
                    expected.check(&got, setting, &context);
                }
                (None, None) => {}
                (got, expected) => panic!("{context:?}: {got:?} for {expected:?}"),
            }
        }
        for (number, shown) in model.exact.shown(channel, watermark_ns).into_iter().enumerate() {
            let context = (watermark_ns, channel, number);
            match (view.summary(setting.windows.len() + number), shown) {
                (Some(got), Some(expected)) => expected.check(&got, &context),
                (None, None) => {}
                (got, expected) => panic!("{context:?}: {got:?} for {expected:?}"),
            }
        }
        let live = view.live.map(|live| live.at_ns);
        let newest =
            model.kept.iter().filter(|kept| kept.channel == channel).map(|kept| kept.at_ns);
        assert_eq!(live, newest.max(), "latest of channel {channel}");
    }
}
