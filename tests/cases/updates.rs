//! Security updates by a whole team and a real apt, in a root of its own: a person is shown what apt would do, exactly
//! that is installed, and a freeze in the middle of it leaves no package half unpacked and begins nothing else.

use crate::AI_INFRA;
use crate::duty_stage::record_of;
use serde_json::json;
use std::fs;
use tests::leave::{PATIENCE, PIN, Stage};
use tests::packages::Root;
use tests::processes::wait_until;
use tests::team::Team;

/// A team whose warden may install updates below a root, and replace one file.
fn stage(root: &Root, rule: &str) -> Stage {
    let stage = Stage::new(Team::new(AI_INFRA), "allow", "");
    let notice = stage.work.join("notice");
    fs::write(&notice, "before\n").expect("a file");
    let permissions = format!(
        "acts: {{packages.install: {rule}, file.change: allow}}\noperations:\n  packages: {{agents: [infra], config: '{}'}}\n  files: {{agents: [infra], paths: ['{}']}}\n",
        root.text("apt.conf"),
        notice.display()
    );
    fs::write(
        stage.team.home().join("config/permissions.yaml"),
        permissions,
    )
    .expect("a file");
    stage.team.up();
    stage
}

fn begin(stage: &Stage) -> String {
    let words = ["run", "install the security updates", "--no-wait", "--json"];
    let begun = stage.team.ai(&words).expect(0).json();
    begun["short_id"].as_str().expect("a task").to_owned()
}

/// What dpkg says of a package.
fn status(root: &Root, name: &str) -> String {
    let text = fs::read_to_string(root.at("var/lib/dpkg/status")).expect("dpkg's status");
    let head = format!("Package: {name}\n");
    let found = text.split("\n\n").find(|part| part.contains(&head));
    found.unwrap_or_default().to_owned()
}

#[test]
fn exactly_what_a_person_was_shown_is_installed() {
    let Some(root) = Root::new() else { return };
    let stage = stage(&root, "ask");
    stage.keeps_pin();
    let task = begin(&stage);
    let (id, mark) = stage.asked(&task);
    let page = stage.team.ai(&["approvals", "show", &id]).expect(0).stdout;
    for words in [
        "shop-lib 1.0-1 → 1.0-2",
        "services are not restarted by it",
        "packages.install = ask",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("shop-tool"), "{page}");
    assert_eq!(root.installed("shop-lib"), "1.0-1");
    // A newer one comes between the question and the yes: nobody was asked about that.
    root.publish("shop-lib", "1.0-3");
    let yes = ["approvals", "approve", &id, &mark];
    stage.typed(&yes, &format!("{PIN}\n")).expect(0);
    stage.comes_to(&task, "done");
    let report = stage.task(&task)["document"]["result"].take();
    let report = report.as_str().unwrap_or_default();
    for words in ["1 security update is installed", "shop-lib 1.0-1 → 1.0-2"] {
        assert!(report.contains(words), "{words}: {report}");
    }
    let both = || (root.installed("shop-lib"), root.installed("shop-tool"));
    assert_eq!(both(), ("1.0-2".to_owned(), "1.0-1".to_owned()));
    assert!(status(&root, "shop-lib").contains("Status: install ok installed"));
    // The newer one is another question, and no is no.
    let task = begin(&stage);
    let (id, _) = stage.asked(&task);
    let page = stage.team.ai(&["approvals", "show", &id]).expect(0).stdout;
    assert!(page.contains("shop-lib 1.0-2 → 1.0-3"), "{page}");
    let no = ["approvals", "deny", &id, "--because", "tomorrow"];
    stage.typed(&no, &format!("{PIN}\n")).expect(0);
    stage.comes_to(&task, "failed");
    assert_eq!(both(), ("1.0-2".to_owned(), "1.0-1".to_owned()));
    let expected = ["InstallUpdates before ", "InstallUpdates after done"];
    assert_eq!(record_of(&stage.team), expected);
    stage.team.down();
}

#[test]
fn freeze_lets_packages_be_unpacked_to_the_end_and_begins_nothing_else() {
    let Some(root) = Root::new() else { return };
    let stage = stage(&root, "allow");
    root.hold(true);
    let task = begin(&stage);
    assert!(
        wait_until(PATIENCE, || root.is_held()),
        "{:#}",
        stage.task(&task)
    );
    stage.team.ai(&["freeze"]).expect(0);
    let notice = stage.work.join("notice");
    let read = || fs::read_to_string(&notice).expect("the file");
    let duty = json!({"duty": "put_file", "path": notice.display().to_string(), "text": "after\n"});
    let other = json!({"task": "0197-x", "short": "t9", "step": "s", "agent": "infra", "principal": "x", "level": 2, "kind": "file.change",
        "undo": null, "claimed": "", "action": {"do": "duty", "key": "aa12", "duty": duty}});
    let other = json!({"v": 1, "ask": "operate", "wanted": other});
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| stage.forged("warden.sock", &other));
        // Half of it is there: neither the old version nor one that was set up.
        let half = status(&root, "shop-lib");
        assert!(
            half.contains("Version: 1.0-2") && !half.contains("ok installed"),
            "{half}"
        );
        root.hold(false);
        let whole = || {
            record_of(&stage.team).last().map(String::as_str) == Some("InstallUpdates after done")
        };
        assert!(wait_until(PATIENCE, whole), "{:#?}", record_of(&stage.team));
        let whole = status(&root, "shop-lib");
        assert!(whole.contains("Status: install ok installed"), "{whole}");
        assert!(!asked.is_finished() && read() == "before\n", "{}", read());
        stage.team.ai(&["thaw"]).expect(0);
        let said = asked.join().expect("an answer");
        assert!(said.contains("\"end\":\"done\""), "{said}");
    });
    assert_eq!(read(), "after\n");
    stage.comes_to(&task, "done");
    // What the warden keeps of it says that the word came too late.
    let book = fs::read_to_string(stage.team.home().join("warden/operations.jsonl"));
    let book = book.expect("what was done");
    assert!(book.contains("it was told to stop (freeze)"), "{book}");
    let record = record_of(&stage.team);
    let installs = record
        .iter()
        .filter(|line| line.starts_with("InstallUpdates after"));
    assert_eq!(installs.count(), 1, "{record:#?}");
    stage.team.down();
}
