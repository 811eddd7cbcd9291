//! What is said about the field that holds the time of a line, where it is not or could be.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
    sync::Arc,
};

use crate::{
    engine::Ledger,
    wire::{FrameRefusal, decode::Format, log, text},
};

/// No line of the log has the field that was to hold its time.
#[derive(Debug)]
pub struct AbsentField {
    wanted: Arc<str>,
    header: Vec<Box<str>>,
}

impl fmt::Display for AbsentField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, header } = self;
        if header.is_empty() {
            write!(f, "no field `{wanted}`; there is no header")
        } else {
            write!(f, "no field `{wanted}`; the header has {}", header.join(", "))
        }
    }
}

impl std::error::Error for AbsentField {}

/// The time field that no header names, if no line could be read and this explains it.
pub(super) fn absent(format: &Format, header: &[&str], total: &Ledger) -> Option<AbsentField> {
    let Format::Text(options) = format else { return None };
    let wanted = options.timestamp.as_ref()?;
    let wire = &total.wire;
    let malformed = wire.refused[FrameRefusal::Malformed as usize];
    let nothing_else = malformed + wire.frames_silent == wire.frames_in;
    let by_position = wanted.parse::<usize>().is_ok();
    let explains = !by_position && !header.contains(&&**wanted);
    let absent = 0 < malformed && nothing_else && total.readings.accepted == 0 && explains;
    absent.then(|| {
        let names = header.iter().filter(|name| !name.is_empty());
        AbsentField { wanted: Arc::clone(wanted), header: names.map(|&name| name.into()).collect() }
    })
}

/// Says on standard error that the first column of a raw text file could be asked for as the
/// time, if it looks like one and no other field is asked for.
///
/// # Errors
/// If standard error cannot be written. A file that cannot be read has been reported before.
pub(super) fn hint(path: &Path, format: &Format) -> io::Result<()> {
    let Format::Text(options) = format else { return Ok(()) };
    if options.timestamp.is_some() || !begins_with_times(path) {
        return Ok(());
    }
    writeln!(io::stderr().lock(), "column 1 looks like a time: try --timestamp 1")
}

/// Whether one of the first lines, which may be remarks and headers, begins with a time.
fn begins_with_times(path: &Path) -> bool {
    let mut head = [0; 4_096];
    let read = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..read]);
    !head.starts_with(log::LOG_HEADER) && head.lines().any(text::begins_with_time)
}
