//! What the team has learned. Files are the truth, an index makes them findable and can be
//! thrown away at any time.
//!
//! ```text
//! MEMORY/
//!   README.md                       what is here, for people
//!   .owner                          locked by the one process that writes here
//!   Learning/<PHASE>/YYYY-MM/<id>.md    what a phase of a task taught (OBSERVE … LEARN)
//!   Work/YYYY-MM/<id>.md                what a task left behind, of no phase
//!   Knowledge/YYYY-MM/<id>.md           what a person or an agent wrote down, of no task
//!   Forgotten/<id>.md, <id>.json        what was forgotten and why; removed after 30 days
//! ```
//!
//! Open `door` for [`Memory`], the only way in; `entry` for a record's file, `tree` for where
//! files lie and how they survive a crash, `index` for how they are found, `recall` for what
//! comes first, `forget`, `care` and `adopt` for what people do with it, `carry` and `foreign` for
//! how memories come and go as files, `words` for what counts as a word, `project` for a project's stable name.

pub mod adopt;
pub mod care;
pub mod carry;
pub mod catalog;
pub mod door;
pub mod entry;
pub mod foreign;
pub mod forget;
pub mod index;
pub mod project;
pub mod recall;
pub mod tree;
pub mod words;

pub use door::{Memory, MemoryError};
pub use project::project_of;
