//! A program that is run once on the host, after a person saw all of it: what they are shown, that it is the same when it
//! runs, and what came of it. `files` are those it is run from and given, `script` what reads a script, `started` the
//! program itself, `tree` everything it started. Nothing of it is put back, and nothing is run a second time.

mod files;
mod script;
mod started;
mod tree;

use crate::halt::Why;
use crate::{Refused, failed};
use files::Seen;
use nix::unistd::{User, geteuid};
use protocol::duty::order::{End, Order, Outcome, Wish};
use protocol::duty::run::{HostRun, shown};
use protocol::text::time;
use protocol::walls::Wall;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use started::{Ended, How, MARK, Who};
use std::path::Path;

/// Longest text of a copied file that a person is shown, and of all of them, in bytes.
const TEXT: usize = 8 * 1024;
const TEXTS: usize = 32 * 1024;

/// What a yes is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Bound {
    /// The user it runs as.
    uid: u32,
    /// Its files, the program first.
    files: Vec<Seen>,
}

/// Looks, runs, or finds out what became of it.
///
/// # Errors
/// A sentence: nothing was done.
pub async fn run(order: &Order, run: &HostRun) -> Result<Outcome, Refused> {
    let copies = order
        .copies
        .as_deref()
        .ok_or("no folder for copies is named")?;
    let copies = Path::new(copies);
    if order.wish == Wish::Settle {
        return Ok(cut_off(order).await);
    }
    if order.walls.stands(Wall::Steering) {
        run.steers_nothing()?;
    }
    let folder = Path::new(run.folder());
    if !folder.is_dir() {
        return Err(format!("there is no folder {}", shown(run.folder())).into());
    }
    if order.before.is_null() {
        return look(run, copies);
    }
    let bound: Bound = serde_json::from_value(order.before["bound"].clone())
        .map_err(|_| Refused::from("what was shown is not known any more: ask again"))?;
    if bound.uid != geteuid().as_raw() {
        return Err("it would be run by another user than was shown: ask again".into());
    }
    if order.walls.stands(Wall::Compared) {
        files::same(run, &bound.files, copies)?;
    }
    match order.wish {
        Wish::Make => make(order, run, bound, copies).await,
        _ => Ok(Outcome::look(Vec::new(), order.before.clone())),
    }
}

fn look(run: &HostRun, copies: &Path) -> Result<Outcome, Refused> {
    let seen = files::seen(run, copies)?;
    let who = who();
    let mut lines = vec![(
        "runs as".to_owned(),
        format!("{} (uid {})", shown(&who.name), geteuid()),
    )];
    let mut say = |label: &str, text: String| lines.push((label.to_owned(), text));
    for (at, word) in run.argv().iter().enumerate() {
        say(&format!("word {}", at + 1), shown(word));
    }
    say("in", shown(run.folder()));
    let variables: Vec<String> = run
        .env()
        .iter()
        .map(|(name, value)| format!("{name}={}", shown(value)))
        .collect();
    say(
        "variables",
        match variables.is_empty() {
            true => "none but the fixed ones".to_owned(),
            false => variables.join(" "),
        },
    );
    say(
        "time",
        format!(
            "{} s at most; then it and all it started is ended",
            run.seconds()
        ),
    );
    let mut room = TEXTS;
    for (file, text) in &seen {
        say(&format!("file ({})", file.what), file_line(file));
        if file.copy.is_none() {
            continue;
        }
        // Of scripts alone: data may be nobody's to read before somebody said yes.
        let fits = |text: &&str| text.starts_with("#!") && text.len() <= TEXT.min(room);
        let Some(text) = text.as_deref().filter(fits) else {
            continue;
        };
        room -= text.len();
        for (number, (how, line)) in script_lines(text).enumerate() {
            say(&format!("{}:{}{how}", file.what, number + 1), line);
        }
    }
    let files = seen.into_iter().map(|(file, _)| file).collect();
    let bound = Bound {
        uid: geteuid().as_raw(),
        files,
    };
    Ok(Outcome::look(lines, json!({"bound": bound})))
}

