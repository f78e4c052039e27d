//! Landlock, as the kernel of this machine knows it: put on before anything is served, inherited by
//! everything that is run, and never taken off. Where it cannot be put on, nothing is served.

use super::super::wire::Hello;
use crate::sandbox::rules::{Allowed, Rules};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope, path_beneath_rules,
};
use protocol::walls::Wall;

/// The newest interface these rules were written and tried with.
pub(crate) const KNOWN: ABI = ABI::V7;
/// The oldest that is of use: before it no file could be moved between two folders.
const OLDEST: ABI = ABI::V2;

/// Allows what the holder's rules say and nothing else, on this thread and in all it starts.
pub(super) fn put_on(hello: &Hello) -> Result<(), String> {
    if !hello.limits.faults.stands(Wall::Landlock) {
        return Ok(());
    }
    let status =
        restrict(&hello.landlock).map_err(|e| format!("Landlock cannot be put on: {e}"))?;
    judge(&status).map(|_| ())
}

/// What this kernel has: the version of its interface, or why it does not do. Tried on a thread of
/// its own, which ends restricted.
pub fn available() -> Result<u32, String> {
    let nothing = Rules {
        paths: Default::default(),
        ports: None,
    };
    let tried = std::thread::Builder::new()
        .spawn(move || restrict(&nothing).map_err(|e| e.to_string()))
        .map_err(|e| e.to_string())?
        .join();
    judge(&tried.map_err(|_| "the trial of it broke off".to_owned())??)
}

pub(crate) fn judge(status: &RestrictionStatus) -> Result<u32, String> {
    let say = |why: &str| {
        Err(format!(
            "this kernel {why}: Linux 5.19 or later with Landlock among its `lsm=` is needed"
        ))
    };
    match status.landlock {
        LandlockStatus::NotImplemented => say("has no Landlock"),
        LandlockStatus::NotEnabled => say("has Landlock switched off"),
        LandlockStatus::Available { effective_abi, .. } if effective_abi < OLDEST => {
            say("has a Landlock that is too old")
        }
        _ if status.ruleset == RulesetStatus::NotEnforced => say("did not take the rules"),
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi as u32),
    }
}

fn restrict(rules: &Rules) -> Result<RestrictionStatus, RulesetError> {
    // What a newer kernel could also deny is asked for, and left out where this one cannot.
    let mut set = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?;
    if rules.ports.is_some() {
        set = set.handle_access(AccessNet::from_all(KNOWN))?;
    }
    let mut made = set.create()?;
    for (path, allowed) in &rules.paths {
        made = made.add_rules(path_beneath_rules([path], accesses(*allowed)))?;
    }
    for port in rules.ports.iter().flatten() {
        made = made.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    made.restrict_self()
}

fn accesses(allowed: Allowed) -> BitFlags<AccessFs> {
    let read = AccessFs::from_read(KNOWN);
    match allowed {
        Allowed::Names => AccessFs::ReadDir.into(),
        Allowed::Read => read,
        Allowed::Devices => read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev,
        Allowed::Write => {
            let devices = AccessFs::MakeChar | AccessFs::MakeBlock;
            AccessFs::from_all(KNOWN) & !devices
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{self, File};

    /// Where a disk is walked, root itself can list and measure, and open no file: not to read, not to write.
    #[test]
    fn what_is_only_walked_can_be_seen_and_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("below/file");
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(&file, "its content").unwrap();
        let rules = Rules {
            paths: [(folder.path().to_owned(), Allowed::Names)].into(),
            ports: None,
        };
        let tried = |walled: bool| {
            let (file, rules) = (file.clone(), rules.clone());
            let tried = move || {
                if walled {
                    judge(&restrict(&rules).unwrap()).unwrap();
                }
                let names = fs::read_dir(file.parent().unwrap()).unwrap().count();
                let size = fs::symlink_metadata(&file).unwrap().len();
                let append = File::options().append(true).open(&file);
                (names, size, File::open(&file).is_ok(), append.is_ok())
            };
            std::thread::spawn(tried).join().unwrap()
        };
        assert_eq!(tried(true), (1, 11, false, false));
        assert_eq!(tried(false), (1, 11, true, true));
    }
}
