//! UDP sockets that were there before the daemon: opened by the service manager, or by a daemon
//! before this one and kept by the service manager since (its file descriptor store).
//!
//! What was sent while no daemon lived waits in them. A sealed service gets its ports in the first
//! way, from a socket unit, since it cannot open any; one that binds its ports itself gets them
//! back in the second, under the name `udp-<source>`.
//!
//! A socket belongs to the UDP source whose `listen` is its address. The order of descriptors is
//! not stable across restarts, and what a socket unit calls them is for people; but where addresses
//! do not decide, a name does, if the port agrees: [`Inherited::for_input`].

use std::{
    net::{SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    sync::Arc,
};

use socket2::{SockRef, Type};
use tracing::{info, warn};

use super::{kernel, notify};
use crate::config::{InputConfig, InputKind};

/// A socket for a source, and whose it is.
#[derive(Debug)]
pub struct Adopted {
    /// The socket.
    pub socket: UdpSocket,
    /// Who keeps it when this process ends.
    pub keeper: Keeper,
}

/// Who keeps a socket when the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// A socket unit.
    Unit,
    /// The service manager's store, under the name of the source.
    Store,
    /// Nobody yet.
    Nobody,
}

/// The name under which the service manager's store keeps the socket of a source: no colon, no
/// control character, and as short as names of descriptors must be.
#[must_use]
pub fn store_name(source: &str) -> String {
    format!("{STORE_PREFIX}{source}")
}

const STORE_PREFIX: &str = "udp-";

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

/// Why a socket is that of a source; the best reason is the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Name,
    Address,
    Both,
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

    /// Sockets of sources that have ended, by the names of these: the next may have them.
    #[must_use]
    pub fn left(sockets: Vec<(Arc<str>, Adopted)>) -> Self {
        let left = |(source, Adopted { socket, keeper }): (Arc<str>, Adopted)| {
            let name = match keeper {
                Keeper::Unit => source.to_string(),
                Keeper::Store | Keeper::Nobody => store_name(&source),
            };
            Some(Inheritance { name, address: socket.local_addr().ok()?, socket })
        };
        Self { sockets: sockets.into_iter().filter_map(left).collect() }
    }

    /// The socket of this input: the one that is bound where it listens, under whatever name; else
    /// one that is called as it and has its port.
    pub fn for_input(&mut self, input: &InputConfig) -> Option<Adopted> {
        let InputKind::Udp(udp) = &input.kind else { return None };
        let fits = self.sockets.iter().enumerate().filter_map(|(at, found)| {
            found.fit(&input.name, udp.listen).map(|fit| (fit, std::cmp::Reverse(at)))
        });
        let (_, std::cmp::Reverse(at)) = fits.max()?;
        let Inheritance { name, address, socket } = self.sockets.remove(at);
        info!(
            source = &*input.name,
            name, "The source receives from the service manager's socket {address}."
        );
        let keeper = self.keeper(&name, &input.name);
        Some(Adopted { socket, keeper })
    }

    /// Who keeps a socket of this name that `source` takes.
    fn keeper(&self, name: &str, source: &str) -> Keeper {
        if !name.starts_with(STORE_PREFIX) {
            return Keeper::Unit;
        }
        let is_alone = self.sockets.iter().all(|other| other.name != name);
        if is_alone && name == store_name(source) {
            return Keeper::Store;
        }
        // Kept for a source that had another name, or under one that must be given up with
        // another socket: the source hands it over again.
        forget(name);
        Keeper::Nobody
    }

    /// Closes what no source wants, and says so: what is sent there would pile up unread.
    pub fn close_rest(self) {
        for Inheritance { name, address, .. } in self.sockets {
            if name.starts_with(STORE_PREFIX) {
                info!(name, "The socket {address} is closed: no source listens on it any more.");
                forget(&name);
            } else {
                warn!(
                    "no source listens on udp {address} ({name}), which the service manager has \
                     opened: remove it from the socket unit, or give a source that `listen`"
                );
            }
        }
    }
}

impl Inheritance {
    fn fit(&self, source: &str, listen: SocketAddr) -> Option<Fit> {
        let same_port = listen.port() == 0 || listen.port() == self.address.port();
        let is_named = match self.name.strip_prefix(STORE_PREFIX) {
            Some(kept_for) => kept_for == source && self.address.ip() == listen.ip(),
            // `[::]` of a socket unit is `0.0.0.0` too.
            None => self.name == source,
        };
        match (is_named && same_port, self.address == listen) {
            (true, true) => Some(Fit::Both),
            (false, true) => Some(Fit::Address),
            (true, false) => Some(Fit::Name),
            (false, false) => None,
        }
    }
}

