//! Backups of real git repositories: how long the first one takes, one where nothing changed and one where
//! little did, the check and the way back; what the process weighs at most, and what restic does beside it.

use crate::memory_use::peak_mb;
use crate::table::{Report, Row};
use crate::team::{BenchError, Team, fail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// So many repositories share the bytes.
const REPOSITORIES: u64 = 8;
/// Bytes of a file of words, about.
const FILE: usize = 12_000;
/// Every so many files one does not compress.
const PICTURES: u64 = 25;
/// Every so many files one is changed for the run after little changed.
const CHANGED: usize = 100;
/// How often a running process is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What a command came to.
struct Ran {
    took: Duration,
    /// Most memory it had, in MB.
    peak: f64,
    said: String,
}

impl Ran {
    fn seconds(&self) -> f64 {
        self.took.as_secs_f64()
    }

    fn json(&self) -> Result<Value, BenchError> {
        serde_json::from_str(&self.said).map_err(fail)
    }
}

/// Backs up about `megabytes` of repositories, to a folder and to a git repository.
pub fn run(exe: &Path, megabytes: u64) -> Result<Report, BenchError> {
    let room = tempfile::Builder::new()
        .prefix("ai-infra-bench-")
        .tempdir()
        .map_err(fail)?;
    let root = room.path();
    let repositories: Vec<PathBuf> = (0..REPOSITORIES)
        .map(|number| root.join(format!("work/repository-{number}")))
        .collect();
    let mut files = Vec::new();
    for (number, folder) in (1..).zip(&repositories) {
        files.extend(repository(
            folder,
            number,
            megabytes * 1_000_000 / REPOSITORIES,
        )?);
    }
    let team = Team::new(exe)?;
    team.ai(&["up", "--no-tmux"])?;
    for folder in &repositories {
        team.ai(&["workspace", "add", &folder.display().to_string()])?;
    }
    team.ai(&["down"])?;
    let restic = Restic::find(root)?;
    let mut rows = Vec::new();
    let there = root.join("there.git");
    git(root, &["init", "-q", "--bare", "there.git"])?;
    let places = [
        ("folder", root.join("kept").display().to_string()),
        ("git", format!("file://{}", there.display())),
    ];
    let mut peers = Vec::new();
    for (place, remote) in &places {
        let ours = Ours {
            exe,
            team: &team,
            root,
            remote,
        };
        let beside = restic.as_ref().filter(|_| *place == "folder");
        if let Some(restic) = beside {
            peers = restic.rounds(root, &files)?;
        }
        rows.extend(ours.rounds(place, &files, &peers)?);
        peers.clear();
    }
    let mut notes = vec![
        "memory is the most that the process had at any moment (VmHWM); git's own processes are not in it."
            .to_owned(),
    ];
    notes.push(match restic {
        Some(_) => "`beside` is restic on a folder in the same minutes.".to_owned(),
        None => "restic is not installed: apt-get install restic".to_owned(),
    });
    Ok(Report::new(rows).with_notes(notes))
}

/// Our backups at one place.
struct Ours<'a> {
    exe: &'a Path,
    team: &'a Team<'a>,
    root: &'a Path,
    remote: &'a str,
}

impl Ours<'_> {
    fn ai(&self, args: &[&str]) -> Result<Ran, BenchError> {
        let mut command = Command::new(self.exe);
        command
            .arg("--home")
            .arg(self.team.home())
            .args(args)
            .env("AI_INFRA__BACKUP__REMOTE", self.remote)
            .env("AI_INFRA__BACKUP__IDENTITY", self.root.join("key"));
        watched(command)
    }

    /// The first one, one without a change, one with few, a check, and the way back.
    fn rounds(
        &self,
        place: &str,
        files: &[PathBuf],
        peers: &[Ran],
    ) -> Result<Vec<Row>, BenchError> {
        let mut rows = Vec::new();
        let mut put = |what: &str, ran: &Ran, peer: Option<&Ran>| {
            let mut time = Row::new(&format!("{place}: {what}"), ran.seconds(), "s");
            let mut peak = Row::new(&format!("{place}: {what}, memory at most"), ran.peak, "MB");
            if let Some(peer) = peer {
                time = time.beside(peer.seconds());
                peak = peak.beside(peer.peak);
            }
            rows.extend([time, peak]);
        };
        let run = ["backup", "run", "code", "--json"];
        let first = self.ai(&run)?;
        put("first run", &first, peers.first());
        let unchanged = self.ai(&run)?;
        put("nothing changed", &unchanged, peers.get(1));
        change(files)?;
        let changed = self.ai(&run)?;
        put("one file of a hundred changed", &changed, peers.get(2));
        put("verify", &self.ai(&["backup", "verify"])?, peers.get(3));
        let to = self.root.join(format!("back-{place}"));
        let back = [
            "backup",
            "restore",
            "code",
            "--to",
            &to.display().to_string(),
        ];
        // It stays until the end, as restic's does: on some file systems whoever makes files pays for many
        // that were removed in the minutes before.
        put("restore", &self.ai(&back)?, peers.get(4));
        let job = |ran: &Ran| Ok::<Value, BenchError>(ran.json()?["jobs"][0].clone());
        let mb = |job: &Value, key: &str| job[key].as_f64().unwrap_or_default() / 1e6;
        let (of_first, of_changed) = (job(&first)?, job(&changed)?);
        let files = of_first["files"].as_f64().unwrap_or_default();
        rows.extend([
            Row::new(&format!("{place}: files"), files, ""),
            Row::new(
                &format!("{place}: bytes of them"),
                mb(&of_first, "bytes"),
                "MB",
            ),
            Row::new(
                &format!("{place}: sent by the first run"),
                mb(&of_first, "sent"),
                "MB",
            ),
            Row::new(
                &format!("{place}: sent after one file of a hundred changed"),
                mb(&of_changed, "sent"),
                "MB",
            ),
        ]);
        Ok(rows)
    }
}

