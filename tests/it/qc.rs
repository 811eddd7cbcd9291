//! Quality tests, on series that others have judged, through the real pipeline.
//!
//! Each series is replayed by the real binary with panes of a second, so that the flags of a
//! summary are those of the readings of one second.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Stdio,
};

use jiff::Timestamp;
use serde_json::Value;
use stillwell::engine::summary::Flag;

use crate::{
    process::{Scratch, stillwell},
    support::recorded,
};

/// Readings of one second, by the number of their flag.
type Flags = BTreeMap<u8, u64>;

/// A series, what it is judged by, and the flags that it is to have.
struct Case<'a> {
    name: &'a str,
    /// Instant in seconds, depth and value.
    readings: Vec<(i64, Option<f64>, Option<f64>)>,
    qc: String,
    /// By the second in which a reading lies.
    expected: BTreeMap<i64, Flags>,
}

/// What the daemon's own flags are called.
fn code(name: &str) -> u8 {
    let flag = Flag::ALL.into_iter().find(|flag| flag.name() == name);
    flag.expect("a flag").code()
}

impl Case<'_> {
    /// The flags of each second with a value, as the replay gives them.
    fn replay(&self) -> BTreeMap<i64, Flags> {
        let dir = Scratch::new();
        let config = format!(
            "[defaults]\npane = \"1s\"\nwindows = [{{ length = \"1s\", every = \"1s\" }}]\n\
             percentiles = []\n\
             [[source]]\nname = \"s\"\nkind = \"udp\"\nlisten = \"127.0.0.1:0\"\n\
             format = \"text\"\ntimestamp = \"t\"\ntime = \"device\"\nlateness = \"0s\"\n\
             [[channel]]\nid = \"z\"\nsource = \"s\"\nfield = \"z\"\n\
             [[channel]]\nid = \"v\"\nsource = \"s\"\nfield = \"v\"\nqc = {}\n",
            self.qc
        );
        let config = dir.write("c.toml", &config);
        let cell = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:?}"));
        let line = |(at, z, v): &(i64, Option<f64>, Option<f64>)| {
            format!("{at},{},{}\n", cell(*z), cell(*v))
        };
        let lines: String = self.readings.iter().map(line).collect();
        let log = dir.write("series.csv", &format!("t,z,v\n{lines}"));
        let mut replay = stillwell();
        replay.arg("replay").arg(log).arg("--config").arg(config).args(["--source", "s"]);
        replay.args(["--channels", "v"]).stdout(Stdio::piped());
        let output = replay.output().expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", self.name);
        let results = String::from_utf8(output.stdout).expect("text");
        results.lines().map(second).collect()
    }
}

/// The second of a summary, and its flags.
fn second(line: &str) -> (i64, Flags) {
    let summary: Value = serde_json::from_str(line).expect("JSON");
    let end: Timestamp = summary["end"].as_str().expect("a time").parse().expect("a time");
    let flags = summary["flags"].as_object().expect("flags").iter();
    let counts = flags.map(|(name, n)| (code(name), n.as_u64().expect("a count")));
    (end.as_second() - 1, counts.filter(|(_, n)| *n != 0).collect())
}

/// The numbers of a list in the arguments of a case; absent ones are missing.
fn numbers(list: &Value) -> Vec<Option<f64>> {
    list.as_array().map(|list| list.iter().map(Value::as_f64).collect()).unwrap_or_default()
}

/// A number as TOML has it.
fn toml(number: &Value) -> String {
    format!("{:?}", number.as_f64().expect("a number"))
}

/// The thresholds of a call, those that it has.
fn thresholds(args: &Value, suspect: &str, fail: &str) -> String {
    let given = [("suspect", &args[suspect]), ("fail", &args[fail])];
    let given = given.iter().filter(|(_, value)| !value.is_null());
    let given: Vec<String> =
        given.map(|(name, value)| format!("{name} = {}", toml(value))).collect();
    given.join(", ")
}

fn range(list: &Value) -> String {
    format!("[{}, {}]", toml(&list[0]), toml(&list[1]))
}

fn seconds(number: &Value) -> String {
    format!("\"{}s\"", number.as_f64().expect("a number"))
}

