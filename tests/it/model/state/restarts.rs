//! Restarts with an outage, another clock, or another plan.

use super::*;
use stillwell::{
    engine::{ChannelKey, Unknown, batch::SocketDrops, snapshot::ChannelView, summary::Summary},
    wire::{DeviceClock, Frames, Head as FrameHead, Health, Sample, WireTally},
};

const BEGIN_NS: i64 = 1_700_000_000_000 * MS;
const SECOND: i64 = 1_000 * MS;

/// A channel for a device, found or configured, with one window of ten seconds each second.
fn plan() -> Plan {
    let window =
        |seconds: i64| stillwell::engine::Window { length_ns: seconds * SECOND, every_ns: SECOND };
    let setting = Setting {
        pane_ns: 100 * MS,
        lateness_ns: 0,
        future_ns: 2 * SECOND,
        windows: vec![window(10), window(60)],
        exact: Vec::new(),
        idle_ns: SECOND,
        figures: 2,
        percentile_bytes: 1 << 30,
    };
    let mut plan = super::super::plan(&setting);
    for channel in &mut plan.channels {
        channel.rules.expected_rate = Some(10.0);
        channel.rules.statistics.trust = true;
    }
    plan
}

/// Frames of device 1 from one instant to another, ten a second, each with a value of channel 0.
fn frames(from_ns: i64, until_ns: i64, first: u32) -> Batch {
    let (mut frames, mut wire) = (Frames::default(), WireTally::default());
    let count = (until_ns - from_ns) / (100 * MS);
    for n in 0..count {
        let at_ns = from_ns + n * 100 * MS;
        frames.heads.push(FrameHead {
            device: 1,
            boot: 1,
            sequence: Some(first + n as u32),
            first: false,
            health: Health::Good,
            clock: DeviceClock::Utc,
            time_error: 255,
            arrived_ns: at_ns,
            samples: 1,
            shed: false,
        });
        frames.samples.push(Sample { field: 0, at_ns, value: n as f64 });
        wire.accept(10, 1);
        wire.bytes_in += 10;
    }
    Batch { now_ns: until_ns, frames, wire, ..Batch::default() }
}

/// Ten seconds of readings, and the image of that.
fn ten_seconds(plan: &Plan) -> Arc<Image> {
    let mut engine = Engine::new(plan, 1, usize::MAX);
    let end_ns = BEGIN_NS + 10 * SECOND;
    let (sitting, given) = call();
    engine.take(end_ns, Some(frames(BEGIN_NS, end_ns, 0)), Some(sitting));
    (0..3).for_each(|_| engine.idle());
    Arc::new(Image::open(image_of(given.try_recv().expect("given"))).expect("whole"))
}

fn resumed(plan: &Plan, image: &Arc<Image>, now_ns: i64) -> Engine {
    let mut engine = Engine::resumed(plan, image, &terms(now_ns), 1);
    engine.take(now_ns, None, None);
    engine
}

fn summary(view: ChannelView<'_>, window: usize) -> Summary {
    view.summary(window).expect("it holds readings")
}

fn lost(image: &Image) -> Vec<(Misfit, u64)> {
    image.salvage().dropped().collect()
}

#[test]
fn a_window_that_reaches_over_an_outage_holds_what_came_before_and_after_it() {
    let plan = plan();
    let image = ten_seconds(&plan);
    let again_ns = BEGIN_NS + 30 * SECOND;
    let mut engine = resumed(&plan, &image, again_ns);
    let end_ns = again_ns + 11 * SECOND;
    engine.take(end_ns, Some(frames(again_ns, end_ns, 100)), None);
    let snapshot = engine.publish();
    assert_eq!(snapshot.total.imbalance(), None);
    assert_eq!((snapshot.total.readings.accepted, snapshot.total.sequence.lost()), (210, 0));
    let minute = summary(snapshot.channel(0), 1);
    assert_eq!(minute.n, 200, "all before {end_ns} but the last second: {minute:?}");
    assert_eq!((minute.n_expected, minute.coverage), (Some(600.0), Some(200.0 / 600.0)));
    let gap_ns = minute.trust().expect("it is kept").gap_ns;
    assert!(20 * SECOND < gap_ns && gap_ns < 31 * SECOND, "{gap_ns}");
    let short = summary(snapshot.channel(0), 0);
    assert_eq!((short.n, short.coverage), (100, Some(1.0)), "the outage is no part of it");
}

