//! How a UDP source comes by its socket: it binds one or adopts one, and sets it up.

use std::{io, net::SocketAddr, os::fd::AsFd};

use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use super::Outlet;
use crate::{
    config::model::UdpConfig,
    daemon::{
        inherited::{Adopted, store_name},
        kernel, notify,
    },
};

/// A socket that is ready to be received from.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) socket: UdpSocket,
    pub(super) setting: Setting,
    /// What is worth knowing of it, for people.
    pub(super) detail: String,
}

/// How a socket was set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// The kernel's number for it; `None` if its drops are not counted.
    pub(super) cookie: Option<u64>,
    /// Whether it may give trains.
    pub(super) trains: bool,
    /// What is otherwise about what was in it.
    pub(super) left: Left,
}

/// What is otherwise about the datagrams that another process left in the socket: until it is
/// empty for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Nobody had asked for stamps.
    pub(super) unstamped: bool,
    /// They may be trains, and no more are to come.
    pub(super) trains: bool,
}

/// Binds a socket, unless one is adopted, and sets it up.
///
/// # Errors
/// Why there is none, for people.
pub(super) fn open(
    config: &UdpConfig,
    adopted: Option<&Adopted>,
    outlet: &Outlet,
) -> Result<Opened, String> {
    let listen = config.listen;
    // A copy: an adopted socket cannot be had again if it cannot be set up at once.
    let adopted = adopted.map(|adopted| adopted.socket.try_clone()).transpose();
    let adopted = adopted.map_err(|error| format!("cannot use the socket: {error}"))?;
    let is_new = adopted.is_none();
    let socket = match adopted {
        Some(socket) => Socket::from(socket),
        None => bound(listen).map_err(|error| bind_failure(listen, &error))?,
    };
    let set_up = || {
        let setting = set_up(config, &socket, is_new, outlet)?;
        Ok((setting, granted_buffer(&socket)?, UdpSocket::from_std(socket.into())?))
    };
    let (setting, buffer, socket) = set_up()
        .map_err(|error: io::Error| format!("cannot set up the socket on {listen}: {error}"))?;
    let address = socket.local_addr().unwrap_or(listen);
    if buffer < config.receive_buffer {
        tracing::warn!(
            source = outlet.name(),
            "The receive buffer of {address} is {}, asked were {}: raise net.core.rmem_max, or \
             let systemd open the socket.",
            size(buffer),
            size(config.receive_buffer)
        );
    }
    let counted = match (setting.cookie, setting.trains) {
        (None, _) => ", kernel drops not counted",
        (Some(_), true) => ", kernel drops counted by trains",
        (Some(_), false) => "",
    };
    let detail = format!("{address}, receive buffer {}{counted}", size(buffer));
    Ok(Opened { socket, setting, detail })
}

/// Sets up a socket, one that `is_new` or one with the options of another process's.
fn set_up(
    config: &UdpConfig,
    socket: &Socket,
    is_new: bool,
    outlet: &Outlet,
) -> io::Result<Setting> {
    socket.set_nonblocking(true)?;
    // A socket that was there before may hold datagrams already: it is never made smaller.
    let asked = config.receive_buffer;
    if is_new || granted_buffer(socket)? < asked {
        ask_for_buffer(socket, asked)?;
    }
    let was_stamped = is_new || kernel::has_timestamps(socket.as_fd());
    if let Err(error) = kernel::enable_timestamps(socket.as_fd()) {
        tracing::warn!(
            source = outlet.name(),
            "The kernel does not stamp datagrams ({error}): the time of reading counts."
        );
    }
    // Trains that wait are trains, whatever is asked for now.
    let had_trains = kernel::has_trains(socket.as_fd());
    let trains = config.gro && trains(socket, outlet) || had_trains;
    let is_counted = kernel::socket_drops(socket.as_fd()).is_ok();
    let cookie = socket.cookie().ok().filter(|_| is_counted);
    let left = Left { unstamped: !was_stamped, trains: had_trains && !config.gro };
    Ok(Setting { cookie, trains, left })
}

/// Hands a socket to the service manager, if there is one, so that it and what is in it outlive
/// this process; whether it keeps it.
pub(super) fn keep(socket: &UdpSocket, outlet: &Outlet) -> bool {
    let kept = notify::keep(&store_name(outlet.name()), socket.as_fd());
    if let Err(error) = &kept {
        tracing::warn!(
            source = outlet.name(),
            "The service manager does not keep the socket ({error}): a crash loses what is in it."
        );
    }
    kept.is_ok() && notify::is_heard()
}

/// Has the kernel hand over trains, if it can; whether it does.
fn trains(socket: &Socket, outlet: &Outlet) -> bool {
    let enabled = kernel::set_trains(socket.as_fd(), true);
    if let Err(error) = &enabled {
        tracing::warn!(
            source = outlet.name(),
            "The kernel hands over datagrams one by one ({error}): `gro` has no effect."
        );
    }
    enabled.is_ok()
}

fn bound(listen: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, None)?;
    socket.bind(&listen.into())?;
    Ok(socket)
}

/// Asks for a receive buffer, beyond net.core.rmem_max if this process may.
fn ask_for_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    match kernel::force_receive_buffer(socket.as_fd(), bytes) {
        Ok(()) => Ok(()),
        Err(_) => SockRef::from(socket).set_recv_buffer_size(bytes),
    }
}

/// The buffer in the terms in which it is asked for: the kernel doubles that for its own overhead
/// (socket(7)) and tells the double.
fn granted_buffer(socket: &Socket) -> io::Result<usize> {
    SockRef::from(socket).recv_buffer_size().map(|bytes| bytes / 2)
}

fn bind_failure(listen: SocketAddr, error: &io::Error) -> String {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there (`ss -ulpn` names it)".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this host has that address (`ip address` lists them)".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE, or a socket unit"
                .to_owned()
        }
        _ if error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => {
            "this process may have no such socket; for a sealed service stillwell-udp.socket opens \
             it, or self-bound.conf unseals it"
                .to_owned()
        }
        _ => error.to_string(),
    };
    format!("cannot listen on {listen}: {reason}")
}

fn size(bytes: usize) -> String {
    const KIB: usize = 1_024;
    match bytes {
        _ if bytes < 10 * KIB => format!("{bytes} B"),
        _ if bytes < KIB * KIB => format!("{} KiB", bytes / KIB),
        _ => format!("{} MiB", bytes / (KIB * KIB)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        let sizes = [(2_304, "2304 B"), (425_984, "416 KiB"), (16 << 20, "16 MiB")];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
    }
}
