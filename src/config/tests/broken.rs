//! Broken configurations, and what is said about them.

use super::*;

/// `line:column: what` of each error.
fn lines(text: &str) -> Vec<String> {
    let errors = parse(text).map(|loaded| loaded.config).expect_err("broken");
    errors.lines().map(|line| line.trim_start_matches("dir/c.toml:").to_owned()).collect()
}

/// A channel of [`UDP`], with more keys.
fn channel(keys: &str) -> String {
    format!("{UDP}[[channel]]\nid = \"a\"\nsource = \"plant\"\ndevice = 1\nindex = 0\n{keys}\n")
}

#[test]
fn shows_all_errors_of_a_file_in_its_order() {
    let text = "[daemon]\n\
        publsh = \"1s\"\n\
        [[source]]\n\
        name = \"plant\"\n\
        kind = \"udp\"\n\
        listen = \"localhost:7420\"\n\
        format = \"native\"\n\
        baud = 9600\n\
        [[channel]]\n\
        id = \"flow\"\n\
        source = \"plnt\"\n\
        unit = \"°C\"\n\
        lateness = 5\n";
    assert_eq!(
        bad(text),
        r#"error: unknown key `publsh` in [daemon]
 --> dir/c.toml:2:1
  |
2 | publsh = "1s"
  | ^^^^^^ not known
  |
  = help: did you mean `publish`?

error: `listen` is no address with a port: "localhost:7420"
 --> dir/c.toml:6:10
  |
6 | listen = "localhost:7420"
  |          ^^^^^^^^^^^^^^^^
  |
  = help: write numbers, such as "127.0.0.1:7420", "0.0.0.0:7420" or "[::]:7420"

error: `baud` does not fit a source of kind "udp"
 --> dir/c.toml:8:1
  |
8 | baud = 9600
  | ^^^^
  |
  = help: `baud` is for `serial` and `modbus`

error: there is no source "plnt"
  --> dir/c.toml:11:10
   |
11 | source = "plnt"
   |          ^^^^^^
   |
   = help: did you mean "plant"?

error: `unit` "°C" is no unit: `°C` is no known UCUM code
  --> dir/c.toml:12:8
   |
12 | unit = "°C"
   |        ^^^^
   |
   = help: did you mean "Cel"?

error: `lateness` must be a duration in quotes
  --> dir/c.toml:13:12
   |
13 | lateness = 5
   |            ^ this is a whole number
   |
   = help: write the unit, such as "5s" or "5ms"

6 errors in the configuration
"#
    );
}

#[test]
fn shows_which_pair_of_a_chain_fails_and_what_would_fit() {
    let text = channel("pane = \"1s\"\nwindows = [\"1m\", { length = \"1h\", every = \"7m\" }]");
    assert_eq!(
        bad(&text),
        r#"error: the window 1h slides by 7m, which does not divide its length
  --> dir/c.toml:13:18
   |
13 | windows = ["1m", { length = "1h", every = "7m" }]
   |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1h / 7m is not whole
   |
   = help: write { length = "1h", every = "450s" }

1 error in the configuration
"#
    );
    let cases = [
        (
            "windows = [\"15s\"]\npane = \"1s\"",
            "the pane 1s does not divide 1500ms, by which the window 15s slides",
            "write { length = \"15s\", every = \"1s\" }, or set `pane = \"500ms\"`",
        ),
        (
            "windows = [\"10s\", \"15s\"]",
            "the window 15s slides by 1500ms, which is not a multiple of 1s, by which the next finer \
             window slides",
            "write { length = \"15s\", every = \"1s\" }",
        ),
        (
            "windows = [{ length = \"10s\", every = \"50ms\" }]",
            "the pane 100ms does not divide 50ms, by which the window 10s slides",
            "write { length = \"10s\", every = \"100ms\" }, or set `pane = \"50ms\"`",
        ),
        (
            "windows = [{ length = \"24h\", every = \"1s\" }]",
            "the window 24h sliding by 1s has 86400 steps, more than 65536",
            "write { length = \"24h\", every = \"1500ms\" }",
        ),
        (
            "windows = [{ length = \"1s\", every = \"10s\" }]",
            "the window 1s slides by 10s, which does not divide its length",
            "write { length = \"1s\", every = \"1s\" }",
        ),
    ];
    for (keys, title, help) in cases {
        let shown = bad(&channel(keys));
        assert!(shown.contains(&format!("error: {title}\n")), "{shown}");
        assert!(shown.contains(&format!("help: {help}\n")), "{shown}");
        let fixed = help.trim_start_matches("write ").split(", or").next().expect("never empty");
        let pane = keys.lines().nth(1).unwrap_or_default();
        let finer = if keys.contains("\"10s\", \"15s\"") { "\"10s\", " } else { "" };
        good(&channel(&format!("windows = [{finer}{fixed}]\n{pane}")));
    }
}

