//! A summary as a JSON object.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    details,
    json::{Count, Percentiles, Rfc3339, Text, number, optional},
};
use crate::{
    engine::{
        Window,
        bins::counting::Precision,
        condition::{Condition, Origin},
        duration::Nanoseconds,
        snapshot::ChannelInfo,
        statistics::Kind,
        summary::{Flag, Status, Summary, Values},
        unit::unit_of_differences,
    },
    wire::Health,
};

/// One channel and one window: what [`summary_line`] and [`empty_line`] make.
#[derive(Clone, Copy, Debug)]
pub struct SummaryLine<'a> {
    info: &'a ChannelInfo,
    window: &'a Window,
    end_ns: i64,
    told: Told<'a>,
    condition: Option<Condition>,
}

/// What there is to tell of a window.
#[derive(Clone, Copy, Debug)]
enum Told<'a> {
    Summary(&'a Summary),
    /// No reading is in it.
    Empty,
    /// Its channel had no reading before its end: its first result is due at this instant.
    Pending(i64),
}

/// The JSON form of a summary.
#[must_use]
pub fn summary_line<'a>(
    info: &'a ChannelInfo,
    window: &'a Window,
    summary: &'a Summary,
) -> SummaryLine<'a> {
    let (end_ns, told) = (summary.end_ns, Told::Summary(summary));
    SummaryLine { info, window, end_ns, told, condition: None }
}

/// The JSON form of a window in which no reading was accepted: its end is the latest that the
/// watermark (nanoseconds on the daemon's line) has passed, that of an exact window the last
/// instant before. `None` before there is a watermark. If the channel's first reading, at
/// `begun_ns`, is not before that end, the window is yet to have its first result.
#[must_use]
pub fn empty_line<'a>(
    info: &'a ChannelInfo,
    window: &'a Window,
    watermark_ns: i64,
    begun_ns: Option<i64>,
) -> Option<SummaryLine<'a>> {
    if watermark_ns == i64::MIN {
        return None;
    }
    let behind_ns = if window.is_exact() { 1 } else { watermark_ns.rem_euclid(window.every_ns) };
    let end_ns = watermark_ns.checked_sub(behind_ns)?;
    let told = match begun_ns.filter(|begun_ns| end_ns <= *begun_ns && !window.is_exact()) {
        Some(begun_ns) => {
            let steps = begun_ns.div_euclid(window.every_ns) + 1;
            Told::Pending(steps * window.every_ns)
        }
        None => Told::Empty,
    };
    Some(SummaryLine { info, window, end_ns, told, condition: None })
}

impl Serialize for SummaryLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &*self.info.id)?;
        optional(&mut map, "unit", self.info.unit.as_deref())?;
        map.serialize_entry("window", &Text(Nanoseconds(self.window.length_ns)))?;
        map.serialize_entry("every", &Text(Nanoseconds(self.window.every_ns)))?;
        if self.window.is_exact() {
            map.serialize_entry("exact", &true)?;
        }
        map.serialize_entry("end", &Rfc3339(self.end_ns))?;
        if let Some(Condition { health, origin }) = self.condition {
            optional(&mut map, "clock", origin.map(Origin::name))?;
            number(&mut map, "clock_error_ms", origin.and_then(Origin::error_ms))?;
            let health = Some(health).filter(|health| *health != Health::Good);
            optional(&mut map, "health", health.map(Health::name))?;
        }
        match self.told {
            Told::Summary(summary) => self.closed(&mut map, summary)?,
            Told::Empty => self.empty(&mut map, Status::Bad.name(), None)?,
            Told::Pending(due_ns) => self.empty(&mut map, "pending", Some(due_ns))?,
        }
        map.end()
    }
}

