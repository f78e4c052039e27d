//! How much space is left where the home is. Below a stated amount no task is started, so that
//! those that run, Redis and the ledger have what they need to come to their end.

use crate::home::Home;
use nix::sys::statvfs::statvfs;

/// Bytes free for the home's owner; `None` where the disk cannot be asked.
pub fn free(home: &Home) -> Option<u64> {
    let disk = statvfs(&home.root).ok()?;
    Some(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

/// Whether less than `min_free_mb` million bytes are free. A disk that cannot be asked is not.
pub fn is_low(home: &Home, min_free_mb: u64) -> bool {
    free(home).is_some_and(|free| free < min_free_mb.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_disk_is_low_below_the_stated_amount() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert!(!is_low(&home, 0));
        assert!(is_low(&home, u64::MAX));
        assert!(!is_low(&Home::at(folder.path().join("gone")), u64::MAX));
    }
}
