//! Stories of the bus, told against a real redis-server on a unix socket.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::type_complexity
)]

#[path = "stories/access.rs"]
mod access;
#[path = "stories/asks.rs"]
mod asks;
#[path = "stories/batches.rs"]
mod batches;
#[path = "stories/claims.rs"]
mod claims;
#[path = "stories/examine.rs"]
mod examine;
#[path = "stories/failing.rs"]
mod failing;
#[path = "stories/fairness.rs"]
mod fairness;
#[path = "stories/fencing.rs"]
mod fencing;
#[path = "stories/flow.rs"]
mod flow;
#[path = "stories/full.rs"]
mod full;
#[path = "stories/handing.rs"]
mod handing;
#[path = "stories/hop.rs"]
mod hop;
#[path = "stories/hostile.rs"]
mod hostile;
#[path = "stories/incarnation.rs"]
mod incarnation;
#[path = "stories/money.rs"]
mod money;
#[path = "stories/outage.rs"]
mod outage;
#[path = "stories/parking.rs"]
mod parking;
#[path = "stories/server.rs"]
mod server;
#[path = "stories/spoilt.rs"]
mod spoilt;
#[path = "stories/words.rs"]
mod words;