#[test]
fn drops_at_a_socket_that_outlives_the_engine_are_counted_once() {
    let plan = plan();
    let at = |cookie, count| Some(SocketDrops { cookie, count });
    let now_ns = BEGIN_NS + SECOND;
    let tells = |drops| Batch { now_ns, drops, ..Batch::default() };
    let mut engine = Engine::new(&plan, 1, usize::MAX);
    let (sitting, given) = call();
    engine.take(now_ns, Some(tells(at(5, 100))), None);
    engine.take(now_ns, Some(tells(at(5, 130))), Some(sitting));
    (0..3).for_each(|_| engine.idle());
    let image = Arc::new(Image::open(image_of(given.try_recv().expect("given"))).expect("whole"));
    // What came after the image is lost with the engine, and not with the counter.
    engine.take(now_ns, Some(tells(at(5, 150))), None);
    assert_eq!(engine.finish().total.transport.kernel_dropped, 150);
    let dropped = |line_goes_on, drops| {
        let terms = Terms { line_goes_on, ..terms(now_ns) };
        let mut engine = Engine::resumed(&plan, &image, &terms, 1);
        engine.take(now_ns, Some(tells(drops)), None);
        engine.finish().total.transport.kernel_dropped
    };
    assert_eq!(dropped(true, None), 130, "no socket yet");
    assert_eq!(dropped(true, at(5, 170)), 170, "the outage's are among them");
    assert_eq!(dropped(true, at(6, 7)), 137, "another socket");
    assert_eq!(dropped(false, at(5, 7)), 137, "another socket with the same number");
}

#[test]
fn after_an_outage_that_is_longer_than_any_window_they_are_empty() {
    let plan = plan();
    let image = ten_seconds(&plan);
    let again_ns = BEGIN_NS + 3_600 * SECOND;
    let mut engine = resumed(&plan, &image, again_ns);
    // The source says that nothing came: it has been silent all the time.
    engine.take(again_ns, Some(Batch { now_ns: again_ns, ..Batch::default() }), None);
    let snapshot = engine.publish();
    let view = snapshot.channel(0);
    assert_eq!((view.summary(0), view.summary(1)), (None, None));
    assert_eq!(view.live.expect("the last that came").at_ns, BEGIN_NS + 9_900 * MS);
    assert_eq!((snapshot.total.in_open_panes, snapshot.total.in_closed_panes), (0, 100));
    let end_ns = again_ns + 2 * SECOND;
    engine.take(end_ns, Some(frames(again_ns, end_ns, 100)), None);
    assert!(summary(engine.publish().channel(0), 1).n < 20, "none of before");
}

#[test]
fn where_the_clock_is_behind_windows_begin_anew_and_nothing_is_late() {
    let plan = plan();
    let image = ten_seconds(&plan);
    // After a reboot without a clock battery.
    let again_ns = 1_000 * SECOND;
    let mut engine = resumed(&plan, &image, again_ns);
    assert_eq!(lost(&image), [(Misfit::Ahead, 1 + 5)], "of all channels");
    let end_ns = again_ns + 5 * SECOND;
    // Some of before, and new ones.
    engine.take(end_ns, Some(frames(again_ns, end_ns, 90)), None);
    let snapshot = engine.publish();
    let total = &snapshot.total;
    let refused = total.readings.refused[stillwell::engine::ReadingRefusal::Duplicate as usize];
    assert_eq!((total.readings.accepted, refused, total.imbalance()), (140, 10, None));
    assert_eq!(total.readings.refused.iter().sum::<u64>(), 10, "none is late");
}

