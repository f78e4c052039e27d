//! The workspace under its path on the host, inside.

use super::Arguments;
use crate::sandbox::profile::Profile;
use crate::sandbox::spec::{
    ATTACHMENTS, CACHE, HOME, KEPT_OBJECTS, Kind, OBJECTS, SNAPSHOTS, SandboxSpec, WORKSPACE,
};
use std::path::{Path, PathBuf};

/// Places that are the sandbox's own: no path of the host is put there.
const OWN: [&str; 19] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/proc",
    "/dev",
    "/sys",
    "/run",
    WORKSPACE,
    SNAPSHOTS,
    CACHE,
    OBJECTS,
    ATTACHMENTS,
    HOME,
    "/tmp/cache",
];

/// Makes the workspace answer to its path on the host too: virtual environments and packages
/// installed in place name it.
pub(super) fn origin(args: &mut Arguments, spec: &SandboxSpec, profile: &Profile) {
    let Kind::Workspace { read_only, .. } = &spec.kind else {
        return;
    };
    let Some(path) = read_only.iter().find_map(|(from, to)| {
        let inside = to.strip_prefix(WORKSPACE).ok()?;
        let above = inside.components().count();
        let same = from.ends_with(inside)
            || (inside.ends_with(KEPT_OBJECTS) && from.parent()?.ends_with(inside.parent()?));
        (above > 0 && same).then(|| from.ancestors().nth(above))?
    }) else {
        return;
    };
    let taken = OWN.iter().map(Path::new);
    let mut taken = taken.chain(profile.folders.iter().map(PathBuf::as_path));
    let free = path.components().count() > 1
        && !taken.any(|own| path.starts_with(own) || own.starts_with(path));
    if free && !args.made.contains(path) {
        args.parents(path);
        args.list
            .extend(["--symlink".into(), WORKSPACE.into(), path.into()]);
    }
}
