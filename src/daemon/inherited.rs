//! Sockets that the service manager has opened for the sources.
//!
//! A sealed service cannot open ports: systemd opens them and passes them on. A socket belongs to
//! the UDP source whose `listen` is its address. The order of the descriptors is not stable across
//! restarts and their names are for people, so neither is looked at.

use std::{
    fmt,
    net::{SocketAddr, UdpSocket},
    os::fd::OwnedFd,
};

use socket2::{SockRef, Type};
use tracing::{info, warn};

use super::kernel;
use crate::config::{InputConfig, InputKind};

/// Datagram sockets that no source has taken yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<Inheritance>,
}

#[derive(Debug)]
struct Inheritance {
    name: String,
    address: SocketAddr,
    socket: UdpSocket,
}

impl Inherited {
    /// Takes every descriptor that the service manager passed and nothing else has taken.
    ///
    /// One that is no UDP socket is closed, with a warning.
    #[must_use]
    pub fn take() -> Self {
        match kernel::inherited(|_| true) {
            Ok(fds) => Self::of(fds),
            Err(error) => {
                warn!(%error, "The service manager's sockets are left alone.");
                Self::default()
            }
        }
    }

    fn of(fds: Vec<(String, OwnedFd)>) -> Self {
        let mut sockets = Vec::new();
        for (name, fd) in fds {
            match udp(fd) {
                Ok((address, socket)) => sockets.push(Inheritance { name, address, socket }),
                Err(why) => warn!(name, "A descriptor of the service manager is of no use: {why}."),
            }
        }
        Self { sockets }
    }

    /// The socket that is bound where this input listens.
    pub fn for_input(&mut self, input: &InputConfig) -> Option<UdpSocket> {
        let InputKind::Udp(udp) = &input.kind else { return None };
        let at = self.sockets.iter().position(|found| found.address == udp.listen)?;
        let Inheritance { name, address, socket } = self.sockets.swap_remove(at);
        info!(
            source = &*input.name,
            name, "The source receives from the service manager's socket {address}."
        );
        Some(socket)
    }

    /// Closes what no source wants, and says so: what is sent there would pile up unread.
    pub fn close_rest(self) {
        for rest in self.sockets {
            warn!(
                "no source listens on {rest}, which the service manager has opened: remove it \
                 from the socket unit, or give a source that `listen`"
            );
        }
    }
}

impl fmt::Display for Inheritance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "udp {} ({})", self.address, self.name)
    }
}

fn udp(fd: OwnedFd) -> Result<(SocketAddr, UdpSocket), String> {
    let kind = SockRef::from(&fd).r#type().map_err(|error| error.to_string())?;
    if kind != Type::DGRAM {
        return Err("not a datagram socket".to_owned());
    }
    let socket = UdpSocket::from(fd);
    let address = socket.local_addr().map_err(|error| error.to_string())?;
    Ok((address, socket))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, net::TcpListener, os::unix::net::UnixDatagram, path::Path};

    use super::*;
    use crate::config::Config;

    fn bound() -> (SocketAddr, (String, OwnedFd)) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("bound");
        (address, ("udp".to_owned(), socket.into()))
    }

    /// Inputs that listen on these addresses.
    fn inputs(listen: &[SocketAddr]) -> Vec<InputConfig> {
        let source = |(n, at): (usize, &SocketAddr)| {
            format!("[[source]]\nname='s{n}'\nkind='udp'\nformat='text'\nlisten='{at}'\n")
        };
        let text: String = listen.iter().enumerate().map(source).collect();
        let loader = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        Config::parse(&text, Path::new("c.toml"), &loader).expect("valid").config.inputs
    }

    #[test]
    fn a_socket_goes_to_the_source_that_listens_on_its_address_once() {
        let (first, first_fd) = bound();
        let (second, second_fd) = bound();
        let (other, _closed) = bound();
        let mut inherited = Inherited::of(vec![first_fd, second_fd]);
        let [for_second, for_other, for_first] = &inputs(&[second, other, first])[..] else {
            panic!("three inputs")
        };
        let address = |socket: Option<UdpSocket>| socket.map(|s| s.local_addr().expect("bound"));
        assert_eq!(address(inherited.for_input(for_second)), Some(second));
        assert_eq!(address(inherited.for_input(for_second)), None, "given away");
        assert_eq!(address(inherited.for_input(for_other)), None);
        assert_eq!(address(inherited.for_input(for_first)), Some(first));
        assert!(inherited.sockets.is_empty());
    }

    #[test]
    fn what_is_no_udp_socket_is_refused() {
        let stream = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let local = UnixDatagram::unbound().expect("a socket");
        let file = File::open("/dev/null").expect("opens");
        for fd in [OwnedFd::from(stream), OwnedFd::from(local), OwnedFd::from(file)] {
            udp(fd).expect_err("not UDP");
        }
    }
}
