//! A disk that is nearly full stops everything a team does, and Redis, the ledger and a sandbox
//! each say it in words of their own; so it is said once, plainly, in the team's status.

use config::disk::free;
use config::home::Home;

/// A sentence when less than `min_free_mb` million bytes are left where the home is.
pub fn problem(home: &Home, min_free_mb: u64) -> Option<String> {
    sentence(free(home)?, min_free_mb)
}

fn sentence(free: u64, min_free_mb: u64) -> Option<String> {
    let tenths = free / 100_000;
    (free < min_free_mb.saturating_mul(1_000_000)).then(|| {
        format!(
            "the disk of the home has {}.{} MB left, less than {min_free_mb} MB (team.min_free_mb): no task is started until there is more; free some space, then: ai-infra restart if something was given up",
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
            (2_860_000, Some("has 2.8 MB left, less than 200 MB")),
            (199_999_999, Some("has 199.9 MB left")),
            (200_000_000, None),
        ] {
            let said = sentence(free, 200);
            match expected {
                Some(part) => assert!(said.is_some_and(|said| said.contains(part)), "{free}"),
                None => assert_eq!(said, None, "{free}"),
            }
        }
    }
}
