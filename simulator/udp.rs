//! Datagrams to one address.

use std::{io, net::SocketAddr, time::Duration};

use tokio::net::UdpSocket;

use crate::play::warn_unreachable;

/// How long a full queue of the network card is left alone, and how often.
const FULL: Duration = Duration::from_millis(1);
const FULL_TRIES: u32 = 1_000;
const NO_BUFFERS: i32 = rustix::io::Errno::NOBUFS.raw_os_error();

/// A connected socket.
pub(crate) struct Udp {
    socket: UdpSocket,
    address: SocketAddr,
    unreachable: u64,
}

impl Udp {
    pub(crate) async fn connect(address: &str) -> io::Result<Self> {
        let address = tokio::net::lookup_host(address)
            .await?
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
        let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(local).await?;
        socket.connect(address).await?;
        Ok(Self { socket, address, unreachable: 0 })
    }

    /// Hands one datagram to the kernel.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut full = 0;
        loop {
            match self.socket.send(bytes).await {
                Ok(_) => return Ok(()),
                // Tells of an earlier datagram that nobody took; this one was not sent yet.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.refused(),
                Err(error) if error.raw_os_error() == Some(NO_BUFFERS) && full < FULL_TRIES => {
                    full += 1;
                    tokio::time::sleep(FULL).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes note of a last datagram that came back.
    pub(crate) fn close(&mut self) {
        if self.socket.take_error().is_ok_and(|error| error.is_some()) {
            self.refused();
        }
    }

    /// Datagrams that came back.
    pub(crate) fn unreachable(&self) -> u64 {
        self.unreachable
    }

    fn refused(&mut self) {
        if self.unreachable == 0 {
            warn_unreachable(self.address);
        }
        self.unreachable += 1;
    }
}
