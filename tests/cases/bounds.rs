//! How much is done without asking, as a person meets it: what a change would touch is shown before the yes, what turns
//! out to be more is taken back and asked about again, and how often in an hour outlives the warden.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::leave::{PATIENCE, PIN, Stage};
use tests::processes::{self, wait_until};
use tests::team::Team;

/// A playbook that makes changes, one after another.
fn playbook(name: &str, statements: &[&str]) -> String {
    let mut text = format!(
        "playbook: 1\nname: {name}\nagent: data\nlevel: 1\nintents: [\"{name}\"]\nsteps:\n"
    );
    for (n, statement) in statements.iter().enumerate() {
        text.push_str(&format!(
            "  - {{id: s{n}, tool: SqlExecute, args: {{source: shop, statement: \"{statement}\"}}}}\n"
        ));
    }
    text.push_str("criteria:\n  - {id: c1, text: \"the folder is whole\", check: {file: {path: README.md}}}\n");
    text.push_str(&format!("report: \"done\"\ntests: [{{ask: \"{name}\"}}]\n"));
    text
}

/// A team with a shop of 200 orders.
struct Shop {
    stage: Stage,
    file: PathBuf,
}

impl Shop {
    fn new(team: Team, rules: &str, playbooks: &[(&str, &[&str])]) -> Option<Self> {
        let stage = Stage::new(team, "allow", ", key_header: none");
        let folder = stage.team.scratch("db");
        let file = folder.join("shop.db");
        python(
            &file,
            "c.execute('CREATE TABLE orders (id INTEGER PRIMARY KEY)'); \
             c.executemany('INSERT INTO orders VALUES (?)', [(i,) for i in range(1, 201)])",
        )?;
        if nix::unistd::geteuid().is_root() {
            for path in [&folder, &file] {
                std::os::unix::fs::chown(path, Some(60999), Some(60999)).expect("chown");
            }
        }
        for (name, statements) in playbooks {
            let file = stage.team.home().join(format!("playbooks/{name}.yaml"));
            std::fs::write(file, playbook(name, statements)).expect("a playbook");
        }
        let permissions = format!(
            "{rules}\nendpoints:\n  hooks: {{url: {}, agents: [infra], key_header: none}}\n\
             sources:\n  shop: {{url: 'sqlite://{}', agents: [data], write: true}}\n",
            stage.hooks.url(),
            file.display()
        );
        let rules = stage.team.home().join("config/permissions.yaml");
        std::fs::write(rules, permissions).expect("a file");
        stage.team.up();
        stage.keeps_pin();
        Some(Self { stage, file })
    }

    fn orders(&self) -> u64 {
        let said = python(
            &self.file,
            "print(c.execute('SELECT count(*) FROM orders').fetchone()[0])",
        );
        said.expect("python3 was there")
            .trim()
            .parse()
            .expect("a number")
    }

    fn begin(&self, playbook: &str) {
        let work = self.stage.work.display().to_string();
        let words = [
            "run",
            "--playbook",
            playbook,
            "--workspace",
            &work,
            "--no-wait",
        ];
        self.stage.team.ai(&words).expect(0);
    }

    /// What a person is shown of the ticket a task waits for, and its number.
    fn page(&self, task: &str) -> (String, String, String) {
        let (id, mark) = self.stage.asked(task);
        let page = self.stage.team.ai(&["approvals", "show", &id]).expect(0);
        (id, mark, page.stdout)
    }

    fn approve(&self, id: &str, mark: &str, more: &[&str]) {
        let words = [&["approvals", "approve", id, mark], more].concat();
        self.stage.typed(&words, &format!("{PIN}\n")).expect(0);
    }
}

/// Runs a line of python over the shop; what it prints. `None`, with a word, where there is no python3.
fn python(file: &Path, line: &str) -> Option<String> {
    let script = format!("import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\n{line}\nc.commit()");
    let ran = Command::new("python3")
        .args(["-c", &script])
        .arg(file)
        .output();
    let Ok(ran) = ran else {
        eprintln!("skipped: no python3; scripts/test.sh installs it");
        return None;
    };
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    Some(String::from_utf8_lossy(&ran.stdout).into_owned())
}

const FEW: (&str, &[&str]) = ("drop-few", &["DELETE FROM orders WHERE id <= 5"]);
const MANY: (&str, &[&str]) = ("drop-many", &["DELETE FROM orders WHERE id <= 30"]);

