//! The player against a receiver that was written from the design alone.

mod receiver;

use self::receiver::receive;
use super::{
    FAULT_NAMES, Player, Scenario, Sent, Series, put_framed,
    scenario::{
        Channel, Device, Fault, FaultKind, LineFormat, STRANGER_CHANNEL, STRANGER_FIELD, Waveform,
    },
};
use crate::{
    limits::{MS, SECOND},
    wire::{
        Decoder, DeviceClock, FrameRefusal, Frames, Health, WireTally,
        decode::{Format, Framing, Naming},
        frame::ValueType,
        key::Key,
        text::TextOptions,
    },
};

const START_NS: i64 = 1_767_225_600 * SECOND;
const YEAR_NS: i64 = 365 * 86_400 * SECOND;

fn channel(name: &str, value_type: ValueType, waveform: Waveform) -> Channel {
    let (count, unit, noise, resolution) = (1, None, 0.5, Some(0.1));
    Channel { name: name.into(), count, unit, value_type, waveform, noise, resolution }
}

fn device(id: u32) -> Device {
    let sine = Waveform::Sine { offset: 60.0, amplitude: 5.0, period_ns: 60 * SECOND, phase: 0.0 };
    let walk = Waveform::RandomWalk { start: 1.0, step: 0.1, min: 0.0, max: 2.0 };
    let steps = Waveform::Steps { levels: vec![3.0, 200.0], dwell_ns: SECOND };
    let day = Waveform::Day { night: 0.0, noon: 900.0, sunrise_ns: 0, sunset_ns: 86_400 * SECOND };
    Device {
        id,
        count: 1,
        boot: 7,
        clock: DeviceClock::Utc,
        clock_skew_ppm: 20.0,
        clock_offset_ns: -3 * MS,
        rate_hz: 50.0,
        samples_per_frame: 4,
        phase: 0.0,
        time_error: 10,
        health: Health::Good,
        channels: vec![
            channel("flow", ValueType::I16, sine),
            channel("level", ValueType::I16, walk.clone()),
            channel("pressure", ValueType::F32, walk),
            channel("mode", ValueType::U8, steps),
            Channel { count: 3, ..channel("sun", ValueType::F64, day) },
        ],
        faults: Vec::new(),
    }
}

fn scenario(devices: Vec<Device>) -> Scenario {
    Scenario {
        format: LineFormat::Native,
        key: None,
        seed: 1,
        duration_ns: Some(40 * SECOND),
        devices,
        faults: Vec::new(),
    }
}

fn in_text(scenario: Scenario) -> Scenario {
    let devices = scenario.devices.into_iter().take(1);
    let devices = devices.map(|device| Device { samples_per_frame: 1, ..device }).collect();
    Scenario { format: LineFormat::Text, devices, ..scenario }
}

fn with_fault(kind: FaultKind, probability: f64) -> Scenario {
    let faults = vec![Fault { kind, probability }];
    Scenario { faults, ..scenario(vec![device(17), Device { phase: 0.3, ..device(18) }]) }
}

fn every_kind() -> [FaultKind; FAULT_NAMES.len()] {
    [
        FaultKind::Dropout { frames: 2 },
        FaultKind::Stuck { frames: 20 },
        FaultKind::Spike { size: 50.0 },
        FaultKind::Drift { per_second: 2.0, frames: 10 },
        FaultKind::Nan,
        FaultKind::Infinite,
        FaultKind::BadCrc,
        FaultKind::Truncation,
        FaultKind::Duplicate { distance: 3 },
        FaultKind::Reorder { distance: 3 },
        FaultKind::LateStamp { by_ns: 2 * YEAR_NS },
        FaultKind::FutureStamp { by_ns: YEAR_NS },
        FaultKind::ClockSkew { ppm: 200.0, frames: 10 },
        FaultKind::Burst { frames: 8 },
        FaultKind::Reset,
        FaultKind::UnknownDevice,
        FaultKind::UnknownChannel,
        FaultKind::Garbage,
    ]
}

fn all_faults(probability: f64) -> Scenario {
    let faults = every_kind().map(|kind| Fault { kind, probability }).to_vec();
    Scenario { faults, ..with_fault(FaultKind::Nan, 0.0) }
}

/// Plays to the end; the bytes as on the given transport, and the account.
fn play(scenario: &Scenario, seed: u64, framing: Framing) -> (Vec<(i64, Vec<u8>)>, Sent) {
    let mut player = Player::new(scenario, seed, START_NS);
    let mut played = Vec::new();
    while let Some(emission) = player.next() {
        let mut bytes = Vec::new();
        put_framed(scenario.format, framing, emission.bytes, &mut bytes);
        played.push((emission.at_ns, bytes));
    }
    (played, *player.sent())
}

