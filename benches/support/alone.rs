//! Runs a row in a process of its own, bare or under callgrind.

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::{self, Command, Stdio},
};

use super::{Figures, Options};

/// The figures of a row from a process of its own.
pub(super) fn time(name: &str, options: &Options) -> io::Result<Figures> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--alone", name]);
    if options.smoke {
        command.arg("--test");
    }
    read(name, &said(name, &mut command)?)
}

/// Instructions an item, of everything within [`super::Watch::time`]; `None`, and why on standard
/// error, without valgrind.
pub(super) fn count(name: &str) -> io::Result<Option<f64>> {
    let file = format!("callgrind-{}.out", process::id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    let mut command = Command::new("valgrind");
    command.args(["-q", "--tool=callgrind", "--toggle-collect=*counted_work*"]);
    command.arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(env::current_exe()?).args(["--counted", "--alone", name]);
    let said = match said(name, &mut command) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            writeln!(io::stderr(), "valgrind is not installed: no instructions are counted")?;
            return Ok(None);
        }
        said => said?,
    };
    let items = read(name, &said)?.items;
    let profile = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse::<f64>().ok());
    let total = total.ok_or_else(|| io::Error::other("callgrind wrote no totals"))?;
    Ok(Some(total / items as f64))
}

/// Tells the process that started this one what [`read`] reads there.
pub(super) fn answer(figures: &Figures) -> io::Result<()> {
    let Figures { best_ns, median_ns, items, notes } = figures;
    let notes: Vec<_> = notes.iter().map(f64::to_string).collect();
    writeln!(io::stdout(), "{items} {best_ns} {median_ns} {}", notes.join(" "))
}

fn said(name: &str, command: &mut Command) -> io::Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{name}: {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

fn read(name: &str, said: &str) -> io::Result<Figures> {
    let malformed = || io::Error::other(format!("{name}: its process said {said:?}"));
    let mut words = said.split_ascii_whitespace();
    let items = words.next().and_then(|word| word.parse().ok()).ok_or_else(malformed)?;
    let numbers: Result<Vec<f64>, _> = words.map(str::parse).collect();
    match numbers.as_deref() {
        Ok([best_ns, median_ns, notes @ ..]) => {
            let (best_ns, median_ns, notes) = (*best_ns, *median_ns, notes.to_vec());
            Ok(Figures { best_ns, median_ns, items, notes })
        }
        _ => Err(malformed()),
    }
}
