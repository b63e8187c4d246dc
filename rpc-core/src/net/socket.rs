//! What is set on a TCP socket before it is used.

use std::{io, ops::RangeInclusive, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::BuildError;

/// What Linux takes of either, the least of all systems.
const KEEPALIVE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(32_767);
const USER_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24 * 24);

/// Options of a TCP socket. Unix sockets have none of them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Send small segments at once (`TCP_NODELAY`). Default: true. Without it a short message waits for the
    /// acknowledgement of the one before, 40 ms and more.
    pub nodelay: bool,
    /// Probe a peer from which nothing came for so long, and then at this interval; after nine probes without an answer
    /// the connection is broken. Default: 15 s. `None` leaves it off: a peer that lost its power is then noticed only by
    /// what is sent to it. In whole seconds, 1 s to 32,767 s; what is below a second is left out.
    pub keepalive: Option<Duration>,
    /// Break the connection if what was sent is not acknowledged for so long (`TCP_USER_TIMEOUT`). Default: `None`, the
    /// system's choice, about 15 minutes. In whole milliseconds, 1 ms to 24 days. Ignored where the system is not Linux.
    pub user_timeout: Option<Duration>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: Some(Duration::from_secs(15)),
            user_timeout: None,
        }
    }
}

impl SocketOptions {
    /// Finds what systems do not take.
    ///
    /// # Errors
    /// Names the field: `socket.keepalive`.
    pub fn check(&self) -> Result<(), BuildError> {
        let wrong = |field: &'static str, problem: &'static str| Err(BuildError::new(field, problem));
        if self.keepalive.is_some_and(|idle| !KEEPALIVE.contains(&idle)) {
            return wrong("socket.keepalive", "must be 1 s to 32,767 s, or none");
        }
        if self
            .user_timeout
            .is_some_and(|timeout| !USER_TIMEOUT.contains(&timeout))
        {
            return wrong("socket.user_timeout", "must be 1 ms to 24 days, or none");
        }
        Ok(())
    }

    /// Sets what the system takes. What it does not, on a connection that is broken already for instance, is left as it is:
    /// none of it is needed to speak.
    pub(super) fn apply(&self, stream: &TcpStream) {
        let say = |option: &str, set: io::Result<()>| {
            if let Err(error) = set {
                tracing::debug!(option, %error, "cannot set an option of a socket");
            }
        };
        say("nodelay", stream.set_nodelay(self.nodelay));
        let socket = SockRef::from(stream);
        if let Some(idle) = self.keepalive {
            let keepalive = TcpKeepalive::new().with_time(idle);
            #[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
            let keepalive = keepalive.with_interval(idle).with_retries(9);
            say("keepalive", socket.set_tcp_keepalive(&keepalive));
        }
        #[cfg(target_os = "linux")]
        if self.user_timeout.is_some() {
            say("user_timeout", socket.set_tcp_user_timeout(self.user_timeout));
        }
    }
}
