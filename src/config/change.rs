//! What a new configuration changes of the one that is running.
//!
//! A reload says it before it is done, `stillwell check --against` without doing it. Sources and
//! channels are known by their names. A source whose port is as it was reads on; a channel goes on
//! with its windows unless it is aggregated, calibrated or read otherwise, by the same fingerprint
//! as over a restart (`docs/state.md`).

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    mem::discriminant,
    sync::Arc,
};

use super::{Config, DaemonConfig, InputConfig, InputKind};
use crate::engine::{
    ChannelPlan, Plan, Rules, SourcePlan, image::fingerprint::in_plan, statistics::plan::Grades,
};

/// What becomes of everything that is or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Sources by name: first those of the new configuration, in its order, then those that end.
    pub sources: Vec<(Arc<str>, SourceFate)>,
    /// Sources whose discovered channels are treated otherwise than before.
    pub discovering: Vec<Arc<str>>,
    /// Configured channels by id, in the same order.
    pub channels: Vec<(Arc<str>, ChannelFate)>,
    /// Settings of the process that have to wait for its next start.
    pub later: Vec<&'static str>,
}

/// What becomes of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFate {
    /// It reads on.
    Kept,
    /// It reads on, and what it reads is taken for something else.
    Redecoded,
    /// It ends and begins anew, since it reads from something else, or otherwise.
    Restarted,
    /// It begins.
    Added,
    /// It ends.
    Removed,
}

/// What becomes of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelFate {
    /// It is as it was.
    Kept,
    /// Its windows go on, and these are other.
    Adjusted(Vec<Part>),
    /// Its windows begin anew, because these are other.
    Renewed(Vec<Part>),
    /// It begins.
    Added,
    /// It ends.
    Removed,
}

/// What there is to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The source, or its place in the frames of that.
    Place,
    /// Unit.
    Unit,
    /// Calibration and conversion.
    Calibration,
    /// Panes, windows, and what is late or too early.
    Windows,
    /// Percentiles and the bins behind them.
    Percentiles,
    /// What summaries say besides.
    Statistics,
    /// Quality tests.
    Tests,
    /// What makes it stale or silent, and what summaries are judged by.
    Thresholds,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Place => "where it is found",
            Self::Unit => "unit",
            Self::Calibration => "calibration",
            Self::Windows => "windows",
            Self::Percentiles => "percentiles",
            Self::Statistics => "statistics",
            Self::Tests => "tests",
            Self::Thresholds => "thresholds",
        }
    }
}

impl Change {
    /// What changes from `old` to `new`.
    #[must_use]
    pub fn between(old: &Config, new: &Config) -> Self {
        Self {
            sources: sources(old, new),
            discovering: discovering(&old.plan, &new.plan),
            channels: channels(&old.plan, &new.plan),
            later: later(&old.daemon, &new.daemon),
        }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let Self { sources, discovering, channels, later } = self;
        sources.iter().all(|(_, fate)| *fate == SourceFate::Kept)
            && channels.iter().all(|(_, fate)| *fate == ChannelFate::Kept)
            && discovering.is_empty()
            && later.is_empty()
    }

    /// How many channels have a fate of this kind.
    fn count(&self, is: impl Fn(&ChannelFate) -> bool) -> usize {
        self.channels.iter().filter(|(_, fate)| is(fate)).count()
    }

    /// One line: how many of what.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        for (fate, words) in [
            (SourceFate::Kept, "kept"),
            (SourceFate::Redecoded, "decoded otherwise"),
            (SourceFate::Restarted, "restarted"),
            (SourceFate::Added, "added"),
            (SourceFate::Removed, "removed"),
        ] {
            let n = self.sources.iter().filter(|(_, other)| *other == fate).count();
            parts.extend((0 < n).then(|| format!("{n} {words}")));
        }
        let sources = listed(&parts);
        let parts = [
            (self.count(|fate| matches!(fate, ChannelFate::Kept)), "kept"),
            (self.count(|fate| matches!(fate, ChannelFate::Adjusted(_))), "adjusted"),
            (self.count(|fate| matches!(fate, ChannelFate::Renewed(_))), "begun anew"),
            (self.count(|fate| matches!(fate, ChannelFate::Added)), "added"),
            (self.count(|fate| matches!(fate, ChannelFate::Removed)), "removed"),
        ];
        let parts = parts.into_iter().filter(|(n, _)| 0 < *n);
        let parts: Vec<String> = parts.map(|(n, words)| format!("{n} {words}")).collect();
        let channels = listed(&parts);
        format!("sources: {sources}; channels: {channels}")
    }
}

