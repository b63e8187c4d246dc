//! All interleavings of the turns that two histograms take. The source is the crate's own; only its atomics are loom's.

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
}

#[path = "../src/endpoint/window/half.rs"]
mod half;

use loom::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use half::Half;

/// What an older turn left behind.
const OLD: u32 = 100;

#[derive(Debug)]
struct Counts {
    half: Half,
    count: AtomicU32,
    cleared: AtomicU32,
}

impl Counts {
    fn old() -> Arc<Self> {
        let counts = Self {
            half: Half::new(),
            count: AtomicU32::new(0),
            cleared: AtomicU32::new(0),
        };
        assert!(counts.half.enter(1, || ()));
        counts.count.store(OLD, Ordering::Relaxed);
        Arc::new(counts)
    }

    fn add(&self, turn: u64) -> bool {
        let entered = self.half.enter(turn, || {
            self.count.store(0, Ordering::Relaxed);
            self.cleared.fetch_add(1, Ordering::Relaxed);
        });
        if entered {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        entered
    }
}

#[test]
fn one_clears_and_nobody_sees_what_is_old() {
    loom::model(|| {
        let counts = Counts::old();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let counts = Arc::clone(&counts);
                thread::spawn(move || u32::from(counts.add(3)))
            })
            .collect();
        if counts.half.is_of(3) {
            assert!(counts.count.load(Ordering::Relaxed) <= 2);
        }
        let added: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!((1..=2).contains(&added));
        assert_eq!(counts.count.load(Ordering::Relaxed), added);
        assert_eq!(counts.cleared.load(Ordering::Relaxed), 1);
        assert!(counts.half.is_of(3));
    });
}

#[test]
fn a_late_one_does_not_turn_back() {
    loom::model(|| {
        let counts = Counts::old();
        let late = {
            let counts = Arc::clone(&counts);
            thread::spawn(move || counts.add(3))
        };
        let entered = counts.add(5);
        late.join().unwrap();
        // Who found it being cleared for the late one is not counted; the next one is.
        assert!(entered || counts.half.is_of(3));
        assert!(counts.add(5));
        assert!(counts.half.is_of(5));
        assert!(counts.count.load(Ordering::Relaxed) <= 3);
    });
}
