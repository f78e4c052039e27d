//! Becoming the owner for good, and checking from inside that the sandbox is one. Whatever does
//! not hold is a reason to refuse to serve.

use super::super::wire::Hello;
use crate::host_view::Right;
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, getpid, getresgid, getresuid, setgroups, setresgid, setresuid};
use protocol::walls::Wall;

/// Gives up root, where the sandbox was made by root.
pub(super) fn become_owner(hello: &Hello) -> Result<(), String> {
    let (uid, gid) = (
        Uid::from_raw(hello.owner.uid),
        Gid::from_raw(hello.owner.gid),
    );
    if uid.is_root() || gid.as_raw() == 0 {
        return Err("the owner is root: nothing inside runs as root".to_owned());
    }
    let faults = hello.limits.faults;
    if hello.drop && faults.stands(Wall::Rights) {
        let cannot = |what: &str, e: nix::Error| format!("{what} cannot be changed: {e}");
        setgroups(&[]).map_err(|e| cannot("the groups", e))?;
        setresgid(gid, gid, gid).map_err(|e| cannot("the group", e))?;
        // Without it every right goes with the user.
        let keeps = !hello.keep.is_empty();
        prctl::set_keepcaps(keeps).map_err(|e| cannot("the rights", e))?;
        setresuid(uid, uid, uid).map_err(|e| cannot("the user", e))?;
        if keeps {
            keep(&hello.keep).map_err(|e| format!("the rights cannot be kept: {e}"))?;
        }
        // Changing the user cleared it; bwrap above dies with its holder, and we with bwrap.
        prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| cannot("the parent's signal", e))?;
    }
    prctl::set_no_new_privs().map_err(|e| format!("no_new_privs cannot be set: {e}"))?;
    // Tools run as the same user: they must not trace this process or open its pipe.
    prctl::set_dumpable(!faults.stands(Wall::Opaque))
        .map_err(|e| format!("tracing cannot be denied: {e}"))
}

/// Keeps these rights of root and no other; no program that is started has them.
fn keep(rights: &[Right]) -> Result<(), caps::errors::CapsError> {
    let wanted: CapsHashSet = rights.iter().map(capability).collect();
    caps::set(None, CapSet::Effective, &CapsHashSet::new())?;
    caps::set(None, CapSet::Permitted, &wanted)?;
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    caps::set(None, CapSet::Effective, &wanted)
}

fn capability(right: &Right) -> Capability {
    match right {
        Right::ReadAll => Capability::CAP_DAC_READ_SEARCH,
        Right::SeePrograms => Capability::CAP_SYS_PTRACE,
    }
}

/// The set of rights as the kernel writes it.
fn mask(rights: &[Right]) -> u64 {
    rights
        .iter()
        .fold(0, |set, right| set | capability(right).bitmask())
}

/// Looks at what is left.
pub(super) fn check(hello: &Hello) -> Result<(), String> {
    let stands = |wall| hello.limits.faults.stands(wall);
    if stands(Wall::Rights) {
        is_nobody(hello)?;
    }
    if getpid().as_raw() != 1 {
        return Err("this is no process namespace: it must be started by an agent".to_owned());
    }
    let status = std::fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
    if stands(Wall::Calls) && field(&status, "Seccomp") != Some("2") {
        return Err("the system call filter is not in force".to_owned());
    }
    let setting = std::fs::OpenOptions::new()
        .write(true)
        .open("/proc/sys/kernel/domainname");
    if stands(Wall::Settings) && setting.is_ok() {
        return Err("/proc/sys is writable inside".to_owned());
    }
    Ok(())
}

/// Root is given up for good, and every right with it that is not kept on purpose.
fn is_nobody(hello: &Hello) -> Result<(), String> {
    let ids = getresuid().map_err(|e| e.to_string())?;
    let groups = getresgid().map_err(|e| e.to_string())?;
    let uid = Uid::from_raw(hello.owner.uid);
    let gid = Gid::from_raw(hello.owner.gid);
    if [ids.real, ids.effective, ids.saved] != [uid; 3]
        || [groups.real, groups.effective, groups.saved] != [gid; 3]
    {
        return Err("the user inside is not the owner".to_owned());
    }
    let root = Uid::from_raw(0);
    if setresuid(root, root, root).is_ok() {
        return Err("root can be had back inside".to_owned());
    }
    let status = std::fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
    for name in ["CapPrm", "CapEff"] {
        let left = field(&status, name).and_then(|set| u64::from_str_radix(set, 16).ok());
        if left != Some(mask(&hello.keep)) {
            return Err(format!("capabilities are left inside ({name})"));
        }
    }
    Ok(())
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_of_a_status() {
        let status = "Name:\tx\nCapEff:\t0000000000000000\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(field(status, "Seccomp"), Some("2"));
        assert_eq!(field(status, "CapEff"), Some("0000000000000000"));
        assert_eq!(field(status, "CapPrm"), None);
    }
}
