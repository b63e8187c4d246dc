//! The same request to the same endpoint: consistent hashing.
//!
//! What of a call is hashed says a [`HashKey`]. Two ways from a hash to an endpoint are there:
//!
//! | | [`RingHash`] | [`Maglev`] |
//! | --- | --- | --- |
//! | when an endpoint comes or goes | only its own share of the keys moves | a little more moves |
//! | shares of the endpoints | even to some 10 % | even to 1 % |
//! | to build, 1,000 endpoints | some 200,000 points to sort | 65,537 slots to fill |
//! | a pick | a look into an index, some comparisons | one look into a table |
//!
//! # Bounded load
//! A key that everybody asks for would overload its endpoint. So an endpoint whose calls in flight are above a factor times
//! the mean (1.25 by default) passes the call on to the next one in the key's own order, until one has room (Mirrokni,
//! Thorup, Zadimoghaddam: "Consistent Hashing with Bounded Loads", 2016). The mean is of this client's own calls, by
//! weight, and is worked out anew every n/8 picks: a pick never looks at all endpoints on its own account.
//!
//! # Another attempt
//! goes to another endpoint, and to the same other one each time.

mod bound;
mod key;
mod maglev;
mod ring;

pub use self::{
    bound::LoadBound,
    key::{HashKey, HashOf},
    maglev::{Maglev, MaglevConfig},
    ring::{RingHash, RingHashConfig},
};

use rpc_core::matcher::hash64 as hash;

use crate::Endpoint;

/// What an endpoint is hashed by: its instance keeps it, whatever address it moves to.
fn name(endpoint: &Endpoint) -> &str {
    endpoint.id().as_str()
}
