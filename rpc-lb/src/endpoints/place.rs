//! By what an instance is called, and where.

use rpc_core::{net::Address, transport::Transport};
use rpc_registry::Instance;

use crate::Near;

/// Why an instance is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// It has no address for a protocol of ours.
    Protocol,
    /// TLS is spoken at all that it has, and not by us.
    Secure,
}

/// In this process, else by the best protocol that it lists, else by the usual one where it says nothing. A record that says at
/// which of its addresses TLS is spoken is taken at its word: clients with TLS call these, and others the rest.
pub(super) fn place(
    instance: &Instance,
    transport: &dyn Transport,
    near: &Near,
) -> Result<(&'static str, Address), Foreign> {
    let (usual, protocols) = (transport.protocol(), transport.protocols());
    if let Some(address) = near.local(instance) {
        return Ok((usual, address));
    }
    let is_ours = |spoken: &str| spoken == usual || protocols.contains(&spoken);
    let secure = instance
        .addresses
        .iter()
        .filter(|at| at.over_tls().is_some_and(is_ours));
    let secure: Vec<_> = secure.map(|at| &at.address).collect();
    let is_usable = |address: &Address| match transport.is_secure() {
        Some(true) => secure.is_empty() || secure.contains(&address),
        Some(false) => !secure.contains(&address),
        None => true,
    };
    let is_listed = |protocol: &&'static str| {
        let mut usable = instance.addresses.iter().filter(|at| is_usable(&at.address));
        usable.any(|at| at.protocol.as_deref() == Some(*protocol) || at.over_tls() == Some(*protocol))
    };
    let best = protocols.iter().copied().find(is_listed);
    let protocol = best.unwrap_or(usual);
    match near.address(instance, protocol, is_usable) {
        Some(address) => Ok((protocol, address)),
        None if transport.is_secure() == Some(false) && !secure.is_empty() => Err(Foreign::Secure),
        None => Err(Foreign::Protocol),
    }
}
