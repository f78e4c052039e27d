//! One binary of stories about real services; each file below is one topic. Every order goes over the wire
//! that the warden uses.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod stories;
