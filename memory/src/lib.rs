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
//! ```
//!
//! Open `door` for [`Memory`], the only way in; `entry` for a record's file, `tree` for where
//! files lie and how they survive a crash, `index` for how they are found, `recall` for what
//! comes first, `words` for what counts as a word, `project` for a project's stable name.

pub mod catalog;
pub mod door;
pub mod entry;
pub mod index;
pub mod project;
pub mod recall;
pub mod tree;
pub mod words;

pub use door::{Memory, MemoryError};
pub use project::project_of;
