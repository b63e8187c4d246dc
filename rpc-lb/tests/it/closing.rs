//! The end of a channel.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Poller, Poll, Wake, Waker},
    time::Duration,
};

use rpc_core::{Code, Status, status::reason, transport::LinkState};
use rpc_lb::Snapshot;
use tokio::{
    runtime::{Handle, Runtime},
    time::timeout,
};

use crate::fleet::{FakeTransport, Fleet, address, instance, settle};

#[tokio::test(start_paused = true)]
async fn a_closed_channel_takes_no_call() {
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    fleet.endpoints.close().await;
    for wait in [false, true] {
        let status = timeout(Duration::from_secs(1), fleet.call_waiting(wait))
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Unavailable, Some(reason::CHANNEL_CLOSED))
        );
        assert!(!status.was_processed() && !status.is_retryable());
    }
    assert_eq!(fleet.transport.of(&address(0)).closes.load(Ordering::Relaxed), 1);
    fleet.endpoints.close().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_was_never_used_closes_too() {
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.endpoints.close().await;
    assert_eq!(
        fleet.call().await.unwrap_err().reason(),
        Some(reason::CHANNEL_CLOSED)
    );
    assert_eq!(fleet.transport.made(), 0);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_the_links_and_frees_who_waits() {
    let (fleet, _registrations) = Fleet::over(FakeTransport::by_hand()).with(2).await;
    let fleet = Arc::new(fleet);
    let waiting = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.call_waiting(true).await.map(drop) }
    });
    fleet.until(|snapshot| snapshot.counts().connecting == 2).await;
    let mut closing = std::pin::pin!(fleet.endpoints.close());
    assert!(timeout(Duration::from_secs(1), &mut closing).await.is_err());
    assert_eq!(
        waiting.await.unwrap().unwrap_err().reason(),
        Some(reason::CHANNEL_CLOSED)
    );
    fleet.transport.of(&address(0)).set(LinkState::Closed);
    assert!(timeout(Duration::from_secs(1), &mut closing).await.is_err());
    fleet.transport.of(&address(1)).set(LinkState::Closed);
    timeout(Duration::from_secs(1), closing).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_link_that_went_is_kept_until_it_is_closed() {
    let (fleet, mut registrations) = Fleet::over(FakeTransport::by_hand()).with(2).await;
    fleet.until(|snapshot| snapshot.counts().connecting == 2).await;
    let link = fleet.transport.of(&address(0));
    link.set(LinkState::Ready);
    fleet.until_ready(1).await;
    // What the test and its transport hold.
    let ours = 2;
    registrations.remove(0).withdraw().await.unwrap();
    fleet.until_ready(0).await;
    assert_eq!(link.closes.load(Ordering::Relaxed), 1);
    assert!(Arc::strong_count(&link) > ours, "streams may still run on it");
    link.set(LinkState::Closed);
    settle().await;
    assert_eq!(Arc::strong_count(&link), ours);
}

#[test]
fn dropping_needs_no_runtime_and_ends_the_task() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let (fleet, registrations) = runtime.block_on(async {
        let (fleet, registrations) = Fleet::new().with(1).await;
        fleet.until_ready(1).await;
        (fleet, registrations)
    });
    let link = fleet.transport.of(&address(0));
    let Fleet {
        transport,
        endpoints,
        pick,
        ..
    } = fleet;
    drop((endpoints, pick, registrations));
    runtime.block_on(settle());
    drop(transport);
    assert_eq!(Arc::strong_count(&link), 1, "nobody else keeps the link");
}

#[test]
fn another_runtime_takes_over() {
    let fleet = {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (fleet, registrations) = Fleet::new().with(1).await;
            Box::leak(Box::new(registrations));
            fleet.until_ready(1).await;
            fleet
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        timeout(Duration::from_secs(30), fleet.call())
            .await
            .unwrap()
            .unwrap();
    });
    assert_eq!(
        fleet.transport.made(),
        2,
        "the connections of a runtime end with it"
    );
}

type Waiting = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

/// Something that waits, and is polled at once by whoever wakes it, in a runtime of its own: as by another thread that is fast.
struct AtOnce {
    /// None once it is done.
    waiting: Mutex<Option<Waiting>>,
    runtime: Handle,
    wakes: AtomicUsize,
}

impl AtOnce {
    fn new(
        runtime: &Runtime,
        waiting: impl Future<Output = Result<(), Status>> + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(Some(Box::pin(waiting))),
            runtime: runtime.handle().clone(),
            wakes: AtomicUsize::new(0),
        })
    }

    fn poll(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut waiting = self.waiting.lock().unwrap();
        if let Some(future) = &mut *waiting
            && let Poll::Ready(result) = future.as_mut().poll(&mut Poller::from_waker(&waker))
        {
            result.unwrap();
            *waiting = None;
        }
    }
}

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        let _in_it = self.runtime.enter();
        self.poll();
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

/// Ends a runtime in which endpoints without an instance are kept, while something waits.
fn end_under(runtime: Runtime, fleet: &Fleet, waiting: &Arc<AtOnce>) {
    runtime.block_on(async {
        fleet.until(Snapshot::is_listed).await;
        waiting.poll();
        settle().await;
    });
    assert_eq!(waiting.wakes.load(Ordering::Relaxed), 0);
    drop(runtime);
    assert_eq!(waiting.wakes.load(Ordering::Relaxed), 1, "it was told");
}

#[test]
fn a_call_that_waits_takes_over_at_once_when_a_runtime_ends() {
    let (first, second) = (runtime(), runtime());
    let fleet = Arc::new(Fleet::new());
    let waiting = AtOnce::new(&second, {
        let fleet = Arc::clone(&fleet);
        async move { fleet.call_waiting(true).await.map(drop) }
    });
    end_under(first, &fleet, &waiting);
    let call = waiting.waiting.lock().unwrap().take().unwrap();
    second.block_on(async {
        let announced = async {
            settle().await;
            let _registration = fleet.announce(&instance(0)).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = timeout(Duration::from_secs(30), call) => answer.unwrap().unwrap(),
            () = announced => {}
        }
    });
}

#[test]
fn closing_at_the_moment_when_a_runtime_ends_waits_for_nobody() {
    let (first, second) = (runtime(), runtime());
    let fleet = Arc::new(Fleet::new());
    let waiting = AtOnce::new(&second, {
        let fleet = Arc::clone(&fleet);
        async move {
            let mut polls = 0;
            let mut call = Box::pin(fleet.call_waiting(true));
            std::future::poll_fn(|cx| {
                polls += 1;
                match polls {
                    1 => call.as_mut().poll(cx).map(drop),
                    _ => Poll::Ready(()),
                }
            })
            .await;
            drop(call);
            fleet.endpoints.close().await;
            Ok(())
        }
    });
    end_under(first, &fleet, &waiting);
    assert!(waiting.waiting.lock().unwrap().is_none(), "it is closed");
    let status = second.block_on(fleet.call()).unwrap_err();
    assert_eq!(status.reason(), Some(reason::CHANNEL_CLOSED));
}
