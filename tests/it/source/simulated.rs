//! The built-in simulator in real time.

use std::sync::Arc;

use stillwell::{
    config::{
        self,
        model::{InputKind, SimulatorConfig},
    },
    limits::MS,
    simulate::{Player, Scenario},
};

use super::{Dir, Link, Running, input};

const SCENARIO: &str = r#"
format = "native"
duration = "250ms"

[[device]]
id = 7
count = 2
rate = 100
samples_per_frame = 2
[[device.channel]]
name = "t"
count = 3
waveform = { kind = "constant", value = 20 }
"#;

fn scenario() -> Arc<Scenario> {
    let dir = Dir::new();
    let path = dir.path("scenario.toml");
    std::fs::write(&path, SCENARIO).unwrap();
    Arc::new(config::load_scenario(&path).unwrap_or_else(|errors| panic!("{errors}")))
}

fn simulator(scenario: &Arc<Scenario>) -> InputKind {
    InputKind::Simulator(SimulatorConfig { scenario: Arc::clone(scenario), seed: 5 })
}

#[tokio::test]
async fn a_scenario_is_played_whole_at_its_own_times() {
    let scenario = scenario();
    let running = Running::start(input(simulator(&scenario)), 64);
    let line = running.line;
    let before_ns = line.now_ns();
    let seen = running.end().await;
    assert!(before_ns + 200 * MS <= line.now_ns(), "it took its time");

    let (mut frames, mut readings) = (0, 0);
    let mut player = Player::new(&scenario, 5, 0);
    while let Some(frame) = player.next() {
        frames += 1;
        readings += frame.readings;
    }
    assert!(40 <= frames, "{frames}");
    assert_eq!((seen.wire.frames_ok, seen.wire.refused_total()), (frames, 0));
    assert_eq!((seen.values, seen.shed), (readings, 0));
    assert_eq!(seen.transport.datagrams, frames);
    assert_eq!(seen.links.last(), Some(&Link::Ended(None)));
    let of_one = seen.heads.iter().filter(|head| head.device == 7);
    let arrivals: Vec<i64> = of_one.map(|head| head.arrived_ns).collect();
    assert!(arrivals.windows(2).all(|pair| pair[1] - pair[0] == 10 * MS), "{arrivals:?}");
}

#[tokio::test]
async fn a_scenario_hears_the_stop() {
    let mut endless = Scenario::clone(&scenario());
    endless.duration_ns = None;
    let mut running = Running::start(input(simulator(&Arc::new(endless))), 64);
    running.until("frames", |seen| 3 < seen.wire.frames_ok).await;
    running.stop().await;
}
