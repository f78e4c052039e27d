//! What checkers print, as places. Whatever is not of the expected shape is passed over.

use protocol::text::cut;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{Checker, Output, Place};

type Pattern = LazyLock<Option<Regex>>;

static DIFF: Pattern = LazyLock::new(|| Regex::new(r"^Diff in (.+?)(?: at line |:)(\d+):?$").ok());
static LINE: Pattern =
    LazyLock::new(|| Regex::new(r"^(?:vet: )?([^\s:][^:]*):(\d+)(?::\d+)?: (.+)$").ok());
static ARROW: Pattern = LazyLock::new(|| Regex::new(r"^--> (.+):(\d+):(\d+)$").ok());
static UNPARSED: Pattern = LazyLock::new(|| {
    Regex::new(
        r"^error: [Cc]annot (?:format|parse):? (.+?): ?(?:[Cc]annot parse[^:]*: ?)?(\d+):(\d+.*)$",
    )
    .ok()
});
static CODE: Pattern = LazyLock::new(|| Regex::new(r"^([A-Z]{1,4}\d{2,4}) (.+)$").ok());

/// What a missing program or component looks like.
pub(super) fn is_missing(stderr: &str) -> bool {
    let signs = [
        "is not installed for the toolchain",
        "no such command",
        "no such subcommand",
        "command not found",
        "is not installed, run",
    ];
    signs.iter().any(|sign| stderr.contains(sign))
}

/// Why a checker could not do its work, in a line.
pub(super) fn reason(exit: Option<i32>, stdout: &str, stderr: &str) -> String {
    let says = |text: &str| {
        let lines = || text.lines().map(str::trim).filter(|l| !l.is_empty());
        let causes: Vec<&str> = lines().filter_map(|l| l.strip_prefix("Cause: ")).collect();
        let said = if !causes.is_empty() {
            Some(causes.join(": "))
        } else if text.starts_with("Traceback (most recent call last)") {
            lines().next_back().map(str::to_owned)
        } else {
            let error = lines().find(|l| l.to_ascii_lowercase().contains("error"));
            error.or_else(|| lines().next()).map(str::to_owned)
        };
        said.map(|l| cut(&l, 300))
    };
    let code = exit.map_or("it was stopped".to_owned(), |code| format!("exit {code}"));
    match says(stderr).or_else(|| says(stdout)) {
        Some(text) => format!("{code}: {text}"),
        None => format!("{code}, without a word"),
    }
}

/// The places a checker names.
pub(super) fn places(checker: &Checker, stdout: &str, stderr: &str) -> Vec<Place> {
    let found = match checker.output {
        Output::CargoFmt => stdout
            .lines()
            .chain(stderr.lines())
            .filter_map(diff)
            .collect(),
        Output::Clippy => stdout.lines().filter_map(clippy).collect(),
        Output::Ruff => list(stdout).iter().filter_map(ruff).collect(),
        Output::WouldReformat => [stdout, stderr].into_iter().flat_map(reformat).collect(),
        Output::Lines => stdout
            .lines()
            .chain(stderr.lines())
            .filter_map(line)
            .collect(),
        Output::Eslint => list(stdout).iter().flat_map(eslint).collect(),
        Output::Paths => stdout.lines().filter_map(path).collect(),
        Output::Shellcheck => shellcheck(stdout),
    };
    found
        .into_iter()
        .map(|place| at_home(checker, place))
        .collect()
}

/// A path relative to the root, whichever way it was told.
fn at_home(checker: &Checker, place: Place) -> Place {
    let told = Path::new(&place.path);
    let up = checker.dir.split('/').filter(|p| *p != ".").count();
    let root = checker.cwd.ancestors().nth(up).unwrap_or(&checker.cwd);
    let whole = if told.is_absolute() {
        told.to_path_buf()
    } else {
        checker.cwd.join(told)
    };
    let inside = whole.strip_prefix(root).unwrap_or(&whole);
    let parts: Vec<String> = inside
        .components()
        .filter(|c| !matches!(c, std::path::Component::CurDir))
        .map(|c| c.as_os_str().to_string_lossy().into_owned())
        .collect();
    Place {
        path: cut(&parts.join("/").replace("//", "/"), 300),
        message: cut(place.message.lines().next().unwrap_or_default().trim(), 300),
        rule: cut(&place.rule, 80),
        ..place
    }
}

