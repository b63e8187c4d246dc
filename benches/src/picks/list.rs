//! Endpoints with a history, and nothing behind them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rpc::{
    Call, CallFuture, Instance, Method, MethodDescriptor, Shape, Status,
    lb::{
        Balancer, Endpoint, PickRequest, Picker,
        endpoint::{InFlight, Reported},
    },
    message::{Body, Encoded},
    net::Address,
    status::Verdict,
    transport::{Link, LinkState},
};
use tokio::{sync::watch, time::Instant};

static METHOD: MethodDescriptor = MethodDescriptor::new("/test.Service/Method", Shape::Unary);

/// A call of which nothing matters.
pub(super) fn call() -> Call<'static> {
    let body = Body::Encoded(Encoded { bytes: Bytes::new() });
    Call::new(Method::from(&METHOD), "json", body)
}

/// So many endpoints, and the picker that was made for them.
pub(super) struct List {
    endpoints: Vec<Arc<Endpoint>>,
    picker: Box<dyn Picker>,
    /// Calls under way.
    _held: Vec<InFlight<Arc<Endpoint>>>,
}

impl List {
    pub(super) fn new(balancer: &dyn Balancer, count: usize) -> Self {
        let now = Instant::now();
        // Long ago, however long the making takes: estimates that have faded cost the same among few and many.
        let now = now.checked_sub(Duration::from_mins(1)).unwrap_or(now);
        let mut random = fastrand::Rng::with_seed(7);
        let mut endpoints = Vec::with_capacity(count);
        let mut held = Vec::new();
        for n in 0..count {
            // As different as machines are: three sizes.
            let weight = [100, 100, 200][n % 3];
            let instance = Instance::new(n.to_string()).with_weight(weight);
            let endpoint = Arc::new(Endpoint::new(Arc::new(instance), Arc::new(Nowhere::new(n)), now));
            for _ in 0..3 {
                let started = now + Duration::from_millis(n as u64 % 50);
                let took = Duration::from_micros(random.u64(500..5000));
                InFlight::begin(&*endpoint, Some(started)).end(Verdict::Healthy, || started + took);
            }
            let mut reported = Reported::default();
            (reported.cpu, reported.rps) = (random.f32() * 0.8 + 0.1, 100.0);
            endpoint.stats().set_reported(reported, now);
            for _ in 0..random.usize(0..3) {
                held.push(InFlight::begin(Arc::clone(&endpoint), None));
            }
            endpoints.push(endpoint);
        }
        // Memory is not in the order of the list, in a process that has lived for a while.
        random.shuffle(&mut endpoints);
        let picker = balancer.picker(&endpoints);
        picker.refresh(&endpoints, now + Duration::from_secs(1));
        Self {
            endpoints,
            picker,
            _held: held,
        }
    }

    #[inline]
    pub(super) fn choose(&self, call: &Call<'_>) -> Arc<Endpoint> {
        let request = PickRequest::new(call, &self.endpoints, Instant::now());
        let picked = self.picker.pick(&request);
        Arc::clone(&self.endpoints[picked % self.endpoints.len()])
    }
}

/// A link that nobody calls.
struct Nowhere {
    address: Address,
    state: watch::Sender<LinkState>,
}

impl Nowhere {
    fn new(n: usize) -> Self {
        let address = format!("10.{}.{}.{}:1", n >> 16, (n >> 8) & 255, n & 255);
        Self {
            address: address.parse().expect("an address"),
            state: watch::Sender::new(LinkState::Ready),
        }
    }
}

impl Link for Nowhere {
    fn call<'a>(&'a self, _: &'a mut Call<'_>) -> CallFuture<'a> {
        CallFuture::ready(Err(Status::unimplemented("nobody calls")))
    }

    fn address(&self) -> &Address {
        &self.address
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn connect(&self) {}

    fn close(&self) {}
}
