//! Recorded logs, read in blocks: for the daemon's replay source and for `stillwell replay`.
//!
//! A file whose first line is that of a [`crate::wire::log`] is cut into its records, each with
//! its own time. Any other file is raw bytes, cut behind each line or, with native
//! frames, each stuffed frame; its n-th chunk has the time `n * interval_ns`.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use crate::{
    limits::{EVENT_TIME_ABS_MAX_NS, REPLAY_BLOCK_BYTES, REPLAY_CHUNK_BYTES_MAX},
    wire::{
        decode::{Format, Framing},
        log::{self, Entry, LOG_LINE_BYTES_MAX, LogError, LogFault},
    },
};

/// Why a recording cannot be read, or not to its end.
#[derive(Debug)]
pub enum RecordingError {
    /// It is no regular file: a pipe would hold up its reader until somebody writes.
    Kind,
    /// The system does not give it.
    Io(io::Error),
    /// A line of it is no record.
    Log(LogError),
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("it is not a regular file"),
            Self::Io(error) => error.fmt(f),
            Self::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RecordingError {}

impl From<io::Error> for RecordingError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LogError> for RecordingError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// Many chunks in one allocation.
#[derive(Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
    /// Each chunk's time, kind, and the end of its bytes.
    cuts: Vec<(i64, Entry, usize)>,
}

/// What is in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes that came; none where nothing had come until then.
    Bytes(&'a [u8]),
    /// The line went down.
    LineDown,
}

impl Block {
    /// Number of chunks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cuts.len()
    }

    /// Whether there is no chunk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// A chunk with its time.
    #[must_use]
    pub fn chunk(&self, index: usize) -> Option<(i64, Piece<'_>)> {
        let &(at_ns, entry, end) = self.cuts.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.cuts[before].2);
        let piece = match entry {
            Entry::Bytes => Piece::Bytes(&self.bytes[start..end]),
            Entry::LineDown => Piece::LineDown,
        };
        Some((at_ns, piece))
    }

    /// The chunks, each with its time.
    pub fn chunks(&self) -> impl Iterator<Item = (i64, Piece<'_>)> {
        (0..self.len()).filter_map(|index| self.chunk(index))
    }

    /// Number of bytes in all chunks.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a chunk of bytes that came at this time.
    pub fn push(&mut self, at_ns: i64, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.cuts.push((at_ns, Entry::Bytes, self.bytes.len()));
    }

    /// Adds that the line went down at this time.
    pub fn push_line_down(&mut self, at_ns: i64) {
        self.cuts.push((at_ns, Entry::LineDown, self.bytes.len()));
    }

    /// Whether it has reached the size of a block.
    #[must_use]
    pub fn is_full(&self) -> bool {
        REPLAY_BLOCK_BYTES <= self.bytes.len().max(self.cuts.len())
    }
}

/// Cuts a recording into blocks.
#[derive(Debug)]
pub struct Recording<R> {
    file: R,
    log: Option<Framing>,
    /// Last byte of a chunk of a raw file.
    delimiter: u8,
    interval_ns: i64,
    /// Lines of a log, or chunks, read so far.
    count: u64,
    bytes_read: u64,
    line: Vec<u8>,
    /// What went wrong behind the last block.
    failed: Option<RecordingError>,
}

impl Recording<BufReader<File>> {
    /// Opens a file: a log, or raw bytes whose pieces come `interval_ns` apart.
    ///
    /// # Errors
    /// If it is no regular file, cannot be read, or is a log of a kind unknown here.
    pub fn open(path: &Path, interval_ns: i64, format: &Format) -> Result<Self, RecordingError> {
        // A pipe would hold up the daemon in `open` until somebody writes.
        if !path.metadata()?.is_file() {
            return Err(RecordingError::Kind);
        }
        let file = File::open(path)?;
        Self::new(BufReader::with_capacity(REPLAY_BLOCK_BYTES, file), interval_ns, format)
    }
}

impl<R: BufRead> Recording<R> {
    /// As [`Self::open`], of anything that is read.
    ///
    /// # Errors
    /// If it cannot be read, or is a log of a kind unknown here.
    pub fn new(mut file: R, interval_ns: i64, format: &Format) -> Result<Self, RecordingError> {
        // Looks without taking: a raw file begins with its first byte.
        let start = file.fill_buf()?;
        let end = start.iter().position(|&byte| byte == b'\n').unwrap_or(start.len());
        let log = log::parse_header(&start[..end])?;
        let delimiter = format.chunk_end();
        Ok(Self {
            file,
            log,
            delimiter,
            interval_ns,
            count: 0,
            bytes_read: 0,
            line: Vec::new(),
            failed: None,
        })
    }

    /// How the records are framed, if this is a log.
    #[must_use]
    pub fn log(&self) -> Option<Framing> {
        self.log
    }

