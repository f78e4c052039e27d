//! Who an agent is where root may make it anybody: the system's user `ai-infra-ROLE` where there is one, else a
//! number of its own that the system knows nobody by. An agent owns no file, so the number may be another one
//! tomorrow. An ordinary user's agents stay that user. The same of the proxies of its tasks.

use config::settings::Settings;
use guard::launcher::walls::User;
use nix::unistd::Uid;
use protocol::ids::Role;

/// The user a role's agent becomes; `None` where it cannot become anybody.
pub fn of_role(settings: &Settings, role: &Role) -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let named = nix::unistd::User::from_name(&format!("ai-infra-{role}"));
    if let Ok(Some(user)) = named
        && !user.uid.is_root()
        && user.gid.as_raw() != 0
    {
        return Some(User {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        });
    }
    let place = settings.agents.iter().position(|one| one.name == *role)?;
    unknown(settings, place)
}

/// The user the proxies of a role's tasks become: a number that is nobody's, after those of the agents.
pub fn of_proxy(settings: &Settings, role: &Role) -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let place = settings.agents.iter().position(|one| one.name == *role)?;
    unknown(settings, settings.agents.len() + place)
}

fn unknown(settings: &Settings, place: usize) -> Option<User> {
    let known = |uid: u32| !matches!(nix::unistd::User::from_uid(Uid::from_raw(uid)), Ok(None));
    let uid = number(settings.sandbox.service_uid, place, known)?;
    Some(User { uid, gid: uid })
}

/// The `place`-th number after `base` that nobody is known by.
fn number(base: u32, place: usize, known: impl Fn(u32) -> bool) -> Option<u32> {
    let mut free = (base.checked_add(1)?..u32::MAX - 1).filter(|uid| !known(*uid));
    free.nth(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_a_number_that_is_nobody_elses() {
        let known = |uid: u32| matches!(uid, 60_999 | 61_001);
        for (place, expected) in [(0, 61_000), (1, 61_002), (2, 61_003)] {
            assert_eq!(number(60_999, place, known), Some(expected), "{place}");
        }
        assert_eq!(number(u32::MAX, 0, |_| false), None);
        assert_eq!(number(u32::MAX - 3, 5, |_| false), None);
    }
}
