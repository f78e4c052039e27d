//! Which of the files a patch changes are control files: told from the files as they shall be, so
//! that a link or a folder that becomes a repository is seen too.

use super::install::{Change, Entry, Tree};
use super::touched;
use crate::control_files::{holds_some, if_repository, is_plain, leads, obeyed_by};
use std::ffi::OsString;
use std::path::Path;

/// What is done about control files in a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ControlFiles {
    /// A patch that touches one is refused.
    #[default]
    Refused,
    /// A person says that they read them: they are brought in with the rest.
    Read,
}

impl ControlFiles {
    /// Whether a person has read them.
    pub fn read(they_are: bool) -> Self {
        match they_are {
            true => ControlFiles::Read,
            false => ControlFiles::Refused,
        }
    }
}

/// One that a patch touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFile {
    /// Relative to the workspace.
    pub path: String,
    /// Who obeys it, or what it is, as people say it.
    pub why: String,
}

/// Most control files that are named in a sentence.
const NAMED: usize = 12;

/// As one line.
pub(super) fn list(files: &[ControlFile]) -> String {
    let said = |file: &ControlFile| format!("{} ({})", file.path, file.why);
    let mut words: Vec<String> = files.iter().take(NAMED).map(said).collect();
    if files.len() > NAMED {
        words.push(format!("and {} more", files.len() - NAMED));
    }
    words.join(", ")
}

/// The control files that a patch names, by their names alone: for whoever is told of a patch before
/// it is applied. What cannot be read as a patch names none.
pub fn named(patch: &str) -> Vec<String> {
    let touched = touched::touched(patch).unwrap_or_default();
    let control = touched.into_iter();
    control.filter(|path| obeyed_by(path).is_some()).collect()
}

/// Most links in a row that are followed on paper.
const IN_A_ROW: usize = 8;

/// The control files among the changes.
pub(super) fn found(tree: &Tree, changes: &[Change]) -> Vec<ControlFile> {
    let mut aliases = tree.links_at_top();
    aliases.retain(|(name, _)| obeyed_by(name).or_else(|| holds_some(name)).is_some());
    let shall = Shall {
        tree,
        changes,
        aliases,
    };
    let control = |change: &Change| {
        shall.why(change).map(|why| ControlFile {
            path: change.path.clone(),
            why,
        })
    };
    changes.iter().filter_map(control).collect()
}

/// The workspace as it shall be.
struct Shall<'a> {
    tree: &'a Tree,
    changes: &'a [Change],
    /// Links at its top that have the name of a control file or of a folder of such, and where they lead.
    aliases: Vec<(String, String)>,
}

impl Shall<'_> {
    fn why(&self, change: &Change) -> Option<String> {
        let path = change.path.as_str();
        if let Some(by) = obeyed_by(path) {
            return Some(by.by().to_owned());
        }
        if let Some(why) = self.aliases.iter().find_map(|alias| by_way_of(alias, path)) {
            return Some(why);
        }
        let mut in_repository = path.to_owned();
        if let Some(Entry::Link(target)) = &change.new {
            if let Some(by) = holds_some(path) {
                let by = by.by();
                return Some(format!(
                    "a link in the place of a folder that is read by {by}"
                ));
            }
            if let Some(why) = self.link(path, Path::new(target), IN_A_ROW) {
                return Some(why);
            }
            if path.rsplit('/').next() == Some("hooks") {
                in_repository.push_str("/any");
            }
        }
        for folder in if_repository(&in_repository) {
            let head = match folder.as_str() {
                "" => "HEAD".to_owned(),
                folder => format!("{folder}/HEAD"),
            };
            // What cannot be read may be one.
            if !matches!(self.tree.read(&head), Ok(None)) {
                return Some("git, since a HEAD lies beside it".to_owned());
            }
        }
        None
    }

    /// What is wrong with a link that a patch makes. Its target is walked name by name: where one of
    /// them is a link itself, the words say nothing of where it ends.
    fn link(&self, path: &str, target: &Path, more: usize) -> Option<String> {
        let Some(to) = leads(path, target) else {
            return Some("a link out of the workspace".to_owned());
        };
        let of_git = to.split('/').any(|part| part.eq_ignore_ascii_case(".git"));
        if of_git || obeyed_by(&to).is_some() {
            return Some(format!("a link to {to}"));
        }
        if !is_plain(target) {
            return Some("a link that goes up after it went down".to_owned());
        }
        let ends = to.match_indices('/').map(|(at, _)| at).chain([to.len()]);
        for end in ends.filter(|end| *end > 0) {
            let at = to.get(..end)?;
            match self.is_link(at) {
                Seen::No => {}
                Seen::Link(next) if end == to.len() && more > 0 => {
                    return self.link(at, Path::new(&next), more - 1);
                }
                Seen::Link(_) | Seen::Unknown => {
                    return Some(format!("a link by way of the link {at}"));
                }
            }
        }
        None
    }

    fn is_link(&self, path: &str) -> Seen {
        // Some file systems do not tell names apart by case.
        let mut named = self.changes.iter();
        let change = named.find(|change| change.path.eq_ignore_ascii_case(path));
        match change.map(|change| (&change.new, change.path == path)) {
            Some((Some(Entry::Link(target)), _)) => return Seen::Link(target.clone()),
            Some((_, true)) => return Seen::No,
            _ => {}
        }
        match self.tree.is_link(path) {
            Ok(false) => Seen::No,
            Ok(true) => match self.tree.read(path) {
                Ok(Some(Entry::Link(target))) => Seen::Link(target),
                _ => Seen::Unknown,
            },
            Err(_) => Seen::Unknown,
        }
    }
}

