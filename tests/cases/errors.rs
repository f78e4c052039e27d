//! Every error a person can come to by wrong words, wrong files, a team that is down: what it says, and how it says it. The
//! table is `tests/fixtures/errors.txt`, so that all sentences can be read aloud one below the other.

use crate::AI_INFRA;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use tests::team::Team;

/// A line of the table.
struct Wrong {
    code: i32,
    words: Vec<String>,
    input: Option<String>,
    says: String,
}

/// The lines below a heading. Pure.
fn table(text: &str, heading: &str) -> Vec<Wrong> {
    let below = text.lines().skip_while(|line| *line != heading).skip(1);
    let lines = below.take_while(|line| !line.starts_with('@'));
    lines
        .filter(|line| !line.trim().is_empty())
        .map(wrong)
        .collect()
}

fn wrong(line: &str) -> Wrong {
    let mut parts = line.splitn(3, " | ");
    let code = parts.next().and_then(|code| code.parse().ok());
    let words = parts.next().and_then(shlex::split);
    let (Some(code), Some(mut words), Some(says)) = (code, words, parts.next()) else {
        panic!("no line of the table: {line}");
    };
    let input = words.pop_if(|word| word.starts_with('<'));
    Wrong {
        code,
        words,
        input: input.map(|word| word[1..].to_owned()),
        says: says.to_owned(),
    }
}

/// What is wrong with how an error is said, whatever it says. Pure.
fn faults(said: &str) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let first = said
        .lines()
        .find(|line| line.starts_with("error: ") || line.starts_with("question: "));
    let sentence = first
        .and_then(|line| line.split_once(": "))
        .map_or("", |(_, rest)| rest);
    if sentence.is_empty() {
        faults.push("it does not begin with `error: ` or `question: ` and a sentence");
    }
    if sentence.starts_with(|c: char| c.is_uppercase()) {
        faults.push("it begins with a capital");
    }
    for (part, fault) in [
        ("os error", "it gives the number of an error"),
        ("No such file", "it speaks as the system does"),
        ("invalid digit", "it speaks as a library does"),
        ("..=", "it shows Rust"),
        ("Some(", "it shows Rust"),
        ("Err(", "it shows Rust"),
        ("Error {", "it shows Rust"),
        ("Os {", "it shows Rust"),
        ("panicked", "it panicked"),
        ("?;", "two signs in a row"),
        ("::", "it names a module"),
        ("\u{1b}", "it colours a pipe"),
        ("\u{fffd}", "it shows bytes that are no text"),
    ] {
        if said.contains(part) {
            faults.push(fault);
        }
    }
    if said.lines().any(|line| line.chars().count() > 400) {
        faults.push("it is too long to be read");
    }
    faults
}

fn said(team: &Team, wrong: &Wrong) -> (i32, String) {
    let words: Vec<&str> = wrong.words.iter().map(String::as_str).collect();
    let mut command = team.command(&words);
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("its input");
    // Most end before they would read.
    let _unread = stdin.write_all(wrong.input.as_deref().unwrap_or_default().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(255), said)
}

/// Makes every mistake below a heading; gives what is not said as it should be.
fn mistakes(team: &Team, heading: &str, places: &[(&str, &Path)]) -> Vec<String> {
    let text = include_str!("../fixtures/errors.txt");
    let placed = |text: &str| {
        let place = |text: String, (name, path): &(&str, &Path)| {
            text.replace(name, &path.display().to_string())
        };
        places.iter().fold(text.to_owned(), place)
    };
    let mut wrongs = Vec::new();
    for mut wrong in table(text, heading) {
        wrong.words = wrong.words.iter().map(|word| placed(word)).collect();
        wrong.says = placed(&wrong.says);
        let (code, said) = said(team, &wrong);
        let mut faults: Vec<String> = faults(&said).into_iter().map(str::to_owned).collect();
        if code != wrong.code {
            faults.push(format!("its exit code is {code}, not {}", wrong.code));
        }
        if !said.contains(&wrong.says) {
            faults.push(format!("it does not say `{}`", wrong.says));
        }
        if !faults.is_empty() {
            wrongs.push(format!("{:?}: {}\n{said}", wrong.words, faults.join("; ")));
        }
    }
    wrongs
}

#[test]
fn each_mistake_is_told_in_a_sentence_that_helps() {
    let team = Team::new(AI_INFRA);
    let (here, out) = (team.scratch("here"), team.scratch("out"));
    std::fs::write(here.join("README.md"), "TODO: one\n").expect("a file");
    std::fs::write(here.join("orders.csv"), "id,total\n1,20\n").expect("a file");
    std::fs::write(out.join("empty"), "").expect("a file");
    std::fs::write(out.join("broken.yaml"), "{").expect("a file");
    std::fs::write(out.join("open.json"), "{}").expect("a file");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(out.join("open.json"), open).expect("a mode");
    let noise: Vec<u8> = (0..3000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    std::fs::write(out.join("noise"), noise).expect("a file");
    let places = [("HERE", here.as_path()), ("OUT", out.as_path())];
    let mut wrongs = mistakes(&team, "@down", &places);
    team.up();
    assert_eq!(team.run(&here, "what is unfinished here?").0, 0);
    wrongs.extend(mistakes(&team, "@up", &places));
    team.down();
    assert!(
        wrongs.is_empty(),
        "{} errors:\n{}",
        wrongs.len(),
        wrongs.join("\n")
    );
    let text = include_str!("../fixtures/errors.txt");
    let many = table(text, "@down").len() + table(text, "@up").len();
    assert!(many >= 80, "only {many} mistakes are made");
}

#[test]
fn how_an_error_is_said_is_judged() {
    for (said, fault) in [
        ("error: there is no agent `x`\n", None),
        ("question: which one?\n", None),
        ("", Some("it does not begin")),
        ("error: No agent\n", Some("capital")),
        (
            "error: cannot read x: gone (os error 2)\n",
            Some("number of an error"),
        ),
        ("error: 11 is not in 1..=10\n", Some("Rust")),
        ("error: Os { code: 2 }\n", Some("Rust")),
        ("thread 'main' panicked at x\n", Some("panicked")),
    ] {
        let found = faults(said);
        let fits = match fault {
            None => found.is_empty(),
            Some(part) => found.iter().any(|fault| fault.contains(part)),
        };
        assert!(fits, "{said}: {found:?}");
    }
}
