//! One record as a file: Markdown with flat frontmatter that a person can read and edit. Pure.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use protocol::memory::NewMemory;
use serde::Deserialize;
use std::fmt::Write;

/// Version of the file format.
pub const ENTRY_VERSION: u32 = 1;
/// Largest file that is read, in bytes.
pub const ENTRY_BYTES: u64 = 1024 * 1024;
/// Largest frontmatter that is read, in bytes.
const FRONT_BYTES: usize = 64 * 1024;
/// Longest title that is kept, in characters.
const TITLE_CHARS: usize = 200;
/// Most tags, and the longest one in characters.
const TAGS: (usize, usize) = (32, 64);

/// Why a file is not a record, or a record cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// No frontmatter.
    #[error("it does not begin with frontmatter between two `---` lines: add it")]
    NoFrontmatter,
    /// The frontmatter is not readable.
    #[error("its frontmatter cannot be read: {0}")]
    Frontmatter(String),
    /// Written by a newer version.
    #[error("it is of version {0}, newer than this program reads: install a newer one")]
    Newer(u32),
    /// The id inside is not the file's name.
    #[error("its id `{0}` is not its file name: make them the same")]
    OtherId(String),
    /// A field of a new record is missing or too large.
    #[error("{0}")]
    Field(&'static str),
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `m-20261120-3fa9c1`; for a file a person wrote, its name.
    pub id: String,
    /// One line.
    pub title: String,
    /// Its project, or `None` for all.
    pub project: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// A role, or `person`.
    pub source: String,
    /// The task it came from.
    pub task: Option<String>,
    /// The phase it came from, in lower case.
    pub phase: Option<String>,
    /// When it was written, if the file says so.
    pub written: Option<Timestamp>,
    /// The writer's key, if it had one.
    pub key: Option<String>,
    /// Markdown; evidence stands at its end.
    pub body: String,
}

#[derive(Deserialize)]
struct Front {
    #[serde(default = "first_version")]
    v: u32,
    id: Option<String>,
    title: String,
    project: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    source: Option<String>,
    task: Option<String>,
    phase: Option<String>,
    written: Option<String>,
    key: Option<String>,
}

fn first_version() -> u32 {
    1
}

impl Entry {
    /// A new record, its fields checked and brought to one line where they are one.
    pub fn new(id: String, new: &NewMemory, written: Timestamp) -> Result<Self, EntryError> {
        let title = line(&new.title, TITLE_CHARS);
        if title.is_empty() {
            return Err(EntryError::Field(
                "a memory needs a title: give it one line",
            ));
        }
        if new.key.is_empty() || new.key.len() > 1024 {
            return Err(EntryError::Field("a memory needs a key of 1 to 1024 bytes"));
        }
        let entry = Self {
            id,
            title,
            project: new.project.as_deref().map(|name| line(name, 200)),
            tags: new
                .tags
                .iter()
                .map(|tag| line(tag, TAGS.1))
                .filter(|tag| !tag.is_empty())
                .take(TAGS.0)
                .collect(),
            source: line(&new.source, 64),
            task: new.task.as_deref().map(|task| line(task, 64)),
            phase: new.phase.map(|phase| phase.as_str().to_owned()),
            written: Some(written),
            key: Some(new.key.clone()),
            body: body(new),
        };
        if entry.render().len() as u64 > ENTRY_BYTES {
            return Err(EntryError::Field(
                "a memory is at most 1 MiB: shorten its body",
            ));
        }
        Ok(entry)
    }

    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = format!("---\nv: {ENTRY_VERSION}\nid: {}\n", quote(&self.id));
        let mut field = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{name}: {}", quote(value));
            }
        };
        field("title", Some(&self.title));
        field("project", self.project.as_deref());
        field("source", Some(&self.source));
        field("task", self.task.as_deref());
        field("phase", self.phase.as_deref());
        field("written", self.written.map(|at| at.to_string()).as_deref());
        field("key", self.key.as_deref());
        let tags: Vec<String> = self.tags.iter().map(|tag| quote(tag)).collect();
        let _ = writeln!(text, "tags: [{}]", tags.join(", "));
        let _ = write!(text, "---\n{}", self.body);
        text
    }

    /// Reads a file's text; `id` is its name without `.md`.
    pub fn parse(id: &str, text: &str) -> Result<Self, EntryError> {
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let rest = text
            .strip_prefix("---\n")
            .ok_or(EntryError::NoFrontmatter)?;
        let (front, body) = rest
            .split_once("\n---\n")
            .or_else(|| Some((rest.strip_suffix("\n---")?, "")))
            .ok_or(EntryError::NoFrontmatter)?;
        if front.len() > FRONT_BYTES {
            return Err(EntryError::Frontmatter(
                "it is larger than 64 KiB".to_owned(),
            ));
        }
        let front: Front = serde_saphyr::from_str(front)
            .map_err(|error| EntryError::Frontmatter(line(&error.to_string(), 200)))?;
        if front.v > ENTRY_VERSION {
            return Err(EntryError::Newer(front.v));
        }
        if let Some(other) = front.id.filter(|given| given != id) {
            return Err(EntryError::OtherId(line(&other, 80)));
        }
        Ok(Self {
            id: id.to_owned(),
            title: line(&front.title, TITLE_CHARS),
            project: front.project.filter(|name| !name.trim().is_empty()),
            tags: front.tags,
            source: front.source.unwrap_or_else(|| "person".to_owned()),
            task: front.task,
            phase: front.phase,
            written: front.written.as_deref().and_then(moment),
            key: front.key,
            body: body.to_owned(),
        })
    }
}

