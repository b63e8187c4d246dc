//! The client against peers that follow a script, over networks in memory and on a clock that stands still.

mod calls;
mod cancel;
mod connect;
mod failing;
mod goaway;
mod limits;
mod scaling;
mod streams;
mod support;
mod upkeep;
