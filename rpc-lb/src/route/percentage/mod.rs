//! Shares of the requests go to several versions: canary releases, A/B tests.
//!
//! # What
//! A rule splits the requests that it means among destinations by weight. The first rule that means a request counts.
//!
//! ```toml
//! [[percentages]]
//! name = "checkout canary"
//! when = [{ on = "service", equals = "shop.v1.Checkout" }]
//! by = { metadata = "x-user" }
//! split = [
//!     { weight = 5, to = { version = "v2" } },
//!     { weight = 95, to = { version = "v1" } },
//! ]
//! ```
//!
//! # Sticky
//! Requests with the same value of `by` go to the same destination, from whichever client, since the hash of the value
//! decides. Without `by`, and for a request without the value, a number of the request's own does: attempts that are made
//! again stay where they were. A rule's name is a part of the hash, so that two rules choose differently.
//!
//! # Nobody left
//! Where the destination has no endpoint, the request may go to all that the routers before have left: the version whose
//! instances are gone has its share taken over. With `force = true` it fails instead, with `NO_ENDPOINT_AFTER_ROUTER`.
//!
//! # Why not a condition
//! A [condition](super::condition) can split as well. This router comes after all conditions and routers of the user's own:
//! its shares are of what these left.

mod document;
mod router;

pub use self::router::{PercentageRouter, PercentageRule};
