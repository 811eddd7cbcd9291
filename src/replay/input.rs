//! A recorded log as a sequence of batches.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    config::{InputConfig, InputKind},
    engine::{Batch, Link, batch::Transport, recycle::Spares},
    limits::SPARE_BATCHES_MAX,
    recording::{Block, Piece, Recording, RecordingError},
    wire::{Decoder, Frames, WireTally, decode::Framing},
};

/// Time between two chunks of a raw file unless the configuration says otherwise.
const INTERVAL_NS: i64 = 100 * crate::limits::MS;

/// The batches of one file.
#[derive(Debug)]
pub(super) struct LogInput {
    path: PathBuf,
    recording: Recording<BufReader<File>>,
    bytes_total: u64,
    source: usize,
    decoder: Decoder,
    wire: WireTally,
    datagrams: u64,
    now_ns: i64,
    /// Chunks read and not yet fed, from the one at `fed`.
    block: Block,
    fed: usize,
    ended: bool,
    spares: Spares<Frames>,
}

impl LogInput {
    pub(super) fn open(
        path: &Path,
        source: usize,
        config: &InputConfig,
    ) -> Result<Self, ReplayError> {
        let failed = |error| ReplayError { path: path.to_owned(), error };
        let interval_ns = match &config.kind {
            InputKind::Replay(replay) => replay.interval_ns,
            _ => INTERVAL_NS,
        };
        let recording = Recording::open(path, interval_ns, &config.format).map_err(failed)?;
        let framing = recording.log().unwrap_or(Framing::Stream);
        Ok(Self {
            path: path.to_owned(),
            bytes_total: path.metadata().map_err(|error| failed(error.into()))?.len(),
            recording,
            source,
            decoder: Decoder::new(&config.format, framing),
            wire: WireTally::default(),
            datagrams: 0,
            now_ns: 0,
            block: Block::default(),
            fed: 0,
            ended: false,
            spares: Spares::new(SPARE_BATCHES_MAX),
        })
    }

    /// Size of the file.
    pub(super) fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// How far it is read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.recording.bytes_read()
    }

    /// The columns of the headers that hold; empty for formats without headers.
    pub(super) fn header(&self) -> Vec<&str> {
        self.decoder.header()
    }

    /// The next batch, of one block of the file or of what comes before a silence in it; `None`
    /// at the end.
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch>, ReplayError> {
        if self.ended {
            return Ok(None);
        }
        let mut frames = self.spares.take().unwrap_or_default();
        if self.fed == self.block.len() {
            let next = self.recording.next_block();
            let next = next.map_err(|error| ReplayError { path: self.path.clone(), error })?;
            self.ended = next.is_none();
            (self.block, self.fed) = (next.unwrap_or_default(), 0);
        }
        if self.ended {
            self.decoder.finish(self.now_ns, &mut frames, &mut self.wire);
            self.arrive(&mut frames, 0, 0);
        }
        self.feed(&mut frames);
        Ok(Some(Batch {
            source: self.source,
            now_ns: self.now_ns,
            frames,
            frames_home: self.spares.home(),
            fields: Arc::clone(self.decoder.fields()),
            wire: std::mem::take(&mut self.wire),
            transport: Transport {
                datagrams: std::mem::take(&mut self.datagrams),
                ..Transport::default()
            },
            drops: None,
            buffered: self.decoder.buffered() as u64,
            shed_readings: 0,
            marks: Vec::new(),
            link: self.ended.then_some(Link::Ended(None)),
        }))
    }

    /// Feeds chunks until the block or the batch ends. A silence ends a batch, so that it is
    /// told at its place.
    fn feed(&mut self, frames: &mut Frames) {
        let datagrams = u64::from(self.recording.log() == Some(Framing::Datagram));
        let block = std::mem::take(&mut self.block);
        while let Some((at_ns, piece)) = block.chunk(self.fed) {
            self.fed += 1;
            // Arrivals never go back, in a recording as on a socket.
            self.now_ns = self.now_ns.max(at_ns);
            let Piece::Bytes(bytes) = piece else {
                self.decoder.reset(&mut self.wire);
                continue;
            };
            if bytes.is_empty() {
                self.decoder.tick(self.now_ns, frames, &mut self.wire);
                break;
            }
            self.datagrams += datagrams;
            let (heads, samples) = (frames.heads.len(), frames.samples.len());
            self.decoder.feed(bytes, self.now_ns, frames, &mut self.wire);
            self.arrive(frames, heads, samples);
        }
        self.block = block;
    }

    fn arrive(&mut self, frames: &mut Frames, heads: usize, samples: usize) {
        if self.recording.log().is_none() {
            self.now_ns = frames.arrive_as_made(heads, samples, self.now_ns);
        }
    }
}

/// Why a log cannot be read to its end.
#[derive(Debug)]
pub struct ReplayError {
    path: PathBuf,
    error: RecordingError,
}

impl ReplayError {
    /// Exit code by sysexits.
    pub(super) fn exit_code(&self) -> u8 {
        match &self.error {
            RecordingError::Io(error) if error.kind() == io::ErrorKind::NotFound => 66,
            RecordingError::Kind => 66,
            RecordingError::Io(_) => 74,
            RecordingError::Log(_) => 65,
        }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.error {
            RecordingError::Log(error) => write!(f, "{path}: {error}"),
            error => write!(f, "cannot read {path}: {error}"),
        }
    }
}

impl std::error::Error for ReplayError {}
