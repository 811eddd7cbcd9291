//! A subscription: the latest state, as often as the client takes it, and never a queue.

use std::{io, os::fd::AsFd, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    io::{AsyncWriteExt, Interest},
    sync::{OnceCell, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    refusal::Refusal,
    request::{Watch, choice},
    service::{check_window, fill_page, host_clock},
    session::{Ending, Session, deadline_in},
    sharing::{Made, Wish},
};
use crate::{
    daemon::kernel,
    engine::Snapshot,
    limits::{WATCH_POLL_FIRST_NS, WATCH_POLL_LAST_NS},
    query::{
        Selection, WindowChoice,
        page::{Ask, Form, Header, Known, Walk},
    },
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

/// What pages a subscriber is to be told.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    selection: &'a Selection,
    choice: WindowChoice,
    known: Option<Known>,
    now_ns: i64,
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
        let wall_ns = self.service.line.now_ns();
        // A first message shares nothing, and is of its own instant.
        let now_ns = match told.known {
            Some(_) => self.service.sharing.instant(seq, wall_ns),
            None => wall_ns,
        };
        let choice = choice(ask.window.as_ref());
        let known = told.known;
        let mut from = String::new();
        loop {
            let wanted = Wanted { selection: &ask.selection, choice, known, now_ns };
            let cell = self.made(snapshot, &wanted, &from).await;
            let Some(Made { page, next }) = cell.get() else { return Ok(()) };
            if page.is_empty() && told.known.is_some() {
                return Ok(());
            }
            let skipped = Some(std::mem::take(&mut told.skipped));
            let clock = host_clock();
            let header = Header { continues: true, epoch, seq, now_ns, clock, skipped, next: None };
            let mut message = page.reply(Form::Current(choice), &header);
            message.push(self.inbox.terminator());
            self.drained().await?;
            self.write_steadily(&message).await?;
            if told.known.is_some() {
                let written_ns = self.service.line.now_ns();
                self.service.about.vitals.watch.record_since(Some(snapshot.at_ns), written_ns);
            }
            told.known = Some(Known { seq, at_ns: now_ns });
            match next {
                Some(next) => from.clone_from(next),
                None => return Ok(()),
            }
        }
    }

    /// The page from an id on: made here, or by another session that wants the same.
    async fn made(
        &self,
        snapshot: &Snapshot,
        wanted: &Wanted<'_>,
        from: &str,
    ) -> Arc<OnceCell<Made>> {
        let Wanted { selection, choice, known, now_ns } = *wanted;
        let form = Form::Current(choice);
        let ask = Ask { selection, form, known, limit: usize::MAX, now_ns };
        let make = async || {
            let (page, next) = fill_page(&mut Walk::new(snapshot, selection, from), &ask).await;
            Made { page, next: next.map(str::to_owned) }
        };
        match known {
            None => Arc::new(OnceCell::new_with(Some(make().await))),
            Some(known) => {
                let from = from.to_owned();
                let wish = Wish { selection: selection.clone(), choice, known, from };
                let cell = self.service.sharing.page(snapshot.seq, now_ns, &wish);
                cell.get_or_init(make).await;
                cell
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
