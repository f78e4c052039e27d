//! What is old is let go by itself or when it is asked for: clones, caches and blobs that nothing needs any more, and
//! nothing else.

use crate::AI_INFRA;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tests::processes::wait_until;
use tests::team::Team;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A file that was written so many days ago.
fn old(path: &Path, days: u32) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let file = File::create(path).expect("a file");
    file.set_len(4096).expect("its size");
    file.set_modified(SystemTime::now() - DAY * days)
        .expect("its age");
}

fn aged(folder: &Path, days: u32) {
    let file = File::open(folder).expect("a folder");
    file.set_modified(SystemTime::now() - DAY * days)
        .expect("its age");
}

fn run(team: &Team, folder: &Path, words: &[&str]) {
    let folder = folder.display().to_string();
    team.ai(&[&["run", "--workspace", &folder][..], words].concat())
        .expect(0);
}

/// A task that changes a file, by a playbook of the home.
const WRITES: &str = r#"
playbook: 1
name: put-down
agent: code
level: 1
intents: ["put a word down"]
steps:
  - {id: put, tool: Write, args: {file_path: word.txt, content: "word"}}
criteria:
  - {id: c1, text: "it is there", check: {file: {path: word.txt}}}
report: "put down"
tests: [{ask: "put a word down"}]
"#;

fn clones(team: &Team) -> Vec<String> {
    let tasks = fs::read_dir(team.home().join("tasks"))
        .expect("tasks")
        .flatten();
    let held = tasks.filter(|task| task.path().join("work").exists());
    let mut names: Vec<String> = held
        .map(|task| task.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_old_goes_and_what_is_needed_stays() {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    fs::create_dir_all(&playbooks).expect("a folder");
    fs::write(playbooks.join("put-down.yaml"), WRITES).expect("a playbook");
    let work: PathBuf = team.scratch("work");
    fs::write(work.join("a.txt"), "TODO: one\n").expect("a file");
    team.up();
    // t1 changes nothing; the patches of t2 and t3 are there, and t3's is put in place; t4 is only asked for.
    run(&team, &work, &["list the todo marks"]);
    run(&team, &work, &["--playbook", "put-down"]);
    run(&team, &work, &["--playbook", "put-down"]);
    team.ai(&["task", "apply", "t3"]).expect(0);
    assert_eq!(clones(&team), ["t1", "t2", "t3"]);
    let blobs = team.home().join("blobs");
    let nobodys = blobs.join("0".repeat(64));
    old(&nobodys, 40);
    let pinned: Vec<PathBuf> = fs::read_dir(&blobs)
        .expect("blobs")
        .flatten()
        .map(|b| b.path())
        .collect();
    pinned.iter().for_each(|blob| aged(blob, 40));
    let (stale, live) = (
        team.home().join("caches/gone-code-0"),
        team.home().join("caches/here-code-0"),
    );
    old(&stale.join("deep/file"), 40);
    aged(&stale.join("deep"), 40);
    aged(&stale, 40);
    old(&live.join("file"), 2);

    // Nothing of today is old.
    let said = team.ai(&["task", "gc", "--dry-run"]).expect(0).stdout;
    assert!(said.contains("would let go of 1 cache, 1 blob ("), "{said}");
    let said = team.ai(&["task", "gc"]).expect(0).stdout;
    assert!(said.contains("let go of 1 cache, 1 blob ("), "{said}");
    assert!(!stale.exists() && live.exists() && !nobodys.exists());
    let left = fs::read_dir(&blobs).expect("blobs").count();
    assert_eq!(left, pinned.len() - 1, "what the ledger names stays");
    let said = team.ai(&["task", "gc"]).expect(0).stdout;
    assert!(said.contains("nothing is old enough"), "{said}");

    // A bound that is far exceeded: what was used in this hour stays all the same.
    team.ai(&["down"]).expect(0);
    team.configure(
        "team:\n  lease_ms: 1500\n  keep_mb: 1\n  keep_days: 0\nengine:\n  name: playbook\n",
    );
    old(&live.join("large"), 2);
    File::options()
        .write(true)
        .open(live.join("large"))
        .and_then(|f| {
            f.set_len(0)?;
            std::io::Write::write_all(&mut &f, &vec![7u8; 3_000_000])?;
            f.set_modified(SystemTime::now() - DAY * 2)
        })
        .expect("a large file");
    aged(&live, 2);
    team.up();
    let said = team.ai(&["task", "gc"]).expect(0).stdout;
    assert!(said.contains("let go of 1 cache (3"), "{said}");
    assert!(!live.exists());
    assert_eq!(clones(&team), ["t1", "t2", "t3"], "tasks of this hour stay");

    // Tasks that ended long ago: the patch that nobody took keeps its clone, and every patch stays.
    team.ai(&["down"]).expect(0);
    team.configure("team:\n  lease_ms: 1500\n  keep_days: 30\nengine:\n  name: playbook\n");
    long_ago(&team);
    team.up();
    let said = team.ai(&["task", "gc"]).expect(0).stdout;
    assert!(
        said.contains("let go of 2 clones of ended tasks ("),
        "{said}"
    );
    assert_eq!(clones(&team), ["t2"]);
    let diff = team.ai(&["task", "diff", "t2"]).expect(0).stdout;
    assert!(diff.contains("word.txt"), "{diff}");
    let known = team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    assert_eq!(
        known["task"]["document"]["state"], "done",
        "the history stays"
    );
    // Numbers go on, and what is done again has all it needs.
    run(&team, &work, &["list the todo marks"]);
    let there = wait_until(Duration::from_secs(10), || {
        clones(&team).contains(&"t4".to_owned())
    });
    assert!(there, "{:?}", clones(&team));
    team.ai(&["task", "retry", "t1"]).expect(0);
    team.down();
}

/// Has every task of a team that is down have ended forty days ago.
fn long_ago(team: &Team) {
    team.alter_ledger("UPDATE tasks SET ended_us = ended_us - 40 * 86400000000");
}
