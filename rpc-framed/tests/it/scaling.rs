//! The server's bound of calls: more connections while it is reached, and turns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context as Poller, Waker},
};

use rpc_core::Response;
use tokio::sync::Notify;

use super::{
    peer::{begin, call, connected},
    service::{Counter, TestService},
    support::{echo, pair_with, within},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_hold_all_of_a_connection_leave_room_on_another() {
    let (held, release) = (Counter::default(), Arc::new(Notify::new()));
    let service = {
        let (held, release) = (held.clone(), Arc::clone(&release));
        TestService::new().unary(move |request| {
            let (held, release) = (held.clone(), Arc::clone(&release));
            async move {
                let message = request.into_inner();
                if message == "stays" {
                    let released = release.notified();
                    held.add();
                    released.await;
                }
                Ok(Response::new(message))
            }
        })
    };
    let pair = pair_with(
        service,
        |server| server.max_concurrent_calls = 4,
        |client| client.link.connections = 1..=3,
    )
    .await;
    let stay: Vec<_> = (0..4)
        .map(|_| {
            let channel = pair.channel.clone();
            tokio::spawn(async move { echo(&channel, "stays").await })
        })
        .collect();
    within(held.reached(4)).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let (channel, answered) = (pair.channel.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                for _ in 0..50 {
                    assert_eq!(echo(&channel, "x").await.expect("no call fails"), "x");
                    answered.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    for call in calls {
        within(call).await.unwrap();
    }
    assert_eq!(answered.load(SeqCst), 2000);
    assert!(stay.iter().all(|call| !call.is_finished()));
    release.notify_waiters();
    for call in stay {
        assert_eq!(within(call).await.unwrap().unwrap(), "stays");
    }
}

#[tokio::test]
async fn a_caller_that_goes_on_calling_leaves_others_their_turn() {
    let pair = pair_with(
        TestService::new(),
        |server| server.max_concurrent_calls = 1,
        |_| (),
    )
    .await;
    echo(&pair.channel, "x").await.expect("it connects");
    let channel = pair.channel.clone();
    let busy = async {
        for _ in 0..1000 {
            echo(&pair.channel, "x").await.expect("it is answered");
        }
    };
    let other = tokio::spawn(async move { echo(&channel, "y").await });
    busy.await;
    assert!(other.is_finished(), "it had no turn");
    assert_eq!(other.await.unwrap().expect("it is answered"), "y");
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_handed_to_a_call_which_is_given_up_goes_to_the_next() {
    let (link, mut server) = connected(1 << 16, 1, |_| {}).await;
    let (mut first, mut second, mut third) = (call(1), call(1), call(1));
    let mut first = Box::pin(link.call(&mut first));
    let request = begin(first.as_mut(), &mut server).await;
    let mut second = Box::pin(link.call(&mut second));
    let mut third = Box::pin(link.call(&mut third));
    for waits in [&mut second, &mut third] {
        let polled = waits.as_mut().poll(&mut Poller::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    server.answer(&request).await;
    within(first).await.expect("it is answered");
    drop(second);
    let (reply, ()) = tokio::join!(within(third), async {
        let request = server.next_request().await;
        server.answer(&request).await;
    });
    reply.expect("it is answered");
}