#[test]
fn of_another_plan_what_did_not_change_goes_on() {
    let mut plan = plan();
    let image = ten_seconds(&plan);
    let again_ns = BEGIN_NS + 11 * SECOND;
    let percentiles = [10.0, 20.0];
    plan.channels[0].rules.percentiles = percentiles.into();
    plan.channels[0].rules.stale_ns *= 2;
    plan.channels[1].rules.pane_ns /= 2;
    plan.channels[2].unit = Some("m".into());
    plan.channels[3].id = "other".into();
    plan.channels.pop();
    // Another place in the plan changes nothing.
    plan.channels.swap(0, 4);
    let mut engine = resumed(&plan, &image, again_ns);
    let snapshot = engine.publish();
    assert_eq!(image.salvage().channels(), 2);
    assert_eq!(lost(&image), [(Misfit::RulesChanged, 2), (Misfit::Gone, 2)]);
    let goes_on = summary(snapshot.find("d1.c0").expect("is there"), 1);
    let ranked = goes_on.values.expect("values").percentiles;
    assert_eq!((goes_on.n, ranked.len()), (90, 2), "up to the last whole second");
    assert_eq!(snapshot.find("d1.c1").expect("is there").summary(1), None);
    assert_eq!(snapshot.total.imbalance(), None);
}

#[test]
fn channels_that_were_found_are_found_again_as_far_as_the_caps_allow() {
    let mut plan = plan();
    plan.sources[0].unknown = Unknown::Discover { max: 10 };
    plan.channels.retain(|channel| matches!(channel.key, ChannelKey::Numbered { device: 2, .. }));
    let image = ten_seconds(&plan);
    let find = |plan: &Plan| {
        let image = Arc::new(Image::open(image.bytes().to_vec()).expect("whole"));
        let mut engine = resumed(plan, &image, BEGIN_NS + 11 * SECOND);
        let n = engine.publish().find("model.1.0").and_then(|view| Some(view.summary(1)?.n));
        (n, lost(&image))
    };
    assert_eq!(find(&plan), (Some(90), vec![]));
    plan.sources[0].unknown = Unknown::Discover { max: 0 };
    assert_eq!(find(&plan).1, [(Misfit::Gone, 1), (Misfit::Cardinality, 1)], "device and channel");
    plan.sources[0].unknown = Unknown::Reject;
    assert_eq!(find(&plan).1, [(Misfit::Gone, 2)]);
}

#[test]
fn a_recording_begins_anew() {
    let plan = plan();
    let image = ten_seconds(&plan);
    let again_ns = BEGIN_NS + 60 * SECOND;
    let terms = Terms { sources: vec![GoesOn::Ledger], ..terms(again_ns) };
    let mut engine = Engine::resumed(&plan, &image, &terms, 1);
    engine.take(again_ns, Some(frames(BEGIN_NS, BEGIN_NS + 10 * SECOND, 0)), None);
    let snapshot = engine.publish();
    assert_eq!(lost(&image), [(Misfit::Replayed, 6)]);
    assert_eq!(snapshot.total.readings.accepted, 200, "the ledger goes on: {:?}", snapshot.total);
    assert_eq!(snapshot.total.imbalance(), None);
}

#[test]
fn simulated_devices_count_from_the_beginning_and_windows_go_on() {
    let plan = plan();
    let again_ns = BEGIN_NS + 11 * SECOND;
    let resumed = |goes_on| {
        let image = ten_seconds(&plan);
        let terms = Terms { sources: vec![goes_on], ..terms(again_ns) };
        let mut engine = Engine::resumed(&plan, &image, &terms, 1);
        engine.take(again_ns, Some(frames(again_ns, again_ns + 4 * SECOND, 0)), None);
        let snapshot = engine.publish();
        assert_eq!(snapshot.total.imbalance(), None);
        (summary(snapshot.channel(0), 1).n, snapshot.total.readings.accepted)
    };
    let (n, accepted) = resumed(GoesOn::AllButDevices);
    assert!(100 < n && n <= 140, "{n}: from before and after");
    assert_eq!(accepted, 140);
    assert!(resumed(GoesOn::All).1 < 140, "a device has given some of the numbers before");
}
