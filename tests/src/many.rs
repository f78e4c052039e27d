//! A home with many memories, tasks and schedules: made through the supervisor's socket by several at once, as
//! a person's commands do one after the other; and what of it must be the same after it was lost.

use crate::team::Team;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many ask at the same time.
const CLIENTS: usize = 8;

/// A number for a long form of a story, from the environment; else the one that takes seconds.
pub fn number(name: &str, usual: usize) -> usize {
    let said = std::env::var(name).ok();
    said.map_or(usual, |said| said.parse().expect(name))
}

/// Asks the supervisor one thing.
fn ask(socket: &Path, verb: &Value) {
    let mut stream = UnixStream::connect(socket).expect("the supervisor listens");
    writeln!(stream, "{verb}").expect("it reads");
    // What is said before the answer, such as that an agent is paused, is no answer.
    let mut said = Vec::new();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let answered = lines.any(|line| {
        let is = line.contains("\"accepted\"") || line.contains("\"answer\"");
        said.push(line);
        is
    });
    assert!(answered, "{verb}: {said:?}");
}

/// Asks many things, several at a time.
fn ask_all(team: &Team, many: usize, verb: impl Fn(usize) -> Value + Sync) {
    let socket = team.home().join("run/supervisor.sock");
    let next = AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > many {
                        return;
                    }
                    ask(&socket, &verb(number));
                }
            });
        }
    });
}

/// Memories, one for each number.
pub fn memories(team: &Team, many: usize) {
    ask_all(team, many, |number| {
        json!({"v": 1, "verb": "memory_add", "memory": {
            "title": format!("lesson {number} of the shop"),
            "body": format!("what was seen at step {number}: {}", "words that a person would write. ".repeat(8)),
            "project": null, "tags": ["shop"], "source": "person", "key": format!("many-{number}"),
        }})
    });
}

/// Tasks that wait for the paused agent `qa`; of every twenty nineteen are cancelled. Answers how many stay open.
pub fn tasks(team: &Team, many: usize, workspace: &Path) -> usize {
    ask_all(team, many, |number| {
        json!({"v": 1, "verb": "submit", "request": "what is unfinished here?", "workspace": workspace,
            "request_id": format!("0198c000-0000-7000-8000-{number:012x}"),
            "playbook": ["unfinished-marks", {}]})
    });
    let first = lowest(team);
    let over = |number: usize| !number.is_multiple_of(20);
    ask_all(team, many, |number| match over(number) {
        true => {
            json!({"v": 1, "verb": "task_cancel", "task": {"short": format!("t{}", first + number as u64 - 1)}})
        }
        false => json!({"v": 1, "verb": "status"}),
    });
    (1..=many).filter(|number| !over(*number)).count()
}

/// The lowest number of the tasks that were handed in by [`tasks`].
fn lowest(team: &Team) -> u64 {
    let sql = "SELECT min(short_id) FROM tasks WHERE request_id LIKE '0198c000-%'";
    let said = sql_of(team, sql);
    said.trim().parse().expect("a number")
}

/// Schedules, as files of the home.
pub fn schedules(team: &Team, many: usize) {
    let folder = team.home().join("schedules");
    fs::create_dir_all(&folder).expect("a folder");
    for number in 1..=many {
        let text = format!(
            "schedule: 1\nname: job-{number}\nwhen: \"{} 3 * * *\"\nask: \"what is unfinished here?\"\n",
            number % 60
        );
        fs::write(folder.join(format!("job-{number}.yaml")), text).expect("a file");
    }
}

/// What a query of the home's ledger answers, a line a row; the ledger may be in use.
pub fn sql_of(team: &Team, sql: &str) -> String {
    try_sql(team, sql).expect("the ledger answers")
}

/// The same; `None` where the ledger is not whole.
pub fn try_sql(team: &Team, sql: &str) -> Option<String> {
    python(team, "for row in c.execute(sys.argv[2]): print(*row)", sql)
}

/// Every row that is about an ended task, and every schedule, as one digest a table.
pub fn ledger(team: &Team) -> String {
    let code = "
ended = \"(SELECT id FROM tasks WHERE ended_us IS NOT NULL)\"
for (table,) in c.execute(\"SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name\").fetchall():
    columns = [row[1] for row in c.execute(f'PRAGMA table_info({table})')]
    which = 'id' if table == 'tasks' else 'task' if 'task' in columns else None
    if which is None: continue
    lines = sorted(repr(row) for row in c.execute(f'SELECT * FROM {table} WHERE {which} IN {ended}'))
    print(table, len(lines), hashlib.sha256('\\n'.join(lines).encode()).hexdigest())
";
    python(team, code, "").expect("the ledger answers")
}

fn python(team: &Team, code: &str, word: &str) -> Option<String> {
    let head =
        "import sqlite3,sys,hashlib; c = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)";
    let ran = Command::new("python3")
        .args(["-c", &format!("{head}\n{code}")])
        .arg(team.home().join("ledger.db"))
        .arg(word)
        .output()
        .expect("python3 is installed");
    let text = || String::from_utf8(ran.stdout).expect("text");
    ran.status.success().then(text)
}

/// All files below a folder, by path, with their bytes.
pub fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && path.file_name().is_some_and(|name| name != ".owner") {
                let own = path.strip_prefix(root).expect("below").to_owned();
                all.push((own, fs::read(&path).expect("readable")));
            }
        }
    }
    all.sort();
    all
}
