//! The ledger in PostgreSQL, with a whole team: it works as with a file, waits while the server is away and loses
//! nothing; and a ledger that moves there and back takes its history along.

use crate::{AI_INFRA, handing, kills, plans};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::postgres::{self, Database, PASSWORD};
use tests::processes::{self, wait_until};
use tests::team::{Team, on_server};

const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough for the ledger to go away meanwhile.
const SLOW: &str = r#"
playbook: 1
name: slow-mark
agent: code
level: 1
intents: ["mark slowly"]
steps:
  - {id: slow, tool: Bash, args: {command: "echo begun >> /workspace/slow.txt; sleep 2"}}
criteria:
  - {id: c1, text: "it began", check: {file: {path: slow.txt}}}
report: "marked"
tests: [{ask: "mark slowly"}]
"#;

fn furnish(team: &Team) -> PathBuf {
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("slow-mark.yaml"), SLOW).expect("a playbook");
    let workspace = team.scratch("work");
    std::fs::write(workspace.join("README.md"), "TODO: nothing\n").expect("a file");
    workspace
}

fn marks(team: &Team, workspace: &Path) -> tests::team::Ran {
    let folder = workspace.display().to_string();
    team.ai(&["run", "list the todo marks", "--workspace", &folder])
}

fn state(team: &Team, name: &str) -> Value {
    let shown = team.ai(&["task", "show", name, "--json"]).expect(0);
    shown.json()["task"]["document"]["state"].clone()
}

/// Nobody reaches the database, until they may again.
fn cut(database: &Database, away: bool) {
    let (cluster, name) = (database.cluster(), &database.name);
    cluster.sql(&format!(
        "ALTER DATABASE {name} ALLOW_CONNECTIONS {}",
        !away
    ));
    cluster.sql(&format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'"
    ));
}

#[test]
fn a_team_with_its_ledger_on_a_server_loses_nothing_when_that_goes_away() {
    let Some(database) = postgres::database() else {
        return;
    };
    let url = database.url("writer");
    let url = url.replacen("writer@", &format!("writer:{PASSWORD}@"), 1);
    let team = Team::new(AI_INFRA).with_env("DATABASE_URL", &url);
    let workspace = furnish(&team);
    let folder = workspace.display().to_string();
    team.up();
    marks(&team, &workspace).expect(0);
    assert!(!team.home().join("ledger.db").exists());
    let place = team.status()["ledger"]
        .as_str()
        .expect("a place")
        .to_owned();
    assert!(place.ends_with("schema main"), "{place}");
    let told = team.ai(&["ledger", "status"]).expect(0).stdout;
    assert!(told.contains(&place) && told.contains("schema"), "{told}");

    // Away while a task runs and its supervisor dies.
    let slow = [
        "run",
        "--playbook",
        "slow-mark",
        "--workspace",
        &folder,
        "--no-wait",
    ];
    team.ai(&slow).expect(0);
    let runs = wait_until(PATIENCE, || {
        state(&team, "t2")["waiting"].is_null() && state(&team, "t2") != "queued"
    });
    assert!(runs, "{}", state(&team, "t2"));
    cut(&database, true);
    let refused = marks(&team, &workspace).expect(5);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(
        said.contains("the ledger's database does not answer"),
        "{said}"
    );
    let status = team.status();
    assert!(
        status["problems"]
            .to_string()
            .contains("requests are refused until it does"),
        "{status:#}"
    );
    processes::send(team.pid("supervisor"), Signal::SIGKILL);
    cut(&database, false);
    let back = wait_until(PATIENCE, || {
        state_now(&team, "t2").as_deref() == Some("done")
    });
    assert!(back, "{:#}", team.status());
    marks(&team, &workspace).expect(0);
    assert_eq!(
        database.sql("SELECT COUNT(*) FROM main.tasks WHERE state = 'done'"),
        "3"
    );
    team.down();

    // Nobody else's home gets it, and no log holds the password.
    let other = Team::new(AI_INFRA).with_env("DATABASE_URL", &url);
    let refused = other.ai(&["up", "--no-tmux"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("belongs to another home"),
        "{}",
        refused.stderr
    );
    for entry in std::fs::read_dir(team.home().join("logs"))
        .expect("logs")
        .flatten()
    {
        let text = std::fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(PASSWORD), "{}", entry.path().display());
    }
}

/// Stories of other files, told with a ledger on a server. All are, with `TESTS_LEDGER=postgres`.
#[test]
fn a_killed_supervisor_loses_nothing_there_either() {
    on_server(kills::a_killed_supervisor_and_a_killed_redis_lose_nothing);
}

#[test]
fn a_plan_goes_on_there_too_whoever_is_killed() {
    on_server(plans::a_plan_goes_on_whoever_is_killed);
}

#[test]
fn a_hand_off_is_made_once_there_too() {
    on_server(handing::whoever_is_killed_on_the_way_nothing_is_done_twice);
}

/// The same while the supervisor may be away.
fn state_now(team: &Team, name: &str) -> Option<String> {
    let shown = team.ai(&["task", "show", name, "--json"]);
    let shown = (shown.code == 0).then(|| shown.json())?;
    shown["task"]["document"]["state"]
        .as_str()
        .map(str::to_owned)
}

#[test]
fn a_ledger_moves_to_a_server_and_back_with_its_history() {
    let Some(database) = postgres::database() else {
        return;
    };
    let team = Team::new(AI_INFRA);
    let workspace = furnish(&team);
    let base = "team:\n  lease_ms: 1500\nengine:\n  name: playbook\n";
    let url = database.socket_url("postgres");
    team.up();
    marks(&team, &workspace).expect(0);
    let target = ["ledger", "move", "--to", &url];
    let up = team.ai(&target);
    assert_eq!(up.code, 2, "{}", up.stderr);
    assert!(up.stderr.contains("ai-infra down"), "{}", up.stderr);
    team.down();

    // The setting alone begins no second history.
    team.configure(&format!("{base}ledger: {{url: '{url}'}}\n"));
    let refused = team.ai(&["up", "--no-tmux"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("ai-infra ledger move"),
        "{}",
        refused.stderr
    );
    let moved = team.ai(&["ledger", "move"]).expect(0).stdout;
    assert!(moved.contains("every row was compared"), "{moved}");
    assert!(team.home().join("ledger.db.moved").exists());
    let again = team.ai(&["ledger", "move"]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    team.up();
    assert_eq!(state(&team, "t1"), "done");
    marks(&team, &workspace).expect(0);
    assert_eq!(database.sql("SELECT COUNT(*) FROM main.tasks"), "2");
    team.down();

    // Without the setting, what is on the server is not forgotten.
    team.configure(base);
    let refused = team.ai(&["up", "--no-tmux"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("nothing says so any more"),
        "{}",
        refused.stderr
    );
    team.configure(&format!("{base}ledger: {{url: '{url}'}}\n"));
    team.ai(&["ledger", "move", "--to", "file"]).expect(0);
    team.configure(base);
    team.up();
    assert_eq!(state(&team, "t2"), "done");
    marks(&team, &workspace).expect(0);
    assert_eq!(state(&team, "t3"), "done");
    team.down();
}
