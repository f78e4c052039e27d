//! The record of every act on this host, as a chain that shows tampering: each line names the digest
//! of the line before and carries a seal that only the warden's key makes.

pub mod book;
pub mod head;
pub mod line;
pub mod reader;
pub mod seal;
pub mod verify;
