//! Datagrams in batches, and what the kernel counts about sockets and serial lines.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use crate::limits::{DATAGRAM_BYTES_MAX, RECEIVE_DATAGRAMS};

/// Room for one control message with a `timespec`; words, because the kernel's headers are
/// aligned as words are.
type Control = [u64; 4];

const _: () = {
    // SAFETY: CMSG_SPACE is arithmetic on its argument.
    let needed = unsafe { libc::CMSG_SPACE(mem::size_of::<libc::timespec>() as u32) };
    assert!(needed as usize <= mem::size_of::<Control>());
};

/// The buffers of a batch receive call, and what the last call left in them.
#[derive(Debug)]
pub struct ReceiveBatch {
    /// `RECEIVE_DATAGRAMS` buffers of `DATAGRAM_BYTES_MAX` bytes, one after the other.
    bytes: Box<[u8]>,
    controls: Box<[Control; RECEIVE_DATAGRAMS]>,
    arrivals: Box<[Arrival; RECEIVE_DATAGRAMS]>,
    /// Of `arrivals`, those that the last call filled.
    received: usize,
    /// Of the filled, those that [`Self::next_datagram`] has given away.
    taken: usize,
}

/// One datagram as it came from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Its bytes, cut at [`DATAGRAM_BYTES_MAX`].
    pub bytes: &'a [u8],
    /// How long it was on the wire; more than `bytes.len()` if it was cut.
    pub wire_bytes: usize,
    /// CLOCK_REALTIME when the kernel received it, nanoseconds since 1970; `None` without
    /// [`enable_timestamps`].
    pub stamp_ns: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Arrival {
    wire_bytes: usize,
    stamp_ns: Option<i64>,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl ReceiveBatch {
    /// Allocates the buffers, once for the life of a source.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE_DATAGRAMS * DATAGRAM_BYTES_MAX].into(),
            controls: Box::new([Control::default(); RECEIVE_DATAGRAMS]),
            arrivals: Box::new([Arrival::default(); RECEIVE_DATAGRAMS]),
            received: 0,
            taken: 0,
        }
    }

    /// Takes up to [`RECEIVE_DATAGRAMS`] datagrams from a socket without waiting and returns how
    /// many came. What the call before it left untaken is forgotten.
    ///
    /// # Errors
    ///
    /// Those of `recvmmsg`; `WouldBlock` if there is no datagram.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.received = 0;
        self.taken = 0;
        // SAFETY: both are C structs of integers and pointers, for which all zeroes is a value.
        let mut slices: [libc::iovec; RECEIVE_DATAGRAMS] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; RECEIVE_DATAGRAMS] = unsafe { mem::zeroed() };
        let buffers = self.bytes.chunks_exact_mut(DATAGRAM_BYTES_MAX).zip(self.controls.iter_mut());
        for ((buffer, control), (slice, header)) in
            buffers.zip(slices.iter_mut().zip(headers.iter_mut()))
        {
            slice.iov_base = buffer.as_mut_ptr().cast();
            slice.iov_len = buffer.len();
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = mem::size_of::<Control>() as _;
        }
        // SAFETY: `headers` holds RECEIVE_DATAGRAMS headers; each points at an iovec of its own
        // in `slices` and at a control buffer of the stated length, and each iovec at a buffer of
        // the stated length that overlaps no other. All of them outlive the call, after which
        // the kernel keeps no pointer. The address and the timeout may be null.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                RECEIVE_DATAGRAMS as libc::c_uint,
                (libc::MSG_DONTWAIT | libc::MSG_TRUNC) as _,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            return Err(io::Error::last_os_error());
        };
        for (arrival, header) in self.arrivals.iter_mut().zip(&headers[..count]) {
            arrival.wire_bytes = header.msg_len as usize;
            // SAFETY: the kernel has just filled this header and its control buffer, which
            // `self.controls` still owns.
            arrival.stamp_ns = unsafe { stamp_ns(&header.msg_hdr) };
        }
        self.received = count;
        Ok(count)
    }

    /// The next datagram of the last call, each once.
    ///
    /// Not an iterator: the place is kept here, so that a reader that is interrupted goes on
    /// where it was.
    pub fn next_datagram(&mut self) -> Option<Datagram<'_>> {
        let index = self.taken;
        if index == self.received {
            return None;
        }
        self.taken += 1;
        let Arrival { wire_bytes, stamp_ns } = self.arrivals[index];
        let start = index * DATAGRAM_BYTES_MAX;
        let bytes = &self.bytes[start..start + wire_bytes.min(DATAGRAM_BYTES_MAX)];
        Some(Datagram { bytes, wire_bytes, stamp_ns })
    }
}

