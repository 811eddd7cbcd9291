//! A channel as a JSON object: its live state, and what never changes about it.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::json::{Rfc3339, Text, number, optional, reasons, sequence};
use crate::{
    engine::{ChannelKey, duration::Nanoseconds, snapshot::ChannelView},
    limits::MS,
    wire::Health,
};

/// Latest value and state at `now_ns` on the daemon's line.
#[derive(Clone, Copy, Debug)]
pub struct LiveLine<'a> {
    /// The channel.
    pub view: ChannelView<'a>,
    /// When it is looked at, nanoseconds on the daemon's line.
    pub now_ns: i64,
    /// What its device says of itself.
    pub health: Health,
}

impl Serialize for LiveLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &*self.view.info.id)?;
        optional(&mut map, "unit", self.view.info.unit.as_deref())?;
        map.serialize_entry("state", self.view.state(self.now_ns).name())?;
        if let Some(live) = &self.view.live {
            number(&mut map, "value", Some(live.value))?;
            optional(&mut map, "named", self.view.info.rules.statistics.name_of(live.value))?;
            map.serialize_entry("time", &Rfc3339(live.at_ns))?;
            let age_ns = self.now_ns.saturating_sub(live.arrived_ns).max(0);
            map.serialize_entry("age_ms", &(age_ns / MS))?;
            map.serialize_entry("flag", live.flag.name())?;
            reasons(&mut map, live.tests)?;
        }
        let health = Some(self.health).filter(|health| *health != Health::Good);
        optional(&mut map, "health", health.map(Health::name))?;
        map.end()
    }
}

/// What `List` says about a channel.
#[derive(Clone, Copy, Debug)]
pub struct ListLine<'a> {
    /// The channel.
    pub view: ChannelView<'a>,
    /// When it is looked at, nanoseconds on the daemon's line.
    pub now_ns: i64,
}

impl Serialize for ListLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let info = &self.view.info;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &*info.id)?;
        optional(&mut map, "unit", info.unit.as_deref())?;
        map.serialize_entry("source", &*info.source_name)?;
        match &info.key {
            ChannelKey::Numbered { device, index } => {
                map.serialize_entry("device", device)?;
                map.serialize_entry("index", index)?;
            }
            ChannelKey::Named(field) => map.serialize_entry("field", &**field)?,
        }
        map.serialize_entry("state", self.view.state(self.now_ns).name())?;
        map.serialize_entry("discovered", &info.discovered)?;
        optional(&mut map, "calibration", info.calibration.version_at(self.now_ns))?;
        map.serialize_entry("windows", &Lengths(self.view))?;
        number(&mut map, "expected_rate", info.rules.expected_rate)?;
        map.serialize_entry("resolution", &info.rules.resolution)?;
        map.end()
    }
}

/// Lengths of the windows of a channel.
struct Lengths<'a>(ChannelView<'a>);

impl Serialize for Lengths<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let windows = self.0.info.rules.all_windows();
        sequence(serializer, windows.map(|window| Text(Nanoseconds(window.length_ns))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Snapshot, snapshot::Live, statistics::Kind, summary::Flag, verdict::Tests},
        limits::SECOND,
        query::{page::tests::Scene, summary::tests::info},
    };

    fn snapshot(live: Option<Live>) -> Snapshot {
        let mut scene = Scene::bare(&["boiler.flow_temp"]);
        live.into_iter().for_each(|live| scene.gallery.show_live(0, live));
        scene.snapshot(1)
    }

    fn live_at(snapshot: &Snapshot, now_ns: i64) -> String {
        let view = snapshot.channel(0);
        let health = Health::Good;
        serde_json::to_string(&LiveLine { view, now_ns, health }).expect("serialises")
    }

    fn live_at_second(value: f64, flag: Flag) -> Live {
        Live { value, at_ns: SECOND, arrived_ns: SECOND + MS, flag, tests: Tests::NONE }
    }

    #[test]
    fn the_live_state_ages() {
        let view = snapshot(Some(live_at_second(63.5, Flag::NotEvaluated)));
        assert_eq!(
            live_at(&view, 2 * SECOND),
            concat!(
                r#"{"id":"boiler.flow_temp","unit":"Cel","state":"ok","value":63.5,"#,
                r#""time":"1970-01-01T00:00:01Z","age_ms":999,"flag":"not_evaluated"}"#
            )
        );
        assert!(live_at(&view, 5 * SECOND).contains(r#""state":"stale""#));
        assert!(live_at(&view, 90 * SECOND).contains(r#""state":"silent""#));
        assert!(live_at(&view, 0).contains(r#""age_ms":0"#), "an age is never negative");
    }

    #[test]
    fn a_missing_value_is_an_absent_key() {
        let missing = live_at_second(f64::NAN, Flag::Missing);
        let text = live_at(&snapshot(Some(missing)), SECOND);
        assert!(!text.contains("value") && text.contains(r#""flag":"missing""#), "{text}");
        let never = live_at(&snapshot(None), SECOND);
        assert_eq!(never, r#"{"id":"boiler.flow_temp","unit":"Cel","state":"never"}"#);
    }

    #[test]
    fn a_state_is_shown_by_its_name() {
        let named = |value| {
            let mut door = info("door", 0);
            door.rules.statistics.kind = Kind::State(["shut".into(), "open".into()].into());
            let mut scene = Scene::of([door]);
            scene.gallery.show_live(0, live_at_second(value, Flag::Pass));
            live_at(&scene.snapshot(1), SECOND)
        };
        assert!(named(1.0).contains(r#""value":1.0,"named":"open","time""#), "{}", named(1.0));
        assert!(named(2.0).contains(r#""named":"other""#) && named(0.5).contains(r#""other""#));
        assert!(!named(f64::NAN).contains("named"));
    }

    #[test]
    fn the_list_says_where_a_channel_comes_from() {
        let snapshot = snapshot(None);
        let line = ListLine { view: snapshot.channel(0), now_ns: 0 };
        assert_eq!(
            serde_json::to_string(&line).expect("serialises"),
            concat!(
                r#"{"id":"boiler.flow_temp","unit":"Cel","source":"plant","device":17,"index":0,"#,
                r#""state":"never","discovered":false,"windows":["1s","1m"],"expected_rate":10.0,"#,
                r#""resolution":0.01}"#
            )
        );
    }
}
