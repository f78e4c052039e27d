//! What a workspace says to agents: the files that agent programs obey where they find them. Listed with
//! one digest over all of them, so that trust in a workspace ends when any of them changes. No link
//! is followed and no ignore rule holds here: what would be obeyed is what counts.

use crate::limits::InspectError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Files at the top of a workspace, and folders with everything in them.
pub const PLACES: [&str; 8] = [
    ".ai-infra",
    ".claude",
    ".githooks",
    ".husky",
    ".mcp.json",
    "AGENTS.md",
    "CLAUDE.local.md",
    "CLAUDE.md",
];
/// Those whose words are meant for an agent, in the order they are read.
pub const INSTRUCTIONS: [&str; 2] = ["AGENTS.md", "CLAUDE.md"];
/// Most files, how deep below the top, and most bytes of all of them.
const FILES: usize = 2_000;
const DEPTH: usize = 12;
const BYTES: u64 = 16 << 20;
/// Longest file of instructions, in bytes.
pub const LONGEST: usize = 32 * 1024;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Below the workspace.
    pub path: String,
    /// `file`, `program` (a file that may be run) or `link`.
    pub kind: String,
    /// How large, in bytes.
    pub bytes: u64,
    /// SHA-256 of its content, or of where the link leads.
    pub sha256: String,
}

/// A file of instructions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// Below the workspace.
    pub path: String,
    /// Its words.
    pub text: String,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obeyed {
    /// SHA-256 over everything that is listed.
    pub digest: String,
    /// Every file, by path.
    pub parts: Vec<Part>,
    /// What is said in words.
    pub instructions: Vec<Instructions>,
}

/// Looks at a workspace.
///
/// # Errors
/// When something of it cannot be read, or is more than anybody looks at.
pub fn scan(root: &Path) -> Result<Obeyed, InspectError> {
    let mut found = Found {
        root,
        parts: Vec::new(),
        instructions: Vec::new(),
        bytes: 0,
    };
    for place in PLACES {
        found.take(place, 0)?;
    }
    found.parts.sort_by(|a, b| a.path.cmp(&b.path));
    let mut all = Sha256::new();
    for part in &found.parts {
        for word in [&part.path, &part.kind, &part.sha256] {
            all.update((word.len() as u64).to_be_bytes());
            all.update(word);
        }
    }
    Ok(Obeyed {
        digest: hex(&all.finalize()),
        parts: found.parts,
        instructions: found.instructions,
    })
}

struct Found<'r> {
    root: &'r Path,
    parts: Vec<Part>,
    instructions: Vec<Instructions>,
    bytes: u64,
}

impl Found<'_> {
    fn take(&mut self, path: &str, depth: usize) -> Result<(), InspectError> {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::PermissionsExt;
        let at = self.root.join(path);
        let unreadable = |source| InspectError::Unreadable {
            path: at.clone(),
            source,
        };
        let about = match std::fs::symlink_metadata(&at) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        };
        if about.is_dir() {
            if depth >= DEPTH {
                return Err(too_much(path, "folders lie too deep in each other"));
            }
            for entry in std::fs::read_dir(&at).map_err(unreadable)? {
                let name = entry.map_err(unreadable)?.file_name();
                let name = name
                    .to_str()
                    .ok_or_else(|| too_much(path, "a name in it is no text"))?;
                self.take(&format!("{path}/{name}"), depth + 1)?;
            }
            return Ok(());
        }
        let (kind, bytes, content) = if about.is_symlink() {
            let to = std::fs::read_link(&at).map_err(unreadable)?;
            ("link", 0, to.as_os_str().as_bytes().to_vec())
        } else if about.is_file() {
            let left = BYTES.saturating_sub(self.bytes);
            let mut content = Vec::new();
            let file = File::open(&at).map_err(unreadable)?;
            let read = file.take(left + 1).read_to_end(&mut content);
            let read = read.map_err(unreadable)? as u64;
            if read > left {
                return Err(too_much(path, "these files have more than 16 MiB together"));
            }
            self.bytes += read;
            let runs = about.permissions().mode() & 0o100 != 0;
            (if runs { "program" } else { "file" }, read, content)
        } else {
            return Err(too_much(path, "it is neither a file nor a folder"));
        };
        if self.parts.len() >= FILES {
            return Err(too_much(path, "there are more than 2000 of these files"));
        }
        if kind != "link" && INSTRUCTIONS.contains(&path) {
            let text = String::from_utf8_lossy(&content).into_owned();
            if text.len() > LONGEST {
                return Err(too_much(path, "instructions have at most 32 KiB"));
            }
            let told = self.instructions.iter().any(|one| one.text == text);
            if !told && !text.trim().is_empty() {
                let path = path.to_owned();
                self.instructions.push(Instructions { path, text });
            }
        }
        self.parts.push(Part {
            path: path.to_owned(),
            kind: kind.to_owned(),
            bytes,
            sha256: hex(&Sha256::digest(&content)),
        });
        Ok(())
    }
}

fn too_much(path: &str, why: &str) -> InspectError {
    InspectError::NotRead {
        what: path.to_owned(),
        why: why.to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn whatever_would_be_obeyed_is_in_the_digest() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let digest = || scan(root).unwrap().digest;
        let nothing = digest();
        std::fs::write(root.join("README.md"), "not obeyed").unwrap();
        assert_eq!(digest(), nothing);
        let mut seen = vec![nothing];
        let mut changed = |what: &str| {
            let now = digest();
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        std::fs::write(root.join("AGENTS.md"), "use tabs").unwrap();
        changed("a file");
        std::fs::write(root.join("AGENTS.md"), "use spaces").unwrap();
        changed("its content");
        std::fs::write(root.join(".gitignore"), ".claude\n").unwrap();
        std::fs::create_dir_all(root.join(".claude/skills/a")).unwrap();
        std::fs::write(root.join(".claude/skills/a/SKILL.md"), "x").unwrap();
        changed("a skill, though git ignores it");
        std::fs::rename(root.join(".claude/skills/a"), root.join(".claude/skills/b")).unwrap();
        changed("its name");
        std::fs::write(root.join(".mcp.json"), "{}").unwrap();
        changed("a server");
        let program = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(root.join(".mcp.json"), program).unwrap();
        changed("that it may be run");
        symlink("AGENTS.md", root.join("CLAUDE.md")).unwrap();
        changed("a link");
        let found = scan(root).unwrap();
        assert_eq!(found.instructions.len(), 1);
        assert_eq!(found.instructions[0].text, "use spaces");
        let kinds: Vec<_> = found
            .parts
            .iter()
            .map(|p| (p.path.as_str(), p.kind.as_str()))
            .collect();
        assert_eq!(
            kinds,
            [
                (".claude/skills/b/SKILL.md", "file"),
                (".mcp.json", "program"),
                ("AGENTS.md", "file"),
                ("CLAUDE.md", "link")
            ]
        );
    }

    #[test]
    fn what_nobody_could_look_at_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::write(root.join("AGENTS.md"), "x".repeat(LONGEST + 1)).unwrap();
        assert!(scan(root).unwrap_err().to_string().contains("32 KiB"));
        std::fs::remove_file(root.join("AGENTS.md")).unwrap();
        nix::unistd::mkfifo(&root.join(".mcp.json"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(scan(root).unwrap_err().to_string().contains("neither"));
    }
}
