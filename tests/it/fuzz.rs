//! The fuzz targets on the inputs that are kept: the same checks, without the fuzzer.

use std::{collections::BTreeSet, fs, path::Path};

#[path = "../../fuzz/decoder.rs"]
mod decoder;
#[path = "../../fuzz/state.rs"]
mod state;

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
    let mut all = targets.clone();
    all.insert("state".to_owned());
    assert_eq!(names_in(&shipped("fuzz/fuzz_targets")), all);
    assert_eq!(names_in(&shipped("fuzz/corpus")), all);
    let manifest = fs::read_to_string(shipped("fuzz/Cargo.toml")).expect("a manifest");
    for target in &targets {
        let program = fs::read_to_string(shipped(&format!("fuzz/fuzz_targets/{target}.rs")));
        assert!(program.expect("a program").contains(&format!("check(\"{target}\", input)")));
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
    }
}

#[test]
fn an_image_is_gone_on_with_whole_and_so_is_the_one_of_that() {
    assert_eq!(state::check(&state::sample()), Some([vec![], vec![]]));
}

#[test]
fn every_kept_image_breaks_nothing() {
    for entry in fs::read_dir(shipped("fuzz/corpus/state")).expect("a corpus") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        state::check(&fs::read(&path).expect("a file"));
    }
}

/// With the right checksum, so that it is up to each part of the engine to notice.
#[test]
fn an_image_with_any_byte_wrong_breaks_nothing() {
    let sample = state::sample();
    let (mut gone_on, mut lost) = (0, 0);
    for at in 0..sample.len() {
        let mut wrong = sample.clone();
        // Another bit each time, and all of them now and then.
        wrong[at] ^= if at % 9 == 8 { 0xff } else { 1 << (at % 9) };
        if let Some(is_lost) = state::survives(&wrong) {
            gone_on += 1;
            lost += usize::from(is_lost);
        }
    }
    assert!(0 < lost && lost < gone_on && gone_on < sample.len(), "{lost} of {gone_on}");
}

/// And with any part at the end missing.
#[test]
fn an_image_that_ends_anywhere_breaks_nothing() {
    let sample = state::sample();
    let whole = (0..sample.len()).filter(|&end| state::survives(&sample[..end]).is_some()).count();
    assert!(0 < whole && whole < 100, "only where a record ends: {whole}");
}

/// All that is of one pane is of another: each part is sound, and they do not fit together.
#[test]
fn an_image_with_times_that_contradict_each_other_breaks_nothing() {
    let sample = state::sample();
    let time_at = |at: usize| {
        let bytes = sample[at..at + 8].try_into().expect("eight");
        i64::from_le_bytes(bytes)
    };
    let until_ns = state::BEGIN_NS + 20 * state::PANE_NS;
    let is_time = |at: &usize| (state::BEGIN_NS - state::PANE_NS..until_ns).contains(&time_at(*at));
    let times: Vec<usize> = (0..sample.len() - 8).filter(is_time).collect();
    let pane = |at: usize| time_at(at).div_euclid(state::PANE_NS);
    let panes: BTreeSet<i64> = times.iter().map(|&at| pane(at)).collect();
    let mut lost = 0;
    for moved in &panes {
        for by in (-12..=12).filter(|by| *by != 0) {
            let mut wrong = sample.clone();
            for &at in times.iter().filter(|at| pane(**at) == *moved) {
                let time_ns = time_at(at) + by * state::PANE_NS;
                wrong[at..at + 8].copy_from_slice(&time_ns.to_le_bytes());
            }
            lost += usize::from(state::survives(&wrong) == Some(true));
        }
    }
    assert!(panes.len() < lost, "{lost} of {} panes", panes.len());
}
