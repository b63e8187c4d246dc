//! More connections while the server's bound of calls is reached.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use rpc_core::Response;
use tokio::sync::Notify;

use super::{
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
