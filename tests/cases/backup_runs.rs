//! Backups that begin by themselves, say when something is wrong with them, and prove themselves in a drill.

use crate::AI_INFRA;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tests::processes::{self, wait_until};
use tests::team::Team;

fn team() -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA);
    let remote = team.scratch("backups");
    let line = remote.display().to_string();
    (team.with_env("AI_INFRA__BACKUP__REMOTE", &line), remote)
}

fn runs(team: &Team, schedule: &str) -> Vec<Value> {
    let page = team.ai(&["schedule", "show", schedule, "--json"]);
    page.expect(0).json()["runs"].as_array().unwrap().clone()
}

/// Waits until the newest run of a schedule came to this.
fn came(team: &Team, schedule: &str, outcome: &str) -> Value {
    let there = wait_until(Duration::from_secs(30), || {
        let runs = runs(team, schedule);
        runs.first().is_some_and(|run| run["outcome"] == outcome)
    });
    let runs = runs(team, schedule);
    assert!(there, "{schedule}: {runs:#?}");
    runs[0].clone()
}

fn snapshots(team: &Team, job: &str) -> usize {
    let list = team.ai(&["backup", "list", job, "--json"]).expect(0).json();
    list["snapshots"].as_array().unwrap().len()
}

#[test]
fn the_first_one_begins_at_once_and_a_killed_one_is_taken_up_again() {
    let (team, _remote) = team();
    team.up();
    let run = came(&team, "backup-memory", "done");
    assert!(
        run["reason"].as_str().unwrap().contains("-memory-"),
        "{run}"
    );
    // There is no folder yet that a task was about.
    let run = came(&team, "backup-code", "done");
    assert!(
        run["reason"]
            .as_str()
            .unwrap()
            .contains("nothing to back up"),
        "{run}"
    );
    assert_eq!(snapshots(&team, "memory"), 1);
    let status = team.ai(&["status"]).expect(0).stdout;
    assert!(status.contains("backups: code "), "{status}");
    // Nobody has seen the key that was made at night, and no log has.
    assert!(status.contains("nobody has looked at it"), "{status}");
    let key = team.ai(&["backup", "key"]).expect(0).stdout;
    assert!(key.starts_with("AGE-SECRET-KEY-1"), "{key}");
    let status = team.ai(&["status"]).expect(0).stdout;
    assert!(!status.contains("nobody has looked"), "{status}");
    let logs = fs::read_dir(team.home().join("logs")).unwrap().flatten();
    for log in logs {
        let text = fs::read_to_string(log.path()).unwrap_or_default();
        assert!(!text.contains(key.trim()), "{}", log.path().display());
    }
    // The supervisor is killed while one runs: the next one begins it once more, and history has one line.
    let many = team.home().join("blobs");
    for number in 0..40u32 {
        let bytes: Vec<u8> = (0..500_000u32)
            .map(|at| (at.wrapping_mul(number + 1).wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        fs::write(many.join(format!("large-{number}")), bytes).unwrap();
    }
    let before = runs(&team, "backup-memory").len();
    let said = team
        .ai(&["schedule", "run", "backup-memory"])
        .expect(0)
        .stdout;
    assert!(said.starts_with("backup of memory begins: "), "{said}");
    let home = team.home().display().to_string();
    let at_it = || {
        let all = processes::of_home(Path::new(&home));
        all.into_iter()
            .find(|seen| seen.command.contains("--leashed"))
    };
    assert!(wait_until(Duration::from_secs(20), || at_it().is_some()));
    let first = at_it().map(|seen| seen.pid);
    processes::send(team.pid("supervisor"), nix::sys::signal::Signal::SIGKILL);
    let ended = wait_until(Duration::from_secs(5), || {
        first.is_none_or(|pid| !processes::alive(pid))
    });
    assert!(ended, "it lives no longer than who began it");
    came(&team, "backup-memory", "done");
    assert_eq!(runs(&team, "backup-memory").len(), before + 1);
    assert!(snapshots(&team, "memory") >= 2);
    team.ai(&["backup", "verify", "--all"]).expect(0);
    team.down();
}

#[test]
fn without_a_place_nothing_runs_and_the_line_that_changes_it_is_said() {
    let team = Team::new(AI_INFRA);
    team.up();
    let list = team.ai(&["schedule", "list"]).expect(0).stdout;
    assert!(!list.contains("backup"), "{list}");
    for words in [["status"], ["doctor"]] {
        let said = team.ai(&words).stdout;
        assert!(said.contains("nothing is backed up"), "{said}");
        assert!(
            said.contains("echo 'remote: /mnt/disk/backups' >> "),
            "{said}"
        );
    }
    // That line, with another place.
    let doctor = team.ai(&["doctor", "--json"]).json();
    let findings = doctor["findings"].as_array().unwrap();
    let next = findings.iter().find(|f| f["what"] == "backups").unwrap()["next"].clone();
    let place = team.scratch("place").display().to_string();
    let line = next.as_str().unwrap().replace("/mnt/disk/backups", &place);
    let line = line.replace("&& ai-infra ", &format!("&& {AI_INFRA} "));
    let shell = team.command(&[]);
    let envs: Vec<_> = shell
        .get_envs()
        .filter_map(|(k, v)| Some((k, v?)))
        .collect();
    let ran = std::process::Command::new("sh")
        .args(["-c", &line])
        .env_clear()
        .envs(envs)
        .output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{line}: {ran:?}");
    came(&team, "backup-memory", "done");
    team.down();
}

#[test]
fn what_failed_and_what_is_late_is_said_until_it_is_good_again() {
    let team = Team::new(AI_INFRA);
    let place = team.scratch("there").join("backups");
    // A file lies where the folder should be.
    fs::write(&place, "in the way").unwrap();
    let line = place.display().to_string();
    let team = team.with_env("AI_INFRA__BACKUP__REMOTE", &line);
    team.up();
    let failed = || {
        team.ai(&["status"])
            .expect(0)
            .stdout
            .contains("backup of memory failed at ")
    };
    assert!(
        wait_until(Duration::from_secs(30), failed),
        "{}",
        team.ai(&["status"]).stdout
    );
    let doctor = team.ai(&["doctor"]).expect(1).stdout;
    assert!(doctor.contains("→ ai-infra backup run memory"), "{doctor}");
    fs::remove_file(&place).unwrap();
    team.ai(&["backup", "run"]).expect(0);
    assert!(!failed());
    team.down();
    // Down for a month: nothing begins, and that is said as well.
    let history = team.home().join("backup/history.json");
    let text = fs::read_to_string(&history).unwrap();
    let today = jiff::Timestamp::now().strftime("\"%Y%m%dT").to_string();
    let old = text.replace(&today, "\"20200101T");
    assert_ne!(text, old, "{text}");
    fs::write(&history, old).unwrap();
    let doctor = team.ai(&["doctor"]).expect(1).stdout;
    assert!(
        doctor.contains("backup of memory is late: it was due at 2020-01-0"),
        "{doctor}"
    );
}

/// A drill, with its exit code and its document.
fn drill(team: &Team, code: i32) -> Value {
    team.ai(&["backup", "drill", "--json"]).expect(code).json()
}

fn differences(report: &Value) -> String {
    report["differences"].to_string()
}

#[test]
fn a_drill_proves_a_backup_and_finds_what_is_wrong_with_one() {
    let (team, remote) = team();
    // Whatever its settings say, the home of a drill meets no model and no other store.
    team.configure("team:\n  lease_ms: 1500\nengine:\n  name: anthropic\n  api_key: {secret: anthropic-api-key}\n");
    let secrets = team.home().join("secrets");
    fs::create_dir_all(&secrets).unwrap();
    fs::write(secrets.join("anthropic-api-key"), "sk-none").unwrap();
    for path in [&secrets, &secrets.join("anthropic-api-key")] {
        use std::os::unix::fs::PermissionsExt;
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    team.up();
    for title in ["deploys go out on Tuesdays", "the database is called shop"] {
        team.ai(&["memory", "add", title]).expect(0);
    }
    came(&team, "backup-memory", "done");
    came(&team, "backup-code", "done");
    let work = team.scratch("work");
    fs::write(work.join("a.csv"), "id\n1\n").unwrap();
    team.ai(&[
        "run",
        "--playbook",
        "profile-data",
        "--param",
        "file=a.csv",
        "--workspace",
        &work.display().to_string(),
    ])
    .expect(0);
    team.ai(&["backup", "run", "memory"]).expect(0);
    team.ai(&["memory", "add", "written after the backup"])
        .expect(0);
    let good = drill(&team, 0);
    assert_eq!(
        (&good["memories"], &good["tasks"]),
        (&Value::from(3), &Value::from(1)),
        "{good}"
    );
    assert!(
        good["said"].as_str().unwrap().contains("its team starts"),
        "{good}"
    );
    // Its home and its team are gone, the living ones are as they were.
    assert!(!team.home().join("backup/drill").exists());
    assert_eq!(team.status()["state"], "up");
    let status = team.ai(&["status"]).expect(0).stdout;
    assert!(status.contains(" good\n"), "{status}");
    // One that the scheduler began says the same in history.
    team.ai(&["schedule", "run", "backup-drill"]).expect(0);
    let run = came(&team, "backup-drill", "done");
    assert!(
        run["reason"].as_str().unwrap().contains("its team starts"),
        "{run}"
    );
    // A memory that changed though its time did not: one of the two is not what it was.
    let memory = fs::canonicalize(team.home().join("MEMORY")).unwrap();
    let file = first_file(&memory, "Tuesdays");
    let (text, modified) = (
        fs::read_to_string(&file).unwrap(),
        fs::metadata(&file).unwrap().modified().unwrap(),
    );
    let put = |text: &str, at: SystemTime| {
        fs::write(&file, text).unwrap();
        fs::File::open(&file).unwrap().set_modified(at).unwrap();
    };
    put(&text.replace("Tuesdays", "Mondays"), modified);
    let bad = drill(&team, 1);
    assert!(
        differences(&bad).contains("is another one in the backup"),
        "{bad}"
    );
    let status = team.ai(&["status"]).expect(0).stdout;
    assert!(status.contains("found something"), "{status}");
    team.ai(&["doctor"]).expect(1);
    put(&text, modified);
    drill(&team, 0);
    // A ledger that was copied without one of its tables.
    team.down();
    let ledger = team.home().join("ledger.db");
    let whole = fs::read(&ledger).unwrap();
    team.alter_ledger("DROP TABLE ratings");
    team.ai(&["backup", "run", "memory"]).expect(0);
    fs::write(&ledger, whole).unwrap();
    let bad = drill(&team, 1);
    assert!(
        differences(&bad).contains("the ledger lacks its table ratings"),
        "{bad}"
    );
    team.ai(&["backup", "run", "memory"]).expect(0);
    drill(&team, 0);
    // A pack that was bent where it is kept.
    let pack = largest(&remote.join("packs"));
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let bad = drill(&team, 1);
    assert!(differences(&bad).contains("is damaged"), "{bad}");
    assert!(processes::of_home(&team.home()).is_empty());
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => all.extend(all_files(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all
}

fn first_file(folder: &Path, holds: &str) -> PathBuf {
    let mut all = all_files(folder).into_iter();
    all.find(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(holds)))
        .unwrap()
}

fn largest(folder: &Path) -> PathBuf {
    let all = all_files(folder).into_iter();
    all.max_by_key(|file| fs::metadata(file).unwrap().len())
        .unwrap()
}