#[test]
fn a_chain_is_blamed_on_the_table_that_broke_it() {
    let channel = channel("pane = \"3s\"").replace("\"a\"", "\"b\"");
    let text = format!("[defaults]\nwindows = [\"10s\"]\n{channel}");
    assert_eq!(
        lines(&text),
        ["14:8: the pane 3s does not divide 1s, by which the window 10s slides"]
    );
    // Once, although the channel inherits it.
    let text = text
        .replace("windows", "pane = \"3s\"\nwindows")
        .replace("index = 0\npane = \"3s\"", "index = 0");
    assert_eq!(
        lines(&text),
        ["3:12: the pane 3s does not divide 1s, by which the window 10s slides"]
    );
}

#[test]
fn syntax_errors_do_not_bring_others_with_them() {
    let text =
        "[daemon]\nqueue = = 3\n[defaults]\nfigures = 4\n[[source]]\nname = \"x\nkind = \"udp\"\n";
    let found = lines(text);
    assert!(found.iter().any(|line| line.starts_with("2:9: no valid TOML")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("4:11: `figures` is 4")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("6:")), "{found:?}");
    assert_eq!(found.len(), 3, "nothing is missing where lines are broken: {found:?}");
    assert_eq!(lines("a\n").len(), 1);
    assert_eq!(
        lines("[daemon]\nqueue = 1\nqueue = 2\n[daemon]\n"),
        ["3:1: no valid TOML: duplicate key", "4:2: no valid TOML: duplicate key"]
    );
}

#[test]
fn positions_are_right_with_crlf_and_umlauts() {
    let text = "# Über\r\n[daemon]\r\nqueue = 0 # ä\r\n[[source]]\r\nname = \"ä\"\r\nkind = \"udp\" \r\nlisten = \"ö\"\r\nformat = \"native\"\r\n";
    assert_eq!(
        lines(text),
        [
            "3:9: `queue` is 0, which is not within 1 to 65536",
            "5:8: \"ä\" cannot be the name of a source",
            "7:10: `listen` is no address with a port: \"ö\"",
        ]
    );
    // Columns count characters, not bytes.
    assert_eq!(
        lines("daemon = { 'ö' = 1, queue = 0 }"),
        ["1:12: unknown key `ö` in [daemon]", "1:29: `queue` is 0, which is not within 1 to 65536",]
    );
    let shown = bad("[daemon]\r\n'ä' = { \"ö\" = 1 }\r\n");
    assert!(shown.contains("2 | 'ä' = { \"ö\" = 1 }\n  | ^^^ not known\n"), "{shown}");
}

#[test]
fn each_format_says_which_keys_and_words_are_its_own() {
    let speaks = |word: &str, key: &str| format!("{UDP}{key}").replace("native", word);
    let text = |key: &str| speaks("text", key);
    let json = |key: &str| speaks("json", key);
    let influx = |key: &str| speaks("influx", key);
    let statsd = |key: &str| speaks("statsd", key);
    let cases = [
        (text("tags = \"name\""), "6:1: `tags` does not fit the format \"text\""),
        (json("preset = \"rtl433\""), "6:10: `preset` cannot be \"rtl433\""),
        (
            json("preset = \"tempest\"\ntimestamp = \"t\""),
            "7:1: `timestamp` has no effect with `preset`",
        ),
        (json("time = \"device\""), "6:8: the format \"json\" has no time of the device"),
        (json("name_by = \"id\""), "6:11: `name_by` must be a list in square brackets"),
        (json("name_by = [1]"), "6:12: `name_by` must be a list of paths in quotes"),
        (influx("precision = \"m\""), "6:13: `precision` cannot be \"m\""),
        (statsd("time = \"device\""), "6:8: the format \"statsd\" has no time of the device"),
    ];
    for (text, expected) in cases {
        let found = lines(text.trim_start());
        assert!(found[0].ends_with(expected), "{text}\ngives {found:#?}\nnot {expected}");
        assert_eq!(found.len(), 1, "{text}\ngives {found:#?}");
    }
}

