//! Futures of calls that a transport keeps in a table of its own.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use rpc_core::{Awaited, Body, CallFuture, Reply, Result};

/// Answers all calls once it is told to, and remembers which were given up.
#[derive(Default)]
struct Table {
    answers: AtomicBool,
    waker: Mutex<Option<Waker>>,
    given_up: Mutex<Vec<u64>>,
}

impl Awaited for Table {
    fn poll_reply(&self, _: u64, cx: &mut Context<'_>) -> Poll<Result<Reply>> {
        if self.answers.load(Ordering::SeqCst) {
            return Poll::Ready(Ok(Reply::new(Body::Empty)));
        }
        *self.waker.lock().expect("no panic") = Some(cx.waker().clone());
        Poll::Pending
    }

    fn give_up(&self, key: u64) {
        self.given_up.lock().expect("no panic").push(key);
    }
}

#[tokio::test]
async fn a_reply_is_waited_for() {
    let table = Arc::new(Table::default());
    let call = tokio::spawn(CallFuture::awaited(Arc::clone(&table) as _, 7));
    tokio::task::yield_now().await;
    table.answers.store(true, Ordering::SeqCst);
    let waker = table.waker.lock().expect("no panic").take();
    waker.expect("it was polled").wake();
    call.await.expect("no panic").expect("it is answered");
    assert!(table.given_up.lock().expect("no panic").is_empty());
}

#[test]
fn a_call_that_nobody_waits_for_is_given_up_once() {
    let table = Arc::new(Table::default());
    drop(CallFuture::awaited(Arc::clone(&table) as _, 7));
    assert_eq!(*table.given_up.lock().expect("no panic"), [7]);
}
