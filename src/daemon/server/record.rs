//! A recording: all that comes over a source, as lines of a log, and the count of what is lacking.

use futures::FutureExt;
use serde_json::json;
use tokio::time::sleep;

use super::{
    refusal::{Full, Refusal},
    session::{Ending, Session},
};
use crate::{
    daemon::tap::Take,
    limits::{REPLY_BYTES_MAX, REPLY_ENVELOPE_BYTES},
    query::json::append,
    recording::{Block, Piece},
    wire::{decode::Framing, log},
};

/// Which of the things that are waited for came first.
enum Wake {
    Stop,
    Came(Option<Take>),
    Check,
}

impl Session {
    /// Streams a source to the client until it leaves, is too slow, or the source ends.
    pub(super) async fn record(&mut self, source: &str) -> Result<(), Ending> {
        let mut recording = match self.service.about.taps.record(source) {
            None => return self.send(Refusal::NoSuchSource(source.to_owned()).reply()).await,
            Some(Err(_)) => return self.send(Refusal::Busy(Full::Listeners).reply()).await,
            Some(Ok(recording)) => recording,
        };
        // Said at once, so that a client knows from when on nothing is missed.
        self.tell_lines(&Lines::default(), (0, 0), true).await?;
        loop {
            let wake = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => Wake::Stop,
                came = recording.next() => Wake::Came(came),
                () = sleep(self.timeouts.watch_check) => Wake::Check,
            };
            if self.has_left() {
                return Err(Ending::Left);
            }
            match wake {
                Wake::Check => {}
                Wake::Came(Some(take)) => self.tell_take(&take).await?,
                Wake::Came(None) => {
                    return self
                        .tell_lines(&Lines::default(), recording.lost_at_end(), false)
                        .await;
                }
                Wake::Stop => break,
            }
        }
        // The sources have handed over their last before the server is told to stop.
        while let Some(Some(take)) = recording.next().now_or_never() {
            self.tell_take(&take).await?;
        }
        let lost = recording.lost_at_end();
        self.tell_lines(&Lines::default(), lost, false).await.and(Err(Ending::Stopped))
    }

    /// Sends what came, in pieces that each fit a reply.
    async fn tell_take(&mut self, take: &Take) -> Result<(), Ending> {
        let Take { lost, framing, block } = take;
        let mut lost = *lost;
        let mut told = 0;
        while told < block.len() || lost != (0, 0) {
            let mut lines = Lines { framing: Some(*framing), text: Vec::new() };
            while told < block.len() && lines.take(block, told) {
                told += 1;
            }
            self.tell_lines(&lines, std::mem::take(&mut lost), true).await?;
        }
        Ok(())
    }

    async fn tell_lines(
        &mut self,
        lines: &Lines,
        lost: (u64, u64),
        continues: bool,
    ) -> Result<(), Ending> {
        self.drained().await?;
        let mut reply = lines.reply(lost, continues);
        reply.push(self.inbox.terminator());
        self.write_steadily(&reply).await
    }
}

/// Lines of a log as the entries of a JSON array.
#[derive(Debug, Default)]
struct Lines {
    framing: Option<Framing>,
    text: Vec<u8>,
}

impl Lines {
    /// Adds a chunk of the block; false if there is no room for it beside others.
    fn take(&mut self, block: &Block, at: usize) -> bool {
        let mut line = String::new();
        match block.chunk(at) {
            Some((at_ns, Piece::Bytes(bytes))) => log::write_line(at_ns, bytes, &mut line),
            Some((at_ns, Piece::LineDown)) => log::write_line_down(at_ns, &mut line),
            None => return true,
        }
        let room = (REPLY_BYTES_MAX - REPLY_ENVELOPE_BYTES).saturating_sub(self.text.len());
        if room < line.len() + 3 && !self.text.is_empty() {
            return false;
        }
        // Digits, letters and spaces: JSON takes them as they are.
        let comma = if self.text.is_empty() { "" } else { "," };
        self.text.extend_from_slice(format!("{comma}\"{}\"", line.trim_end()).as_bytes());
        true
    }

    fn reply(&self, (lost_records, lost_bytes): (u64, u64), continues: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + 256);
        let start: &[u8] = if continues { b"{\"continues\":true," } else { b"{" };
        out.extend_from_slice(start);
        out.extend_from_slice(b"\"parameters\":{\"lines\":[");
        out.extend_from_slice(&self.text);
        out.extend_from_slice(b"],\"lost\":");
        append(&mut out, &json!({ "records": lost_records, "bytes": lost_bytes }));
        if let Some(framing) = self.framing {
            out.extend_from_slice(b",\"log\":");
            append(&mut out, &log::header(framing));
        }
        out.extend_from_slice(b"}}");
        out
    }
}
