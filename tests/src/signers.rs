//! People with ssh keys, and the files that name whose signatures count: made by the real ssh-keygen.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a signature of an answer, or of trust, is made for.
pub const NAMESPACE: &str = "ai-infra-approval";

/// Keys in one folder, and the owner's two files beside them.
pub struct Signers {
    folder: PathBuf,
}

impl Signers {
    /// A key for each name; whoever is `counted` is in the file of allowed signers. `None` where there is no ssh-keygen.
    pub fn new(folder: PathBuf, names: &[&str], counted: &[&str]) -> Option<Self> {
        let looked = Command::new("ssh-keygen")
            .arg("-V")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if looked.is_err() {
            eprintln!("skipped: no ssh-keygen; scripts/test.sh installs it");
            return None;
        }
        let signers = Self { folder };
        for name in names {
            let args = ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name];
            let said = signers.keygen(&args, "");
            assert!(said.is_empty(), "{said}");
        }
        let line = |name: &&str| format!("{name} {}", signers.public(name));
        signers.write("signers", &counted.iter().map(line).collect::<String>());
        signers.write("revoked", "");
        Some(signers)
    }

    /// What permissions.yaml says of them.
    pub fn principals(&self) -> String {
        format!(
            "principals: {{allowed_signers: {}, revoked: {}, pin: false}}\n",
            self.file("signers"),
            self.file("revoked")
        )
    }

    /// The path of a key, or of a file beside them.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Says that a key counts no more.
    pub fn revoke(&self, name: &str) {
        self.write("revoked", &self.public(name));
    }

    /// Who may write the file of allowed signers.
    pub fn mode(&self, mode: u32) {
        let file = self.folder.join("signers");
        fs::set_permissions(file, PermissionsExt::from_mode(mode)).expect("chmod");
    }

    /// A signature of a text, made for a purpose.
    pub fn signed(&self, who: &str, namespace: &str, text: &str) -> String {
        self.keygen(&["-q", "-Y", "sign", "-f", who, "-n", namespace], text)
    }

    fn public(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{name}.pub"))).expect("a key")
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.folder.join(name);
        fs::write(&file, text).expect("a file");
        fs::set_permissions(file, PermissionsExt::from_mode(0o644)).expect("chmod");
    }

    fn keygen(&self, args: &[&str], input: &str) -> String {
        let mut child = Command::new("ssh-keygen")
            .args(args)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ssh-keygen");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(input.as_bytes()).expect("it reads");
        drop(pipe);
        let out = child.wait_with_output().expect("it ends");
        assert!(out.status.success(), "{args:?}");
        String::from_utf8(out.stdout).expect("text")
    }
}
