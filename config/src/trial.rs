//! A file that is looked at before it is put in place: which kind it is, by its content, its name
//! or what the person says, and what would be wrong with the settings once it lay there.

use crate::agents::{self, AgentText};
use crate::document::{self, Mark, Node};
use crate::error::Problem;
use crate::layers::Origin;
use crate::load::{self, Sources};
use crate::schema::{self, Found};
use crate::shipped;
use std::path::{Path, PathBuf};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A settings file, by the name it is shipped under.
    Settings(&'static str),
    /// An `AGENT.md`.
    Agent,
    /// A playbook.
    Playbook,
    /// A schedule.
    Schedule,
    /// A plan.
    Plan,
}

/// Every kind with the word people say for it.
const WORDS: [(&str, FileKind); 10] = [
    ("settings", FileKind::Settings("ai-infra.yaml")),
    ("agents", FileKind::Settings("agents.yaml")),
    ("permissions", FileKind::Settings("permissions.yaml")),
    ("backup", FileKind::Settings("backup.yaml")),
    ("prices", FileKind::Settings("prices.yaml")),
    ("tmux", FileKind::Settings("tmux/session.yaml")),
    ("agent", FileKind::Agent),
    ("playbook", FileKind::Playbook),
    ("schedule", FileKind::Schedule),
    ("plan", FileKind::Plan),
];

impl FileKind {
    /// The words for all kinds.
    pub fn words() -> [&'static str; WORDS.len()] {
        WORDS.map(|(word, _)| word)
    }

    /// The kind that a word stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        let found = WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, kind)| *kind)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        let found = WORDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("settings", |(word, _)| word)
    }

    /// What it is, for a sentence.
    pub fn shown(self) -> String {
        match self {
            FileKind::Settings(name) => format!("settings, as config/{name}"),
            FileKind::Agent => "an agent's text".to_owned(),
            FileKind::Playbook => "a playbook".to_owned(),
            FileKind::Schedule => "a schedule".to_owned(),
            FileKind::Plan => "a plan".to_owned(),
        }
    }

    /// Says what a file is. A first key that only one kind has is believed before the name, the
    /// name before all other keys.
    ///
    /// # Errors
    /// A sentence, where nothing tells.
    pub fn of(path: &Path, text: &str) -> Result<Self, Problem> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let front = text.trim_start_matches('\u{feff}').starts_with("---");
        if name.ends_with(".md") || (front && agents::parse(text, &Origin::Shipped).is_ok()) {
            return Ok(FileKind::Agent);
        }
        let parsed = document::parse(&path.display().to_string(), text);
        let keys = match &parsed {
            Ok(Node::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        let marked = [FileKind::Playbook, FileKind::Schedule, FileKind::Plan]
            .into_iter()
            .find(|kind| keys.iter().any(|(key, _, _)| key == kind.word()));
        if let Some(kind) = marked.or_else(|| by_place(path, &name)) {
            return Ok(kind);
        }
        by_keys(&parsed?).ok_or_else(|| {
            let words = FileKind::words().join("|");
            let message = format!("neither name nor content says what it is for: add --as {words}");
            Problem::new(path.display(), message)
        })
    }
}

/// By the name of a shipped file, also of a copy (`agents.yaml.new`), and by the folder.
fn by_place(path: &Path, name: &str) -> Option<FileKind> {
    let stem = |of: &str| -> String { of.chars().take_while(|c| *c != '.').collect() };
    let settings = WORDS.iter().find_map(|(_, kind)| match kind {
        FileKind::Settings(file) => {
            let file = file.rsplit('/').next().unwrap_or(file);
            (stem(file) == stem(name)).then_some(*kind)
        }
        _ => None,
    });
    let folder = || {
        let folder = path.parent()?.file_name()?;
        let kinds = [
            ("playbooks", FileKind::Playbook),
            ("schedules", FileKind::Schedule),
        ];
        let found = kinds.iter().find(|(known, _)| folder == *known);
        found.map(|(_, kind)| *kind)
    };
    settings.or_else(folder)
}

/// The one settings file that knows most of the keys; none where two know as many.
fn by_keys(node: &Node) -> Option<FileKind> {
    let scored = WORDS.iter().filter_map(|(_, kind)| match kind {
        FileKind::Settings(name) => {
            let file = shipped::SETTINGS.iter().find(|file| file.name == *name)?;
            let mut path: Vec<&str> = file.under.split('.').filter(|p| !p.is_empty()).collect();
            Some((known(node, &mut path), *kind))
        }
        _ => None,
    });
    let mut scored: Vec<(usize, FileKind)> = scored.filter(|(score, _)| *score > 0).collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    match scored.as_slice() {
        [(best, kind), rest @ ..] if rest.first().is_none_or(|(next, _)| next < best) => {
            Some(*kind)
        }
        _ => None,
    }
}