    /// Bytes of the file read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next block; `None` at the end. What stands before a fault comes first.
    ///
    /// # Errors
    /// If the file cannot be read, or a line of a log is no record: with the number of the line.
    pub fn next_block(&mut self) -> Result<Option<Block>, RecordingError> {
        let mut block = Block::default();
        while self.failed.is_none() && !block.is_full() {
            let more =
                if self.log.is_some() { self.record(&mut block) } else { self.chunk(&mut block) };
            match more {
                Ok(true) => {}
                Ok(false) => break,
                Err(reason) => self.failed = Some(reason),
            }
        }
        match self.failed.take_if(|_| block.cuts.is_empty()) {
            Some(reason) => Err(reason),
            None => Ok(Some(block).filter(|block| !block.cuts.is_empty())),
        }
    }

    fn record(&mut self, block: &mut Block) -> Result<bool, RecordingError> {
        self.line.clear();
        // Room for a line that is too long by one, and for its end.
        let mut line = self.file.by_ref().take(LOG_LINE_BYTES_MAX as u64 + 3);
        let length = line.read_until(b'\n', &mut self.line)?;
        if length == 0 {
            return Ok(false);
        }
        self.bytes_read += length as u64;
        self.count += 1;
        let record = if LOG_LINE_BYTES_MAX + 2 < length {
            Err(LogError { line: self.count, fault: LogFault::Length })
        } else {
            log::parse_line(self.count, &self.line, &mut block.bytes)
        };
        if let Some((at_ns, entry)) = record? {
            block.cuts.push((at_ns, entry, block.bytes.len()));
        }
        Ok(true)
    }

    fn chunk(&mut self, block: &mut Block) -> Result<bool, RecordingError> {
        let mut rest = self.file.by_ref().take(REPLAY_CHUNK_BYTES_MAX as u64);
        let length = rest.read_until(self.delimiter, &mut block.bytes)?;
        if length == 0 {
            return Ok(false);
        }
        self.bytes_read += length as u64;
        self.count += 1;
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        let at_ns = count.saturating_mul(self.interval_ns).min(EVENT_TIME_ABS_MAX_NS);
        block.cuts.push((at_ns, Entry::Bytes, block.bytes.len()));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::text::TextOptions;

    fn chunks(file: &[u8], format: &Format) -> Result<Vec<(i64, Vec<u8>)>, String> {
        let mut reader = Recording::new(file, 10, format).map_err(|error| error.to_string())?;
        let mut chunks = Vec::new();
        while let Some(block) = reader.next_block().map_err(|error| error.to_string())? {
            chunks.extend(block.chunks().map(|(at_ns, piece)| match piece {
                Piece::Bytes(bytes) => (at_ns, bytes.to_vec()),
                Piece::LineDown => (at_ns, b"the line went down".to_vec()),
            }));
        }
        Ok(chunks)
    }

    fn text() -> Format {
        Format::Text(TextOptions::default())
    }

    #[test]
    fn a_log_is_played_record_by_record() {
        let log = b"#stillwell-log 1\n5 6161\n# said in between\n9 62\n9 \n10 down\n";
        let down = (10, b"the line went down".to_vec());
        let records = vec![(5, b"aa".to_vec()), (9, b"b".to_vec()), (9, vec![]), down];
        assert_eq!(chunks(log, &text()), Ok(records));
    }

    #[test]
    fn a_damaged_line_is_named() {
        let error = chunks(b"#stillwell-log 1\n5 6161\n6 6\n", &text()).unwrap_err();
        assert!(error.starts_with("line 3: "), "{error}");
        let mut log = b"#stillwell-log 1\n5 ".to_vec();
        log.resize(log.len() + 2 * LOG_LINE_BYTES_MAX, b'0');
        let error = chunks(&log, &text()).unwrap_err();
        assert_eq!(error, "line 2: too long for a record");
        let error = chunks(b"#stillwell-log 9\n", &text()).unwrap_err();
        assert!(error.contains("does not read"), "{error}");
    }

    #[test]
    fn a_raw_file_is_played_by_lines_or_by_stuffed_frames() {
        let lines = vec![(10, b"a=1\n".to_vec()), (20, b"\n".to_vec()), (30, b"b".to_vec())];
        assert_eq!(chunks(b"a=1\n\nb", &text()), Ok(lines));
        let frames = vec![(10, b"a\nb\0".to_vec()), (20, b"c\0".to_vec())];
        assert_eq!(chunks(b"a\nb\0c\0", &Format::NATIVE), Ok(frames));
        assert_eq!(chunks(b"", &text()), Ok(vec![]));
        let long = vec![b'x'; REPLAY_CHUNK_BYTES_MAX + 1];
        let lengths: Vec<_> =
            chunks(&long, &text()).unwrap().iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths, [REPLAY_CHUNK_BYTES_MAX, 1]);
    }

    #[test]
    fn blocks_are_bounded_and_lose_nothing() {
        let file: Vec<u8> = (0..200_000).flat_map(|n: u32| format!("{n}\n").into_bytes()).collect();
        let mut reader = Recording::new(&file[..], 1, &text()).unwrap();
        let (mut joined, mut blocks) = (Vec::new(), 0);
        while let Some(block) = reader.next_block().unwrap() {
            assert!(block.bytes.len() < REPLAY_BLOCK_BYTES + REPLAY_CHUNK_BYTES_MAX);
            joined.extend_from_slice(&block.bytes);
            blocks += 1;
        }
        assert!(1 < blocks);
        assert_eq!(joined, file);
    }
}
