//! That memory is used again, and that futures are dropped where and when they should be.

use std::{
    future::{pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};

use super::CallFuture;
use crate::{Body, Code, Reply, Status};

/// What a future keeps across its rest: as much as the type is large, and something that counts its drops.
async fn resting<const N: usize>(drops: CountDrops) -> Result<Reply, Status> {
    let large = [7_u8; N];
    pending::<()>().await;
    drop(drops);
    Err(Status::internal(format!(
        "{}",
        large.iter().map(|byte| u32::from(*byte)).sum::<u32>()
    )))
}

#[derive(Clone, Default)]
struct CountDrops(Arc<AtomicUsize>);

impl Drop for CountDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll(future: &mut CallFuture<'_>) -> Poll<Result<Reply, Status>> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn start(future: &CallFuture<'_>) -> usize {
    future.0.start()
}

#[test]
fn it_answers() {
    let text = String::from("borrowed");
    let borrowed = &text;
    let mut future = CallFuture::made(|| async move { Err(Status::not_found(borrowed.clone())) });
    let Poll::Ready(Err(status)) = poll(&mut future) else {
        panic!("it waits for nothing");
    };
    assert_eq!((status.code(), status.message()), (Code::NotFound, "borrowed"));
    let mut ready = CallFuture::ready(Ok(Reply::new(Body::Empty)));
    assert!(matches!(poll(&mut ready), Poll::Ready(Ok(_))));
}

#[test]
fn memory_is_used_again() {
    let first = CallFuture::made(|| resting::<600>(CountDrops::default()));
    let second = CallFuture::made(|| resting::<600>(CountDrops::default()));
    let places = [start(&first), start(&second)];
    assert_ne!(places[0], places[1]);
    drop(first);
    drop(second);
    // The one that came back last is taken first: it is the one that the CPU has at hand.
    let third = CallFuture::made(|| resting::<610>(CountDrops::default()));
    let fourth = CallFuture::made(|| resting::<590>(CountDrops::default()));
    assert_eq!([start(&fourth), start(&third)], places);
}

#[test]
fn sizes_do_not_share_memory() {
    let small = CallFuture::made(|| resting::<100>(CountDrops::default()));
    let place = start(&small);
    drop(small);
    let large = CallFuture::made(|| resting::<1000>(CountDrops::default()));
    assert_ne!(start(&large), place);
}

#[test]
fn each_future_is_dropped_once() {
    let drops = CountDrops::default();
    let count = || drops.0.load(Ordering::Relaxed);
    // Never polled, polled, of no known size of room, and none at all.
    drop(CallFuture::made(|| resting::<64>(drops.clone())));
    assert_eq!(count(), 1);
    let mut polled = CallFuture::made(|| resting::<3000>(drops.clone()));
    assert!(poll(&mut polled).is_pending());
    drop(polled);
    assert_eq!(count(), 2);
    let mut huge = CallFuture::made(|| resting::<10_000>(drops.clone()));
    assert!(poll(&mut huge).is_pending());
    drop(huge);
    assert_eq!(count(), 3);
    drop(CallFuture::made(pending));
    assert_eq!(count(), 3);
}

/// As aligned as vectors of numbers are.
#[repr(align(64))]
struct Aligned(u8);

#[test]
fn alignment_is_kept() {
    let made = || {
        CallFuture::made(|| async {
            let aligned = Aligned(1);
            pending::<()>().await;
            Err(Status::internal(aligned.0.to_string()))
        })
    };
    let futures: Vec<_> = (0..8).map(|_| made()).collect();
    assert!(futures.iter().all(|future| start(future).is_multiple_of(64)));
    drop(futures);
    assert!(start(&made()).is_multiple_of(64));
}

#[test]
fn a_panic_while_it_is_made_or_dropped_costs_nothing_else() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    async fn bomb(bomb: Bomb) -> Result<Reply, Status> {
        pending::<()>().await;
        drop(bomb);
        Err(Status::internal("never"))
    }
    let dropped = CallFuture::made(|| bomb(Bomb));
    let place = start(&dropped);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(dropped))).is_err());
    let unmade = catch_unwind(|| {
        drop(CallFuture::made(|| {
            if place > 0 { panic!("made") } else { bomb(Bomb) }
        }));
    });
    assert!(unmade.is_err());
    // The room came back both times.
    let next = CallFuture::made(|| async {
        let held = [0_u8; 8];
        ready(()).await;
        Err(Status::internal(format!("{held:?}")))
    });
    assert_eq!(start(&next), place);
}

#[test]
fn a_thread_keeps_no_more_than_its_bound() {
    // In a thread of its own, whose lists are empty.
    let places = thread::spawn(|| {
        let many: Vec<_> = (0..1000)
            .map(|_| CallFuture::made(|| resting::<1000>(CountDrops::default())))
            .collect();
        drop(many);
        super::memory::kept_bytes()
    });
    let kept = places.join().expect("it does not panic");
    assert!(kept > 64 * 1024 && kept <= 128 * 1024, "{kept}");
}

#[test]
fn futures_go_from_thread_to_thread() {
    let drops = CountDrops::default();
    let futures: Vec<_> = (0..300)
        .map(|_| CallFuture::made(|| resting::<1000>(drops.clone())))
        .collect();
    let receivers = thread::spawn(move || {
        for mut future in futures {
            assert!(poll(&mut future).is_pending());
            drop(future);
            // Taken here, of what came from there.
            drop(CallFuture::made(|| resting::<1000>(CountDrops::default())));
        }
    });
    receivers.join().expect("it does not panic");
    assert_eq!(drops.0.load(Ordering::Relaxed), 300);
}

#[test]
fn a_thread_that_ends_may_still_drop_futures() {
    thread_local! {
        static LAST: std::cell::RefCell<Option<CallFuture<'static>>> = const { std::cell::RefCell::new(None) };
    }
    let drops = CountDrops::default();
    let counted = drops.clone();
    let thread = thread::spawn(move || {
        // Its destructor is registered first, and so runs after that of the memory.
        LAST.with(|last| *last.borrow_mut() = None);
        drop(CallFuture::made(|| resting::<1000>(CountDrops::default())));
        LAST.with(|last| *last.borrow_mut() = Some(CallFuture::made(|| resting::<1000>(counted))));
    });
    thread.join().expect("it does not panic");
    assert_eq!(drops.0.load(Ordering::Relaxed), 1);
}