/// How well the keys of a document are known below a path: one that is known by its own name
/// counts for more than one that may have any.
fn known<'n>(node: &'n Node, path: &mut Vec<&'n str>) -> usize {
    let Node::Map(entries) = node else {
        return 0;
    };
    let mut sum = 0;
    for (key, _, below) in entries {
        path.push(key);
        sum += match schema::find(path) {
            Found::Key(key) => 8usize.saturating_sub(key.path.matches('*').count()),
            Found::Section => known(below, path),
            Found::Nothing(_) => 0,
        };
        path.pop();
    }
    sum
}

/// A file on trial.
#[derive(Debug, Clone)]
pub struct Trial {
    kind: FileKind,
    path: PathBuf,
    text: String,
}

impl Trial {
    /// A file that was read.
    pub fn new(kind: FileKind, path: &Path, text: &str) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it lies in that folder.
    pub(crate) fn lies_in(&self, folder: &Path) -> bool {
        std::path::absolute(&self.path).is_ok_and(|path| path.starts_with(folder))
    }

    /// Its text, where it is to stand for this settings file.
    pub(crate) fn settings(&self, name: &str) -> Option<&str> {
        (self.kind == FileKind::Settings(name_of(name)?)).then_some(self.text.as_str())
    }

    /// The agent it describes, where it describes one.
    pub(crate) fn agent(&self) -> Option<Result<AgentText, Problem>> {
        let origin = Origin::User(self.path.clone(), Mark::default());
        (self.kind == FileKind::Agent).then(|| agents::parse(&self.text, &origin))
    }

    /// What would be wrong with the settings once it lay in its place: everything that stands in
    /// it, and what is wrong elsewhere only because of it.
    pub fn problems(&self, sources: &Sources<'_>) -> Vec<Problem> {
        let of = |trial| match load::load_with(sources, trial) {
            Ok(_) => Vec::new(),
            Err(error) => error.problems(),
        };
        let before = of(None);
        let place = self.path.display().to_string();
        let mut found = of(Some(self));
        found.retain(|problem| problem.place.starts_with(&place) || !before.contains(problem));
        found
    }
}

fn name_of(name: &str) -> Option<&'static str> {
    let files = shipped::SETTINGS.iter().map(|file| file.name);
    files.into_iter().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn files_say_what_they_are() {
        for (path, text, expected) in [
            ("/x/ai-infra.yaml", "", "settings"),
            ("/x/agents.yaml.new", "", "agents"),
            ("/x/session.yml", "", "tmux"),
            ("/x/permissions.yaml", "a: [", "permissions"),
            ("/x/new.yaml", "playbook: 1\nname: backup\n", "playbook"),
            ("/x/backup.yaml", "playbook: 1\n", "playbook"),
            ("/x/new.yaml", "schedule: 1\nplan: {}\n", "schedule"),
            ("/x/new.yaml", "plan: 1\n", "plan"),
            ("/x/playbooks/new.yaml", "a: [", "playbook"),
            ("/x/AGENT.md", "", "agent"),
            ("/x/new", "---\nname: a\ndescription: b\n---\nc\n", "agent"),
            (
                "/x/new.yaml",
                "team: {lease_ms: 1000}\nlog: {level: x}\n",
                "settings",
            ),
            ("/x/new.yaml", "session: x\n", "tmux"),
            ("/x/new.yaml", "remote: /x\nkeep: {last: 3}\n", "backup"),
            ("/x/new.yaml", "defaults: {level: 1}\n", "permissions"),
            ("/x/new.yaml", "models: {m: {input: 1}}\n", "prices"),
            ("/x/new.yaml", "code: {model: m}\n", "agents"),
        ] {
            let kind = FileKind::of(Path::new(path), text);
            assert_eq!(kind.map(FileKind::word), Ok(expected), "{path}: {text}");
        }
        for (text, said) in [
            (
                "",
                "/x/new.yaml: neither name nor content says what it is for: add --as settings|agents|",
            ),
            ("colour: blue\n", "/x/new.yaml: neither name nor content"),
            ("a: [", "/x/new.yaml:1:"),
        ] {
            let problem = FileKind::of(Path::new("/x/new.yaml"), text).unwrap_err();
            assert!(problem.to_string().starts_with(said), "{problem}");
        }
    }

    #[test]
    fn every_settings_file_has_a_word() {
        for file in shipped::SETTINGS {
            let kind = FileKind::Settings(file.name);
            assert_eq!(FileKind::of_word(kind.word()), Some(kind));
        }
    }
}
