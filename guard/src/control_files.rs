//! Control files: what a program obeys without being asked, as soon as a folder is opened, entered,
//! committed in or pushed. A task that writes one has its words carried out later, outside of every
//! sandbox, with the person's own rights. So they are not brought home with the rest of a patch, and
//! those of an editor, an agent or a shell that are there already cannot be written by a task at all.
//! Pure.

mod names;

use names::{FILES, FOLDERS, WITHIN, spelled};
use std::path::Path;

/// Who obeys a control file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obeyed {
    /// git, when it looks for submodules or meets a folder that looks like a repository.
    Git,
    /// git, when it commits or checks out.
    Hooks,
    /// An editor, when it opens the folder.
    Editor,
    /// An agent for code: its settings, hooks, servers and skills.
    Agent,
    /// An agent for code: what it is told in words.
    Words,
    /// A shell, a debugger or a client, when it starts.
    Shell,
    /// Package tools: where packages come from and who sees the token.
    Packages,
    /// Build tools: which of them runs, and with what in it.
    Tools,
    /// The service that builds what is pushed, with its secrets.
    Builds,
    /// ssh and others that keep keys.
    Keys,
}

use Obeyed::{Agent, Builds, Editor, Git, Hooks, Keys, Packages, Shell, Tools, Words};

impl Obeyed {
    /// By whom, as people say it.
    pub fn by(self) -> &'static str {
        match self {
            Git => "git",
            Hooks => "git, as hooks",
            Editor => "editors",
            Agent => "coding agents",
            Words => "coding agents, as instructions",
            Shell => "shells and other tools as they start",
            Packages => "package tools",
            Tools => "build tools as they start",
            Builds => "the service that builds what is pushed",
            Keys => "tools that keep keys",
        }
    }

    /// Whether one that is there already is read-only for a task. The others are ordinary work
    /// (a build is mended, a mirror named), which a person looks at when the patch comes home.
    fn is_fixed(self) -> bool {
        matches!(self, Git | Editor | Agent | Shell | Keys)
    }
}

/// Who obeys the file at this path of a workspace without being asked; `None` for an ordinary one.
/// Names are compared without regard to ASCII case, since some file systems do.
pub fn obeyed_by(path: &str) -> Option<Obeyed> {
    let lower = path.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split('/').collect();
    let folder = |part: &&str| FOLDERS.iter().find(|(name, _)| name == part);
    if let Some((_, by)) = parts.iter().find_map(folder) {
        return Some(*by);
    }
    let within = parts.windows(2).find_map(|pair| {
        let named = |row: &&(&str, &str, Obeyed)| pair == [row.0, row.1];
        WITHIN.iter().find(named)
    });
    if let Some((_, _, by)) = within {
        return Some(*by);
    }
    let name = parts.last()?;
    if let Some((_, by)) = FILES.iter().find(|(file, _)| file == name) {
        return Some(*by);
    }
    if let Some(by) = spelled(name) {
        return Some(by);
    }
    if *name == "jenkinsfile" {
        return Some(Builds);
    }
    if name.ends_with(".code-workspace") || name.ends_with(".sublime-project") {
        return Some(Editor);
    }
    // A folder with a HEAD, objects and refs is a repository, and git obeys the settings in it.
    (path.rsplit('/').next() == Some("HEAD")).then_some(Git)
}

/// Who obeys something in a folder of this name, though not all that lies in it. A link in its place
/// makes control files of whatever it leads to.
pub fn holds_some(path: &str) -> Option<Obeyed> {
    let name = path.rsplit('/').next()?;
    let row = WITHIN.iter().find(|row| row.0.eq_ignore_ascii_case(name))?;
    Some(row.2)
}

/// Whether a task may not write what lies at the top of a workspace under this name.
pub fn is_fixed(name: &str) -> bool {
    name != "HEAD" && obeyed_by(name).is_some_and(Obeyed::is_fixed)
}

/// Folders that would have to be repositories for git to obey this file: those beside which a `HEAD`
/// makes it settings or a hook. Relative; empty for the workspace itself.
pub fn if_repository(path: &str) -> Vec<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let obeyed = |at: &usize| match &parts[*at..] {
        ["config" | "config.worktree"] => true,
        ["hooks", rest @ ..] => !rest.is_empty(),
        _ => false,
    };
    (0..parts.len())
        .filter(obeyed)
        .map(|at| parts[..at].join("/"))
        .collect()
}

/// Whether a link's target goes up first and then only down: one that goes up after a name is led
/// astray by a link of that name.
pub fn is_plain(target: &Path) -> bool {
    let target = target.to_string_lossy();
    let parts = target.split('/').filter(|p| !matches!(*p, "" | "."));
    let down: Vec<&str> = parts.skip_while(|part| *part == "..").collect();
    !down.contains(&"..")
}

