//! Users' layers, at both places.

use std::{
    sync::{Arc, Mutex},
    task::{Context as Poller, Poll},
};

use rpc::{BoxError, BoxFuture, CallFuture, OwnedCall, Reply, net::Address, prelude::*, transport};
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

use super::support::{Echo, EchoClient, EchoServer, Named, local};

type Log = Arc<Mutex<Vec<String>>>;

/// Notes when a call passes, and when its answer does.
#[derive(Clone)]
struct Note<S> {
    inner: S,
    name: &'static str,
    log: Log,
}

fn note<S>(name: &'static str, log: &Log) -> impl Layer<S, Service = Note<S>> + Clone + use<S> {
    let log = Arc::clone(log);
    layer_fn(move |inner| Note {
        inner,
        name,
        log: Arc::clone(&log),
    })
}

impl<S> Service<OwnedCall> for Note<S>
where
    S: Service<OwnedCall, Response = Reply>,
    S::Error: 'static,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Reply, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut call: OwnedCall) -> Self::Future {
        let (name, log) = (self.name, Arc::clone(&self.log));
        let deadline = if call.context.deadline().is_some() {
            "deadline"
        } else {
            "none"
        };
        log.lock().unwrap().push(format!("{name} in, {deadline}"));
        call.metadata.append("x-passed", name).expect("the key is legal");
        let answer: BoxFuture<'static, Result<Reply, S::Error>> = Box::pin(self.inner.call(call));
        Box::pin(async move {
            let result = answer.await;
            log.lock().unwrap().push(format!("{name} out"));
            result
        })
    }
}

#[tokio::test]
async fn the_first_is_the_outermost_and_all_know_the_deadline() {
    let log = Log::default();
    let client = local("a")
        .attempt_layer(note("attempt 1", &log))
        .layer(note("call 1", &log))
        .layer(note("call 2", &log))
        .attempt_layer(note("attempt 2", &log))
        .build()
        .unwrap();
    let echo = EchoClient::new(&client);
    assert_eq!(
        echo.header(Request::new("x-passed".to_owned()))
            .await
            .unwrap()
            .as_deref(),
        Some("call 1")
    );
    let expected = [
        "call 1 in, deadline",
        "call 2 in, deadline",
        "attempt 1 in, deadline",
        "attempt 2 in, deadline",
        "attempt 2 out",
        "attempt 1 out",
        "call 2 out",
        "call 1 out",
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}

/// Refuses calls without passing them on.
#[derive(Clone)]
struct Refuse;

impl Service<OwnedCall> for Refuse {
    type Response = Reply;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Reply, BoxError>>;

    fn poll_ready(&mut self, _: &mut Poller<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: OwnedCall) -> Self::Future {
        std::future::ready(Err(Status::permission_denied("not today")
            .with_reason("CLOSED")
            .into()))
    }
}

#[tokio::test]
async fn a_layer_may_answer_itself() {
    let client = local("a").layer(layer_fn(|_| Refuse)).build().unwrap();
    let status = EchoClient::new(&client).name().await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::PermissionDenied, Some("CLOSED"))
    );
}

#[tokio::test]
async fn streams_pass_layers() {
    let log = Log::default();
    let client = local("a")
        .layer(note("call", &log))
        .attempt_layer(note("attempt", &log))
        .build()
        .unwrap();
    let echo = EchoClient::new(&client);
    assert_eq!(echo.sum(Streaming::from_iter(1..=10)).await.unwrap(), 55);
    let mut numbers = echo.count(2).await.unwrap();
    assert_eq!(numbers.message().await.unwrap(), Some(1));
    assert_eq!(numbers.message().await.unwrap(), Some(2));
    assert_eq!(numbers.message().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_for_a_stream_that_a_layer_passed_on() {
    let log = Log::default();
    let client = local("a").layer(note("call", &log)).build().unwrap();
    let options = rpc::CallOptions::new().with_timeout(std::time::Duration::from_millis(25));
    let mut numbers = EchoClient::new(&client)
        .with_options(options)
        .drip(10)
        .await
        .unwrap();
    assert_eq!(numbers.message().await.unwrap(), Some(0));
    assert_eq!(numbers.message().await.unwrap(), Some(1));
    assert_eq!(
        numbers.message().await.unwrap_err().code(),
        Code::DeadlineExceeded
    );
}

#[tokio::test]
async fn a_call_that_went_elsewhere_is_one_attempt() {
    /// Two servers in this process; the first one refuses.
    struct Two(rpc::server::Dispatch);
    impl transport::Transport for Two {
        fn protocol(&self) -> &'static str {
            "local"
        }

        fn link(&self, address: &Address) -> Arc<dyn transport::Link> {
            let inner = transport::LocalTransport::new(self.0.clone()).link(address);
            Arc::new(MayRefuse {
                inner,
                refuses: address.to_string() == "first:1",
            })
        }
    }
    struct MayRefuse {
        inner: Arc<dyn transport::Link>,
        refuses: bool,
    }
    impl transport::Link for MayRefuse {
        fn call<'a>(&'a self, call: &'a mut rpc::Call<'_>) -> CallFuture<'a> {
            if self.refuses {
                return CallFuture::ready(Err(Status::unavailable("stopping").not_processed()));
            }
            self.inner.call(call)
        }

        fn address(&self) -> &Address {
            self.inner.address()
        }

        fn state(&self) -> tokio::sync::watch::Receiver<transport::LinkState> {
            self.inner.state()
        }

        fn connect(&self) {
            self.inner.connect();
        }

        fn close(&self) {
            self.inner.close();
        }
    }
    let server = Server::builder()
        .add_service(EchoServer::new(Named("a".to_owned())))
        .build()
        .unwrap();
    let log = Log::default();
    let client = Client::builder()
        .target("static://first:1,second:2")
        .transport(Two(server.dispatch()))
        .attempt_layer(note("attempt", &log))
        .build()
        .unwrap();
    let echo = EchoClient::new(&client);
    for _ in 0..4 {
        let mut request = Request::new("x-tenant".to_owned());
        request.metadata_mut().insert("x-tenant", "acme").unwrap();
        assert_eq!(echo.header(request).await.unwrap().as_deref(), Some("acme"));
    }
    assert_eq!(log.lock().unwrap().len(), 8, "one way in and one way out each");
}
