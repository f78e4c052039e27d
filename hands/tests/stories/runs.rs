//! Programs that are run once: what is shown, what runs, how it ends, and that nothing it started stays.

use super::{HANDS, Warden, ends};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::Pid;
use protocol::duty::order::{End, Order, Outcome, Wish};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::processes::wait_until;

const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that everybody may write to, and whoever runs programs from it.
struct Place {
    warden: Warden,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let terms = json!({"services": {}, "sites": null, "packages": null, "containers": null, "privileged": true});
        Self {
            warden: Warden::new(terms),
            folder: tempfile::tempdir_in("/var/tmp").unwrap(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Named as nothing else is: processes of a run are known by it.
    fn copies(&self) -> PathBuf {
        let own = self.folder.path().file_name().expect("a name");
        self.at("copies").join(own)
    }

    fn script(&self, name: &str, text: &str) -> String {
        fs::write(self.at(name), text).unwrap();
        fs::set_permissions(self.at(name), PermissionsExt::from_mode(0o755)).unwrap();
        self.at(name).display().to_string()
    }

    fn duty(&self, argv: &Value, more: &Value) -> Value {
        let mut run = json!({"argv": argv, "folder": self.folder.path()});
        run.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"duty": "host_run", "run": run})
    }

    fn order(&self, wish: Wish, duty: &Value, before: Value) -> Order {
        Order {
            copies: Some(self.copies().display().to_string()),
            ..self.warden.order(wish, duty, before)
        }
    }

    fn look(&self, duty: &Value) -> Outcome {
        self.warden.give(&self.order(Wish::Look, duty, Value::Null))
    }

    fn make(&self, duty: &Value, before: &Value) -> Outcome {
        self.warden
            .give(&self.order(Wish::Make, duty, before.clone()))
    }

    fn ran(&self, argv: &Value, more: &Value) -> Outcome {
        let duty = self.duty(argv, more);
        let look = self.look(&duty);
        assert_eq!(look.end, End::Done, "{look:#?}");
        self.make(&duty, &look.before)
    }

    /// Begins it, and does not wait.
    fn begun(&self, duty: &Value) -> Child {
        let look = self.look(duty);
        let child = started();
        self.told(child, duty, look.before)
    }

    fn told(&self, mut child: Child, duty: &Value, before: Value) -> Child {
        let order = self.order(Wish::Make, duty, before);
        let text = serde_json::to_string(&order).unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        child
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    fn pid(&self, name: &str) -> i32 {
        assert!(
            wait_until(PATIENCE, || self.read(name).ends_with('\n')),
            "no {name}"
        );
        self.read(name).trim().parse().expect("a number")
    }
}

fn started() -> Child {
    let mut hands = Command::new(HANDS);
    hands.env_clear().stdin(Stdio::piped());
    hands.stdout(Stdio::piped()).spawn().expect("it starts")
}

fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn shown(look: &Outcome, label: &str) -> String {
    let found = look.shown.iter().find(|(known, _)| known == label);
    found
        .map(|(_, text)| text.clone())
        .unwrap_or_else(|| panic!("no {label}: {look:#?}"))
}

#[test]
fn a_program_runs_with_what_was_shown_and_nothing_else() {
    let place = Place::new();
    let said = place.ran(&json!(["env"]), &json!({"env": {"SHOP": "1 2"}}));
    ends(&said, End::Done, "exit code 0");
    let text = said.data["output"].as_str().unwrap();
    let mut names: Vec<&str> = text.lines().filter_map(|l| l.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "AI_INFRA_RUN",
            "HOME",
            "LC_ALL",
            "LOGNAME",
            "PATH",
            "SHOP",
            "USER"
        ]
    );
    assert!(
        text.contains("PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin\n"),
        "{text}"
    );
    // Another code than nought is a result.
    let said = place.ran(
        &json!(["sh", "-c", "pwd; echo bad >&2; cat; exit 3"]),
        &json!({}),
    );
    ends(&said, End::Done, "exit code 3");
    assert_eq!(said.data["exit"], 3);
    assert_eq!(
        said.data["output"],
        format!("{}\nbad\n", place.folder.path().display())
    );
    // No terminal, whoever looks for one.
    let said = place.ran(&json!(["sh", "-c", "echo x > /dev/tty"]), &json!({}));
    assert_ne!(said.data["exit"], 0, "{said:#?}");
    let said = place.ran(&json!(["sh", "-c", "kill -9 $$"]), &json!({}));
    ends(&said, End::Done, "signal 9");
}

