//! Checks that take seconds and need neither network nor a server: syntax of data files, read here, and commands the
//! caller runs and gives back to be judged.

use protocol::text::cut;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};
use crate::{toml_text, walk};

/// A command worth running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuickCommand {
    /// What it checks.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Folder to start in, absolute.
    pub cwd: PathBuf,
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickCheck {
    /// What was checked.
    pub name: String,
    /// The command, its first words; empty for a check made here.
    pub argv: Vec<String>,
    /// True when it found nothing wrong.
    pub passed: bool,
    /// Exit code; none for a check made here or a command ended by a signal.
    pub exit: Option<i32>,
    /// What was seen, a few lines.
    pub observed: String,
}

/// All checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickChecks {
    /// In the order they were made.
    pub checks: Vec<QuickCheck>,
    /// How many passed.
    pub passed: u64,
    /// How many did not.
    pub failed: u64,
}

/// The commands that fit the project. None writes into it.
pub fn list(root: &Path) -> Vec<QuickCommand> {
    let limits = Limits {
        files: 20_000,
        ..Limits::default()
    };
    let names: Vec<String> = walk::files(root, &limits)
        .map(|w| w.files.into_iter().map(|f| f.name).collect())
        .unwrap_or_default();
    let ends = |extension: &str| {
        names
            .iter()
            .filter(|n| n.ends_with(extension) && !is_deliberate(n))
            .cloned()
            .collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    let mut add = |name: &str, line: &[&str], files: Vec<String>| {
        let argv = line.iter().map(|w| w.to_string()).chain(files).collect();
        all.push(QuickCommand {
            name: name.into(),
            argv,
            cwd: root.to_path_buf(),
        });
    };
    if names.iter().any(|n| n == "Cargo.toml") {
        add(
            "rust is formatted",
            &["cargo", "fmt", "--all", "--check"],
            vec![],
        );
    }
    let python = ends(".py");
    if !python.is_empty() {
        let program = "import ast,sys\nbad=0\nfor f in sys.argv[1:]:\n try: ast.parse(open(f,'rb').read(),f)\n except (SyntaxError,ValueError) as e: bad=1; print(f'{f}: {e}')\nsys.exit(bad)";
        add(
            "python parses",
            &["python3", "-c", program],
            bounded(python),
        );
    }
    let shell = ends(".sh");
    if !shell.is_empty() {
        let program = "code=0; for file; do bash -n \"$file\" || code=1; done; exit $code";
        add(
            "shell scripts parse",
            &["bash", "-c", program, "bash"],
            bounded(shell),
        );
    }
    let javascript: Vec<String> = [".js", ".cjs", ".mjs"]
        .into_iter()
        .flat_map(ends)
        .filter(|n| !n.contains(".min."))
        .collect();
    if !javascript.is_empty()
        && javascript.len() <= 40
        && !names
            .iter()
            .any(|n| n.ends_with(".jsx") || n.contains("babel"))
    {
        let program = "code=0; for file; do node --check \"$file\" || code=1; done; exit $code";
        add(
            "javascript parses",
            &["bash", "-c", program, "bash"],
            javascript,
        );
    }
    if names.iter().any(|n| n == "go.mod") {
        let go: Vec<String> = ends(".go")
            .into_iter()
            .filter(|n| !n.starts_with("vendor/"))
            .collect();
        add("go is formatted", &["gofmt", "-l"], bounded(go));
    }
    all
}

/// At most so many files as fit on a command line, none of which looks like an option.
fn bounded(mut files: Vec<String>) -> Vec<String> {
    files.truncate(1000);
    files.into_iter().map(|f| format!("./{f}")).collect()
}

/// Files below folders that hold broken examples on purpose.
fn is_deliberate(name: &str) -> bool {
    let folders = name.rsplit_once('/').map_or("", |(folders, _)| folders);
    let odd = [
        "test",
        "tests",
        "fixtures",
        "testdata",
        "test_data",
        "__fixtures__",
        "templates",
        "node_modules",
        "vendor",
        "snapshots",
    ];
    folders
        .split('/')
        .any(|part| odd.contains(&part.to_ascii_lowercase().as_str()))
}

/// The checks made here: every JSON, YAML and TOML file parses, and no file holds the marks of an unfinished merge.
/// Files of test folders are left out, since they are often wrong on purpose.
pub fn in_process(root: &Path, limits: &Limits) -> Result<Vec<QuickCheck>, InspectError> {
    let mut json = Tally::new("json parses");
    let mut yaml = Tally::new("yaml parses");
    let mut toml = Tally::new("toml parses");
    let mut merge = Tally::new("no unfinished merge");
    for seen in walk::files(root, limits)?.files {
        if is_deliberate(&seen.name) {
            continue;
        }
        let Some(text) = walk::text(&seen, limits) else {
            continue;
        };
        merge.count(&seen.name, unfinished_merge(&text));
        let base = seen.name.rsplit('/').next().unwrap_or_default();
        match base.rsplit_once('.').map(|(_, e)| e) {
            Some("json") if !has_comments(&seen.name, base) => {
                json.count(&seen.name, json_error(&text))
            }
            Some("yaml" | "yml") if !text.contains("{{") && !text.contains("{%") => {
                yaml.count(&seen.name, yaml_error(&text))
            }
            Some("toml") if !text.contains("{{") => {
                toml.count(&seen.name, toml_text::parse(&text).err())
            }
            _ => {}
        }
    }
    Ok([json, yaml, toml, merge]
        .into_iter()
        .filter(|t| t.files > 0)
        .map(Tally::check)
        .collect())
}

/// Files over which one check went.
struct Tally {
    name: &'static str,
    files: u64,
    wrong: Vec<String>,
}

impl Tally {
    fn new(name: &'static str) -> Self {
        Tally {
            name,
            files: 0,
            wrong: Vec::new(),
        }
    }

    fn count(&mut self, file: &str, error: Option<String>) {
        self.files += 1;
        self.wrong
            .extend(error.map(|e| format!("{file}: {}", one_line(&e))));
    }

    fn check(self) -> QuickCheck {
        let passed = self.wrong.is_empty();
        let observed = if passed {
            format!("{} files", self.files)
        } else {
            self.wrong[..self.wrong.len().min(20)].join("\n")
        };
        QuickCheck {
            name: self.name.into(),
            argv: Vec::new(),
            passed,
            exit: None,
            observed,
        }
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    cut(&words.join(" "), 200)
}

/// JSON files in which tools allow comments.
fn has_comments(name: &str, base: &str) -> bool {
    let known = [
        "tsconfig",
        "jsconfig",
        "devcontainer",
        "tslint",
        ".eslintrc",
        "deno",
        "api-extractor",
        ".swcrc",
        ".babelrc",
        "turbo",
    ];
    known.iter().any(|k| base.starts_with(k))
        || name.starts_with(".vscode/")
        || name.contains("/.vscode/")
        || name.contains(".devcontainer/")
}

fn json_error(text: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str::<IgnoredAny>(text)
        .err()
        .map(|e| e.to_string())
}

fn yaml_error(text: &str) -> Option<String> {
    serde_saphyr::from_multiple::<IgnoredAny>(text)
        .err()
        .map(|e| e.to_string())
}

fn unfinished_merge(text: &str) -> Option<String> {
    let begins = |mark: &str| text.lines().position(|l| l.starts_with(mark));
    let (first, last) = (begins("<<<<<<< ")?, begins(">>>>>>> ")?);
    let middle = text.lines().skip(first).any(|l| l == "=======");
    (middle && first < last).then(|| format!("line {} begins an unfinished merge", first + 1))
}

/// What a command's end means. None where the tool is missing (exit 127, or cargo without the component): that is no
/// finding about the project.
pub fn judge(
    command: &QuickCommand,
    exit: Option<i32>,
    stdout: &str,
    stderr: &str,
) -> Option<QuickCheck> {
    let missing = [
        "is not installed",
        "no such command",
        "command not found",
        "No such file or directory",
    ];
    if exit == Some(127) || (exit != Some(0) && missing.iter().any(|m| stderr.contains(m))) {
        return None;
    }
    let lists = command.argv.first().is_some_and(|a| a == "gofmt");
    let passed = exit == Some(0) && (!lists || stdout.trim().is_empty());
    let lines: Vec<&str> = stdout
        .lines()
        .chain(stderr.lines())
        .filter(|l| !l.trim().is_empty())
        .take(20)
        .collect();
    let observed = if passed {
        "nothing wrong".into()
    } else {
        cut(&lines.join("\n"), 2000)
    };
    let shown = command.argv.iter().take(6).map(|w| one_line(w)).collect();
    Some(QuickCheck {
        name: command.name.clone(),
        argv: shown,
        passed,
        exit,
        observed,
    })
}

/// Adds checks up.
pub fn total(checks: Vec<QuickCheck>) -> QuickChecks {
    let passed = checks.iter().filter(|c| c.passed).count() as u64;
    QuickChecks {
        passed,
        failed: checks.len() as u64 - passed,
        checks,
    }
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn planted(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn names_the_files_that_do_not_parse() {
        let dir = planted(&[
            ("good.json", "{\"a\": [1, 2]}"),
            ("bad.json", "{\"a\": [1, 2}"),
            ("tsconfig.json", "{ // comments are fine\n}"),
            ("tests/broken.json", "{"),
            ("a.yaml", "a: 1\n---\nb: [1, 2]\n"),
            ("b.yml", "a: [1, 2\nb: }\n"),
            ("helm.yaml", "a: {{ .Values.x }}\n"),
            ("c.toml", "a = 1\n[b]\n"),
            (
                "conflict.rs",
                "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n",
            ),
        ]);
        let checks = in_process(dir.path(), &Limits::default()).unwrap();
        let seen: Vec<_> = checks
            .iter()
            .map(|c| {
                (
                    c.name.as_str(),
                    c.passed,
                    c.observed.split(':').next().unwrap(),
                )
            })
            .collect();
        let expected = [
            ("json parses", false, "bad.json"),
            ("yaml parses", false, "b.yml"),
            ("toml parses", true, "1 files"),
            ("no unfinished merge", false, "conflict.rs"),
        ];
        assert_eq!(seen, expected);
        let all = total(checks);
        assert_eq!((all.passed, all.failed), (1, 3));
    }

    #[test]
    fn lists_what_fits_and_judges_it() {
        let dir = planted(&[
            ("Cargo.toml", ""),
            ("a.py", "x = 1"),
            ("run.sh", "true"),
            ("go.mod", ""),
            ("a.go", ""),
        ]);
        let list = list(dir.path());
        let names: Vec<_> = list.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "rust is formatted",
                "python parses",
                "shell scripts parse",
                "go is formatted"
            ]
        );
        let go = &list[3];
        let passed = |exit, out, err| judge(go, exit, out, err).map(|c| c.passed);
        assert_eq!(passed(Some(0), "", ""), Some(true));
        assert_eq!(passed(Some(0), "a.go\n", ""), Some(false));
        assert_eq!(passed(Some(2), "", "a.go:1: expected package"), Some(false));
        assert_eq!(passed(Some(127), "", ""), None);
        assert_eq!(passed(None, "", ""), Some(false));
    }
}
