//! The connections of a link, kept over a protocol without bytes, on a clock that stands still.

mod backoff;
mod calls;
mod fallback;
mod keepalive;
mod network;
mod scaling;
mod upkeep;

use std::{sync::Arc, time::Duration};

use rpc_core::{
    Body, Call, MethodDescriptor, Shape, Status,
    transport::{Link, LinkState},
};
use tokio::task::JoinHandle;

static UNARY: MethodDescriptor = MethodDescriptor::new("/t.S/Unary", Shape::Unary);

/// Runs a part of a test that must not hang.
async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let output = tokio::time::timeout(Duration::from_hours(100), future).await;
    output.unwrap_or_else(|_| panic!("hung: {what}"))
}

/// Lets everything that can run do so.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

async fn call(link: &Arc<dyn Link>) -> Result<(), Status> {
    let mut call = Call::new((&UNARY).into(), "proto", Body::Empty);
    link.call(&mut call).await.map(drop)
}

fn spawn_call(link: &Arc<dyn Link>) -> JoinHandle<Result<(), Status>> {
    let link = Arc::clone(link);
    tokio::spawn(async move { call(&link).await })
}

async fn reaches(link: &Arc<dyn Link>, what: &str, is: impl FnMut(&LinkState) -> bool) {
    let mut state = link.state();
    let reached = within(what, state.wait_for(is)).await.is_ok();
    assert!(reached, "the link is gone before it is {what}");
}

fn is_idle(state: &LinkState) -> bool {
    matches!(state, LinkState::Idle)
}

fn is_closed(state: &LinkState) -> bool {
    matches!(state, LinkState::Closed)
}
