//! What a git place is reached with: a token over https, a key over ssh. A token goes to git's own question for
//! a password alone; ssh never asks a person, and takes no host that is not known.

use config::secret::Secret;
use std::path::{Path, PathBuf};

/// What a person set; all of it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// For https.
    pub token: Option<Secret>,
    /// File of a private key for ssh; `None` = as the user's own ssh finds it.
    pub ssh_key: Option<PathBuf>,
    /// File of host keys; `None` = the user's own.
    pub known_hosts: Option<PathBuf>,
}

impl Login {
    /// How git calls ssh for a URL; `None` where it does not, or where the user's git has a way of its own and
    /// nothing else is named here. A connection that stands still for a minute is given up.
    pub fn ssh(&self, url: &str, has_own: impl FnOnce() -> bool) -> Option<String> {
        let over = url.starts_with("ssh://") || !url.contains("://");
        let said = self.ssh_key.is_some() || self.known_hosts.is_some();
        if !over || (!said && has_own()) {
            return None;
        }
        let mut command = "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=20 -o ServerAliveCountMax=3".to_owned();
        if let Some(key) = &self.ssh_key {
            command.push_str(" -o IdentitiesOnly=yes -i ");
            command.push_str(&in_shell(key));
        }
        if let Some(known) = &self.known_hosts {
            // Inside the option ssh takes words apart once more.
            let file = format!("UserKnownHostsFile=\"{}\"", known.display());
            command.push_str(" -o StrictHostKeyChecking=yes -o ");
            command.push_str(&in_shell(Path::new(&file)));
        }
        Some(command)
    }
}

/// A word as a shell takes it.
fn in_shell(word: &Path) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_never_asks_and_takes_the_files_that_were_named() {
        let named = Login {
            ssh_key: Some("/k's/id".into()),
            known_hosts: Some("/a b/known".into()),
            ..Login::default()
        };
        let plain = Login::default();
        let (key, known) = (
            r"IdentitiesOnly=yes -i '/k'\''s/id'",
            "'UserKnownHostsFile=\"/a b/known\"'",
        );
        for (login, url, has_own, expected) in [
            (&plain, "https://h/a", false, None),
            (&plain, "file:///a", false, None),
            (&plain, "ssh://git@h/a", false, Some("BatchMode=yes")),
            (&plain, "git@h:a", false, Some("ServerAliveCountMax=3")),
            (&plain, "git@h:a", true, None),
            (&named, "git@h:a", true, Some(key)),
            (&named, "git@h:a", false, Some(known)),
        ] {
            let said = login.ssh(url, || has_own);
            match expected {
                None => assert_eq!(said, None, "{url}"),
                Some(part) => assert!(said.as_ref().is_some_and(|s| s.contains(part)), "{said:?}"),
            }
        }
    }
}