#[test]
fn what_is_shown_cannot_be_mistaken() {
    let place = Place::new();
    let script = place.script("do it.sh", "#!/bin/sh\necho p\u{430}sswd \u{202e}\n");
    let look = place.look(&place.duty(
        &json!([script, "a\u{202e}b\n", ""]),
        &json!({"env": {"SHOP": "\u{430}"}}),
    ));
    let plain = |(_, text): &(String, String)| text.bytes().all(|b| (b' '..=b'~').contains(&b));
    assert!(look.shown.iter().all(plain), "{look:#?}");
    assert_eq!(shown(&look, "word 1"), format!("\"{script}\""));
    assert_eq!(shown(&look, "word 2"), "\"a\\u{202e}b\\n\"");
    assert_eq!(shown(&look, "word 3"), "\"\"");
    assert_eq!(shown(&look, "variables"), "SHOP=\"\\u{430}\"");
    assert_eq!(shown(&look, "program:1"), "#!/bin/sh");
    assert_eq!(
        shown(&look, "program:2 escaped"),
        "\"echo p\\u{430}sswd \\u{202e}\""
    );
    assert!(shown(&look, "file (program)").contains("a copy, taken now"));
    assert!(shown(&look, "file (interpreter)").contains("only root can change it"));
    assert!(shown(&look, "runs as").contains("uid"));
    // What is no script is told by its digest alone.
    fs::write(place.at("key"), "do not tell\n").unwrap();
    let look = place.look(&place.duty(&json!(["cat", "key"]), &json!({})));
    assert!(
        shown(&look, "file (word 2)").contains("SHA-256")
            && !format!("{look:?}").contains("do not tell")
    );
}

#[test]
fn what_was_copied_is_what_runs_whatever_becomes_of_the_file() {
    let place = Place::new();
    let script = place.script("do.sh", "#!/bin/sh\necho as shown; cat \"$1\"\n");
    fs::write(place.at("in.txt"), "as it was\n").unwrap();
    let evil = place.script("evil.sh", "#!/bin/sh\necho evil\n");
    for swap in ["write", "rename", "link", "folder"] {
        place.script("do.sh", "#!/bin/sh\necho as shown; cat \"$1\"\n");
        fs::write(place.at("in.txt"), "as it was\n").unwrap();
        let duty = place.duty(&json!([script, "in.txt"]), &json!({}));
        let look = place.look(&duty);
        match swap {
            "write" => fs::write(&script, "#!/bin/sh\necho evil\n").unwrap(),
            "rename" => {
                fs::copy(&evil, place.at("other")).unwrap();
                fs::rename(place.at("other"), &script).unwrap();
            }
            "link" => {
                fs::remove_file(&script).unwrap();
                std::os::unix::fs::symlink(&evil, &script).unwrap();
            }
            _ => fs::remove_file(&script).unwrap(),
        }
        fs::write(place.at("in.txt"), "evil\n").unwrap();
        let said = place.make(&duty, &look.before);
        ends(&said, End::Done, "exit code 0");
        assert_eq!(said.data["output"], "as shown\nas it was\n", "{swap}");
        let _may_be_a_link = fs::remove_file(&script);
    }
    // The program and the data are the same where nobody changed them, and a forged copy is not run.
    let script = place.script("again.sh", "#!/bin/sh\necho as shown\n");
    let duty = place.duty(&json!([script]), &json!({}));
    let look = place.look(&duty);
    let copy = place.copies().join("0/again.sh");
    fs::set_permissions(&copy, PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(&copy, "#!/bin/sh\necho evil\n").unwrap();
    ends(
        &place.make(&duty, &look.before),
        End::Not,
        "is not what was shown",
    );
}

#[test]
fn what_was_meant_to_change_a_file_and_changed_its_copy_says_so() {
    let place = Place::new();
    fs::write(place.at("log"), "old\n").unwrap();
    let said = place.ran(&json!(["rm", "-f", "log"]), &json!({}));
    ends(&said, End::Failed, "the file itself is as it was");
    assert_eq!(place.read("log"), "old\n");
    // Named within a shell it is what it is.
    let said = place.ran(&json!(["sh", "-c", "rm log"]), &json!({}));
    ends(&said, End::Done, "exit code 0");
    assert!(!place.at("log").exists());
}

#[test]
fn its_time_ends_all_that_it_started() {
    let place = Place::new();
    // One that leaves its parent, its session and its group, and hears no word.
    place.script(
        "deep.sh",
        "#!/bin/sh\ntrap '' TERM\necho $$ > deep\nsleep 300 & wait\nsleep 300\n",
    );
    let script = place.script(
        "tree.sh",
        "#!/bin/sh\n(setsid ./deep.sh &)\necho said\nsleep 300\n",
    );
    let began = Instant::now();
    let said = place.ran(&json!([script]), &json!({"seconds": 2}));
    ends(&said, End::Failed, "did not end within 2 s");
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        (said.data["late"].clone(), said.data["output"].clone()),
        (json!(true), json!("said\n"))
    );
    assert!(!lives(place.pid("deep")));
    // What a program leaves behind ends with it, and is told.
    let said = place.ran(
        &json!(["sh", "-c", "setsid sleep 300 & echo $! > left; sleep 0.2"]),
        &json!({}),
    );
    ends(
        &said,
        End::Done,
        "1 process was left running and ended with it",
    );
    assert!(!lives(place.pid("left")));
}

