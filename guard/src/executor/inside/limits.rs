//! Bounds on everything inside, set on the executor and inherited by every tool.

use super::super::wire::Hello;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use protocol::walls::Wall;

/// Sets every bound; a bound that cannot be set is a reason to refuse.
pub(super) fn set(hello: &Hello) -> Result<(), String> {
    const MB: u64 = 1024 * 1024;
    let limits = &hello.limits;
    if !limits.faults.stands(Wall::Limits) {
        return Ok(());
    }
    bound(Resource::RLIMIT_CORE, Some(0))?;
    bound(
        Resource::RLIMIT_FSIZE,
        wanted(limits.file_mb.saturating_mul(MB)),
    )?;
    bound(
        Resource::RLIMIT_DATA,
        wanted(limits.memory_mb.saturating_mul(MB)),
    )?;
    bound(Resource::RLIMIT_NOFILE, wanted(limits.open_files))?;
    let processes = wanted(limits.processes).map(|n| n.saturating_add(hello.running));
    bound(Resource::RLIMIT_NPROC, processes)
}

fn wanted(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}

fn bound(resource: Resource, limit: Option<u64>) -> Result<(), String> {
    let Some(limit) = limit else { return Ok(()) };
    let say = |e: nix::Error| format!("{resource:?} cannot be set to {limit}: {e}");
    let (_, hard) = getrlimit(resource).map_err(say)?;
    // Never above what the machine already allows: raising takes a privilege nobody has here.
    let limit = if hard == RLIM_INFINITY {
        limit
    } else {
        limit.min(hard)
    };
    setrlimit(resource, limit, limit).map_err(say)
}
