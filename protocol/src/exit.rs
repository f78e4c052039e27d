//! Exit codes of the command line, as people and scripts rely on them.

/// Done; a report about failing tests is a done report.
pub const DONE: u8 = 0;
/// The task failed, or a check found something wrong.
pub const FAILED: u8 = 1;
/// Wrong usage or configuration.
pub const USAGE: u8 = 2;
/// Waits for a person.
pub const WAITS: u8 = 3;
/// Refused by policy or budget.
pub const REFUSED: u8 = 4;
/// A configured service does not answer.
pub const SERVICE: u8 = 5;
/// The deadline passed.
pub const DEADLINE: u8 = 124;
/// Cancelled.
pub const CANCELLED: u8 = 130;
