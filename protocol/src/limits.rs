//! Sizes that every room agrees on, so that nothing is accepted in one and refused in the next.

/// Largest envelope a stream carries, in bytes; anything larger travels as a blob reference.
pub const ENVELOPE_BYTES: usize = 64 * 1024;
/// Largest journal entry kept inline, in bytes; anything larger goes to a blob.
pub const JOURNAL_INLINE_BYTES: usize = 4 * 1024;
/// Most times a task may change hands.
pub const MOST_HANDOFFS: u64 = 8;
/// Largest request text accepted from a person, in bytes.
pub const REQUEST_BYTES: usize = 32 * 1024;
/// Largest single line on the control socket, in bytes.
pub const CONTROL_LINE_BYTES: usize = 8 * 1024 * 1024;
/// Largest output kept of one program, in bytes per stream; the middle is cut out and said so.
pub const OUTPUT_BYTES: usize = 256 * 1024;
