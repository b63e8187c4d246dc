//! What happens next.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::Time;

/// Events in the order of their times; those of one moment in the order in which they were entered, so that a run is the
/// same each time.
#[derive(Debug)]
pub struct Agenda<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    entered: u64,
    now: Time,
}

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    order: u64,
    event: E,
}

impl<E> Agenda<E> {
    /// Nothing happens.
    pub fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            entered: 0,
            now: Time::START,
        }
    }

    /// The time of the event that was taken last.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Lets `event` happen at `at`, or now if that is past.
    pub fn enter(&mut self, at: Time, event: E) {
        self.entered += 1;
        self.heap.push(Reverse(Entry {
            at: at.max(self.now),
            order: self.entered,
            event,
        }));
    }

    /// Takes the next event; time goes on to it.
    pub fn take(&mut self) -> Option<E> {
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }

    /// How many events were taken or wait.
    pub fn entered(&self) -> u64 {
        self.entered
    }
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Entry<E> {
    fn key(&self) -> (Time, u64) {
        (self.at, self.order)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_entry() {
        let mut agenda = Agenda::new();
        for (at, event) in [(3.0, 'c'), (1.0, 'a'), (3.0, 'd'), (2.0, 'b')] {
            agenda.enter(Time::from_secs_f64(at), event);
        }
        let mut order = String::new();
        while let Some(event) = agenda.take() {
            order.push(event);
            if event == 'a' {
                // Past: it happens now.
                agenda.enter(Time::START, '!');
            }
        }
        assert_eq!(order, "a!bcd");
        assert_eq!(agenda.now(), Time::from_secs_f64(3.0));
    }
}
