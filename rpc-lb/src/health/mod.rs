//! Which endpoints are sick, which are not quite well, and what becomes of them.
//!
//! | state | how it comes | what becomes of it |
//! | --- | --- | --- |
//! | sick | [ejected](eject), or says of itself that it does not serve | no calls, unless [too many](HealthConfig::panic) are sick |
//! | not quite well | few calls succeed, its own word on its health is not known, the connection is lost again and again, spared from ejection | a smaller [weight](crate::Endpoint::weight) |
//! | young | its instance has just started, or it was sick until now | a smaller weight, that [grows](SlowStartConfig) |
//!
//! A weight is `weight of the record * slow start * condition`. Balancers that honour weights send fewer calls there; a
//! [round robin](crate::RoundRobin) does not look at them.
//!
//! # When
//! About once a second while calls are made, and at once when calls fail one after the other. A client that makes no calls
//! has no timer, unless one is ejected that nobody can call because [panic](HealthConfig::panic) is 0.

mod condition;
mod config;
pub mod eject;
mod keeper;
mod slow_start;

pub(crate) use self::keeper::{Found, Health, Said, Seen};
pub use self::{
    config::{HealthConfig, InvalidHealth},
    eject::{EjectConfig, EjectReason, Ejection},
    keeper::Sickness,
    slow_start::SlowStartConfig,
};
