//! One reply's worth of channels, made in turns.
//!
//! A [`Walk`] goes through the selected channels of one snapshot in the order of their ids, a
//! [`Page`] takes as many as fit. A turn does a bounded amount of work, so that whoever drives
//! it can serve others in between.

mod header;

use std::{ops::Range, sync::Arc};

use serde_json::Serializer;

pub use self::header::{Header, HostClock};
use super::{
    channel::{ListLine, LiveLine},
    selection::{Selection, WindowChoice},
    summary::{empty_line, summary_line},
};
use crate::{
    engine::{
        Snapshot,
        snapshot::{ChannelInfo, ChannelView},
    },
    limits::{
        REPLY_BYTES_MAX, REPLY_ENVELOPE_BYTES, SERVE_BYTES_PER_TURN, SERVE_CHANNELS_PER_TURN,
    },
};

/// What is said about each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Summaries and the live state.
    Current(WindowChoice),
    /// What never changes.
    Directory,
}

/// Which channels are passed over because the client knows their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Number of the snapshot that the client has.
    pub seq: u64,
    /// When the client's states were judged, nanoseconds on the daemon's line.
    pub at_ns: i64,
}

/// What a reply says, whatever page of it.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Which channels.
    pub selection: &'a Selection,
    /// What about them.
    pub form: Form,
    /// Only what changed since.
    pub known: Option<Known>,
    /// Most channels on one page.
    pub limit: usize,
    /// When it is looked at, nanoseconds on the daemon's line.
    pub now_ns: i64,
}

/// Why a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Enough for now.
    Pause,
    /// The page is full, and the walk stands on a channel that belongs on the next.
    Full,
    /// No channel is left.
    End,
}

/// What came of looking for the next selected channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seek<'a> {
    /// This is it.
    Found(&'a Arc<ChannelInfo>),
    /// Not found yet.
    Pause,
    /// No channel is left.
    End,
}

/// A position in the selected channels of one snapshot.
#[derive(Debug)]
pub struct Walk<'a> {
    snapshot: &'a Snapshot,
    ranges: std::vec::IntoIter<Range<usize>>,
    range: Range<usize>,
}

impl<'a> Walk<'a> {
    /// Starts at the first selected channel whose id is at least `from`.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, selection: &Selection, from: &str) -> Self {
        Self { snapshot, ranges: selection.ranges(snapshot, from).into_iter(), range: 0..0 }
    }

    /// The channel that the walk stands on, selected or not, by its dense index.
    fn stand(&mut self) -> Option<u32> {
        while self.range.is_empty() {
            self.range = self.ranges.next()?;
        }
        Some(self.snapshot.directory.by_id()[self.range.start])
    }

    fn step(&mut self) {
        self.range.start += 1;
    }

    /// Id of the channel that the walk stands on: the `next` of a full page.
    pub fn next_id(&mut self) -> Option<&'a str> {
        self.stand().map(|index| &*self.snapshot.directory.info(index).id)
    }

    /// Looks at a bounded number of channels for the next that is selected, and leaves it behind.
    pub fn seek(&mut self, selection: &Selection) -> Seek<'a> {
        for _ in 0..SERVE_CHANNELS_PER_TURN {
            let Some(index) = self.stand() else { return Seek::End };
            self.step();
            let info = self.snapshot.directory.info(index);
            if selection.matches(&info.id) {
                return Seek::Found(info);
            }
        }
        Seek::Pause
    }

    /// Looks at a bounded number of channels for one that has a window of the choice.
    ///
    /// Returns what there is to know: `Some(true)` if there is one, `Some(false)` if channels
    /// are selected and none has it or nothing is selected at all, `None` to be asked again.
    pub fn finds_window(&mut self, selection: &Selection, choice: WindowChoice) -> Option<bool> {
        for _ in 0..SERVE_CHANNELS_PER_TURN {
            let Some(index) = self.stand() else { return Some(false) };
            self.step();
            let info = self.snapshot.directory.info(index);
            let has = || info.rules.all_windows().any(|window| choice.takes(&window));
            if selection.matches(&info.id) && has() {
                return Some(true);
            }
        }
        None
    }
}

