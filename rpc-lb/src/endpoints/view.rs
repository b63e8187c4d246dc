//! What a client makes of each endpoint, for people and checks.

use std::{fmt, sync::Arc, time::Duration};

use rpc_core::{Status, net::Address, transport::LinkState};
use rpc_registry::{Instance, InstanceState};
use tokio::time::Instant;

use super::Endpoints;
use crate::{Endpoint, health::Sickness};

/// One endpoint at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EndpointView {
    /// The instance's record.
    pub instance: Arc<Instance>,
    /// Where it is called.
    pub address: Address,
    /// What its connection can do.
    pub state: EndpointState,
    /// The registry does not list it any more.
    pub is_suspect: bool,
    /// Why it gets no calls, though it could be called.
    pub sickness: Option<Sickness>,
    /// Its share of the calls, relative to the others': the weight of its record, less while it is young or not quite well.
    pub weight: f32,
    /// Calls under way there, of this client.
    pub in_flight: u32,
    /// The latency estimate; `None` before the first answer that was timed.
    pub latency: Option<Duration>,
    /// The share of calls that ended well, lately: 0 to 1.
    pub success: f32,
    /// Failures one after the other.
    pub consecutive_failures: u32,
    /// How long this client has known it.
    pub known_for: Duration,
}

/// What can be done with an endpoint.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EndpointState {
    /// Connected.
    Ready,
    /// No connection, and none wanted.
    Idle,
    /// A connection is being made.
    Connecting,
    /// The last attempt to connect failed.
    Failing(Status),
    /// Its instance drains, or is disabled: it gets no calls.
    Off(InstanceState),
}

impl Endpoints {
    /// All endpoints, as this client sees them now. Put together anew each time: for people and checks.
    pub fn view(&self) -> Vec<EndpointView> {
        let snapshot = self.snapshot();
        let now = Instant::now();
        let members = snapshot.members.iter().map(|member| {
            let state = match member.is_ready {
                true => EndpointState::Ready,
                false if member.is_connecting => EndpointState::Connecting,
                false => EndpointState::Idle,
            };
            EndpointView {
                is_suspect: member.is_suspect,
                sickness: member.sickness,
                ..EndpointView::new(&member.endpoint, state, now)
            }
        });
        let absent = snapshot.absent.iter().map(|absent| {
            let state = match (absent.endpoint.instance().state, &absent.state) {
                (InstanceState::Up, LinkState::Failing(status)) => EndpointState::Failing(status.clone()),
                (InstanceState::Up, _) => EndpointState::Idle,
                (off, _) => EndpointState::Off(off),
            };
            EndpointView::new(&absent.endpoint, state, now)
        });
        members.chain(absent).collect()
    }
}

impl EndpointView {
    fn new(endpoint: &Endpoint, state: EndpointState, now: Instant) -> Self {
        let learnt = endpoint.stats();
        Self {
            instance: endpoint.instance(),
            address: endpoint.address().clone(),
            state,
            is_suspect: false,
            sickness: None,
            weight: learnt.weight(),
            in_flight: learnt.in_flight(),
            latency: learnt
                .latency(now)
                .and_then(|nanos| Duration::try_from_secs_f32(nanos * 1e-9).ok()),
            success: learnt.success(),
            consecutive_failures: learnt.consecutive_failures(),
            known_for: now.saturating_duration_since(learnt.first_seen()),
        }
    }
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Idle => f.write_str("idle"),
            Self::Connecting => f.write_str("connecting"),
            Self::Failing(_) => f.write_str("failing"),
            Self::Off(state) => state.fmt(f),
        }
    }
}
