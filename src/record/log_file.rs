//! The log on its way to the disk.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{RecordFailure, feed::Feed};

/// A log being written.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    out: BufWriter<File>,
    begun: Option<String>,
    /// Comments from before the first line.
    early: String,
    /// Records in it.
    pub(super) records: u64,
    /// Bytes in its records.
    pub(super) bytes: u64,
    /// Records that are lacking.
    pub(super) lost_records: u64,
    /// Bytes in those.
    pub(super) lost_bytes: u64,
}

impl LogFile {
    /// Creates the file; one that exists is not touched.
    pub(super) fn create(path: &Path) -> Result<Self, RecordFailure> {
        let file = File::options().write(true).create_new(true).open(path);
        let out = file.map_err(|error| RecordFailure::Log { path: path.to_owned(), error })?;
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::new(out),
            begun: None,
            early: String::new(),
            records: 0,
            bytes: 0,
            lost_records: 0,
            lost_bytes: 0,
        })
    }

    /// Writes the first line, once.
    pub(super) fn begin(&mut self, header: &str) -> Result<(), RecordFailure> {
        match &self.begun {
            Some(begun) if begun == header => Ok(()),
            None => {
                self.begun = Some(header.to_owned());
                let early = std::mem::take(&mut self.early);
                self.write(&format!("{header}{early}"))
            }
            Some(_) => Err(self.failed(io::Error::other("the framing of the source changed"))),
        }
    }

    /// Writes one record.
    pub(super) fn line(&mut self, line: &str) -> Result<(), RecordFailure> {
        let hex = line.split_once(' ').map_or("", |(_, hex)| hex);
        self.records += 1;
        self.bytes += if hex == "down" { 0 } else { hex.len() as u64 / 2 };
        self.write(line)
    }

    /// Notes that records are lacking here.
    pub(super) fn lack(&mut self, records: u64, bytes: u64) -> Result<(), RecordFailure> {
        if records == 0 {
            return Ok(());
        }
        self.lost_records += records;
        self.lost_bytes += bytes;
        self.note(&format!("# lacking here: {records} records with {bytes} bytes"))
    }

    /// Notes that the kernel dropped datagrams here, whose bytes nobody knows.
    pub(super) fn lack_datagrams(&mut self, dropped: u64) -> Result<(), RecordFailure> {
        if dropped == 0 {
            return Ok(());
        }
        self.lost_records += dropped;
        self.note(&format!("# lacking here: {dropped} datagrams, dropped by the kernel"))
    }

    /// Ends the log, and tells in a sentence what is in it.
    pub(super) fn finish(mut self, feed: &Feed) -> Result<String, RecordFailure> {
        // A log without a record is one all the same.
        if self.begun.is_none() {
            self.begin(crate::wire::log::LOG_HEADER)?;
        }
        if let Some(line) = feed.last_line() {
            self.write(&line)?;
        }
        self.flush()?;
        let Self { path, records, bytes, .. } = self;
        let name = feed.name();
        Ok(format!("{records} records with {bytes} bytes of {name} are in {}", path.display()))
    }

    /// Hands what was written to the system.
    pub(super) fn flush(&mut self) -> Result<(), RecordFailure> {
        let flushed = self.out.flush();
        flushed.map_err(|error| self.failed(error))
    }

    /// A comment never comes before the first line.
    fn note(&mut self, text: &str) -> Result<(), RecordFailure> {
        if self.begun.is_none() {
            self.early.push('\n');
            self.early.push_str(text);
            return Ok(());
        }
        self.write(text)
    }

    fn write(&mut self, line: &str) -> Result<(), RecordFailure> {
        let written = writeln!(self.out, "{line}");
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> RecordFailure {
        RecordFailure::Log { path: self.path.clone(), error }
    }
}