fn assert_receiver_agrees(scenario: &Scenario, seed: u64) -> Sent {
    let (played, sent) = play(scenario, seed, Framing::Datagram);
    let bytes: usize = played.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!((sent.frames, sent.bytes), (played.len() as u64, bytes as u64));
    assert_eq!(sent.frames, sent.frames_ok + sent.frames_refused.iter().sum::<u64>());
    assert_eq!(sent.readings, sent.readings_accepted + sent.readings_refused.total());
    assert!(played.is_sorted_by_key(|(at_ns, _)| *at_ns), "in the order of time");
    let native = scenario.format == LineFormat::Native;
    for device_time in [false, true] {
        if device_time && !native {
            continue;
        }
        let lateness_ns = device_time.then_some(sent.lateness_needed_ns);
        let received = receive(scenario, &played, lateness_ns);
        let (accepted, refused) = match device_time {
            true => (sent.readings_accepted, sent.readings_refused),
            false => sent.by_arrival(),
        };
        let clue = format!("seed {seed}, device time {device_time}");
        assert_eq!(received.tally.frames_ok, sent.frames_ok, "{clue}");
        assert_eq!(received.tally.refused, sent.frames_refused, "{clue}");
        assert_eq!(received.tally.readings, sent.readings, "{clue}");
        assert_eq!(received.refused, refused, "{clue}");
        assert_eq!(received.accepted, accepted, "{clue}");
        assert_eq!(received.series, sent.sequence, "{clue}");
    }
    sent
}

#[test]
fn a_receiver_counts_what_the_player_says_it_must() {
    for seed in 1..=8 {
        for probability in [0.002, 0.05, 0.3, 1.0] {
            assert_receiver_agrees(&all_faults(probability), seed);
            assert_receiver_agrees(&in_text(all_faults(probability)), seed);
        }
    }
}

fn keyed(scenario: Scenario, byte: &str) -> Scenario {
    let key = Key::from_hex(&byte.repeat(32)).expect("a key");
    Scenario { key: Some(key), ..scenario }
}

#[test]
fn a_receiver_with_the_key_counts_the_same_and_one_with_another_takes_nothing() {
    for seed in 1..=3 {
        let plain = assert_receiver_agrees(&all_faults(0.05), seed);
        let sent = assert_receiver_agrees(&keyed(all_faults(0.05), "1f"), seed);
        // Where bytes are spoilt is drawn by the length of the frame, and so is what follows.
        assert_eq!(sent.frames_withheld > 0, plain.frames_withheld > 0);
        assert!(sent.faults.iter().all(|&n| n > 0), "{sent:?}");
    }
    let (played, sent) = play(&keyed(all_faults(0.05), "1f"), 1, Framing::Datagram);
    let [stranger, plain] = [keyed(all_faults(0.05), "f1"), all_faults(0.05)]
        .map(|receiver| receive(&receiver, &played, None).tally);
    for (tally, why) in [(stranger, FrameRefusal::Forged), (plain, FrameRefusal::Authentication)] {
        assert_eq!((tally.frames_ok, tally.refused[why as usize]), (0, sent.frames_ok));
    }
    let (played, sent) = play(&all_faults(0.05), 1, Framing::Datagram);
    let tally = receive(&keyed(all_faults(0.05), "1f"), &played, None).tally;
    assert_eq!(tally.refused[FrameRefusal::Unauthenticated as usize], sent.frames_ok);
}

#[test]
fn five_percent_of_every_fault_reach_every_count() {
    let sent = assert_receiver_agrees(&all_faults(0.03), 1);
    assert!(sent.faults.iter().all(|&n| n > 0), "{sent:?}");
    assert!(sent.readings_refused.named().iter().all(|&(_, n)| n > 0), "{sent:?}");
    let Series { lost, duplicate, reordered, resets } = sent.sequence;
    assert!([lost, duplicate, reordered, resets].iter().all(|&n| n > 0), "{sent:?}");
    assert_eq!(sent.frames_refused.iter().filter(|&&n| n > 0).count(), 3, "{sent:?}");
}

