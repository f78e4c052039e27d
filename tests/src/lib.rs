//! What the stories need: a team in a home of its own, small projects of several languages, and
//! eyes on the process table, two networks with a link that can be cut, storage that others wrote; `torture` pulls plugs and counts. `cases/` holds one story a file; `tidy` keeps the walls.

// A story stops at the first thing that is not as it must be.
#![allow(clippy::expect_used, clippy::unwrap_used)]

pub mod acme;
pub mod aws;
pub mod bucket;
pub mod clock;
pub mod flaky;
pub mod gate;
pub mod git_https;
pub mod github;
pub mod hooks;
pub mod inbox;
pub mod leave;
pub mod many;
pub mod model_api;
pub mod network;
pub mod nginx;
pub mod packages;
pub mod port;
pub mod postgres;
pub mod processes;
pub mod projects;
pub mod registry;
pub mod signers;
pub mod sites;
pub mod small_disk;
pub mod sshd;
pub mod standby;
pub mod systemd;
pub mod team;
pub mod terminal;
pub mod torture;
