//! Backups: what the team knows and made, kept where this machine is not.
//!
//! A **repository** holds **snapshots**. Files are cut where their content says, each chunk is named
//! by a keyed digest, compressed, and put into **packs** of about 16 MB (`pack`), which are sealed to
//! the public half of the **recovery key** (`key`). A snapshot is written last, so whatever is cut off
//! leaves the last good one good. Open `run` for a backup (`walk` finds, `known` remembers), `restore`
//! for the way back, `verify` for whether it would work, `keep` and `prune` for what is let go (`sparse` for packs that are needed in part), `lock`
//! for two at once, `store` for where a repository may lie. `sync` is another thing: the configuration, kept in
//! step with a plain git repository in both directions.

pub mod compare;
pub mod entry;
pub mod error;
pub mod history;
mod holder;
mod index_file;
pub mod keep;
pub mod key;
mod known;
mod listing;
mod lock;
pub mod names;
mod pack;
mod places;
pub mod prune;
pub mod repository;
pub mod restore;
pub mod room;
pub mod run;
mod sparse;
pub mod store;
pub mod sync;
#[cfg(test)]
mod tests;
pub mod verify;
pub mod walk;
