//! What of a request matters to a router.

use std::sync::Arc;

use rpc_core::context::Lane;
use smallvec::SmallVec;

/// What of a request matters to a router.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RouteKey {
    /// Nothing. Requests of which this is true for all routers take the shortest way.
    #[default]
    Plain,
    /// A number that the router understands: that of a rule, say.
    Number(u64),
    /// Several of them: those of all rules that a request meets.
    Numbers(SmallVec<[u32; 4]>),
    /// A lane.
    Lane(Lane),
    /// A text, [of those that the endpoints have](super::Population::find), and a number that the router understands.
    Text(Arc<str>, u64),
}