fn body(new: &NewMemory) -> String {
    let mut text = new.body.replace("\r\n", "\n").trim_end().to_owned();
    text.push('\n');
    if !new.evidence.is_empty() {
        text.push_str("\n## Evidence\n\n");
        for evidence in &new.evidence {
            let _ = writeln!(text, "- {}", line(evidence, 1000));
        }
    }
    text
}

/// A moment, or a day, which then begins at midnight UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let day: Date = text.parse().ok()?;
        Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

/// Text as one line of at most `chars` characters, without control characters.
pub fn line(text: &str, chars: usize) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(chars)
        .collect();
    clean.trim().to_owned()
}

/// A double-quoted YAML scalar; JSON's escapes are YAML's.
fn quote(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.chars()
        .fold(String::with_capacity(json.len()), |mut out, c| {
            match c {
                '\u{7f}'..='\u{9f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{feff}'
                | '\u{fffe}'
                | '\u{ffff}' => {
                    let _ = write!(out, "\\u{:04x}", c as u32);
                }
                other => out.push(other),
            }
            out
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;
    use protocol::phase::Phase;

    fn new_memory(title: &str, body: &str, tags: &[String]) -> NewMemory {
        NewMemory {
            title: title.to_owned(),
            body: body.to_owned(),
            project: Some("shop-1a2b3c".to_owned()),
            tags: tags.to_vec(),
            source: "qa".to_owned(),
            task: Some("t142".to_owned()),
            phase: Some(Phase::Verify),
            evidence: vec!["exit 0\nof pytest".to_owned()],
            key: "t142/learn/1".to_owned(),
        }
    }

    #[test]
    fn a_record_is_a_readable_file() {
        let at: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let new = new_memory("Run\nfixtures \"first\"", "Body.\n\n", &["db".to_owned()]);
        let entry = Entry::new("m-1".to_owned(), &new, at).unwrap();
        let expected = "---\nv: 1\nid: \"m-1\"\ntitle: \"Run fixtures \\\"first\\\"\"\nproject: \"shop-1a2b3c\"\n\
            source: \"qa\"\ntask: \"t142\"\nphase: \"verify\"\nwritten: \"2026-11-20T10:00:00Z\"\n\
            key: \"t142/learn/1\"\ntags: [\"db\"]\n---\nBody.\n\n## Evidence\n\n- exit 0 of pytest\n";
        assert_eq!(entry.render(), expected);
    }

    #[test]
    fn what_a_person_wrote_is_read() {
        let text = "---\r\ntitle: The proxy needs a restart\r\nwritten: 2026-03-01\r\ntags:\r\n  - nginx\r\nmood: fine\r\n---\r\nBody";
        let entry = Entry::parse("proxy", text).unwrap();
        assert_eq!(
            (entry.id.as_str(), entry.source.as_str()),
            ("proxy", "person")
        );
        assert_eq!(entry.tags, ["nginx"]);
        assert_eq!(entry.written.unwrap().to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(entry.body, "Body");
        assert!(Entry::parse("x", "---\ntitle: t\n---").is_ok());
    }

    #[test]
    fn what_is_not_a_record_is_named() {
        let check = |text: &str, expected: fn(&EntryError) -> bool| {
            let error = Entry::parse("x", text).expect_err(text);
            assert!(expected(&error), "{text}: {error}");
        };
        check("", |e| *e == EntryError::NoFrontmatter);
        check("# just text", |e| *e == EntryError::NoFrontmatter);
        check("---\ntitle: half", |e| *e == EntryError::NoFrontmatter);
        check("---\nv: 2\ntitle: t\n---\n", |e| *e == EntryError::Newer(2));
        check("---\nid: y\ntitle: t\n---\n", |e| {
            *e == EntryError::OtherId("y".to_owned())
        });
        check("---\ntags: []\n---\n", |e| {
            matches!(e, EntryError::Frontmatter(_))
        });
        check("---\ntitle: [\n---\n", |e| {
            matches!(e, EntryError::Frontmatter(_))
        });
    }

    #[test]
    fn records_without_title_or_too_large_are_refused() {
        let at = Timestamp::UNIX_EPOCH;
        let big = "x".repeat(ENTRY_BYTES as usize);
        for new in [new_memory(" \n", "b", &[]), new_memory("t", &big, &[])] {
            assert!(Entry::new("m".to_owned(), &new, at).is_err());
        }
    }

    proptest! {
        #[test]
        fn every_record_reads_back(title in any::<String>(), body in any::<String>(), tags in proptest::collection::vec(any::<String>(), 0..4)) {
            let new = new_memory(&format!("t{title}"), &body, &tags);
            let entry = Entry::new("m-1".to_owned(), &new, Timestamp::UNIX_EPOCH).unwrap();
            prop_assert_eq!(Entry::parse("m-1", &entry.render()), Ok(entry));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Entry::parse("x", &text);
            let _ = Entry::parse("x", &format!("---\n{text}\n---\n{text}"));
        }
    }
}
