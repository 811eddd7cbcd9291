//! What channels are given, each set of it once, with the channels that have it.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use crate::engine::{Plan, Rules, Unknown, qc::plan::QcPlan};

/// Sets of configured and of discovered channels that are listed; the rest is counted.
const SHOWN: usize = 20;
/// Channels of a set that are named.
const NAMED: usize = 4;

/// What a channel is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct With<'a> {
    pub(super) rules: &'a Rules,
    pub(super) qc: Option<&'a QcPlan>,
}

/// Sets, each in words, with the ids of channels and with sources whose channels are discovered.
#[derive(Debug)]
pub(super) struct Sets<'a> {
    configured: BTreeMap<String, Vec<&'a str>>,
    discovered: BTreeMap<String, Vec<String>>,
}

impl<'a> Sets<'a> {
    /// The sets of a plan in these words, `None` for what is not worth a line.
    pub(super) fn of(plan: &'a Plan, words: impl Fn(With<'_>) -> Option<String>) -> Self {
        let (mut configured, mut discovered) = (BTreeMap::new(), BTreeMap::new());
        for channel in &plan.channels {
            let with = With { rules: &channel.rules, qc: channel.qc.as_deref() };
            if let Some(words) = words(with) {
                configured.entry(words).or_insert_with(Vec::new).push(&*channel.id);
            }
        }
        let mut find = |with, whose: String| {
            if let Some(words) = words(with) {
                discovered.entry(words).or_insert_with(Vec::new).push(whose);
            }
        };
        for source in plan.sources.iter().filter(|source| source.unknown != Unknown::Reject) {
            let with = With { rules: &source.discovered, qc: source.qc.as_deref() };
            find(with, source.name.to_string());
            for pattern in &source.patterns {
                let with = With { rules: &pattern.rules, qc: pattern.qc.as_deref() };
                find(with, format!("{} that fit \"{}\"", source.name, pattern.glob.text()));
            }
        }
        Self { configured, discovered }
    }

    /// Writes them below a title, if there is any.
    pub(super) fn write(&self, text: &mut String, title: &str) -> fmt::Result {
        let Self { configured, discovered } = self;
        if configured.is_empty() && discovered.is_empty() {
            return Ok(());
        }
        writeln!(text, "\n{title}")?;
        for (words, ids) in configured.iter().take(SHOWN) {
            writeln!(text, "  {words}\n    {}", channels(ids))?;
        }
        for (words, whose) in discovered.iter().take(SHOWN) {
            writeln!(text, "  {words}\n    discovered channels of {}", whose.join(", "))?;
        }
        let left_out = |sets: usize| sets.saturating_sub(SHOWN);
        match left_out(configured.len()) + left_out(discovered.len()) {
            0 => Ok(()),
            more => writeln!(text, "  and {more} more sets of {title}"),
        }
    }
}

/// How many they are, and some of their names.
fn channels(ids: &[&str]) -> String {
    let plural = if ids.len() == 1 { "channel" } else { "channels" };
    let named = ids[..ids.len().min(NAMED)].join(", ");
    let etc = if NAMED < ids.len() { ", …" } else { "" };
    format!("{} {plural}: {named}{etc}", ids.len())
}