impl SummaryLine<'_> {
    /// With what is known of the channel's device in the time of the window.
    #[must_use]
    pub fn of(self, condition: Option<Condition>) -> Self {
        Self { condition, ..self }
    }

    /// The time of the window: from when on, and before when.
    #[must_use]
    pub fn span_ns(&self) -> (i64, i64) {
        self.window.span_ns(self.end_ns)
    }

    /// End of the window, nanoseconds since 1970 on the daemon's line.
    #[must_use]
    pub fn end_ns(&self) -> i64 {
        self.end_ns
    }

    fn closed<M: SerializeMap>(&self, map: &mut M, summary: &Summary) -> Result<(), M::Error> {
        map.serialize_entry("n", &summary.n)?;
        let expected = summary.n_expected.filter(|n| n.is_finite());
        optional(map, "n_expected", expected.map(Count))?;
        number(map, "coverage", summary.coverage)?;
        number(map, "known", summary.known)?;
        map.serialize_entry("status", summary.status.name())?;
        let words: Vec<_> = summary.reasons.iter().map(Text).collect();
        optional(map, "reasons", Some(words).filter(|words| !words.is_empty()))?;
        map.serialize_entry("flags", &Flags(&summary.flags))?;
        if let Some(values) = &summary.values {
            self.values(map, values)?;
        }
        details::write(map, &summary.details, &self.info.rules.statistics)?;
        if summary.is_withheld() {
            map.serialize_entry("withheld", &true)?;
        }
        let version = self.info.calibration.version_at(self.end_ns.saturating_sub(1));
        optional(map, "calibration", version)?;
        match summary.precision {
            Precision::Configured => {}
            Precision::Coarsened(figures) => map.serialize_entry("figures", &figures)?,
            Precision::Withheld => map.serialize_entry("percentiles_withheld", &true)?,
        }
        if summary.out_of_range != 0 {
            map.serialize_entry("out_of_range", &summary.out_of_range)?;
        }
        if summary.overflow != 0 {
            map.serialize_entry("overflow", &summary.overflow)?;
        }
        Ok(())
    }

    fn values<M: SerializeMap>(&self, map: &mut M, values: &Values) -> Result<(), M::Error> {
        // The mean of directions, of a counter's readings or of the numbers of states is none.
        if self.info.rules.statistics.kind == Kind::Scalar {
            number(map, "min", Some(values.min))?;
            number(map, "max", Some(values.max))?;
            number(map, "mean", Some(values.mean))?;
            number(map, "stddev", values.stddev)?;
            number(map, "rms", values.rms)?;
        }
        number(map, "first", Some(values.first))?;
        number(map, "last", Some(values.last))?;
        if self.info.rules.statistics.kind == Kind::Scalar {
            number(map, "delta", Some(values.last - values.first))?;
            let unit = self.info.unit.as_deref().and_then(unit_of_differences);
            optional(map, "delta_unit", unit.as_deref())?;
        }
        number(map, "rate", Some(values.rate))?;
        let ranks = &self.info.rules.percentiles;
        if !ranks.is_empty() && !values.percentiles.is_empty() {
            let values = &values.percentiles;
            map.serialize_entry("percentiles", &Percentiles { ranks, values })?;
        }
        Ok(())
    }

    fn empty<M: SerializeMap>(
        &self,
        map: &mut M,
        status: &str,
        due_ns: Option<i64>,
    ) -> Result<(), M::Error> {
        let length_s = self.window.length_ns as f64 / 1e9;
        let expected = self.info.rules.expected_rate.map(|rate| rate * length_s);
        map.serialize_entry("n", &0)?;
        optional(map, "n_expected", expected.filter(|n| n.is_finite()).map(Count))?;
        map.serialize_entry("coverage", &0)?;
        map.serialize_entry("status", status)?;
        optional(map, "due", due_ns.map(Rfc3339))?;
        map.serialize_entry("flags", &Flags(&[0; Flag::ALL.len()]))
    }
}

/// Readings per flag.
struct Flags<'a>(&'a [u64; Flag::ALL.len()]);

