//! A subscription: the latest state, as often as the client takes it, and never a queue.

use std::{io, os::fd::AsFd, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    io::{AsyncWriteExt, Interest},
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    refusal::Refusal,
    request::{Watch, choice},
    service::{check_window, clock_name, fill_page},
    session::{Ending, Session, deadline_in},
};
use crate::{
    daemon::kernel,
    engine::Snapshot,
    limits::{WATCH_POLL_FIRST_NS, WATCH_POLL_LAST_NS},
    query::page::{Ask, Form, Header, Known, Walk},
};

/// What the client knows.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// The state of its latest message; nothing before the first.
    known: Option<Known>,
    /// Latest publication that was looked at for it.
    looked_seq: u64,
    /// Publications that were not looked at since the latest message.
    skipped: u64,
}

/// What a quiet subscription wakes up for.
enum Wake {
    Published,
    Check,
    Ended,
}

impl Session {
    /// Streams to the client until it leaves, is too slow, or the daemon ends.
    pub(super) async fn watch(&mut self, ask: &Watch) -> Result<(), Ending> {
        let mut snapshots = self.service.snapshots.clone();
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        if let Err(refusal) = check_window(&snapshot, &ask.selection, ask.window.as_ref()).await {
            return self.send(refusal.reply()).await;
        }
        let mut told = Told::default();
        let mut ended = false;
        self.tell(ask, &snapshot, &mut told).await?;
        while !ended {
            ended = self.pause(Duration::from_millis(ask.min_interval_ms)).await?;
            ended = ended || self.next_publication(&mut snapshots).await?;
            self.drained().await?;
            // Taken only now, when the client has room: what it gets is the latest.
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            self.tell(ask, &snapshot, &mut told).await?;
        }
        self.drained().await?;
        self.send(Refusal::ShuttingDown.reply()).await.and(Err(Ending::Stopped))
    }

    /// Waits for the time the client wants to have between messages; true if the daemon ends. A
    /// client that leaves meanwhile gives its place back.
    async fn pause(&mut self, mut wait: Duration) -> Result<bool, Ending> {
        // A timer of no length would still take its millisecond.
        while !wait.is_zero() {
            let slice = wait.min(self.timeouts.watch_check);
            wait -= slice;
            let ends = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => true,
                () = sleep(slice) => false,
            };
            if ends {
                return Ok(true);
            }
            if self.has_left() {
                return Err(Ending::Left);
            }
        }
        Ok(*self.stop.borrow())
    }

    /// Waits for a publication that was not looked at; true if the daemon ends.
    async fn next_publication(
        &mut self,
        snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    ) -> Result<bool, Ending> {
        loop {
            let wake = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => Wake::Ended,
                changed = snapshots.changed() => match changed {
                    Ok(()) => Wake::Published,
                    Err(_) => Wake::Ended,
                },
                () = sleep(self.timeouts.watch_check) => Wake::Check,
            };
            if self.has_left() {
                return Err(Ending::Left);
            }
            match wake {
                Wake::Published => return Ok(false),
                Wake::Ended => return Ok(true),
                Wake::Check => {}
            }
        }
    }

    /// Sends what changed since the latest message, in pieces that each fit a reply.
    async fn tell(
        &mut self,
        ask: &Watch,
        snapshot: &Snapshot,
        told: &mut Told,
    ) -> Result<(), Ending> {
        let Snapshot { epoch, seq, .. } = *snapshot;
        if told.known.is_some() {
            told.skipped += seq.saturating_sub(told.looked_seq.saturating_add(1));
        }
        told.looked_seq = seq;
        let now_ns = self.service.line.now_ns();
        let form = Form::Current(choice(ask.window.as_ref()));
        let selection = &ask.selection;
        let known = told.known;
        let page_ask = Ask { selection, form, known, limit: usize::MAX, now_ns };
        let mut walk = Walk::new(snapshot, selection, "");
        loop {
            let (page, next) = fill_page(&mut walk, &page_ask).await;
            if page.is_empty() && told.known.is_some() {
                return Ok(());
            }
            let skipped = Some(std::mem::take(&mut told.skipped));
            let clock = clock_name();
            let header = Header { continues: true, epoch, seq, now_ns, clock, skipped, next: None };
            let mut message = page.reply(form, &header);
            message.push(self.inbox.terminator());
            self.drained().await?;
            self.write_steadily(&message).await?;
            if told.known.is_some() {
                let written_ns = self.service.line.now_ns();
                self.service.about.vitals.watch.record_since(Some(snapshot.at_ns), written_ns);
            }
            told.known = Some(Known { seq, at_ns: now_ns });
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// Waits until the client has read everything: at most one message is ever on its way.
    pub(super) async fn drained(&mut self) -> Result<(), Ending> {
        let mut least = usize::MAX;
        let mut deadline: Option<Instant> = None;
        let mut poll = nanoseconds(WATCH_POLL_FIRST_NS);
        loop {
            let unsent = self.unsent().map_err(|_| Ending::Left)?;
            if unsent == 0 {
                return Ok(());
            }
            if self.has_left() {
                return Err(Ending::Left);
            }
            if unsent < least {
                least = unsent;
                deadline = None;
            }
            let until = *deadline.get_or_insert_with(|| deadline_in(self.timeouts.watch_stall));
            // No event tells that the last byte was read, hence the polling.
            let is_late = tokio::select! {
                biased;
                () = sleep_until(until) => true,
                () = sleep(poll) => false,
            };
            if is_late {
                return Err(Ending::Slow);
            }
            poll = (poll * 2).min(nanoseconds(WATCH_POLL_LAST_NS));
        }
    }

    /// Writes a message; each piece that goes out is progress.
    pub(super) async fn write_steadily(&mut self, mut message: &[u8]) -> Result<(), Ending> {
        while !message.is_empty() {
            match timeout(self.timeouts.watch_stall, self.stream.write(message)).await {
                Ok(Ok(n)) => message = &message[n..],
                Ok(Err(_)) => return Err(Ending::Left),
                Err(_) => return Err(Ending::Slow),
            }
        }
        Ok(())
    }

    fn unsent(&self) -> io::Result<usize> {
        kernel::unsent_bytes(self.stream.as_fd())
    }

    /// Whether the client has closed both directions; closing only its own is no farewell.
    pub(super) fn has_left(&self) -> bool {
        let ready = self.stream.ready(Interest::WRITABLE).now_or_never();
        matches!(ready, Some(Ok(ready)) if ready.is_write_closed())
    }
}

fn nanoseconds(ns: i64) -> Duration {
    Duration::from_nanos(ns.unsigned_abs())
}
