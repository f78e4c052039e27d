//! What Tab offers: commands, tasks, agents, playbooks, files. The words come from what the chat has
//! seen; nobody is asked while a key is pressed.

use super::slash::{self, Takes};
use protocol::ids::ShortId;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most offers.
const MOST: usize = 200;
/// Most tasks remembered.
const TASKS: usize = 50;

/// Names the chat has seen.
#[derive(Debug, Default)]
pub struct Names {
    /// Tasks, newest last.
    pub tasks: Vec<ShortId>,
    /// Agents.
    pub agents: Vec<String>,
    /// Playbooks.
    pub playbooks: Vec<String>,
    /// Where paths that are not absolute begin.
    pub folder: PathBuf,
    /// What `~` is.
    pub user_home: Option<PathBuf>,
}

impl Names {
    /// Remembers a task.
    pub fn task(&mut self, task: ShortId) {
        self.tasks.retain(|known| *known != task);
        self.tasks.push(task);
        let over = self.tasks.len().saturating_sub(TASKS);
        self.tasks.drain(..over);
    }
}

/// What is offered for a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What stands in the list.
    pub shown: String,
    /// What takes the word's place.
    pub text: String,
}

/// The names, shared with who learns them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Completions(Arc<Mutex<Names>>);

impl Completions {
    /// Changes what is known.
    pub fn learn(&self, change: impl FnOnce(&mut Names)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Where the last word of `typed` begins, and what may stand in its place.
    pub fn offer(&self, typed: &str) -> (usize, Vec<Offer>) {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = typed.get(start..).unwrap_or_default();
        if let (0, Some(begun)) = (start, typed.strip_prefix('/')) {
            let fit = slash::ALL.iter().filter(|s| s.name.starts_with(begun));
            let offers = fit.map(|s| offer(&format!("/{}", s.name), s.takes != Takes::Nothing));
            return (0, offers.collect());
        }
        if let Some(begun) = word.strip_prefix('@') {
            let tasks = names.tasks.iter().rev().map(ToString::to_string);
            let all = tasks.chain(names.agents.iter().cloned());
            let fit = all.filter(|name| name.starts_with(begun));
            return (
                start,
                fit.map(|name| offer(&format!("@{name}"), true)).collect(),
            );
        }
        let command = typed.strip_prefix('/').and_then(|rest| {
            let name = rest.split_whitespace().next()?;
            slash::ALL.iter().find(|slash| slash.name == name)
        });
        let takes = command.map_or(Takes::Words, |slash| slash.takes);
        let tasks = || names.tasks.iter().rev().map(ToString::to_string);
        let fitting = |all: Vec<String>| {
            let fit = all.into_iter().filter(|name| name.starts_with(word));
            (
                start,
                fit.map(|name| offer(&name, false)).take(MOST).collect(),
            )
        };
        match takes {
            Takes::Task => fitting(tasks().collect()),
            Takes::TaskOrAgent => fitting(tasks().chain(names.agents.iter().cloned()).collect()),
            Takes::Playbook => fitting(names.playbooks.clone()),
            Takes::Path => {
                // A path may hold blanks: it is the rest of the line.
                let after = typed
                    .find(char::is_whitespace)
                    .map_or(typed.len(), |at| at + 1);
                let begun = typed.get(after..).unwrap_or_default();
                (after, paths(&names, begun))
            }
            Takes::Paths => {
                let offers = paths(&names, word).into_iter();
                (start, offers.filter(|o| !o.text.contains(' ')).collect())
            }
            Takes::Nothing => (start, Vec::new()),
            Takes::Words if word.contains('/') => (start, paths(&names, word)),
            Takes::Words => (start, Vec::new()),
        }
    }
}

fn offer(text: &str, goes_on: bool) -> Offer {
    Offer {
        shown: text.to_owned(),
        text: if goes_on {
            format!("{text} ")
        } else {
            text.to_owned()
        },
    }
}

fn paths(names: &Names, begun: &str) -> Vec<Offer> {
    let (folder, stem) = begun.rsplit_once('/').map_or(("", begun), |(f, s)| (f, s));
    let typed = begun.strip_suffix(stem).unwrap_or_default();
    let from = match (folder, folder.strip_prefix('~'), &names.user_home) {
        ("", _, _) if typed == "/" => PathBuf::from("/"),
        (_, Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
        (folder, ..) => names.folder.join(Path::new(folder)),
    };
    let Ok(entries) = std::fs::read_dir(from) else {
        return Vec::new();
    };
    let hidden = stem.starts_with('.');
    let mut offers: Vec<Offer> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let tame = !name.chars().any(char::is_control);
            let fits = name.starts_with(stem) && (hidden || !name.starts_with('.'));
            let end = if entry.path().is_dir() { "/" } else { "" };
            (fits && tame).then(|| Offer {
                text: format!("{typed}{name}{end}"),
                shown: format!("{name}{end}"),
            })
        })
        .take(MOST)
        .collect();
    offers.sort_by(|a, b| a.text.cmp(&b.text));
    offers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tab_offers_what_fits() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("shop data")).unwrap();
        std::fs::write(folder.path().join("shop.csv"), "").unwrap();
        std::fs::write(folder.path().join(".hidden"), "").unwrap();
        let completions = Completions::default();
        completions.learn(|names| {
            names.task(ShortId(3));
            names.task(ShortId(12));
            names.agents = vec!["code".to_owned(), "qa".to_owned()];
            names.playbooks = vec!["run-tests".to_owned()];
            names.folder = folder.path().to_owned();
            names.user_home = Some(folder.path().to_owned());
        });
        for (typed, start, expected) in [
            ("/sh", 0, "/show "),
            ("/f", 0, "/follow |/freeze"),
            ("/show t", 6, "t12|t3"),
            ("/pause c", 7, "code"),
            ("/playbook r", 10, "run-tests"),
            ("@t1", 0, "@t12 "),
            ("hello @q", 6, "@qa "),
            ("/workspace sh", 11, "shop data/|shop.csv"),
            ("/workspace ~/shop.", 11, "~/shop.csv"),
            ("/workspace shop d", 11, "shop data/"),
            ("/attach x.csv sh", 14, "shop.csv"),
            ("look at ./shop.", 8, "./shop.csv"),
            ("/status x", 8, ""),
            ("run the te", 8, ""),
        ] {
            let (at, offers) = completions.offer(typed);
            let texts: Vec<String> = offers.into_iter().map(|offer| offer.text).collect();
            assert_eq!((at, texts.join("|").as_str()), (start, expected), "{typed}");
        }
    }
}
