//! What the chat says: above the line that is being typed on a terminal, plainly on a pipe, as JSON
//! lines with `--json`. Everybody speaks through one thread, so that no two words mix.

use super::editor::Line;
use crate::render::paint::Paint;
use rustyline::ExternalPrinter;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Words that wait while a large line is typed, at most; older ones are left out then.
const WAITING: usize = 4_000;
/// How often a large line that holds words up is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Most bytes printed in one go.
const AT_ONCE: usize = 64 * 1024;

/// Columns and rows of the terminal; 80 and 24 where there is none.
pub fn size() -> (usize, usize) {
    crate::terminal::size().unwrap_or((80, 24))
}

/// Speaks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Voice {
    words: Sender<String>,
    /// How it is painted.
    pub paint: Paint,
    json: bool,
}

/// The thread that prints; it ends when every voice is gone.
pub struct Mouth(JoinHandle<()>);

impl Mouth {
    /// Waits until everything is printed.
    pub fn finish(self) {
        let _panicked = self.0.join();
    }
}

impl Voice {
    /// Speaks above the line of an editor.
    pub fn above(
        printer: impl ExternalPrinter + Send + 'static,
        line: Arc<Line>,
        paint: Paint,
    ) -> (Voice, Mouth) {
        let (words, heard) = channel();
        let mouth = std::thread::spawn(move || print_above(printer, &line, &heard));
        let json = false;
        (Voice { words, paint, json }, Mouth(mouth))
    }

    /// Speaks on standard output.
    pub fn plain(paint: Paint, json: bool) -> (Voice, Mouth) {
        let (words, heard) = channel::<String>();
        let mouth = std::thread::spawn(move || {
            for text in heard {
                crate::terminal::to_stdout(&text);
            }
        });
        (Voice { words, paint, json }, Mouth(mouth))
    }

    /// Whether JSON lines are wanted.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// How wide a page may be.
    pub fn width(&self) -> usize {
        size().0
    }

    /// Says text for people; tamed and whole lines already.
    pub fn say(&self, text: &str) {
        match self.json {
            true => self.tell("said", &json!(text.trim_end())),
            false => self.send(format!("{}\n", text.trim_end_matches('\n'))),
        }
    }

    /// Says a document, where JSON lines are wanted.
    pub fn tell(&self, kind: &str, value: &impl serde::Serialize) {
        if self.json {
            let version = protocol::document::DOCUMENT_VERSION;
            let line = json!({"version": version, "kind": kind, kind: value});
            self.send(format!("{line}\n"));
        }
    }

    fn send(&self, text: String) {
        // The thread lives as long as there is a voice.
        let _gone = self.words.send(text);
    }
}

fn print_above(mut printer: impl ExternalPrinter, line: &Line, heard: &Receiver<String>) {
    let mut waiting: VecDeque<String> = VecDeque::new();
    loop {
        let next = match waiting.is_empty() {
            true => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => heard.recv_timeout(LOOK),
        };
        let over = matches!(next, Err(RecvTimeoutError::Disconnected));
        waiting.extend(next.ok());
        waiting.extend(heard.try_iter());
        let left_out = waiting.len().saturating_sub(WAITING);
        if left_out > 0 {
            waiting.drain(..left_out);
            waiting.push_front(format!("… {left_out} lines left out while you typed\n"));
        }
        if line.is_large() && !over {
            continue;
        }
        while !waiting.is_empty() {
            let mut text = String::new();
            while let Some(words) =
                waiting.pop_front_if(|words| text.is_empty() || text.len() + words.len() < AT_ONCE)
            {
                text.push_str(&words);
            }
            if printer.print(text).is_err() {
                return;
            }
        }
        if over {
            return;
        }
    }
}
