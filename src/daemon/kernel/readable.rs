//! Descriptors of kinds that the runtime has no type for.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// A descriptor that is read when there is something to read.
#[derive(Debug)]
pub struct Readable(AsyncFd<OwnedFd>);

impl Readable {
    /// Takes up a descriptor, which must not block.
    ///
    /// # Errors
    ///
    /// Those of epoll(7).
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        // SAFETY: an `OwnedFd` stays open until it is dropped, which happens after it is taken
        // out of the registration, and nothing here replaces it or gives it away.
        let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        Ok(Self(registered?))
    }

    /// Calls `read` whenever there may be something, until it does not say that it would block.
    /// Safe to cancel.
    ///
    /// # Errors
    ///
    /// Those of `read`, and of epoll(7).
    pub async fn read<T>(
        &self,
        mut read: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.0.async_io(Interest::READABLE, |fd| read(fd.as_fd())).await
    }
}