/// The receive stamp among the control messages of a datagram.
///
/// # Safety
///
/// The kernel must have filled `header`, and its control buffer must still be alive.
unsafe fn stamp_ns(header: &libc::msghdr) -> Option<i64> {
    // SAFETY: the caller vouches for the header; the macro looks at its length before it gives a
    // pointer.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: what the macros give is null or a header within the control buffer.
    while let Some(head) = unsafe { message.as_ref() } {
        if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SCM_TIMESTAMPNS {
            // SAFETY: the data of a message starts right behind its header.
            let data = unsafe { libc::CMSG_DATA(message) }.cast::<libc::timespec>();
            // SAFETY: the kernel puts a whole timespec there; it need not be aligned.
            let time = unsafe { data.read_unaligned() };
            // On 32-bit targets both fields are narrower.
            #[allow(clippy::useless_conversion)]
            let (seconds, nanoseconds) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
            return seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds);
        }
        // SAFETY: `message` is a header within the control buffer of `header`.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    None
}

/// Asks the kernel to stamp each datagram of this socket when it arrives.
///
/// # Errors
///
/// Those of `setsockopt`.
pub fn enable_timestamps(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::SO_TIMESTAMPNS, 1)
}

/// Sets a socket's receive buffer beyond what net.core.rmem_max allows.
///
/// # Errors
///
/// `PermissionDenied` without CAP_NET_ADMIN, and the others of `setsockopt`.
pub fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    set_option(socket, libc::SO_RCVBUFFORCE, libc::c_int::try_from(bytes).unwrap_or(i32::MAX))
}

fn set_option(socket: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the kernel reads one int, which lives on this stack frame, and keeps no pointer.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            ptr::from_ref(&value).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// SO_MEMINFO of asm-generic/socket.h, which `libc` does not name.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
const SO_MEMINFO: libc::c_int = 55;

/// Datagrams that the kernel has dropped at this socket since it was created; wraps at 2^32.
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

/// Errors that a serial port has counted since it was registered; each wraps at 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineErrorCounts {
    /// Characters without a stop bit: wrong baud rate, noise, a break.
    pub framing: u32,
    /// Characters with a wrong parity bit.
    pub parity: u32,
    /// Characters lost in the chip.
    pub overrun: u32,
    /// Characters lost in the driver's buffer.
    pub buffer_overrun: u32,
}

/// struct serial_icounter_struct of linux/serial.h.
#[repr(C)]
#[derive(Default)]
struct SerialCounters {
    cts: libc::c_int,
    dsr: libc::c_int,
    rng: libc::c_int,
    dcd: libc::c_int,
    rx: libc::c_int,
    tx: libc::c_int,
    frame: libc::c_int,
    overrun: libc::c_int,
    parity: libc::c_int,
    brk: libc::c_int,
    buf_overrun: libc::c_int,
    reserved: [libc::c_int; 9],
}

