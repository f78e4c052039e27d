//! Who asks, proven by the kernel: the uid at the other end of the control socket. Served are the
//! home's owner and root.

use nix::unistd::{Uid, User};
use protocol::task::Principal;

/// Why somebody is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this team belongs to {owner}, not to uid {asked}: ask as {owner}, or use a team of your own"
)]
pub struct Stranger {
    /// Who asked.
    pub asked: u32,
    /// Whose team it is.
    pub owner: String,
}

/// The login name of a uid, or its number.
pub fn name_of(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid))
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}

/// The principal behind a peer uid; only the owner of the home and root are served.
pub fn admit(peer: u32, owner: u32) -> Result<Principal, Stranger> {
    if peer == owner || peer == 0 {
        Ok(Principal {
            uid: peer,
            name: name_of(peer),
        })
    } else {
        Err(Stranger {
            asked: peer,
            owner: name_of(owner),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_the_owner_and_root_are_served() {
        for (peer, owner, served) in [
            (1000, 1000, true),
            (0, 1000, true),
            (0, 0, true),
            (1001, 1000, false),
            (1000, 0, false),
            (65534, 1000, false),
        ] {
            assert_eq!(admit(peer, owner).is_ok(), served, "{peer} at {owner}");
        }
        assert_eq!(name_of(0), "root");
        assert_eq!(name_of(3_999_999_999), "3999999999");
    }
}
