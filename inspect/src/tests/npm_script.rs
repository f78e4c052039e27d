//! Turns the `test` script of a package.json into a shell script that does the same and has every runner it knows
//! write a machine-readable report. Pure text work: nothing is read or started here.

use serde_json::{Map, Value};

/// What a step of the script starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// jest, also through react-scripts.
    Jest,
    /// vitest.
    Vitest,
    /// mocha.
    Mocha,
    /// `node --test`.
    Node,
    /// ava, tap or tape: TAP on standard output.
    Tap,
    /// A linter or type checker: its failure does not stop the tests.
    Linter,
    /// Anything else: its failure stops what follows, as `&&` does.
    Other,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it starts.
    pub runner: Runner,
    /// Its shell text.
    pub text: String,
}

const LINTERS: &[&str] = &[
    "eslint",
    "prettier",
    "standard",
    "xo",
    "tslint",
    "stylelint",
    "biome",
    "tsd",
    "oxlint",
    "jshint",
    "semistandard",
    "markdownlint",
    "cspell",
    "publint",
    "depcheck",
    "knip",
];

const WRAPPERS: &[&str] = &[
    "nyc",
    "c8",
    "cross-env",
    "env",
    "npx",
    "dotenv",
    "node",
    "exec",
    "yarn",
    "pnpm",
    "time",
    "env-cmd",
];

/// The steps of a script, with scripts it calls put in their place.
pub fn steps(scripts: &Map<String, Value>, name: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    expand(scripts, name, "", 0, &mut steps);
    steps
}

fn expand(scripts: &Map<String, Value>, name: &str, extra: &str, depth: u8, steps: &mut Vec<Step>) {
    for (script, extra) in [(format!("pre{name}"), ""), (name.to_string(), extra)] {
        let Some(body) = scripts.get(&script).and_then(Value::as_str) else {
            continue;
        };
        let body = format!("{body} {extra}");
        let pieces = split(&body).unwrap_or_else(|| vec![body.trim().to_string()]);
        for piece in pieces {
            match called(&piece)
                .filter(|(n, _)| depth < 5 && scripts.contains_key(n) && *n != script)
            {
                Some((inner, more)) => expand(scripts, &inner, &more, depth + 1, steps),
                None => steps.push(Step {
                    runner: runner(&piece),
                    text: without_prettifier(&piece),
                }),
            }
        }
    }
}

/// The parts between top-level `&&`; none when another operator stands at the top (then the order of things is the
/// shell's business). A pipe into a TAP prettifier is no such operator.
fn split(body: &str) -> Option<Vec<String>> {
    let (mut pieces, mut piece, mut quote, mut depth) = (Vec::new(), String::new(), None, 0u32);
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, '&') if depth == 0 && chars.peek() == Some(&'&') => {
                chars.next();
                pieces.push(std::mem::take(&mut piece).trim().to_string());
                continue;
            }
            (None, '|')
                if depth == 0
                    && chars.peek() != Some(&'|')
                    && prettifier(&chars.clone().collect::<String>()) => {}
            (None, '&') if depth == 0 && piece.ends_with('>') => {}
            (None, '&' | '|' | ';' | '\n') if depth == 0 => return None,
            _ => {}
        }
        piece.push(c);
    }
    pieces.push(piece.trim().to_string());
    pieces.retain(|p| !p.is_empty());
    Some(pieces)
}

fn prettifier(after: &str) -> bool {
    after
        .split_whitespace()
        .next()
        .is_some_and(|w| w.starts_with("tap-") || w == "faucet" || w == "tspec")
}

fn without_prettifier(piece: &str) -> String {
    match piece.split_once('|') {
        Some((before, after)) if prettifier(after) => before.trim().to_string(),
        _ => piece.to_string(),
    }
}

/// `npm run unit -- --x` as (unit, --x).
fn called(piece: &str) -> Option<(String, String)> {
    let words: Vec<&str> = piece.split_whitespace().collect();
    let rest = match words.as_slice() {
        [
            "npm" | "pnpm" | "yarn" | "bun",
            "run" | "run-script",
            rest @ ..,
        ] => rest,
        ["npm", "test" | "t"] => {
            return Some(("test".into(), String::new()));
        }
        ["pnpm" | "yarn", rest @ ..] => rest,
        _ => return None,
    };
    let rest: Vec<&str> = rest
        .iter()
        .copied()
        .filter(|w| !["-s", "--silent", "--if-present"].contains(w))
        .collect();
    let (name, more) = rest.split_first()?;
    let more = more
        .iter()
        .filter(|w| **w != "--")
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    Some(((*name).to_string(), more))
}

fn base(word: &str) -> &str {
    let name = word
        .trim_matches(['"', '\''])
        .rsplit('/')
        .next()
        .unwrap_or(word);
    [".mjs", ".cjs", ".js"]
        .iter()
        .find_map(|e| name.strip_suffix(e))
        .unwrap_or(name)
}

