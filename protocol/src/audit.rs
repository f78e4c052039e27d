//! What the team remembers of a host's record of acts, away from that host's own files.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far a host's chain was seen to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorLine {
    /// The host.
    pub host: String,
    /// Who remembers it: `the ledger` or `redis`.
    pub by: String,
    /// Number of the last line.
    pub seq: u64,
    /// Digest of that line, lower-case hex.
    pub hash: String,
    /// When it was seen.
    pub at: Timestamp,
}
