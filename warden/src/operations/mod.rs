//! Duties: what the warden does on the host itself, for an agent and on its rules. `judge` is the last word on
//! whether, `book` remembers what was begun and how it ended so that nothing is done twice, `planned` what a
//! person was shown, `copies` which copies of files a program may still run from, `child` is the process that does it. The warden itself starts nothing but that process.

pub mod book;
pub mod child;
pub mod copies;
pub mod judge;
pub mod planned;
pub mod runs;
