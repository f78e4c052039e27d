//! One binary of stories about real sandboxes; each file below is one topic.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod stories;
