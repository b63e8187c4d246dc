//! All interleavings of what the calls and the task of a connection do with the slab. The source is the client's own; only its
//! atomics and locks are loom's.

#![allow(unreachable_pub, reason = "the module is written for another crate")]

mod sync {
    pub(crate) use loom::sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    };
}

#[path = "../src/client/slab.rs"]
#[allow(dead_code, reason = "not all of it is modelled")]
mod slab;

use loom::{sync::Arc, thread};

use slab::Slab;

/// What is in a slot, as far as the hand-over of an answer goes.
#[derive(Default)]
struct Waiting {
    generation: u16,
    answer: Option<u16>,
}

/// No interleavings here: the slab has to be in a model for its locks to work.
#[test]
fn each_number_has_a_slot_of_its_own() {
    const SLOTS: u32 = 20;
    loom::model(|| {
        let slab = Slab::<u32>::new(SLOTS);
        for number in 0..SLOTS {
            assert_eq!(slab.take(), Some(number));
            *slab.get(number).expect("it was taken").lock().unwrap() = number;
        }
        assert!(slab.take().is_none(), "there is a limit");
        let numbers: Vec<_> = slab.all().map(|(_, value)| *value.lock().unwrap()).collect();
        assert!(numbers.into_iter().eq(0..SLOTS));
        assert!(slab.get(u32::MAX).is_none(), "a peer may say any number");
    });
}

#[test]
fn no_slot_is_taken_twice() {
    // Two threads that do this twice have too many interleavings for all of them; three preemptions find what is known to
    // go wrong with such stacks.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let slab = Arc::new(Slab::<u32>::new(2));
        // Slots are made behind a cell of the standard library, which the model does not see: they are made before.
        for number in [slab.take(), slab.take()].into_iter().flatten() {
            slab.give_back(number);
        }
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let slab = Arc::clone(&slab);
                thread::spawn(move || {
                    for _ in 0..2 {
                        let number = slab.take().expect("there is one for each");
                        let holder = &mut *slab.get(number).expect("it was taken").lock().unwrap();
                        assert_eq!(*holder, 0, "somebody else has it");
                        *holder = 1;
                        *holder = 0;
                        slab.give_back(number);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(slab.taken(), 0);
        assert!(slab.take().is_some() && slab.take().is_some());
        assert!(slab.take().is_none(), "none was lost, and none was made twice");
    });
}

#[test]
fn a_late_answer_meets_another_generation() {
    loom::model(|| {
        let slab = Arc::new(Slab::<Waiting>::new(1));
        let first = slab.take().expect("it is free");
        let generation = slab.get(first).expect("it was taken").lock().unwrap().generation;
        let task = {
            let slab = Arc::clone(&slab);
            thread::spawn(move || {
                let mut slot = slab.get(first).expect("it was taken").lock().unwrap();
                if slot.generation == generation {
                    slot.answer = Some(generation);
                }
            })
        };
        // The call is given up, and the slot is the next one's.
        {
            let mut slot = slab.get(first).expect("it was taken").lock().unwrap();
            slot.generation += 1;
            slot.answer = None;
        }
        slab.give_back(first);
        let second = slab.take().expect("it is free again");
        task.join().unwrap();
        let slot = slab.get(second).expect("it was taken").lock().unwrap();
        assert_eq!(slot.answer, None, "that was for the call before");
    });
}

#[test]
fn an_answer_is_seen_by_who_waits() {
    loom::model(|| {
        let slab = Arc::new(Slab::<Waiting>::new(1));
        let number = slab.take().expect("it is free");
        let task = {
            let slab = Arc::clone(&slab);
            thread::spawn(move || {
                slab.get(number).expect("it was taken").lock().unwrap().answer = Some(7);
            })
        };
        let early = slab
            .get(number)
            .expect("it was taken")
            .lock()
            .unwrap()
            .answer
            .take();
        task.join().unwrap();
        let late = slab
            .get(number)
            .expect("it was taken")
            .lock()
            .unwrap()
            .answer
            .take();
        assert_eq!(early.or(late), Some(7));
        slab.give_back(number);
        assert_eq!(slab.taken(), 0);
    });
}

#[test]
fn no_call_is_sent_over_a_connection_that_has_just_ended() {
    loom::model(|| {
        let slab = Arc::new(Slab::<()>::new(1));
        // Slots are made behind a cell of the standard library, see above.
        slab.give_back(slab.take().expect("it is free"));
        let refuses = Arc::new(loom::sync::Mutex::new(false));
        let call = {
            let (slab, refuses) = (Arc::clone(&slab), Arc::clone(&refuses));
            thread::spawn(move || {
                slab.take().expect("it is free");
                !*refuses.lock().unwrap()
            })
        };
        // The task, where the connection takes no calls any more, and nobody was refused yet.
        let is_over = slab.is_unused_once(|| *refuses.lock().unwrap() = true);
        let is_sent = call.join().unwrap();
        assert!(!(is_over && is_sent), "it would be lost");
    });
}

#[test]
fn no_call_is_sent_that_is_not_told_of_a_goaway() {
    loom::model(|| {
        let slab = Arc::new(Slab::<Waiting>::new(1));
        // Slots are made behind a cell of the standard library, see above.
        slab.give_back(slab.take().expect("it is free"));
        let refuses = Arc::new(loom::sync::Mutex::new(false));
        let call = {
            let (slab, refuses) = (Arc::clone(&slab), Arc::clone(&refuses));
            thread::spawn(move || {
                let number = slab.take().expect("it is free");
                let refuses = refuses.lock().unwrap();
                if !*refuses {
                    slab.get(number).expect("it was taken").lock().unwrap().generation = 1;
                }
                (number, !*refuses)
            })
        };
        // The task, where nobody was refused yet.
        for (_, slot) in slab.all_once(|| *refuses.lock().unwrap() = true) {
            let mut slot = slot.lock().unwrap();
            if slot.generation == 1 {
                slot.answer = Some(1);
            }
        }
        let (number, is_sent) = call.join().unwrap();
        let answer = slab.get(number).expect("it was taken").lock().unwrap().answer;
        assert!(answer.is_some() || !is_sent, "it would wait for ever");
    });
}
