//! Cost of publishing what changed, and of saying it on the query socket.
//!
//! `cargo bench --bench snapshot`; its arguments are those of benches/support.

mod support;

use std::{hint::black_box, io, mem::replace, sync::Arc};

use rand::{SeedableRng as _, rngs::ChaCha8Rng, seq::SliceRandom as _};
use stillwell::{
    engine::{
        ChannelKey, Rules, Snapshot, Window,
        calibration::Calibration,
        directory::Listing,
        gallery::Gallery,
        snapshot::{ChannelInfo, Live},
        summary::{Figures, Flag},
        verdict::Tests,
        windows::Latest,
    },
    limits::{MS, SECOND},
    query::{
        Selection, WindowChoice,
        page::{Ask, Form, Header, HostClock, Known, Page, Turn, Walk},
    },
};

use self::support::{Bench, Case, Table, Watch};

/// Time of the first publication.
const START_NS: i64 = 1_700_000_000 * SECOND;

/// Publications and replies of a round.
const PUBLICATIONS: u64 = 20;
const REPLIES: u64 = 20;

/// Everything that a daemon would show, without the engine behind it.
struct Stage {
    gallery: Gallery,
    listing: Listing,
    seq: u64,
}

fn main() -> io::Result<()> {
    let bench = Bench::from_arguments()?;
    let sizes: &[u32] =
        if bench.is_smoke() { &[10, 1_000] } else { &[10, 1_000, 100_000, 1_000_000] };
    let table = Table {
        title: "Publication of what changed",
        unit: "a change",
        labels: &["channels", "changed", "order"],
        notes: &["publication us", "longest", "with a reader"],
        beside_first: false,
    };
    let mut cases = Vec::new();
    for &channels in sizes {
        for thousandths in [1, 100, 1_000] {
            cases.extend([false, true].map(|random| publication(channels, thousandths, random)));
        }
    }
    bench.table(&table, &cases)?;
    let table = Table {
        title: "Replies of the query socket",
        unit: "a reply",
        labels: &["channels", "question"],
        notes: &["bytes"],
        ..table
    };
    bench.table(&table, &sizes.iter().flat_map(|channels| questions(*channels)).collect::<Vec<_>>())
}

/// What it costs to show a value and a summary of each channel that changed, and to publish them.
fn publication(channels: u32, thousandths: u32, random: bool) -> Case<'static> {
    let changed = (u64::from(channels) * u64::from(thousandths) / 1_000).max(1);
    let order = if random { "random" } else { "round-robin" };
    let labels = [channels.to_string(), changed.to_string(), order.to_owned()];
    let case = Case::new(labels, PUBLICATIONS * changed, move |items, watch| {
        let mut stage = Stage::new(channels);
        let which = which(channels, changed, random);
        publish(&mut stage, &which, (items / changed).max(1), watch);
    });
    case.rounds(3)
}

fn publish(stage: &mut Stage, which: &[u32], publications: u64, watch: &mut Watch) {
    let changed = which.len() as u64;
    let mut latest = stage.publish();
    // The first two find no buffers to take turns with.
    for _ in 0..2 {
        stage.change(which);
        drop(replace(&mut latest, stage.publish()));
    }
    let (mut best_ns, mut longest_ns, mut held_ns) = (i64::MAX, 0, i64::MAX);
    for _ in 0..publications {
        watch.time(changed, || {
            stage.change(which);
            let ((), ns) = Watch::aside(|| drop(replace(&mut latest, stage.publish())));
            best_ns = best_ns.min(ns);
            longest_ns = longest_ns.max(ns);
        });
    }
    for _ in 0..publications.min(5) {
        // What a reader holds is not written again: other buffers are made.
        let reader = replace(&mut latest, stage.publish());
        for _ in 0..2 {
            stage.change(which);
            let ((), ns) = Watch::aside(|| drop(replace(&mut latest, stage.publish())));
            held_ns = held_ns.min(ns);
        }
        drop(reader);
    }
    watch.note_all([best_ns, longest_ns, held_ns].map(|ns| ns as f64 / 1e3));
}

/// So many channels, evenly spread.
fn which(channels: u32, changed: u64, random: bool) -> Vec<u32> {
    let step = u64::from(channels) / changed;
    let channel = |at: u64| u32::try_from(at * step).expect("CHANNELS_MAX holds");
    let mut which: Vec<u32> = (0..changed).map(channel).collect();
    if random {
        which.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
    }
    which
}

