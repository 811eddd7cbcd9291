//! Cost of publishing what changed, and of saying it on the query socket.
//!
//! `cargo bench --bench snapshot` prints tables; `cargo bench --bench snapshot -- --test` runs
//! each row once, to see that it runs. Times are those of the process's own CPU, best and worst
//! of several rounds, because machines are noisy; compare ratios within one run.

use std::{
    io::{self, Write},
    mem::replace,
    sync::Arc,
};

use stillwell::{
    daemon::clock::cpu_ns,
    engine::{
        ChannelKey, Rules, Snapshot, Window,
        directory::Listing,
        gallery::Gallery,
        snapshot::{ChannelInfo, Live},
        summary::{Figures, Flag},
    },
    limits::{MS, SECOND},
    query::{
        Selection, WindowChoice,
        page::{Ask, Form, Header, Known, Page, Turn, Walk},
    },
};

/// Time of the first publication.
const START_NS: i64 = 1_700_000_000 * SECOND;

/// Everything that a daemon would show, without the engine behind it.
struct Stage {
    gallery: Gallery,
    listing: Listing,
    seq: u64,
}

fn main() -> io::Result<()> {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let mut out = io::stdout().lock();
    let sizes: &[u32] = if smoke { &[10, 1_000] } else { &[10, 1_000, 100_000, 1_000_000] };
    let rounds = if smoke { 1 } else { 20 };
    writeln!(out, "            changed    ns a change  publication, us")?;
    writeln!(out, "channels  a publication       best     best    worst  with a reader")?;
    for &channels in sizes {
        for thousandths in [1, 100, 1_000] {
            publish(&mut out, channels, thousandths, rounds)?;
        }
    }
    writeln!(out)?;
    writeln!(out, "channels  question                              us (best)      bytes")?;
    for &channels in sizes {
        serialize(&mut out, channels, rounds)?;
    }
    Ok(())
}

/// What it costs to show a value and a summary of each channel that changed, and to publish them.
fn publish(out: &mut impl Write, channels: u32, thousandths: u32, rounds: usize) -> io::Result<()> {
    let mut stage = Stage::new(channels);
    let changed = (u64::from(channels) * u64::from(thousandths) / 1_000).max(1);
    let step = u64::from(channels) / changed;
    let mut latest = stage.publish();
    let (mut shown_ns, mut best_ns, mut worst_ns, mut held_ns) = (i64::MAX, i64::MAX, 0, i64::MAX);
    for round in 0..rounds + 2 {
        let before_ns = cpu_ns();
        stage.change(which(changed, step));
        let filled_ns = cpu_ns();
        drop(replace(&mut latest, stage.publish()));
        let done_ns = cpu_ns();
        // The first two find no buffers to take turns with.
        if 2 <= round {
            shown_ns = shown_ns.min(done_ns - before_ns);
            best_ns = best_ns.min(done_ns - filled_ns);
            worst_ns = worst_ns.max(done_ns - filled_ns);
        }
    }
    for _ in 0..rounds.min(5) {
        // What a reader holds is not written again: other buffers are made.
        let reader = replace(&mut latest, stage.publish());
        for _ in 0..2 {
            stage.change(which(changed, step));
            let before_ns = cpu_ns();
            drop(replace(&mut latest, stage.publish()));
            held_ns = held_ns.min(cpu_ns() - before_ns);
        }
        drop(reader);
    }
    let us = |ns: i64| ns as f64 / 1e3;
    let each_ns = shown_ns as f64 / changed as f64;
    writeln!(
        out,
        "{channels:>8}  {changed:>13}  {each_ns:>9.1}  {:>7.1}  {:>7.1}  {:>13.1}",
        us(best_ns),
        us(worst_ns),
        us(held_ns)
    )
}

/// So many channels, evenly spread.
fn which(changed: u64, step: u64) -> impl Iterator<Item = u32> {
    (0..changed).map(move |at| u32::try_from(at * step).expect("CHANNELS_MAX holds"))
}

/// What it costs to find channels and to write them as JSON.
fn serialize(out: &mut impl Write, channels: u32, rounds: usize) -> io::Result<()> {
    let mut stage = Stage::new(channels);
    stage.change(0..channels);
    let old = stage.publish();
    stage.change((0..channels).filter(|channel| channel % 100 == 7));
    let snapshot = stage.publish();
    let one = format!("plant.{:07}.temperature", channels / 2);
    let second = WindowChoice::Length(SECOND);
    let known = Known { seq: old.seq, at_ns: old.at_ns };
    for (name, pattern, form, known) in [
        ("Get of one channel", &*one, Form::Current(WindowChoice::All), None),
        ("Get of one page", "*", Form::Current(second), None),
        ("Get *7.temperature, one page", "*7.temperature", Form::Current(second), None),
        ("Get of what is not there", "*.nothing", Form::Current(second), None),
        ("List of one page", "*", Form::Directory, None),
        ("Watch, 1 % changed, one message", "*", Form::Current(second), Some(known)),
    ] {
        let selection = Selection::new([pattern]);
        let now_ns = snapshot.at_ns;
        let ask = Ask { selection: &selection, form, known, limit: usize::MAX, now_ns };
        let (mut best_ns, mut bytes) = (i64::MAX, 0);
        for _ in 0..rounds {
            let before_ns = cpu_ns();
            let reply = reply(&snapshot, &ask);
            best_ns = best_ns.min(cpu_ns() - before_ns);
            bytes = reply.len();
        }
        let us = best_ns as f64 / 1e3;
        writeln!(out, "{channels:>8}  {name:<36}  {us:>9.1}  {bytes:>9}")?;
    }
    Ok(())
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
    let clock = "synced";
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
            percentiles: [].into(),
            figures: 2,
            resolution: 0.01,
            expected_rate: Some(10.0),
            stale_ns: 10 * SECOND,
            silent_ns: 60 * SECOND,
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
                rules: rules.clone(),
            }));
        }
        Self { gallery, listing, seq: 0 }
    }

    fn now_ns(&self) -> i64 {
        START_NS + self.seq as i64 * 100 * MS
    }

    /// A new value and a new summary of the window of a second.
    fn change(&mut self, channels: impl Iterator<Item = u32>) {
        let now_ns = self.now_ns();
        let value = 20.0 + (self.seq % 13) as f64 * 0.01;
        let live = Live { value, at_ns: now_ns, arrived_ns: now_ns, flag: Flag::NotEvaluated };
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
            precision: stillwell::engine::bins::counting::Precision::Configured,
        };
        for channel in channels {
            self.gallery.show_live(channel, live);
            self.gallery.show_summary(channel, 0, Some(figures), &[]);
        }
    }

    fn publish(&mut self) -> Arc<Snapshot> {
        self.seq += 1;
        Arc::new(Snapshot {
            seq: self.seq,
            epoch: 1,
            at_ns: self.now_ns(),
            directory: self.listing.publish(),
            parts: [self.gallery.publish(self.seq)].into(),
            watermarks: vec![self.now_ns()],
            ..Snapshot::default()
        })
    }
}
