//! systemd's timers, read from their files: which are enabled, when they fire, and what they start.

use std::collections::BTreeSet;

use crate::host::tree::Tree;

/// Where units lie, the one that counts first.
const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// A timer that is enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// `OnCalendar=` expressions.
    pub calendar: Vec<String>,
    /// Its other triggers, as written: `OnBootSec=15min`.
    pub spans: Vec<String>,
    /// The unit it starts.
    pub starts: String,
    /// What that unit runs.
    pub command: Option<String>,
}

/// Every enabled timer, in order of name.
pub fn enabled(tree: &Tree) -> Vec<Timer> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        for entry in tree.list(folder) {
            if [".wants", ".requires"]
                .iter()
                .any(|end| entry.ends_with(end))
            {
                let linked = tree.list(&format!("{folder}/{entry}"));
                names.extend(linked.into_iter().filter(|name| name.ends_with(".timer")));
            }
        }
    }
    names.iter().filter_map(|name| timer(tree, name)).collect()
}

fn timer(tree: &Tree, name: &str) -> Option<Timer> {
    let (path, text) = unit(tree, name)?;
    let of = |key: &str| values(&text, "Timer", key);
    let keys = [
        "OnActiveSec",
        "OnBootSec",
        "OnStartupSec",
        "OnUnitActiveSec",
        "OnUnitInactiveSec",
    ];
    let spans = keys
        .iter()
        .flat_map(|key| {
            of(key)
                .into_iter()
                .map(move |value| format!("{key}={value}"))
        })
        .collect();
    let starts = of("Unit")
        .pop()
        .unwrap_or_else(|| format!("{}.service", name.trim_end_matches(".timer")));
    let command = unit(tree, &starts)
        .and_then(|(_, text)| values(&text, "Service", "ExecStart").into_iter().next());
    Some(Timer {
        name: name.to_owned(),
        path,
        calendar: of("OnCalendar"),
        spans,
        starts,
        command,
    })
}

/// A unit's file and its text with what is dropped in; a masked one is not there.
pub fn unit(tree: &Tree, name: &str) -> Option<(String, String)> {
    let template = name
        .split_once('@')
        .and_then(|(head, tail)| Some(format!("{head}@.{}", tail.rsplit_once('.')?.1)));
    for name in std::iter::once(name.to_owned()).chain(template) {
        for folder in FOLDERS {
            let path = format!("{folder}/{name}");
            if tree.link(&path).as_deref() == Some("/dev/null") {
                return None;
            }
            if !tree.exists(&path) {
                continue;
            }
            let mut text = tree.text(&path)?;
            for folder in FOLDERS.iter().rev() {
                let dropped = format!("{folder}/{name}.d");
                for file in tree
                    .list(&dropped)
                    .iter()
                    .filter(|file| file.ends_with(".conf"))
                {
                    text.push('\n');
                    text.push_str(&tree.text(&format!("{dropped}/{file}")).unwrap_or_default());
                }
            }
            return Some((path, text));
        }
    }
    None
}

/// Values of a key in a section, in order; an empty one takes those before it back.
pub fn values(text: &str, section: &str, key: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut inside = false;
    let mut values = Vec::new();
    for line in joined.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            inside = name == section;
        } else if let Some((name, value)) = line
            .split_once('=')
            .filter(|(name, _)| inside && name.trim() == key)
        {
            let _ = name;
            match value.trim() {
                "" => values.clear(),
                value => values.push(
                    value
                        .chars()
                        .filter(|c| !c.is_control())
                        .take(500)
                        .collect(),
                ),
            }
        }
    }
    values
}