fn runner(piece: &str) -> Runner {
    let piece = without_prettifier(piece);
    if split(&piece).is_none_or(|p| p.len() > 1) || piece.starts_with('(') {
        return Runner::Other;
    }
    let words: Vec<&str> = piece.split_whitespace().collect();
    let through_node = words.iter().any(|w| ["node", "tsx"].contains(w));
    if through_node
        && words
            .iter()
            .any(|w| *w == "--test" || w.starts_with("--test="))
    {
        return Runner::Node;
    }
    for (at, word) in words.iter().enumerate() {
        let name = base(word);
        let found = match name {
            "jest" => Runner::Jest,
            "react-scripts" if words.get(at + 1) == Some(&"test") => Runner::Jest,
            "vitest" => Runner::Vitest,
            "mocha" | "_mocha" | "ts-mocha" | "electron-mocha" => Runner::Mocha,
            "ava" | "tap" | "tape" => Runner::Tap,
            "tsc" | "vue-tsc" if words.contains(&"--noEmit") => Runner::Linter,
            _ if at == 0 && LINTERS.contains(&name) => Runner::Linter,
            _ => {
                let passing = word.starts_with('-')
                    || word.contains('=')
                    || WRAPPERS.contains(&name)
                    || name == "vite-node";
                if passing || (at > 0 && words[at - 1].starts_with('-')) {
                    continue;
                }
                return Runner::Other;
            }
        };
        return found;
    }
    Runner::Other
}

/// The step's text with what makes its runner write `report`. `mocha` and `node` are the reporters' files, `only` a
/// pattern of full names, or empty.
pub fn reporting(step: &Step, report: &str, reporters: (&str, &str), only: &str) -> String {
    let words = tokens(&step.text);
    let quoted = quote(report);
    let only = |flag: &str| {
        if only.is_empty() {
            String::new()
        } else {
            format!(" {flag} {}", quote(only))
        }
    };
    match step.runner {
        Runner::Jest => {
            let kept = without(
                words,
                &[
                    "--watch",
                    "--watchAll",
                    "--bail",
                    "-b",
                    "--json",
                    "--silent",
                ],
                &["--outputFile", "--reporters"],
            );
            format!(
                "{kept} --json --outputFile={quoted} --watchAll=false{}",
                only("-t")
            )
        }
        Runner::Vitest => {
            let kept = without(
                words,
                &["--watch", "-w", "--ui"],
                &["--reporter", "--outputFile", "--bail"],
            );
            format!(
                "{kept} --watch=false --bail=0 --reporter=json --outputFile={quoted}{}",
                only("-t")
            )
        }
        Runner::Mocha => {
            let kept = without(
                words,
                &["--watch", "-w", "--bail", "-b"],
                &[
                    "--reporter",
                    "-R",
                    "--reporter-option",
                    "--reporter-options",
                    "-O",
                ],
            );
            format!(
                "AI_INFRA_EVENTS={quoted} {kept} --no-bail --reporter {}{}",
                quote(reporters.0),
                only("--grep")
            )
        }
        Runner::Node => {
            let kept = tokens(&without(
                words,
                &["--watch"],
                &["--test-reporter", "--test-reporter-destination"],
            ));
            let at = kept
                .iter()
                .position(|w| ["node", "tsx"].contains(&base(w)))
                .map_or(0, |at| at + 1);
            let (before, after) = kept.split_at(at);
            let with = format!(
                "--test-reporter={} --test-reporter-destination={quoted}",
                quote(reporters.1)
            );
            format!("{} {with} {}", before.join(" "), after.join(" "))
        }
        Runner::Tap => {
            let flag = match words
                .iter()
                .map(|w| base(w))
                .find(|w| ["ava", "tap", "tape"].contains(w))
            {
                Some("ava") => " --tap",
                Some("tap") => " --reporter=tap",
                _ => "",
            };
            format!("{}{flag} > {quoted}", step.text)
        }
        Runner::Linter | Runner::Other => step.text.clone(),
    }
}

/// Words with their quotes.
fn tokens(text: &str) -> Vec<String> {
    let (mut all, mut word, mut open) = (Vec::new(), String::new(), None);
    for c in text.chars() {
        match open {
            Some(q) if c == q => open = None,
            None if c == '"' || c == '\'' => open = Some(c),
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    all.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

/// Drops flags, and options with their values, that would hide the report or stop the run early.
fn without(words: Vec<String>, flags: &[&str], options: &[&str]) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut skip = false;
    for word in words {
        let name = word.split('=').next().unwrap_or_default();
        if std::mem::take(&mut skip) || flags.contains(&name) {
            continue;
        }
        if options.contains(&name) {
            skip = !word.contains('=');
            continue;
        }
        kept.push(word);
    }
    kept.join(" ")
}

/// A word the shell reads back unchanged.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
