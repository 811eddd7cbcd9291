//! The shipped `config.toml` against the reader.

use super::*;

const SHIPPED: &str = include_str!("../../../config.toml");

fn shipped(text: &str) -> Config {
    let loader = |path: &Path| match path.to_str() {
        Some("dir/simulator/plant.toml") => Ok(SCENARIO.to_owned()),
        other => panic!("{other:?}"),
    };
    Config::parse(text, Path::new("dir/config.toml"), &loader)
        .unwrap_or_else(|errors| panic!("{errors}"))
        .config
}

/// Whether a line without its `#` is a key, or the header of a table.
fn is_toml(line: &str) -> bool {
    let key = line.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    });
    key || line.starts_with("[[")
}

/// The file with the lines `#key = value` in force.
fn with_defaults(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if is_toml(rest) => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The file with the tables `# [[…]]` in force, and `# #key = value` as `#key = value`.
fn with_tables(text: &str) -> String {
    let mut within = false;
    let mut lines = String::new();
    for line in text.lines() {
        let rest = line.strip_prefix("# ");
        within = rest.is_some_and(|rest| within || rest.starts_with("[["));
        let toml = rest.filter(|rest| within && is_toml(rest.trim_start_matches('#')));
        lines.push_str(toml.unwrap_or(line));
        lines.push('\n');
    }
    lines
}

#[test]
fn runs_as_it_is() {
    let config = shipped(SHIPPED);
    let names: Vec<&str> = config.inputs.iter().map(|input| &*input.name).collect();
    assert_eq!(names, ["demo", "plant"]);
    assert_eq!(config.plan.channels.len(), 5);
}

#[test]
fn the_shipped_files_fit_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = load(&root.join("config.toml")).unwrap_or_else(|errors| panic!("{errors}")).config;
    let InputKind::Simulator(simulator) = &config.inputs[0].kind else { panic!("{config:?}") };
    for channel in &config.plan.channels {
        let ChannelKey::Numbered { device, index } = channel.key else { panic!("{channel:?}") };
        let device = simulator.scenario.devices.iter().find(|d| d.id == device).expect("a device");
        let played = &device.channels[usize::from(index)];
        assert_eq!(channel.id.split_once('.').map(|(_, name)| name), Some(&*played.name));
        assert_eq!(channel.unit.as_deref(), played.unit.as_deref());
        assert_eq!(channel.rules.expected_rate, Some(device.rate_hz));
    }
    for file in fs::read_dir(root.join("simulator")).expect("the scenarios") {
        let path = file.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            load_scenario(&path).unwrap_or_else(|errors| panic!("{errors}"));
        }
    }
}

#[test]
fn its_commented_defaults_are_the_defaults() {
    let text = with_defaults(SHIPPED);
    let added = text.lines().filter(|line| !line.starts_with('#')).count()
        - SHIPPED.lines().filter(|line| !line.starts_with('#')).count();
    assert!(15 <= added, "only {added} defaults found");
    assert_eq!(shipped(&text), shipped(SHIPPED));
}

#[test]
fn its_examples_run_and_their_defaults_are_the_defaults() {
    let examples = with_tables(SHIPPED);
    let config = shipped(&examples);
    assert_eq!((config.inputs.len(), config.plan.channels.len()), (14, 9));
    assert_eq!(shipped(&with_defaults(&examples)), config);
}

#[test]
fn it_has_every_key_and_no_other() {
    let mut table = "";
    let mut found = std::collections::BTreeSet::new();
    for line in SHIPPED.lines() {
        let line = line.trim_start_matches(['#', ' ']);
        if line.starts_with('[') && line.ends_with(']') {
            table = line.trim_matches(['[', ']']);
        } else if is_toml(line) && !table.is_empty() {
            found.insert((table, line.split_once(" = ").expect("a key").0));
        }
    }
    let tables = [("daemon", keys::DAEMON), ("defaults", keys::DEFAULTS), ("source", keys::SOURCE)];
    let mut known: std::collections::BTreeSet<_> = tables
        .iter()
        .flat_map(|(table, keys)| keys.iter().map(move |key| (*table, *key)))
        .collect();
    // Channels and patterns take the keys of [defaults] as well; those need not be repeated.
    for (table, keys) in [("channel", keys::CHANNEL), ("pattern", keys::PATTERN)] {
        let own = keys.iter().filter(|key| !keys::DEFAULTS.contains(*key));
        known.extend(own.map(|key| (table, *key)));
    }
    let missing: Vec<_> = known.difference(&found).collect();
    assert!(missing.is_empty(), "config.toml does not show {missing:?}");
    for (table, key) in found {
        let takes = ["channel", "pattern"].contains(&table);
        let inherited = takes && keys::DEFAULTS.contains(&key);
        assert!(inherited || known.contains(&(table, key)), "{table}: unknown {key}");
    }
    let layout = [keys::FRAME, keys::LENGTH, keys::REQUIRE, keys::CHECK, keys::CUSTOM, keys::FIELD];
    let modbus = [keys::MODBUS_DEVICE, keys::REGISTER].concat();
    let inner = [keys::CALIBRATION, keys::WINDOW, keys::RS485, keys::SENT, &*modbus].concat();
    let tests =
        [keys::QC, keys::BOUNDS, keys::SPIKE, keys::RATE_OF_CHANGE, keys::FLAT_LINE].concat();
    let of_others = [keys::ATTENUATED, keys::CLIMATOLOGY, keys::MEMBER].concat();
    let by_others = [keys::MULTI_VARIATE, keys::NEIGHBOUR].concat();
    let tests = [tests, of_others, by_others].concat();
    for key in inner.into_iter().chain(layout.concat()).chain(tests) {
        assert!(SHIPPED.contains(&format!("{key} = ")), "config.toml does not show {key}");
    }
}
