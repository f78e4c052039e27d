//! A team whose infra agent may ask for programs on the host, and a person with a PIN.

use crate::AI_INFRA;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tests::leave::{PATIENCE, PIN, Stage};
use tests::processes::wait_until;
use tests::team::Team;

/// A team whose infra agent may ask for programs on the host.
pub struct Runs {
    pub stage: Stage,
}

impl Runs {
    pub fn new() -> Self {
        Self::with("privileged: [infra]\n")
    }

    pub fn with(permissions: &str) -> Self {
        let runs = Self::prepared(Team::new(AI_INFRA), permissions);
        runs.stage.team.up();
        runs.stage.keeps_pin();
        runs
    }

    /// The same, not started.
    pub fn prepared(team: Team, permissions: &str) -> Self {
        let stage = Stage::new(team, "ask", "");
        let file = stage.team.home().join("config/permissions.yaml");
        fs::write(file, permissions).expect("a file");
        Self { stage }
    }

    /// A script in the story's own folder, which others than root may change.
    pub fn script(&self, name: &str, text: &str) -> String {
        let path = self.stage.work.join(name);
        script(&path, text);
        path.display().to_string()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.stage.work.join(name)).unwrap_or_default()
    }

    /// A line of a shell that runs in the story's folder.
    pub fn line(&self, line: &str) -> String {
        let folder = self.stage.work.display();
        format!("sh -c 'cd {folder} && {line}'")
    }

    pub fn begin(&self, command: &str) -> String {
        let param = format!("command={command}");
        let words = [
            "run",
            "--playbook",
            "run-on-host",
            "--no-wait",
            "--json",
            "--param",
            &param,
        ];
        let said = self.stage.team.ai(&words).expect(0).json();
        said["short_id"].as_str().expect("a task").to_owned()
    }

    pub fn says_yes(&self, task: &str) -> String {
        let (id, mark) = self.stage.asked(task);
        let yes = ["approvals", "approve", &id, &mark];
        self.stage.typed(&yes, &format!("{PIN}\n")).expect(0);
        id
    }

    /// Begins one that says when it is at work, and lets it.
    pub fn at_work(&self, line: &str) -> String {
        let task = self.begin(&self.line(&format!("echo once >> count; {line}")));
        self.says_yes(&task);
        assert!(
            wait_until(PATIENCE, || self.read("count") == "once\n"),
            "{:#}",
            self.stage.task(&task)
        );
        task
    }

    /// Waits until nobody knows what became of it and a person is asked.
    pub fn is_asked_about(&self, task: &str) -> String {
        let asks = wait_until(PATIENCE * 2, || {
            self.stage.task(task)["document"]["on"] == "input"
        });
        let seen = self.stage.task(task).to_string();
        assert!(asks, "{seen}");
        seen
    }

    pub fn copies(&self) -> usize {
        let folder = self.stage.team.home().join("warden/runs");
        fs::read_dir(folder).map_or(0, |all| all.count())
    }

    pub fn page(&self, id: &str) -> String {
        self.stage
            .team
            .ai(&["approvals", "show", id])
            .expect(0)
            .stdout
    }

    pub fn ends(self) {
        self.stage.intact();
        self.stage.team.down();
    }
}

pub fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("its mode");
}