/// restic, in a folder of its own.
struct Restic<'a> {
    root: &'a Path,
}

impl<'a> Restic<'a> {
    fn find(root: &'a Path) -> Result<Option<Self>, BenchError> {
        let found = Command::new("restic")
            .arg("version")
            .stdout(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let restic = Self { root };
        restic.call(&["init"])?;
        Ok(Some(restic))
    }

    fn call(&self, args: &[&str]) -> Result<Ran, BenchError> {
        let mut command = Command::new("restic");
        command
            .arg("--repo")
            .arg(self.root.join("restic"))
            .arg("--cache-dir")
            .arg(self.root.join("restic-cache"))
            .args(args)
            .env("RESTIC_PASSWORD", "bench");
        watched(command)
    }

    fn rounds(&self, root: &Path, files: &[PathBuf]) -> Result<Vec<Ran>, BenchError> {
        let work = root.join("work").display().to_string();
        let back = root.join("back-restic");
        let mut all = vec![
            self.call(&["backup", &work])?,
            self.call(&["backup", &work])?,
        ];
        change(files)?;
        all.push(self.call(&["backup", &work])?);
        all.push(self.call(&["check", "--read-data"])?);
        all.push(self.call(&["restore", "latest", "--target", &back.display().to_string()])?);
        Ok(all)
    }
}

/// Runs a command to its end and watches what it weighs.
fn watched(mut command: Command) -> Result<Ran, BenchError> {
    let out = tempfile::tempfile().map_err(fail)?;
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(fail)?)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(fail)?;
    let mut peak = 0.0_f64;
    let status = loop {
        peak = peak.max(peak_mb(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait().map_err(fail)? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let took = began.elapsed();
    let mut said = String::new();
    if let Some(mut error) = child.stderr.take() {
        std::io::Read::read_to_string(&mut error, &mut said).map_err(fail)?;
    }
    if !status.success() {
        return Err(fail(format!("{command:?}: {said}")));
    }
    let said = std::io::read_to_string({
        use std::io::Seek;
        let mut out = out;
        out.rewind().map_err(fail)?;
        out
    });
    Ok(Ran {
        took,
        peak,
        said: said.map_err(fail)?,
    })
}

/// A repository of about so many bytes, its `.git` included; answers its files.
fn repository(folder: &Path, seed: u64, bytes: u64) -> Result<Vec<PathBuf>, BenchError> {
    fs::create_dir_all(folder).map_err(fail)?;
    git(folder, &["init", "-q"])?;
    let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut files = Vec::new();
    // What git keeps of them, compressed, takes about two fifths of the whole.
    let mut left = bytes * 3 / 5;
    for number in 0.. {
        if left == 0 {
            break;
        }
        let path = folder.join(format!("src/{:02}/file-{number}", number % 40));
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(fail)?;
        let text = match number % PICTURES {
            0 => (0..FILE * 4).map(|_| next(&mut dice) as u8).collect(),
            _ => words(&mut dice),
        };
        left = left.saturating_sub(text.len() as u64);
        fs::write(&path, text).map_err(fail)?;
        files.push(path);
    }
    git(folder, &["add", "-A"])?;
    let who = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
    git(
        folder,
        &[who.as_slice(), &["commit", "-q", "-m", "all of it"]].concat(),
    )?;
    Ok(files)
}

/// Another text in every hundredth file.
fn change(files: &[PathBuf]) -> Result<(), BenchError> {
    let mut dice = Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id()) | 1;
    for path in files.iter().step_by(CHANGED) {
        let mut text = words(&mut dice);
        text.extend(fs::read(path).map_err(fail)?);
        fs::write(path, text).map_err(fail)?;
    }
    Ok(())
}

/// Text as programs have it: lines of few different words.
fn words(dice: &mut u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(FILE + 64);
    while text.len() < FILE {
        for _ in 0..8 {
            // Words that were said before come more often than others.
            let word = next(dice) % 4000 % (1 + next(dice) % 4000);
            text.extend_from_slice(format!("{:x} ", word.wrapping_mul(0x9E37_79B9)).as_bytes());
        }
        text.push(b'\n');
    }
    text
}

fn next(dice: &mut u64) -> u64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice
}

fn git(folder: &Path, words: &[&str]) -> Result<(), BenchError> {
    let done = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(words)
        .output()
        .map_err(fail)?;
    match done.status.success() {
        true => Ok(()),
        false => Err(fail(String::from_utf8_lossy(&done.stderr))),
    }
}
