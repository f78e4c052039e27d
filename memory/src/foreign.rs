//! Markdown that somebody else wrote as records: a file of our own as it is; `CLAUDE.md` and other notes with
//! headings as one record a section; a topic file of Claude Code or PAI (frontmatter with a name or a
//! description) as one record. Pure.

use crate::entry::{Entry, line};
use protocol::memory::MemoryFile;
use serde::Deserialize;
use std::path::Path;

/// Shortest section that is worth a record, in characters.
const WORTH: usize = 20;
/// Longest title, in characters.
const TITLE: usize = 160;

/// The frontmatter of others, as far as it is understood.
#[derive(Debug, Default, Deserialize)]
struct Front {
    name: Option<String>,
    title: Option<String>,
    description: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// The records of a file. `project` is where those without one of their own belong.
pub fn records(path: &Path, text: &str, project: Option<&str>) -> Vec<MemoryFile> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.unwrap_or_default();
    if let Ok(mut entry) = Entry::parse(stem, text) {
        // A title is what makes a file one of ours; the version says it surely.
        if entry.project.is_none() {
            entry.project = project.map(str::to_owned);
        }
        return vec![file(&entry)];
    }
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let (front, body) = front_of(&text);
    let headline = body.lines().find_map(|line| line.strip_prefix("# "));
    let title = [front.title, front.name, headline.map(str::to_owned)]
        .into_iter()
        .flatten()
        .map(|title| line(&title, TITLE))
        .find(|title| !title.is_empty())
        .unwrap_or_else(|| stem.to_owned());
    let mut tags = front.tags;
    tags.extend(front.kind);
    let make = |title: &str, body: &str| {
        let entry = Entry {
            id: String::new(),
            title: line(title, TITLE),
            project: project.map(str::to_owned),
            tags: tags.clone(),
            source: "import".to_owned(),
            task: None,
            phase: None,
            written: None,
            key: None,
            body: format!("{}\n", body.trim()),
        };
        file(&entry)
    };
    if let Some(description) = &front.description {
        return vec![make(&title, &format!("{}\n\n{body}", description.trim()))];
    }
    let sections = sections(body);
    let titled = sections.iter().filter(|(_, text)| is_worth(text));
    let records = titled.map(|(heading, text)| match heading {
        Some(heading) => make(&format!("{title}: {heading}"), text),
        None => make(&title, text),
    });
    records.collect()
}

fn file(entry: &Entry) -> MemoryFile {
    MemoryFile {
        id: entry.id.clone(),
        text: entry.render(),
    }
}

/// The frontmatter, if there is one that can be read, and the rest.
fn front_of(text: &str) -> (Front, &str) {
    let parts = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"));
    match parts {
        Some((front, body)) => (serde_saphyr::from_str(front).unwrap_or_default(), body),
        None => (Front::default(), text),
    }
}

/// The text before the first `## ` heading, then each section; what stands in a code block is no heading.
fn sections(body: &str) -> Vec<(Option<String>, String)> {
    let mut sections: Vec<(Option<String>, String)> = vec![(None, String::new())];
    let mut in_code = false;
    for line in body.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if let Some(heading) = line.strip_prefix("## ").filter(|_| !in_code) {
            sections.push((Some(heading.trim().to_owned()), String::new()));
            continue;
        }
        if line.starts_with("# ") && !in_code {
            continue;
        }
        if let Some((_, text)) = sections.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    sections
}

/// Whether a section says anything: one that only links to other files does not.
fn is_worth(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_link = |line: &str| {
        let line = line.trim_start_matches(['-', '*', ' ']);
        line.starts_with('[') && line.contains("](") && line.contains(".md)")
    };
    text.trim().chars().count() >= WORTH && !lines.all(is_link)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    /// Titles and the beginnings of the bodies.
    fn check(path: &str, text: &str, expected: &[(&str, &str)]) {
        let files = records(Path::new(path), text, Some("shop-1"));
        let entries: Vec<Entry> = (files.iter())
            .map(|file| Entry::parse(&file.id, &file.text).unwrap())
            .collect();
        let titles: Vec<&str> = entries.iter().map(|entry| entry.title.as_str()).collect();
        let wanted: Vec<&str> = expected.iter().map(|(title, _)| *title).collect();
        assert_eq!(titles, wanted, "{path}");
        for (entry, (_, body)) in entries.iter().zip(expected) {
            assert!(entry.body.starts_with(body), "{:?}", entry.body);
            assert_eq!(entry.project.as_deref(), Some("shop-1"));
        }
    }

    #[test]
    fn files_of_others_become_records() {
        let claude = "# Shop\n\nA shop in Rust, with a web front.\n\n## Tests\n\nRun `make db` first, then cargo test.\n\n\
            ```sh\n## no heading of its own\n```\n\n## Empty\n\n## Style\nNo unwrap outside tests, ever.\n";
        check(
            "CLAUDE.md",
            claude,
            &[
                ("Shop", "A shop in Rust"),
                ("Shop: Tests", "Run `make db` first"),
                ("Shop: Style", "No unwrap"),
            ],
        );
        let index =
            "# Memory\n- [The proxy](proxy.md)\n- [The database](database.md) what it needs\n";
        check("MEMORY.md", index, &[]);
        let topic = "---\nname: proxy\ndescription: The proxy must be restarted after a deploy\ntype: feedback\n---\nWhy: it caches.\n## More\nx";
        check(
            "proxy.md",
            topic,
            &[(
                "proxy",
                "The proxy must be restarted after a deploy\n\nWhy: it caches.",
            )],
        );
        check("x.md", "", &[]);
        check(
            "notes.md",
            "just a line that says something",
            &[("notes", "just a line")],
        );
    }

    #[test]
    fn a_file_of_our_own_is_taken_as_it_is() {
        let text = "---\nv: 1\nid: \"m-1\"\ntitle: \"T\"\nproject: \"other\"\nphase: \"verify\"\n---\nBody\n";
        let files = records(Path::new("Learning/VERIFY/m-1.md"), text, Some("shop-1"));
        let entry = Entry::parse("m-1", &files[0].text).unwrap();
        assert_eq!(entry.project.as_deref(), Some("other"));
        assert_eq!(entry.phase.as_deref(), Some("verify"));
        assert_eq!((files.len(), files[0].id.as_str()), (1, "m-1"));
    }

    proptest! {
        #[test]
        fn any_text_is_records_that_can_be_read(name in "[a-zA-Z./]{0,12}", text in any::<String>()) {
            for file in records(Path::new(&name), &text, None) {
                prop_assert!(Entry::parse(&file.id, &file.text).is_ok(), "{}", file.text);
            }
        }
    }
}