#[test]
fn each_key_says_its_range_or_its_words() {
    let daemon = |key: &str| format!("[daemon]\n{key}");
    let defaults = |key: &str| format!("[defaults]\n{key}");
    let serial = |key: &str| format!("{TEXT}{key}");
    let udp = |key: &str| format!("{UDP}{key}");
    let cases = [
        (daemon("publish = \"1ms\""), "2:11: `publish` is 1ms, which is not within 10ms to 1m"),
        (daemon("publish = \"1 min\""), "2:11: `publish` is no duration: expected a unit: one of d, h, m, s, ms, us, ns"),
        (daemon("queue = 1.5"), "2:9: `queue` must be a whole number"),
        (daemon("queue = 99999999999999999999"), "2:9: `queue` is 99999999999999999999, which is not within 1 to 65536"),
        (daemon("shards = 0"), "2:10: `shards` is 0, which is not within 1 to 16"),
        (daemon("shards = 17"), "2:10: `shards` is 17, which is not within 1 to 16"),
        (daemon("socket = \"\""), "2:10: `socket` is no path"),
        (daemon(&format!("socket = \"/{}\"", "x".repeat(107))), "2:10: `socket` is 108 bytes long, more than 107"),
        ("daemon = 1".to_owned(), "1:10: `daemon` must be a table"),
        ("source = 1".to_owned(), "1:10: `source` must be a list of tables"),
        ("channel = [1]".to_owned(), "1:12: `channel` must be a list of tables"),
        ("[sources]".to_owned(), "1:2: unknown key `sources` in the configuration"),
        (defaults("pane = \"0s\""), "2:8: `pane` is 0s, which is not within 1ms to 87840h"),
        (defaults("windows = []"), "2:11: 0 windows, where 1 to 16 can be"),
        (defaults("windows = [5]"), "2:12: `windows` must be a list of windows"),
        (defaults("windows = [\"1s\", \"1s\"]"), "2:18: the window 1s is given twice"),
        (defaults("windows = [{ length = \"1s\" }]"), "2:12: a window needs `every`"),
        (defaults("windows = [\"1us\"]"), "2:12: `windows` is 1us, which is not within 1ms to 87840h"),
        (defaults("percentiles = [101]"), "2:16: the percentile 101 is not above 0 and up to 100"),
        (defaults("percentiles = [nan]"), "2:16: the percentile NaN is not above 0 and up to 100"),
        (defaults("percentiles = [5, 5.0]"), "2:19: the percentile 5 is given twice"),
        (defaults("percentiles = 5"), "2:15: `percentiles` must be a list in square brackets"),
        (defaults("figures = 0"), "2:11: `figures` is 0, which is not within 1 to 3"),
        (defaults("resolution = 0"), "2:14: `resolution` is 0, which is not within 0.000000000001 to 1000000000000"),
        (defaults("expected_rate = inf"), "2:17: `expected_rate` is inf, which is not within 0.0000001 to 10000000"),
        (defaults("lateness = \"1h\""), "2:12: lateness 1h and future 2s keep 36022 panes of 100ms open at once, more than 4096"),
        (defaults("stale_after = \"2s\"\nsilent_after = \"1s\""), "2:15: `silent_after` 1s is shorter than `stale_after` 2s"),
        (serial("data_bits = 9"), "6:13: `data_bits` is 9, which is not within 5 to 8"),
        (serial("poll_every = \"1s\""), "6:1: `poll_every` has no effect without `poll`"),
        (serial("poll = \"\""), "6:8: `poll` has 0 bytes, not 1 to 1024"),
        (serial("poll = { hex = \"1 2\" }"), "6:16: `hex` is no list of bytes: \"1 2\""),
        (serial("on_open = {}"), "6:11: `on_open` needs `hex`"),
        (serial("on_silence = \"reopen\""), "6:1: `on_silence` has no effect without `silence`"),
        (serial("rs485 = { delay_after = \"1500us\" }"), "6:25: `delay_after` is not whole milliseconds"),
        (serial("rs485 = { delay_after = \"1s\" }"), "6:25: `delay_after` is 1s, which is not within 0s to 100ms"),
        (serial("parity = \"evn\""), "6:10: `parity` cannot be \"evn\""),
        (serial("time = \"device\""), "6:8: the format \"text\" has no time of the device"),
        (serial("timestamp = \"\""), "6:13: `timestamp` is no name of a field"),
        (serial("discover_max = 5"), "6:1: `discover_max` has no effect without `unknown = \"discover\"`"),
        (serial("unknown = \"discover\"\ndiscover_max = 5000"), "7:16: `discover_max` is 5000, which is not within 1 to 4096"),
        (udp("timestamp = \"t\""), "6:1: `timestamp` does not fit the format \"native\""),
        (udp("on_full = \"wait\""), "6:11: a UDP source cannot wait"),
        (udp("receive_buffer = \"8MB\""), "6:18: `receive_buffer` is no number of bytes: \"8MB\""),
        (udp("receive_buffer = \"9GiB\""), "6:18: `receive_buffer` is 9GiB, which is not within 4KiB to 1GiB"),
        (udp("receive_buffer = 1"), "6:18: `receive_buffer` is 1, which is not within 4096 to 1073741824"),
        (udp("framing = \"steam\""), "6:11: `framing` cannot be \"steam\""),
        (serial("framing = \"stream\""), "6:1: `framing` does not fit a source of kind \"serial\""),
        (udp("paced = true"), "6:1: `paced` does not fit a source of kind \"udp\""),
        (format!("{UDP}{UDP}"), "8:8: the name \"plant\" is taken"),
        (format!("{UDP}{}", UDP.replace("plant", "b").replace("127.0.0.1", "0.0.0.0")), "7:1: the address 0.0.0.0:7420 is taken by the source \"plant\""),
        (format!("{TEXT}{}", TEXT.replace("bench", "b")), "7:1: the port /dev/serial/by-id/x is taken by the source \"bench\""),
        ("[[source]]\nname = \"a\"\nkind = \"mqtt\"".to_owned(), "3:8: `kind` cannot be \"mqtt\""),
        ("[[source]]\nkind = \"udp\"\nlisten = \"1.1.1.1:1\"\nformat = \"text\"".to_owned(), "1:1: [[source]] needs `name`"),
        ("[[source]]\nname = \"a\"\nkind = \"simulator\"\nscenario = \"x\"".to_owned(), "4:12: cannot read the scenario dir/x: entity not found"),
        ("[[source]]\nname = \"a\"\nkind = \"simulator\"\nscenario = \"plant.toml\"\nformat = \"text\"".to_owned(), "5:1: `format` does not fit a source of kind \"simulator\""),
    ];
    for (text, expected) in cases {
        let found = lines(text.trim_start());
        assert!(
            found.iter().any(|line| line == expected),
            "{text}\ngives {found:#?}\nnot {expected}"
        );
        assert!(found.len() <= 2, "{text}\ngives {found:#?}");
    }
}

