//! What a failed call means.
//!
//! etcd says by its texts what its codes leave open; its own client compares them too, so they are part of the API in all
//! but name. This is the one place that looks at them.

use rpc_core::{Code, Status, status::reason};

/// What a failed call means to whoever keeps a lease or a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Meaning {
    /// etcd does not know the lease (any more).
    Lost,
    /// The history that was asked for is gone, or is another one.
    Behind,
    /// It may work in a moment.
    Transient,
    /// Not allowed, or not known who asks.
    Denied,
    /// etcd will never do this.
    Invalid,
}

/// What a failed call means.
pub fn meaning(status: &Status) -> Meaning {
    match status.code() {
        Code::NotFound => Meaning::Lost,
        Code::OutOfRange if status.message().contains("revision") => Meaning::Behind,
        Code::PermissionDenied | Code::Unauthenticated => Meaning::Denied,
        Code::InvalidArgument if is_denial(status.message()) => Meaning::Denied,
        Code::OutOfRange | Code::InvalidArgument | Code::Unimplemented => Meaning::Invalid,
        _ => Meaning::Transient,
    }
}

/// The token that came with the call is no longer good, or none came and one was wanted.
pub(crate) fn wants_login(status: &Status) -> bool {
    match status.code() {
        Code::Unauthenticated => true,
        Code::InvalidArgument => is_of_login(status.message()),
        _ => false,
    }
}

/// The text by which etcd ended a watch says the same; a code does not come with it.
pub(crate) fn is_of_login(text: &str) -> bool {
    [
        "invalid auth token",
        "user name is empty",
        "revision of auth store is old",
    ]
    .iter()
    .any(|wanted| text.contains(wanted))
}

/// Nobody can log in, because nobody needs to.
pub(crate) fn needs_no_login(status: &Status) -> bool {
    status.code() == Code::FailedPrecondition && status.message().contains("authentication is not enabled")
}

/// The answer would be too large: for us, or for a proxy in between. etcd says by the same code that it has too much to do.
pub(crate) fn is_too_large(status: &Status) -> bool {
    status.code() == Code::ResourceExhausted
        && (status.reason() == Some(reason::MESSAGE_TOO_LARGE)
            || status.message().contains("message larger than max"))
}

pub(crate) fn behind(problem: &'static str) -> Status {
    Status::out_of_range(problem)
}

fn is_denial(text: &str) -> bool {
    text.contains("authentication failed") || is_of_login(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_etcd() {
        let of = |code, text: &'static str| meaning(&Status::new(code, text));
        assert_eq!(
            of(Code::NotFound, "etcdserver: requested lease not found"),
            Meaning::Lost
        );
        assert_eq!(
            of(
                Code::OutOfRange,
                "etcdserver: mvcc: required revision has been compacted"
            ),
            Meaning::Behind
        );
        assert_eq!(
            of(Code::OutOfRange, "etcdserver: too large lease TTL"),
            Meaning::Invalid
        );
        assert_eq!(
            of(
                Code::InvalidArgument,
                "etcdserver: authentication failed, invalid user ID or password"
            ),
            Meaning::Denied
        );
        assert_eq!(
            of(Code::Unavailable, "etcdserver: request timed out"),
            Meaning::Transient
        );
        assert_eq!(
            of(
                Code::ResourceExhausted,
                "etcdserver: mvcc: database space exceeded"
            ),
            Meaning::Transient
        );
    }
}
