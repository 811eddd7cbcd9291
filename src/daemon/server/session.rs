//! One client, from its first byte to its last.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Timeouts,
    clients::Event as Count,
    framing::{Front, Inbox},
    refusal::{BadRequest, Refusal},
    request::{self, Call},
    service::Service,
};
use crate::daemon::clock;

/// A connection that holds a place.
pub(super) struct Session {
    pub(super) stream: UnixStream,
    pub(super) service: Arc<Service>,
    pub(super) timeouts: Timeouts,
    /// Turns true when the daemon ends.
    pub(super) stop: watch::Receiver<bool>,
    pub(super) inbox: Inbox,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client left, or the connection broke.
    Left,
    /// The client was told what is wrong and let go.
    Refused,
    /// The client asked nothing, or half a thing, for too long.
    Idle,
    /// The client did not take what it had asked for.
    Slow,
    /// The daemon ends.
    Stopped,
}

/// What to do next.
enum Event {
    Request { len: usize, end: usize },
    Http,
    Bad(BadRequest),
    Ended(Ending),
}

/// Which of the things that are waited for came first.
enum Wake {
    Stop,
    Deadline,
    Read(io::Result<usize>),
}

impl Session {
    /// Serves the client until it leaves or must go.
    pub(super) async fn run(mut self) {
        match self.serve().await {
            Ending::Left | Ending::Refused | Ending::Stopped => {}
            Ending::Idle => self.service.clients.record(Count::ClosedIdle),
            Ending::Slow => {
                let why = "it did not take what it had asked for in time";
                self.service.report(Count::ClosedSlow, "A client was closed.", &why);
            }
        }
        self.discard_input();
    }

    async fn serve(&mut self) -> Ending {
        loop {
            let outcome = match self.next_event().await {
                Event::Request { len, end } => {
                    let outcome = self.handle(len).await;
                    self.inbox.consume(end);
                    outcome
                }
                Event::Http => self.write_reply(HTTP_REPLY).await.and(Err(Ending::Refused)),
                Event::Bad(why) => {
                    let ending = match why {
                        BadRequest::HalfLine => Ending::Idle,
                        _ => Ending::Refused,
                    };
                    self.send(Refusal::from(why).reply()).await.and(Err(ending))
                }
                Event::Ended(ending) => Err(ending),
            };
            if let Err(ending) = outcome {
                return ending;
            }
        }
    }

    /// Reads until there is something to do.
    async fn next_event(&mut self) -> Event {
        let mut deadline: Option<(bool, Instant)> = None;
        loop {
            let is_half = match self.inbox.front() {
                Front::Line { len, end } => return Event::Request { len, end },
                Front::Http => return Event::Http,
                Front::Bad(why) => return Event::Bad(why),
                Front::Half => true,
                Front::Empty => false,
            };
            // Half a line has one deadline from its first byte on, however its bytes trickle in.
            let wait = if is_half { self.timeouts.half_line } else { self.timeouts.idle };
            let until = match deadline {
                Some((was_half, until)) if was_half == is_half => until,
                _ => deadline_in(wait),
            };
            deadline = Some((is_half, until));
            match self.wake(until).await {
                Wake::Stop => return Event::Ended(Ending::Stopped),
                Wake::Deadline if is_half => return Event::Bad(BadRequest::HalfLine),
                Wake::Deadline => return Event::Ended(Ending::Idle),
                Wake::Read(Ok(0)) => return self.end_of_input(),
                Wake::Read(Ok(n)) => self.inbox.fill(n),
                Wake::Read(Err(_)) => return Event::Ended(Ending::Left),
            }
        }
    }

    async fn wake(&mut self, until: Instant) -> Wake {
        // Nothing is lost whichever arm wins: a read that is not chosen has read nothing.
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => Wake::Stop,
            read = self.stream.read(self.inbox.space()) => Wake::Read(read),
            () = sleep_until(until) => Wake::Deadline,
        }
    }

    fn end_of_input(&mut self) -> Event {
        match self.inbox.last_line() {
            Front::Line { len, end } => Event::Request { len, end },
            Front::Bad(why) => Event::Bad(why),
            Front::Http => Event::Http,
            Front::Empty | Front::Half => Event::Ended(Ending::Left),
        }
    }

    async fn handle(&mut self, len: usize) -> Result<(), Ending> {
        let start_ns = clock::boot_ns();
        self.service.clients.record(Count::Request);
        let request = match request::parse(self.inbox.line(len)) {
            Ok(request) => request,
            Err(refusal) => return self.send(refusal.reply()).await,
        };
        match request.call {
            // Nothing can be asked of the daemon that has an effect without a reply.
            _ if request.oneway => Ok(()),
            Call::Watch(watch) => self.watch(&watch).await,
            Call::Tap(tap) => self.tap(&tap).await,
            Call::Record(source) => self.record(&source).await,
            Call::Histogram(ask) => self.histogram(&ask).await,
            call => {
                let reply = self.service.answer(&call).await;
                self.send(reply).await?;
                let took_ns = clock::boot_ns() - start_ns;
                self.service.about.vitals.query.record_ns(took_ns);
                Ok(())
            }
        }
    }

    /// Sends one reply, which the client must take in time.
    pub(super) async fn send(&mut self, mut reply: Vec<u8>) -> Result<(), Ending> {
        reply.push(self.inbox.terminator());
        self.write_reply(&reply).await
    }

    async fn write_reply(&mut self, reply: &[u8]) -> Result<(), Ending> {
        match timeout(self.timeouts.reply, self.stream.write_all(reply)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Left),
            Err(_) => Err(Ending::Slow),
        }
    }

    /// Reads away what has already come: a local socket that is closed with unread input gives
    /// its peer an error in place of the end of the reply.
    fn discard_input(&mut self) {
        const READS_MAX: usize = 16;
        for _ in 0..READS_MAX {
            self.inbox = Inbox::default();
            match self.stream.try_read(self.inbox.space()) {
                Ok(n) if 0 < n => {}
                _ => return,
            }
        }
    }
}

pub(super) fn deadline_in(wait: Duration) -> Instant {
    clock::deadline_in(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX))
}

/// For browsers, curl and scrapers that were pointed at this socket.
const HTTP_REPLY: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
Connection: close\r\n\
\r\n\
This socket speaks one JSON object per line, not HTTP. Try one of\n\
  stillwell get\n\
  echo '{\"method\":\"Get\"}' | socat - UNIX-CONNECT:/run/stillwell/query.sock\n\
  (echo '{\"method\":\"Get\"}'; sleep 1) | curl -sN --max-time 2 \
--unix-socket /run/stillwell/query.sock telnet://x\n";