impl Serialize for Flags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Flag::ALL.iter().map(|flag| flag.name()).zip(self.0))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        engine::{
            ChannelKey, Rules,
            calibration::Calibration,
            summary::{Figures, Values},
        },
        limits::{MS, SECOND},
    };

    pub(crate) fn rules() -> Rules {
        Rules {
            pane_ns: 100 * MS,
            lateness_ns: 0,
            future_ns: 2 * SECOND,
            windows: Arc::new([
                Window { length_ns: SECOND, every_ns: 100 * MS },
                Window { length_ns: 60 * SECOND, every_ns: 6 * SECOND },
            ]),
            exact: [].into(),
            percentiles: Arc::new([50.0, 95.0]),
            figures: 2,
            resolution: 0.01,
            expected_rate: Some(10.0),
            stale_ns: 3 * SECOND,
            silent_ns: 60 * SECOND,
            statistics: crate::engine::statistics::Statistics::none(),
        }
    }

    pub(crate) fn info(id: &str, index: u32) -> ChannelInfo {
        ChannelInfo {
            id: id.into(),
            index,
            source: 0,
            source_name: "plant".into(),
            key: ChannelKey::Numbered { device: 17, index: 0 },
            unit: Some("Cel".into()),
            discovered: false,
            lane: 0,
            calibration: Calibration::IDENTITY,
            rules: rules(),
            fingerprint: 0,
        }
    }

    pub(crate) fn summary(end_ns: i64) -> Summary {
        Summary {
            end_ns,
            n: 598,
            n_expected: Some(600.0),
            coverage: Some(0.9967),
            known: None,
            status: Status::Good,
            reasons: [].into(),
            flags: [596, 0, 2, 1, 0],
            values: Some(Values {
                min: 61.2,
                max: 64.0,
                mean: 62.7126,
                stddev: Some(0.41),
                rms: None,
                first: 62.9,
                last: 63.1,
                rate: 9.97,
                percentiles: Box::new([62.7, 63.3]),
            }),
            details: [].into(),
            precision: Precision::Configured,
            out_of_range: 0,
            overflow: 0,
        }
    }

    /// What comes to about the same.
    pub(crate) fn figures(end_ns: i64) -> Figures {
        Figures {
            end_ns,
            flags: [596, 0, 2, 1, 0],
            n: 598,
            mean: 62.7126,
            m2: 100.0,
            min: 61.2,
            max: 64.0,
            first: 62.9,
            last: 63.1,
            out_of_range: 0,
            overflow: 0,
            precision: Precision::Configured,
        }
    }

    /// 2026-11-23T01:02:06Z.
    const END_NS: i64 = 1_795_395_726 * SECOND;

    fn json(line: &SummaryLine<'_>) -> String {
        serde_json::to_string(line).expect("serialises")
    }

    #[test]
    fn a_summary_reads_as_documented() {
        let info = info("boiler.flow_temp", 0);
        let (window, summary) = (info.rules.windows[1], summary(END_NS));
        assert_eq!(
            json(&summary_line(&info, &window, &summary)),
            concat!(
                r#"{"id":"boiler.flow_temp","unit":"Cel","window":"1m","every":"6s","#,
                r#""end":"2026-11-23T01:02:06Z","n":598,"n_expected":600,"coverage":0.9967,"#,
                r#""status":"good","flags":{"pass":596,"not_evaluated":0,"suspect":2,"fail":1,"#,
                r#""missing":0},"min":61.2,"max":64.0,"mean":62.7126,"stddev":0.41,"first":62.9,"#,
                r#""last":63.1,"delta":0.20000000000000284,"delta_unit":"K","rate":9.97,"#,
                r#""percentiles":{"50":62.7,"95":63.3}}"#
            )
        );
    }

    #[test]
    fn want_of_memory_is_told() {
        let info = info("a", 0);
        let mut summary = summary(END_NS);
        summary.precision = Precision::Coarsened(1);
        let window = info.rules.windows[1];
        let text = json(&summary_line(&info, &window, &summary));
        assert!(text.ends_with(r#""percentiles":{"50":62.7,"95":63.3},"figures":1}"#), "{text}");
        summary.precision = Precision::Withheld;
        summary.values.as_mut().expect("has values").percentiles = [].into();
        let text = json(&summary_line(&info, &window, &summary));
        assert!(text.ends_with(r#""rate":9.97,"percentiles_withheld":true}"#), "{text}");
    }

    #[test]
    fn an_exact_window_says_so_and_what_it_lacks() {
        let info = info("a", 0);
        let window = Window { length_ns: SECOND / 2, every_ns: 0 };
        let mut summary = summary(END_NS);
        let text = json(&summary_line(&info, &window, &summary));
        assert!(text.contains(r#""window":"500ms","every":"0s","exact":true,"end":""#), "{text}");
        assert!(!text.contains("overflow"), "{text}");
        summary.overflow = 17;
        let text = json(&summary_line(&info, &window, &summary));
        assert!(text.ends_with(r#""overflow":17}"#), "{text}");
        let empty = empty_line(&info, &window, END_NS, Some(END_NS)).expect("a watermark");
        assert!(matches!(empty.told, Told::Empty), "it needs no instant");
        assert_eq!(empty.end_ns, END_NS - 1, "a reading at the watermark may still come");
    }

    #[test]
    fn a_window_without_readings_is_bad_and_has_no_statistics() {
        let info = info("a", 0);
        let window = info.rules.windows[1];
        let line = empty_line(&info, &window, END_NS + 5 * SECOND, None).expect("a watermark");
        assert_eq!(
            json(&line),
            concat!(
                r#"{"id":"a","unit":"Cel","window":"1m","every":"6s","#,
                r#""end":"2026-11-23T01:02:06Z","n":0,"n_expected":600,"coverage":0,"#,
                r#""status":"bad","flags":{"pass":0,"not_evaluated":0,"suspect":0,"fail":0,"#,
                r#""missing":0}}"#
            )
        );
        assert!(empty_line(&info, &window, i64::MIN, None).is_none());
        assert!(empty_line(&info, &window, i64::MIN + 1, None).is_none(), "the end would not fit");
        let before_1970 = empty_line(&info, &window, -1, None).expect("a watermark");
        assert_eq!(before_1970.end_ns, -6 * SECOND, "ends are floors");
    }

    /// Nothing is wrong with a channel that has just begun.
    #[test]
    fn a_window_that_had_no_instant_since_the_first_reading_says_when_it_will() {
        let info = info("a", 0);
        let window = info.rules.windows[1];
        let said = |begun_ns| {
            let line = empty_line(&info, &window, END_NS + 5 * SECOND, Some(begun_ns));
            json(&line.expect("a watermark"))
        };
        let pending = r#""status":"pending","due":"2026-11-23T01:02:12Z","flags""#;
        assert!(said(END_NS).contains(pending), "{}", said(END_NS));
        assert!(said(END_NS + 6 * SECOND - 1).contains(pending));
        // What came before the end and is not in the window has left it.
        assert!(said(END_NS - 1).contains(r#""status":"bad","flags""#));
    }

    #[test]
    fn the_clock_and_the_health_of_the_device_are_told() {
        let info = info("a", 0);
        let (window, summary) = (info.rules.windows[1], summary(END_NS));
        let said = |health, origin| {
            json(
                &summary_line(&info, &window, &summary)
                    .of(Some(Condition { health, origin: Some(origin) })),
            )
        };
        let synced = Origin::Device { error_log2_us: 10 };
        let text = said(Health::Good, synced);
        assert!(text.contains(r#"Z","clock":"device","clock_error_ms":1.024,"n":598"#), "{text}");
        let text = said(Health::Maintenance, Origin::Placed);
        let placed = r#""clock":"device_unsynced","health":"maintenance","n":598"#;
        assert!(text.contains(placed), "{text}");
        assert!(said(Health::Good, Origin::Arrival).contains(r#""clock":"arrival","n":598"#));
    }

    #[test]
    fn directions_counters_and_states_have_no_delta() {
        let mut info = info("a", 0);
        let window = info.rules.windows[1];
        for kind in [Kind::Circular { turn: 360.0 }, Kind::State([].into())] {
            info.rules.statistics.kind = kind;
            assert!(!json(&summary_line(&info, &window, &summary(END_NS))).contains("delta"));
        }
    }

    #[test]
    fn what_is_not_finite_is_absent() {
        let info = info("a", 0);
        let mut summary = summary(END_NS);
        let values = summary.values.as_mut().expect("has values");
        values.mean = f64::INFINITY;
        values.stddev = Some(f64::NAN);
        values.percentiles[0] = f64::NAN;
        let window = info.rules.windows[1];
        let text = json(&summary_line(&info, &window, &summary));
        assert!(!text.contains("null"), "{text}");
        assert!(!text.contains("mean") && !text.contains("stddev") && !text.contains(r#""50""#));
    }
}
