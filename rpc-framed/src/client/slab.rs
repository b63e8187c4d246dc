//! Slots for the calls of a connection, by number.
//!
//! A call takes a slot and gives it back; the connection's task looks slots up by the numbers that the peer sends. Taking,
//! giving back and looking up take no lock: the free slots are a stack in one atomic word, tagged against the exchange of a
//! number that was taken and given back in between, and slots never move once they are made. The same word counts the slots
//! that are taken, so that either costs one exchange.
//!
//! What is in a slot has a lock of its own, which its call and the task share.

use std::sync::OnceLock;

use super::sync::{AtomicU32, AtomicU64, Mutex, Ordering::SeqCst};

/// The first chunk is one slot, each further one three times as many as there are: most connections have a call now and then,
/// one after the other. So many hold 65,536.
const CHUNKS: usize = 9;

/// No slot, in the links of the stack, where slots are numbered from 1.
const NONE: u32 = 0;

#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    state: AtomicU64,
    /// How many slots were ever taken.
    made: AtomicU32,
    limit: u32,
}

/// What the state is made of.
#[derive(Debug, Clone, Copy)]
struct State {
    /// The uppermost free slot.
    top: u32,
    /// How many are taken.
    taken: u32,
    /// Changes each time.
    tag: u32,
}

/// Enough for the number of any slot, and for how many there are.
const COUNT_BITS: u32 = 17;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const _: () = assert!((chunk_start(CHUNKS) as u64) < COUNT_MASK);

impl State {
    fn of(word: u64) -> Self {
        Self {
            top: (word & COUNT_MASK) as u32,
            taken: (word >> COUNT_BITS & COUNT_MASK) as u32,
            tag: (word >> (2 * COUNT_BITS)) as u32,
        }
    }

    fn word(self) -> u64 {
        u64::from(self.tag) << (2 * COUNT_BITS) | u64::from(self.taken) << COUNT_BITS | u64::from(self.top)
    }
}

#[derive(Debug)]
struct Slot<T> {
    below: AtomicU32,
    value: Mutex<T>,
}

impl<T: Default> Slab<T> {
    /// With at most so many slots.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            chunks: [const { OnceLock::new() }; CHUNKS],
            state: AtomicU64::new(0),
            made: AtomicU32::new(0),
            limit: limit.min(chunk_start(CHUNKS)),
        }
    }

    /// Takes a slot; `None` if all are taken.
    pub(crate) fn take(&self) -> Option<u32> {
        self.pop().or_else(|| self.make())
    }

    /// Gives a slot back. Only who took it may do so, and once. Answers how many are taken still.
    pub(crate) fn give_back(&self, number: u32) -> u32 {
        let slot = self.slot(number).expect("it was taken, so it was made");
        let before = self.change(|state| {
            slot.below.store(state.top, SeqCst);
            Some(State {
                top: number + 1,
                taken: state.taken - 1,
                ..state
            })
        });
        before.map_or(0, |before| before.taken - 1)
    }

    /// What is in a slot, taken or not; `None` if there never was one of that number.
    pub(crate) fn get(&self, number: u32) -> Option<&Mutex<T>> {
        self.slot(number).map(|slot| &slot.value)
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> u32 {
        State::of(self.state.load(SeqCst)).taken
    }

    /// True if none is taken, nor will be by anybody who is not refused. `refuse`, which is called only if none is taken, has
    /// everybody refused who takes one after it.
    pub(crate) fn is_unused_once(&self, refuse: impl FnOnce()) -> bool {
        self.taken() == 0 && {
            // Who took one in between may have got so far that it was not refused.
            refuse();
            self.taken() == 0
        }
    }

    /// How many there can be.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// All slots that were ever taken.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &Mutex<T>)> {
        let made = self.made.load(SeqCst);
        (0..made).filter_map(|number| Some((number, self.get(number)?)))
    }

    /// All slots that were taken by anybody who is not refused. `refuse` has everybody refused who comes after it.
    pub(crate) fn all_once(&self, refuse: impl FnOnce()) -> impl Iterator<Item = (u32, &Mutex<T>)> {
        refuse();
        self.all()
    }

    fn pop(&self) -> Option<u32> {
        let before = self.change(|state| {
            let number = state.top.checked_sub(1)?;
            Some(State {
                top: self.slot(number)?.below.load(SeqCst),
                taken: state.taken + 1,
                ..state
            })
        });
        before.map(|before| before.top - 1)
    }

    /// Replaces the state, and answers what it was; does nothing where there is nothing to replace it by.
    #[inline]
    fn change(&self, next: impl Fn(State) -> Option<State>) -> Option<State> {
        let mut word = self.state.load(SeqCst);
        loop {
            let before = State::of(word);
            let mut next = next(before)?;
            // What is beyond the tag's bits falls off.
            next.tag = before.tag.wrapping_add(1);
            match self.state.compare_exchange(word, next.word(), SeqCst, SeqCst) {
                Ok(_) => return Some(before),
                Err(now) => word = now,
            }
        }
    }

    fn make(&self) -> Option<u32> {
        let mut made = self.made.load(SeqCst);
        loop {
            if made >= self.limit {
                return None;
            }
            // Made before it is counted, so that what is counted can be looked up.
            let (chunk, _) = place(made);
            self.chunks.get(chunk)?.get_or_init(|| {
                (0..chunk_len(chunk))
                    .map(|_| Slot {
                        below: AtomicU32::new(NONE),
                        value: Mutex::new(T::default()),
                    })
                    .collect()
            });
            match self.made.compare_exchange(made, made + 1, SeqCst, SeqCst) {
                Ok(_) => {
                    self.change(|state| {
                        let taken = state.taken + 1;
                        Some(State { taken, ..state })
                    });
                    return Some(made);
                }
                Err(now) => made = now,
            }
        }
    }

    fn slot(&self, number: u32) -> Option<&Slot<T>> {
        let (chunk, at) = place(number);
        self.chunks.get(chunk)?.get()?.get(at)
    }
}

/// In which chunk a slot is, and where in it.
fn place(number: u32) -> (usize, usize) {
    let chunk = number.checked_ilog2().map_or(0, |log| log as usize / 2 + 1);
    (chunk, (number - chunk_start(chunk)) as usize)
}

/// How many slots are in the chunks before this one.
const fn chunk_start(chunk: usize) -> u32 {
    match chunk {
        0 => 0,
        _ => 1 << (2 * (chunk - 1)),
    }
}

fn chunk_len(chunk: usize) -> u32 {
    chunk_start(chunk + 1) - chunk_start(chunk)
}
