//! The rules of the house, as tests: layers, purity, where `unsafe` and clocks are, and the state
//! of the text. Each rule is a function of a path and a text, and is shown to catch what it is for.

mod source;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::source::{Source, names_after};

/// The modules in reading order, each with the others it may use; a module may use itself.
const LAYERS: [(&str, &[&str]); 14] = [
    ("limits", &[]),
    ("wire", &["limits"]),
    ("simulate", &["limits", "wire"]),
    ("scan", &["limits"]),
    ("engine", &["limits", "wire", "scan"]),
    ("config", &["limits", "wire", "simulate", "engine"]),
    ("recording", &["limits", "wire"]),
    ("query", &["limits", "wire", "engine"]),
    ("endpoint", &["limits"]),
    (
        "daemon",
        &[
            "limits",
            "wire",
            "simulate",
            "scan",
            "engine",
            "config",
            "recording",
            "query",
            "endpoint",
        ],
    ),
    ("client", &["limits", "endpoint"]),
    ("replay", &["limits", "wire", "engine", "config", "recording", "query"]),
    ("probe", &["limits", "wire", "engine", "config", "recording", "daemon"]),
    ("record", &["limits", "wire", "engine", "daemon", "client", "probe"]),
];

/// Modules that touch nothing outside the program.
const PURE: [&str; 6] = ["limits", "wire", "simulate", "scan", "engine", "query"];

/// What a pure module does not name: crates that reach outside, and the parts of std that do.
const OUTSIDE: [&str; 8] =
    ["tokio", "tokio_stream", "socket2", "libc", "rustix", "sd_notify", "getrandom", "indicatif"];
const OUTSIDE_STD: [&str; 7] = ["net", "fs", "env", "os", "process", "thread", "time"];

/// Names that a rule lets through in one place, and why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("src/client/", "engine::duration", "durations are written one way on both sides"),
    (
        "src/engine/registry.rs",
        "RandomState",
        "what a wire names must not pick its hash; only looked up",
    ),
];

/// Where clocks are read.
const CLOCK: &str = "src/daemon/clock.rs";
const LINES_MAX: usize = 500;
const COLUMNS_MAX: usize = 100;

/// What may be in the top directory.
const TOP: &[&str] = &[
    ".ci",
    ".git",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "config.toml",
    "docs",
    "fuzz",
    "rustfmt.toml",
    "simulator",
    "src",
    "systemd",
    "target",
    "tests",
    // Seeds of properties that failed once.
    "proptest-regressions",
];

type Rule = fn(&Source) -> Vec<String>;

/// Every rule about one file. That every key of the configuration is documented is held by the
/// tests of the configuration, and what the README says by those of the README.
const RULES: [(&str, Rule); 10] = [
    ("layers", layers),
    ("purity", purity),
    ("unsafe", unsafe_code),
    ("clocks", clocks),
    ("documented", documented),
    ("short files", short_files),
    ("short lines", short_lines),
    ("finished", finished),
    ("no machine", no_machine),
    ("clean text", clean_text),
];

