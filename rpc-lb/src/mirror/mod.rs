//! Copies of calls for a version that is not trusted yet: it sees real traffic, and nobody sees its answers.
//!
//! # What
//! A rule says which calls it means, how many of them are copied, and where the copies go: to instances of the same target that
//! other calls need not reach, or to another target. The first rule that means a call counts.
//!
//! ```toml
//! [[mirror.rules]]
//! name = "checkout v2"
//! when = [{ on = "service", equals = "shop.v1.Checkout" }]
//! percent = 5
//! to = { version = "v2" }
//! ```
//!
//! # What a copy is
//! - It has the metadata of the call, and in addition [`MIRROR_KEY`] with the rule's name: what has effects of its own can leave
//!   them out. It has the context of the call, lane and trace included.
//! - Its message is encoded once for it, so that no message has to be `Clone`.
//! - It runs beside the call, which does not wait for it, nor end it. It ends by the call's deadline or the rule's timeout,
//!   whichever is earlier, and with the client.
//! - Its answer and its failure are thrown away, and counted nowhere but in [`MirrorCounts`]: no budget, no breaker, no
//!   statistics of endpoints.
//!
//! # What is not copied
//! Streams, in either direction. Further attempts of a call that was copied. Calls whose message is larger than
//! [`MirrorConfig::max_bytes`], and those that come while [`MirrorConfig::max_in_flight`] copies are under way.
//!
//! # Among the instances of the same target
//! The copy passes all routers, but is narrowed to the rule's instances first; where there are none, it fails and nobody
//! notices. Keeping *other* calls from these instances is a matter of lanes, tags or conditions.
//!
//! # Position
//! Once per attempt, below injected faults and above the choice of an endpoint.
//!
//! # Cost
//! Without rules none; with rules, a call that none of them means is compared with them. A copy costs a task and its message
//! encoded once more.

mod layer;
mod policy;
mod router;
mod service;
mod state;

pub use self::{
    layer::{MirrorLayer, MirrorTargets},
    policy::{MirrorConfig, MirrorRule, MirrorTo},
    router::MirrorRouter,
    service::Mirror,
    state::MirrorCounts,
};

/// The metadata key by which a callee can tell a copy: the value is the rule's name, without what metadata cannot hold.
pub const MIRROR_KEY: &str = "x-mirror";