fn forget(name: &str) {
    if let Err(error) = notify::forget(name) {
        warn!(name, %error, "The service manager cannot be told to close a socket.");
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
    use crate::{config::Config, limits::SOURCE_NAME_BYTES_MAX};

    /// A socket on a free port of this address, under a name.
    fn bound_to(ip: &str, name: &str) -> (SocketAddr, (String, OwnedFd)) {
        let socket = UdpSocket::bind((ip, 0)).expect("a free port");
        let address = socket.local_addr().expect("bound");
        (address, (name.to_owned(), socket.into()))
    }

    fn bound(name: &str) -> (SocketAddr, (String, OwnedFd)) {
        bound_to("127.0.0.1", name)
    }

    /// Inputs `s0`, `s1` and so on that listen on these addresses.
    fn inputs(listen: &[SocketAddr]) -> Vec<InputConfig> {
        let source = |(n, at): (usize, &SocketAddr)| {
            format!("[[source]]\nname='s{n}'\nkind='udp'\nformat='text'\nlisten='{at}'\n")
        };
        let text: String = listen.iter().enumerate().map(source).collect();
        let loader = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        Config::parse(&text, Path::new("c.toml"), &loader).expect("valid").config.inputs
    }

    /// What the input gets: where it is bound, and who keeps it.
    fn given(inherited: &mut Inherited, input: &InputConfig) -> Option<(SocketAddr, Keeper)> {
        let Adopted { socket, keeper } = inherited.for_input(input)?;
        Some((socket.local_addr().expect("bound"), keeper))
    }

    #[test]
    fn a_socket_goes_to_the_source_that_listens_on_its_address_once() {
        let (first, first_fd) = bound("udp");
        let (second, second_fd) = bound("udp");
        let (other, _closed) = bound("udp");
        let mut inherited = Inherited::of(vec![first_fd, second_fd]);
        let [for_second, for_other, for_first] = &inputs(&[second, other, first])[..] else {
            panic!("three inputs")
        };
        assert_eq!(given(&mut inherited, for_second), Some((second, Keeper::Unit)));
        assert_eq!(given(&mut inherited, for_second), None, "given away");
        assert_eq!(given(&mut inherited, for_other), None);
        assert_eq!(given(&mut inherited, for_first), Some((first, Keeper::Unit)));
        assert!(inherited.sockets.is_empty());
    }

    #[test]
    fn a_name_decides_where_addresses_do_not() {
        // As `ListenDatagram=7420` binds, for a source with `listen = "0.0.0.0:7420"`.
        let (wide, wide_fd) = bound_to("0.0.0.0", "s0");
        let (near, near_fd) = bound("s1");
        let at = |ip: &str, port| format!("{ip}:{port}").parse().expect("an address");
        let listen = [at("127.0.0.7", wide.port()), at("127.0.0.1", near.port() ^ 1)];
        let inputs = inputs(&listen);
        let mut inherited = Inherited::of(vec![wide_fd, near_fd]);
        assert_eq!(given(&mut inherited, &inputs[0]), Some((wide, Keeper::Unit)));
        assert_eq!(given(&mut inherited, &inputs[1]), None, "another port is another address");
    }

    #[test]
    fn a_kept_socket_comes_back_to_its_source_where_that_listens_on_it_still() {
        let (first, first_fd) = bound("udp-s0");
        let (_, second_fd) = bound("udp-s1");
        let (third, third_fd) = bound("udp-s2");
        // A port that the kernel chose is kept; an address that is configured otherwise is not.
        let elsewhere = "127.0.0.2:0".parse().expect("an address");
        let any_port = SocketAddr::new(third.ip(), 0);
        let inputs = inputs(&[first, elsewhere, any_port]);
        let mut inherited = Inherited::of(vec![third_fd, second_fd, first_fd]);
        let kept = |at| Some((at, Keeper::Store));
        assert_eq!(given(&mut inherited, &inputs[0]), kept(first));
        assert_eq!(given(&mut inherited, &inputs[1]), None);
        assert_eq!(given(&mut inherited, &inputs[2]), kept(third));
        assert_eq!(inherited.sockets.len(), 1);
    }

    #[test]
    fn a_source_that_is_called_otherwise_now_keeps_its_socket_under_the_new_name() {
        let (at, fd) = bound("udp-before");
        let mut inherited = Inherited::of(vec![fd]);
        assert_eq!(given(&mut inherited, &inputs(&[at])[0]), Some((at, Keeper::Nobody)));
    }

    #[test]
    fn of_two_sockets_under_one_name_the_one_that_is_taken_is_handed_over_again() {
        let (_, other_fd) = bound("udp-s0");
        let (at, fd) = bound("udp-s0");
        let mut inherited = Inherited::of(vec![other_fd, fd]);
        assert_eq!(given(&mut inherited, &inputs(&[at])[0]), Some((at, Keeper::Nobody)));
    }

    #[test]
    fn names_in_the_store_are_what_they_may_be() {
        let name = store_name(&"a".repeat(SOURCE_NAME_BYTES_MAX));
        assert!(name.len() <= 255 && name.bytes().all(|c| c.is_ascii_graphic() && c != b':'));
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
