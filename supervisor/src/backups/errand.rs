//! The process of a backup or a drill: this program, told to end when its standard input does, which is
//! when the supervisor that began it is gone, whatever ended it.

use crate::daemon::environment;
use crate::daemon::process::{clean_environment, own_exe};
use config::env::Env;
use config::home::Home;
use protocol::exit;
use serde_json::Value;
use std::io;
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// Most that is read of what it says, in bytes.
const SAID_BYTES: u64 = 4 * 1024 * 1024;
/// Most that is kept of a sentence, in characters.
const SENTENCE: usize = 500;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It did what it was begun for.
    Done {
        /// In one line.
        said: String,
        /// Worth a word in window 0.
        loud: bool,
    },
    /// Another process is at it.
    Busy,
    /// It failed.
    Failed {
        /// Why.
        why: String,
        /// Trying again would not help.
        for_good: bool,
    },
}

impl Ended {
    pub(super) fn failed(why: String) -> Self {
        let for_good = false;
        Ended::Failed { why, for_good }
    }
}

/// Runs it to its end.
pub(super) async fn run(home: &Home, words: &[&str]) -> io::Result<Ended> {
    let mut child = Command::new(own_exe()?)
        .arg("--home")
        .arg(&home.root)
        .args(words)
        .args(["--json", "--leashed"])
        .env_clear()
        .envs(clean_environment(&Env::from_process(), home))
        .envs(environment::adopted())
        .current_dir(&home.root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Held until it ended: its other end is what tells it that we live.
    let leash = child.stdin.take();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err, status) = tokio::join!(all(out), all(err), child.wait());
    drop(leash);
    let code = status?.code().unwrap_or(i32::from(exit::FAILED));
    let code = u8::try_from(code).unwrap_or(exit::FAILED);
    Ok(read(code, &out, &err))
}

async fn all(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        let _cut_off = (&mut from).take(SAID_BYTES).read_to_end(&mut bytes).await;
        // Who writes more than that must not block for ever.
        let _rest = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    }
    bytes
}

/// What its exit code, its document and its words come to.
pub(super) fn read(code: u8, out: &[u8], err: &[u8]) -> Ended {
    let document: Value = serde_json::from_slice(out).unwrap_or_default();
    let text = |value: &Value, key: &str| value[key].as_str().map(cut);
    let failed = |why: String| match code {
        exit::REFUSED => Ended::Busy,
        exit::USAGE => Ended::Failed {
            why,
            for_good: true,
        },
        _ => Ended::failed(why),
    };
    if let Some(said) = text(&document, "said") {
        // A drill: one that found something has done what it was begun for.
        let loud = true;
        return Ended::Done { said, loud };
    }
    if let Some(report) = document["configuration"].as_object() {
        let many = |key: &str| {
            let list = report.get(key).and_then(Value::as_array);
            list.map_or(0, Vec::len)
        };
        let all = [
            ("sent", "sent"),
            ("came", "came in"),
            ("merged", "merged"),
            ("kept_back", "not sent"),
            ("waiting", "waiting for a person"),
        ];
        let parts: Vec<String> = (all.iter())
            .filter(|(key, _)| many(key) > 0)
            .map(|(key, words)| format!("{} files {words}", many(key)))
            .collect();
        let said = match parts.is_empty() {
            true => "both sides have the same".to_owned(),
            false => parts.join(", "),
        };
        // What waits stands in the team's status.
        let loud = many("came") + many("merged") > 0;
        return Ended::Done { said, loud };
    }
    let Some(job) = document["jobs"].get(0) else {
        let said = String::from_utf8_lossy(err);
        let said = said.lines().find(|line| !line.trim().is_empty());
        let why = said.map_or(format!("it ended with code {code} and no word"), cut);
        let why = why.trim_start_matches("error: ").trim_start_matches("✗ ");
        return failed(why.to_owned());
    };
    if let Some(error) = text(job, "error") {
        return failed(error);
    }
    let notes = job["notes"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(snapshot) = job["snapshot"].as_str() else {
        let why = notes.first().and_then(Value::as_str).unwrap_or_default();
        return Ended::Done {
            said: cut(why),
            loud: false,
        };
    };
    let number = |key: &str| job[key].as_u64().unwrap_or_default();
    let mut said = format!(
        "{snapshot}: {} files, {} bytes, {} sent",
        number("files"),
        number("bytes"),
        number("sent")
    );
    let alarm = text(job, "alarm");
    if let Some(alarm) = &alarm {
        said.push_str(&format!("; {alarm}"));
    }
    if let Some(note) = notes.first().and_then(Value::as_str) {
        let more = match notes.len() {
            1 => String::new(),
            many => format!(" and {} more", many - 1),
        };
        said.push_str(&format!("; {}{more}", cut(note)));
    }
    let loud = alarm.is_some() || !notes.is_empty();
    Ended::Done { said, loud }
}

fn cut(text: &str) -> String {
    text.chars().take(SENTENCE).collect()
}
