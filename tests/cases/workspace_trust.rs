//! What a folder says to agents is told to a model only where a person trusts exactly this content.

use crate::AI_INFRA;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use tests::leave::PIN;
use tests::model_api::ModelApi;
use tests::team::{Ran, Team};

const MARK: &str = "indent with three blanks";

struct Story {
    api: ModelApi,
    team: Team,
    work: PathBuf,
}

impl Story {
    fn new() -> Self {
        let proposal = json!({
            "options": [{"name": "write", "summary": "write it", "risk": "none"}],
            "choice": "write", "steps": ["write"],
            "criteria": [{"id": "c1", "text": "it is written", "change": true,
                "check": {"file": {"path": "note.txt", "contains": "hello"}}}]
        });
        let input = json!({"file_path": "note.txt", "content": "hello\n"});
        let turns = vec![
            json!({"type": "tool_use", "id": "w", "name": "Write", "input": input}),
            json!({"type": "text", "text": "It is written."}),
        ];
        let api = ModelApi::start(proposal, turns);
        let team = Team::new(AI_INFRA)
            .with_env("ANTHROPIC_API_KEY", "sk-ant-story")
            .with_env("ANTHROPIC_BASE_URL", api.url());
        team.configure("engine:\n  name: anthropic\npressure:\n  enabled: false\n");
        let work = team.scratch("work");
        let git = |words: &[&str]| {
            let done = Command::new("git")
                .arg("-C")
                .arg(&work)
                .args(words)
                .output();
            assert!(done.expect("git").status.success(), "{words:?}");
        };
        git(&["init", "-q"]);
        std::fs::write(work.join(".gitignore"), ".claude/*.local.json\n").expect("a file");
        std::fs::write(work.join("AGENTS.md"), format!("# How we work\n\n{MARK}\n"))
            .expect("a file");
        std::fs::create_dir_all(work.join(".claude/skills")).expect("a folder");
        std::fs::write(work.join(".claude/settings.local.json"), "{}\n").expect("a file");
        std::fs::write(work.join(".claude/skills/a.md"), "a skill\n").expect("a file");
        std::os::unix::fs::symlink("AGENTS.md", work.join("CLAUDE.md")).expect("a link");
        team.up();
        Self { api, team, work }
    }

    fn trust(&self, more: &[&str], pin: &str) -> Ran {
        let folder = self.work.display().to_string();
        let words = [&["workspace", "trust", &folder][..], more].concat();
        self.team.piped(&words, pin)
    }

    /// Has a model work there; whether it was told what the folder says.
    fn told(&self) -> bool {
        let before = self.api.conversations().len();
        let folder = self.work.display().to_string();
        let words = [
            "run",
            "write a greeting",
            "--agent",
            "code",
            "--workspace",
            &folder,
        ];
        self.team.ai(&words).expect(0);
        let said = self.api.conversations().split_off(before);
        assert!(!said.is_empty());
        let with = said.iter().filter(|one| one.contains(MARK)).count();
        assert!(with == 0 || with == said.len(), "{with} of {}", said.len());
        assert!(said.iter().all(|one| !one.contains("a skill")), "{said:#?}");
        with > 0
    }

    fn trusted(&self) -> bool {
        let shown = self.trust(&["--show", "--json"], "").expect(0).json();
        assert_eq!(
            shown["files"].as_array().map(Vec::len),
            Some(4),
            "{shown:#}"
        );
        shown["trusted"] != Value::Null
    }
}

#[test]
fn a_workspace_is_obeyed_where_a_person_trusts_it_as_it_is() {
    let story = Story::new();
    assert!(!story.told() && !story.trusted());
    let notes = story.team.ai(&["task", "show", "t1"]).expect(0).stdout;
    assert!(!notes.contains(MARK), "{notes}");
    // Nobody who is not told apart from an agent can say so.
    let none = story.trust(&[], "").expect(4);
    assert!(none.stderr.contains("approvals pin"), "{none:#?}");
    story
        .team
        .piped(&["approvals", "pin"], &format!("{PIN}\n"))
        .expect(0);
    story.trust(&[], "123456\n").expect(4);
    assert!(!story.trusted());

    let given = story.trust(&[], &format!("{PIN}\n")).expect(0).stdout;
    assert!(
        given.contains("AGENTS.md is told to models") && given.contains("not used"),
        "{given}"
    );
    assert!(story.trusted() && story.told());
    // Any change ends it, also of what is not told; and changing it back does not give it back.
    let skill = story.work.join(".claude/skills/a.md");
    std::fs::write(&skill, "a skill, and more\n").expect("a file");
    assert!(!story.told());
    std::fs::write(&skill, "a skill\n").expect("a file");
    assert!(!story.trusted() && !story.told());

    story.trust(&[], &format!("{PIN}\n")).expect(0);
    assert!(story.trusted());
    story.trust(&["--revoke"], "").expect(0);
    assert!(!story.trusted() && !story.told());
    let record = story
        .team
        .ai(&["audit", "tail", "-n", "500"])
        .expect(0)
        .stdout;
    for words in ["trusts what", "changed: it is not trusted any more"] {
        assert!(record.contains(words), "{words}: {record}");
    }
    story.team.down();
}
