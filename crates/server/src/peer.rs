//! Who is at the other end of a connection.

use std::net::{IpAddr, Ipv4Addr};

/// How a request reached us; put into its extensions by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// This process or a Unix socket that only this user can open: shares our files.
    SameUser,
    /// A TCP connection from this address.
    Network { address: IpAddr },
}

pub(crate) fn peer_of(extensions: &http::Extensions) -> Peer {
    extensions.get::<Peer>().copied().unwrap_or(Peer::Network { address: Ipv4Addr::UNSPECIFIED.into() })
}
