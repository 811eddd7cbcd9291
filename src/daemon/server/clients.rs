//! Who is connected: places, counts and the rules for giving places.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use super::refusal::Full;
use crate::limits::{CLIENTS_MAX, CLIENTS_PER_UID_MAX, CLIENTS_ROOT_RESERVE};

/// Places and counters, shared by the accept loop and the sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients(Arc<Mutex<Book>>);

/// Counters, as Status shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Clients that hold a place.
    pub(super) open: usize,
    /// Places.
    pub(super) max: usize,
    /// Clients that were told `Busy`.
    pub(super) rejected: u64,
    /// Clients closed because they did not take what they had asked for.
    pub(super) closed_slow: u64,
    /// Clients closed because they asked nothing, or half a thing.
    pub(super) closed_idle: u64,
    /// Failed accepts.
    pub(super) accept_errors: u64,
    /// Requests read.
    pub(super) requests: u64,
}

/// Something to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A client was told `Busy`.
    Rejected,
    /// A client did not take what it had asked for.
    ClosedSlow,
    /// A client asked nothing, or half a thing.
    ClosedIdle,
    /// An accept failed.
    AcceptError,
    /// A request was read.
    Request,
}

#[derive(Debug, Default)]
struct Book {
    counts: Counts,
    of_uid: BTreeMap<u32, usize>,
}

/// The right to be served; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    clients: Clients,
    uid: u32,
}

const ROOT: u32 = 0;

impl Clients {
    /// Gives a client of this user a place, if there is one.
    pub(super) fn admit(&self, uid: u32) -> Result<Place, Full> {
        let mut book = self.book();
        let reserve = if uid == ROOT { 0 } else { CLIENTS_ROOT_RESERVE };
        if CLIENTS_MAX - reserve <= book.counts.open {
            return Err(Full::Clients);
        }
        let of_uid = book.of_uid.entry(uid).or_default();
        if CLIENTS_PER_UID_MAX <= *of_uid {
            return Err(Full::ClientsOfUid);
        }
        *of_uid += 1;
        book.counts.open += 1;
        Ok(Place { clients: self.clone(), uid })
    }

    /// Counts.
    pub(super) fn record(&self, event: Event) {
        let counts = &mut self.book().counts;
        match event {
            Event::Rejected => counts.rejected += 1,
            Event::ClosedSlow => counts.closed_slow += 1,
            Event::ClosedIdle => counts.closed_idle += 1,
            Event::AcceptError => counts.accept_errors += 1,
            Event::Request => counts.requests += 1,
        }
    }

    /// The counters at this moment.
    pub(super) fn counts(&self) -> Counts {
        Counts { max: CLIENTS_MAX, ..self.book().counts }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.clients.book();
        book.counts.open -= 1;
        if let Some(of_uid) = book.of_uid.get_mut(&self.uid) {
            *of_uid -= 1;
            if *of_uid == 0 {
                book.of_uid.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_sixteen_places() {
        let clients = Clients::default();
        let places: Vec<_> = (0..CLIENTS_PER_UID_MAX).map(|_| clients.admit(7)).collect();
        assert!(places.iter().all(Result::is_ok));
        assert_eq!(clients.admit(7).err(), Some(Full::ClientsOfUid));
        assert!(clients.admit(8).is_ok(), "another user is not concerned");
        drop(places);
        assert!(clients.admit(7).is_ok());
        assert!(clients.book().of_uid.is_empty(), "users who left are forgotten");
    }

    #[test]
    fn the_last_places_are_for_root() {
        let clients = Clients::default();
        let places: Vec<_> = (1..=60).map(|uid| clients.admit(uid).expect("a place")).collect();
        assert_eq!(places.len(), CLIENTS_MAX - CLIENTS_ROOT_RESERVE);
        assert_eq!(clients.admit(99).err(), Some(Full::Clients));
        let roots: Vec<_> = (0..CLIENTS_ROOT_RESERVE).map(|_| clients.admit(ROOT)).collect();
        assert!(roots.iter().all(Result::is_ok));
        assert_eq!(clients.admit(ROOT).err(), Some(Full::Clients));
        assert_eq!(clients.counts().open, CLIENTS_MAX);
    }
}