/// Elements of the arrays of one reply, as JSON.
#[derive(Debug, Default)]
pub struct Page {
    summaries: Vec<u8>,
    channels: Vec<u8>,
    count: usize,
}

impl Page {
    /// Number of channels on the page.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes channels from the walk until the page is full, the walk is over or the turn is.
    ///
    /// A page takes one channel in any case, so that a walk of pages ends.
    pub fn turn(&mut self, walk: &mut Walk<'_>, ask: &Ask<'_>) -> Turn {
        let start = self.bytes();
        for _ in 0..SERVE_CHANNELS_PER_TURN {
            let Some(index) = walk.stand() else { return Turn::End };
            let snapshot = walk.snapshot;
            // Whether it changed is a number to look at, whether it is meant a text.
            let is_news = ask.known.is_none_or(|known| {
                let view = snapshot.channel(index);
                !is_known(view, known, ask.now_ns)
            });
            if is_news && ask.selection.matches(&snapshot.directory.info(index).id) {
                if self.count == ask.limit {
                    return Turn::Full;
                }
                let (summaries, channels) = (self.summaries.len(), self.channels.len());
                self.push(snapshot, snapshot.channel(index), ask);
                if self.count != 0 && REPLY_BYTES_MAX - REPLY_ENVELOPE_BYTES < self.bytes() {
                    self.summaries.truncate(summaries);
                    self.channels.truncate(channels);
                    return Turn::Full;
                }
                self.count += 1;
            }
            walk.step();
            if SERVE_BYTES_PER_TURN <= self.bytes() - start {
                break;
            }
        }
        Turn::Pause
    }

    fn bytes(&self) -> usize {
        self.summaries.len() + self.channels.len()
    }

    fn push(&mut self, snapshot: &Snapshot, view: ChannelView<'_>, ask: &Ask<'_>) {
        let choice = match ask.form {
            Form::Directory => {
                return element(&mut self.channels, &ListLine { view, now_ns: ask.now_ns });
            }
            Form::Current(choice) => choice,
        };
        let info = view.info;
        let watermark_ns = snapshot.watermarks.get(info.lane).copied().unwrap_or(i64::MIN);
        for (at, window) in info.rules.all_windows().enumerate() {
            if !choice.takes(&window) {
                continue;
            }
            let summary = view.summary(at);
            let line = match &summary {
                Some(summary) => Some(summary_line(info, &window, summary)),
                None => empty_line(info, &window, watermark_ns, view.begun_ns),
            };
            if let Some(line) = line {
                let (from_ns, until_ns) = line.span_ns();
                let condition = snapshot.condition(info, from_ns, until_ns);
                element(&mut self.summaries, &line.of(condition));
            }
        }
        let (now_ns, health) = (ask.now_ns, snapshot.health(info));
        element(&mut self.channels, &LiveLine { view, now_ns, health });
    }

    /// The reply, without terminator.
    #[must_use]
    pub fn reply(&self, form: Form, header: &Header<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes() + 512);
        header.open(&mut out);
        if form != Form::Directory {
            array(&mut out, ",\"summaries\":[", &self.summaries);
        }
        array(&mut out, ",\"channels\":[", &self.channels);
        header.close(&mut out);
        out
    }
}

fn is_known(view: ChannelView<'_>, known: Known, now_ns: i64) -> bool {
    // A channel that falls silent changes nothing in the engine: only its state tells.
    view.changed_seq <= known.seq && view.state(now_ns) == view.state(known.at_ns)
}

pub(super) fn element(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    if !out.is_empty() {
        out.push(b',');
    }
    let mut serializer = Serializer::new(out);
    value.serialize(&mut serializer).expect("memory takes every byte, and all keys are strings");
}