fn file_line(file: &Seen) -> String {
    let how = match &file.copy {
        Some(_) => "others than root can change it: a copy, taken now, is what runs or is read",
        None => "only root can change it: it is used where it lies, if it is still the same",
    };
    let digest = match file.sha256.is_empty() {
        true => "whoever runs it cannot read it".to_owned(),
        false => format!("SHA-256 {}", file.sha256),
    };
    format!(
        "{} ({} bytes, of uid {}, mode {:04o}, {digest}); {how}",
        shown(&file.path),
        file.size,
        file.owner,
        file.mode
    )
}

/// The lines of a script. One ends with a line feed and with nothing else: a shell reads a carriage return before it.
fn script_lines(text: &str) -> impl Iterator<Item = (&'static str, String)> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.split('\n').map(written)
}

/// A line of a script: as it is where every sign is plain, else said to be escaped.
fn written(line: &str) -> (&'static str, String) {
    match line.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        true => ("", line.to_owned()),
        false => (" escaped", shown(line)),
    }
}

fn who() -> Who {
    let user = User::from_uid(geteuid()).ok().flatten();
    match user {
        Some(user) => Who {
            name: user.name,
            home: user.dir.display().to_string(),
        },
        None => Who {
            name: geteuid().to_string(),
            home: "/".to_owned(),
        },
    }
}

async fn make(
    order: &Order,
    run: &HostRun,
    bound: Bound,
    copies: &Path,
) -> Result<Outcome, Refused> {
    let first = bound.files.first().ok_or("nothing was shown: ask again")?;
    let copied = order.walls.stands(Wall::Copies);
    let program = match &first.copy {
        Some(copy) if copied => copies.join(copy),
        _ => Path::new(&first.path).to_owned(),
    };
    let words = match copied {
        true => files::words(run, &bound.files, copies),
        false => run.argv().to_vec(),
    };
    let ended = started::to_its_end(run, &program, &words, &who(), &mark(order)).await?;
    // What was meant to change a file and changed the copy of it has not done what was meant.
    let spoiled = copied
        && order.walls.stands(Wall::Compared)
        && files::same_copies(&bound.files, copies).is_err();
    Ok(told(run, &ended, spoiled))
}

/// What came of it, in words and as data.
fn told(run: &HostRun, ended: &Ended, spoiled: bool) -> Outcome {
    let took = time(ended.took);
    let (exit, signal) = match ended.how {
        How::Exit(code) => (Some(code), None),
        How::Signal(signal) => (None, Some(signal)),
        How::Late | How::Stopped(_) => (None, None),
    };
    let mut text = match ended.how {
        How::Exit(code) => format!("it ended with exit code {code} after {took}"),
        How::Signal(signal) => format!("it was ended by signal {signal} after {took}"),
        How::Late => format!(
            "it did not end within {} s: it and all it had started was ended; how far it came, only what it changed can tell",
            run.seconds()
        ),
        How::Stopped(why) => format!(
            "{}: after {took} it and all it had started was ended; nothing is put back, and how far it came, only what it changed can tell",
            why.sentence()
        ),
    };
    let by_itself = matches!(ended.how, How::Exit(_) | How::Signal(_));
    if by_itself && ended.left > 0 {
        let left = processes(ended.left);
        text.push_str(&format!("; {left} left running and ended with it"));
    }
    if ended.stays > 0 {
        let stay = processes(ended.stays);
        text.push_str(&format!("; {stay} of another user and could not be ended"));
    }
    if spoiled {
        text.push_str(
            "; it changed the copy of a file, and the file itself is as it was: to change one that others than root can change, \
             name it within `sh -c`, where no word is taken for a file",
        );
    }
    text.push('\n');
    text.push_str(&ended.said);
    let data = json!({
        "exit": exit, "signal": signal, "late": ended.how == How::Late, "stopped": matches!(ended.how, How::Stopped(_)),
        "over": ended.how == How::Stopped(Why::Over),
        "output": ended.said, "left": ended.left, "took_ms": ended.took.as_millis() as u64, "copy_changed": spoiled,
    });
    match by_itself && !spoiled {
        true => Outcome::of(End::Done, text, data),
        false => failed(text, data),
    }
}

