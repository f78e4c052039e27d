//! The world outside the sandboxes, in which effects can be counted: a server that does what a key
//! names once, a database, and the person who is asked when nobody else can know.

use super::line::Line;
use crate::hooks::Hooks;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the person waits before looking: what was on its way when the question was asked has
/// arrived by then.
const LOOK: Duration = Duration::from_millis(500);

const MAKE: &str = "import sqlite3,sys
c=sqlite3.connect(sys.argv[1])
c.execute('CREATE TABLE counted (task TEXT)')
c.commit()";
const COUNT: &str = "import sqlite3,sys
c=sqlite3.connect(sys.argv[1])
for row in c.execute('SELECT task, COUNT(*) FROM counted GROUP BY task'): print(*row)";

/// The server, the database and the person.
pub struct World {
    /// The server.
    pub hooks: Hooks,
    /// The git objects that every clone shares.
    pub objects: PathBuf,
    database: PathBuf,
    /// Rows by task, as last looked at.
    rows: Mutex<BTreeMap<usize, usize>>,
    /// Since when each task waits.
    asked: Mutex<BTreeMap<String, Instant>>,
}

impl World {
    /// Starts the server and makes the database in a folder; `service` owns it where root runs the
    /// team.
    pub fn new(folder: &Path, workspace: &Path, service: u32) -> Self {
        let database = folder.join("sums.db");
        python(&database, MAKE);
        if nix::unistd::geteuid().is_root() {
            for path in [folder, &database] {
                std::os::unix::fs::chown(path, Some(service), Some(service)).expect("chown");
            }
        }
        Self {
            hooks: Hooks::start(),
            objects: workspace.join(".git/objects"),
            database,
            rows: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// What these roles need to reach it: the home's `permissions.yaml`.
    pub fn permissions(&self, roles: &[&str]) -> String {
        let (url, roles) = (self.hooks.url(), roles.join(", "));
        let database = self.database.display();
        format!(
            "endpoints:\n  keyed: {{url: {url}, agents: [{roles}]}}\n  \
             once: {{url: {url}, agents: [{roles}], key_header: none}}\n\
             sources:\n  sums: {{url: 'sqlite://{database}', agents: [{roles}], write: true}}\n"
        )
    }

    /// How often the keyed request of a task had its effect.
    pub fn keyed(&self, number: usize) -> usize {
        self.hooks.effects(&format!("keyed/{number}")) as usize
    }

    /// How often the request without a key had its effect.
    pub fn once(&self, number: usize) -> usize {
        self.hooks.effects(&format!("once/{number}")) as usize
    }

    /// How many rows a task made, as of the last [`World::look`].
    pub fn rows(&self, number: usize) -> usize {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.get(&number).copied().unwrap_or(0)
    }

    /// Looks at the database.
    pub fn look(&self) {
        let said = python(&self.database, COUNT);
        let rows = said.lines().filter_map(|line| {
            let (task, many) = line.split_once(' ')?;
            Some((task.parse().ok()?, many.parse().ok()?))
        });
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = rows.collect();
    }

    /// The person: looks whether the request without a key arrived, and says so truthfully. Does
    /// nothing about a task that does not wait.
    pub fn answer(&self, line: &mut Line, task: &str, number: usize, page: &Value) {
        let document = &page["document"];
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if document["state"] != "waiting" {
            asked.remove(task);
            return;
        }
        let since = asked.entry(task.to_owned()).or_insert_with(Instant::now);
        let mut open = document["questions"].as_array().into_iter().flatten();
        let Some(question) = open.rfind(|one| one["answer"].is_null()) else {
            return;
        };
        if since.elapsed() < LOOK {
            return;
        }
        let happened = question["step"]
            .as_str()
            .is_some_and(|step| step.contains("once"))
            && self.once(number) > 0;
        let choice = if happened { "happened" } else { "again" };
        line.ask(&json!({
            "v": 1, "verb": "task_answer", "task": {"short": task},
            "question": question["number"], "choice": choice,
        }));
        asked.remove(task);
    }
}

fn python(database: &Path, script: &str) -> String {
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(database)
        .output()
        .expect("python3 runs: apt-get install python3");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_task() {
        let folder = tempfile::tempdir().expect("a folder");
        let world = World::new(folder.path(), folder.path(), nix::unistd::getuid().as_raw());
        let insert = "import sqlite3,sys
c=sqlite3.connect(sys.argv[1])
c.executemany('INSERT INTO counted VALUES (?)', [('1',), ('2',), ('2',)])
c.commit()";
        python(&world.database, insert);
        world.look();
        assert_eq!([world.rows(0), world.rows(1), world.rows(2)], [0, 1, 2]);
        let granted = world.permissions(&["code", "qa"]);
        assert!(
            granted.contains("agents: [code, qa], write: true"),
            "{granted}"
        );
    }
}