pub(super) fn array(out: &mut Vec<u8>, opening: &str, elements: &[u8]) {
    out.extend_from_slice(opening.as_bytes());
    out.extend_from_slice(elements);
    out.push(b']');
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::{
        engine::{
            directory::Listing, gallery::Gallery, snapshot::Live, summary::Flag, verdict::Tests,
            windows::Latest,
        },
        limits::SECOND,
        query::summary::tests::{figures, info},
    };

    /// Event time of everything in these snapshots.
    pub(crate) const AT_NS: i64 = 1_795_395_726 * SECOND;

    /// Channels whose snapshots a test determines.
    pub(crate) struct Scene {
        pub(crate) gallery: Gallery,
        listing: Listing,
        at_ns: i64,
        channels: u32,
    }

    impl Scene {
        /// Channels of which nothing is known.
        pub(crate) fn bare(ids: &[&str]) -> Self {
            Self::of((0..).zip(ids).map(|(index, id)| info(id, index)))
        }

        /// Such channels, of which nothing is known.
        pub(crate) fn of(infos: impl IntoIterator<Item = ChannelInfo>) -> Self {
            let (mut gallery, mut listing, mut channels) =
                (Gallery::default(), Listing::default(), 0);
            for info in infos {
                gallery.add(&info.rules);
                listing.add(Arc::new(info));
                channels += 1;
            }
            Self { gallery, listing, at_ns: AT_NS, channels }
        }

        /// Channels that each have a value and a summary of each window.
        pub(crate) fn at(ids: &[&str], at_ns: i64) -> Self {
            let mut scene = Self { at_ns, ..Self::bare(ids) };
            scene.change(0..scene.channels);
            for (channel, window) in (0..scene.channels).flat_map(|c| [(c, 0), (c, 1)]) {
                let figures = Some(figures(at_ns));
                let percentiles = &[62.7, 63.3];
                let latest = Latest { place: channel, window, figures, percentiles, details: &[] };
                scene.gallery.show_result(&latest);
            }
            scene
        }

        /// Makes these channels ones that have changed.
        pub(crate) fn change(&mut self, channels: impl IntoIterator<Item = u32>) {
            let at_ns = self.at_ns;
            let live = Live {
                value: 63.5,
                at_ns,
                arrived_ns: at_ns,
                flag: Flag::Pass,
                tests: Tests::NONE,
            };
            channels.into_iter().for_each(|channel| self.gallery.show_live(channel, live));
        }

        pub(crate) fn change_all(&mut self) {
            self.change(0..self.channels);
        }

        pub(crate) fn snapshot(&mut self, seq: u64) -> Snapshot {
            self.gallery.call(seq);
            Snapshot {
                seq,
                epoch: 3,
                at_ns: self.at_ns,
                directory: self.listing.publish(),
                parts: [self.gallery.publish()].into(),
                watermarks: vec![self.at_ns],
                ..Snapshot::default()
            }
        }
    }

    pub(crate) fn snapshot_of(ids: &[&str]) -> Snapshot {
        Scene::at(ids, AT_NS).snapshot(1)
    }

    fn ask(selection: &Selection) -> Ask<'_> {
        let form = Form::Current(WindowChoice::All);
        Ask { selection, form, known: None, limit: usize::MAX, now_ns: AT_NS }
    }

    fn header(next: Option<&str>) -> Header<'_> {
        let now_ns = AT_NS;
        let clock = HostClock { name: "synced", error_ms: Some(0.5) };
        Header { continues: false, epoch: 3, seq: 1, now_ns, clock, skipped: None, next }
    }

    /// Follows `next` to the end, as a client does.
    fn pages(snapshot: &Snapshot, ask: &Ask<'_>) -> Vec<Value> {
        let (mut pages, mut from) = (Vec::new(), String::new());
        loop {
            let (mut walk, mut page) = (Walk::new(snapshot, ask.selection, &from), Page::default());
            let next = loop {
                match page.turn(&mut walk, ask) {
                    Turn::Pause => {}
                    Turn::Full => break walk.next_id(),
                    Turn::End => break None,
                }
            };
            let reply = page.reply(ask.form, &header(next));
            assert!(reply.len() <= REPLY_BYTES_MAX);
            let reply: Value = serde_json::from_slice(&reply).expect("a reply is JSON");
            pages.push(reply["parameters"].clone());
            match next {
                Some(next) => from = next.to_owned(),
                None => return pages,
            }
        }
    }

    fn ids(pages: &[Value]) -> Vec<&str> {
        let channels = pages.iter().flat_map(|page| page["channels"].as_array().expect("array"));
        channels.map(|channel| channel["id"].as_str().expect("id")).collect()
    }

    #[test]
    fn five_thousand_channels_come_once_each_and_in_order() {
        let names: Vec<String> = (0..5_000).map(|i| format!("plant.{i:05}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let snapshot = snapshot_of(&names);
        let selection = Selection::default();
        let pages = pages(&snapshot, &ask(&selection));
        assert!(5 < pages.len(), "{} pages", pages.len());
        assert_eq!(ids(&pages), names);
        let summaries: usize =
            pages.iter().map(|page| page["summaries"].as_array().expect("array").len()).sum();
        assert_eq!(summaries, 2 * names.len(), "a channel is never parted from its summaries");
    }

    #[test]
    fn the_limit_cuts_pages_and_the_directory_has_no_summaries() {
        let snapshot = snapshot_of(&["a", "b", "c", "d", "e"]);
        let selection = Selection::default();
        let pages = pages(&snapshot, &Ask { limit: 2, form: Form::Directory, ..ask(&selection) });
        assert_eq!(pages.len(), 3);
        assert_eq!(ids(&pages), ["a", "b", "c", "d", "e"]);
        assert!(pages[0].get("summaries").is_none());
        assert_eq!(pages[0]["next"], "c");
    }

    #[test]
    fn next_is_named_only_when_something_follows() {
        let snapshot = snapshot_of(&["a", "b", "c", "x"]);
        let selection = Selection::new(["a", "b"]);
        let pages = pages(&snapshot, &Ask { limit: 2, ..ask(&selection) });
        assert_eq!(pages.len(), 1);
    }

    #[test]
    fn only_what_changed_is_said_again() {
        let mut scene = Scene::at(&["a", "b"], AT_NS);
        scene.snapshot(1);
        scene.change([1]);
        let snapshot = scene.snapshot(2);
        let selection = Selection::default();
        let known = |at_ns| Some(Known { seq: 1, at_ns });
        let changed = pages(&snapshot, &Ask { known: known(AT_NS), ..ask(&selection) });
        assert_eq!(ids(&changed), ["b"]);
        let later = Ask { known: known(AT_NS), now_ns: AT_NS + 10 * SECOND, ..ask(&selection) };
        assert_eq!(ids(&pages(&snapshot, &later)), ["a", "b"], "both went stale");
    }

    #[test]
    fn one_window_is_one_summary_and_a_missing_one_is_derived() {
        let mut scene = Scene::bare(&["a"]);
        scene.change([0]);
        let mut snapshot = scene.snapshot(1);
        let selection = Selection::default();
        let form = Form::Current(WindowChoice::Length(60 * SECOND));
        let reply = &pages(&snapshot, &Ask { form, ..ask(&selection) })[0];
        assert_eq!(reply["summaries"].as_array().expect("array").len(), 1);
        assert_eq!(reply["summaries"][0]["status"], "pending");
        snapshot.watermarks = vec![i64::MIN];
        let reply = &pages(&snapshot, &Ask { form, ..ask(&selection) })[0];
        assert_eq!(reply["summaries"].as_array().expect("array").len(), 0);
        assert_eq!(reply["channels"][0]["state"], "ok");
    }

    #[test]
    fn windows_are_looked_for_among_the_selected() {
        let snapshot = snapshot_of(&["a", "b"]);
        let selection = Selection::new(["a"]);
        let finds = |choice| Walk::new(&snapshot, &selection, "").finds_window(&selection, choice);
        assert_eq!(finds(WindowChoice::Length(SECOND)), Some(true));
        assert_eq!(finds(WindowChoice::Length(7)), Some(false));
    }
}