/// Where a link at `path` leads: relative to the workspace, or `None` when out of it. Lexical.
pub fn leads(path: &str, target: &Path) -> Option<String> {
    let target = target.to_str()?;
    if target.starts_with('/') {
        return None;
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut at: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                at.pop()?;
            }
            name => at.push(name),
        }
    }
    Some(at.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(path: &str, expected: Option<Obeyed>) {
        assert_eq!(obeyed_by(path), expected, "{path}");
    }

    #[test]
    fn control_files_are_known_at_any_depth_and_in_any_case() {
        check(".vscode/tasks.json", Some(Editor));
        check("packages/web/.VSCode/settings.json", Some(Editor));
        check(".vscode", Some(Editor));
        check("shop.code-workspace", Some(Editor));
        check(".claude/settings.json", Some(Agent));
        check("a/.mcp.json", Some(Agent));
        check("CLAUDE.md", Some(Words));
        check(".envrc", Some(Shell));
        check("home/.bashrc", Some(Shell));
        check(".gitmodules", Some(Git));
        check("fixtures/repo.git/HEAD", Some(Git));
        check(".husky/pre-commit", Some(Hooks));
        check(".npmrc", Some(Packages));
        check(".cargo/config.toml", Some(Packages));
        check(".github/workflows/ci.yml", Some(Builds));
        check("Jenkinsfile", Some(Builds));
        check(".devcontainer.json", Some(Editor));
        check("rust-toolchain", Some(Tools));
        check("Rust-Toolchain.toml", Some(Tools));
        check(".mvn/jvm.config", Some(Tools));
        check(".bazelrc", Some(Tools));
        check("tools/bazel", Some(Tools));
        check(".tool-versions", Some(Tools));
        check("opencode.jsonc", Some(Agent));
        check(".opencode/plugin/x.js", Some(Agent));
        check(".clinerules", Some(Words));
        check(".clinerules/style.md", Some(Words));
        check(".github/instructions/x.instructions.md", Some(Words));
        for name in [
            "lefthook.yml",
            "lefthook-local.yml",
            ".lefthook-local.toml",
            ".config/lefthook.json",
        ] {
            check(name, Some(Hooks));
        }
        for name in [
            "mise.toml",
            ".mise.local.toml",
            "mise.prod.local.toml",
            ".mise/config.toml",
            ".config/mise.toml",
            ".config/mise/conf.d/x.toml",
            "mise/config.toml",
        ] {
            check(name, Some(Shell));
        }
        check(".ssh/authorized_keys", Some(Keys));
    }

    #[test]
    fn ordinary_files_are_ordinary() {
        for path in [
            "src/main.rs",
            "README.md",
            ".github/ISSUE_TEMPLATE.md",
            ".github",
            ".config/nextest.toml",
            ".gitignore",
            ".gitattributes",
            "package.json",
            "config.toml",
            "config",
            "vscode/tasks.json",
            "lefthook.md",
            "promise.toml",
            "mise/readme.md",
            "tools/bazel.md",
            "toolchain.toml",
            "head",
            "docs/agents.md.txt",
            ".env",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn what_a_task_cannot_write_is_the_smaller_part() {
        for name in [".vscode", ".claude", ".mcp.json", ".envrc", ".gitmodules"] {
            assert!(is_fixed(name), "{name}");
        }
        for name in [
            "AGENTS.md",
            ".npmrc",
            ".gitlab-ci.yml",
            ".husky",
            "HEAD",
            "rust-toolchain.toml",
        ] {
            assert!(!is_fixed(name), "{name}");
        }
    }

    #[test]
    fn settings_of_a_repository_are_told_from_files_of_that_name() {
        assert_eq!(if_repository("config"), [""]);
        assert_eq!(if_repository("a/b/config"), ["a/b"]);
        assert_eq!(if_repository("a/hooks/pre-commit"), ["a"]);
        assert_eq!(if_repository("hooks/hooks/x"), ["", "hooks"]);
        assert!(if_repository("a/config/x").is_empty());
        assert!(if_repository("hooks").is_empty());
    }

    #[test]
    fn links_are_followed_on_paper() {
        let to = |path: &str, target: &str| leads(path, Path::new(target));
        assert_eq!(to("a/b", "../c"), Some("c".to_owned()));
        assert_eq!(to("a/b", "../.git/hooks"), Some(".git/hooks".to_owned()));
        assert_eq!(to("b", "."), Some(String::new()));
        assert_eq!(to("a/b", "../../c"), None);
        assert_eq!(to("a", "/etc/passwd"), None);
    }

    #[test]
    fn a_target_is_plain_where_it_only_goes_up_and_then_down() {
        for (target, plain) in [
            ("a/b", true),
            ("../lib/x.so", true),
            ("./../../a", true),
            ("..", true),
            ("a/..", false),
            ("../a/./../b", false),
        ] {
            assert_eq!(is_plain(Path::new(target)), plain, "{target}");
        }
    }

    #[test]
    fn folders_of_which_some_is_obeyed_are_known() {
        assert_eq!(holds_some("web/.Cargo"), Some(Packages));
        assert_eq!(holds_some(".github"), Some(Builds));
        assert_eq!(holds_some("cargo"), None);
    }

    proptest! {
        #[test]
        fn a_folder_makes_everything_below_it_a_control_file(above in "[a-z/]{0,12}", below in "[a-z/.]{0,12}") {
            let path = format!("{above}/.claude/{below}");
            prop_assert!(obeyed_by(&path).is_some());
            let _ = if_repository(&path);
        }
    }
}
