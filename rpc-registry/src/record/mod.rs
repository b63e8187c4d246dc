//! How instances are written down.
//!
//! [`plain`] is our own form: what files and the cache on disk hold. The forms of other frameworks are adapters' affair and
//! stand beside it. All of them read record by record, so that a bad one hides none of the good ones.

pub mod plain;
