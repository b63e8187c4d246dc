//! Handlers that an executor runs, which may take its time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use h2::Reason;
use rpc_core::{BoxFuture, Code, Method, Response, Status, executor::Executor, transport::DrainPhase};
use rpc_grpc::{GrpcServer, ServerConfig};
use tower::layer::util::Identity;

use super::{
    peer::{Peer, RawPeer, frame, header_block, kind, post, raw_frame, with_header, within},
    service::{Counter, TestService},
};

#[tokio::test]
async fn an_executor_runs_the_handlers() {
    struct Counting(Counter);

    impl Executor for Counting {
        fn execute(&self, task: BoxFuture<'static, ()>) {
            self.0.add();
            tokio::spawn(task);
        }
    }

    let counter = Counter::default();
    let executor = Arc::new(Counting(counter.clone()));
    let peer = Peer::with(TestService::new(), |config| config.executor = Some(executor)).await;
    for path in ["/test.Test/Unary", "/test.Test/Download"] {
        assert_eq!(peer.call(path, "x").await.code(), 0);
    }
    assert_eq!(counter.get(), 2);
    // What is refused needs nobody to run it.
    let answer = peer
        .request(
            with_header(post("/test.Test/Unary"), "grpc-encoding", "snappy"),
            frame("x"),
        )
        .await;
    assert_eq!((answer.code(), counter.get()), (Code::Unimplemented as u32, 2));
}

/// Keeps what it is handed until it is told to run it.
#[derive(Default)]
struct Held {
    tasks: Mutex<Vec<BoxFuture<'static, ()>>>,
    taken: Counter,
}

impl Executor for Held {
    fn execute(&self, task: BoxFuture<'static, ()>) {
        self.tasks.lock().expect("no task panics").push(task);
        self.taken.add();
    }
}

impl Held {
    fn waiting(&self) -> usize {
        self.tasks.lock().expect("no task panics").len()
    }

    async fn run(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().expect("no task panics"));
        for task in tasks {
            within(task).await;
        }
    }
}

/// A service whose handlers need not wait, and how many were begun.
fn counting() -> (TestService, Arc<AtomicUsize>) {
    let begun = Arc::<AtomicUsize>::default();
    let (unary, download) = (Arc::clone(&begun), Arc::clone(&begun));
    let service = TestService::new()
        .unary(move |request| {
            unary.fetch_add(1, SeqCst);
            async move { Ok(Response::new(request.into_inner())) }
        })
        .download(move |_| {
            download.fetch_add(1, SeqCst);
            async move { Ok(Response::new(rpc_core::Streaming::empty())) }
        });
    (service, begun)
}

/// A server with that executor: without layers of HTTP, and behind one.
fn servers(held: &Arc<Held>) -> [GrpcServer; 2] {
    let mut config = ServerConfig::default();
    config.executor = Some(Arc::clone(held) as Arc<dyn Executor>);
    let server = GrpcServer::new(config);
    [server.clone(), server.with_http_layer(Identity::new())]
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_deadline_passed_while_it_waited_is_not_begun() {
    let held = Arc::<Held>::default();
    for server in servers(&held) {
        let (service, begun) = counting();
        let peer = Peer::of(&server, service).await;
        let before = held.taken.get();
        let request = with_header(post("/test.Test/Unary"), "grpc-timeout", "100m");
        let call = peer.ask(request).await;
        within(held.taken.reached(before + 1)).await;
        tokio::time::advance(Duration::from_millis(100)).await;
        held.run().await;
        let answer = call.answer().await;
        assert_eq!(answer.code(), Code::DeadlineExceeded as u32);
        assert_eq!(begun.load(SeqCst), 0);
    }
}

#[tokio::test]
async fn a_call_whose_caller_left_while_it_waited_is_not_begun() {
    let held = Arc::<Held>::default();
    for server in servers(&held) {
        let (service, begun) = counting();
        let peer = Peer::of(&server, service).await;
        let before = held.taken.get();
        let mut call = peer.ask(post("/test.Test/Unary")).await;
        within(held.taken.reached(before + 1)).await;
        call.stream.send_reset(Reason::CANCEL);
        drop(call);
        // The server has read that once it has read what follows it.
        let next = peer.ask(post("/test.Test/Unary")).await;
        within(held.taken.reached(before + 2)).await;
        held.run().await;
        assert_eq!(next.answer().await.code(), 0);
        assert_eq!(begun.load(SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waited_until_streams_end_is_not_begun() {
    let held = Arc::<Held>::default();
    for server in servers(&held) {
        let (service, begun) = counting();
        let peer = Peer::of(&server, service).await;
        let before = held.taken.get();
        let call = peer.ask(post("/test.Test/Download")).await;
        within(held.taken.reached(before + 1)).await;
        peer.drain.advance(DrainPhase::EndingStreams);
        tokio::time::sleep(Duration::from_secs(1)).await;
        held.run().await;
        let answer = call.answer().await;
        assert_eq!(answer.code(), Code::Unavailable as u32);
        let details = answer.field("grpc-status-details-bin").expect("there are some");
        let details = STANDARD_NO_PAD
            .decode(details.trim_end_matches('='))
            .expect("base64");
        let told = Status::unavailable("")
            .at_method(&Method::unknown("/test.Test/Download"))
            .with_decoded_details(&details);
        assert!(!told.was_processed(), "{told:?}");
        assert_eq!(begun.load(SeqCst), 0);
    }
}

/// To HTTP/2 a call that was reset is over, and another one may come.
#[tokio::test]
async fn calls_that_wait_and_were_given_up_do_not_pile_up() {
    let held = Arc::<Held>::default();
    let executor = Arc::clone(&held);
    let mut peer = RawPeer::new(TestService::new(), |config| {
        config.max_concurrent_streams = 10;
        config.max_pending_resets = 20;
        config.executor = Some(executor);
    })
    .await
    .settled()
    .await;
    peer.write(&raw_frame(kind::SETTINGS, 1, 0, &[])).await;
    let block = header_block(&[]);
    for n in 0..100 {
        let stream = 2 * n + 1;
        peer.write(&raw_frame(kind::HEADERS, 4, stream, &block)).await;
        peer.write(&raw_frame(kind::DATA, 1, stream, &frame("x"))).await;
        if n < 30 {
            within(held.taken.reached(n as usize + 1)).await;
            peer.write(&raw_frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]))
                .await;
        } else {
            let reset = peer.read_kind(kind::RST_STREAM).await.expect("it lives on");
            assert_eq!(
                (reset.stream, &reset.payload[..]),
                (stream, &[0, 0, 0, 7][..]),
                "REFUSED_STREAM"
            );
        }
    }
    assert_eq!(held.waiting(), 30);
    held.run().await;
    peer.write(&raw_frame(kind::HEADERS, 4, 201, &block)).await;
    peer.write(&raw_frame(kind::DATA, 1, 201, &frame("x"))).await;
    within(held.taken.reached(31)).await;
    held.run().await;
    let answer = peer.read_kind(kind::DATA).await.expect("it answers");
    assert_eq!(answer.payload, frame("x"));
}