fn list(text: &str) -> Vec<Value> {
    match serde_json::from_str(text) {
        Ok(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn diff(line: &str) -> Option<Place> {
    let found = DIFF.as_ref()?.captures(line.trim_end())?;
    Some(Place {
        path: found.get(1)?.as_str().to_owned(),
        line: found.get(2)?.as_str().parse().ok()?,
        rule: String::new(),
        message: "is formatted otherwise".to_owned(),
    })
}

/// A message of the compiler with a place; summaries have none.
fn clippy(line: &str) -> Option<Place> {
    let said: Value = serde_json::from_str(line).ok()?;
    if said.get("reason")?.as_str()? != "compiler-message" {
        return None;
    }
    let message = said.get("message")?;
    if !["warning", "error"].contains(&message.get("level")?.as_str()?) {
        return None;
    }
    let spans = message.get("spans")?.as_array()?;
    let span = spans
        .iter()
        .find(|s| s.get("is_primary") == Some(&Value::Bool(true)))?;
    let code = message.pointer("/code/code").and_then(Value::as_str);
    Some(Place {
        path: text(span, "file_name"),
        line: number(span, "/line_start"),
        rule: code.unwrap_or_default().to_owned(),
        message: text(message, "message"),
    })
}

fn ruff(found: &Value) -> Option<Place> {
    Some(Place {
        path: Some(text(found, "filename")).filter(|p| !p.is_empty())?,
        line: number(found, "/location/row"),
        rule: text(found, "code"),
        message: text(found, "message"),
    })
}

/// `Would reformat: path`, or since 2026 a headline with the place below it; and files that do not parse.
fn reformat(text: &str) -> Vec<Place> {
    let mut headline = "";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let whole = |path: &str| Place {
            path: path.to_owned(),
            line: 0,
            rule: String::new(),
            message: "is formatted otherwise".to_owned(),
        };
        let broken = |path: &str, at: &str, why: &str| Place {
            line: at.parse().unwrap_or(0),
            message: format!("cannot be parsed: {why}"),
            ..whole(path)
        };
        let would = line
            .strip_prefix("Would reformat: ")
            .or(line.strip_prefix("would reformat "));
        let placed = |pattern: &Pattern| {
            let parts = pattern.as_ref()?.captures(line)?;
            let part = |n: usize| parts.get(n).map_or("", |m| m.as_str()).to_owned();
            Some([part(1), part(2), part(3)])
        };
        if let Some(path) = would {
            found.push(whole(path));
        } else if let Some([path, at, _]) = placed(&ARROW) {
            match headline.split_once(": ") {
                Some(("unformatted", _)) => found.push(whole(&path)),
                Some((_, why)) => found.push(broken(&path, &at, why)),
                None => {}
            }
            headline = "";
        } else if let Some([path, at, why]) = placed(&UNPARSED) {
            found.push(broken(&path, &at, &why));
        } else if !line.starts_with('|') {
            headline = line;
        }
    }
    found
}

fn line(line: &str) -> Option<Place> {
    let found = LINE.as_ref()?.captures(line.trim_end())?;
    let said = found.get(3)?.as_str();
    let coded = CODE.as_ref()?.captures(said);
    let part = |n: usize| {
        coded
            .as_ref()
            .and_then(|c| c.get(n))
            .map(|m| m.as_str().to_owned())
    };
    Some(Place {
        path: found.get(1)?.as_str().to_owned(),
        line: found.get(2)?.as_str().parse().ok()?,
        rule: part(1).unwrap_or_default(),
        message: part(2).unwrap_or_else(|| said.to_owned()),
    })
}

fn eslint(file: &Value) -> Vec<Place> {
    let path = text(file, "filePath");
    let messages = file.get("messages").and_then(Value::as_array);
    let one = |m: &Value| Place {
        path: path.clone(),
        line: number(m, "/line"),
        rule: text(m, "ruleId"),
        message: text(m, "message"),
    };
    messages.into_iter().flatten().map(one).collect()
}

fn path(line: &str) -> Option<Place> {
    let path = line.trim_end();
    let other = path.is_empty() || path.starts_with("vendor/") || path.contains("/vendor/");
    (!other).then(|| Place {
        path: path.to_owned(),
        line: 0,
        rule: String::new(),
        message: "is formatted otherwise".to_owned(),
    })
}

fn shellcheck(text_of: &str) -> Vec<Place> {
    let said: Value = serde_json::from_str(text_of).unwrap_or_default();
    let comments = said.get("comments").and_then(Value::as_array);
    let one = |c: &Value| Place {
        path: text(c, "file"),
        line: number(c, "/line"),
        rule: format!("SC{}", number(c, "/code")),
        message: text(c, "message"),
    };
    comments.into_iter().flatten().map(one).collect()
}

#[cfg(test)]
mod test {
    use super::super::{State, judge};
    use super::*;
    use proptest::prelude::*;

    const ALL: [Output; 8] = [
        Output::CargoFmt,
        Output::Clippy,
        Output::Ruff,
        Output::WouldReformat,
        Output::Lines,
        Output::Eslint,
        Output::Paths,
        Output::Shellcheck,
    ];

    fn checker(output: Output, dir: &str) -> Checker {
        Checker {
            name: "x",
            dir: dir.to_owned(),
            cwd: Path::new("/w").join(dir).components().collect(),
            argv: vec!["x".to_owned()],
            shown: 1,
            output,
            cannot: None,
        }
    }

    fn check(output: Output, stdout: &str, stderr: &str, expected: &[&str]) {
        let told: Vec<String> = places(&checker(output, "sub"), stdout, stderr)
            .into_iter()
            .map(|p| format!("{}:{} {} {}", p.path, p.line, p.rule, p.message))
            .collect();
        assert_eq!(told, expected, "{output:?}");
    }

    #[test]
    fn outputs_are_read() {
        check(
            Output::CargoFmt,
            "Diff in /w/sub/src/a.rs:3:\n-x\nDiff in /w/sub/b.rs at line 9:\n",
            "",
            &[
                "sub/src/a.rs:3  is formatted otherwise",
                "sub/b.rs:9  is formatted otherwise",
            ],
        );
        let clippy = r#"{"reason":"compiler-artifact"}
{"reason":"compiler-message","message":{"level":"warning","message":"unused variable: `x`","code":{"code":"unused_variables"},"spans":[{"file_name":"src/lib.rs","line_start":4,"is_primary":true}]}}
{"reason":"compiler-message","message":{"level":"warning","message":"1 warning emitted","code":null,"spans":[]}}
not json"#;
        check(
            Output::Clippy,
            clippy,
            "",
            &["sub/src/lib.rs:4 unused_variables unused variable: `x`"],
        );
        check(
            Output::Ruff,
            r#"[{"filename":"/w/sub/a.py","location":{"row":2,"column":1},"code":"F401","message":"unused"}]"#,
            "",
            &["sub/a.py:2 F401 unused"],
        );
        check(
            Output::WouldReformat,
            "Would reformat: a.py\n1 file would be reformatted\n",
            "would reformat /w/sub/b.py\nOh no!\nerror: cannot format /w/sub/c.py: Cannot parse: 7:6: def x(:\nerror: cannot parse: /w/sub/d.py:1:6\n",
            &[
                "sub/a.py:0  is formatted otherwise",
                "sub/b.py:0  is formatted otherwise",
                "sub/c.py:7  cannot be parsed: 6: def x(:",
                "sub/d.py:1  cannot be parsed: 6",
            ],
        );
        check(
            Output::WouldReformat,
            "unformatted: File would be reformatted\n --> a b.py:1:6\n  |\n  - x = 1: 2\n1 + x\n  |\n\ninvalid-syntax: Expected a name\n --> c.py:3:7\n\n1 file would be reformatted\n",
            "",
            &[
                "sub/a b.py:0  is formatted otherwise",
                "sub/c.py:3  cannot be parsed: Expected a name",
            ],
        );
        check(
            Output::Lines,
            "./a.py:1:5: E501 line too long\n",
            "# shop/x\nvet: ./m.go:3:2: unreachable code\n",
            &[
                "sub/a.py:1 E501 line too long",
                "sub/m.go:3  unreachable code",
            ],
        );
        check(
            Output::Eslint,
            r#"[{"filePath":"/w/sub/a.js","messages":[{"ruleId":"no-var","line":1,"message":"no var"},{"ruleId":null,"line":2,"message":"bad"}]},{"filePath":"/w/c.js","messages":[]}]"#,
            "",
            &["sub/a.js:1 no-var no var", "sub/a.js:2  bad"],
        );
        check(
            Output::Paths,
            "a.go\nvendor/b.go\n",
            "",
            &["sub/a.go:0  is formatted otherwise"],
        );
        check(
            Output::Shellcheck,
            r#"{"comments":[{"file":"./a.sh","line":2,"level":"warning","code":2086,"message":"quote"}]}"#,
            "",
            &["sub/a.sh:2 SC2086 quote"],
        );
    }

    #[test]
    fn ends_are_judged() {
        let state =
            |output, exit, stdout, stderr| judge(&checker(output, "."), exit, stdout, stderr).state;
        assert_eq!(state(Output::Paths, Some(0), "", ""), State::Clean);
        assert_eq!(state(Output::Paths, Some(0), "a.go\n", ""), State::Findings);
        assert_eq!(
            state(Output::Ruff, Some(2), "", "error: bad config"),
            State::Failed
        );
        assert_eq!(state(Output::Ruff, Some(1), "[]", ""), State::Failed);
        assert_eq!(
            state(
                Output::Clippy,
                Some(101),
                "",
                "error: no such command: `clippy`"
            ),
            State::Missing
        );
        assert_eq!(state(Output::Ruff, Some(127), "", ""), State::Missing);
        assert_eq!(state(Output::Ruff, None, "", ""), State::Failed);
        let failed = judge(
            &checker(Output::Ruff, "."),
            Some(2),
            "",
            "note\nerror: bad config\nmore",
        );
        assert_eq!(failed.note.as_deref(), Some("exit 2: error: bad config"));
    }

    proptest! {
        #[test]
        fn any_output_is_survived(text in "(?s)(Diff in |:|\\d{1,25}|\\{|\\}|\\[|\\]|\"messages\":|\n|/|é|.){0,120}") {
            for output in ALL {
                for place in places(&checker(output, "sub"), &text, &text) {
                    prop_assert!(!place.message.contains('\n'));
                }
            }
        }
    }
}
