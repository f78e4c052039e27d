//! A disk that is nearly full stops everything a team does, and Redis, the ledger and a sandbox
//! each say it in words of their own; so it is said once, plainly, in the team's status.

use config::home::Home;
use nix::sys::statvfs::statvfs;

/// Below this much free space it is said, in bytes.
const LOW: u64 = 200_000_000;

/// A sentence when the home's disk is nearly full.
pub fn problem(home: &Home) -> Option<String> {
    let disk = statvfs(&home.root).ok()?;
    sentence(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

fn sentence(free: u64) -> Option<String> {
    let tenths = free / 100_000;
    (free < LOW).then(|| {
        format!(
            "the disk of the home has {}.{} MB left: free some space, then: ai-infra restart if something was given up",
            tenths / 10,
            tenths % 10
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_disk_that_is_nearly_full_is_said() {
        for (free, expected) in [
            (0, Some("has 0.0 MB left")),
            (2_860_000, Some("has 2.8 MB left")),
            (LOW - 1, Some("has 199.9 MB left")),
            (LOW, None),
        ] {
            let said = sentence(free);
            match expected {
                Some(part) => assert!(said.is_some_and(|said| said.contains(part)), "{free}"),
                None => assert_eq!(said, None, "{free}"),
            }
        }
    }
}
