//! Which of two members is asked, when one of them says nothing.

use rpc_core::{CallFuture, Channel, Request, net::Address, transport::LinkState};
use tokio::{sync::watch, time::timeout};

use super::*;
use crate::api::{Lease as _, LeaseClient, LeaseRevokeRequest};

/// Answers after so long that there is no such lease.
struct Member {
    answers_after: Duration,
    address: Address,
    state: watch::Sender<LinkState>,
}

impl Link for Member {
    fn call<'a>(&'a self, _: &'a mut Call<'_>) -> CallFuture<'a> {
        CallFuture::new(async {
            tokio::time::sleep(self.answers_after).await;
            Err(Status::not_found("no such lease"))
        })
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

fn member(answers_after: Duration) -> Arc<dyn Link> {
    Arc::new(Member {
        answers_after,
        address: Address::Host("etcd".into(), 2379),
        state: watch::Sender::default(),
    })
}

/// Two members; the first one is asked first.
fn members(answer_after: [Duration; 2]) -> (Arc<Endpoints>, LeaseClient) {
    asked(Endpoints {
        links: answer_after.map(member).into(),
        current: AtomicUsize::new(0),
        timeout: TIMEOUT,
    })
}

fn asked(endpoints: Endpoints) -> (Arc<Endpoints>, LeaseClient) {
    let endpoints = Arc::new(endpoints);
    let client = LeaseClient::new(Channel::new(Arc::clone(&endpoints)));
    (endpoints, client)
}

const TIMEOUT: Duration = Duration::from_secs(5);
const FOREVER: Duration = Duration::from_hours(1);
const SOON: Duration = Duration::from_millis(50);

/// The code that is answered; `None` if the caller's patience is over before.
async fn call(client: &LeaseClient, patience: Duration) -> Option<Code> {
    let request = Request::new(LeaseRevokeRequest { id: 1 });
    let answer = timeout(patience, client.lease_revoke(request)).await;
    answer.ok().map(|answer| answer.unwrap_err().code())
}

#[tokio::test(start_paused = true)]
async fn a_silent_member_is_left_when_its_time_is_over() {
    let (_, client) = members([FOREVER, SOON]);
    assert_eq!(call(&client, FOREVER).await, Some(Code::DeadlineExceeded));
    assert_eq!(call(&client, FOREVER).await, Some(Code::NotFound));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_cannot_be_connected_to_leaves_time_for_the_others() {
    // It is connected to, and then says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = Address::from(listener.local_addr().unwrap());
    let mut config = EtcdConfig::new([silent.clone(), silent]);
    config.timeout = TIMEOUT;
    let mut endpoints = Endpoints::new(&config).unwrap();
    endpoints.links[1] = member(SOON);
    endpoints.current = AtomicUsize::new(0);
    let (_, client) = asked(endpoints);
    for _ in 0..10 {
        assert_eq!(call(&client, TIMEOUT * 3 / 4).await, Some(Code::NotFound));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_member_is_left_when_whoever_called_gives_up() {
    // A sixth of a lease: of the usual one, and of the shortest.
    for patience in [Duration::from_millis(2500), Duration::from_millis(500)] {
        let (_, client) = members([FOREVER, SOON]);
        assert_eq!(call(&client, patience).await, None);
        assert_eq!(call(&client, patience).await, Some(Code::NotFound));
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_had_no_time_to_answer_stays() {
    let (endpoints, client) = members([SOON, FOREVER]);
    assert_eq!(call(&client, SOON / 2).await, None);
    assert_eq!(endpoints.current.load(Relaxed), 0);
    assert_eq!(call(&client, TIMEOUT).await, Some(Code::NotFound));
}

#[tokio::test(start_paused = true)]
async fn a_slow_member_that_answers_stays() {
    let (endpoints, client) = members([TIMEOUT / 2, FOREVER]);
    assert_eq!(call(&client, TIMEOUT).await, Some(Code::NotFound));
    assert_eq!(endpoints.current.load(Relaxed), 0);
}

#[tokio::test]
async fn for_ever_is_a_time_limit_like_any_other() {
    // Nobody listens there.
    let mut config = EtcdConfig::new(["127.0.0.1:1".parse().unwrap()]);
    config.timeout = Duration::MAX;
    config.probe_interval = Duration::MAX;
    let etcd = crate::Etcd::new(config).unwrap();
    let answer = timeout(Duration::from_secs(30), etcd.get("a")).await;
    let status = answer.expect("it is refused at once").unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    // A watch adds this to the moment at which it last heard of etcd.
    assert!(Instant::now().checked_add(etcd.config().probe_interval).is_some());
}
