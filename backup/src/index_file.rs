//! Which paths a git repository tracks, read from its index file without running git: a file that is
//! tracked is backed up though the repository ignores its name.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Bytes of an entry before its path, without the digest.
const FIXED: usize = 40;
/// Largest index that is read, in bytes.
const MOST: u64 = 512 * 1024 * 1024;

/// The tracked paths in order of their bytes; none where there is no index.
///
/// # Errors
/// A sentence, where the file is none that is known.
pub fn paths(path: &Path) -> Result<Option<Vec<Vec<u8>>>, String> {
    match fs::metadata(path) {
        Ok(about) if about.len() > MOST => return Err("its index is too large".to_owned()),
        _ => {}
    }
    match fs::read(path) {
        // Digests are SHA-1, or SHA-256 in some repositories; only the right one comes out even.
        Ok(bytes) => parse(&bytes, 20)
            .or_else(|| parse(&bytes, 32))
            .map(Some)
            .ok_or("its index cannot be read".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(Vec::new())),
        Err(error) => Err(format!("its index cannot be read ({error})")),
    }
}

fn parse(bytes: &[u8], digest: usize) -> Option<Vec<Vec<u8>>> {
    let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let version = word(4)?;
    if bytes.get(..4)? != b"DIRC" || !(2..=4).contains(&version) {
        return None;
    }
    let many = word(8)? as usize;
    let mut paths: Vec<Vec<u8>> = Vec::new();
    let mut at: usize = 12;
    for _ in 0..many {
        let flags_at = at + FIXED + digest;
        let flags = u16::from_be_bytes(bytes.get(flags_at..flags_at + 2)?.try_into().ok()?);
        let extended = flags & 0x4000 != 0 && version >= 3;
        let mut name_at = flags_at + 2 + usize::from(extended) * 2;
        let mut path = Vec::new();
        if version == 4 {
            let (cut, read) = varint(bytes.get(name_at..)?)?;
            name_at += read;
            path = paths.last().cloned().unwrap_or_default();
            path.truncate(path.len().checked_sub(cut)?);
        }
        let rest = bytes.get(name_at..)?;
        let end = rest.iter().position(|b| *b == 0)?;
        path.extend_from_slice(rest.get(..end)?);
        // Its length stands in the flags: of a digest of another length nothing would fit.
        if path.is_empty() || usize::from(flags & 0xfff) != path.len().min(0xfff) {
            return None;
        }
        at = match version {
            4 => name_at + end + 1,
            // Padded with 1 to 8 zeros to a multiple of 8.
            _ => at + ((name_at + end - at) / 8 + 1) * 8,
        };
        paths.push(path);
    }
    bytes.get(at..at + digest)?;
    paths.sort();
    paths.dedup();
    Some(paths)
}

/// A number as git writes offsets, and how many bytes it takes.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = usize::from(bytes.first()? & 0x7f);
    let mut at = 0;
    while bytes.get(at)? & 0x80 != 0 {
        at += 1;
        value = value.checked_add(1)?.checked_mul(128)? | usize::from(bytes.get(at)? & 0x7f);
    }
    Some((value, at + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn every_version_says_what_git_says() {
        for (version, format) in [
            ("2", "sha1"),
            ("3", "sha1"),
            ("4", "sha1"),
            ("4", "sha256"),
            ("2", "sha256"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let git = |words: &[&str]| {
                let done = Command::new("git")
                    .arg("-C")
                    .arg(folder.path())
                    .args(words)
                    .output()
                    .unwrap();
                assert!(done.status.success(), "{words:?} {done:?}");
                done.stdout
            };
            git(&["init", "-q", &format!("--object-format={format}")]);
            for name in [
                "a",
                "a-b",
                "a.d/x",
                "a.d/xy",
                "b/c/d/e",
                "ü",
                &"l".repeat(200),
            ] {
                let path = folder.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, name).unwrap();
            }
            git(&["add", "."]);
            if version == "3" {
                std::fs::write(folder.path().join("later"), "").unwrap();
                git(&["add", "-N", "later"]);
            }
            git(&["update-index", "--index-version", version]);
            let said = git(&["ls-files", "-z"]);
            let mut said: Vec<Vec<u8>> = said
                .split(|b| *b == 0)
                .map(<[u8]>::to_vec)
                .filter(|p| !p.is_empty())
                .collect();
            said.sort();
            let read = paths(&folder.path().join(".git/index")).unwrap().unwrap();
            assert_eq!(read, said, "version {version} {format}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), version in 2u8..5) {
            parse(&bytes, 20);
            let head = [b'D', b'I', b'R', b'C', 0, 0, 0, version, 0, 0, 0, 9];
            bytes.splice(0..0, head);
            parse(&bytes, 20);
            parse(&bytes, 32);
        }
    }
}