#[test]
fn more_than_a_rule_allows_asks_and_what_runs_is_what_was_shown() {
    let rules = "acts: {sql.change: allow, http.change: allow}\nat_most:\n  sql.change: {count: 20, percent: 50, per_hour: 3}\n  http.change: {per_hour: 1, above: deny}";
    let team = Team::new(AI_INFRA);
    let Some(shop) = Shop::new(team, rules, &[FEW, MANY]) else {
        return;
    };
    let stage = &shop.stage;
    shop.begin("drop-few");
    stage.comes_to("t1", "done");
    assert_eq!(shop.orders(), 195);
    shop.begin("drop-many");
    let (id, mark, page) = shop.page("t2");
    for words in [
        "25 of 195 rows in orders (13 %)",
        "because of its size: it changes 25 rows, and 20 are allowed",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(shop.orders(), 195);
    // The world moves between the yes and the act: more would go than was shown, so none does.
    python(
        &shop.file,
        "c.executemany('INSERT INTO orders VALUES (?)', [(i,) for i in range(-5, 1)])",
    );
    shop.approve(&id, &mark, &[]);
    let asked_again = wait_until(PATIENCE, || {
        stage.tickets().iter().any(|one| one["id"] != *id)
    });
    assert!(asked_again, "{:#}", stage.task("t2"));
    assert_eq!(shop.orders(), 201);
    let (second, mark, page) = shop.page("t2");
    assert!(
        second != id && page.contains("31 of 201 rows in orders (16 %)"),
        "{page}"
    );
    assert!(page.contains("31 rows, and 25 are allowed"), "{page}");
    shop.approve(&second, &mark, &[]);
    stage.comes_to("t2", "done");
    assert_eq!(shop.orders(), 170);

    // Two in the hour so far, however often they were tried; a third is allowed, a fourth asks, whoever is killed.
    shop.begin("drop-few");
    stage.comes_to("t3", "done");
    processes::send(stage.team.pid("warden"), Signal::SIGKILL);
    shop.begin("drop-few");
    let (id, _, page) = shop.page("t4");
    let words = "3 within the hour already, and `permissions.at_most.sql.change.per_hour` says 3";
    assert!(page.contains(words), "{page}");
    assert!(page.contains("would change  no row"), "{page}");
    stage
        .typed(
            &["approvals", "deny", &id, "--because", "enough"],
            &format!("{PIN}\n"),
        )
        .expect(0);
    stage.comes_to("t4", "failed");

    // Where the rule says so, more is denied and nobody is asked.
    stage.begin();
    stage.comes_to("t5", "done");
    stage.begin();
    stage.comes_to("t6", "failed");
    let task = stage.task("t6").to_string();
    assert!(task.contains("1 within the hour already"), "{task}");
    assert_eq!(stage.effects(), 1);
    assert!(stage.tickets().is_empty());
    stage.intact();
    stage.team.down();
}

#[test]
fn what_a_change_would_do_is_tried_before_anybody_is_asked() {
    let calls = "DELETE FROM orders WHERE id > 1 OR load_extension('x') = 1";
    let playbooks: [(&str, &[&str]); 5] = [
        FEW,
        ("wrong", &["DELETE FROM nowhere"]),
        ("calls", &[calls]),
        (
            "three",
            &[
                "DELETE FROM orders WHERE id <= 7",
                "DELETE FROM orders WHERE id <= 9",
                "DELETE FROM orders WHERE id <= 60",
            ],
        ),
        MANY,
    ];
    let rules = "acts: {sql.change: ask, http.change: allow}\nat_most:\n  sql.change: {count: 20}";
    let Some(shop) = Shop::new(Team::new(AI_INFRA), rules, &playbooks) else {
        return;
    };
    let stage = &shop.stage;
    shop.begin("drop-few");
    let (id, mark, page) = shop.page("t1");
    assert!(
        page.contains("would change  5 of 200 rows in orders (3 %)"),
        "{page}"
    );
    assert_eq!(shop.orders(), 200);
    shop.approve(&id, &mark, &[]);
    stage.comes_to("t1", "done");
    assert_eq!(shop.orders(), 195);
    // A person is not asked about what cannot be done at all.
    shop.begin("wrong");
    stage.comes_to("t2", "failed");
    assert!(
        stage.task("t2").to_string().contains("no such table"),
        "{:#}",
        stage.task("t2")
    );
    assert!(stage.tickets().is_empty());
    // What no rollback takes back is not tried, and that is said.
    shop.begin("calls");
    let (id, _, page) = shop.page("t3");
    assert!(
        page.contains("nobody counted: it calls load_extension"),
        "{page}"
    );
    stage
        .typed(&["approvals", "deny", &id], &format!("{PIN}\n"))
        .expect(0);
    stage.comes_to("t3", "failed");
    // A yes to the kind for a task is a yes to as much of it as the rules allow.
    shop.begin("three");
    let (id, mark, _) = shop.page("t4");
    shop.approve(&id, &mark, &["--for-task"]);
    let third = wait_until(PATIENCE, || {
        stage.tickets().iter().any(|one| one["id"] != *id)
    });
    assert!(third, "{:#}", stage.task("t4"));
    let (third, mark, page) = shop.page("t4");
    assert!(page.contains("51 of 191 rows in orders (27 %)"), "{page}");
    assert_eq!(shop.orders(), 191);
    shop.approve(&third, &mark, &[]);
    stage.comes_to("t4", "done");
    assert_eq!(shop.orders(), 140);
    // The trials are on the record, as begun and as taken back.
    let tail = stage
        .team
        .ai(&["audit", "tail", "-n", "1000", "--json"])
        .expect(0)
        .stdout;
    let trials = tail
        .lines()
        .filter(|line| line.contains("try, and take back"));
    let stages: Vec<Value> = trials
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["stage"].take())
        .collect();
    // The first, the wrong one, and three of three.
    assert_eq!(
        stages.iter().filter(|stage| **stage == "before").count(),
        5,
        "{stages:?}"
    );
    assert_eq!(
        stages.iter().filter(|stage| **stage == "after").count(),
        5,
        "{stages:?}"
    );
    stage.intact();
    stage.team.down();
}

#[test]
fn with_the_wall_of_leave_taken_away_the_bound_is_gone() {
    let rules = "acts: {sql.change: allow}\nat_most:\n  sql.change: {count: 0, per_hour: 0}";
    let team = Team::new(AI_INFRA).with_env("AI_INFRA_FAULT", "without=leave");
    let Some(shop) = Shop::new(team, rules, &[MANY]) else {
        return;
    };
    shop.begin("drop-many");
    shop.stage.comes_to("t1", "done");
    assert_eq!(shop.orders(), 170);
    shop.stage.team.down();
}
