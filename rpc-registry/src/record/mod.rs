//! How instances are written down.
//!
//! [`plain`] is our own form: what files and the cache on disk hold. The forms of other frameworks stand beside it; they are
//! pure functions between bytes and instances, and [`Directory`] is their face: where the records of a service are, and how
//! they are read and written. All of them read record by record, so that a bad one hides none of the good ones, and keep
//! what they do not know.
//!
//! | layout | as written by |
//! | --- | --- |
//! | [`Layout::Kratos`] | Kratos 2, `contrib/registry/etcd` |
//! | [`Layout::GoZero`] | go-zero 1, `core/discov` |
//! | [`Layout::Grpc`] | etcd's `client/v3/naming` for grpc-go |
//! | [`Layout::GoMicro`] | go-micro 5, `registry/etcd` |
//! | [`Layout::Kitex`] | `kitex-contrib/registry-etcd` |

mod common;
mod fields;
mod go_micro;
mod go_zero;
mod grpc_naming;
mod kitex;
mod kratos;
mod layout;
pub mod plain;

#[cfg(feature = "file")]
pub(crate) use self::fields::escaped;
pub use self::layout::{Directory, Layout};
