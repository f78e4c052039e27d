//! Connections to a bus that is a socket of this host: the agent may make no such socket, and on a root install be let in to none.

use bus::connect::BusAddress;
use config::bus_access::BusAccess;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect as connect_to, socket,
};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Where it is, if it is one.
pub(super) fn of(access: &BusAccess) -> Option<PathBuf> {
    let address = BusAddress {
        url: access.url.clone(),
        ..BusAddress::default()
    };
    address.socket()
}

/// A connection. One that cannot be had at once is refused: a server that stands still would hold the launcher.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let made = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    connect_to(made.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(UnixStream::from(made))
}
