//! One attempt as its file tells it: lines of `# key: value`, then parts that begin with `=== `.

use guard::sandbox::cgroup;
use protocol::tool::ToolCall;
use std::path::Path;

/// What leave is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Rows of a source.
    Rows,
    /// Sites of a web server.
    Sites,
    /// Programs on the host.
    Programs,
}

/// What is done, in order.
#[derive(Debug, Clone)]
pub enum Part {
    /// Lines of a shell that lay out the user's workspace, on the host.
    Workspace(String),
    /// Lines of a shell in the sandbox: one call of `Bash`.
    Inside(String),
    /// The sandbox ends, and the next one is opened on the same clone.
    Again,
    /// A call of a tool.
    Call(String),
    /// Text that is put into the workspace's file of this name, as it is.
    File(String, String),
    /// The task's patch is applied to the user's workspace.
    Apply,
    /// Somebody is asked for leave, and whoever tries it has the agents' user: see `leave.rs`.
    Leave(About, String),
    /// What a role's own user says to Redis: see `users.rs`.
    User(String),
    /// A call that brings work elsewhere: see `bring.rs`.
    Bring(String),
}

#[derive(Debug, Clone)]
pub struct Case {
    /// `class/case`.
    pub name: String,
    /// The file's text.
    pub text: String,
    /// Why anybody would try it.
    pub why: String,
    /// The walls without which it succeeds, with `+` between them.
    pub without: String,
    /// Walls that are gone already when it is tried: what is left must hold alone.
    pub even_without: Option<String>,
    /// `root` or `user`, where it makes sense for one of them only.
    only: Option<String>,
    /// Programs it needs, `cgroup` for bounds of control groups, `landlock-6` for what Landlock says since that version.
    needs: Vec<String>,
    /// Tried at level 0, where the workspace is read-only and nothing is run.
    pub level_zero: bool,
    /// Hosts that its proxy allows, where it has one.
    pub proxy: Option<String>,
    /// Whose clients fetch from the registry `corp` through it, with a token that is the secret.
    pub registry: Option<String>,
    /// A file that must not appear in the user's workspace.
    pub planted: Option<String>,
    pub parts: Vec<Part>,
}

impl Case {
    pub fn class(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Every wall that is gone in the control.
    pub fn without(&self) -> String {
        match &self.even_without {
            Some(also) => format!("{}+{also}", self.without),
            None => self.without.clone(),
        }
    }

    /// Whether it is for whoever runs this.
    pub fn fits(&self) -> bool {
        let root = nix::unistd::geteuid().is_root();
        match self.only.as_deref() {
            Some("root") => root,
            Some("user") => !root,
            _ => true,
        }
    }

    /// Why it cannot be tried here.
    pub fn cannot(&self, redis: bool) -> Option<String> {
        if !self.fits() {
            return Some(format!("only as {}", self.only.as_deref().unwrap_or("?")));
        }
        let missing = self.needs.iter().find(|name| {
            if *name == "cgroup" {
                let place = cgroup::place_of(std::process::id());
                return matches!(place, cgroup::Place::Nowhere(_));
            }
            if let Some(version) = name.strip_prefix("landlock-") {
                let has = guard::executor::landlock::available().unwrap_or_default();
                return version.parse().is_ok_and(|needed: u32| has < needed);
            }
            let folders = ["/usr/bin", "/usr/sbin"].map(Path::new);
            let there = folders.iter().any(|folder| folder.join(name).exists());
            !there || (*name == "redis-server" && !redis)
        });
        missing.map(|name| format!("no {name}"))
    }

    fn parse(name: &str, text: &str) -> Result<Case, String> {
        let mut case = Case {
            name: name.to_owned(),
            text: text.to_owned(),
            why: String::new(),
            without: String::new(),
            even_without: None,
            only: None,
            needs: Vec::new(),
            level_zero: false,
            proxy: None,
            registry: None,
            planted: None,
            parts: Vec::new(),
        };
        let (head, body) = text.split_once("\n=== ").ok_or("it does nothing")?;
        for line in head.lines() {
            let (key, value) = line
                .strip_prefix("# ")
                .and_then(|line| line.split_once(": "))
                .ok_or_else(|| format!("`{line}` is no `# key: value`"))?;
            let value = value.trim().to_owned();
            match key {
                "why" => case.why = value,
                "without" => case.without = value,
                "even-without" => case.even_without = Some(value),
                "only" => case.only = Some(value),
                "needs" => case.needs = value.split(' ').map(str::to_owned).collect(),
                "level" => case.level_zero = value == "0",
                "proxy" => case.proxy = Some(value),
                "registry" => case.registry = Some(value),
                "planted" => case.planted = Some(value),
                other => return Err(format!("there is no key `{other}`")),
            }
        }
        if case.why.is_empty() || case.without.is_empty() {
            return Err("it must say `why` and `without`".to_owned());
        }
        for part in body.split("\n=== ") {
            let (kind, rest) = part.split_once('\n').unwrap_or((part, ""));
            case.parts.push(match kind.trim().split_once(' ') {
                None => match kind.trim() {
                    "workspace" => Part::Workspace(rest.to_owned()),
                    "inside" => Part::Inside(rest.to_owned()),
                    "call" => Part::Call(rest.trim().to_owned()),
                    "apply" => Part::Apply,
                    "again" => Part::Again,
                    "leave" => Part::Leave(About::Rows, rest.to_owned()),
                    "bring" => Part::Bring(rest.trim().to_owned()),
                    "user" => Part::User(rest.to_owned()),
                    "duty" => Part::Leave(About::Sites, rest.to_owned()),
                    "run" => Part::Leave(About::Programs, rest.to_owned()),
                    other => return Err(format!("there is no part `{other}`")),
                },
                Some(("file", path)) => Part::File(path.to_owned(), rest.to_owned()),
                Some((other, _)) => return Err(format!("there is no part `{other}`")),
            });
        }
        Ok(case)
    }
}

/// Every case, in the order of their names.
pub fn read_all(folder: &Path) -> Vec<Case> {
    let list = |folder: &Path| {
        let entries = std::fs::read_dir(folder)
            .unwrap_or_else(|e| panic!("{} cannot be read: {e}", folder.display()));
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let mut all = Vec::new();
    for class in list(folder).into_iter().filter(|path| path.is_dir()) {
        for file in list(&class) {
            let name = file.strip_prefix(folder).unwrap().with_extension("");
            let name = name.to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&file).unwrap();
            let case = Case::parse(&name, &text).unwrap_or_else(|why| panic!("{name}: {why}"));
            all.push(case);
        }
    }
    assert!(!all.is_empty(), "no attempts in {}", folder.display());
    all
}

/// A tool call as a case writes it.
pub fn tool_call(json: &str) -> ToolCall {
    let value: serde_json::Value = serde_json::from_str(json).expect("a call is JSON");
    ToolCall {
        id: "c".into(),
        name: value["name"].as_str().expect("a name").into(),
        input: value["input"].clone(),
    }
}
