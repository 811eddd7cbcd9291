//! Datagrams in batches.

use std::{
    io, mem,
    num::NonZeroUsize,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use crate::limits::{DATAGRAM_BYTES_MAX, RECEIVE_DATAGRAMS, RECEIVE_TRAINS, TRAIN_BYTES_MAX};

/// Room for two control messages, one with a `timespec` and one with an `int`; words, because
/// the kernel's headers are aligned as words are.
type Control = [u64; 7];

const _: () = {
    // SAFETY: CMSG_SPACE is arithmetic on its argument.
    let stamp = unsafe { libc::CMSG_SPACE(mem::size_of::<libc::timespec>() as u32) };
    // SAFETY: as above.
    let segment = unsafe { libc::CMSG_SPACE(mem::size_of::<libc::c_int>() as u32) };
    assert!((stamp + segment) as usize <= mem::size_of::<Control>());
};

/// The buffers of a batch receive call, and what the last call left in them.
#[derive(Debug)]
pub struct ReceiveBatch {
    /// A buffer of `stride` bytes for each message, one after the other.
    bytes: Box<[u8]>,
    stride: usize,
    controls: Box<[Control]>,
    arrivals: Box<[Arrival]>,
    /// Of `arrivals`, those that the last call filled.
    received: usize,
    /// Of the filled, those of which [`Self::next_datagram`] has given away everything.
    taken: usize,
    /// Bytes of the next one that it has given away.
    given: usize,
}

/// One datagram as it came from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Its bytes, cut at [`DATAGRAM_BYTES_MAX`].
    pub bytes: &'a [u8],
    /// How long it was on the wire; more than `bytes.len()` if it was cut.
    pub wire_bytes: usize,
    /// CLOCK_REALTIME when the kernel received it, nanoseconds since 1970; `None` without
    /// [`super::enable_timestamps`].
    pub stamp_ns: Option<i64>,
}

/// One message: a datagram, or a train of datagrams of one length, of which the last may be
/// shorter.
#[derive(Clone, Copy, Debug, Default)]
struct Arrival {
    wire_bytes: usize,
    stamp_ns: Option<i64>,
    /// Length of the datagrams of a train.
    segment: Option<NonZeroUsize>,
}

impl Arrival {
    fn datagrams(&self) -> usize {
        self.segment.map_or(1, |segment| self.wire_bytes.div_ceil(segment.get()).max(1))
    }
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
        Self::of(RECEIVE_DATAGRAMS, DATAGRAM_BYTES_MAX)
    }

    /// As [`Self::new`], for a socket with [`super::set_trains`]: fewer buffers, each of which
    /// holds the longest train.
    #[must_use]
    pub fn of_trains() -> Self {
        Self::of(RECEIVE_TRAINS, TRAIN_BYTES_MAX)
    }

    fn of(messages: usize, stride: usize) -> Self {
        Self {
            bytes: vec![0; messages * stride].into(),
            stride,
            controls: vec![Control::default(); messages].into(),
            arrivals: vec![Arrival::default(); messages].into(),
            received: 0,
            taken: 0,
            given: 0,
        }
    }

    /// Takes what one call gives from a socket, without waiting, and returns how many datagrams
    /// that is. What [`Self::next_datagram`] has not given away is overwritten.
    ///
    /// # Errors
    ///
    /// Those of `recvmmsg`, `WouldBlock` if there is nothing; nothing is taken then.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.received = 0;
        self.taken = 0;
        self.given = 0;
        let buffers = self.bytes.chunks_exact_mut(self.stride);
        let mut slices: [libc::iovec; RECEIVE_DATAGRAMS] =
            [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; RECEIVE_DATAGRAMS];
        for (slice, buffer) in slices.iter_mut().zip(buffers) {
            *slice = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        }
        // SAFETY: a header is integers and pointers, for which zeros are valid: no address, no
        // buffers, no control messages.
        let mut headers: [libc::mmsghdr; RECEIVE_DATAGRAMS] = unsafe { mem::zeroed() };
        for ((header, slice), control) in
            headers.iter_mut().zip(&mut slices).zip(self.controls.iter_mut())
        {
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = mem::size_of::<Control>() as _;
        }
        let messages = self.arrivals.len().min(RECEIVE_DATAGRAMS);
        // SAFETY: `headers` holds at least `messages` headers, and as many of them point at an
        // iovec of their own in `slices` and at a control buffer of the stated length, and each
        // of these iovecs at a buffer of the stated length that overlaps no other: there are
        // `messages` of each. All of them outlive the call, after which the kernel keeps no
        // pointer. The address and the timeout may be null.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                messages as libc::c_uint,
                (libc::MSG_DONTWAIT | libc::MSG_TRUNC) as _,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            return Err(io::Error::last_os_error());
        };
        let mut datagrams = 0;
        for (arrival, header) in self.arrivals.iter_mut().zip(&headers[..count]) {
            // SAFETY: the kernel has just filled this header and its control buffer, which
            // `self.controls` still owns.
            let Notes { stamp_ns, segment } = unsafe { notes(&header.msg_hdr) };
            *arrival = Arrival { wire_bytes: header.msg_len as usize, stamp_ns, segment };
            datagrams += arrival.datagrams();
        }
        self.received = count;
        Ok(datagrams)
    }

    /// Whether the last call filled every buffer, so that there may be more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.received == self.arrivals.len()
    }

    /// The next datagram of the last call, each once.
    ///
    /// Not an iterator: the place is kept here, so that a reader that is interrupted goes on
    /// where it was.
    #[inline]
    pub fn next_datagram(&mut self) -> Option<Datagram<'_>> {
        if self.taken == self.received {
            return None;
        }
        let Arrival { wire_bytes: message_bytes, stamp_ns, segment } = self.arrivals[self.taken];
        let rest = message_bytes - self.given;
        let wire_bytes = segment.map_or(rest, |segment| rest.min(segment.get()));
        // A message that was cut has fewer bytes here than on the wire.
        let message = &self.bytes[self.taken * self.stride..][..message_bytes.min(self.stride)];
        let bytes = &message[self.given.min(message.len())..];
        let bytes = &bytes[..bytes.len().min(wire_bytes).min(DATAGRAM_BYTES_MAX)];
        self.given += wire_bytes;
        if self.given == message_bytes {
            self.taken += 1;
            self.given = 0;
        }
        Some(Datagram { bytes, wire_bytes, stamp_ns })
    }
}