/// What it costs to find channels and to write them as JSON.
fn questions(channels: u32) -> [Case<'static>; 6] {
    let second = WindowChoice::Length(SECOND);
    let one = format!("plant.{:07}.temperature", channels / 2);
    [
        ("Get of one channel", one, Form::Current(WindowChoice::All), false),
        ("Get of one page", "*".into(), Form::Current(second), false),
        ("Get *7.temperature, one page", "*7.temperature".into(), Form::Current(second), false),
        ("Get of what is not there", "*.nothing".into(), Form::Current(second), false),
        ("List of one page", "*".into(), Form::Directory, false),
        ("Watch, 1 % changed, one message", "*".into(), Form::Current(second), true),
    ]
    .map(|(name, pattern, form, news)| {
        let labels = [channels.to_string(), name.to_owned()];
        let case = Case::new(labels, REPLIES, move |replies, watch| {
            let mut stage = Stage::new(channels);
            stage.change(&(0..channels).collect::<Vec<_>>());
            let old = stage.publish();
            stage.change(&(0..channels).filter(|channel| channel % 100 == 7).collect::<Vec<_>>());
            let snapshot = stage.publish();
            let selection = Selection::new([&*pattern]);
            let known = news.then_some(Known { seq: old.seq, at_ns: old.at_ns });
            let now_ns = snapshot.at_ns;
            let ask = Ask { selection: &selection, form, known, limit: usize::MAX, now_ns };
            let mut bytes = 0;
            for _ in 0..replies {
                bytes = watch.time(1, || black_box(reply(&snapshot, &ask))).len();
            }
            watch.note_all([bytes as f64]);
        });
        case.rounds(3).counted_over(2)
    })
}

/// One reply, as the server makes it.
fn reply(snapshot: &Snapshot, ask: &Ask<'_>) -> Vec<u8> {
    let mut walk = Walk::new(snapshot, ask.selection, "");
    let mut page = Page::default();
    let next = loop {
        match page.turn(&mut walk, ask) {
            Turn::Pause => {}
            Turn::Full => break walk.next_id(),
            Turn::End => break None,
        }
    };
    let Snapshot { epoch, seq, .. } = *snapshot;
    let now_ns = ask.now_ns;
    let clock = HostClock { name: "synced", error_ms: None };
    let header = Header { continues: false, epoch, seq, now_ns, clock, skipped: None, next };
    page.reply(ask.form, &header)
}

impl Stage {
    fn new(channels: u32) -> Self {
        let window =
            |length_s: i64| Window { length_ns: length_s * SECOND, every_ns: length_s * 100 * MS };
        let rules = Rules {
            pane_ns: 100 * MS,
            lateness_ns: 0,
            future_ns: 2 * SECOND,
            windows: [window(1), window(10)].into(),
            exact: [].into(),
            percentiles: [].into(),
            figures: 2,
            resolution: 0.01,
            expected_rate: Some(10.0),
            stale_ns: 10 * SECOND,
            silent_ns: 60 * SECOND,
            statistics: stillwell::engine::statistics::Statistics::none(),
        };
        let (mut gallery, mut listing) = (Gallery::default(), Listing::default());
        for index in 0..channels {
            gallery.add(&rules);
            listing.add(Arc::new(ChannelInfo {
                id: format!("plant.{index:07}.temperature").into(),
                index,
                source: 0,
                source_name: "plant".into(),
                key: ChannelKey::Numbered { device: index, index: 0 },
                unit: Some("Cel".into()),
                discovered: true,
                lane: 0,
                calibration: Calibration::IDENTITY,
                rules: rules.clone(),
                fingerprint: 0,
            }));
        }
        Self { gallery, listing, seq: 0 }
    }

    fn now_ns(&self) -> i64 {
        START_NS + self.seq as i64 * 100 * MS
    }

    /// A new value and a new summary of the window of a second.
    fn change(&mut self, channels: &[u32]) {
        let now_ns = self.now_ns();
        let value = 20.0 + (self.seq % 13) as f64 * 0.01;
        let live = Live {
            value,
            at_ns: now_ns,
            arrived_ns: now_ns,
            flag: Flag::NotEvaluated,
            tests: Tests::NONE,
        };
        let figures = Figures {
            end_ns: now_ns,
            flags: [0, 10, 0, 0, 0],
            n: 10,
            mean: value,
            m2: 0.01,
            min: value - 0.1,
            max: value + 0.1,
            first: value,
            last: value,
            out_of_range: 0,
            overflow: 0,
            precision: stillwell::engine::bins::counting::Precision::Configured,
        };
        for &channel in channels {
            self.gallery.show_live(channel, live);
            let (figures, percentiles) = (Some(figures), &[][..]);
            let details = [].as_slice();
            let latest = Latest { place: channel, window: 0, figures, percentiles, details };
            self.gallery.show_result(&latest);
        }
    }

    fn publish(&mut self) -> Arc<Snapshot> {
        self.seq += 1;
        self.gallery.call(self.seq);
        Arc::new(Snapshot {
            seq: self.seq,
            epoch: 1,
            at_ns: self.now_ns(),
            directory: self.listing.publish(),
            parts: [self.gallery.publish()].into(),
            watermarks: vec![self.now_ns()],
            ..Snapshot::default()
        })
    }
}
