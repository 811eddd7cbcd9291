//! A recorded log as a sequence of batches.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    config::{InputConfig, InputKind},
    engine::{Batch, Link, batch::Transport},
    limits::{BATCH_READINGS_MAX, REPLAY_CHUNK_BYTES_MAX},
    wire::{
        Decoder, DeviceClock, Frames, WireTally,
        decode::{Format, Framing},
        log::{self, LogError},
    },
};

/// Records that make a batch at most, so that a log of empty records moves on too.
const BATCH_RECORDS_MAX: usize = 4_096;
/// Time between two chunks of a raw file unless the configuration says otherwise.
const INTERVAL_NS: i64 = crate::limits::SECOND;

/// The batches of one file.
#[derive(Debug)]
pub(super) struct LogInput {
    path: PathBuf,
    reader: BufReader<File>,
    bytes_total: Option<u64>,
    bytes_read: u64,
    source: usize,
    decoder: Decoder,
    kind: Kind,
    wire: WireTally,
    datagrams: u64,
    now_ns: i64,
    /// The log has just told the time, and that nothing had come until then.
    silent: bool,
    chunk: Vec<u8>,
    record: Vec<u8>,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A log with a time and a record on each line.
    Stamped { line: u64, framing: Framing },
    /// Bytes as they came, cut at their delimiter, with a fixed time between the pieces.
    Raw { delimiter: u8, interval_ns: i64 },
}

impl LogInput {
    pub(super) fn open(
        path: &Path,
        source: usize,
        config: &InputConfig,
    ) -> Result<Self, ReplayError> {
        let failed = |error| ReplayError::Io { path: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let mut input = Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(1 << 18, file),
            bytes_total: metadata.is_file().then_some(metadata.len()),
            bytes_read: 0,
            source,
            decoder: Decoder::new(&config.format, Framing::Stream),
            kind: Kind::Raw {
                delimiter: if config.format == Format::Native { 0 } else { b'\n' },
                interval_ns: match &config.kind {
                    InputKind::Replay(replay) => replay.interval_ns,
                    _ => INTERVAL_NS,
                },
            },
            wire: WireTally::default(),
            datagrams: 0,
            now_ns: 0,
            silent: false,
            chunk: Vec::new(),
            record: Vec::new(),
            ended: false,
        };
        let head = input.reader.fill_buf().map_err(failed)?;
        let first = head.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
        let header = log::parse_header(first).map_err(|error| input.fault(error))?;
        if let Some(framing) = header {
            input.kind = Kind::Stamped { line: 0, framing };
            input.decoder = Decoder::new(&config.format, framing);
        }
        Ok(input)
    }

    /// Size of the file, if it is one.
    pub(super) fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// How far it is read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next batch; `None` at the end.
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch>, ReplayError> {
        if self.ended {
            return Ok(None);
        }
        let mut frames = Frames::default();
        let mut records = 0;
        self.silent = false;
        // Silence is told at its place among the records: it ends a batch.
        while frames.samples.len() < BATCH_READINGS_MAX
            && records < BATCH_RECORDS_MAX
            && !self.silent
        {
            let more = match self.kind {
                Kind::Stamped { line, framing } => self.stamped(line + 1, framing, &mut frames)?,
                Kind::Raw { delimiter, interval_ns } => {
                    self.raw(delimiter, interval_ns, &mut frames)?
                }
            };
            if !more {
                self.ended = true;
                self.decoder.finish(self.now_ns, &mut frames, &mut self.wire);
                break;
            }
            records += 1;
        }
        if let Kind::Raw { .. } = self.kind {
            self.arrive_as_stamped(&mut frames);
        }
        Ok(Some(Batch {
            source: self.source,
            now_ns: self.now_ns,
            frames,
            fields: Arc::clone(self.decoder.fields()),
            wire: std::mem::take(&mut self.wire),
            transport: Transport {
                datagrams: std::mem::take(&mut self.datagrams),
                ..Transport::default()
            },
            buffered: self.decoder.buffered() as u64,
            shed_readings: 0,
            link: self.ended.then_some(Link::Ended),
        }))
    }

    /// Takes one line of a log; false at the end of the file.
    fn stamped(
        &mut self,
        line: u64,
        framing: Framing,
        frames: &mut Frames,
    ) -> Result<bool, ReplayError> {
        self.kind = Kind::Stamped { line, framing };
        if !self.read_chunk(b'\n', log::LOG_LINE_BYTES_MAX)? {
            return Ok(false);
        }
        self.record.clear();
        let at_ns = log::parse_line(line, &self.chunk, &mut self.record);
        let Some(at_ns) = at_ns.map_err(|error| self.fault(error))? else { return Ok(true) };
        // Arrivals never go back, in a log as on a socket.
        self.now_ns = self.now_ns.max(at_ns);
        // A time alone says that nothing had come until then.
        self.silent = self.record.is_empty();
        if !self.silent {
            self.datagrams += u64::from(framing == Framing::Datagram);
            self.decoder.feed(&self.record, self.now_ns, frames, &mut self.wire);
        }
        Ok(true)
    }

    fn raw(
        &mut self,
        delimiter: u8,
        interval_ns: i64,
        frames: &mut Frames,
    ) -> Result<bool, ReplayError> {
        if !self.read_chunk(delimiter, REPLAY_CHUNK_BYTES_MAX)? {
            return Ok(false);
        }
        self.now_ns = self.now_ns.saturating_add(interval_ns);
        self.decoder.feed(&self.chunk, self.now_ns, frames, &mut self.wire);
        Ok(true)
    }

    /// Reads up to the delimiter or the bound.
    fn read_chunk(&mut self, delimiter: u8, bytes_max: usize) -> Result<bool, ReplayError> {
        self.chunk.clear();
        let limit = bytes_max as u64 + 1;
        let read = io::Read::take(&mut self.reader, limit).read_until(delimiter, &mut self.chunk);
        let read = read.map_err(|error| ReplayError::Io { path: self.path.clone(), error })?;
        self.bytes_read += read as u64;
        Ok(read != 0)
    }

    /// A raw file knows no arrivals: a frame that says when it was made has arrived then.
    fn arrive_as_stamped(&mut self, frames: &mut Frames) {
        let mut samples = frames.samples.as_slice();
        for head in &mut frames.heads {
            let (own, rest) = samples.split_at(head.samples as usize);
            samples = rest;
            let newest_ns = own.iter().map(|sample| sample.at_ns).max();
            if let (DeviceClock::Utc | DeviceClock::Tai, Some(newest_ns)) = (head.clock, newest_ns)
            {
                self.now_ns = self.now_ns.max(newest_ns);
                head.arrived_ns = self.now_ns;
            }
        }
    }

    fn fault(&self, error: LogError) -> ReplayError {
        ReplayError::Log { path: self.path.clone(), error }
    }
}

/// Why a log cannot be read to its end.
#[derive(Debug)]
pub enum ReplayError {
    /// The file.
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A line of it.
    Log {
        /// Which file.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        error: LogError,
    },
}

impl ReplayError {
    /// Exit code by sysexits.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => 66,
            Self::Io { .. } => 74,
            Self::Log { .. } => 65,
        }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "cannot read {}: {error}", path.display()),
            Self::Log { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ReplayError {}
