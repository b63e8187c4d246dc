//! Requests with a tag go to instances with that tag.
//!
//! # What
//! The tag router of Dubbo. An instance has a tag by its record, or gets it by a rule that says which instances have it; a
//! rule for a tag replaces what records say of that tag. A request has its tag in its metadata.
//!
//! | request | goes to |
//! | --- | --- |
//! | with a tag that instances have | those |
//! | with a tag, and nobody has it | the untagged instances |
//! | the same, but forced | nobody |
//! | without a tag | the untagged instances |
//!
//! A request without a tag never gets to a tagged instance, be that by record or by rule.
//!
//! # Forced
//! By [`TagConfig::force`] for tags that a rule knows, or by the request itself, for its own, with the value `true` of its
//! metadata key [`TagConfig::force_key`].
//!
//! # Nobody left
//! As above: a forced tag that nobody has, and a request without a tag where all instances are tagged. The call fails with
//! `NO_ENDPOINT_AFTER_ROUTER`.

mod config;
mod router;

pub use self::{
    config::{TagConfig, TagRule},
    router::TagRouter,
};
