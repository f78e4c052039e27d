//! An answer by a signature: whose counts is said by the owner's file, and one signature is good for one answer to one
//! ticket. With the real ssh-keygen, at the real team.

use crate::AI_INFRA;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tests::leave::{PIN, Stage};
use tests::team::Team;

struct Desk {
    stage: Stage,
    keys: PathBuf,
}

impl Desk {
    fn new() -> Option<Self> {
        if Command::new("ssh-keygen")
            .arg("-V")
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .stdin(Stdio::null())
            .status()
            .is_err()
        {
            eprintln!("skipped: no ssh-keygen; scripts/test.sh installs it");
            return None;
        }
        let stage = Stage::new(Team::new(AI_INFRA), "ask", "");
        let keys = stage.team.scratch("keys");
        let desk = Self { stage, keys };
        for name in ["ada", "stranger"] {
            let made = desk.keygen(
                &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name],
                "",
            );
            assert!(made.is_empty(), "{made}");
        }
        let public = fs::read_to_string(desk.keys.join("ada.pub")).expect("a key");
        let signers = desk.keys.join("signers");
        fs::write(&signers, format!("ada {public}")).expect("a file");
        desk.mode(0o644);
        let rules = desk.stage.team.home().join("config/permissions.yaml");
        let mut text = fs::read_to_string(&rules).expect("rules");
        text.push_str(&format!(
            "principals: {{allowed_signers: {}, pin: false}}\n",
            signers.display()
        ));
        fs::write(rules, text).expect("a file");
        desk.stage.team.up();
        Some(desk)
    }

    fn mode(&self, mode: u32) {
        let signers = self.keys.join("signers");
        fs::set_permissions(signers, PermissionsExt::from_mode(mode)).expect("chmod");
    }

    fn keygen(&self, args: &[&str], input: &str) -> String {
        let mut child = Command::new("ssh-keygen")
            .args(args)
            .current_dir(&self.keys)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("ssh-keygen");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), input.as_bytes())
            .expect("it reads");
        let out = child.wait_with_output().expect("it ends");
        String::from_utf8(out.stdout).expect("text")
    }

    fn to_sign(&self, id: &str, answer: &str) -> String {
        let shown = self
            .stage
            .team
            .ai(&["approvals", "show", id, "--to-sign", answer]);
        shown.expect(0).stdout
    }

    fn signed(&self, who: &str, namespace: &str, text: &str) -> String {
        self.keygen(&["-q", "-Y", "sign", "-f", who, "-n", namespace], text)
    }

    /// An answer with a signature on standard input that is not taken.
    fn refused(&self, id: &str, mark: &str, signature: &str, words: &str) {
        let ran = self.stage.typed(
            &["approvals", "approve", id, mark, "--signature", "-"],
            signature,
        );
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
        assert_ne!(ran.code, 0);
    }
}

#[test]
fn a_key_answers_for_whom_the_owner_named_and_each_signature_once() {
    const NAMESPACE: &str = "ai-infra-approval";
    let Some(desk) = Desk::new() else { return };
    let stage = &desk.stage;
    stage.begin();
    let (id, mark) = stage.asked("t1");
    // A PIN is not taken where the rules say so, one that is kept either.
    stage.keeps_pin();
    let ran = stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(4);
    assert!(ran.stderr.contains("take no PIN"), "{ran:#?}");
    let yes = desk.to_sign(&id, "approve");
    assert!(yes.contains(&format!("ticket: {id} {mark}\n")), "{yes}");
    let no = desk.to_sign(&id, "deny");
    for (signature, words) in [
        (desk.signed("stranger", NAMESPACE, &yes), "nobody whom"),
        (desk.signed("ada", "git", &yes), "does not hold"),
        (desk.signed("ada", NAMESPACE, &no), "does not hold"),
        (
            desk.signed("ada", NAMESPACE, &desk.to_sign(&id, "for-task")),
            "does not hold",
        ),
        (desk.signed("ada", NAMESPACE, "approve"), "does not hold"),
        ("approve".to_owned(), "holds no signature"),
    ] {
        desk.refused(&id, &mark, &signature, words);
    }
    // A file that others can write names nobody.
    desk.mode(0o666);
    let good = desk.signed("ada", NAMESPACE, &yes);
    desk.refused(&id, &mark, &good, "is not taken");
    desk.mode(0o644);
    desk.refused(&id, "zzzz", &good, "does not stand for");
    assert_eq!(
        (stage.ticket(&id)["state"].as_str(), stage.effects()),
        (Some("requested"), 0)
    );
    // The key's owner says yes.
    let key = desk.keys.join("ada").display().to_string();
    let ran = stage
        .team
        .ai(&["approvals", "approve", &id, &mark, "--sign", &key])
        .expect(0);
    assert!(ran.stdout.contains("is approved, once"), "{ran:#?}");
    stage.comes_to("t1", "done");
    let said = stage.ticket(&id)["said"].clone();
    assert_eq!(said["by"], "ada", "{said:#}");
    assert!(
        said["key"]
            .as_str()
            .is_some_and(|key| key.contains("SHA256:")),
        "{said:#}"
    );
    // The same signature again, for the same ticket and for the next.
    desk.refused(&id, &mark, &good, "used already");
    stage.begin();
    let (second, mark) = stage.asked("t2");
    desk.refused(&second, &mark, &good, "does not hold");
    // One that was made elsewhere.
    let good = desk.signed("ada", NAMESPACE, &desk.to_sign(&second, "approve"));
    let words = ["approvals", "approve", &second, &mark, "--signature", "-"];
    stage.typed(&words, &good).expect(0);
    stage.comes_to("t2", "done");
    // A no is signed too.
    stage.begin();
    let (third, _) = stage.asked("t3");
    stage
        .team
        .ai(&["approvals", "deny", &third, "--sign", &key])
        .expect(0);
    stage.comes_to("t3", "failed");
    assert_eq!(stage.effects(), 2);
    let tail = stage
        .team
        .ai(&["audit", "tail", "-n", "200"])
        .expect(0)
        .stdout;
    assert!(tail.contains("signed with ED25519 key SHA256:"), "{tail}");
    stage.intact();
    stage.team.down();
}
