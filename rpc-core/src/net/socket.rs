//! What is set on a TCP socket before it is used.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Options of a TCP socket. Unix sockets have none of them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Send small segments at once (`TCP_NODELAY`). Default: true. Without it a short message waits for the
    /// acknowledgement of the one before, 40 ms and more.
    pub nodelay: bool,
    /// Probe a peer from which nothing came for so long, and then at this interval; after nine probes without an answer
    /// the connection is broken. Default: 15 s. `None` leaves it off: a peer that lost its power is then noticed only by
    /// what is sent to it.
    pub keepalive: Option<Duration>,
    /// Break the connection if what was sent is not acknowledged for so long (`TCP_USER_TIMEOUT`). Default: `None`, the
    /// system's choice, about 15 minutes. Ignored where the system is not Linux.
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
    pub(super) fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(self.nodelay)?;
        let socket = SockRef::from(stream);
        if let Some(idle) = self.keepalive {
            let keepalive = TcpKeepalive::new().with_time(idle);
            #[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
            let keepalive = keepalive.with_interval(idle).with_retries(9);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        #[cfg(target_os = "linux")]
        if self.user_timeout.is_some() {
            socket.set_tcp_user_timeout(self.user_timeout)?;
        }
        Ok(())
    }
}
