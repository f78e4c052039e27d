//! The models: a conversation goes out, a whole reply comes back, and both are plain data.
//!
//! Open `engine` for the one door ([`engine::Engine`]) and its errors, `conversation` for what is
//! said, `shown` for pictures and PDFs in it, `check` for what is not sent, `anthropic` for Claude's Messages API (request,
//! server-sent events, retries, HTTP), `scripted` for replies read from a file.
//! Nothing here is called without a [`bus::budget::Reservation`].

pub mod anthropic;
pub mod check;
pub mod conversation;
pub mod engine;
pub mod scripted;
pub mod shown;
