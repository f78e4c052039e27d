//! The Test Anything Protocol, as node-tap, tape, ava and others print it: flat or nested, with or without a version
//! line. A failing point with failing points below it is not named itself.

use super::report::{FailingTest, shorten};

/// What a TAP text says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tap {
    /// Points that passed.
    pub passed: u64,
    /// Points skipped or still to be done.
    pub skipped: u64,
    /// Points that failed, named by the path to them.
    pub failing: Vec<FailingTest>,
    /// False after `Bail out!` or with fewer points than planned.
    pub complete: bool,
}

#[derive(Default)]
struct Level {
    planned: Option<u64>,
    points: u64,
    comment: String,
    failing: Vec<(Vec<String>, String)>,
    passed: u64,
    skipped: u64,
}

/// True when a text is TAP: it has a plan or a version, and a test point.
pub fn looks_like(text: &str) -> bool {
    let flat = |l: &str| l.starts_with("TAP version ") || plan(l).is_some();
    text.lines().any(flat) && text.lines().any(|l| point(l).is_some())
}

/// Reads a TAP text; lines that are not TAP are passed over.
pub fn read(text: &str) -> Tap {
    let mut levels: Vec<Level> = vec![Level::default()];
    let (mut bailed, mut short, mut diagnostic) = (false, false, false);
    for line in text.lines() {
        let indent = (line.len() - line.trim_start_matches(' ').len()) / 4;
        let body = line.trim();
        if diagnostic {
            diagnostic = body != "...";
            note(&mut levels, body);
        } else if body == "---" {
            diagnostic = true;
        } else if body.starts_with("Bail out!") {
            bailed = true;
        } else if let Some(planned) = plan(body) {
            level(&mut levels, indent).planned = Some(planned);
        } else if let Some((ok, description, directive)) = point(body) {
            short |= take(&mut levels, indent, ok, &description, &directive);
        } else if let Some(comment) = body.strip_prefix("# ")
            && !comment.starts_with("Subtest")
        {
            level(&mut levels, indent).comment = comment.to_string();
        }
    }
    let top = levels.swap_remove(0);
    let complete = !bailed && !short && top.planned.is_some_and(|n| n == top.points);
    let named = |(path, message): (Vec<String>, String)| FailingTest {
        name: path.join(" > "),
        file: String::new(),
        message,
    };
    Tap {
        passed: top.passed,
        skipped: top.skipped,
        failing: top.failing.into_iter().map(named).collect(),
        complete,
    }
}

fn level(levels: &mut Vec<Level>, at: usize) -> &mut Level {
    let at = at.min(32);
    while levels.len() <= at {
        levels.push(Level::default());
    }
    &mut levels[at]
}

/// Counts a point, and names what is below it by it. True when the points below were fewer than planned.
fn take(
    levels: &mut Vec<Level>,
    indent: usize,
    ok: bool,
    description: &str,
    directive: &str,
) -> bool {
    let indent = indent.min(32);
    level(levels, indent);
    let below: Vec<Level> = levels.drain(indent + 1..).collect();
    let short = below
        .iter()
        .any(|l| l.planned.is_some_and(|n| n != l.points));
    let here = &mut levels[indent];
    here.points += 1;
    let parent = below.iter().any(|l| l.points > 0);
    let spared = directive.starts_with("skip") || directive.starts_with("todo");
    let mut failing_below = 0;
    for from in below {
        (here.passed, here.skipped) = (here.passed + from.passed, here.skipped + from.skipped);
        for (mut path, message) in from.failing {
            failing_below += 1;
            path.insert(0, description.to_string());
            here.failing.push((path, message));
        }
    }
    match (spared, ok) {
        (true, _) => here.skipped += 1,
        (false, true) if !parent => here.passed += 1,
        (false, false) if failing_below == 0 => {
            let mut path = vec![description.to_string()];
            if !here.comment.is_empty()
                && !description.ends_with(&here.comment)
                && !here.comment.ends_with(description)
            {
                path.insert(0, here.comment.clone());
            }
            here.failing.push((path, String::new()));
        }
        _ => {}
    }
    short
}

/// A line of the block below a point: the first one that says why.
fn note(levels: &mut [Level], line: &str) {
    let said = ["error:", "message:", "operator:"]
        .iter()
        .find_map(|k| line.strip_prefix(k))
        .map(|v| v.trim().trim_matches(['\'', '"']));
    let last = levels.iter_mut().rev().find_map(|l| l.failing.last_mut());
    if let (Some(said), Some((_, message))) = (said, last)
        && message.is_empty()
        && !said.starts_with(['|', '>'])
    {
        *message = shorten(said);
    }
}

fn plan(line: &str) -> Option<u64> {
    line.strip_prefix("1..")?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// `not ok 3 - adds # SKIP later` as (ok, description, directive in lower case).
fn point(line: &str) -> Option<(bool, String, String)> {
    let (ok, rest) = match line.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok")?),
    };
    if !rest.is_empty() && !rest.starts_with(' ') {
        return None;
    }
    let rest = rest.trim_start();
    let rest = rest
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_start();
    let rest = rest
        .strip_prefix("- ")
        .unwrap_or(rest)
        .trim_end_matches(" {");
    let hash = rest.match_indices(" # ").map(|(at, _)| at).find(|at| {
        let after = rest[at + 3..].to_ascii_lowercase();
        ["skip", "todo", "time="]
            .iter()
            .any(|d| after.starts_with(d))
            && !rest[..*at].ends_with('\\')
    });
    let (description, directive) = match hash {
        Some(at) => (&rest[..at], rest[at + 3..].to_ascii_lowercase()),
        None => (rest, String::new()),
    };
    let timed = directive.starts_with("time=");
    let description = description.replace("\\#", "#").replace("\\\\", "\\");
    Some((
        ok,
        description.trim().to_string(),
        if timed { String::new() } else { directive },
    ))
}