#[test]
fn each_fault_alone_shows_as_itself_and_as_nothing_else() {
    for kind in every_kind() {
        let sent = assert_receiver_agrees(&with_fault(kind, 0.02), 5);
        let began = sent.faults[kind.index()];
        assert!(began > 20, "{}: {began}", kind.name());
        assert_eq!(sent.faults.iter().sum::<u64>(), began, "{}", kind.name());
        let frame = u64::from(device(1).samples_per_frame) * 7;
        let mut want = Sent {
            readings_accepted: sent.readings - sent.readings_refused.total(),
            frames: sent.frames,
            bytes: sent.bytes,
            frames_ok: sent.frames,
            readings: sent.frames * frame,
            faults: sent.faults,
            lateness_needed_ns: sent.lateness_needed_ns,
            future_needed_ns: sent.future_needed_ns,
            ..Sent::default()
        };
        let refuse = |want: &mut Sent, name: &str| {
            let all = crate::wire::FrameRefusal::ALL;
            let why = all.iter().position(|why| why.name() == name).unwrap();
            want.frames_refused[why] = began;
            want.frames_ok -= began;
            want.readings -= began * frame;
        };
        match kind {
            FaultKind::Dropout { frames } => {
                let cut_short = began * u64::from(frames) - sent.frames_withheld;
                assert!(cut_short <= 2, "only at the end of the play: {cut_short}");
                want.frames_withheld = sent.frames_withheld;
                want.sequence.lost = sent.sequence.lost;
                assert!(sent.frames_withheld - sent.sequence.lost <= 4, "{sent:?}");
            }
            FaultKind::Nan | FaultKind::Infinite => {
                want.readings_refused.not_finite = began;
            }
            FaultKind::BadCrc => refuse(&mut want, "checksum"),
            FaultKind::Truncation => refuse(&mut want, "truncated"),
            FaultKind::Duplicate { .. } => {
                want.sequence.duplicate = began;
                want.readings_refused.duplicate = began * frame;
            }
            FaultKind::Reorder { .. } => want.sequence.reordered = began,
            FaultKind::LateStamp { .. } => want.readings_refused.late = began * frame,
            FaultKind::FutureStamp { .. } => want.readings_refused.future = began * frame,
            FaultKind::Reset => want.sequence.resets = began,
            FaultKind::UnknownDevice => {
                want.readings_refused.unknown_device = began;
                want.readings -= began * (frame - 1);
            }
            FaultKind::UnknownChannel => {
                want.readings_refused.unknown_channel = began;
                want.readings += began;
            }
            FaultKind::Garbage => refuse(&mut want, "magic"),
            FaultKind::Stuck { .. }
            | FaultKind::Spike { .. }
            | FaultKind::Drift { .. }
            | FaultKind::ClockSkew { .. }
            | FaultKind::Burst { .. } => {}
        }
        if matches!(kind, FaultKind::BadCrc | FaultKind::Truncation) {
            // The last frame of a device may be the broken one, which then leaves no gap.
            assert!(began - sent.sequence.lost <= 2, "{sent:?}");
            want.sequence.lost = sent.sequence.lost;
        }
        assert_eq!(sent, want, "{}", kind.name());
    }
}

#[test]
fn the_same_seed_plays_the_same_and_another_does_not() {
    for scenario in [all_faults(0.05), in_text(all_faults(0.05))] {
        let first = play(&scenario, 1, Framing::Stream);
        assert_eq!(first, play(&scenario, 1, Framing::Stream));
        assert_ne!(first.0, play(&scenario, 2, Framing::Stream).0);
    }
}

#[test]
fn another_device_leaves_the_others_as_they_are() {
    let of_17 = |scenario: &Scenario| {
        let mut player = Player::new(scenario, 3, START_NS);
        let mut frames = Vec::new();
        while let Some(emission) = player.next() {
            if emission.device == 17 {
                frames.push((emission.at_ns, emission.bytes.to_vec()));
            }
        }
        frames
    };
    let few = all_faults(0.05);
    let mut more = few.clone();
    more.devices.insert(0, Device { rate_hz: 333.0, ..device(4) });
    more.devices.push(Device { count: 5, ..device(19) });
    assert!(of_17(&few) == of_17(&more));
}

#[test]
fn golden_bytes() {
    let hash = |scenario: &Scenario, framing| {
        let (played, _) = play(scenario, 42, framing);
        let bytes: Vec<u8> = played.into_iter().flat_map(|(_, bytes)| bytes).collect();
        (bytes.len(), crate::wire::frame::crc32(&bytes))
    };
    let native = all_faults(0.02);
    assert_eq!(hash(&native, Framing::Datagram), (774_852, 2_283_462_500));
    assert_eq!(hash(&native, Framing::Stream), (783_010, 3_861_893_090));
    assert_eq!(hash(&in_text(native), Framing::Stream), (142_590, 3_081_316_845));
}

