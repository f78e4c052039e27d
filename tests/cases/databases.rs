//! The data agent and a real PostgreSQL: a change whose agent is killed happens once, and what is asked of a table is
//! answered as for a file.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;
use tests::postgres::{self, Database, PASSWORD};
use tests::processes::{self, wait_until};
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(20);

/// A team that may reach one database.
struct Stage {
    team: Team,
    database: Database,
    workspace: PathBuf,
}

impl Stage {
    fn new() -> Option<Self> {
        let (team, database) = (Team::new(AI_INFRA), postgres::database()?);
        let secrets = team.home().join("secrets");
        std::fs::create_dir_all(&secrets).expect("a folder");
        let mode = |path: &PathBuf, mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
                .expect("permissions");
        };
        mode(&secrets, 0o700);
        let secret = secrets.join("shop-password");
        std::fs::write(&secret, PASSWORD).expect("a secret");
        mode(&secret, 0o600);
        let url = database.url("writer");
        let permissions = format!(
            "sources:\n  shop: {{url: '{url}', password: {{secret: shop-password}}, agents: [data], write: true}}\n"
        );
        std::fs::write(team.home().join("config/permissions.yaml"), permissions).expect("a file");
        let workspace = team.scratch("work");
        std::fs::write(workspace.join("README.md"), "here\n").expect("a file");
        Some(Self {
            team,
            database,
            workspace,
        })
    }

    fn playbook(&self, name: &str, step: &str) {
        let folder = self.team.home().join("playbooks");
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = format!(
            "playbook: 1\nname: {name}\nagent: data\nlevel: 1\nintents: [\"do {name}\"]\nsteps:\n  - {{id: step, {step}}}\n\
             criteria:\n  - {{id: c1, text: the folder is whole, check: {{file: {{path: README.md}}}}}}\n\
             report: \"{{{{ steps.step.text }}}}\"\ntests: [{{ask: \"do {name}\"}}]\n"
        );
        std::fs::write(folder.join(format!("{name}.yaml")), text).expect("a playbook");
    }

    fn begin(&self, playbook: &str) {
        let folder = self.workspace.display().to_string();
        self.team
            .ai(&[
                "run",
                "--playbook",
                playbook,
                "--workspace",
                &folder,
                "--no-wait",
            ])
            .expect(0);
    }

    fn until(&self, task: &str, state: &str) -> Value {
        let document = || {
            self.team
                .ai(&["task", "show", task, "--json"])
                .expect(0)
                .json()["task"]["document"]
                .clone()
        };
        let there = wait_until(PATIENCE, || document()["state"] == state);
        let document = document();
        assert!(there, "not {state}: {document:#}");
        document
    }
}

#[test]
fn a_change_whose_agent_is_killed_happens_once() {
    let Some(stage) = Stage::new() else { return };
    let database = &stage.database;
    database.sql("CREATE TABLE fruit (name text)");
    stage.playbook("add-pear", "tool: SqlExecute, args: {source: shop, statement: INSERT INTO fruit (name) VALUES ($1), params: [pear]}");
    stage.playbook(
        "count-fruit",
        "tool: SqlQuery, args: {source: shop, statement: SELECT count(*) AS many FROM fruit}",
    );
    stage.team.up();
    // Somebody else holds the table: the statement waits for them, and its agent dies meanwhile.
    let mut other = database.session().spawn().expect("psql starts");
    let mut to = other.stdin.take().expect("a pipe");
    to.write_all(b"BEGIN; LOCK TABLE fruit;\n\\echo locked\n")
        .expect("it listens");
    let mut locked = [0; 6];
    other
        .stdout
        .as_mut()
        .expect("a pipe")
        .read_exact(&mut locked)
        .expect("it locks");
    stage.begin("add-pear");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'ai-infra'";
    assert!(
        wait_until(PATIENCE, || database.sql(waiting) == "1"),
        "nothing waits"
    );
    for seen in processes::of_home(&stage.team.home()) {
        let environment = std::fs::read(format!("/proc/{}/environ", seen.pid)).unwrap_or_default();
        let needle = PASSWORD.as_bytes();
        let told = environment.windows(needle.len()).any(|part| part == needle)
            || seen.command.contains(PASSWORD);
        assert!(!told, "the password is in the sight of {}", seen.command);
    }
    processes::send(stage.team.pid("data"), Signal::SIGKILL);
    to.write_all(b"ROLLBACK;\n").expect("it listens");
    drop(to);
    other.wait().expect("it ends");
    let done = stage.until("t1", "done");
    assert_eq!(done["attempts"], 2, "{done:#}");
    stage.begin("count-fruit");
    let counted = stage.until("t2", "done");
    assert_eq!(counted["result"], "{\"many\":1}", "{counted:#}");
    assert_eq!(database.sql("SELECT count(*) FROM ai_infra_calls"), "1");
    stage.team.down();
}