/// With a line for each source and channel that is not kept as it is.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sources, discovering, channels, later } = self;
        writeln!(f, "{}", self.summary())?;
        for (name, fate) in sources.iter().filter(|(_, fate)| *fate != SourceFate::Kept) {
            writeln!(f, "  source {name}: {fate}")?;
        }
        for name in discovering {
            writeln!(f, "  discovered channels of {name}: under other rules")?;
        }
        for (id, fate) in channels.iter().filter(|(_, fate)| *fate != ChannelFate::Kept) {
            writeln!(f, "  {id}: {fate}")?;
        }
        for key in later {
            writeln!(f, "  `{key}` of [daemon]: at the next start")?;
        }
        Ok(())
    }
}

impl fmt::Display for SourceFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            Self::Redecoded => "reads on, decoded otherwise",
            Self::Restarted => "restarted",
            Self::Added => "added",
            Self::Removed => "removed",
        })
    }
}

impl fmt::Display for ChannelFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, parts) = match self {
            Self::Kept => return f.write_str("kept"),
            Self::Added => return f.write_str("added"),
            Self::Removed => return f.write_str("removed"),
            Self::Adjusted(parts) => ("goes on", parts),
            Self::Renewed(parts) => ("begins anew", parts),
        };
        let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
        write!(f, "{words}, changed: {}", names.join(", "))
    }
}

