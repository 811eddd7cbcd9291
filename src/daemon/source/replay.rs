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
//! | raw | no | the frame's own UTC time, else 1970 and `interval_ns` for each chunk so far |
//!
//! Without pace the time is that of the file, as it is for `stillwell replay`: the same file gives
//! the same summaries whenever it is played. A source's time ends with its file.
//!
//! A file is read by a thread of its own, since disks know no readiness.

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
    limits::REPLAY_BLOCKS_AHEAD,
    recording::{Block, Piece, Recording},
    wire::decode::{Format, Framing},
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
                outlet.report(Link::Ended(Some(reason.into())), line.now_ns());
                return Ok(());
            }
        };
        for (at_ns, piece) in block.chunks() {
            let shift_ns = *shift_ns.get_or_insert(started_ns.saturating_sub(at_ns));
            arrived_ns = arrived_ns.max(at_ns.saturating_add(shift_ns));
            if config.paced {
                until_due(arrived_ns, line, outlet).await?;
            }
            let bytes = match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::LineDown => {
                    outlet.reset();
                    continue;
                }
            };
            if bytes.is_empty() {
                continue;
            }
            let datagrams = u64::from(framing == Framing::Datagram);
            outlet.count(&Transport { datagrams, ..Transport::default() });
            if config.paced || log.is_some() {
                outlet.feed_shifted(bytes, arrived_ns, shift_ns);
            } else {
                arrived_ns = outlet.feed_unstamped(bytes, arrived_ns);
            }
            if outlet.is_full() {
                outlet.offer(arrived_ns).await?;
            }
        }
    }
    outlet.finish(arrived_ns);
    outlet.report(Link::Ended(None), line.now_ns());
    Ok(())
}

type Blocks = mpsc::Receiver<Result<Block, String>>;

/// Starts the thread that reads the file; with the framing of the log, if it is one.
fn open(config: &ReplayConfig, format: &Format) -> Result<(Blocks, Option<Framing>), String> {
    let mut reader = Recording::open(&config.path, config.interval_ns, format)
        .map_err(|reason| format!("cannot play {}: {reason}", config.path.display()))?;
    let log = reader.log();
    let (sender, blocks) = mpsc::channel(REPLAY_BLOCKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        while let Some(block) = reader.next_block().transpose() {
            let block = block.map_err(|error| error.to_string());
            let is_last = block.is_err();
            // A closed channel: the source was stopped.
            if sender.blocking_send(block).is_err() || is_last {
                return;
            }
        }
    });
    Ok((blocks, log))
}