#[test]
fn each_key_of_a_channel_says_what_is_wrong() {
    let cases = [
        ("qc = 1", "`qc` must be a table"),
        ("exact = 1", "unknown key `exact` in [[channel]]"),
        ("field = \"t\"", "`field` does not fit: the source \"plant\" speaks \"native\""),
        ("unit = \"furlong\"", "`unit` \"furlong\" is no unit: `furlong` is no known UCUM code"),
        (
            "unit = \"m\"\nraw_unit = \"s\"",
            "`s` does not convert to `m`: time cannot be converted to length",
        ),
        ("raw_unit = \"m\"", "`raw_unit` has no effect without `unit`"),
        ("calibration = { scale = 2 }", "`calibration` needs `kind`"),
        ("calibration = { kind = \"cubic\" }", "`kind` cannot be \"cubic\""),
        (
            "calibration = { kind = \"linear\", scale = 0 }",
            "`scale` is 0: every value would be the offset",
        ),
        (
            "calibration = { kind = \"linear\", offset = nan }",
            "`offset` is NaN, which is not within",
        ),
        (
            "[[channel]]\nid = \"a\"\nsource = \"plant\"\ndevice = 1\nindex = 1",
            "the id \"a\" is taken",
        ),
        (
            "[[channel]]\nid = \"b\"\nsource = \"plant\"\ndevice = 1\nindex = 0",
            "two channels for the same readings",
        ),
        (
            "[[channel]]\nid = \"b\"\nsource = \"plant\"\ndevice = 1\nindex = 256",
            "`index` is 256, which is not within 0 to 255",
        ),
        (
            "[[channel]]\nid = \"b*\"\nsource = \"plant\"\ndevice = 1\nindex = 1",
            "\"b*\" cannot be the id of a channel",
        ),
        (
            "[[channel]]\nid = \"b\"\nsource = \"plant\"\ndevice = -1\nindex = 1",
            "`device` is -1, which is not within 0 to 4294967295",
        ),
        ("[[channel]]\nid = \"b\"\nsource = \"plant\"", "[[channel]] needs `device`"),
        ("[[channel]]\nid = \"b\"\nsource = 5", "`source` must be text in quotes"),
    ];
    for (keys, expected) in cases {
        let found = lines(&channel(keys));
        assert!(found.iter().any(|line| line.contains(expected)), "{keys}\ngives {found:#?}");
        assert!(found.len() <= 2, "{keys}\ngives {found:#?}");
    }
    let text =
        format!("{TEXT}[[channel]]\nid = \"a\"\nsource = \"bench\"\nindex = 1\nfield = \"t\"\n");
    let expected = "10:1: `index` does not fit: the source \"bench\" speaks \"text\"";
    assert_eq!(lines(&text), [expected]);
    let text = format!(
        "{TEXT}timestamp = \"t\"\n[[channel]]\nid = \"a\"\nsource = \"bench\"\nfield = \"t\"\n"
    );
    assert_eq!(lines(&text), ["11:9: the field \"t\" holds the time of the line"]);
}