fn listed(parts: &[String]) -> String {
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

impl SourceFate {
    /// Whether the source that runs goes on.
    #[must_use]
    pub fn reads_on(self) -> bool {
        matches!(self, Self::Kept | Self::Redecoded)
    }

    /// What becomes of an input of which there is one of the same name.
    #[must_use]
    pub fn of(old: &InputConfig, new: &InputConfig) -> Self {
        let is_same_port = old.kind == new.kind && old.on_full == new.on_full;
        let is_alike = discriminant(&old.format) == discriminant(&new.format);
        // A recording is cut by its format.
        let is_replay = matches!(new.kind, InputKind::Replay(_));
        match (is_same_port && is_alike, old.format == new.format) {
            (true, true) => Self::Kept,
            (true, false) if !is_replay => Self::Redecoded,
            _ => Self::Restarted,
        }
    }
}

fn sources(old: &Config, new: &Config) -> Vec<(Arc<str>, SourceFate)> {
    let find = |all: &'_ [InputConfig], name: &str| all.iter().position(|it| *it.name == *name);
    let fate = |input: &InputConfig| match find(&old.inputs, &input.name) {
        Some(at) => SourceFate::of(&old.inputs[at], input),
        None => SourceFate::Added,
    };
    let there = new.inputs.iter().map(|input| (Arc::clone(&input.name), fate(input)));
    let gone = old.inputs.iter().filter(|input| find(&new.inputs, &input.name).is_none());
    there.chain(gone.map(|input| (Arc::clone(&input.name), SourceFate::Removed))).collect()
}

fn discovering(old: &Plan, new: &Plan) -> Vec<Arc<str>> {
    let rules = |source: &SourcePlan| {
        let SourcePlan { unknown, discovered, qc, patterns, .. } = source;
        text(&(unknown, discovered, qc, patterns))
    };
    let known: BTreeMap<&str, String> =
        old.sources.iter().map(|source| (&*source.name, rules(source))).collect();
    let other = new
        .sources
        .iter()
        .filter(|source| known.get(&*source.name).is_some_and(|old| *old != rules(source)));
    other.map(|source| Arc::clone(&source.name)).collect()
}

fn channels(old: &Plan, new: &Plan) -> Vec<(Arc<str>, ChannelFate)> {
    let by_id = |plan: &Plan| -> BTreeMap<Arc<str>, usize> {
        (0..).zip(&plan.channels).map(|(at, channel)| (Arc::clone(&channel.id), at)).collect()
    };
    let (before, after) = (by_id(old), by_id(new));
    let fate = |channel: &ChannelPlan| match before.get(&channel.id) {
        Some(at) => fate((old, &old.channels[*at]), (new, channel)),
        None => ChannelFate::Added,
    };
    let there = new.channels.iter().map(|channel| (Arc::clone(&channel.id), fate(channel)));
    let gone = old.channels.iter().filter(|channel| !after.contains_key(&channel.id));
    there.chain(gone.map(|channel| (Arc::clone(&channel.id), ChannelFate::Removed))).collect()
}

fn fate(old: (&Plan, &ChannelPlan), new: (&Plan, &ChannelPlan)) -> ChannelFate {
    let parts: Vec<Part> = parts(old)
        .into_iter()
        .zip(parts(new))
        .filter(|((_, old), (_, new))| old != new)
        .map(|((part, _), _)| part)
        .collect();
    let goes_on = in_plan(old.0, old.1) == in_plan(new.0, new.1);
    match (parts.is_empty(), goes_on) {
        (true, true) => ChannelFate::Kept,
        (_, true) => ChannelFate::Adjusted(parts),
        (_, false) => ChannelFate::Renewed(parts),
    }
}

/// What there is to a channel, part by part in words that tell what differs apart. Places in the
/// plan are not among them: other channels and sources go in by what they are called.
fn parts((plan, channel): (&Plan, &ChannelPlan)) -> [(Part, String); 8] {
    let ChannelPlan { source, key, unit, calibration, conversion, qc, rules, .. } = channel;
    let Rules { pane_ns, lateness_ns, future_ns, windows, exact, .. } = rules;
    let Rules { percentiles, figures, resolution, .. } = rules;
    let Rules { expected_rate, stale_ns, silent_ns, statistics, .. } = rules;
    let mut besides = statistics.clone();
    if !besides.is_kept() {
        besides.max_hold_ns = 0;
    }
    let grades = std::mem::replace(&mut besides.grades, Grades::DEFAULT);
    [
        (Part::Place, text(&(&plan.sources[*source].name, key))),
        (Part::Unit, text(unit)),
        (
            Part::Calibration,
            text(&(
                calibration.with_junctions_renumbered(),
                conversion,
                plan.junctions_of(channel),
            )),
        ),
        (Part::Windows, text(&(pane_ns, lateness_ns, future_ns, windows, exact))),
        (Part::Percentiles, text(&(percentiles, figures, resolution))),
        (Part::Statistics, text(&besides)),
        (Part::Tests, text(qc)),
        (Part::Thresholds, text(&(expected_rate, stale_ns, silent_ns, grades))),
    ]
}

fn text(value: &dyn Debug) -> String {
    format!("{value:?}")
}

/// Settings by which the process was set up.
fn later(old: &DaemonConfig, new: &DaemonConfig) -> Vec<&'static str> {
    let keys = [
        ("socket", old.socket != new.socket),
        ("state_dir", old.state_dir != new.state_dir),
        ("state_every", old.state_every_ns != new.state_every_ns),
        ("shards", old.shards != new.shards),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const OLD: &str = r#"
        [defaults]
        windows = ["1s", "1m"]
        [[source]]
        name = "bench"
        kind = "udp"
        listen = "127.0.0.1:7421"
        format = "text"
        [[source]]
        name = "plant"
        kind = "udp"
        listen = "127.0.0.1:7420"
        format = "native"
        unknown = "discover"
        discover_max = 8
        [[channel]]
        id = "cold"
        source = "bench"
        field = "c"
        unit = "Cel"
        [[channel]]
        id = "hot"
        source = "bench"
        field = "h"
        calibration = { kind = "thermocouple", type = "K", cold_junction = "cold" }
        [[channel]]
        id = "flow"
        source = "bench"
        field = "f"
    "#;

    fn config(text: &str) -> Config {
        let nothing = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        Config::parse(text, Path::new("c.toml"), &nothing).unwrap_or_else(|e| panic!("{e}")).config
    }

    /// What is said of a change by these replacements.
    fn said(replaced: &[(&str, &str)]) -> String {
        let mut text = OLD.to_owned();
        for (old, new) in replaced {
            assert!(text.contains(old), "{old}");
            text = text.replacen(old, new, 1);
        }
        Change::between(&config(OLD), &config(&text)).to_string()
    }

    #[test]
    fn nothing_changes_by_words_or_order() {
        let change = Change::between(&config(OLD), &config(&format!("# new\n{OLD}")));
        assert!(change.is_none(), "{change}");
        assert_eq!(change.to_string(), "sources: 2 kept; channels: 3 kept\n");
        // A channel before all others: the numbers of all of them change, and nothing else.
        let first = "[[channel]]\nid = \"new\"\nsource = \"bench\"\nfield = \"n\"\n[[channel]]";
        assert_eq!(
            said(&[("[[channel]]", first)]),
            "sources: 1 kept, 1 decoded otherwise; channels: 3 kept, 1 added\n  \
             source bench: reads on, decoded otherwise\n  new: added\n"
        );
    }

    #[test]
    fn what_becomes_of_each_is_told() {
        let said = said(&[
            ("field = \"f\"", "field = \"f\"\npercentiles = [50]\nstale_after = \"9s\""),
            ("type = \"K\"", "type = \"N\""),
            ("listen = \"127.0.0.1:7420\"", "listen = \"127.0.0.1:7422\""),
            ("discover_max = 8", "discover_max = 9"),
            ("[defaults]", "[daemon]\nshards = 2\npublish = \"2s\"\n[defaults]"),
        ]);
        assert_eq!(
            said,
            "sources: 1 kept, 1 restarted; channels: 1 kept, 1 adjusted, 1 begun anew\n  \
             source plant: restarted\n  discovered channels of plant: under other rules\n  \
             hot: begins anew, changed: calibration\n  \
             flow: goes on, changed: percentiles, thresholds\n  \
             `shards` of [daemon]: at the next start\n"
        );
    }

    #[test]
    fn what_comes_and_goes_is_told() {
        let said =
            said(&[("name = \"plant\"", "name = \"hall\""), ("id = \"flow\"", "id = \"level\"")]);
        assert_eq!(
            said,
            "sources: 1 kept, 1 added, 1 removed; channels: 2 kept, 1 added, 1 removed\n  \
             source hall: added\n  source plant: removed\n  level: added\n  flow: removed\n"
        );
    }

    #[test]
    fn every_part_of_a_channel_is_told_apart() {
        let flow = "field = \"f\"";
        for (keys, said_of_it) in [
            ("field = \"g\"", "begins anew, changed: where it is found"),
            ("field = \"f\"\nunit = \"l/min\"", "begins anew, changed: unit"),
            (
                "field = \"f\"\ncalibration = { kind = \"linear\", scale = 2 }",
                "begins anew, changed: calibration",
            ),
            ("field = \"f\"\nwindows = [\"2s\"]", "begins anew, changed: windows"),
            ("field = \"f\"\nfigures = 3", "begins anew, changed: percentiles"),
            ("field = \"f\"\newma = \"3s\"", "begins anew, changed: statistics"),
            ("field = \"f\"\nrms = true", "goes on, changed: statistics"),
            ("field = \"f\"\nexpected_rate = 7", "goes on, changed: thresholds"),
        ] {
            let said = said(&[(flow, keys)]);
            assert!(said.contains(&format!("  flow: {said_of_it}\n")), "{keys}: {said}");
        }
        // With tests, summaries say what speaks for and against them, which begins then.
        let tests = "field = \"f\"\nqc = { gap = { fail = \"1s\" } }";
        assert!(said(&[(flow, tests)]).contains("changed: statistics, tests"));
    }
}
