//! Slots for the calls of a connection, by number.
//!
//! A call takes a slot and gives it back; the connection's task looks slots up by the numbers that the peer sends. Taking,
//! giving back and looking up take no lock: the free slots are a stack in one atomic word, tagged against the exchange of a
//! number that was taken and given back in between, and slots never move once they are made.
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
    /// The uppermost free slot, and above it a tag that changes each time.
    free: AtomicU64,
    /// How many slots were ever taken.
    made: AtomicU32,
    /// How many are taken.
    taken: AtomicU32,
    limit: u32,
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
            free: AtomicU64::new(0),
            made: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            limit: limit.min(chunk_start(CHUNKS)),
        }
    }

    /// Takes a slot; `None` if all are taken.
    pub(crate) fn take(&self) -> Option<u32> {
        let taken = self.pop().or_else(|| self.make())?;
        self.taken.fetch_add(1, SeqCst);
        Some(taken)
    }

    /// Gives a slot back. Only who took it may do so, and once.
    pub(crate) fn give_back(&self, number: u32) {
        let slot = self.slot(number).expect("it was taken, so it was made");
        self.taken.fetch_sub(1, SeqCst);
        let mut free = self.free.load(SeqCst);
        loop {
            slot.below.store(free as u32, SeqCst);
            let next = tagged(free, number + 1);
            match self.free.compare_exchange(free, next, SeqCst, SeqCst) {
                Ok(_) => return,
                Err(now) => free = now,
            }
        }
    }

    /// What is in a slot, taken or not; `None` if there never was one of that number.
    pub(crate) fn get(&self, number: u32) -> Option<&Mutex<T>> {
        self.slot(number).map(|slot| &slot.value)
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(SeqCst)
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

    fn pop(&self) -> Option<u32> {
        let mut free = self.free.load(SeqCst);
        loop {
            let number = (free as u32).checked_sub(1)?;
            let below = self.slot(number)?.below.load(SeqCst);
            match self
                .free
                .compare_exchange(free, tagged(free, below), SeqCst, SeqCst)
            {
                Ok(_) => return Some(number),
                Err(now) => free = now,
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
                Ok(_) => return Some(made),
                Err(now) => made = now,
            }
        }
    }

    fn slot(&self, number: u32) -> Option<&Slot<T>> {
        let (chunk, at) = place(number);
        self.chunks.get(chunk)?.get()?.get(at)
    }
}

/// The top of the stack with the next tag.
fn tagged(before: u64, top: u32) -> u64 {
    ((before >> 32).wrapping_add(1) << 32) | u64::from(top)
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
