//! Which endpoint is asked.
//!
//! One at a time, until it fails: etcd's members answer alike, and a client that spreads its calls over them gains nothing
//! but a connection to each. The first one is drawn, so that many clients do not all begin with the same member.
//!
//! Connecting has an equal part of [`EtcdConfig::timeout`] at each member: what has no connection was certainly not begun and
//! goes to the next member, so that one whose host is gone costs a call that draws it a part of its time and not all of it.
//!
//! Whoever calls may have less patience than [`EtcdConfig::timeout`], as a renewal has for a short lease, and gives the call
//! up. What was silent by then is left as well: else each attempt would go to the same stopped member until the lease is over.

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rpc_core::{
    Body, Call, Code, Reply, Result, Stage, Status,
    net::Dialer,
    transport::{Link, Transport as _},
};
use rpc_grpc::{ClientConfig, GrpcTransport};
use tokio::time::{Instant, timeout_at};

use crate::EtcdConfig;

/// A page of a list, or a batch of changes, fits into this, or is asked for in smaller pieces.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// However many members there are, connecting to one has so long, if the timeout is not shorter.
const SHORTEST_CONNECT: Duration = Duration::from_millis(500);

pub(crate) struct Endpoints {
    links: Vec<Arc<dyn Link>>,
    /// The one that is asked.
    current: AtomicUsize,
    timeout: Duration,
}

impl Endpoints {
    pub(crate) fn new(config: &EtcdConfig) -> Result<Self, rpc_core::BuildError> {
        let dialer = Dialer::new();
        #[cfg(feature = "tls")]
        let dialer = match &config.tls {
            Some(tls) => dialer.with_tls(tls.clone()),
            None => dialer,
        };
        let transport = GrpcTransport::with_dialer(grpc(config), dialer)?;
        let links: Vec<_> = config
            .endpoints
            .iter()
            .map(|endpoint| transport.link(endpoint))
            .collect();
        Ok(Self {
            current: AtomicUsize::new(fastrand::usize(..links.len())),
            links,
            timeout: config.timeout,
        })
    }

    /// So long without an answer is silence, when a call is given up. A part of the timeout, and long enough that calls which
    /// are given up for other reasons leave nobody.
    fn silence(&self) -> Duration {
        self.timeout / 20
    }

    /// Asks another one from now on, unless somebody has seen to that already.
    fn leave(&self, index: usize) {
        let next = (index + 1) % self.links.len();
        let _ = self.current.compare_exchange(index, next, Relaxed, Relaxed);
    }
}

/// An attempt that is not answered yet. Dropped after a silence, it leaves the endpoint.
struct Unanswered<'a> {
    endpoints: &'a Endpoints,
    index: usize,
    since: Instant,
    answered: bool,
}

impl<'a> Unanswered<'a> {
    fn by(endpoints: &'a Endpoints, index: usize) -> Self {
        Self {
            endpoints,
            index,
            since: Instant::now(),
            answered: false,
        }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.answered && self.since.elapsed() >= self.endpoints.silence() {
            self.endpoints.leave(self.index);
        }
    }
}

impl Stage for Endpoints {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        let deadline = Instant::now() + self.timeout;
        let mut left = self.links.len();
        loop {
            let index = self.current.load(Relaxed);
            let link = &self.links[index];
            let mut unanswered = Unanswered::by(self, index);
            let answered = timeout_at(deadline, link.call(call)).await;
            unanswered.answered = true;
            let Ok(result) = answered else {
                self.leave(index);
                let text = format!("etcd at {} does not answer", link.address());
                return Err(Status::deadline_exceeded(text));
            };
            let Err(status) = result else { return result };
            // Also what a member says that has no leader: another one may have.
            if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) {
                self.leave(index);
            }
            left -= 1;
            let may_go_on = !status.was_processed() && !matches!(call.body, Body::Empty);
            if left == 0 || !may_go_on {
                return Err(status);
            }
        }
    }
}

fn grpc(config: &EtcdConfig) -> ClientConfig {
    let mut grpc = ClientConfig::default();
    grpc.max_message_bytes = MAX_MESSAGE_BYTES;
    let members = u32::try_from(config.endpoints.len()).unwrap_or(u32::MAX);
    let share = config.timeout / members.max(1);
    grpc.link.connect_timeout = share.max(SHORTEST_CONNECT).min(config.timeout);
    // Short: whoever calls pauses longer and longer by itself, and a call that finds the link waiting fails at once.
    grpc.link.backoff.base = Duration::from_millis(100);
    grpc.link.backoff.max = Duration::from_secs(1);
    // etcd takes a ping each 5 s while there are streams.
    grpc.link.keepalive.interval = Some(Duration::from_secs(10));
    grpc.link.keepalive.timeout = config.timeout;
    grpc
}
