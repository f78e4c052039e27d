//! A home that was lost comes back from its backup: its memory, its tasks, its settings; and nothing that
//! was open goes on by itself.

use crate::AI_INFRA;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use tests::bucket::Storage;
use tests::many::files;
use tests::team::Team;

/// A team with a place for its backups outside its home.
fn team() -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA);
    let remote = team.scratch("backups");
    let line = remote.display().to_string();
    let team = team.with_env("AI_INFRA__BACKUP__REMOTE", &line);
    (team.backs_up_by_hand(), remote)
}

fn of_job<'a>(report: &'a Value, job: &str) -> &'a Value {
    let jobs = report["jobs"].as_array().unwrap();
    jobs.iter().find(|came| came["job"] == job).unwrap()
}

/// Every task, newest first, with its state.
pub fn states(team: &Team) -> Vec<(String, String)> {
    let list = team.ai(&["task", "list", "--json"]).expect(0).json();
    let lines = list["tasks"].as_array().unwrap();
    lines
        .iter()
        .map(|task| {
            let words = |key: &str| task[key].as_str().unwrap_or_default().to_owned();
            (words("short_id"), words("state"))
        })
        .collect()
}

#[test]
fn a_lost_home_comes_back_and_what_was_open_waits_for_a_person() {
    let (team, _remote) = team();
    let shop = team.scratch("shop");
    fs::write(shop.join("orders.csv"), "id,total\n1,10\n2,20\n").unwrap();
    team.up().expect(0);
    for title in ["deploys go out on Tuesdays", "the database is called shop"] {
        team.ai(&["memory", "add", title]).expect(0);
    }
    let (code, done) = team.run(&shop, "profile orders.csv");
    assert_eq!(code, 0, "{done}");
    // One that is queued when the backup is made, and over when the home is lost.
    team.ai(&["agents", "pause", "code"]).expect(0);
    let shop_text = shop.display().to_string();
    let open = [
        "run",
        "repository overview",
        "--workspace",
        &shop_text,
        "--no-wait",
    ];
    team.ai(&open).expect(0);
    fs::write(team.home().join("config/backup.yaml"), "keep: {daily: 3}\n").unwrap();

    let first = team.ai(&["backup", "run", "--json"]).expect(0);
    assert!(
        first.stderr.contains("AGE-SECRET-KEY-1"),
        "the key is shown once: {}",
        first.stderr
    );
    let report = first.json();
    assert_eq!(of_job(&report, "code")["files"], 1);
    assert!(
        of_job(&report, "memory")["files"].as_u64().unwrap() > 5,
        "{report}"
    );
    let again = team.ai(&["backup", "run", "--json"]).expect(0);
    assert!(!again.stderr.contains("AGE-SECRET-KEY"), "{}", again.stderr);
    let key = team.user_home().join(".config/ai-infra/recovery-key");
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let verified = team
        .ai(&["backup", "verify", "--all", "--json"])
        .expect(0)
        .json();
    assert_eq!(
        verified["targets"][0]["whole"].as_array().unwrap().len(),
        4,
        "{verified}"
    );

    let before = states(&team);
    team.ai(&["agents", "resume", "code"]).expect(0);
    let memory = files(&team.home().join("MEMORY"));
    // A home with something in it is not written over.
    let refused = team.ai(&["backup", "restore"]).expect(2);
    assert!(
        refused
            .stderr
            .contains("is not empty: nothing is written over"),
        "{}",
        refused.stderr
    );
    team.down();
    fs::remove_dir_all(team.home()).unwrap();

    let back = team.ai(&["backup", "restore", "--json"]).expect(0).json();
    assert_eq!(back["parked"], 1, "{back}");
    assert_eq!(files(&team.home().join("MEMORY")), memory);
    let settings = fs::read_to_string(team.home().join("config/backup.yaml"));
    assert_eq!(settings.unwrap(), "keep: {daily: 3}\n");
    team.up().expect(0);
    let after = states(&team);
    assert_eq!(after.len(), before.len());
    for (task, state) in &after {
        let expected = if task == "t1" { "done" } else { "waiting" };
        assert!(state.starts_with(expected), "{task} is {state}");
    }
    let found = team
        .ai(&["memory", "search", "deploys", "--json"])
        .expect(0)
        .json();
    assert_eq!(found["memories"].as_array().unwrap().len(), 1);
    // The agent was paused when the backup was made, and still is.
    team.ai(&["agents", "resume", "code"]).expect(0);
    // It goes on: the person's answer starts the parked one anew, and a new one gets a new number.
    team.ai(&["task", "answer", "t2", "again"]).expect(0);
    let followed = team.ai(&["task", "follow", "t2"]);
    assert_eq!(followed.code, 0, "{} {}", followed.stdout, followed.stderr);
    let (code, next) = team.run(&shop, "profile orders.csv");
    assert_eq!(code, 0, "{next}");
    let number: u64 = next["short_id"].as_str().unwrap()[1..].parse().unwrap();
    assert!(number > 1000, "{number}");
    team.down();
}

