//! Claude's Messages API: `account` says where and with which key, `request` makes the body, `sse` cuts the byte stream into events,
//! `stream` folds them into a message, `failure` names what went wrong, `retry` says whether and
//! when to try again; these do no IO. `engine` does it; `try_key` asks whether a key is good, for nothing.

pub mod account;
pub mod engine;
pub mod failure;
pub mod request;
pub mod retry;
pub mod sse;
pub mod stream;
pub mod try_key;