#[test]
fn the_word_to_stop_ends_it_within_a_second() {
    let place = Place::new();
    let duty = place.duty(
        &json!([
            "sh",
            "-c",
            "trap '' TERM; setsid sleep 300 & echo $! > pid; sleep 300"
        ]),
        &json!({}),
    );
    let mut hands = place.begun(&duty);
    let deep = place.pid("pid");
    let began = Instant::now();
    kill(Pid::from_raw(hands.id().cast_signed()), Signal::SIGTERM).unwrap();
    let mut text = String::new();
    hands
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    hands.wait().unwrap();
    let said: Outcome = serde_json::from_str(&text).unwrap();
    ends(&said, End::Failed, "it was told to stop (freeze)");
    assert!(!lives(deep));
}

#[test]
fn a_word_that_comes_before_the_hands_listen_is_heard_before_anything_is_begun() {
    let place = Place::new();
    let duty = place.duty(&json!(["sh", "-c", "echo once >> count"]), &json!({}));
    let look = place.look(&duty);
    for (word, why) in [(Signal::SIGUSR1, "its task"), (Signal::SIGTERM, "freeze")] {
        // As the warden starts them.
        let mut words = SigSet::empty();
        words.add(word);
        let before = words.thread_swap_mask(SigmaskHow::SIG_BLOCK).unwrap();
        let hands = started();
        before.thread_set_mask().unwrap();
        kill(Pid::from_raw(hands.id().cast_signed()), word).unwrap();
        let hands = place.told(hands, &duty, look.before.clone());
        let said = hands.wait_with_output().unwrap();
        let said: Outcome = serde_json::from_slice(&said.stdout).unwrap();
        ends(&said, End::Not, &format!("it was told to stop ({why}"));
    }
    assert_eq!(place.read("count"), "");
}

#[test]
fn what_dead_hands_left_is_ended_and_never_run_again() {
    let place = Place::new();
    let text = "echo once >> count; setsid sh -c 'echo $$ > pid; sleep 300' & sleep 300";
    let duty = place.duty(&json!(["sh", "-c", text]), &json!({}));
    let mut hands = place.begun(&duty);
    let deep = place.pid("pid");
    hands.kill().unwrap();
    hands.wait().unwrap();
    assert!(lives(deep));
    let said = place
        .warden
        .give(&place.order(Wish::Settle, &duty, json!({})));
    ends(&said, End::Unknown, "nobody knows how far it came");
    assert!(!lives(deep));
    assert_eq!(place.read("count"), "once\n");
    // Nothing of another run is touched.
    let mut other = Command::new("sleep")
        .arg("300")
        .env("AI_INFRA_RUN", "abd")
        .spawn()
        .unwrap();
    ends(
        &place
            .warden
            .give(&place.order(Wish::Settle, &duty, json!({}))),
        End::Unknown,
        "cut off",
    );
    assert!(lives(other.id().cast_signed()));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn nothing_steers_it_and_nobody_else_has_it_done() {
    let place = Place::new();
    for (name, value) in [
        ("LD_PRELOAD", "/x.so"),
        ("BASH_ENV", "/x"),
        ("PATH", "/tmp"),
    ] {
        let said = place.look(&place.duty(&json!(["id"]), &json!({"env": {name: value}})));
        ends(&said, End::Not, "steers what a program loads or runs");
    }
    ends(
        &place.look(&place.duty(&json!(["id"]), &json!({"folder": "/no/such"}))),
        End::Not,
        "there is no folder",
    );
    let mut order = place.order(
        Wish::Look,
        &place.duty(&json!(["id"]), &json!({})),
        Value::Null,
    );
    order.terms.privileged = false;
    ends(
        &place.warden.give(&order),
        End::Not,
        "`permissions.privileged`",
    );
    let order = place.order(
        Wish::Make,
        &place.duty(&json!(["id"]), &json!({})),
        json!({"bound": 1}),
    );
    ends(&place.warden.give(&order), End::Not, "not known any more");
    assert!(Path::new("/usr/bin/id").exists());
}
