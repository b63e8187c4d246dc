//! Endpoints and the choice among them, over links that do what the test says. No sockets; time stands still.

mod balance;
mod churn;
mod closing;
mod elsewhere;
mod faults;
mod fleet;
mod health;
#[cfg(feature = "prost")]
mod health_watch;
mod in_process;
mod lanes;
mod mirrors;
mod rotation;
mod routes;
mod services;
mod subsetting;
mod suspects;
mod waiting;
