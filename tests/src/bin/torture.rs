//! `torture`: one long course, its sums as a table or as one line of JSON, and exit code 1 when
//! anything was lost, doubled or left over. `scripts/torture.sh` builds it and calls it.

use ::tests::torture::courses;
use ::tests::torture::effects::Kind;
use ::tests::torture::rig::{Rig, Setup};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    exe: String,
    tasks: usize,
    kills: usize,
    seed: u64,
    setup: Setup,
    json: bool,
    keep: bool,
}

const USAGE: &str = "usage: torture.sh [--tasks N] [--kills K] [--seed S] [--lease 1s|1500ms] \
    [--fault NAME] [--tmux|--no-tmux] [--keep] [--json]
faults: no-epoch-check, ack-before-journal, no-key, lost-timer, orphaned-child, die-at=journal:each,
        die-at=journal:each:again
a fault runs the short course in which it must be seen; every third seed runs in tmux windows";

fn parse(words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        exe: String::new(),
        tasks: 200,
        kills: 50,
        seed: 1,
        setup: Setup::default(),
        json: false,
        keep: false,
    };
    let mut tmux = None;
    let mut words = words;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--exe" => asked.exe = value()?,
            "--tasks" => asked.tasks = number(&value()?)?,
            "--kills" => asked.kills = number(&value()?)?,
            "--seed" => asked.seed = number(&value()?)?,
            "--lease" => asked.setup.lease = duration(&value()?)?,
            "--fault" => asked.setup.fault = Some(value()?),
            "--tmux" => tmux = Some(true),
            "--no-tmux" => tmux = Some(false),
            "--keep" => asked.keep = true,
            "--json" => asked.json = true,
            other => return Err(format!("unknown word {other}")),
        }
    }
    if asked.exe.is_empty() {
        return Err("--exe is missing: call scripts/torture.sh".to_owned());
    }
    let by_seed = asked.setup.fault.is_none() && asked.seed.is_multiple_of(3);
    asked.setup.tmux = tmux.unwrap_or(by_seed);
    Ok(asked)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is no duration such as 1s or 1500ms");
    if let Some(ms) = text.strip_suffix("ms") {
        return ms.parse().map(Duration::from_millis).map_err(|_| wrong());
    }
    let seconds = text.strip_suffix('s').unwrap_or(text);
    let seconds: f64 = seconds.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn main() -> ExitCode {
    let asked = match parse(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("error: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let Some(run) = course(&asked) else {
        eprintln!("error: there is no course for this fault\n{USAGE}");
        return ExitCode::from(2);
    };
    let Ok(exe) = std::fs::canonicalize(&asked.exe) else {
        eprintln!("error: there is no {}\n{USAGE}", asked.exe);
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let mut rig = Rig::up(&exe.to_string_lossy(), asked.setup.clone());
    let (sound, mut sums) = run(&rig);
    let setup = &asked.setup;
    let course = json!({
        "seed": asked.seed, "kills": asked.kills, "lease_ms": setup.lease.as_millis() as u64,
        "tmux": setup.tmux, "fault": setup.fault, "duration_s": began.elapsed().as_secs(),
    });
    for (name, value) in course.as_object().into_iter().flatten() {
        sums[name] = value.clone();
    }
    match asked.json {
        true => println!("{sums}"),
        false => table(&sums),
    }
    if asked.keep && !sound {
        eprintln!("kept: {}", rig.team.keep().display());
    }
    match sound {
        true => {
            rig.down();
            ExitCode::SUCCESS
        }
        false => ExitCode::FAILURE,
    }
}

type Course = Box<dyn Fn(&Rig) -> (bool, Value)>;

/// The course that was asked for; `None` for a fault nobody knows.
fn course(asked: &Asked) -> Option<Course> {
    let Asked {
        tasks, kills, seed, ..
    } = *asked;
    match asked.setup.fault.as_deref() {
        None => Some(Box::new(move |rig| at_random(rig, tasks, kills, seed))),
        Some("die-at=journal:each" | "die-at=journal:each:again") => Some(Box::new(|rig| {
            let walk = courses::every_boundary(rig, Kind::Outside);
            let mut sums = walk.account.json();
            sums["writes"] = json!(walk.writes);
            sums["deaths"] = json!(walk.deaths);
            (walk.account.is_sound(), sums)
        })),
        Some(fault) => {
            let course = courses::of_fault(fault)?;
            Some(Box::new(move |rig| {
                let account = course(rig);
                (account.is_sound(), account.json())
            }))
        }
    }
}

/// The long course, and after it how long a task of the now idle queue stands still.
fn at_random(rig: &Rig, tasks: usize, kills: usize, seed: u64) -> (bool, Value) {
    let account = courses::at_random(rig, tasks, kills, seed);
    let mut sums = account.json();
    let mut sound = account.is_sound();
    if account.lost == 0 {
        let (seen, alone) = courses::stood_still(rig);
        sums["stood_still_ms"] = json!({
            "with_the_daemon": seen.as_millis() as u64,
            "by_the_lease_alone": alone.as_millis() as u64,
        });
        sound &= seen.max(alone) <= rig.setup.lease + Duration::from_secs(1);
    }
    (sound, sums)
}

fn table(sums: &Value) {
    for (name, value) in sums.as_object().into_iter().flatten() {
        match value.as_object() {
            None => println!("{name:<20} {value}"),
            Some(rows) => rows
                .iter()
                .for_each(|(row, value)| println!("{name:<20} {row}: {value}")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(line: &str) -> Result<Asked, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn words_become_a_course() {
        let made = asked("--exe x --tasks 2000 --kills 500 --seed 3 --lease 1s --json").unwrap();
        assert_eq!((made.tasks, made.kills, made.seed), (2000, 500, 3));
        assert!(made.setup.tmux && made.json);
        assert_eq!(made.setup.lease, Duration::from_secs(1));
        assert!(course(&made).is_some());
        assert!(!asked("--exe x --seed 3 --no-tmux").unwrap().setup.tmux);
        let faulty = asked("--exe x --fault lost-timer --lease 300ms").unwrap();
        assert_eq!(faulty.setup.lease, Duration::from_millis(300));
        assert!(course(&faulty).is_some());
        assert!(course(&asked("--exe x --fault no-such").unwrap()).is_none());
        for bad in [
            "",
            "--exe",
            "--exe x --tasks many",
            "--exe x --lease -1s",
            "--exe x y",
        ] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