/// What a call of the reference implementation amounts to in a configuration; `Err` says why we
/// offer nothing of the kind.
fn config(function: &str, args: &Value) -> Result<String, &'static str> {
    Ok(match function {
        "gross_range_test" => format!(
            "{{ gross_range = {{ fail = {}, suspect = {} }} }}",
            range(&args["fail_span"]),
            range(&args["suspect_span"])
        ),
        "spike_test" => {
            let method = args["method"].as_str().unwrap_or("average");
            let thresholds = thresholds(args, "suspect_threshold", "fail_threshold");
            format!("{{ spike = {{ method = \"{method}\", {thresholds} }} }}")
        }
        "rate_of_change_test" => {
            format!(
                "{{ rate_of_change = {{ {} }} }}",
                thresholds(args, "threshold", "fail_threshold")
            )
        }
        "flat_line_test" => format!(
            "{{ flat_line = {{ tolerance = {}, suspect = {}, fail = {} }} }}",
            toml(&args["tolerance"]),
            seconds(&args["suspect_threshold"]),
            seconds(&args["fail_threshold"])
        ),
        "attenuated_signal_test" => attenuated(args),
        "climatology_test" => climatology(&args["config"]),
        "location_test" | "speed_test" => return Err("positions are not judged"),
        "syntax_test" => return Err("frames are checked by their format, and refused"),
        "percentile_range_test" => return Err("it takes the whole series at once"),
        "valid_range_test" => return valid_range(args),
        "pressure_increasing_test" => return Err("no QARTOD test: profiles of a float"),
        "impossible_date_test" | "data_reception_test" | "time_gap_test" => {
            return Err("recorded only for times that are missing, which no reading has");
        }
        other => panic!("{other} is new in the oracle"),
    })
}

/// Bounds of which either may be open or absent: the next number inside, or the largest there is.
fn valid_range(args: &Value) -> Result<String, &'static str> {
    const LARGEST: f64 = 1e140;
    let bound = |at: usize| args["valid_span"][at].as_f64();
    let inclusive = |key: &str, default: bool| args[key].as_bool().unwrap_or(default);
    let (first, last) = (bound(0), bound(1));
    if (first, last) == (None, None) {
        return Err("without bounds there is no test, and no verdict");
    }
    let min = first.map(|min| if inclusive("start_inclusive", true) { min } else { min.next_up() });
    let max = last.map(|max| if inclusive("end_inclusive", false) { max } else { max.next_down() });
    let (min, max) = (min.unwrap_or(-LARGEST), max.unwrap_or(LARGEST));
    Ok(format!("{{ gross_range = {{ fail = [{min:?}, {max:?}] }} }}"))
}

fn attenuated(args: &Value) -> String {
    let spread = match args["check_type"].as_str() {
        Some("range") => "range",
        _ => "stddev",
    };
    // Without a period the whole series is judged at once: what its last reading is judged by.
    let period = args["test_period"].as_f64().unwrap_or(1e8);
    // A time without readings enough is a number of readings, at the interval of the series.
    let interval = args["tinp"][1].as_f64().zip(args["tinp"][0].as_f64()).map(|(b, a)| b - a);
    let of_time = args["min_period"].as_f64().zip(interval).map(|(time, interval)| time / interval);
    let least = args["min_obs"].as_f64().or(of_time).unwrap_or(1.0).max(1.0);
    format!(
        "{{ attenuated = {{ spread = \"{spread}\", suspect = {}, fail = {}, period = \"{period}s\", \
         min_readings = {least}, min_period = \"0s\" }} }}",
        toml(&args["suspect_threshold"]),
        toml(&args["fail_threshold"])
    )
}

fn climatology(members: &Value) -> String {
    let member = |member: &Value| {
        let ends = [&member["tspan"][0], &member["tspan"][1]];
        let key = match member["period"].as_str() {
            None => "between",
            Some("month") => "months",
            Some("quarter") => "quarters",
            Some("weekofyear") => "weeks",
            Some("dayofyear") => "days",
            Some(other) => panic!("{other} is new in the oracle"),
        };
        let end = |at: &Value| {
            let at = at.as_f64().expect("a number") as i64;
            match key {
                // Counted from 1; the oracle has 0 for "from the first on".
                "between" => {
                    format!("\"{}\"", Timestamp::from_second(at).expect("an instant"))
                }
                _ => at.max(1).to_string(),
            }
        };
        let optional = |name: &str, span: &Value| {
            if span.is_null() { String::new() } else { format!(", {name} = {}", range(span)) }
        };
        format!(
            "{{ {key} = [{}, {}], suspect = {}{}{} }}",
            end(ends[0]),
            end(ends[1]),
            range(&member["vspan"]),
            optional("fail", &member["fspan"]),
            optional("depth", &member["zspan"])
        )
    };
    let members: Vec<String> = members.as_array().expect("members").iter().map(member).collect();
    let members = members.join(", ");
    format!("{{ climatology = {{ depth_channel = \"z\", members = [{members}] }} }}")
}

