//! Channels of which others take the values: for tests, and as the speeds of directions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    errors::{Remark, Sink},
    reader::{Found, nearest},
    source::Source,
};
use crate::engine::{
    ChannelPlan, SourcePlan, Unknown,
    qc::plan::QcPlan,
    statistics::{Kind, Statistics},
    unit::{Conversion, Incompatible, Unit},
};

/// Each channel that a test of another takes values of must be one, or may be found.
pub(super) fn check_there(
    others: &[Found<Arc<str>>],
    channels: &[ChannelPlan],
    sources: &[Source],
    sink: &Sink,
) {
    let discovers = |id: &str| {
        let names = sources.iter().filter(|source| source.unknown != Unknown::Reject);
        let mut stems = names.map(|source| format!("{}.", source.name.value));
        stems.any(|stem| id.starts_with(&stem))
    };
    let ids: BTreeSet<&str> = channels.iter().map(|channel| &*channel.id).collect();
    for Found { value: id, span } in others {
        if ids.contains(&**id) || discovers(id) {
            continue;
        }
        let remark = Remark::new(format!("there is no channel \"{id}\""));
        let near = nearest(id, ids.iter().copied());
        let help = near.map(|near| format!("did you mean \"{near}\"?"));
        sink.missing(span, remark.maybe_help(help));
    }
}

/// What there is to know of a channel whose values others take.
struct Known {
    unit: Option<Arc<str>>,
    kind: Kind,
}

/// What is said of partners, with where they are named.
struct Partners<'a> {
    known: BTreeMap<Arc<str>, Known>,
    named: &'a [Found<Arc<str>>],
    sink: &'a Sink,
}

/// Sees that a channel and those of which it takes values go together, and has the values of a
/// neighbour converted to the channel's unit. Of channels that are found later nothing is known.
pub(super) fn fit(
    channels: &mut [ChannelPlan],
    sources: &mut [SourcePlan],
    named: &[Found<Arc<str>>],
    sink: &Sink,
) {
    let known = |channel: &ChannelPlan| {
        let known =
            Known { unit: channel.unit.clone(), kind: channel.rules.statistics.kind.clone() };
        (Arc::clone(&channel.id), known)
    };
    let partners = Partners { known: channels.iter().map(known).collect(), named, sink };
    for ChannelPlan { id, unit, qc, rules, .. } in channels {
        partners.check_itself(id, qc.as_deref(), &rules.statistics);
        partners.check_speed(&rules.statistics);
        partners.convert(unit.as_deref(), qc);
    }
    for source in sources {
        partners.convert(None, &mut source.qc);
        partners.check_speed(&source.discovered.statistics);
        for pattern in &mut source.patterns {
            partners.check_speed(&pattern.rules.statistics);
            partners.convert(pattern.unit.as_deref(), &mut pattern.qc);
        }
    }
}

impl Partners<'_> {
    fn error(&self, id: &str, title: String, help: &str) {
        let found = self.named.iter().find(|found| *found.value == *id);
        let span = found.map_or(0..0, |found| found.span.clone());
        self.sink.error(&span, Remark::new(title).help(help));
    }

    fn check_itself(&self, id: &str, qc: Option<&QcPlan>, statistics: &Statistics) {
        let of_tests = qc.into_iter().flat_map(QcPlan::partners);
        let mut partners = of_tests.chain(&statistics.speed);
        if partners.any(|partner| *partner.id == *id) {
            let title = format!("the channel \"{id}\" would be held against itself");
            let help = "name another channel; where a table that it inherits from names it, give \
                        this one a `qc` of its own, `qc = {}` for none";
            self.error(id, title, help);
        }
    }

    /// Speeds are quantities, and in no other unit than one of speed.
    fn check_speed(&self, statistics: &Statistics) {
        let Some(speed) = &statistics.speed else { return };
        let Some(Known { unit, kind }) = self.known.get(&speed.id) else { return };
        if *kind != Kind::Scalar {
            let title = format!("\"{}\" gives no speeds: it is no channel of quantities", speed.id);
            self.error(&speed.id, title, "name the channel that measures how fast it is");
        } else if let Some(unit) = unit
            && let Err(error) = between(unit, "m/s")
        {
            let title = format!("\"{}\" gives no speeds: {error}", speed.id);
            self.error(&speed.id, title, "name the channel that measures how fast it is");
        }
    }

    fn convert(&self, unit: Option<&str>, qc: &mut Option<Arc<QcPlan>>) {
        let Some(qc) = qc else { return };
        let Some(neighbour) = &qc.neighbour else { return };
        let other = self.known.get(&neighbour.partner.id).and_then(|known| known.unit.as_deref());
        let (Some(own), Some(other)) = (unit, other) else { return };
        match between(other, own) {
            Ok(conversion) => {
                let neighbour = Arc::make_mut(qc).neighbour.as_mut();
                neighbour.expect("it was there").conversion = conversion;
            }
            Err(error) => {
                let id = &neighbour.partner.id;
                let title = format!("the neighbour \"{id}\" measures something else: {error}");
                self.error(id, title, "name a channel that measures the same");
            }
        }
    }
}

/// The conversion between two units that were parsed before.
fn between(from: &str, to: &str) -> Result<Conversion, Incompatible> {
    match (Unit::parse(from), Unit::parse(to)) {
        (Ok(from), Ok(to)) => Conversion::between(&from, &to),
        _ => Ok(Conversion::IDENTITY),
    }
}
