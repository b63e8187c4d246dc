//! What of a request matters to a router.

use rpc_core::context::Lane;

/// What of a request matters to a router.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RouteKey {
    /// Nothing. Requests of which this is true for all routers take the shortest way.
    #[default]
    Plain,
    /// A number that the router understands: that of a rule, say.
    Number(u64),
    /// A lane.
    Lane(Lane),
}
