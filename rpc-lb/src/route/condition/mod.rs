//! Requests that a rule means go to the instances that it names.
//!
//! # What
//! A rule has a name, says which requests it means ([`Matcher`]), and what becomes of them: they go `to` some of the
//! instances ([`TargetMatcher`]), are `split` among several destinations by weight, or are denied.
//!
//! ```toml
//! [[conditions]]
//! name = "european users"
//! owner = "target"
//! when = [{ on = { baggage = "region" }, prefix = "eu-" }]
//! to = { zone = { prefix = "eu-" } }
//! force = true
//! ```
//!
//! # Whose rules
//! The callee's rules come first ([`Owner::Target`]): who offers a service says to which of its instances requests may go, by
//! region, by user. Then come the caller's own ([`Owner::Caller`]), which choose among what is left. So a caller cannot
//! choose what the callee has ruled out.
//!
//! # Which rule
//! Of each owner, rules are looked at by `priority`, the highest first, and in the order in which they stand where it is the
//! same. The first that means the request counts, and ends the search, unless it says `go_on = true`: then the next one that
//! means the request counts as well.
//!
//! # Nobody left
//! Where nobody fits, a rule with `force = true` leaves nobody, and the call fails with `NO_ENDPOINT_AFTER_ROUTER`; one without
//! is passed over, as if it was not there: the search goes on. A rule that denies always leaves nobody.
//!
//! [`Matcher`]: rpc_core::matcher::Matcher
//! [`TargetMatcher`]: super::TargetMatcher

mod document;
mod router;
mod rule;

pub(in crate::route) use self::rule::narrow_to;
pub use self::{
    router::ConditionRouter,
    rule::{ConditionRule, Owner},
};