/// What the kernel notes about a message.
#[derive(Default)]
struct Notes {
    stamp_ns: Option<i64>,
    segment: Option<NonZeroUsize>,
}

/// The control messages of a message.
///
/// # Safety
///
/// The kernel must have filled `header`, and its control buffer must still be alive.
unsafe fn notes(header: &libc::msghdr) -> Notes {
    let mut notes = Notes::default();
    // SAFETY: the caller vouches for the header; the macro looks at its length before it gives a
    // pointer.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: what the macros give is null or a header within the control buffer.
    while let Some(head) = unsafe { message.as_ref() } {
        // SAFETY: the data of a message starts right behind its header.
        let data = unsafe { libc::CMSG_DATA(message) };
        match (head.cmsg_level, head.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: the kernel puts a whole timespec there; it need not be aligned.
                let time = unsafe { data.cast::<libc::timespec>().read_unaligned() };
                notes.stamp_ns = nanoseconds(&time);
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                // SAFETY: the kernel puts a whole int there; it need not be aligned.
                let bytes = unsafe { data.cast::<libc::c_int>().read_unaligned() };
                notes.segment = usize::try_from(bytes).ok().and_then(NonZeroUsize::new);
            }
            _ => {}
        }
        // SAFETY: `message` is a header within the control buffer of `header`.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    notes
}

fn nanoseconds(time: &libc::timespec) -> Option<i64> {
    // On 32-bit targets both fields are narrower.
    #[allow(clippy::useless_conversion)]
    let (seconds, nanoseconds) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd};

    use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

    use super::{
        super::options::{enable_timestamps, has_timestamps, has_trains, set_trains, socket_drops},
        *,
    };

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

    /// Sends `bytes` as datagrams of `segment`, the last of which may be shorter.
    fn send_train(sender: &UdpSocket, bytes: &[u8], segment: u16) {
        setsockopt(sender, UdpGsoSegment, &i32::from(segment)).unwrap();
        assert_eq!(sender.send(bytes).unwrap(), bytes.len());
        setsockopt(sender, UdpGsoSegment, &0).unwrap();
    }

    #[test]
    fn a_train_is_the_datagrams_that_were_sent() {
        let bytes: Vec<u8> = (0..=255).cycle().take(50_000).collect();
        for trains in [false, true] {
            let (sender, receiver) = pair();
            assert!(!has_timestamps(receiver.as_fd()) && !has_trains(receiver.as_fd()));
            enable_timestamps(receiver.as_fd()).unwrap();
            assert!(has_timestamps(receiver.as_fd()));
            let mut batch = ReceiveBatch::new();
            if trains {
                set_trains(receiver.as_fd(), true).unwrap();
                assert!(has_trains(receiver.as_fd()));
                batch = ReceiveBatch::of_trains();
            }
            sender.send(b"").unwrap();
            send_train(&sender, &bytes[..1_000], 300);
            sender.send(b"between").unwrap();
            send_train(&sender, &bytes[..600], 300);
            send_train(&sender, &bytes[..20_000], 9_999);
            let expected: Vec<&[u8]> = [&b""[..]]
                .into_iter()
                .chain(bytes[..1_000].chunks(300))
                .chain([&b"between"[..]])
                .chain(bytes[..600].chunks(300))
                .chain(bytes[..20_000].chunks(9_999))
                .collect();
            assert_eq!(batch.receive(receiver.as_fd()).unwrap(), expected.len());
            assert_eq!(batch.received, if trains { 5 } else { expected.len() });
            for sent in expected {
                let Datagram { bytes, wire_bytes, stamp_ns } = batch.next_datagram().unwrap();
                assert_eq!((bytes, wire_bytes), (&sent[..bytes.len()], sent.len()));
                assert_eq!(bytes.len(), sent.len().min(DATAGRAM_BYTES_MAX));
                assert!(stamp_ns.is_some());
            }
            assert_eq!(batch.next_datagram(), None);
        }
    }

    #[test]
    fn a_train_that_finds_no_room_counts_as_one() {
        let (sender, receiver) = pair();
        socket2::SockRef::from(&receiver).set_recv_buffer_size(65_536).unwrap();
        set_trains(receiver.as_fd(), true).unwrap();
        let (trains, datagrams_each) = (200, 50);
        for _ in 0..trains {
            send_train(&sender, &[7; 64 * 50], 64);
        }
        let mut batch = ReceiveBatch::of_trains();
        let mut received = 0;
        while let Ok(datagrams) = batch.receive(receiver.as_fd()) {
            received += datagrams;
        }
        let dropped = socket_drops(receiver.as_fd()).unwrap() as usize;
        assert!(dropped > 0, "the buffer was meant to overflow");
        assert_eq!(received / datagrams_each + dropped, trains);
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
}
