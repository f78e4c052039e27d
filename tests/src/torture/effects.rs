//! What tasks under torture do to the world, so that it can be counted from outside how often each
//! effect is there, one class of effect after the other.

use super::world::World;
use std::path::Path;
use std::process::Command;

/// Appended lines are contained in the clone, the file written whole is idempotent, the edit is
/// probed and would show twice. The criterion does not count, so that doubled effects are not
/// mended by another round.
const IN_THE_CLONE: &str = r#"
  - {id: a, tool: Bash, args: {command: "echo a >> count.txt"}}
  - {id: note, tool: Write, args: {file_path: note.txt, content: "end\n"}}
  - {id: b, tool: Bash, args: {command: "echo b >> count.txt; sleep PAUSE; echo c >> count.txt"}}
  - {id: edit, tool: Edit, args: {file_path: note.txt, old_string: "end", new_string: "x end"}}
  - {id: d, tool: Bash, args: {command: "sleep 0.1; echo d >> count.txt"}}
"#;

/// A commit, a request and a statement that carry a key, and a request that carries none and is
/// therefore made once: where nobody can know whether it arrived, a person is asked.
const OUTSIDE: &str = r#"
  - {id: note, tool: Write, args: {file_path: note.txt, content: "end\n"}}
  - {id: commit, tool: GitCommit, args: {message: "counted"}}
  - {id: hook, tool: HttpRequest, args: {endpoint: keyed, method: POST, path: "/keyed/{{ n }}"}}
  - {id: sums, tool: SqlExecute, args: {source: sums, statement: "INSERT INTO counted (task) VALUES ($1)", params: ["{{ n }}"]}}
  - {id: once, tool: HttpRequest, args: {endpoint: once, method: POST, path: "/once/{{ n }}"}}
"#;

const PLAYBOOK: &str = r#"
playbook: 1
name: torture-KIND-ROLE
agent: ROLE
level: 1
intents: ["count KIND under torture as ROLE"]
params: {n: {type: int, default: 0, min: 0}}
steps:STEPS
criteria:
  - {id: c1, text: "the note is there", check: {file: {path: note.txt, contains: "end"}}}
report: "counted"
tests: [{ask: "count KIND under torture as ROLE"}]
"#;

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Effects in its clone, quickly.
    Fast,
    /// The same with a middle that is long enough to be met on a busy machine.
    Slow,
    /// Effects outside the sandbox.
    Outside,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Slow, Self::Outside];

    fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Outside => "outside",
        }
    }

    /// The name of its playbook for a role.
    pub fn name(self, role: &str) -> String {
        format!("torture-{}-{role}", self.word())
    }

    /// The text of that playbook.
    pub fn playbook(self, role: &str) -> String {
        let steps = match self {
            Self::Fast => IN_THE_CLONE.replace("PAUSE", "0.2"),
            Self::Slow => IN_THE_CLONE.replace("PAUSE", "1.5"),
            Self::Outside => OUTSIDE.to_owned(),
        };
        PLAYBOOK
            .replace("STEPS", steps.trim_end())
            .replace("ROLE", role)
            .replace("KIND", self.word())
    }

    /// Counts the effects of one task by its clone, the world outside and its number there.
    pub fn count(self, work: &Path, world: &World, number: usize) -> Effects {
        match self {
            Self::Fast | Self::Slow => in_the_clone(work),
            Self::Outside => Effects::of(&[
                commits(work, &world.objects),
                world.keyed(number),
                world.rows(number),
                world.once(number),
            ]),
        }
    }
}

/// Effects of one task, or of many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effects {
    /// How many there must be.
    pub expected: usize,
    /// How many are there at least once.
    pub seen: usize,
    /// How many more there are than once each.
    pub doubled: usize,
}

impl Effects {
    /// Of the times each effect is there.
    fn of(times: &[usize]) -> Self {
        Self {
            expected: times.len(),
            seen: times.iter().filter(|many| **many > 0).count(),
            doubled: times.iter().map(|many| many.saturating_sub(1)).sum(),
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            seen: self.seen + other.seen,
            doubled: self.doubled + other.doubled,
        }
    }
}

fn in_the_clone(work: &Path) -> Effects {
    let read = |name: &str| std::fs::read_to_string(work.join(name)).unwrap_or_default();
    let (count, note) = (read("count.txt"), read("note.txt"));
    let lines = |word: &str| count.lines().filter(|line| *line == word).count();
    Effects::of(&[
        lines("a"),
        lines("b"),
        lines("c"),
        lines("d"),
        note.matches("end").count(),
        note.matches('x').count(),
    ])
}

/// Commits of the task in its clone, which shares the objects of its workspace.
fn commits(work: &Path, objects: &Path) -> usize {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "log", "--format=%s"])
        .current_dir(work)
        .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects)
        .output();
    let said = output.map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    said.lines().filter(|line| *line == "counted").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_effect_and_a_lost_one_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let check = |lines: &str, note: &str, seen: usize, doubled: usize| {
            std::fs::write(folder.path().join("count.txt"), lines).expect("a file");
            std::fs::write(folder.path().join("note.txt"), note).expect("a file");
            let expected = Effects {
                expected: 6,
                seen,
                doubled,
            };
            assert_eq!(in_the_clone(folder.path()), expected, "{lines:?} {note:?}");
        };
        check("a\nb\nc\nd\n", "x end\n", 6, 0);
        check("a\nb\nb\nc\nd\n", "x end\n", 6, 1);
        check("a\nb\nb\nc\nd\n", "x x end\n", 6, 2);
        check("a\nc\nd\n", "end\n", 4, 0);
        assert_eq!(in_the_clone(Path::new("/no/such/folder")).seen, 0);
    }
}