/// Reads a serial port's error counters.
///
/// # Errors
///
/// Those of `ioctl`: ENOTTY from a port that does not count, as a pseudo-terminal.
pub fn line_errors(port: &impl AsRawFd) -> io::Result<LineErrorCounts> {
    let mut counters = SerialCounters::default();
    // SAFETY: TIOCGICOUNT writes one serial_icounter_struct, which `counters` is, and nothing
    // else; a descriptor that is no serial port answers ENOTTY and writes nothing.
    let result = unsafe { libc::ioctl(port.as_raw_fd(), libc::TIOCGICOUNT, &raw mut counters) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(LineErrorCounts {
        framing: counters.frame.cast_unsigned(),
        parity: counters.parity.cast_unsigned(),
        overrun: counters.overrun.cast_unsigned(),
        buffer_overrun: counters.buf_overrun.cast_unsigned(),
    })
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd};

    use super::*;

    fn pair() -> (UdpSocket, UdpSocket) {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        (sender, receiver)
    }

    #[test]
    fn receives_datagrams_whole_empty_and_cut_with_their_stamps() {
        let (sender, receiver) = pair();
        enable_timestamps(receiver.as_fd()).unwrap();
        sender.send(b"one").unwrap();
        sender.send(b"").unwrap();
        sender.send(&vec![7; DATAGRAM_BYTES_MAX + 1]).unwrap();
        let mut batch = ReceiveBatch::new();
        assert_eq!(batch.receive(receiver.as_fd()).unwrap(), 3);

        let one = batch.next_datagram().unwrap();
        assert_eq!((one.bytes, one.wire_bytes), (&b"one"[..], 3));
        let first_ns = one.stamp_ns.expect("stamps are on");
        let empty = batch.next_datagram().unwrap();
        assert_eq!((empty.bytes, empty.wire_bytes), (&b""[..], 0));
        let cut = batch.next_datagram().unwrap();
        assert_eq!(cut.bytes, vec![7; DATAGRAM_BYTES_MAX]);
        assert_eq!(cut.wire_bytes, DATAGRAM_BYTES_MAX + 1);
        assert!(first_ns <= cut.stamp_ns.expect("stamps are on"));
        // In this century: the field is seconds and nanoseconds, in that order.
        assert!((946_684_800_000_000_000..4_102_444_800_000_000_000).contains(&first_ns));
        assert_eq!(batch.next_datagram(), None);

        let nothing = batch.receive(receiver.as_fd()).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn fills_a_whole_batch_and_keeps_the_order() {
        let (sender, receiver) = pair();
        let total = RECEIVE_DATAGRAMS + 3;
        for n in 0..total {
            sender.send(&n.to_le_bytes()).unwrap();
        }
        let mut batch = ReceiveBatch::new();
        let mut seen = 0_usize;
        for expected in [RECEIVE_DATAGRAMS, 3] {
            assert_eq!(batch.receive(receiver.as_fd()).unwrap(), expected);
            while let Some(datagram) = batch.next_datagram() {
                assert_eq!(datagram.bytes, seen.to_le_bytes());
                assert_eq!(datagram.stamp_ns, None, "stamps are off");
                seen += 1;
            }
        }
        assert_eq!(seen, total);
    }

    #[test]
    fn counts_what_the_kernel_dropped() {
        let (sender, receiver) = pair();
        socket2::SockRef::from(&receiver).set_recv_buffer_size(1).unwrap();
        let baseline = socket_drops(receiver.as_fd()).unwrap();
        let sent = 100;
        for _ in 0..sent {
            sender.send(&[0; 64]).unwrap();
        }
        let mut received = 0;
        let mut batch = ReceiveBatch::new();
        while let Ok(count) = batch.receive(receiver.as_fd()) {
            received += count;
        }
        let dropped = socket_drops(receiver.as_fd()).unwrap().wrapping_sub(baseline) as usize;
        assert!(dropped > 0, "the buffer was meant to overflow");
        assert_eq!(received + dropped, sent);
    }

    #[test]
    fn a_socket_is_no_serial_port_and_a_file_no_socket() {
        let (_sender, receiver) = pair();
        let error = line_errors(&receiver).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
        let null = std::fs::File::open("/dev/null").unwrap();
        let error = socket_drops(null.as_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    }
}