#[test]
fn keys_that_this_version_lacks_are_named_as_such() {
    let shown = bad(&channel("exact = true"));
    let help = "help: this version of stillwell has no `exact`: remove it";
    assert!(shown.contains(help), "{shown}");
}

#[test]
fn port_zero_is_another_port_each_time() {
    let any = UDP.replace("7420", "0");
    good(&format!("{any}{}", any.replace("plant", "other")));
}

#[test]
fn more_than_can_be_is_refused() {
    let sources: String =
        (0..257).map(|i| UDP.replace("plant", &format!("s{i}")).replace("7420", "0")).collect();
    assert_eq!(lines(&sources), ["1538:1: 257 sources, more than 256"]);
    let greedy = UDP.replace("7420", "0") + "unknown = \"discover\"\ndiscover_max = 1048576\n";
    let text = format!("{greedy}{}", greedy.replace("plant", "b"));
    assert_eq!(lines(&text), ["10:1: channels and `discover_max` add up to more than 1048576"]);
}

#[test]
fn errors_of_a_scenario_have_its_own_place() {
    let broken = |path: &Path| match path.to_str() {
        Some("dir/sub/s.toml") => Ok("format = \"natve\"\n[[device]]\nid = 1\n".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let text = "[daemon]\nqueue = 0\n[[source]]\nname = \"a\"\nkind = \"simulator\"\nscenario = \"sub/s.toml\"\n";
    let errors = Config::parse(text, Path::new("dir/c.toml"), &broken).expect_err("broken");
    let lines: Vec<String> = errors.lines().collect();
    assert_eq!(
        lines,
        [
            "dir/c.toml:2:9: `queue` is 0, which is not within 1 to 65536",
            "dir/sub/s.toml:1:10: `format` cannot be \"natve\"",
            "dir/sub/s.toml:2:1: [[device]] needs `rate`",
            "dir/sub/s.toml:2:1: [[device]] needs `channel`",
        ]
    );
}

#[test]
fn colour_is_a_choice() {
    let errors = parse("x = 1").expect_err("broken");
    assert!(errors.render(true).contains("\u{1b}["));
    assert!(!errors.to_string().contains('\u{1b}'));
}

#[test]
fn an_exact_window_has_keys_of_its_own() {
    let cases = [
        (
            "exact = true, every = \"1s\"",
            "2:43: an exact window has no `every`: it slides with each reading",
        ),
        ("every = \"1s\", capacity = 9", "2:43: `capacity` belongs to an exact window"),
        ("exact = true, capacity = 0", "2:54: `capacity` is 0, which is not within 1 to 16384"),
        ("exact = 1", "2:37: `exact` must be true or false"),
    ];
    for (keys, expected) in cases {
        let text = format!("[defaults]\nwindows = [{{ length = \"1s\", {keys} }}]");
        assert_eq!(lines(&text), [expected], "{text}");
    }
    let long = "[defaults]\nwindows = [{ length = \"2h\", exact = true }]";
    assert_eq!(lines(long), ["2:23: `length` is 2h, which is not within 1ms to 1h"]);
}
