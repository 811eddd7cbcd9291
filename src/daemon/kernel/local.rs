//! Questions about local sockets and the clock, and the descriptors a service manager left.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

/// Bytes written to a local stream socket that the peer has not read yet (SIOCOUTQ).
///
/// # Errors
/// That of ioctl(2): the descriptor is not a socket.
pub fn unsent_bytes(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, as it is borrowed; SIOCOUTQ (the same number as TIOCOUTQ)
    // writes one int, and `bytes` is a live int that nobody else refers to.
    let status = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if status == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// What the kernel knows of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WallClock {
    /// Whether somebody keeps it in step.
    pub is_synced: bool,
    /// How far it may be off at most, microseconds; it grows while nobody does.
    pub max_error_us: f64,
}

/// Asks the kernel for the state of the wall clock; `None` where it does not say.
pub fn wall_clock() -> Option<WallClock> {
    let mut state = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: `timex` is integers only, so that all zeroes are a valid one; `modes` of zero asks
    // and sets nothing; the kernel writes into the struct, which is alive and ours.
    let status = unsafe { libc::adjtimex(state.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid `timex`, and so is what the kernel writes.
    let state = unsafe { state.assume_init() };
    let is_synced = match status {
        -1 => return None,
        libc::TIME_ERROR => false,
        _ => true,
    };
    Some(WallClock { is_synced, max_error_us: state.maxerror as f64 })
}

/// Takes the descriptors that the service manager passed (LISTEN_FDS) under names that `wanted`
/// accepts, each with its name.
///
/// Each descriptor is given out once in the life of the process, whatever is asked.
///
/// # Errors
/// If the variables of the service manager contradict each other.
pub fn inherited(wanted: impl Fn(&str) -> bool) -> io::Result<Vec<(String, OwnedFd)>> {
    /// Those that nobody has taken; `None` until the first call.
    static LEFT: Mutex<Option<Vec<(String, OwnedFd)>>> = Mutex::new(None);
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let fds = match left.take() {
        Some(fds) => fds,
        None => passed()?,
    };
    let (taken, rest) = fds.into_iter().partition(|(name, _)| wanted(name));
    *left = Some(rest);
    Ok(taken)
}

/// All of them. To be asked for once: later their numbers may be those of other descriptors.
fn passed() -> io::Result<Vec<(String, OwnedFd)>> {
    let fds = sd_notify::listen_fds_with_names()?;
    // SAFETY: the service manager left these descriptors open for this very process (LISTEN_PID
    // was compared), nothing else in it knows their numbers, and the only caller keeps what it
    // gets, so that this makes the only owner of each.
    Ok(fds.map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) })).collect())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::{fd::AsFd, unix::net::UnixStream},
    };

    use super::*;

    #[test]
    fn unsent_bytes_are_those_the_peer_has_not_read() {
        let (mut ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        assert_eq!(unsent_bytes(ours.as_fd()).expect("a socket"), 0);
        ours.write_all(b"settled").expect("room");
        assert!(0 < unsent_bytes(ours.as_fd()).expect("a socket"));
        theirs.read_exact(&mut [0; 7]).expect("seven bytes");
        assert_eq!(unsent_bytes(ours.as_fd()).expect("a socket"), 0);
    }

    #[test]
    fn a_file_has_no_unsent_bytes() {
        let file = std::fs::File::open("/dev/null").expect("opens");
        assert!(unsent_bytes(file.as_fd()).is_err());
    }

    #[test]
    fn nothing_is_inherited_without_a_service_manager() {
        assert!(inherited(|_| true).expect("no contradiction").is_empty());
    }
}
