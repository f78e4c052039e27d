//! Window 7: every process's log, merged by time, one line for each entry, for as long as it runs.

use crate::terminal;
use crate::window::log_line::{LogLine, parse, pretty};
use crate::window::monitor::told_to_stop;
use crate::window::tail::Tail;
use config::home::Home;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// Most files followed.
const MOST_FILES: usize = 100;
/// Most old lines shown at the start.
const OLD_LINES: usize = 200;

/// Shows logs until it is told to stop. Gives the exit code.
pub async fn run(home: &Home) -> u8 {
    let zone = TimeZone::system();
    let colour = terminal::is_terminal();
    let mut logs = Logs::new(home.logs());
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let told = told_to_stop();
    tokio::pin!(told);
    loop {
        tokio::select! {
            () = &mut told => return protocol::exit::DONE,
            _ = tick.tick() => {}
        }
        let mut out = String::new();
        for (process, line) in logs.look() {
            out.push_str(&pretty(&process, &line, &zone, colour));
            out.push('\n');
        }
        if !out.is_empty() {
            terminal::print(&out);
        }
    }
}

/// The followed files.
#[derive(Debug)]
struct Logs {
    folder: PathBuf,
    tails: Vec<(String, Tail)>,
    looked: bool,
}

impl Logs {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            tails: Vec::new(),
            looked: false,
        }
    }

    /// New lines of every file with their process, in order of time. At the first look only the
    /// newest old ones.
    fn look(&mut self) -> Vec<(String, LogLine)> {
        self.find_files();
        let mut lines: Vec<(String, LogLine)> = Vec::new();
        for (process, tail) in &mut self.tails {
            // A line without a time belongs to the one before it.
            let mut last = None;
            for text in tail.look() {
                let mut line = parse(&text);
                line.at = line.at.or(last);
                last = line.at;
                lines.push((process.clone(), line));
            }
        }
        lines.sort_by_key(|(_, line)| line.at);
        if !self.looked {
            let old = lines.len().saturating_sub(OLD_LINES);
            lines.drain(..old);
            self.looked = true;
        }
        lines
    }

    fn find_files(&mut self) {
        for path in log_files(&self.folder) {
            let known = self.tails.iter().any(|(_, tail)| tail.path() == path);
            let Some(process) = path.file_stem().and_then(|stem| stem.to_str()) else {
                continue;
            };
            if known || self.tails.len() >= MOST_FILES {
                continue;
            }
            let process = process.to_owned();
            let tail = if self.looked {
                Tail::whole(path)
            } else {
                Tail::new(path)
            };
            self.tails.push((process, tail));
        }
    }
}

fn log_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "log"))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::fs;

    fn entry(second: u32, message: &str) -> String {
        format!(
            "{{\"timestamp\":\"2026-03-01T12:00:{second:02}Z\",\"level\":\"INFO\",\"fields\":{{\"message\":\"{message}\"}}}}\n"
        )
    }

    fn shown(logs: &mut Logs) -> Vec<String> {
        let lines = logs.look();
        lines
            .iter()
            .map(|(process, line)| format!("{process} {}", line.text))
            .collect()
    }

    #[test]
    fn files_are_merged_by_time_and_new_ones_join() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = Logs::new(folder.path().join("logs"));
        assert!(logs.look().is_empty());
        fs::create_dir(folder.path().join("logs")).unwrap();
        let path = |name: &str| folder.path().join("logs").join(name);
        fs::write(
            path("a.log"),
            entry(1, "one") + "panic\n" + &entry(4, "four"),
        )
        .unwrap();
        fs::write(path("b.log"), entry(2, "two") + &entry(3, "three")).unwrap();
        fs::write(path("c.txt"), entry(2, "not a log")).unwrap();
        let expected = ["a one", "a panic", "b two", "b three", "a four"];
        assert_eq!(shown(&mut logs), expected);
        fs::write(path("d.log"), entry(9, "new")).unwrap();
        assert_eq!(shown(&mut logs), ["d new"]);
    }

    #[test]
    fn at_the_start_only_the_newest_old_lines_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let text: String = (0..300).map(|n| entry(n % 60, "x")).collect();
        fs::write(folder.path().join("a.log"), text).unwrap();
        let mut logs = Logs::new(folder.path().to_owned());
        assert_eq!(logs.look().len(), OLD_LINES);
    }
}