/// Whether a link lies somewhere.
enum Seen {
    No,
    Link(OsString),
    /// It cannot be known, so it may be one.
    Unknown,
}

/// Who obeys the file at `path` because a link at the top leads to it.
fn by_way_of((name, to): &(String, String), path: &str) -> Option<String> {
    let (lower, to) = (path.to_ascii_lowercase(), to.to_ascii_lowercase());
    let rest = match to.as_str() {
        "" => format!("/{lower}"),
        to => lower.strip_prefix(to)?.to_owned(),
    };
    let is_within = rest.is_empty() || rest.starts_with('/');
    let by = is_within.then(|| obeyed_by(&format!("{name}{rest}")))??;
    Some(format!("{}, by way of the link {name}", by.by()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(content: &str) -> Entry {
        Entry::File {
            content: content.into(),
            mode: 0o644,
        }
    }

    #[track_caller]
    fn check(path: &str, old: Option<Entry>, new: Option<Entry>, expected: Option<&str>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bare")).unwrap();
        std::fs::write(folder.path().join("bare/HEAD"), "ref: refs/heads/main\n").unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        let path = path.to_owned();
        let found = found(&tree, &[Change { path, old, new }]);
        let why = found.first().map(|file| file.why.as_str());
        assert_eq!(why, expected);
    }

    #[test]
    fn what_a_file_shall_be_counts_and_not_only_its_name() {
        let link = |to: &str| Some(Entry::Link(to.into()));
        check(
            ".envrc",
            None,
            Some(file("x")),
            Some("shells and other tools as they start"),
        );
        check(
            ".envrc",
            Some(file("x")),
            None,
            Some("shells and other tools as they start"),
        );
        check("src/a", None, Some(file("x")), None);
        check("a", None, link("b/c"), None);
        check(
            "a",
            None,
            link("/etc/passwd"),
            Some("a link out of the workspace"),
        );
        check(
            "a/b",
            None,
            link("../.git/hooks"),
            Some("a link to .git/hooks"),
        );
        check(
            "a",
            None,
            link(".vscode/tasks.json"),
            Some("a link to .vscode/tasks.json"),
        );
        // A link that is taken away leads nowhere.
        check("a", link("/etc"), None, None);
        check(
            "bare/config",
            None,
            Some(file("x")),
            Some("git, since a HEAD lies beside it"),
        );
        check(
            "bare/hooks/post-checkout",
            None,
            Some(file("x")),
            Some("git, since a HEAD lies beside it"),
        );
        check("app/config", None, Some(file("x")), None);
    }

    /// What is said of the changes to a workspace that has these links already, path by path.
    #[track_caller]
    fn said(links: &[(&str, &str)], new: &[(&str, Entry)], expected: &[(&str, &str)]) {
        let folder = tempfile::tempdir().unwrap();
        for (path, target) in links {
            let at = folder.path().join(path);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, at).unwrap();
        }
        std::fs::create_dir_all(folder.path().join("lib")).unwrap();
        let change = |(path, new): &(&str, Entry)| Change {
            path: (*path).to_owned(),
            old: None,
            new: Some(new.clone()),
        };
        let changes: Vec<Change> = new.iter().map(change).collect();
        let found = found(&Tree::open(folder.path()).unwrap(), &changes);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|file| (file.path.as_str(), file.why.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    fn to(target: &str) -> Entry {
        Entry::Link(target.into())
    }

    #[test]
    fn a_link_that_another_link_leads_astray_is_seen() {
        let up = "a link that goes up after it went down";
        said(
            &[],
            &[
                ("p/q/r/l", to("../../..")),
                ("p/q/r/dist", to("l/../../../../home/ann/.config")),
            ],
            &[("p/q/r/dist", up)],
        );
        let two = [("p/q/r/l", to("../../..")), ("p/q/r/dist", to("l/../.."))];
        said(&[], &two, &[("p/q/r/dist", up)]);
        let through = [("a/l", to("../b")), ("a/x", to("l/y"))];
        said(&[], &through, &[("a/x", "a link by way of the link a/l")]);
        let through = [("a/L", to("../b")), ("a/x", to("l/y"))];
        said(&[], &through, &[("a/x", "a link by way of the link a/l")]);
        let there = [("data", "/srv/data")];
        said(
            &there,
            &[("x", to("data/y"))],
            &[("x", "a link by way of the link data")],
        );
        said(
            &there,
            &[("x", to("data"))],
            &[("x", "a link out of the workspace")],
        );
        said(&there, &[("x", to("data/y")), ("data", file("z"))], &[]);
        said(
            &[],
            &[("a", to("b")), ("b", to("a"))],
            &[
                ("a", "a link by way of the link b"),
                ("b", "a link by way of the link a"),
            ],
        );
    }

    #[test]
    fn plain_links_stay_ordinary() {
        said(
            &[("lib/y.so", "y.so.1")],
            &[
                ("bin/x", to("../lib/x.so")),
                ("bin/y", to("../lib/y.so")),
                ("bin/deep/z", to("./../../lib")),
                ("lib/x.so", to("x.so.1")),
                ("lib/x.so.1", file("x")),
                ("top", to(".")),
            ],
            &[],
        );
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_hides_no_control_file() {
        said(
            &[],
            &[
                ("web/.Cargo", to("build/c")),
                ("web/build/c/config.toml", file("x")),
            ],
            &[(
                "web/.Cargo",
                "a link in the place of a folder that is read by package tools",
            )],
        );
        let there = [
            (".cargo", "build/c"),
            (".vscode", "editor"),
            (".envrc", "through/rc"),
            ("through", "env"),
            ("env/rc", "more"),
            ("docs", "text"),
        ];
        said(
            &there,
            &[
                ("build/c/config.toml", file("x")),
                ("build/c/other", file("x")),
                ("Editor/tasks.json", file("x")),
                ("editors/tasks.json", file("x")),
                ("text/a", file("x")),
            ],
            &[
                (
                    "build/c/config.toml",
                    "package tools, by way of the link .cargo",
                ),
                ("Editor/tasks.json", "editors, by way of the link .vscode"),
            ],
        );
        let there = [(".envrc", "through/rc"), ("through", "lib")];
        said(
            &there,
            &[("through/rc", file("x"))],
            &[(
                "through/rc",
                "shells and other tools as they start, by way of the link .envrc",
            )],
        );
    }

    #[test]
    fn a_link_in_a_repository_is_judged_as_its_file_would_be() {
        let why = Some("git, since a HEAD lies beside it");
        check("bare/config", None, Some(to("../x")), why);
        check("bare/hooks", None, Some(to("../x")), why);
        check("bare/readme", None, Some(to("../x")), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let one = |n: usize| ControlFile {
            path: format!("{n}/.envrc"),
            why: "w".to_owned(),
        };
        let many: Vec<ControlFile> = (0..14).map(one).collect();
        assert!(
            list(&many).ends_with("11/.envrc (w), and 2 more"),
            "{}",
            list(&many)
        );
        assert_eq!(list(&many[..1]), "0/.envrc (w)");
    }

    #[test]
    fn a_patch_is_told_by_its_names() {
        let patch = "diff --git a/.envrc b/.envrc\n--- a/.envrc\ndiff --git a/y b/y\n";
        assert_eq!(named(patch), [".envrc"]);
        assert!(named("nothing").is_empty());
    }
}
