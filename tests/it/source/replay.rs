//! Recorded files.

use std::path::PathBuf;

use stillwell::{
    config::model::{InputKind, ReplayConfig},
    limits::{MS, SECOND},
    wire::log::{LOG_HEADER, write_line},
};

use super::{Account, Dir, FrameRefusal, Link, Running, frame, input, stuffed};

fn replay(path: PathBuf, paced: bool) -> InputKind {
    InputKind::Replay(ReplayConfig { path, interval_ns: 20 * MS, paced })
}

async fn play(dir: &Dir, contents: impl AsRef<[u8]>, paced: bool) -> Account {
    let path = dir.path("log");
    std::fs::write(&path, contents).unwrap();
    Running::start(input(replay(path, paced)), 1).end().await
}

fn arrivals(seen: &Account) -> Vec<i64> {
    seen.heads.iter().map(|head| head.arrived_ns).collect()
}

#[tokio::test]
async fn a_log_goes_through_whole_with_its_own_times() {
    let dir = Dir::new();
    let mut log = format!("{LOG_HEADER}\n");
    write_line(0, b"", &mut log);
    for sequence in 0..3_000 {
        write_line(i64::from(sequence) * SECOND, &frame(sequence, 10), &mut log);
    }
    let seen = play(&dir, log, false).await;
    assert_eq!(seen.links.last(), Some(&Link::Ended(None)));
    assert_eq!(seen.sequences(), (0..3_000).collect::<Vec<_>>());
    assert_eq!((seen.values, seen.shed), (30_000, 0), "the queue of one batch is waited for");
    assert_eq!(seen.transport.datagrams, 3_000);
    assert_eq!(arrivals(&seen), (0..3_000).map(|n| n * SECOND).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_paced_log_starts_now_and_keeps_its_distances() {
    let dir = Dir::new();
    let mut log = format!("{LOG_HEADER}\n");
    for (sequence, at_ns) in [1_000, 1_000 + 30 * MS, 1_000 + 45 * MS].into_iter().enumerate() {
        write_line(at_ns, &frame(u32::try_from(sequence).unwrap(), 1), &mut log);
    }
    let line = super::Line::anchored();
    let before_ns = line.now_ns();
    let seen = play(&dir, log, true).await;
    assert!(before_ns + 45 * MS <= line.now_ns(), "it took its time");
    let arrivals = arrivals(&seen);
    assert!(before_ns - SECOND < arrivals[0], "{before_ns} {arrivals:?}");
    assert_eq!(arrivals[1] - arrivals[0], 30 * MS);
    assert_eq!(arrivals[2] - arrivals[1], 15 * MS);
}

#[tokio::test]
async fn a_log_of_a_stream_may_cut_frames_anywhere() {
    let dir = Dir::new();
    let bytes: Vec<u8> = (0..10).flat_map(|sequence| stuffed(sequence, 1)).collect();
    let mut log = format!("{LOG_HEADER} stream\n");
    for (at_ns, piece) in (0..).zip(bytes.chunks(7)) {
        write_line(at_ns, piece, &mut log);
    }
    let seen = play(&dir, log, false).await;
    assert_eq!(seen.sequences(), (0..10).collect::<Vec<_>>());
    assert_eq!(seen.transport.datagrams, 0);
}

#[tokio::test]
async fn a_raw_file_is_given_times_an_interval_apart() {
    let dir = Dir::new();
    let mut bytes: Vec<u8> = (0..10).flat_map(|sequence| stuffed(sequence, 1)).collect();
    bytes.extend(&stuffed(10, 1)[..9]);
    let seen = play(&dir, bytes, false).await;
    assert_eq!(seen.sequences(), (0..10).collect::<Vec<_>>());
    assert_eq!(arrivals(&seen), (1..=10).map(|n| n * 20 * MS).collect::<Vec<_>>());
    assert_eq!(seen.refused(FrameRefusal::Partial), 1);
    assert_eq!(seen.links.last(), Some(&Link::Ended(None)));
}

#[tokio::test]
async fn a_damaged_log_is_played_up_to_the_damage() {
    let dir = Dir::new();
    let mut log = format!("{LOG_HEADER}\n");
    write_line(5, &frame(0, 1), &mut log);
    let seen = play(&dir, log.clone() + "6 damage\n", false).await;
    let Some(Link::Ended(Some(reason))) = seen.links.last() else { panic!("{:?}", seen.links) };
    assert!(reason.contains("line 3: "), "{reason}");
    assert_eq!(seen.sequences(), [0]);
}

#[tokio::test]
async fn a_missing_file_is_named_and_tried_again() {
    let dir = Dir::new();
    let path = dir.path("later.log");
    let mut running = Running::start(input(replay(path.clone(), false)), 4);
    let reason = running.down().await;
    assert!(reason.contains("later.log"), "{reason}");
    let whole = dir.path("whole.log");
    std::fs::write(&whole, stuffed(3, 1)).unwrap();
    std::fs::rename(whole, path).unwrap();
    let seen = running.end().await;
    assert_eq!(seen.sequences(), [3]);
}

#[tokio::test]
async fn a_replay_that_waits_for_its_time_hears_the_stop() {
    let dir = Dir::new();
    let mut log = format!("{LOG_HEADER}\n");
    write_line(0, &frame(0, 1), &mut log);
    write_line(1_000_000_000_000_000, &frame(1, 1), &mut log);
    let path = dir.path("log");
    std::fs::write(&path, log).unwrap();
    let mut running = Running::start(input(replay(path, true)), 4);
    running.until("the first frame", |seen| seen.sequences() == [0]).await;
    let seen = running.stop().await;
    assert_eq!(seen.sequences(), [0]);
}
