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
pub struct Stage {
    /// The team.
    pub team: Team,
    /// The database it may reach, as the source `shop`.
    pub database: Database,
    /// The folder it works in.
    pub workspace: PathBuf,
}

impl Stage {
    /// All of it; `None` where PostgreSQL is not installed.
    pub fn new() -> Option<Self> {
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

/// What is wrong in the shop, and what only looks like it.
const SHOP: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, mail text UNIQUE);
    INSERT INTO customers SELECT n, 'c' || n || '@example.org' FROM generate_series(1, 50) n;
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, day date, price numeric(10,2), city text, paid boolean);
    INSERT INTO orders SELECT n, 1 + n % 50, date '2026-01-01' + n % 28, n + 0.50, CASE WHEN n % 4 = 0 THEN NULL WHEN n % 4 = 1 THEN 'Bonn' ELSE 'City ' || n END, n % 2 = 0 FROM generate_series(1, 1200) n;
    UPDATE orders SET city = ' Ulm' WHERE id = 7; UPDATE orders SET day = '1026-01-05' WHERE id = 8; UPDATE orders SET customer_id = 99 WHERE id IN (20, 21, 22);
    ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;
    CREATE INDEX by_day ON orders (day); CREATE INDEX by_day_city ON orders (day, city);
    CREATE TABLE log (at timestamptz, text text); INSERT INTO log VALUES ('2026-01-02 03:04:05+00', 'a'), ('2026-01-02 03:04:05+00', 'a'), ('2026-01-02 03:04:05+00', 'A ');
    ANALYZE";

#[test]
fn tables_of_a_server_are_profiled_checked_and_compared_with_a_file() {
    let Some(stage) = Stage::new() else { return };
    let database = &stage.database;
    database.sql(SHOP);
    // The file as somebody exported and then edited it: one row gone, one new, two prices changed.
    let csv = database.sql("SELECT id || ',' || customer_id || ',' || day || ',' || price || ',' || coalesce(city, '') || ',' || paid FROM orders ORDER BY id DESC");
    let line = |line: &str| match line {
        line if line.starts_with("100,") => String::new(),
        line if line.starts_with("200,") => line.replace("200.50", "201.50") + "\n",
        line if line.starts_with("300,") => line.replace("300.50", "0") + "\n",
        line => format!("{line}\n"),
    };
    let edited: String = csv.lines().map(line).collect();
    let text = format!("id,customer_id,day,price,city,paid\n{edited}5000,1,2026-02-02,1.5,,yes\n");
    std::fs::write(stage.workspace.join("orders.csv"), text).expect("a file");
    stage.team.up();
    let told = |request: &str| {
        let (code, document) = stage.team.run(&stage.workspace, request);
        assert_eq!(code, 0, "{request}: {document:#}");
        let criteria = document["criteria"].as_array().expect("criteria").clone();
        let proven = |c: &Value| c["passed"] == true || c["verdict"] == "passed";
        assert!(
            !criteria.is_empty() && criteria.iter().all(proven),
            "{request}: {document:#}"
        );
        document["result"].as_str().expect("a result").to_owned()
    };
    let has = |text: &str, lines: &[&str]| {
        for line in lines {
            assert!(text.contains(line), "`{line}` is not in:\n{text}");
        }
    };
    has(
        &told("profile the table orders in the database shop"),
        &[
            "`shop:orders` (postgres) holds 1,200 rows in 6 columns.",
            "- id: integer, never empty, 1,200 distinct values, from 1 to 1200",
            "- city: text, 300 empty (25 %), 601 distinct values, from \" Ulm\" to City 999; most often Bonn (300)",
            "- price: real, never empty, 1,200 distinct values, from 1.5 to 1200.5",
            "- Could be a key: id, price",
        ],
    );
    has(
        &told("compare orders.csv with shop:orders"),
        &[
            "4 rows differ between `orders.csv` (1,200 rows) and `shop:orders` (1,200 rows); 1,197 rows are the same.",
            "- Only in orders.csv: 1 row, id 5000",
            "- Only in shop:orders: 1 row, id 100",
            "  - price: 2 values: 200 201.50 → 200.50; 300 0 → 300.50",
            "told apart by id (the primary key)",
        ],
    );
    has(
        &told("check the data quality of shop:orders"),
        &[
            "- city: 300 values are missing",
            "- city: 1 value begins or ends with spaces – \" Ulm\"",
            "- day: 1 date is before 1900 or after 2100 – 1026-01-05",
        ],
    );
    has(
        &told("are there duplicates in shop:log"),
        &[
            "1 row of 3 in `shop:log` is a repetition",
            "1 more differs by case and spaces only",
        ],
    );
    has(
        &told("show the schema of the database shop"),
        &[
            "3 rows of orders refer by customer_id to customers that are not there",
            "orders refers by customer_id to customers without an index",
            "index by_day of orders says what by_day_city says too",
            "index by_day_city of orders was never used",
            "log has no primary key",
            "; 5 things to look at:",
        ],
    );
    // What is not granted or not there is said, with what is.
    let failed = stage.team.run(&stage.workspace, "profile shop:order").1;
    let why = failed["reason"].as_str().unwrap_or_default();
    assert!(
        why.contains("there is no table `order`; it has customers, log, orders"),
        "{failed:#}"
    );
    let failed = stage.team.run(&stage.workspace, "profile stock:orders").1;
    let why = failed["reason"].as_str().unwrap_or_default();
    assert!(
        why.contains("`stock` is not granted to this agent: use one of shop"),
        "{failed:#}"
    );
    stage.team.down();
}
