//! Which folders may be a workspace at all.

use super::CloneError;
use nix::unistd::{Uid, User, geteuid};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Refused as they are; folders below them are fine.
const ONLY_THEMSELVES: [&str; 14] = [
    "/",
    "/home",
    "/mnt",
    "/media",
    "/opt",
    "/root",
    "/srv",
    "/tmp",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/spool",
    "/var/tmp",
];

/// Refused with everything below.
const WITH_ALL_BELOW: [&str; 13] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/lost+found",
];

/// Folders of keys and settings in a home, refused with everything below.
const KEYS: [&str; 8] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".config",
    ".kube",
    ".docker",
    ".password-store",
    ".local",
];

/// Resolves a workspace's path and refuses what may not be one: system folders, homes themselves,
/// folders of keys, anything that holds or lies in the team's `home`.
pub fn check_workspace(path: &Path, home: &Path) -> Result<PathBuf, CloneError> {
    let refuse = |why: String| CloneError::Refused {
        path: path.to_owned(),
        why,
    };
    if !path.is_absolute() {
        return Err(refuse("name it by its absolute path".to_owned()));
    }
    let real = path
        .canonicalize()
        .map_err(|e| refuse(format!("{e}: name a folder that exists")))?;
    let meta = fs::metadata(&real).map_err(|e| refuse(e.to_string()))?;
    if !meta.is_dir() {
        return Err(refuse(
            "it is not a folder: name the folder that holds it".to_owned(),
        ));
    }
    fs::read_dir(&real).map_err(|e| refuse(format!("it cannot be read: {e}")))?;
    let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    let homes = homes(meta.uid());
    match reason(&real, &home, &homes) {
        Some(why) => Err(refuse(why)),
        None => Ok(real),
    }
}

/// Homes of the caller and of the folder's owner.
fn homes(owner: u32) -> Vec<PathBuf> {
    [geteuid(), Uid::from_raw(owner)]
        .into_iter()
        .filter_map(|uid| User::from_uid(uid).ok().flatten())
        .map(|user| user.dir)
        .filter(|dir| dir.parent().is_some())
        .collect()
}

/// Why a resolved path may not be a workspace. Pure.
fn reason(real: &Path, home: &Path, homes: &[PathBuf]) -> Option<String> {
    if real.starts_with(home) || home.starts_with(real) {
        return Some("it overlaps with the home of ai-infra: work in another folder".to_owned());
    }
    let system = ONLY_THEMSELVES
        .iter()
        .any(|folder| real == Path::new(folder))
        || WITH_ALL_BELOW.iter().any(|folder| real.starts_with(folder));
    if system {
        return Some("it is a folder of the system: name a project's folder".to_owned());
    }
    for user in homes {
        if user.starts_with(real) {
            return Some("it is a home folder: name a project's folder in it".to_owned());
        }
        if KEYS.iter().any(|name| real.starts_with(user.join(name))) {
            return Some("it holds keys or settings of a user: name a project's folder".to_owned());
        }
    }
    let keys = real.components().any(|part| {
        [".ssh", ".gnupg", ".aws"]
            .iter()
            .any(|name| part.as_os_str() == *name)
    });
    keys.then(|| "it holds keys: name a project's folder".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_judged() {
        let homes = [PathBuf::from("/root"), PathBuf::from("/home/ann")];
        for (path, good) in [
            ("/root/shop", true),
            ("/home/ann/code/x", true),
            ("/var/www/shop", true),
            ("/srv/shop", true),
            ("/tmp/x", true),
            ("/home/ann", false),
            ("/home", false),
            ("/root", false),
            ("/", false),
            ("/etc/nginx", false),
            ("/usr/local/src", false),
            ("/var", false),
            ("/proc/1", false),
            ("/home/ann/.config/x", false),
            ("/home/ann/.ssh", false),
            ("/home/bob/.ssh", false),
            ("/state/ai-infra", false),
            ("/state/ai-infra/tasks/t1/work", false),
            ("/state", false),
            ("/state2", true),
        ] {
            let why = reason(Path::new(path), Path::new("/state/ai-infra"), &homes);
            assert_eq!(why.is_none(), good, "{path}: {why:?}");
        }
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        for path in ["/nonexistent/x", "relative", "/dev/null"] {
            assert!(
                check_workspace(Path::new(path), Path::new("/state")).is_err(),
                "{path}"
            );
        }
    }
}