/// It was begun, and whoever watched it is dead: what is left of it ends, and nobody says how far it came.
async fn cut_off(order: &Order) -> Outcome {
    let mark = format!("{MARK}={}", mark(order));
    let (told, stays) = tree::end(|| tree::marked(&mark)).await;
    let mut text =
        "it was begun and cut off, and nobody knows how far it came; it is not run again"
            .to_owned();
    if told > 0 {
        text.push_str(&format!("; {} left of it and ended", processes(told)));
    }
    if stays > 0 {
        let stay = processes(stays);
        text.push_str(&format!("; {stay} of another user and could not be ended"));
    }
    Outcome::of(End::Unknown, text, Value::Null)
}

fn processes(count: usize) -> String {
    match count {
        1 => "1 process was".to_owned(),
        more => format!("{more} processes were"),
    }
}

/// What every process of this one run carries: the name of the folder that is this one order's alone.
fn mark(order: &Order) -> String {
    let folder = order
        .copies
        .as_deref()
        .map(Path::new)
        .and_then(Path::file_name);
    folder.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_carriage_return_of_a_script_is_shown() {
        let check = |text: &str, expected: &[&str]| {
            let lines: Vec<String> = script_lines(text).map(|(how, l)| l + how).collect();
            assert_eq!(lines, expected, "{text:?}");
        };
        check("#!/bin/sh\nid\n", &["#!/bin/sh", "id"]);
        check("id\n\nid", &["id", "", "id"]);
        let end = r#""rm \\\u{d}" escaped"#;
        check("rm \\\r\n-rf x\n", &[end, "-rf x"]);
        check("id\r", &[r#""id\u{d}" escaped"#]);
    }

    #[test]
    fn what_came_of_it_is_told_as_it_is() {
        let run: HostRun = serde_json::from_value(json!({"argv": ["id"], "seconds": 9})).unwrap();
        for (how, left, stays, spoiled, end, words) in [
            (
                How::Exit(0),
                0,
                0,
                false,
                End::Done,
                "exit code 0 after 2.0 s\nsaid",
            ),
            (
                How::Exit(3),
                2,
                0,
                false,
                End::Done,
                "2 processes were left running and ended with it",
            ),
            (
                How::Exit(0),
                0,
                1,
                false,
                End::Done,
                "1 process was of another user and could not be ended",
            ),
            (
                How::Exit(0),
                0,
                0,
                true,
                End::Failed,
                "the file itself is as it was",
            ),
            (How::Signal(9), 0, 0, false, End::Done, "signal 9"),
            (
                How::Late,
                3,
                0,
                false,
                End::Failed,
                "did not end within 9 s",
            ),
            (
                How::Stopped(Why::Freeze),
                0,
                0,
                false,
                End::Failed,
                "told to stop (freeze)",
            ),
            (
                How::Stopped(Why::Over),
                2,
                1,
                false,
                End::Failed,
                "told to stop (its task was cancelled or is over): after 2.0 s it and all it had started was ended; nothing is put back",
            ),
        ] {
            let ended = Ended {
                how,
                said: "said".to_owned(),
                took: Duration::from_secs(2),
                left,
                stays,
            };
            let told = told(&run, &ended, spoiled);
            assert_eq!(told.end, end, "{told:?}");
            assert!(told.text.contains(words), "{told:?}");
            assert_eq!(told.data["over"], how == How::Stopped(Why::Over));
        }
    }
}
