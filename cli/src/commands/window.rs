//! `window monitor|logs`: what those tmux windows run.

use super::team;
use crate::args::WindowName;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::one_line;
use crate::{render, terminal};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

const MONITOR: Duration = Duration::from_secs(2);
const LOGS: Duration = Duration::from_millis(400);
/// Most of one log that is read at a time, in bytes.
const AT_ONCE: u64 = 256 * 1024;

/// Shows one until the window is closed.
pub async fn run(context: Context, which: WindowName) -> Result<u8, Failure> {
    match which {
        WindowName::Monitor => monitor(&context).await,
        WindowName::Logs => logs(&context).await,
    }
}

async fn monitor(context: &Context) -> Result<u8, Failure> {
    let mut last = String::new();
    loop {
        let text = render::status::text(&team::status(context).await);
        if text != last {
            let clear = if terminal::is_terminal() { "\x1b[H\x1b[2J" } else { "" };
            terminal::print(&format!("{clear}{text}"));
            last = text;
        }
        sleep(MONITOR).await;
    }
}

async fn logs(context: &Context) -> Result<u8, Failure> {
    let mut read: HashMap<PathBuf, u64> = HashMap::new();
    loop {
        for path in files(&context.home.logs()) {
            let name = path.file_stem().map(|n| n.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            let from = read.entry(path.clone()).or_default();
            for line in fresh(&path, from) {
                terminal::line(&format!("{name:<14} {}", told(&line)));
            }
        }
        sleep(LOGS).await;
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .collect();
    files.sort();
    files
}

/// Whole lines after `from`, which moves behind them. A file that became shorter is read anew.
fn fresh(path: &Path, from: &mut u64) -> Vec<String> {
    let Ok(mut file) = File::open(path) else {
        return Vec::new();
    };
    let length = file.metadata().map_or(0, |about| about.len());
    if length < *from {
        *from = 0;
    }
    // At the start only the end of a long log is shown.
    *from = (*from).max(length.saturating_sub(AT_ONCE));
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(*from))
        .and_then(|_| file.take(AT_ONCE).read_to_end(&mut bytes));
    if read.is_err() {
        return Vec::new();
    }
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    *from += whole as u64;
    let text = String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default());
    text.lines().map(str::to_owned).collect()
}

/// A log line for people: time, level and what was said; other text as it is.
fn told(line: &str) -> String {
    let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else {
        return one_line(line, 200);
    };
    let text = |key: &str| entry.get(key).and_then(|value| value.as_str()).unwrap_or("");
    let time = text("timestamp");
    let time = time.get(11..19).unwrap_or(time);
    let mut said = format!("{time} {:<5}", text("level"));
    for (key, value) in entry.get("fields").and_then(|f| f.as_object()).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match key.as_str() {
            "message" => said.push_str(&format!(" {value}")),
            key => said.push_str(&format!(" {key}={value}")),
        }
    }
    one_line(&said, 400)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn log_lines_are_told() {
        for (line, expected) in [
            (
                r#"{"timestamp":"2026-11-20T10:00:01.5Z","level":"WARN","fields":{"message":"died","pid":7,"process":"co\u001bde"},"target":"x"}"#,
                "10:00:01 WARN died pid=7 process=co\\u{1b}de",
            ),
            ("7:M 20 Nov * Ready", "7:M 20 Nov * Ready"),
            ("{}", ""),
        ] {
            assert_eq!(told(line).trim(), expected);
        }
    }

    #[test]
    fn only_whole_new_lines_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut from = 0;
        std::fs::write(&path, "one\ntw").unwrap();
        assert_eq!(fresh(&path, &mut from), ["one"]);
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(fresh(&path, &mut from), ["two"]);
        assert!(fresh(&path, &mut from).is_empty());
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(fresh(&path, &mut from), ["new"]);
    }
}
