//! One connection to the supervisor's control socket, made again whenever it breaks: hands tasks in
//! and looks at them many times faster than the command line could.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wait for one answer; a stopped supervisor says nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause before another try.
const AGAIN: Duration = Duration::from_millis(50);

/// The connection.
#[derive(Debug)]
pub struct Line {
    socket: PathBuf,
    open: Option<BufReader<UnixStream>>,
}

impl Line {
    /// To the supervisor of a home; connects when it is first needed.
    pub fn new(home: &Path) -> Self {
        Self {
            socket: home.join("run/supervisor.sock"),
            open: None,
        }
    }

    /// Hands a task in until it is accepted: the same request id twice is one task. Says its short
    /// id.
    ///
    /// # Panics
    /// When it is not accepted within `patience`.
    pub fn submit(&mut self, submit: &Value, patience: Duration) -> String {
        let mut request = json!({"v": 1, "verb": "submit"});
        merge(&mut request, submit);
        let began = Instant::now();
        loop {
            let said = self.ask(&request);
            if let Some(short) = said
                .as_ref()
                .and_then(|said| said["task"]["short_id"].as_str())
            {
                return short.to_owned();
            }
            assert!(
                began.elapsed() < patience,
                "not accepted: {request} {said:?}"
            );
            std::thread::sleep(AGAIN);
        }
    }

    /// The page of a task; `None` while nobody answers.
    pub fn page(&mut self, task: &str) -> Option<Value> {
        let mut said = self.ask(&json!({"v": 1, "verb": "task_show", "task": {"short": task}}))?;
        Some(said["answer"]["page"].take()).filter(|page| page.is_object())
    }

    /// Asks once and takes the last line of the answer.
    pub fn ask(&mut self, request: &Value) -> Option<Value> {
        let mut reader = match self.open.take() {
            Some(open) => open,
            None => {
                let stream = UnixStream::connect(&self.socket).ok()?;
                stream.set_read_timeout(Some(PATIENCE)).ok()?;
                BufReader::new(stream)
            }
        };
        let mut text = request.to_string();
        text.push('\n');
        reader.get_mut().write_all(text.as_bytes()).ok()?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let said: Value = serde_json::from_str(&line).ok()?;
            match said["line"].as_str()? {
                "event" | "state" => {}
                _ => {
                    self.open = Some(reader);
                    return Some(said);
                }
            }
        }
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (name, value) in from.as_object().into_iter().flatten() {
        into[name] = value.clone();
    }
}
