//! A recorded file as a source.
//!
//! A file whose first line is that of a [`crate::wire::log`] is played record by record. Any
//! other file is raw bytes, played in chunks of one line (text) or one stuffed frame (native),
//! `interval_ns` apart.
//!
//! Which time the chunks are given as their arrival:
//!
//! | file | paced | arrival |
//! |---|---|---|
//! | log | yes | the record's time, moved so that the first record arrives now |
//! | log | no | the record's time as it stands |
//! | raw | yes | now for the first chunk, `interval_ns` more for each |
//! | raw | no | 1970 and `interval_ns` for the first chunk, `interval_ns` more for each |
//!
//! Without pace the time is that of the file, as it is for `stillwell replay`: the same file gives
//! the same summaries whenever it is played. A source's time ends with its file.
//!
//! A file is read by a thread of its own, since disks know no readiness.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use tokio::{sync::mpsc, time::sleep_until};

use super::{
    backoff::Backoff,
    outlet::{EngineGone, Outlet},
    until_due,
};
use crate::{
    config::model::ReplayConfig,
    daemon::clock::{self, Line},
    engine::{Link, batch::Transport},
    limits::{REPLAY_BLOCK_BYTES, REPLAY_BLOCKS_AHEAD, REPLAY_CHUNK_BYTES_MAX},
    wire::{
        decode::{Format, Framing},
        log::{self, LOG_LINE_BYTES_MAX, LogError, LogFault},
    },
};

/// Plays the file to its end; a file that cannot be opened is tried again for ever. Safe to
/// cancel.
///
/// # Errors
///
/// [`EngineGone`] if the queue to the engine is closed.
pub async fn run(
    config: &ReplayConfig,
    format: &Format,
    line: Line,
    outlet: &mut Outlet,
) -> Result<(), EngineGone> {
    let mut backoff = Backoff::default();
    let (mut blocks, log) = loop {
        match open(config, format) {
            Ok(opened) => break opened,
            Err(reason) => {
                outlet.report(Link::Down(reason.into()), line.now_ns());
                // Time is not told: that of the file may be long past.
                outlet.offer(i64::MIN).await?;
                sleep_until(clock::deadline_in(backoff.next_ns())).await;
            }
        }
    };
    let path = config.path.display();
    let (framing, kind) = match log {
        Some(Framing::Datagram) => (Framing::Datagram, "a log of datagrams"),
        Some(Framing::Stream) => (Framing::Stream, "a log of a stream"),
        None => (Framing::Stream, "raw bytes"),
    };
    outlet.reframe(format, framing);
    let started_ns = line.now_ns();
    outlet.report(Link::Up(format!("{path}, {kind}").into()), started_ns);

    let mut shift_ns = (!config.paced).then_some(0);
    let mut arrived_ns = i64::MIN;
    while let Some(block) = blocks.recv().await {
        let block = match block {
            Ok(block) => block,
            Err(reason) => {
                outlet.reset();
                let reason = format!("{path}, {reason}; the rest is not played");
                outlet.report(Link::Down(reason.into()), line.now_ns());
                return Ok(());
            }
        };
        for (at_ns, bytes) in block.chunks() {
            let shift_ns = *shift_ns.get_or_insert(started_ns.saturating_sub(at_ns));
            arrived_ns = arrived_ns.max(at_ns.saturating_add(shift_ns));
            if config.paced {
                until_due(arrived_ns, line, outlet).await?;
            }
            if bytes.is_empty() {
                continue;
            }
            let datagrams = u64::from(framing == Framing::Datagram);
            outlet.count(&Transport { datagrams, ..Transport::default() });
            outlet.feed(bytes, arrived_ns);
            if outlet.is_full() {
                outlet.offer(arrived_ns).await?;
            }
        }
    }
    outlet.finish(arrived_ns);
    outlet.report(Link::Ended, line.now_ns());
    Ok(())
}

type Blocks = mpsc::Receiver<Result<Block, String>>;

/// Starts the thread that reads the file; with the framing of the log, if it is one.
fn open(config: &ReplayConfig, format: &Format) -> Result<(Blocks, Option<Framing>), String> {
    let mut reader = Reader::open(&config.path, config.interval_ns, format)
        .map_err(|reason| format!("cannot play {}: {reason}", config.path.display()))?;
    let log = reader.log;
    let (sender, blocks) = mpsc::channel(REPLAY_BLOCKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        while let Some(block) = reader.next_block().transpose() {
            let is_last = block.is_err();
            // A closed channel: the source was stopped.
            if sender.blocking_send(block).is_err() || is_last {
                return;
            }
        }
    });
    Ok((blocks, log))
}

/// Many chunks in one allocation.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    /// Each chunk's time and the end of its bytes.
    cuts: Vec<(i64, usize)>,
}

