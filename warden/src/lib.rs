//! The warden: one small process a host that has the last word. It owns the host's audit chain and its tickets.
//! It speaks over one unix socket with whoever the kernel says belongs to this home; it has no
//! Redis, no network, no shell and no model, and this room uses none that has.
//!
//! `audit` is the chain: a line (pure), its verification (pure), the seal, the file. `tickets` is
//! leave that people give, used once, `hours` how often a kind of act was done lately, `trust` which workspaces a person trusts. `operations` are duties:
//! what is done on the host itself, by a process of its own. `wire` is what
//! may be asked, `serve` the process, `client` how agents, supervisor and command line reach it, `blocking` how launchers do.

pub mod audit;
pub mod blocking;
pub mod client;
pub mod hours;
pub mod operations;
pub mod serve;
pub mod tickets;
pub mod trust;
pub mod wire;
