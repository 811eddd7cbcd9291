//! The accept loop: places, `Busy`, and errors that never end it.

use std::{fs::File, io, sync::Arc};

use socket2::SockRef;
use tokio::{
    net::{UnixListener, UnixStream, unix::SocketAddr},
    sync::watch,
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};

use super::{
    Timeouts,
    clients::Event as Count,
    framing::Inbox,
    refusal::{Full, Refusal},
    service::Service,
    session::Session,
};
use crate::limits::CLIENT_SEND_BUFFER;

/// The accept loop and the sessions it has begun.
pub(super) struct Acceptor {
    pub(super) listener: UnixListener,
    pub(super) service: Arc<Service>,
    pub(super) timeouts: Timeouts,
    /// A descriptor to give up when there are no others, so that a client can be turned away.
    reserve: Option<File>,
    sessions: JoinSet<()>,
}

enum Event {
    Stop,
    Accepted(io::Result<(UnixStream, SocketAddr)>),
    Ended(Result<(), JoinError>),
}

/// What a failed accept means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The next one may succeed at once.
    Transient,
    /// Descriptors or memory are used up.
    Exhausted,
    /// Something else, that going on at full speed will not mend.
    Other,
}

impl Acceptor {
    pub(super) fn new(listener: UnixListener, service: Arc<Service>, timeouts: Timeouts) -> Self {
        Self { listener, service, timeouts, reserve: reserve(), sessions: JoinSet::new() }
    }

    /// Serves until `stop`, then lets the sessions finish; returns how many did not.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) -> usize {
        let (stop_sessions, stopped) = watch::channel(false);
        let mut stop = std::pin::pin!(stop);
        loop {
            let event = tokio::select! {
                biased;
                () = &mut stop => Event::Stop,
                Some(ended) = self.sessions.join_next() => Event::Ended(ended),
                accepted = self.listener.accept() => Event::Accepted(accepted),
            };
            match event {
                Event::Stop => break,
                Event::Accepted(Ok((stream, _))) => self.welcome(stream, &stopped),
                Event::Accepted(Err(error)) => self.failed(&error).await,
                Event::Ended(ended) => note_panic(ended),
            }
        }
        stop_sessions.send_replace(true);
        let drain = async {
            while let Some(ended) = self.sessions.join_next().await {
                note_panic(ended);
            }
        };
        // On expiry the rest is dropped with the set.
        let _ = timeout(self.timeouts.drain, drain).await;
        self.sessions.len()
    }

    fn welcome(&mut self, stream: UnixStream, stop: &watch::Receiver<bool>) {
        let Ok(credentials) = stream.peer_cred() else { return };
        let place = match self.service.clients.admit(credentials.uid()) {
            Ok(place) => place,
            Err(full) => return self.turn_away(&stream, full),
        };
        // A second bound on what lies in the kernel; without it SIOCOUTQ still holds.
        let _ = SockRef::from(&stream).set_send_buffer_size(CLIENT_SEND_BUFFER);
        let session = Session {
            stream,
            service: Arc::clone(&self.service),
            timeouts: self.timeouts,
            stop: stop.clone(),
            inbox: Inbox::default(),
        };
        self.sessions.spawn(async move {
            session.run().await;
            drop(place);
        });
    }

    fn turn_away(&self, stream: &UnixStream, full: Full) {
        let mut reply = Refusal::Busy(full).reply();
        reply.push(b'\n');
        // The buffer of a new connection takes one line; a client that left needs none.
        let _ = stream.try_write(&reply);
        let why = match full {
            Full::Clients => "all places are taken",
            Full::ClientsOfUid => "the places of its user are taken",
            Full::Listeners => "too many listen to the sources",
            Full::Questions => "too many wait for histograms",
        };
        self.service.report(Count::Rejected, "A client was turned away.", &why);
    }

    async fn failed(&mut self, error: &io::Error) {
        self.service.report(Count::AcceptError, "A connection was not accepted.", error);
        match classify(error) {
            Failure::Transient => {}
            Failure::Exhausted => {
                self.reserve = None;
                // Closed at once: the client learns that it is not served, and the backlog moves.
                let _ = timeout(self.timeouts.accept_backoff, self.listener.accept()).await;
                sleep(self.timeouts.accept_backoff).await;
                self.reserve = reserve();
            }
            Failure::Other => sleep(self.timeouts.accept_backoff).await,
        }
    }
}

fn reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "A client's session panicked.");
    }
}

fn classify(error: &io::Error) -> Failure {
    match error.raw_os_error() {
        Some(libc::ECONNABORTED | libc::EINTR) => Failure::Transient,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Failure::Exhausted,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart() {
        let of = |code| classify(&io::Error::from_raw_os_error(code));
        assert_eq!(of(libc::ECONNABORTED), Failure::Transient);
        assert_eq!(of(libc::EMFILE), Failure::Exhausted);
        assert_eq!(of(libc::ENOMEM), Failure::Exhausted);
        assert_eq!(of(libc::EINVAL), Failure::Other);
    }
}
