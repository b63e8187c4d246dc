//! Following a target: faults, doubt, filters, the cache on disk.

mod cache;
mod faults;
mod flaps;
mod giving_up;
mod hold_back;
mod several;
mod sight;
mod support;
