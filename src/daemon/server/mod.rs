//! The query socket: varlink's message shape, one JSON object per line, read-only.
//!
//! A client costs the others nothing: each has a task of its own, one bounded buffer for what
//! it asks, one reply at a time, and deadlines for everything. What a client reads is whatever
//! snapshot is the latest; nothing is ever queued for it.

pub mod listen;

mod accept;
mod clients;
mod framing;
mod histogram;
mod record;
mod refusal;
mod request;
mod service;
mod session;
mod sharing;
mod status;
mod tap;
mod watch;

use std::{io, sync::Arc, time::Duration};

use tokio::sync::watch::Receiver;

use self::{accept::Acceptor, service::Service};
use super::clock::Line;
use crate::{
    engine::Snapshot,
    limits::{
        ACCEPT_BACKOFF_NS, CLIENT_IDLE_NS, HALF_LINE_NS, REPLY_NS, SERVER_DRAIN_NS, WATCH_CHECK_NS,
        WATCH_STALL_NS,
    },
};

pub use self::{
    listen::{Endpoint, ListenError},
    service::About,
};

/// The server of the query socket.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    about: About,
    timeouts: Timeouts,
}

/// How long a client may take for what; the defaults are those of [`crate::limits`].
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the first byte of a request to its end.
    pub half_line: Duration,
    /// To take a reply.
    pub reply: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Without taking anything of a subscription.
    pub watch_stall: Duration,
    /// Between two looks whether a quiet subscriber has gone.
    pub watch_check: Duration,
    /// Pause of the accept loop when descriptors or memory are used up.
    pub accept_backoff: Duration,
    /// For all clients together to finish when the daemon ends.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let of = |ns: i64| Duration::from_nanos(ns.unsigned_abs());
        Self {
            half_line: of(HALF_LINE_NS),
            reply: of(REPLY_NS),
            idle: of(CLIENT_IDLE_NS),
            watch_stall: of(WATCH_STALL_NS),
            watch_check: of(WATCH_CHECK_NS),
            accept_backoff: of(ACCEPT_BACKOFF_NS),
            drain: of(SERVER_DRAIN_NS),
        }
    }
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "clients that were cut off belong in the log"]
pub struct Drained {
    /// Clients that did not finish in time and were cut off.
    pub unfinished: usize,
}

impl Server {
    /// A server on a socket that is already bound.
    #[must_use]
    pub fn new(endpoint: Endpoint, about: About) -> Self {
        Self { endpoint, about, timeouts: Timeouts::default() }
    }

    /// With other time limits.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// Serves snapshots until `stop`, lets the clients finish and removes the socket.
    ///
    /// Subscribers get the last snapshot and are told that the daemon ends; so they do when the
    /// sender of the snapshots is dropped. `stop` should come after the last publication.
    ///
    /// # Errors
    /// If the runtime does not take the socket.
    pub async fn run(
        self,
        snapshots: Receiver<Arc<Snapshot>>,
        line: Line,
        stop: impl Future<Output = ()>,
    ) -> io::Result<Drained> {
        let Self { endpoint, about, timeouts } = self;
        let listener = endpoint.listener()?;
        let service = Arc::new(Service::new(snapshots, line, about));
        let unfinished = Acceptor::new(listener, service, timeouts).run(stop).await;
        Ok(Drained { unfinished })
    }
}

#[cfg(test)]
mod tests;
