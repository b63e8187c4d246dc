use std::{
    future::{pending, poll_fn},
    pin::pin,
    task::{Poll, Waker},
    time::Duration,
};

use tokio::{
    runtime::Runtime,
    sync::oneshot,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::*;
use crate::{Code, Result, context::Expiry};

const MS: Duration = Duration::from_millis(1);

fn taken(queue: &DeadlineQueue) -> usize {
    queue.0.shared.shards.iter().map(slots::Shard::taken).sum()
}

fn after(time: Duration) -> Deadline {
    Deadline::after(time)
}

async fn expires(queue: DeadlineQueue, time: Duration) -> Duration {
    let start = Instant::now();
    let late = queue.within(after(time), pending::<Result<()>>()).await;
    assert_eq!(late.expect_err("it never ends").code(), Code::DeadlineExceeded);
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn each_call_ends_at_its_own_deadline() {
    let queue = DeadlineQueue::new();
    let mut calls = JoinSet::new();
    // Neither rising nor falling, and some twice.
    for n in 0..500 {
        let time = (n * 7919 % 1000 / 2 + 1) * MS;
        let queue = queue.clone();
        calls.spawn(async move { (time, expires(queue, time).await) });
    }
    for (time, took) in calls.join_all().await {
        assert_eq!(time, took);
    }
    assert_eq!(taken(&queue), 0);
}

#[tokio::test(start_paused = true)]
async fn what_ends_in_time_leaves_nothing_behind() {
    let queue = DeadlineQueue::new();
    let answer = queue.within(after(10 * MS), async {
        sleep(9 * MS).await;
        Ok(7)
    });
    assert_eq!(answer.await.expect("in time"), 7);
    let given_up = timeout(MS, queue.within(after(10 * MS), pending::<Result<()>>()));
    assert!(given_up.await.is_err());
    assert_eq!(taken(&queue), 0);
    assert!(queue.within(after(MS), async { Ok(()) }).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_earlier_one_comes_first() {
    let queue = DeadlineQueue::new();
    let late = tokio::spawn(expires(queue.clone(), 10_000 * MS));
    sleep(MS).await;
    assert_eq!(expires(queue.clone(), 5 * MS).await, 5 * MS);
    assert_eq!(expires(queue.clone(), 50 * MS).await, 50 * MS);
    assert_eq!(late.await.expect("no panic"), 10_000 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passed_meanwhile_is_met_at_once() {
    let queue = DeadlineQueue::new();
    let deadline = after(MS);
    sleep(5 * MS).await;
    let start = Instant::now();
    let late = queue.within(deadline, pending::<Result<()>>()).await;
    assert!(late.is_err());
    assert!(start.elapsed() <= MS);
}

#[tokio::test(start_paused = true)]
async fn follows_its_future_to_another_task() {
    let queue = DeadlineQueue::new();
    let start = Instant::now();
    let owned = queue.clone();
    let mut call = Box::pin(async move { owned.within(after(100 * MS), pending::<Result<()>>()).await });
    // Polled here first, and then by a task that this one does not wake.
    assert!(poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await);
    let moved = tokio::spawn(call);
    assert!(moved.await.expect("no panic").is_err());
    assert_eq!(start.elapsed(), 100 * MS);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_polled_holds_up_nobody() {
    let queue = DeadlineQueue::new();
    let mut held = pin!(queue.within(after(10 * MS), pending::<Result<()>>()));
    assert!(poll_fn(|cx| Poll::Ready(held.as_mut().poll(cx).is_pending())).await);
    assert_eq!(expires(queue.clone(), 20 * MS).await, 20 * MS);
    assert_eq!(expires(queue.clone(), 20 * MS).await, 20 * MS);
    assert!(held.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_expiry_shares_the_timer() {
    let queue = DeadlineQueue::new();
    let start = Instant::now();
    let mut expiry = Expiry::queued(after(30 * MS), &queue);
    assert!(expiry.run(async { Ok(()) }).await.is_ok());
    assert!(expiry.run(pending::<Result<()>>()).await.is_err());
    assert_eq!(start.elapsed(), 30 * MS);
    drop(expiry);
    assert_eq!(taken(&queue), 0);
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_queue() {
    let queue = DeadlineQueue::new();
    expires(queue.clone(), MS).await;
    let shared = Arc::downgrade(&queue.0.shared);
    drop(queue);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(shared.strong_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_panics_outside_of_a_runtime_takes_nothing_from_those_after_it() {
    let (queue, deadline) = (DeadlineQueue::new(), after(MS));
    let outside = queue.clone();
    let polled = std::thread::spawn(move || {
        let call = pin!(outside.within(deadline, pending::<Result<()>>()));
        call.poll(&mut Poller::from_waker(Waker::noop())).is_pending()
    });
    assert!(polled.join().is_err(), "there is no runtime");
    assert_eq!(taken(&queue), 0);
    let later = timeout(1000 * MS, expires(queue.clone(), 2 * MS)).await;
    assert_eq!(later, Ok(2 * MS));
}

/// The runtime of the task ends while a call waits on another one.
#[test]
fn survives_the_runtime_that_it_began_on() {
    let queue = DeadlineQueue::new();
    let (first, second) = (
        Runtime::new().expect("a runtime"),
        Runtime::new().expect("a runtime"),
    );
    let outlived = first.block_on(async { timeout(MS, expires(queue.clone(), 60_000 * MS)).await });
    assert!(outlived.is_err());
    let (begin, waits) = oneshot::channel();
    let other = queue.clone();
    let call = second.spawn(async move {
        let mut begin = Some(begin);
        let wait = poll_fn(|_| {
            begin.take().map(|begin| begin.send(()));
            Poll::<Result<()>>::Pending
        });
        other.within(after(20 * MS), wait).await
    });
    second.block_on(waits).expect("it was polled");
    drop(first);
    let late = second.block_on(call).expect("no panic");
    assert_eq!(late.expect_err("it never ends").code(), Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn none_is_forgotten_among_many_that_come_and_go() {
    let queue = DeadlineQueue::new();
    let mut calls = JoinSet::new();
    for seed in 0..64_u64 {
        let queue = queue.clone();
        calls.spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..40 {
                let deadline = after(Duration::from_micros(random.u64(0..3000)));
                let patience = Duration::from_micros(random.u64(0..6000));
                match timeout(patience, queue.within(deadline, pending::<Result<()>>())).await {
                    Ok(late) => {
                        assert!(late.is_err());
                        assert!(deadline.has_passed(), "never early");
                    }
                    Err(_) => tokio::task::yield_now().await,
                }
                let _ = queue.within(deadline, pending::<Result<()>>()).await;
            }
        });
    }
    let all = timeout(Duration::from_mins(1), calls.join_all()).await;
    assert!(all.is_ok(), "each is told");
    assert_eq!(taken(&queue), 0);
}

/// Waits for ever, and says each time that its task will be woken by then. Nobody wakes it.
async fn says(deadline: Deadline) -> Result<()> {
    poll_fn(|_| {
        woken_by(deadline);
        Poll::Pending
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn who_is_woken_in_time_by_somebody_else_takes_no_place() {
    let queue = DeadlineQueue::new();
    for woken in [10 * MS, 3 * MS] {
        let deadline = after(10 * MS);
        let waits = queue.within(deadline, says(after(woken)));
        assert!(
            timeout(1000 * MS, waits).await.is_err(),
            "it was said that somebody wakes it"
        );
    }
    assert_eq!(taken(&queue), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_woken_too_late_is_woken_by_the_queue() {
    let (queue, start) = (DeadlineQueue::new(), Instant::now());
    let late = queue.within(after(10 * MS), says(after(11 * MS))).await;
    assert_eq!(late.expect_err("it never ends").code(), Code::DeadlineExceeded);
    assert_eq!(start.elapsed(), 10 * MS);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_holds_for_one_poll() {
    let (queue, start) = (DeadlineQueue::new(), Instant::now());
    let deadline = after(10 * MS);
    let mut woken = pin!(sleep(10 * MS));
    // As a connection does: woken at the deadline, it goes on waiting and says nothing any more.
    let waits = poll_fn(|cx| {
        if woken.as_mut().poll(cx).is_pending() {
            woken_by(deadline);
        }
        Poll::<Result<()>>::Pending
    });
    let late = timeout(1000 * MS, queue.within(deadline, waits)).await;
    assert_eq!(
        late.expect("it ends").expect_err("late").code(),
        Code::DeadlineExceeded
    );
    // The queue's task is told of a deadline that is there already; the timer rounds up.
    assert!(start.elapsed() <= 11 * MS, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_was_said_can_be_taken_back() {
    let (queue, start) = (DeadlineQueue::new(), Instant::now());
    let deadline = after(10 * MS);
    let waits = poll_fn(|_| {
        woken_by(deadline);
        forget_woken();
        Poll::<Result<()>>::Pending
    });
    let late = queue.within(deadline, waits).await;
    assert_eq!(late.expect_err("it never ends").code(), Code::DeadlineExceeded);
    assert_eq!(start.elapsed(), 10 * MS);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_inside_of_another_bound_is_not_heard_outside() {
    let (outer, inner) = (DeadlineQueue::new(), DeadlineQueue::new());
    let start = Instant::now();
    let nested = async {
        // Bounded itself, and woken in time by somebody else.
        let _ = inner.within(after(5 * MS), says(after(5 * MS))).await;
        Ok(())
    };
    let late: Result<()> = outer.within(after(10 * MS), nested).await;
    assert_eq!(late.expect_err("it never ends").code(), Code::DeadlineExceeded);
    assert_eq!(start.elapsed(), 10 * MS);

    // And what was said outside before is not forgotten.
    let deadline = after(10 * MS);
    let both = poll_fn(|cx| {
        woken_by(deadline);
        let nested = pin!(inner.within(after(5 * MS), pending::<Result<()>>()));
        assert!(nested.poll(cx).is_pending());
        Poll::<Result<()>>::Pending
    });
    assert!(timeout(1000 * MS, outer.within(deadline, both)).await.is_err());
}
