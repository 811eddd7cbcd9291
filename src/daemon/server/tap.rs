//! Looking on: frames as they came and what became of them, some of them where there are many.

use std::sync::Arc;

use serde_json::json;
use tokio::time::sleep;

use super::{
    refusal::{Full, Refusal},
    request::Tap,
    service::check_ids,
    session::{Ending, Session},
};
use crate::{
    daemon::tap::{Look, Sight},
    limits::{REPLY_BYTES_MAX, REPLY_ENVELOPE_BYTES},
    query::{
        json::append,
        trace::{FrameLine, SettledLine},
    },
};

/// Which of the things that are waited for came first.
enum Wake {
    Stop,
    Came(Option<Sight>),
    Check,
}

impl Session {
    /// Streams frames to the client until it leaves, is too slow, or the daemon ends.
    pub(super) async fn tap(&mut self, ask: &Tap) -> Result<(), Ending> {
        let snapshot = Arc::clone(&self.service.snapshots.borrow());
        if let Err(refusal) = check_ids(&snapshot, &ask.selection) {
            return self.send(refusal.reply()).await;
        }
        drop(snapshot);
        let mut look = match self.service.about.taps.look(ask.source.as_deref()) {
            None => {
                let name = ask.source.clone().unwrap_or_default();
                return self.send(Refusal::NoSuchSource(name).reply()).await;
            }
            Some(Err(_)) => return self.send(Refusal::Busy(Full::Listeners).reply()).await,
            Some(Ok(look)) => look,
        };
        // Said at once, so that a client knows from when on it is shown what comes.
        self.tell_frames(None, ask, &mut look).await?;
        loop {
            let wake = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => Wake::Stop,
                came = look.next() => Wake::Came(came),
                () = sleep(self.timeouts.watch_check) => Wake::Check,
            };
            if self.has_left() {
                return Err(Ending::Left);
            }
            match wake {
                Wake::Check => self.tell_frames(None, ask, &mut look).await?,
                Wake::Came(Some(sight)) => self.tell_frames(Some(sight), ask, &mut look).await?,
                Wake::Came(None) | Wake::Stop => break,
            }
        }
        self.drained().await?;
        self.send(Refusal::ShuttingDown.reply()).await.and(Err(Ending::Stopped))
    }

    /// Sends what is here, as much as fits a reply; what does not waits in the bounded queue.
    async fn tell_frames(
        &mut self,
        mut first: Option<Sight>,
        ask: &Tap,
        look: &mut Look,
    ) -> Result<(), Ending> {
        self.drained().await?;
        let mut out = b"{\"continues\":true,\"parameters\":{\"frames\":[".to_vec();
        let start = out.len();
        let mut settled = Vec::new();
        while out.len() + settled.len() < REPLY_BYTES_MAX - REPLY_ENVELOPE_BYTES - FRAME_BYTES {
            match first.take().or_else(|| look.here()) {
                None => break,
                Some(Sight::Frame(witnessed)) => {
                    let line = FrameLine { witnessed: &witnessed, selection: &ask.selection };
                    if line.is_selected() {
                        separate(&mut out, start);
                        append(&mut out, &line);
                    }
                }
                Some(Sight::Settled(told)) if ask.selection.matches(&told.channel.id) => {
                    separate(&mut settled, 0);
                    append(&mut settled, &SettledLine(&told));
                }
                Some(Sight::Settled(_)) => {}
            }
        }
        let (passed_over, missed) = (look.take_passed_over(), look.take_missed());
        out.push(b']');
        if !settled.is_empty() {
            out.extend_from_slice(b",\"settled\":[");
            out.append(&mut settled);
            out.push(b']');
        }
        out.extend_from_slice(b",\"missed\":");
        append(&mut out, &json!(missed));
        out.extend_from_slice(b",\"passed_over\":");
        append(&mut out, &json!(passed_over));
        out.extend_from_slice(b"}}");
        out.push(self.inbox.terminator());
        self.write_steadily(&out).await
    }
}

/// Puts a comma before what comes next, unless it is the first since `start`.
fn separate(out: &mut Vec<u8>, start: usize) {
    if start < out.len() {
        out.push(b',');
    }
}

/// More than a frame takes in JSON: its bytes in hexadecimal, and its readings with their names.
const FRAME_BYTES: usize = 64 * 1_024;
