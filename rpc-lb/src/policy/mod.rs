//! Which of the endpoints that are left gets a call. Pure: no clock, no I/O, no lock.

mod round_robin;

pub use self::round_robin::RoundRobin;