/// The case of a call: its readings in the order of time, since that is how they come.
fn case<'a>(name: &'a str, function: &str, args: &Value, flags: &[u8], qc: String) -> Case<'a> {
    let values = numbers(&args["inp"]);
    let times: Vec<i64> = match args["tinp"].as_array() {
        Some(times) => times.iter().map(|at| at.as_f64().expect("a time") as i64).collect(),
        None => (0..values.len() as i64).map(|at| 1_420_070_400 + at).collect(),
    };
    let depths = numbers(&args["zinp"]);
    let mut readings: Vec<_> = (0..values.len())
        .map(|at| {
            let depth = depths.get(at).copied().flatten();
            ((times[at], depth, values[at]), flags[at])
        })
        .collect();
    readings.sort_by_key(|((at, ..), _)| *at);
    // Where the whole series is judged at once, the last value's verdict is what ours come to.
    let whole = function == "attenuated_signal_test" && args["test_period"].is_null();
    let last = readings.iter().rposition(|((.., value), _)| value.is_some());
    let mut expected: BTreeMap<i64, Flags> = BTreeMap::new();
    for (place, ((at, ..), flag)) in readings.iter().enumerate() {
        if !whole || Some(place) == last {
            *expected.entry(*at).or_default().entry(*flag).or_default() += 1;
        }
    }
    // A window of nothing but notes that a value is missing has no result.
    expected.retain(|_, flags| flags.keys().any(|flag| *flag != Flag::Missing.code()));
    Case {
        name,
        readings: readings.into_iter().map(|(reading, _)| reading).collect(),
        qc,
        expected,
    }
}

#[test]
fn the_calls_of_the_reference_implementation_give_its_flags() {
    let Some(oracle) = recorded("ioos_qc_oracle.json") else { return };
    let oracle = fs::read_to_string(oracle).expect("it is readable");
    let oracle: Value = serde_json::from_str(&oracle).expect("JSON");
    let (mut checked, mut left_out) = (0, BTreeMap::<String, u64>::new());
    for call in oracle["cases"].as_array().expect("cases") {
        let name = call["test"].as_str().expect("a name");
        let function = call["fn"].as_str().expect("a function").rsplit('.').next().expect("a name");
        let (args, flags) = (&call["args"], &call["flags"]);
        let flags: Vec<u8> =
            numbers(flags).iter().map(|flag| flag.expect("a flag") as u8).collect();
        if function == "qartod_compare" {
            assert_eq!(compared(&args["vectors"]), flags);
            checked += 1;
            continue;
        }
        match config(function, args) {
            Err(why) => *left_out.entry(format!("{function}: {why}")).or_default() += 1,
            Ok(qc) => {
                let case = case(name, function, args, &flags, qc);
                let mut got = case.replay();
                got.retain(|at, _| case.expected.contains_key(at) || !is_whole(function, args));
                assert_eq!(got, case.expected, "{name} with {}", case.qc);
                checked += 1;
            }
        }
    }
    for (what, calls) in &left_out {
        println!("{calls} calls left out, {what}");
    }
    assert_eq!((checked, left_out.values().sum::<u64>()), (85, 33));
}

fn is_whole(function: &str, args: &Value) -> bool {
    function == "attenuated_signal_test" && args["test_period"].is_null()
}

/// Column by column, what the flags come to.
fn compared(vectors: &Value) -> Vec<u8> {
    let flag = |number: f64| Flag::ALL.into_iter().find(|flag| flag.code() == number as u8);
    let rows: Vec<Vec<Option<f64>>> =
        vectors.as_array().expect("rows").iter().map(numbers).collect();
    let column = |at: usize| rows.iter().filter_map(move |row| flag(row[at]?));
    (0..rows[0].len()).map(|at| column(at).reduce(Flag::combine).expect("a flag").code()).collect()
}

/// A solar plant whose data went stale three times, as people saw it afterwards. At night the
/// power is zero for a good reason.
#[test]
fn stale_readings_of_a_solar_plant_are_found() {
    let Some(plant) = recorded("timeseries/ac_power_inv_2173_stale_data.csv") else { return };
    let plant = fs::read_to_string(plant).expect("it is readable");
    let rows: Vec<(i64, Option<f64>, bool)> = plant
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let at: Timestamp = cells[0].replacen(' ', "T", 1).parse().expect("a time");
            (at.as_second(), cells[1].parse().ok(), cells[2] == "True")
        })
        .collect();
    let case = Case {
        name: "stale rows",
        readings: rows.iter().map(|(at, value, _)| (*at, None, *value)).collect(),
        qc: "{ flat_line = { tolerance = 1e-6, suspect = \"1h\", except = [-0.001, 0.001] } }"
            .to_owned(),
        expected: BTreeMap::new(),
    };
    let got = case.replay();
    let flagged: BTreeSet<i64> =
        got.iter().filter(|(_, flags)| flags.contains_key(&3)).map(|(at, _)| *at).collect();
    let stale: BTreeSet<i64> = rows.iter().filter(|row| row.2).map(|row| row.0).collect();
    let hits = flagged.intersection(&stale).count();
    let (precision, recall) =
        (hits as f64 / flagged.len() as f64, hits as f64 / stale.len() as f64);
    println!("precision {precision:.3}, recall {recall:.3}, {} flagged", flagged.len());
    assert_eq!(stale.len(), 245);
    // What is missed is the first hour of each of the three, in which nothing can be known.
    assert!(0.99 <= precision && 0.9 <= recall, "precision {precision}, recall {recall}");
}
