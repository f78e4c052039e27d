//! Where a sandbox's mounts lie. bwrap makes them one after the other and follows links in its own root, where the host's files
//! still are: below a tree that programs wrote, a mount is made in a real folder only, and while nobody writes there.

use crate::clone::tree::{self, Held, Use};
use crate::sandbox::spec::{Kind, WORKSPACE};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use std::fs::File;
use std::io;
use std::path::Path;

/// The tree that a sandbox shows, held as long as it is there: by one that writes there alone, by readers together.
///
/// # Errors
/// As [`tree::hold`].
pub(super) fn hold(kind: &Kind) -> io::Result<Option<Held>> {
    let Kind::Workspace { work, writable, .. } = kind else {
        return Ok(None);
    };
    let how = match writable {
        true => Use::Writes,
        false => Use::Reads,
    };
    tree::hold(work, how).map(Some)
}

/// Leaves out what has no real place in the tree any more: programs may have moved the folder that was made for a mount, or put
/// a link in its way.
pub(super) fn leave_out_moved(kind: &mut Kind) -> io::Result<()> {
    let Kind::Workspace {
        work,
        read_only,
        fixed,
        ..
    } = kind
    else {
        return Ok(());
    };
    let tree = crate::clone::open_folder(work)?;
    read_only.retain(|(_, to)| {
        let Ok(inside) = to.strip_prefix(WORKSPACE) else {
            return true;
        };
        let there = is_real(&tree, inside, OFlag::O_DIRECTORY);
        if !there {
            tracing::warn!(place = %to.display(), "not shown: its folder was moved");
        }
        there
    });
    fixed.retain(|name| is_real(&tree, name, OFlag::empty()));
    Ok(())
}

/// Whether a file or folder is there without a link on the way to it.
fn is_real(tree: &File, inside: &Path, kind: OFlag) -> bool {
    // Without O_NOFOLLOW: with it a link at the end would be opened itself.
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | kind)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(tree, inside, how).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn kind(work: &Path, writable: bool, places: &[&str]) -> Kind {
        let places = places.iter().map(|to| ("/host".into(), to.into()));
        Kind::Workspace {
            work: work.to_owned(),
            snapshots: work.join("s"),
            writable,
            read_only: places.collect(),
            fixed: vec!["AGENTS.md".into(), "CLAUDE.md".into()],
            cache: None,
        }
    }

    #[test]
    fn a_mount_is_left_out_where_its_place_is_no_real_folder() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path();
        std::fs::create_dir_all(work.join("real/.venv")).unwrap();
        std::fs::create_dir_all(work.join("b")).unwrap();
        std::fs::write(work.join("b/.venv"), "a file").unwrap();
        std::fs::write(work.join("AGENTS.md"), "x").unwrap();
        symlink("AGENTS.md", work.join("CLAUDE.md")).unwrap();
        symlink("/", work.join("linked")).unwrap();
        symlink("real", work.join("inward")).unwrap();
        symlink("/oldroot", work.join("real/link")).unwrap();
        let places = [
            "/workspace/real/.venv",
            "/workspace/real/link",
            "/workspace/linked/tmp",
            "/workspace/inward/.venv",
            "/workspace/b/.venv",
            "/workspace/gone/.venv",
            "/workspace/real/../../tmp",
            "/workspace-objects-1",
        ];
        let mut kind = kind(work, true, &places);
        leave_out_moved(&mut kind).unwrap();
        let Kind::Workspace {
            read_only, fixed, ..
        } = kind
        else {
            panic!("another kind")
        };
        let left: Vec<&str> = read_only.iter().filter_map(|(_, to)| to.to_str()).collect();
        assert_eq!(left, ["/workspace/real/.venv", "/workspace-objects-1"]);
        assert_eq!(fixed, [PathBuf::from("AGENTS.md")]);
    }
}
