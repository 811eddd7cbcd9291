//! The time of a source in an image.

use super::{LaneRules, Timeline, watermark};
use crate::engine::{
    image::{Kind, Reader, Sheet, Writer},
    plan::TimeMode,
};

/// The time of a source as it was.
#[derive(Debug, Default)]
pub struct Past {
    /// The largest accepted event time.
    newest_ns: Option<i64>,
    /// Watermarks of its lanes.
    lanes: Vec<(LaneRules, i64)>,
}

impl Past {
    /// Reads it from the records of a source and of its lanes.
    pub(in crate::engine) fn read<'a>(
        mut source: Reader<'a>,
        lanes: impl Iterator<Item = Reader<'a>>,
    ) -> Option<(Self, Option<i64>)> {
        let newest_ns = source.option(Reader::time)?;
        let last_accepted_ns = source.option(Reader::time)?;
        source.end()?;
        let lanes = lanes.map(read_lane).collect::<Option<Vec<_>>>()?;
        Some((Self { newest_ns, lanes }, last_accepted_ns))
    }

    /// Whether it lies ahead of `now_ns` by more than a reading may.
    pub(in crate::engine) fn is_ahead(&self, now_ns: i64, time: TimeMode) -> bool {
        let most_ns = |rules: &LaneRules| match time {
            TimeMode::Arrival => now_ns,
            TimeMode::Device => now_ns.saturating_add(rules.future_ns),
        };
        let furthest_ns = self.lanes.iter().map(|(rules, _)| most_ns(rules)).max();
        self.newest_ns.is_some_and(|newest_ns| furthest_ns.unwrap_or(now_ns) < newest_ns)
            || self.lanes.iter().any(|(rules, watermark_ns)| most_ns(rules) < *watermark_ns)
    }
}

fn read_lane(mut reader: Reader<'_>) -> Option<(LaneRules, i64)> {
    let rules = LaneRules {
        pane_ns: reader.integer().filter(|pane_ns| 0 < *pane_ns)?,
        lateness_ns: reader.integer()?,
        future_ns: reader.integer()?,
    };
    let watermark_ns = reader.time().filter(|at_ns| at_ns % rules.pane_ns == 0)?;
    reader.end()?;
    Some((rules, watermark_ns))
}

impl Timeline {
    /// Writes the time of a source, and that of its lanes.
    pub(in crate::engine) fn save(
        &self,
        (source, name): (usize, &str),
        last_accepted_ns: Option<i64>,
        sheet: &mut Sheet,
    ) {
        sheet.record(Kind::Source, |writer| {
            writer.count(source);
            writer.text(name);
            let newest_ns = (self.newest_ns != i64::MIN).then_some(self.newest_ns);
            writer.option(newest_ns, Writer::integer);
            writer.option(last_accepted_ns, Writer::integer);
        });
        for lane in self.lanes.iter().filter(|lane| lane.watermark_ns != i64::MIN) {
            sheet.record(Kind::Lane, |writer| {
                let LaneRules { pane_ns, lateness_ns, future_ns } = lane.rules;
                writer.count(source);
                let all = [pane_ns, lateness_ns, future_ns, lane.watermark_ns];
                all.iter().for_each(|&ns| writer.integer(ns));
            });
        }
    }

    /// Goes on from the past; a lane that it does not have begins where the source stands. Calls
    /// `moved` as [`Self::accept`] does.
    pub(in crate::engine) fn resume(&mut self, past: &Past, mut moved: impl FnMut(usize, i64)) {
        self.newest_ns = past.newest_ns.unwrap_or(i64::MIN);
        for lane in &mut self.lanes {
            let known = past.lanes.iter().find(|(rules, _)| *rules == lane.rules);
            lane.watermark_ns = match known {
                Some((_, watermark_ns)) => *watermark_ns,
                None => watermark(lane.rules, self.newest_ns),
            };
            if lane.watermark_ns != i64::MIN {
                moved(lane.id, lane.watermark_ns);
            }
        }
    }

    /// Watermark of the lane with this global number.
    pub(in crate::engine) fn watermark_ns(&self, id: usize) -> i64 {
        let lane = self.lanes.iter().find(|lane| lane.id == id);
        lane.map_or(i64::MIN, |lane| lane.watermark_ns)
    }
}
