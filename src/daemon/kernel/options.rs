//! Options of sockets, and what the kernel counts about them.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// Whether the kernel stamps the datagrams of this socket; false if it does not say.
#[must_use]
pub fn has_timestamps(socket: BorrowedFd<'_>) -> bool {
    get_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS).is_ok_and(|value| value != 0)
}

/// Asks the kernel to stamp each datagram of this socket when it arrives.
///
/// One that arrived before may be given a stamp when it is read: the time of the receive call.
///
/// # Errors
///
/// Those of `setsockopt`.
pub fn enable_timestamps(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Whether this socket has [`set_trains`] on; false if the kernel does not say.
#[must_use]
pub fn has_trains(socket: BorrowedFd<'_>) -> bool {
    get_option(socket, libc::SOL_UDP, libc::UDP_GRO).is_ok_and(|value| value != 0)
}

/// Lets the kernel hand over a train of datagrams of one flow and one length as one message
/// (UDP_GRO), for [`super::ReceiveBatch::of_trains`]; or not any more.
///
/// # Errors
///
/// Those of `setsockopt`: ENOPROTOOPT from a kernel that cannot (before 5.0).
pub fn set_trains(socket: BorrowedFd<'_>, are_on: bool) -> io::Result<()> {
    set_option(socket, libc::SOL_UDP, libc::UDP_GRO, libc::c_int::from(are_on))
}

/// Sets a socket's receive buffer beyond what net.core.rmem_max allows.
///
/// # Errors
///
/// `PermissionDenied` without CAP_NET_ADMIN, and the others of `setsockopt`.
pub fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(i32::MAX);
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
}

fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the kernel reads one int, which lives on this stack frame, and keeps no pointer.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&value).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn get_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `value`, and puts the
    // number written into `length`; any bits are an int. It keeps no pointer.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// SO_MEMINFO of asm-generic/socket.h, which `libc` does not name.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
const SO_MEMINFO: libc::c_int = 55;

/// Packets that the kernel has dropped at this socket since it was created; wraps at 2^32.
///
/// A packet is a datagram, unless the socket has [`set_trains`]: then a train that finds no
/// room counts as one, and how many datagrams it had is not known.
///
/// # Errors
///
/// Those of `getsockopt`, and `Unsupported` from a kernel that does not count (before 4.12).
pub fn socket_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    const DROPS: usize = libc::SK_MEMINFO_DROPS as usize;
    let mut counts = [0_u32; DROPS + 1];
    let mut length = mem::size_of_val(&counts) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `counts`, which is as long, and puts
    // the number written into `length`; any bits are a u32. It keeps no pointer.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            counts.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    if (length as usize) < mem::size_of_val(&counts) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(counts[DROPS])
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_file_is_no_socket() {
        let null = std::fs::File::open("/dev/null").unwrap();
        let error = socket_drops(null.as_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    }
}
