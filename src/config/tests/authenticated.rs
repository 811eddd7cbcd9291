//! Keys: where they come from, and where they do not appear.

use std::os::unix::fs::OpenOptionsExt as _;

use super::*;
use crate::{
    config::report::report,
    engine::sequence::Starts,
    wire::{key::Key, native::NativeOptions},
};

const NATIVE: &str = r#"
[[source]]
name = "plant"
kind = "udp"
listen = "127.0.0.1:0"
format = "native"
unknown = "discover"
"#;
const SIMULATED: &str = r#"
[[source]]
name = "plant"
kind = "simulator"
scenario = "keyed.toml"
unknown = "discover"
"#;

fn with_key(file: &str) -> String {
    format!("{NATIVE}key_file = \"{file}\"\n")
}

#[test]
fn a_source_with_a_key_takes_authenticated_frames_and_counts_starts() {
    let key = Some(Key::from_hex(&KEY.repeat(32)).expect("a key"));
    for text in [with_key(KEY_FILE), SIMULATED.to_owned()] {
        let config = good(&text);
        assert_eq!(config.inputs[0].format, Format::Native(NativeOptions { key: key.clone() }));
        assert_eq!(config.plan.sources[0].starts, Starts::Counted);
    }
    let config = good(NATIVE);
    assert_eq!(config.inputs[0].format, Format::NATIVE);
    assert_eq!(config.plan.sources[0].starts, Starts::Marked);
}

#[test]
fn check_says_authenticated_and_nothing_says_the_key() {
    for text in [with_key(KEY_FILE), SIMULATED.to_owned()] {
        let config = good(&text);
        let report = report(&config, Path::new("query.sock"));
        assert!(report.contains(", authenticated native frames"), "{report}");
        for told in [report, format!("{config:?}"), format!("{config:#?}")] {
            assert!(!told.contains(&KEY.repeat(2)), "{told}");
            // Nor the bytes as Rust prints them, nor a word that begins with them.
            assert!(!told.contains("157, 157"), "{told}");
        }
    }
}

#[test]
fn what_is_no_key_is_refused_without_a_word_of_it() {
    for (file, words) in [
        ("short.key", "dir/short.key holds no key: it has 31 bytes, fewer than 32"),
        ("odd.key", "dir/odd.key holds no key: it is not pairs of hexadecimal digits"),
        ("no.key", "cannot read the key dir/no.key: entity not found"),
        ("", "`key_file` is no path"),
    ] {
        let errors = bad(&with_key(file));
        assert!(errors.contains(words), "{errors}");
        assert!(errors.contains(":8:"), "at the key of the file: {errors}");
        assert!(!errors.contains(&KEY.repeat(2)), "{errors}");
    }
}

#[test]
fn a_key_is_for_native_frames() {
    let text = with_key(KEY_FILE).replace("\"native\"", "\"text\"");
    assert!(bad(&text).contains("`key_file` does not fit the format \"text\""), "{}", bad(&text));
    let text = format!("{SIMULATED}key_file = \"{KEY_FILE}\"\n");
    assert!(bad(&text).contains("the scenario says what its devices speak"), "{}", bad(&text));
}

#[test]
fn a_key_that_everyone_can_read_is_warned_of() {
    let dir = std::env::temp_dir().join(format!("stillwell-key-{}", std::process::id()));
    fs::create_dir(&dir).expect("a directory of its own");
    let write = |name: &str, text: &str, mode: u32| {
        let options =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).to_owned();
        let path = dir.join(name);
        io::Write::write_all(&mut options.open(&path).expect("opens"), text.as_bytes())
            .expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("is its own");
        path
    };
    let scenario = format!("key_file = \"{KEY_FILE}\"\n{SCENARIO}");
    write("keyed.toml", &scenario, 0o644);
    for (text, mode, warned) in [
        (with_key(KEY_FILE), 0o600, false),
        (with_key(KEY_FILE), 0o640, false),
        (with_key(KEY_FILE), 0o644, true),
        (SIMULATED.to_owned(), 0o644, true),
    ] {
        write(KEY_FILE, &KEY.repeat(32), mode);
        let config = write("config.toml", &text, 0o644);
        let warnings = load(&config).unwrap_or_else(|errors| panic!("{errors}")).warnings;
        let words = format!("{KEY_FILE} can be read by every user of this host");
        assert_eq!(warnings.to_string().contains(&words), warned, "{mode:o}: {warnings}");
        assert!(!warnings.to_string().contains(&KEY.repeat(2)), "{warnings}");
    }
    fs::remove_dir_all(&dir).expect("removes");
}