#[test]
fn the_house_is_tidy() {
    let sources = all();
    assert!(100 < sources.len(), "found only {} files", sources.len());
    let mut broken = Vec::new();
    for source in &sources {
        for (name, rule) in RULES {
            broken
                .extend(rule(source).iter().map(|what| format!("{}: {name}: {what}", source.path)));
        }
    }
    broken.extend(unreached(&sources));
    for (path, name, _why) in EXCEPTIONS {
        let mut here = sources.iter().filter(|source| source.path.starts_with(path));
        if !here.any(|source| source.code.contains(name)) {
            broken.push(format!("{path}: the exception for {name} is not needed any more"));
        }
    }
    assert!(broken.is_empty(), "{} broken rules:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn the_modules_stand_in_reading_order() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("is there");
    let stand: Vec<_> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(stand, LAYERS.map(|(name, _)| name));
    for (at, (name, uses)) in LAYERS.iter().enumerate() {
        let before: BTreeSet<_> = LAYERS[..at].iter().map(|(name, _)| *name).collect();
        assert!(uses.iter().all(|used| before.contains(used)), "{name} uses what comes after it");
    }
}

#[test]
fn the_top_directory_holds_what_belongs_there() {
    for entry in fs::read_dir(root()).expect("reads") {
        let name = entry.expect("reads").file_name().into_string().expect("a plain name");
        assert!(TOP.contains(&&*name), "{name} does not");
    }
}

/// Each rule, a file that breaks it, and one that nearly does.
#[test]
fn every_rule_can_fail() {
    let todo = concat!("//! D.\n// TO", "DO\n");
    let home = concat!("see /ho", "me/me/x\n");
    let long_line = format!("//! D.\n// {}\n", "x".repeat(98));
    let long_file = "//! D.\n".repeat(501);
    let cases: [(&str, &str, &str, &str); 23] = [
        ("layers", "src/wire/x.rs", "use crate::engine::Plan;", "use crate::limits::MS;"),
        ("layers", "src/engine/x.rs", "use crate::{limits::MS, config};", "use crate::{wire::X};"),
        ("layers", "src/client/x.rs", "let a = crate::engine::f();", "// crate::engine::f()"),
        (
            "layers",
            "src/engine/unit/x.rs",
            "use super::super::super::daemon;",
            "use super::super::X;",
        ),
        ("layers", "src/client/x.rs", "crate::engine::unit::f()", "crate::engine::duration::f()"),
        ("layers", "src/scan.rs", "use stillwell::wire;", "use futures::Stream;"),
        ("purity", "src/engine/x.rs", "use std::{fmt, fs::File};", "use std::{fmt, mem};"),
        ("purity", "src/wire/x.rs", "use tokio::sync::mpsc;", "let tokio = 1;"),
        ("purity", "src/simulate/x.rs", "let r = rand::rng();", "let r = seeded(1);"),
        (
            "purity",
            "src/scan.rs",
            "let t = Clock::now();",
            "#[cfg(test)]\nmod tests { fn a() { b::now(); } }",
        ),
        ("purity", "src/query/x.rs", "use rustix::fs;", "const T: &str = \"rustix::fs\";"),
        (
            "purity",
            "src/engine/x.rs",
            "let m = HashMap::<u8, u8>::new();",
            "let m = BTreeMap::new();",
        ),
        ("unsafe", "src/engine/x.rs", "unsafe { f() }", "#![deny(unsafe_code)]"),
        ("unsafe", "src/daemon/run.rs", "unsafe fn f() {}", "// unsafe is for kernel.rs"),
        ("clocks", "src/daemon/run.rs", "let t = clock_gettime(x);", "clock::deadline_in(1)"),
        ("clocks", "simulator/x.rs", "Instant::now()", "let instant = now;"),
        ("documented", "src/x.rs", "use std::fmt;", "//! What it is.\n"),
        ("short files", "src/x.rs", &long_file, "//! D.\n"),
        ("short lines", "src/x.rs", &long_line, "//! D.\n// short\n"),
        ("finished", "src/x.rs", todo, "//! D.\n// all done\n"),
        ("no machine", "docs/x.md", home, "see /etc/stillwell/x\n"),
        ("clean text", "docs/x.md", "trailing \n", "none\n"),
        ("clean text", "docs/x.md", "no end", "an end\n"),
    ];
    for (name, rule) in RULES {
        assert!(cases.iter().any(|case| case.0 == name), "{name} is not shown to fail");
        for (_, path, bad, good) in cases.iter().filter(|case| case.0 == name) {
            assert!(!rule(&Source::new(path, bad)).is_empty(), "{name} misses {bad:?} in {path}");
            let found = rule(&Source::new(path, good));
            assert!(found.is_empty(), "{name}: {good:?} in {path}: {found:?}");
        }
    }
    let dead = [Source::new("src/lib.rs", "pub mod a;"), Source::new("src/b.rs", "//! B.\n")];
    assert_eq!(unreached(&dead).len(), 1);
}

fn layers(source: &Source) -> Vec<String> {
    let Some((own, allowed)) = source.module().and_then(layer) else {
        return Vec::new();
    };
    let code = without_exceptions(source);
    let mut used = names_after(&code, "crate");
    used.extend(names_after(&code, "stillwell"));
    let strangers = used.iter().filter(|name| *name != own && !allowed.contains(&name.as_str()));
    let mut broken: Vec<_> = strangers
        .filter(|name| layer(name).is_some())
        .map(|name| format!("{own} uses {name}"))
        .collect();
    let depth = source.depth();
    if source.code.contains(&"super::".repeat(depth)) {
        broken.push(format!("{depth} times super:: leaves {own}"));
    }
    broken
}

/// The code of a file with the names taken out that it may use and its like may not.
fn without_exceptions(source: &Source) -> String {
    let here = EXCEPTIONS.iter().filter(|(path, ..)| source.path.starts_with(path));
    here.fold(source.code.clone(), |code, (_, name, _why)| code.replace(name, ""))
}

fn layer(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    LAYERS.into_iter().find(|(module, _)| *module == name)
}

fn purity(source: &Source) -> Vec<String> {
    if !source.module().is_some_and(|module| PURE.contains(&module)) {
        return Vec::new();
    }
    let crates = OUTSIDE.iter().filter(|name| !names_after(&source.code, name).is_empty());
    let std = names_after(&source.code, "std");
    let std = std.iter().filter(|name| OUTSIDE_STD.contains(&name.as_str()));
    // std's maps are seeded by the process: their order is not that of the input.
    let words = ["::now(", "rand::rng(", "thread_rng", "RandomState", "HashMap::new", "HashMap::<"];
    let code = without_exceptions(source);
    let words = words.iter().filter(|word| code.contains(**word));
    crates
        .map(|name| (*name).to_owned())
        .chain(std.map(|name| format!("std::{name}")))
        .chain(words.map(|word| (*word).to_owned()))
        .collect()
}

fn unsafe_code(source: &Source) -> Vec<String> {
    let kernel = source.path.starts_with("src/daemon/kernel");
    let lines = source.everything.lines().enumerate();
    let found = lines.filter(|(_, line)| !kernel && has_word(line, "unsafe"));
    found.map(|(at, _)| format!("line {}", at + 1)).collect()
}

fn clocks(source: &Source) -> Vec<String> {
    let words =
        ["clock_gettime", "Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now"];
    let found =
        words.iter().filter(|word| source.path != CLOCK && source.everything.contains(**word));
    found.map(|word| (*word).to_owned()).collect()
}

fn documented(source: &Source) -> Vec<String> {
    let missing = source.is_rust() && !source.text.starts_with("//! ");
    missing.then(|| "the file does not say what it is".to_owned()).into_iter().collect()
}

fn short_files(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let long = source.is_rust() && !source.is_test() && LINES_MAX < lines;
    long.then(|| format!("{lines} lines are more than one idea")).into_iter().collect()
}

fn short_lines(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.is_test() {
        return Vec::new();
    }
    let lines = source.text_without_tests.lines().enumerate();
    let long = lines.filter(|(_, line)| COLUMNS_MAX < line.chars().count());
    long.map(|(at, _)| format!("line {} is too long", at + 1)).collect()
}

fn finished(source: &Source) -> Vec<String> {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let marks = [concat!("unimpl", "emented!"), concat!("to", "do!"), concat!("#[ign", "ore")];
    let found = words.iter().chain(&marks).filter(|word| source.text.contains(**word));
    found.map(|word| (*word).to_owned()).collect()
}

fn no_machine(source: &Source) -> Vec<String> {
    let paths = [
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/wo", "rk/"),
        concat!("/tmp/", "wt"),
        concat!("/Us", "ers/"),
    ];
    let found = paths.iter().filter(|path| source.text.contains(**path));
    found.map(|path| (*path).to_owned()).collect()
}

fn clean_text(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    if !source.text.ends_with('\n') || source.text.ends_with("\n\n") {
        broken.push("the last line does not end the file".to_owned());
    }
    let lines = source.text.lines().enumerate();
    let dirty = lines.filter(|(_, line)| line.ends_with([' ', '\t', '\r']));
    broken.extend(dirty.map(|(at, _)| format!("line {} ends in white space", at + 1)));
    broken
}

/// Rust files of the library that no `mod` names: nobody compiles them.
fn unreached(sources: &[Source]) -> Vec<String> {
    let is_declared = |source: &&Source| {
        let path = Path::new(&source.path);
        let (name, parents) = source::parents(path);
        let declaration = format!("mod {name};");
        let mut files = sources.iter().filter(|file| parents.contains(&file.path));
        files.any(|file| file.everything.contains(&declaration))
    };
    let inner = sources.iter().filter(|source| {
        source.path.starts_with("src/") && source.is_rust() && source.module().is_some()
    });
    inner.filter(|s| !is_declared(s)).map(|s| format!("{} is in no module", s.path)).collect()
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text of the repository that is ours.
fn all() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root(), &mut paths);
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let path = path.strip_prefix(root()).expect("within").to_str().expect("plain").to_owned();
        Source::new(&path, &text)
    };
    paths.iter().map(read).collect()
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    // Recorded cases are kept as the tools wrote them.
    const SKIPPED: [&str; 5] = ["target", ".git", "proptest-regressions", "corpus", "artifacts"];
    const KINDS: [&str; 8] =
        ["rs", "toml", "md", "service", "socket", "conf", "sysusers", "tmpfiles"];
    for entry in fs::read_dir(directory).expect("reads") {
        let path = entry.expect("reads").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_dir() {
            if !SKIPPED.contains(&name) {
                collect(&path, paths);
            }
        } else if kind.is_some_and(|kind| KINDS.contains(&kind)) || name == "run" {
            paths.push(path);
        }
    }
}