impl Block {
    fn chunks(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let mut start = 0;
        self.cuts.iter().map(move |&(at_ns, end)| {
            let bytes = &self.bytes[start..end];
            start = end;
            (at_ns, bytes)
        })
    }

    fn is_full(&self) -> bool {
        REPLAY_BLOCK_BYTES <= self.bytes.len().max(self.cuts.len())
    }
}

/// Cuts a file into blocks.
struct Reader<R> {
    file: R,
    log: Option<Framing>,
    /// Last byte of a chunk of a raw file.
    delimiter: u8,
    interval_ns: i64,
    /// Lines of a log, or chunks, read so far.
    count: u64,
    line: Vec<u8>,
    /// What went wrong behind the last block.
    failed: Option<String>,
}

impl Reader<BufReader<File>> {
    fn open(path: &Path, interval_ns: i64, format: &Format) -> Result<Self, String> {
        // A pipe would hold up the daemon in `open` until somebody writes.
        if !path.metadata().map_err(|error| error.to_string())?.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        let file = File::open(path).map_err(|error| error.to_string())?;
        Self::new(BufReader::with_capacity(REPLAY_BLOCK_BYTES, file), interval_ns, format)
    }
}

impl<R: BufRead> Reader<R> {
    fn new(mut file: R, interval_ns: i64, format: &Format) -> Result<Self, String> {
        // Looks without taking: a raw file begins with its first byte.
        let start = file.fill_buf().map_err(|error| error.to_string())?;
        let end = start.iter().position(|&byte| byte == b'\n').unwrap_or(start.len());
        let log = log::parse_header(&start[..end]).map_err(|error| error.to_string())?;
        let delimiter = match format {
            Format::Native => 0,
            Format::Text(_) => b'\n',
        };
        Ok(Self { file, log, delimiter, interval_ns, count: 0, line: Vec::new(), failed: None })
    }

    /// The next block; `None` at the end. What stands before a fault comes first.
    fn next_block(&mut self) -> Result<Option<Block>, String> {
        let mut block = Block::default();
        while self.failed.is_none() && !block.is_full() {
            let more = if self.log.is_some() {
                self.record(&mut block)
            } else {
                self.chunk(&mut block).map_err(|error| error.to_string())
            };
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

    fn record(&mut self, block: &mut Block) -> Result<bool, String> {
        self.line.clear();
        // Room for a line that is too long by one, and for its end.
        let mut line = self.file.by_ref().take(LOG_LINE_BYTES_MAX as u64 + 3);
        let length = line.read_until(b'\n', &mut self.line).map_err(|error| error.to_string())?;
        if length == 0 {
            return Ok(false);
        }
        self.count += 1;
        let at_ns = if LOG_LINE_BYTES_MAX + 2 < length {
            Err(LogError { line: self.count, fault: LogFault::Length })
        } else {
            log::parse_line(self.count, &self.line, &mut block.bytes)
        };
        if let Some(at_ns) = at_ns.map_err(|error| error.to_string())? {
            block.cuts.push((at_ns, block.bytes.len()));
        }
        Ok(true)
    }

    fn chunk(&mut self, block: &mut Block) -> io::Result<bool> {
        let mut rest = self.file.by_ref().take(REPLAY_CHUNK_BYTES_MAX as u64);
        if rest.read_until(self.delimiter, &mut block.bytes)? == 0 {
            return Ok(false);
        }
        self.count += 1;
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        block.cuts.push((count.saturating_mul(self.interval_ns), block.bytes.len()));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::decode::TextOptions;

    fn chunks(file: &[u8], format: &Format) -> Result<Vec<(i64, Vec<u8>)>, String> {
        let mut reader = Reader::new(file, 10, format)?;
        let mut chunks = Vec::new();
        while let Some(block) = reader.next_block()? {
            chunks.extend(block.chunks().map(|(at_ns, bytes)| (at_ns, bytes.to_vec())));
        }
        Ok(chunks)
    }

    fn text() -> Format {
        Format::Text(TextOptions::default())
    }

    #[test]
    fn a_log_is_played_record_by_record() {
        let log = b"#stillwell-log 1\n5 6161\n# said in between\n9 62\n9 \n";
        let records = vec![(5, b"aa".to_vec()), (9, b"b".to_vec()), (9, vec![])];
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
        assert_eq!(chunks(b"a\nb\0c\0", &Format::Native), Ok(frames));
        assert_eq!(chunks(b"", &text()), Ok(vec![]));
        let long = vec![b'x'; REPLAY_CHUNK_BYTES_MAX + 1];
        let lengths: Vec<_> =
            chunks(&long, &text()).unwrap().iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths, [REPLAY_CHUNK_BYTES_MAX, 1]);
    }

    #[test]
    fn blocks_are_bounded_and_lose_nothing() {
        let file: Vec<u8> = (0..200_000).flat_map(|n: u32| format!("{n}\n").into_bytes()).collect();
        let mut reader = Reader::new(&file[..], 1, &text()).unwrap();
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
