//! What tasks under torture do to the world, so that it can be counted from outside how often each
//! effect is there, one class of effect after the other.

use std::path::Path;

/// A playbook of one role. Appended lines are contained in the clone, the file written whole is
/// idempotent, the edit is probed and would show twice. The criterion does not count, so that
/// doubled effects are not mended by another round.
const COUNTED: &str = r#"
playbook: 1
name: torture-PACE-ROLE
agent: ROLE
level: 1
intents: ["count PACE under torture as ROLE"]
steps:
  - {id: a, tool: Bash, args: {command: "echo a >> count.txt"}}
  - {id: note, tool: Write, args: {file_path: note.txt, content: "end\n"}}
  - {id: b, tool: Bash, args: {command: "echo b >> count.txt; sleep PAUSE; echo c >> count.txt"}}
  - {id: edit, tool: Edit, args: {file_path: note.txt, old_string: "end", new_string: "x end"}}
  - {id: d, tool: Bash, args: {command: "sleep 0.1; echo d >> count.txt"}}
criteria:
  - {id: c1, text: "the last effect is there", check: {file: {path: count.txt, contains: "d"}}}
report: "counted"
tests: [{ask: "count PACE under torture as ROLE"}]
"#;

/// How long the middle of a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Short, for many tasks.
    Fast,
    /// Long enough to be met there on a busy machine.
    Slow,
}

impl Pace {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fast, Self::Slow];

    fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
        }
    }

    /// The file name and the text of the playbook of a role.
    pub fn playbook(self, role: &str) -> (String, String) {
        let pause = match self {
            Self::Fast => "0.2",
            Self::Slow => "1.5",
        };
        let text = COUNTED
            .replace("ROLE", role)
            .replace("PACE", self.word())
            .replace("PAUSE", pause);
        (format!("torture-{}-{role}.yaml", self.word()), text)
    }

    /// The words that ask for it.
    pub fn request(self, role: &str) -> String {
        format!("count {} under torture as {role}", self.word())
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
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            seen: self.seen + other.seen,
            doubled: self.doubled + other.doubled,
        }
    }
}

/// Counts the effects in a clone.
pub fn count(work: &Path) -> Effects {
    let read = |name: &str| std::fs::read_to_string(work.join(name)).unwrap_or_default();
    let (count, note) = (read("count.txt"), read("note.txt"));
    let lines = |word: &str| count.lines().filter(|line| *line == word).count();
    let times = [
        lines("a"),
        lines("b"),
        lines("c"),
        lines("d"),
        note.matches("end").count(),
        note.matches('x').count(),
    ];
    Effects {
        expected: times.len(),
        seen: times.iter().filter(|many| **many > 0).count(),
        doubled: times.iter().map(|many| many.saturating_sub(1)).sum(),
    }
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
            assert_eq!(count(folder.path()), expected, "{lines:?} {note:?}");
        };
        check("a\nb\nc\nd\n", "x end\n", 6, 0);
        check("a\nb\nb\nc\nd\n", "x end\n", 6, 1);
        check("a\nb\nb\nc\nd\n", "x x end\n", 6, 2);
        check("a\nc\nd\n", "end\n", 4, 0);
        assert_eq!(count(Path::new("/no/such/folder")).seen, 0);
    }
}
