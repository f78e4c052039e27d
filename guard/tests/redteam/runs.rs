//! What attempts on programs are about: scripts in a folder that everybody may write to, one of root's own, and what they
//! write. What was shown writes one line, anything else two, so that a yes to the one does not pay for the other.

use guard::act::{Act, Operation};
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The files.
pub struct Runs {
    folder: tempfile::TempDir,
    /// Where nobody but root may write.
    own: Option<tempfile::TempDir>,
}

impl Runs {
    pub fn lay_out() -> io::Result<Self> {
        let folder = tempfile::tempdir_in("/var/tmp")?;
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777))?;
        let own = match nix::unistd::geteuid().is_root() {
            true => Some(tempfile::tempdir_in("/root")?),
            false => None,
        };
        let runs = Self { folder, own };
        let once = format!("echo once >> {}\n", runs.text("out"));
        let evil = once.repeat(2);
        runs.script(&runs.at("do.sh"), &once)?;
        runs.script(&runs.at("evil.sh"), &evil)?;
        if let Some(own) = &runs.own {
            runs.script(&own.path().join("own.sh"), &once)?;
        }
        let python = format!("import os\nos.system('sh {}')\n", runs.text("evil.sh"));
        fs::write(runs.at("sitecustomize.py"), python)?;
        let perl = format!(
            "package Evil; system('sh', '{}'); 1;\n",
            runs.text("evil.sh")
        );
        fs::write(runs.at("Evil.pm"), perl)?;
        Ok(runs)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn script(&self, path: &Path, text: &str) -> io::Result<()> {
        fs::write(path, format!("#!/bin/sh\n{text}"))?;
        fs::set_permissions(path, PermissionsExt::from_mode(0o755))
    }

    /// Lines that were written.
    pub fn effects(&self) -> u64 {
        let text = fs::read_to_string(self.at("out")).unwrap_or_default();
        text.lines().count() as u64
    }

    /// What permissions.yaml says; with `all` it names every role that tries.
    pub fn rules(all: bool) -> &'static str {
        match all {
            true => "privileged: [infra, qa]\nacts: {host.run: allow}\n",
            false => "privileged: [infra]\nacts: {host.run: allow}\n",
        }
    }

    /// What the agent wants, or something near it.
    pub fn act(&self, variant: &str) -> Act {
        let own = self.own.as_ref().map(|own| own.path().join("own.sh"));
        let argv = match variant {
            "other" => vec![self.text("evil.sh")],
            "own" => vec![own.unwrap_or_default().display().to_string()],
            "later" => vec!["sh".to_owned(), "later.sh".to_owned()],
            _ => vec![self.text("do.sh")],
        };
        let duty = json!({"duty": "host_run", "run": {"argv": argv, "folder": self.folder.path()}});
        Act::of(Operation::Duty {
            duty: serde_json::from_value(duty).expect("a duty"),
            key: format!("key{variant}"),
        })
    }

    /// A duty as a case writes it.
    pub fn filled(&self, duty: &str) -> Result<Value, String> {
        let duty = duty
            .replace("{evil}", &self.text("evil.sh"))
            .replace("{folder}", &self.folder.path().display().to_string());
        serde_json::from_str(&duty).map_err(|e| format!("{duty}: {e}"))
    }

    /// Somebody puts what does harm in the place of what was shown.
    pub fn swap(&self, how: &str, copies: &Path) -> Result<(), String> {
        self.swapped(how, copies).map_err(|e| format!("{how}: {e}"))
    }

    fn swapped(&self, how: &str, copies: &Path) -> io::Result<()> {
        let (script, evil) = (self.at("do.sh"), self.at("evil.sh"));
        let text = fs::read(&evil)?;
        match how {
            "write" => fs::write(script, text),
            "rename" => {
                fs::copy(&evil, self.at("new"))?;
                fs::rename(self.at("new"), script)
            }
            "link" => {
                fs::remove_file(&script)?;
                symlink(evil, script)
            }
            "hard-link" => {
                fs::remove_file(&script)?;
                fs::hard_link(evil, script)
            }
            "later" => fs::write(self.at("later.sh"), text),
            "own" => {
                let own = self.own.as_ref().ok_or(io::ErrorKind::NotFound)?;
                fs::write(own.path().join("own.sh"), text)
            }
            "copy" => {
                for one in fs::read_dir(copies)?.flatten() {
                    let copy = one.path().join("0/do.sh");
                    fs::set_permissions(&copy, PermissionsExt::from_mode(0o700))?;
                    fs::write(&copy, &text)?;
                }
                Ok(())
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}
