//! Whose signature it is, as the real ssh-keygen says: the owner's file decides, and nobody's else counts for anything.

use super::{Warden, ends, is_there};
use protocol::duty::order::{End, ORDER_VERSION, Outcome, Signed};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const NAMESPACE: &str = "ai-infra-approval";
const TEXT: &str = "ticket: a41 9c1e\nanswer: approve\n";

struct Keys {
    folder: tempfile::TempDir,
    warden: Warden,
}

impl Keys {
    fn new() -> Option<Self> {
        if !is_there("ssh-keygen") {
            eprintln!("skipped: no ssh-keygen; `apt-get install openssh-client` gets it");
            return None;
        }
        let keys = Self {
            folder: tempfile::tempdir().unwrap(),
            warden: Warden::new(
                json!({"services": {}, "sites": null, "packages": null, "containers": null}),
            ),
        };
        for name in ["ada", "bob", "stranger", "late", "mail"] {
            keys.keygen(
                &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name],
                "",
            );
        }
        let line = |name: &str, options: &str| {
            let public = fs::read_to_string(keys.at(&format!("{name}.pub"))).unwrap();
            format!("{name} {options}{public}")
        };
        let signers = [
            line("ada", ""),
            line("bob", ""),
            line("late", "valid-before=\"20200101\" "),
            line("mail", "namespaces=\"git\" "),
        ];
        fs::write(keys.at("signers"), signers.concat()).unwrap();
        fs::copy(keys.at("bob.pub"), keys.at("revoked")).unwrap();
        for name in ["signers", "revoked"] {
            fs::set_permissions(keys.at(name), PermissionsExt::from_mode(0o644)).unwrap();
        }
        Some(keys)
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn keygen(&self, args: &[&str], input: &str) -> String {
        let mut child = Command::new("ssh-keygen")
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{args:?}");
        String::from_utf8(out.stdout).unwrap()
    }

    fn sign(&self, who: &str, namespace: &str, text: &str) -> String {
        self.keygen(&["-Y", "sign", "-f", who, "-n", namespace], text)
    }

    fn asked(&self, signature: &str) -> Value {
        let file = |name| self.at(name).display().to_string();
        serde_json::to_value(Signed {
            v: ORDER_VERSION,
            signers: file("signers"),
            revoked: Some(file("revoked")),
            namespace: NAMESPACE.to_owned(),
            text: TEXT.to_owned(),
            signature: signature.to_owned(),
        })
        .unwrap()
    }

    fn said(&self, asked: &Value) -> Outcome {
        self.warden.say(&asked.to_string())
    }
}

#[test]
fn only_whom_the_owner_names_signs_and_only_this() {
    let Some(keys) = Keys::new() else { return };
    let good = keys.asked(&keys.sign("ada", NAMESPACE, TEXT));
    let said = keys.said(&good);
    ends(&said, End::Done, "signed by ada");
    assert_eq!(said.data["principal"], "ada");
    let key = said.data["key"].as_str().unwrap();
    assert!(key.starts_with("ED25519 key SHA256:"), "{key}");
    for (signature, words) in [
        (keys.sign("stranger", NAMESPACE, TEXT), "nobody whom"),
        (keys.sign("late", NAMESPACE, TEXT), "nobody whom"),
        (keys.sign("mail", NAMESPACE, TEXT), ""),
        (keys.sign("bob", NAMESPACE, TEXT), "does not hold"),
        (keys.sign("ada", "git", TEXT), "does not hold"),
        (
            keys.sign("ada", NAMESPACE, "ticket: a42 9c1e\nanswer: approve\n"),
            "does not hold",
        ),
        (String::new(), "nobody whom"),
        (
            "-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n".to_owned(),
            "nobody whom",
        ),
        ("x".repeat(20_000), "too long"),
    ] {
        ends(&keys.said(&keys.asked(&signature)), End::Not, words);
    }
    // The control: bob counts while nobody took his key back.
    let mut bob = keys.asked(&keys.sign("bob", NAMESPACE, TEXT));
    bob["revoked"] = Value::Null;
    ends(&keys.said(&bob), End::Done, "signed by bob");
}

#[test]
fn a_file_that_others_can_write_names_nobody() {
    let Some(keys) = Keys::new() else { return };
    let good = keys.asked(&keys.sign("ada", NAMESPACE, TEXT));
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    for (path, bad, usual) in [
        (keys.at("signers"), 0o664, 0o644),
        (keys.at("revoked"), 0o646, 0o644),
        (keys.folder.path().to_owned(), 0o777, 0o700),
    ] {
        mode(&path, bad);
        ends(&keys.said(&good), End::Not, "is not taken");
        mode(&path, usual);
    }
    let mut gone = good.clone();
    gone["signers"] = json!("/nonexistent/signers");
    ends(&keys.said(&gone), End::Not, "cannot be read");
    // Several with one key: nobody knows who it was.
    let ada = fs::read_to_string(keys.at("ada.pub")).unwrap();
    fs::write(keys.at("signers"), format!("ada,bob {ada}")).unwrap();
    ends(&keys.said(&good), End::Not, "a line of its own");
    fs::write(keys.at("signers"), format!("ada {ada}")).unwrap();
    ends(&keys.said(&good), End::Done, "signed by ada");
}