#[test]
fn a_half_restored_home_does_not_start_and_the_same_command_goes_on() {
    let (team, remote) = team();
    team.up().expect(0);
    team.ai(&["memory", "add", "one thing"]).expect(0);
    team.ai(&["backup", "run", "memory"]).expect(0);
    team.down();
    let memory = files(&team.home().join("MEMORY"));
    fs::remove_dir_all(team.home()).unwrap();
    // A pack that is away ends the restore in the middle.
    let packs = remote.join("packs");
    let away = remote.join("away");
    fs::rename(&packs, &away).unwrap();
    let from = remote.display().to_string();
    team.ai(&["backup", "restore", "--from", &from]).expect(1);
    let refused = team.ai(&["up"]).expect(2);
    assert!(
        refused
            .stderr
            .contains("only half restored: go on with `ai-infra backup restore`"),
        "{}",
        refused.stderr
    );
    fs::rename(&away, &packs).unwrap();
    team.ai(&["backup", "restore"]).expect(0);
    assert_eq!(files(&team.home().join("MEMORY")), memory);
    team.up().expect(0);
    team.down();
}

/// Backs up twice, loses the home, and has it back.
fn lost_and_back(team: &Team, remote: &str) {
    team.up().expect(0);
    team.ai(&["memory", "add", "deploys go out on Tuesdays"])
        .expect(0);
    noise(team, 1);
    let first = team
        .ai(&["backup", "run", "memory", "--json"])
        .expect(0)
        .json();
    let again = team
        .ai(&["backup", "run", "memory", "--json"])
        .expect(0)
        .json();
    let sent = |report: &Value| of_job(report, "memory")["sent"].as_u64().unwrap();
    assert!(
        sent(&first) > 500_000 && sent(&again) < 50_000,
        "{first} {again}"
    );
    let verified = team
        .ai(&["backup", "verify", "--all", "--json"])
        .expect(0)
        .json();
    assert_eq!(verified["targets"][0]["whole"].as_array().unwrap().len(), 2);
    team.down();
    let kept = [
        files(&team.home().join("MEMORY")),
        files(&team.home().join("blobs")),
    ];
    fs::remove_dir_all(team.home()).unwrap();
    team.ai(&["backup", "restore", "--from", remote]).expect(0);
    assert_eq!(
        [
            files(&team.home().join("MEMORY")),
            files(&team.home().join("blobs"))
        ],
        kept
    );
    team.up().expect(0);
    team.down();
}

/// Half a megabyte that does not compress, as a blob of the home, another one for each number.
fn noise(team: &Team, number: u64) {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let bytes: Vec<u8> = (0..512 * 1024).map(|_| next()).collect();
    fs::write(team.home().join(format!("blobs/noise-{number}")), bytes).unwrap();
}

#[test]
fn from_a_git_repository() {
    let team = Team::new(AI_INFRA);
    let there = team.scratch("there.git");
    let made = Command::new("git")
        .args(["init", "-q", "--bare"])
        .arg(&there)
        .status();
    assert!(made.unwrap().success());
    let remote = format!("file://{}", there.display());
    let team = team.with_env("AI_INFRA__BACKUP__REMOTE", &remote);
    lost_and_back(&team.backs_up_by_hand(), &remote);
}

#[test]
fn from_a_bucket() {
    let Some(storage) = Storage::start() else {
        return;
    };
    let remote = "s3://kept/of/this";
    let team = Team::new(AI_INFRA)
        .backs_up_by_hand()
        .with_env("AI_INFRA__BACKUP__REMOTE", remote)
        .with_env("AI_INFRA__BACKUP__S3__ENDPOINT", &storage.url())
        .with_env("AWS_ACCESS_KEY_ID", "one");
    team.up().expect(0);
    let keyless = team.ai(&["backup", "run", "memory"]).expect(5);
    assert!(
        keyless.stdout.contains("its keys are missing"),
        "{}",
        keyless.stdout
    );
    team.down();
    let team = team.with_env("AWS_SECRET_ACCESS_KEY", "two");
    team.up().expect(0);
    let none = team.ai(&["backup", "run", "memory"]).expect(5);
    assert!(
        none.stdout
            .contains("there is no such bucket: make it first"),
        "{}",
        none.stdout
    );
    storage.make("kept");
    lost_and_back(&team, remote);
}

#[test]
fn what_cannot_be_is_said_with_the_next_step() {
    let (team, remote) = team();
    let inside = team.home().join("backups").display().to_string();
    let from = remote.display().to_string();
    let run = team.ai(&["backup", "run"]).expect(2);
    assert!(
        run.stderr.contains("no team was ever started"),
        "{}",
        run.stderr
    );
    fs::remove_dir_all(team.home()).unwrap();
    for (args, code, said) in [
        (vec!["backup", "run", "memry"], 2, "did you mean `memory`"),
        (vec!["backup", "list"], 2, "there are no backups at"),
        (
            vec!["backup", "restore", "--from", "backups"],
            2,
            "is not an absolute path",
        ),
        (
            vec!["backup", "restore", "--from", &inside],
            2,
            "would be lost with it",
        ),
        (
            vec!["backup", "restore", "--from", &from],
            2,
            "there is no recovery key",
        ),
    ] {
        let ran = team.ai(&args).expect(code);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
}
