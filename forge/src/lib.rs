//! What a host of code repositories does for the team over its API: GitHub, or a GitHub Enterprise of
//! one's own.
//!
//! `client` sends requests: version header, token, bounded answers, pages, and waiting as the server asks
//! for (`wait` decides that, `error` explains a refusal). The rest is what can be asked for: `repositories`,
//! `contents`, `releases`, `pulls`, `workflows`. An own client over `reqwest` instead of octocrab: that one
//! brings some 60 more crates, does not wait as long as `retry-after` says, and hides the headers in which
//! GitHub says what a token lacks.

pub mod client;
pub mod contents;
pub mod error;
pub mod pulls;
pub mod releases;
pub mod repositories;
mod request;
pub mod wait;
pub mod workflows;

pub use client::{GitHub, Led};
pub use config::secret::Secret;
pub use error::ForgeError;