#[test]
fn a_stream_carries_the_same_frames_as_datagrams() {
    for scenario in [all_faults(0.05), in_text(all_faults(0.05))] {
        let (played, sent) = play(&scenario, 1, Framing::Stream);
        let options =
            TextOptions { naming: Naming { known: Vec::new(), discover: 100 }, timestamp: None };
        let format = match scenario.format {
            LineFormat::Native => Format::NATIVE,
            LineFormat::Text => Format::Text(options),
        };
        let mut decoder = Decoder::new(&format, Framing::Stream);
        let (mut frames, mut tally) = (Frames::default(), WireTally::default());
        for (at_ns, bytes) in &played {
            decoder.feed(bytes, *at_ns, &mut frames, &mut tally);
        }
        assert_eq!(tally.frames_ok, sent.frames_ok);
        assert_eq!(tally.refused, sent.frames_refused);
        assert_eq!(tally.readings, sent.readings);
        assert_eq!(decoder.buffered(), 0);
    }
}

#[test]
fn every_clock_and_type_plays() {
    let clocks = [
        DeviceClock::None,
        DeviceClock::SinceBoot,
        DeviceClock::UtcUnsynced,
        DeviceClock::Utc,
        DeviceClock::Tai,
    ];
    let mut all = all_faults(0.05);
    all.devices = clocks
        .iter()
        .zip(1..)
        .map(|(&clock, id)| Device {
            clock,
            channels: ValueType::ALL
                .map(|value_type| {
                    let noise = Waveform::Noise { mean: 0.0, stddev: 1e200 };
                    channel("x", value_type, noise)
                })
                .to_vec(),
            ..device(id)
        })
        .collect();
    let (played, sent) = play(&all, 1, Framing::Datagram);
    let mut decoder = Decoder::new(&Format::NATIVE, Framing::Datagram);
    let (mut frames, mut tally) = (Frames::default(), WireTally::default());
    for (at_ns, bytes) in &played {
        decoder.feed(bytes, *at_ns, &mut frames, &mut tally);
    }
    assert_eq!((tally.frames_ok, tally.readings), (sent.frames_ok, sent.readings));
    assert_eq!(tally.refused, sent.frames_refused);
    let blanks = frames
        .samples
        .iter()
        .filter(|sample| sample.field < u32::from(STRANGER_CHANNEL) && !sample.value.is_finite());
    // Those in frames that came again are among them, and so are those in late frames.
    assert_eq!(blanks.count() as u64, sent.readings_refused.not_finite);
}

#[test]
fn what_was_not_sent_does_not_count() {
    let all = scenario(vec![device(17)]);
    let mut player = Player::new(&all, 1, START_NS);
    for n in 0..10 {
        assert!(player.next().is_some());
        if n % 2 == 0 {
            player.unsent();
        }
    }
    let sent = *player.sent();
    assert_eq!((sent.frames, sent.sequence.lost), (5, 4));
    assert_eq!(sent, *player.sent());
}

#[test]
fn flaws_are_found_before_the_play() {
    let flaw = |change: &dyn Fn(&mut Scenario)| {
        let mut scenario = all_faults(0.05);
        change(&mut scenario);
        scenario.check().unwrap_err().to_string()
    };
    assert_eq!(all_faults(0.05).check(), Ok(()));
    assert_eq!(in_text(all_faults(0.05)).check(), Ok(()));
    assert_eq!(flaw(&|s| s.devices[1].id = 17), "device[1].id takes 17, which another device has");
    assert!(flaw(&|s| s.devices.clear()).contains("is missing"));
    assert!(flaw(&|s| s.devices[0].count = u32::MAX).contains("must stay below"));
    assert!(flaw(&|s| s.devices[0].count = 20_000).contains("in all, not 20001"));
    assert!(flaw(&|s| s.devices[0].rate_hz = f64::NAN).starts_with("device[0].rate_hz"));
    assert!(flaw(&|s| s.devices[0].rate_hz = 0.0).starts_with("device[0].rate_hz"));
    assert!(flaw(&|s| s.devices[0].samples_per_frame = 2_000).contains("bytes, the most is 9216"));
    assert!(flaw(&|s| s.devices[0].channels[4].count = 300).contains("not 304"));
    assert!(flaw(&|s| s.devices[0].channels[0].noise = -1.0).contains(".noise must not"));
    let text_with_key = |s: &mut Scenario| *s = keyed(in_text(s.clone()), "1f");
    assert!(flaw(&text_with_key).starts_with("key_file is for native frames"));
    assert!(flaw(&|s| s.faults[3].probability = 1.5).starts_with("fault[3].probability"));
    let text = |name: &'static str| {
        flaw(&move |s| {
            *s = in_text(s.clone());
            s.devices[0].channels[0].name = name.into();
        })
    };
    assert!(text("9").contains("has the name `9`"));
    assert!(text(STRANGER_FIELD).contains("has the name `stranger`"));
    assert!(text("level").contains("has the field `level` twice"));
}
