//! What summaries say of a channel besides, and how they are judged, in words.

use crate::engine::{
    Rules,
    duration::Nanoseconds,
    statistics::{Kind, Statistics, hold::Course, plan::Grades},
};

/// The statistics of a channel, and what makes its summaries good, bad or withheld.
pub(super) fn of(rules: &Rules) -> String {
    let mut words = vec![kind(&rules.statistics)];
    words.extend(asked_for(&rules.statistics));
    words.push(judged(rules));
    words.join("; ")
}

fn kind(statistics: &Statistics) -> String {
    match &statistics.kind {
        Kind::Scalar => "scalar".to_owned(),
        Kind::Circular { turn } => match &statistics.speed {
            Some(speed) => format!(
                "circular, {turn} to the turn, with the speeds of {} at most {} away",
                speed.id,
                Nanoseconds(speed.age_max_ns)
            ),
            None => format!("circular, {turn} to the turn"),
        },
        Kind::Counter(range) => match range.modulus {
            Some(modulus) => {
                format!("counter below {modulus}, steps over its end up to {}", range.wrap_max)
            }
            None => "counter without end".to_owned(),
        },
        Kind::State(names) => format!("state: {}", names.join(" ")),
    }
}

fn asked_for(statistics: &Statistics) -> Vec<String> {
    let Statistics { course, max_hold_ns, rms, trust, ewma_ns, allan, gust_ns, .. } = statistics;
    let lengths = |all: &[i64]| {
        let all: Vec<String> = all.iter().map(|ns| Nanoseconds(*ns).to_string()).collect();
        all.join(" ")
    };
    let course = course.map(|course| match course {
        Course::Stepped => "by time, stepped",
        Course::Linear => "by time, linear",
    });
    let holds = statistics.is_kept().then(|| format!("held {} at most", Nanoseconds(*max_hold_ns)));
    let wanted = [
        course.map(str::to_owned),
        holds,
        rms.then(|| "rms".to_owned()),
        ewma_ns.map(|ns| format!("ewma {}", Nanoseconds(ns))),
        (!allan.is_empty()).then(|| format!("allan {}", lengths(allan))),
        gust_ns.map(|ns| format!("gust of {}", Nanoseconds(ns))),
        trust.then(|| "trust".to_owned()),
    ];
    wanted.into_iter().flatten().collect()
}

fn judged(rules: &Rules) -> String {
    let Grades { good, bad, complete } = rules.statistics.grades;
    let percent = |share: f64| format!("{} %", 100.0 * share);
    let mut text = format!("good from {}, bad from {}", percent(good), percent(bad));
    if 0.0 < complete {
        // A channel that nobody expects anything of is never incomplete.
        text += &match (rules.statistics.is_kept(), rules.expected_rate) {
            (false, None) => format!(", `completeness` {} without effect", percent(complete)),
            (true, _) => format!(", values from {} of the time", percent(complete)),
            (false, Some(_)) => format!(", values from {} of the readings", percent(complete)),
        };
    }
    if let Some(rate) = rules.expected_rate {
        text += &format!("; {rate} a second expected");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, report::report};

    /// What is said of the channels below these titles.
    fn said(text: &str, titles: [&str; 2]) -> String {
        let nothing = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let config = Config::parse(text, Path::new("c.toml"), &nothing);
        let config = config.unwrap_or_else(|errors| panic!("{errors}")).config;
        let all = report(&config, Path::new("q"));
        let parts =
            all.split("\n\n").filter(|part| titles.contains(&part.lines().next().unwrap_or("")));
        parts.collect::<Vec<_>>().join("\n\n")
    }

    #[test]
    fn says_what_is_told_of_channels_and_what_they_are_judged_by() {
        let text = r#"
            [defaults]
            qc = { gap = { suspect = "10s", fail = "5m" } }
            [[pattern]]
            match = "s.flow*"
            qc = {}
            completeness = 60
            [[source]]
            name = "s"
            kind = "udp"
            listen = "127.0.0.1:0"
            format = "text"
            unknown = "discover"
            [[channel]]
            id = "mast.direction"
            source = "s"
            field = "d"
            kind = "circular"
            speed = "mast.speed"
            stale_after = "5s"
            [[channel]]
            id = "mast.speed"
            source = "s"
            field = "v"
            expected_rate = 4
            interpolation = "linear"
            max_hold = "2s"
            gust = true
            completeness = 80
            status = { good = 90, bad = 10.5 }
            [channel.qc]
            gross_range = { fail = [0, 75], suspect = [0, 40] }
            spike = { suspect = 5 }
            flat_line = { tolerance = 0.1, fail = "1h", except = [0, 0.5] }
            multi_variate = { channel = "mast.direction", rate = 2, other_rate = 0.5, per = "2s" }
            climatology = { depth = 10, members = [{ months = [1, 3], suspect = [0, 30] }] }
            attenuated = { period = "10m", suspect = 0.1 }
            neighbour = { channel = "mast.direction", suspect = 3, max_age = "4s" }
            [[channel]]
            id = "pump"
            source = "s"
            field = "p"
            kind = "state"
            states = ["off", "on"]
        "#;
        assert_eq!(
            said(text, ["statistics", "quality tests"]),
            "\
statistics
  circular, 360 to the turn, with the speeds of mast.speed at most 5s away; held 5s at most; trust; good from 75 %, bad from 50 %
    1 channel: mast.direction
  scalar; by time, linear; held 2s at most; gust of 3s; trust; good from 90 %, bad from 10.5 %, values from 80 % of the time; 4 a second expected
    1 channel: mast.speed
  state: off on; held 10s at most; trust; good from 75 %, bad from 50 %
    1 channel: pump
  scalar; good from 75 %, bad from 50 %, `completeness` 60 % without effect
    discovered channels of s that fit \"s.flow*\"
  scalar; held 10s at most; trust; good from 75 %, bad from 50 %
    discovered channels of s

quality tests
  gap in seconds suspect above 10, fail above 300
    2 channels: mast.direction, pump
  gross_range suspect outside 0 to 40, fail outside 0 to 75; spike by average suspect above 5; flat_line within 0.1 fail after 1h, except 0 to 0.5; attenuated stddev of 10m suspect below 0.1, from 10 readings over 5m; climatology of 1 at depth 10; multi_variate above 1 a second, mast.direction at most 1m away up to 0.25; neighbour mast.direction at most 4s away suspect above 3
    1 channel: mast.speed
  gap in seconds suspect above 10, fail above 300
    discovered channels of s"
        );
    }
}
