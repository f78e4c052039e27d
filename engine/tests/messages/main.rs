//! The engine against real servers: a mock of the Messages API that nobody here wrote, and a raw
//! TCP stub for what the mock cannot do. A managed Redis gives the reservations.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod aimock;
mod stub;
mod support;
