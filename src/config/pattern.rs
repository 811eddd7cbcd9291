//! `[[pattern]]`: defaults for all channels whose id fits, configured and discovered ones.

use std::ops::Range;

use super::{
    calibration::{Places, check_junctions},
    channel::Heritage,
    errors::{Remark, Sink},
    reader::Section,
    rules::RuleKeys,
    source::Source,
    value::ValueKeys,
};
use crate::{
    engine::{ChannelPlan, PatternPlan, Unknown, glob::Glob},
    limits::{CHANNEL_ID_BYTES_MAX, PATTERNS_MAX},
};

/// One table. The first that fits a channel is the only one that counts for it.
#[derive(Debug)]
pub(super) struct Pattern<'a> {
    section: Section<'a>,
    text: &'a str,
    at: Range<usize>,
    glob: Glob,
    pub rules: RuleKeys,
    pub values: ValueKeys,
}

/// Reads all tables; one whose `match` is wrong has its error recorded and is left out.
pub(super) fn read_all<'a>(
    tables: Vec<Section<'a>>,
    places: &Places<'_>,
    sink: &Sink,
) -> Vec<Pattern<'a>> {
    if let Some(section) = tables.get(PATTERNS_MAX) {
        let title = format!("{} patterns, more than {PATTERNS_MAX}", tables.len());
        sink.error(&section.span, Remark::new(title));
    }
    let mut patterns: Vec<Pattern<'a>> = Vec::new();
    for section in tables.into_iter().take(PATTERNS_MAX) {
        let Some(pattern) = Pattern::read(section, places) else { continue };
        if let Some(first) = patterns.iter().find(|first| first.covers(&pattern)) {
            let title = format!("the pattern \"{}\" never counts", pattern.text);
            let line = sink.line(&first.at);
            let help = format!(
                "\"{}\" of line {line} fits all that it fits, and the first that fits counts: \
                 move this one before it",
                first.text
            );
            sink.warn(&pattern.at, Remark::new(title).help(help));
        }
        patterns.push(pattern);
    }
    patterns
}

/// The pattern that counts for a channel.
pub(super) fn of_channel<'p, 'a>(patterns: &'p [Pattern<'a>], id: &str) -> Option<&'p Pattern<'a>> {
    patterns.iter().find(|pattern| pattern.glob.matches(id))
}

/// Checks the cold junctions that patterns give.
pub(super) fn check_values(patterns: &[Pattern<'_>], channels: &[ChannelPlan], sink: &Sink) {
    for pattern in patterns {
        check_junctions(pattern.values.junctions(), None, channels, sink);
    }
}

/// Warns of each pattern that no channel can fit.
pub(super) fn check_use(
    patterns: &[Pattern<'_>],
    sources: &[Source],
    channels: &[ChannelPlan],
    sink: &Sink,
) {
    for pattern in patterns {
        let discovered = sources.iter().any(|source| pattern.may_fit_found(source));
        if discovered || channels.iter().any(|channel| pattern.glob.matches(&channel.id)) {
            continue;
        }
        let title = format!("no channel fits the pattern \"{}\"", pattern.text);
        let help = "no [[channel]] has such an id, and no source that discovers has a name with \
                    which such ids begin: found channels are called <source>.<…>";
        sink.warn(&pattern.at, Remark::new(title).help(help));
    }
}

impl<'a> Pattern<'a> {
    fn read(section: Section<'a>, places: &Places<'_>) -> Option<Self> {
        section.require("match", "\"bench.*_C\"");
        let (rules, values) = (RuleKeys::read(&section), ValueKeys::read(&section, places));
        let found = section.text("match")?;
        let fits = |b: u8| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'*' | b'?')
        };
        let length = found.value.len();
        if length == 0 || CHANNEL_ID_BYTES_MAX < length || !found.value.bytes().all(fits) {
            let title = format!("\"{}\" is no pattern over ids", found.value);
            let help = "write an id with `*` for any run of characters and `?` for one, such as \
                        \"bench.*_C\"";
            section.sink.error(&found.span, Remark::new(title).help(help));
            return None;
        }
        let glob = Glob::new(found.value);
        Some(Self { text: found.value, at: found.span, glob, rules, values, section })
    }

    /// What the channels that `source` discovers are given if they fit; `None` if none can.
    pub(super) fn plan(&self, source: &Source, heritage: Heritage<'_>) -> Option<PatternPlan> {
        if !self.may_fit_found(source) {
            return None;
        }
        let base = source.rules.over(heritage.rules);
        let (mut values, section) =
            (self.values.resolve(heritage.values, &self.section), &self.section);
        let mut rules = self.rules.resolve(&base, source.time, &section.span, section.sink);
        self.rules.fit(&base, &mut rules, &mut values, section);
        self.values.check_tests(heritage.values, &rules, section);
        Some(PatternPlan {
            glob: self.glob.clone(),
            unit: values.unit,
            calibration: values.calibration,
            conversion: values.conversion,
            qc: values.qc,
            rules,
        })
    }

    /// Whether an id that begins with the source's name may fit, as far as the beginning tells.
    fn may_fit_found(&self, source: &Source) -> bool {
        let stem = format!("{}.", source.name.value);
        let prefix = self.glob.prefix();
        let fits = prefix.starts_with(&stem) || stem.starts_with(prefix);
        source.unknown != Unknown::Reject && fits
    }

    /// Whether everything that fits `later` fits this one: its stars take the stars of the other
    /// as they take any character. (With `?` that would not follow.)
    fn covers(&self, later: &Self) -> bool {
        !self.text.contains('?') && self.glob.matches(later.text)
    }
}
