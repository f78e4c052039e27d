//! A team whose warden may work on a web server, as stories about its duties want it.

use crate::AI_INFRA;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;
use tests::processes::wait_until;
use tests::sites::Sites;
use tests::team::Team;

pub const PATIENCE: Duration = Duration::from_secs(30);
pub const PIN: &str = "over the hill";
/// The file of its one site.
pub const FILE: &str = "etc/conf.d/ai-infra-shop.example.conf";

/// A team whose warden may work on a web server.
pub struct Stage {
    pub team: Team,
    pub sites: Sites,
}

impl Stage {
    pub fn new(rule: &str) -> Option<Self> {
        let sites = Sites::start()?;
        let granted = sites.granted("shop.example");
        let permissions =
            format!("acts: {{site.change: {rule}}}\noperations:\n  sites: {granted}\n");
        Some(Self::with(sites, &permissions))
    }

    /// The same, with everything that is granted.
    pub fn with(sites: Sites, permissions: &str) -> Self {
        let stage = Self::prepared(Team::new(AI_INFRA), sites, permissions);
        stage.team.up();
        stage
    }

    /// The same, not started.
    pub fn prepared(team: Team, sites: Sites, permissions: &str) -> Self {
        fs::create_dir_all(team.home().join("config")).expect("a folder");
        fs::write(team.home().join("config/permissions.yaml"), permissions).expect("a file");
        Self { team, sites }
    }

    pub fn begin(&self, playbook: &str, params: &[(&str, &str)]) -> String {
        let mut words = vec![
            "run".to_owned(),
            "--playbook".to_owned(),
            playbook.to_owned(),
            "--no-wait".to_owned(),
            "--json".to_owned(),
        ];
        for (name, value) in params {
            words.extend(["--param".to_owned(), format!("{name}={value}")]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = self.team.ai(&words).expect(0).json();
        said["short_id"].as_str().expect("a task").to_owned()
    }

    pub fn put(&self) -> String {
        self.begin(
            "put-site",
            &[
                ("host", "shop.example"),
                ("root", &self.sites.text("www/shop")),
            ],
        )
    }

    pub fn task(&self, task: &str) -> Value {
        self.team
            .ai(&["task", "show", task, "--json"])
            .expect(0)
            .json()["task"]
            .take()
    }

    pub fn comes_to(&self, task: &str, state: &str) -> Value {
        self.comes_within(PATIENCE, task, state)
    }

    pub fn comes_within(&self, patience: Duration, task: &str, state: &str) -> Value {
        let came = wait_until(patience, || self.task(task)["document"]["state"] == state);
        assert!(came, "{:#}", self.task(task));
        self.task(task)
    }

    /// Waits until a task waits for leave; answers its ticket and the four characters.
    pub fn asked(&self, task: &str) -> (String, String) {
        let waits = wait_until(PATIENCE, || self.task(task)["document"]["on"] == "approval");
        assert!(waits, "{:#}", self.task(task));
        let list = self
            .team
            .ai(&["approvals", "list", "--json"])
            .expect(0)
            .json();
        let ticket = list["tickets"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["task"] == task)
            .expect("a ticket");
        let text = |key: &str| ticket[key].as_str().expect("text").to_owned();
        (text("id"), text("mark"))
    }

    pub fn typed(&self, words: &[&str], lines: &str) {
        let mut command = self.team.command(words);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        child
            .stdin
            .take()
            .expect("its input")
            .write_all(lines.as_bytes())
            .expect("it reads");
        let out = child.wait_with_output().expect("it ends");
        assert!(out.status.success(), "{out:?}");
    }

    pub fn says_yes(&self, (id, mark): &(String, String)) {
        self.typed(&["approvals", "approve", id, mark], &format!("{PIN}\n"));
    }

    /// What somebody of the same user says to the warden.
    pub fn forged(&self, line: &Value) -> String {
        let path = self.team.home().join("run/warden.sock");
        let mut stream = BufReader::new(UnixStream::connect(path).expect("a socket"));
        writeln!(stream.get_mut(), "{line}").expect("it reads");
        let mut answer = String::new();
        stream.read_line(&mut answer).expect("it answers");
        answer
    }

    pub fn placed(&self) -> bool {
        self.sites.at(FILE).exists()
    }

    /// Lines of the record that the warden wrote of what it did itself.
    pub fn record(&self) -> Vec<String> {
        record_of(&self.team)
    }
}

/// The same of any team, whose record must hold.
pub fn record_of(team: &Team) -> Vec<String> {
    let verify = team.ai(&["audit", "verify", "--json"]).expect(0).json();
    assert_eq!(verify["intact"], true, "{verify:#}");
    let tail = team
        .ai(&["audit", "tail", "--lines", "200", "--json"])
        .expect(0)
        .stdout;
    let lines = tail
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| {
            line["agent"] == "warden"
                && line["tool"]
                    .as_str()
                    .is_some_and(|t| protocol::duty::tools::CHANGE.contains(&t))
        })
        .map(|line| {
            format!(
                "{} {} {}",
                line["tool"].as_str().unwrap_or("?"),
                line["stage"].as_str().unwrap_or("?"),
                line["outcome"].as_str().unwrap_or("?")
            )
        })
        .collect()
}
