//! Names that the home's own files hold: schedules, memories, snapshots that were made here. Read without
//! the team, which may be down, and without the place of the backups, which may be far away.

use backup::history::History;
use config::home::Home;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Most of a kind that are offered, the newest.
const MOST: usize = 50;
/// Lines of a memory that are looked at for its title.
const HEAD: usize = 20;
/// How deep the files of memories lie.
const DEEP: usize = 4;

/// The home's schedules, by name.
pub fn schedules(home: &Home) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(home.schedules());
    let mut names: Vec<(String, String)> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".yaml").or(name.strip_suffix(".yml"))?;
            Some((name.to_owned(), String::new()))
        })
        .collect();
    names.sort();
    names
}

/// Memories, the newest first, with their titles.
pub fn memories(home: &Home) -> Vec<(String, String)> {
    let mut files = Vec::new();
    below(&home.memory(), DEEP, &mut files);
    // An id begins with its day.
    files.sort_by(|a, b| b.0.cmp(&a.0));
    files.truncate(MOST);
    let told = |(id, path): (String, PathBuf)| (id, title(&path).unwrap_or_default());
    files.into_iter().map(told).collect()
}

fn below(folder: &Path, deep: usize, files: &mut Vec<(String, PathBuf)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if kind.is_dir() && deep > 0 {
            below(&entry.path(), deep - 1, files);
        }
        let id = name.strip_suffix(".md").filter(|id| id.starts_with("m-"));
        if let (true, Some(id)) = (kind.is_file(), id) {
            files.push((id.to_owned(), entry.path()));
        }
    }
}

fn title(path: &Path) -> Option<String> {
    let file = std::fs::File::open(path).ok()?;
    let mut lines = BufReader::new(file)
        .lines()
        .take(HEAD)
        .map_while(Result::ok);
    let title = lines.find_map(|line| Some(line.strip_prefix("title:")?.trim().to_owned()))?;
    Some(title.trim_matches('"').to_owned())
}

/// Snapshots that this home remembers making, the newest first.
pub fn snapshots(home: &Home) -> Vec<(String, String)> {
    let history = History::load(&home.backup());
    let jobs = history.jobs.into_iter();
    let mut all: Vec<(String, String)> = jobs
        .flat_map(|(job, of)| of.sizes.into_keys().map(move |name| (name, job.clone())))
        .collect();
    // A name begins with its time.
    all.sort_by(|a, b| b.0.cmp(&a.0));
    all.truncate(MOST);
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_come_first_and_what_is_no_memory_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("h"));
        assert_eq!(memories(&home), []);
        let place = home.memory().join("Knowledge/2026-11");
        std::fs::create_dir_all(&place).unwrap();
        for (name, text) in [
            (
                "m-20261101-aaaaaa.md",
                "---\nv: 1\ntitle: \"the old one\"\n---\n",
            ),
            ("m-20261121-bbbbbb.md", "no head"),
            ("README.md", "title: no"),
            ("m-20261122-cccccc.txt", "title: no"),
        ] {
            std::fs::write(place.join(name), text).unwrap();
        }
        let pair = |id: &str, title: &str| (id.to_owned(), title.to_owned());
        let expected = [
            pair("m-20261121-bbbbbb", ""),
            pair("m-20261101-aaaaaa", "the old one"),
        ];
        assert_eq!(memories(&home), expected);
        assert_eq!(snapshots(&home), []);
    }
}
