//! Hooks: their order, what they are told, and who refuses.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use rpc_core::{
    Body, Call, Channel, Code, Metadata, Reply, Response, Result, Stage, Status,
    server::Dispatch,
    stage::{Hook, HooksLayer, Outcome},
    status::Side,
    transport::LocalTransport,
};
use tower_layer::Layer;

use crate::support::{Numbers, ONE, one, router};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what it is told, and refuses calls that say its name.
struct Scribe {
    name: &'static str,
    log: Log,
}

impl Scribe {
    fn write(&self, what: &str) {
        self.log
            .lock()
            .expect("no panic")
            .push(format!("{} {what}", self.name));
    }
}

impl Hook for Scribe {
    fn before(&self, call: &mut Call<'_>) -> Result<()> {
        if call.metadata.get("x-refuse") == Some(self.name) {
            self.write("refuses");
            return Err(Status::permission_denied("refused"));
        }
        self.write("before");
        Ok(())
    }

    fn after(&self, _: &mut Call<'_>, outcome: Outcome<'_>) {
        match outcome {
            Outcome::Replied(reply) => {
                reply.metadata.append("x-seen", self.name).expect("legal");
                self.write("replied");
            }
            Outcome::Failed(status) => self.write(&format!("failed {}", status.code())),
            other => self.write(&format!("{other:?}")),
        }
    }
}

fn hooks(log: &Log) -> Vec<Box<dyn Hook>> {
    let hook = |name| -> Box<dyn Hook> {
        Box::new(Scribe {
            name,
            log: Arc::clone(log),
        })
    };
    vec![hook("a"), hook("b"), hook("c")]
}

fn entries(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().expect("no panic"))
}

/// Answers, fails or waits for ever, as its call says.
struct Obedient;

impl Stage for Obedient {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        match call.metadata.get("x-do") {
            Some("fail") => Err(Status::aborted("as told")),
            Some("wait") => std::future::pending().await,
            _ => Ok(Reply::new(Body::Empty)),
        }
    }
}

fn call(metadata: &[(&str, &str)]) -> Call<'static> {
    let mut call = Call::new(ONE.method(), "json", Body::Empty);
    for (key, value) in metadata {
        call.metadata.insert(key, value).expect("legal");
    }
    call
}

fn seen(metadata: &Metadata) -> Vec<&str> {
    metadata
        .get_all("x-seen")
        .filter_map(|value| value.as_str())
        .collect()
}

#[tokio::test]
async fn they_run_inwards_and_then_outwards() -> Result<()> {
    let log = Log::default();
    let stage = HooksLayer::new(hooks(&log)).layer(Obedient);
    let reply = stage.call(&mut call(&[])).await?;
    assert_eq!(seen(&reply.metadata), ["c", "b", "a"]);
    assert_eq!(
        entries(&log),
        [
            "a before",
            "b before",
            "c before",
            "c replied",
            "b replied",
            "a replied"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_failure_is_told_on_the_way_out() {
    let log = Log::default();
    let stage = HooksLayer::new(hooks(&log)).layer(Obedient);
    let status = stage.call(&mut call(&[("x-do", "fail")])).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(
        entries(&log)[3..],
        ["c failed ABORTED", "b failed ABORTED", "a failed ABORTED"]
    );
}

#[tokio::test]
async fn who_refuses_is_not_asked_afterwards() {
    let log = Log::default();
    let stage = HooksLayer::new(hooks(&log)).layer(Obedient);
    let status = stage.call(&mut call(&[("x-refuse", "b")])).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(
        entries(&log),
        ["a before", "b refuses", "a failed PERMISSION_DENIED"]
    );
}

#[tokio::test]
async fn a_call_that_is_dropped_is_told_as_given_up() {
    let log = Log::default();
    let stage = HooksLayer::new(hooks(&log)).layer(Obedient);
    let mut call = call(&[("x-do", "wait")]);
    {
        let mut answer = pin!(stage.call(&mut call));
        assert!(poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await);
        assert_eq!(entries(&log).len(), 3);
    }
    assert_eq!(entries(&log), ["c GivenUp", "b GivenUp", "a GivenUp"]);
}

#[tokio::test]
async fn a_dispatch_has_them_in_front_of_everything() -> Result<()> {
    let log = Log::default();
    let dispatch = Dispatch::new(router(Numbers::new().on_one(|request| async move {
        assert!(request.into_inner() > 0, "zero");
        Ok(Response::new(1))
    })))
    .with_hooks(hooks(&log));
    let channel = Channel::new(LocalTransport::new(dispatch));
    assert_eq!(one(&channel, 1).await?, 1);
    assert_eq!(entries(&log).len(), 6);

    let status = one(&channel, 0).await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::Internal,
        "a panic of the handler is a failure like others"
    );
    assert_eq!(
        entries(&log)[3..],
        ["c failed INTERNAL", "b failed INTERNAL", "a failed INTERNAL"]
    );
    Ok(())
}

#[tokio::test]
async fn a_hook_that_panics_fails_the_call() {
    struct Panics;
    impl Hook for Panics {
        fn before(&self, _: &mut Call<'_>) -> Result<()> {
            panic!("a hook of the user's")
        }
    }
    let log = Log::default();
    let mut hooks = hooks(&log);
    hooks.insert(1, Box::new(Panics));
    let dispatch = Dispatch::new(router(Numbers::new())).with_hooks(hooks);
    let status = one(&Channel::new(LocalTransport::new(dispatch)), 1)
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), status.place().side()),
        (Code::Internal, Some(Side::Server))
    );
    assert_eq!(entries(&log), ["a before", "a GivenUp"]);
}

#[tokio::test]
async fn a_hook_that_panics_afterwards_is_not_told_again() {
    struct Panics(Log);
    impl Hook for Panics {
        fn after(&self, _: &mut Call<'_>, _: Outcome<'_>) {
            self.0.lock().expect("no panic").push("told".to_owned());
            panic!("a hook of the user's")
        }
    }
    let log = Log::default();
    let mut hooks = hooks(&log);
    hooks.insert(1, Box::new(Panics(Arc::clone(&log))));
    let dispatch = Dispatch::new(router(Numbers::new())).with_hooks(hooks);
    let status = one(&Channel::new(LocalTransport::new(dispatch)), 1)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let told = entries(&log);
    let outwards = ["c replied", "b replied", "told", "a GivenUp"];
    assert_eq!(told[3..], outwards, "{told:?}");
}
