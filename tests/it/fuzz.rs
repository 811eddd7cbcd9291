//! The fuzz targets on the inputs that are kept: the same checks, without the fuzzer.

use std::{collections::BTreeSet, fs, path::Path};

#[path = "../../fuzz/decoder.rs"]
mod decoder;

use crate::process::shipped;

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let stem = |entry: fs::DirEntry| {
        let path = entry.path();
        path.file_stem().and_then(|name| name.to_str()).expect("a plain name").to_owned()
    };
    entries.map(|entry| stem(entry.expect("an entry"))).collect()
}

#[test]
fn every_kept_input_passes_the_checks_of_its_target() {
    for (target, _) in decoder::TARGETS {
        let directory = shipped(&format!("fuzz/corpus/{target}"));
        let mut inputs = 0;
        for entry in fs::read_dir(&directory).expect("a corpus") {
            let path = entry.expect("an entry").path();
            let input = fs::read(&path).expect("a file");
            println!("{}", path.display());
            decoder::check(target, &input);
            inputs += 1;
        }
        assert!(0 < inputs, "{target} has no input");
    }
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let targets: BTreeSet<_> =
        decoder::TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect();
    assert_eq!(names_in(&shipped("fuzz/fuzz_targets")), targets);
    assert_eq!(names_in(&shipped("fuzz/corpus")), targets);
    let manifest = fs::read_to_string(shipped("fuzz/Cargo.toml")).expect("a manifest");
    for target in &targets {
        let program = fs::read_to_string(shipped(&format!("fuzz/fuzz_targets/{target}.rs")));
        assert!(program.expect("a program").contains(&format!("check(\"{target}\", input)")));
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
    }
}
