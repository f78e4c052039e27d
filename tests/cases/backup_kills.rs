//! Backups and restores that are killed at random moments: every snapshot that is listed restores to what was
//! there when it was made, and no half-restored home starts. `TESTS_KILLS=30` is the long form, `TESTS_SEED`
//! other moments; with a guarantee left out the same eyes must see that it is missing.

use crate::AI_INFRA;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::many::{files, number, try_sql};
use tests::team::Team;

type Files = Vec<(PathBuf, Vec<u8>)>;

/// Moments and bytes that nobody chose.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = number("TESTS_SEED", 7) as u64;
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A moment of a time, and a little beyond its end.
    fn within(&mut self, took: Duration) -> Duration {
        took.mul_f64((self.next() % 1100) as f64 / 1000.0)
    }
}

struct Rig {
    team: Team,
    dice: Dice,
    /// What each snapshot must hold.
    made: BTreeMap<String, Files>,
    found: Vec<String>,
}

impl Rig {
    fn new(remote: &str, git: bool) -> Self {
        let team = Team::new(AI_INFRA).backs_up_by_hand();
        let there = team.scratch(remote);
        let mut place = there.display().to_string();
        if git {
            let made = Command::new("git")
                .args(["init", "-q", "--bare"])
                .arg(&there)
                .status();
            assert!(made.unwrap().success());
            place = format!("file://{place}");
        }
        let team = team.with_env("AI_INFRA__BACKUP__REMOTE", &place);
        team.up();
        team.ai(&["memory", "add", "one thing"]).expect(0);
        team.down();
        Self {
            team,
            dice: Dice::new(),
            made: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    /// So many bytes that do not compress, in place of those before.
    fn noise(&mut self, bytes: usize) {
        let noise: Vec<u8> = (0..bytes).map(|_| self.dice.next() as u8).collect();
        let path = self.team.home().join("blobs/noise");
        fs::write(path, noise).unwrap();
    }

    fn now(&self) -> Files {
        let mut all = files(&self.team.home().join("MEMORY"));
        all.extend(files(&self.team.home().join("blobs")));
        all
    }

    fn listed(&self) -> Vec<String> {
        let list = self.team.ai(&["backup", "list", "--json"]).expect(0).json();
        let names = list["snapshots"].as_array().unwrap().iter();
        names
            .map(|line| line["snapshot"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Every listed snapshot that is new, or every one, restores to what was there when it was made.
    fn look(&mut self, when: &str, every: bool) {
        let now = self.now();
        for name in self.listed() {
            if self.made.contains_key(&name) && !every {
                continue;
            }
            let must = self
                .made
                .entry(name.clone())
                .or_insert_with(|| now.clone())
                .clone();
            let to = self.team.scratch("look");
            fs::remove_dir_all(&to).unwrap();
            let folder = to.display().to_string();
            let ran = self
                .team
                .ai(&["backup", "restore", "--at", &name, "--to", &folder]);
            let mut came = files(&to.join("MEMORY"));
            came.extend(files(&to.join("blobs")));
            if ran.code != 0 {
                let first = ran.stderr.lines().next().unwrap_or_default();
                self.found
                    .push(format!("{when}: {name} does not restore: {first}"));
            } else if came != must {
                self.found.push(format!("{when}: {name} is another one"));
            }
        }
    }

    /// Kills backups; answers how many of them had not ended.
    fn backups(&mut self, kills: usize) -> usize {
        self.noise(400_000);
        let took = self.team.ai(&["backup", "run", "memory"]).expect(0).took;
        let mut cut = 0;
        for kill in 1..=kills {
            self.look(&format!("before kill {kill} of a backup"), false);
            self.noise(400_000);
            let mut running = self.team.start(&["backup", "run", "memory"]);
            let moment = self.dice.within(took);
            std::thread::sleep(moment);
            cut += usize::from(running.try_wait().unwrap().is_none());
            let _over = running.kill();
            running.wait().unwrap();
        }
        self.look("after the last kill of a backup", true);
        self.noise(400_000);
        self.team.ai(&["backup", "run", "memory"]).expect(0);
        self.look("after a backup that was not killed", true);
        cut
    }

    /// Kills restores of the lost home; answers how many left half of one.
    fn restores(&mut self, kills: usize) -> usize {
        let must = self.now();
        let home = self.team.home();
        let lose = || {
            if home.exists() {
                fs::remove_dir_all(&home).unwrap();
            }
        };
        lose();
        let took = self.team.ai(&["backup", "restore"]).expect(0).took;
        let mut halves = 0;
        for kill in 1..=kills {
            lose();
            let mut running = self.team.start(&["backup", "restore"]);
            let moment = self.dice.within(took);
            std::thread::sleep(moment);
            let _over = running.kill();
            running.wait().unwrap();
            // The last thing that is done to a restored ledger is to leave numbers free.
            let last = "SELECT value FROM meta WHERE key = 'short_id' AND value >= 1000";
            let parked = || try_sql(&self.team, last).is_some_and(|said| !said.is_empty());
            let whole = || self.now() == must && parked();
            if home.join("restoring.json").exists() {
                halves += 1;
                let up = self.team.ai(&["up", "--no-tmux"]);
                if up.code != 2 || !up.stderr.contains("half restored") {
                    self.found
                        .push(format!("kill {kill}: a half home starts: {up:?}"));
                    self.team.down();
                }
                self.team.ai(&["backup", "restore"]).expect(0);
            } else if home.exists() && fs::read_dir(&home).unwrap().next().is_some() && !whole() {
                self.found.push(format!(
                    "kill {kill}: nothing keeps a half home from starting"
                ));
                continue;
            } else if !whole() {
                self.team.ai(&["backup", "restore"]).expect(0);
            }
            assert!(self.now() == must, "kill {kill}");
        }
        halves
    }
}

fn killed(remote: &str, git: bool, kills: usize) {
    let mut rig = Rig::new(remote, git);
    let cut = rig.backups(kills);
    let halves = rig.restores(kills);
    eprintln!(
        "{remote}: {cut} of {kills} backups cut off, {halves} of {kills} restores left half a home"
    );
    assert_eq!(rig.found, Vec::<String>::new());
    // A few kills may all come too late for a restore that takes a moment; thirty may not.
    assert!(cut > 0 && (halves > 0 || kills < 30), "{cut} {halves}");
    rig.team.up();
    rig.team.down();
}

#[test]
fn killed_at_any_moment_what_is_listed_restores_and_a_half_home_does_not_start() {
    killed("backups", false, number("TESTS_KILLS", 4));
}

#[test]
fn killed_at_any_moment_with_a_git_repository_too() {
    killed("there.git", true, number("TESTS_KILLS", 3));
}

#[test]
fn a_snapshot_that_is_there_before_its_packs_is_seen() {
    let mut rig = Rig::new("backups", false);
    let snapshots = rig.team.scratch("backups").join("snapshots");
    rig.noise(400_000);
    let mut running = rig
        .team
        .command(&["backup", "run", "memory"])
        .env("AI_INFRA_FAULT", "snapshot-first")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    // Not one that is being written.
    let is_there = |path: &PathBuf| !path.to_string_lossy().contains(".unfinished");
    while !files(&snapshots).iter().any(|(path, _)| is_there(path)) {
        assert!(began.elapsed() < Duration::from_secs(180), "no snapshot");
        std::thread::sleep(Duration::from_millis(5));
    }
    let _over = running.kill();
    running.wait().unwrap();
    rig.look("after the kill", true);
    assert!(
        rig.found
            .iter()
            .any(|said| said.contains("does not restore")),
        "{:?}",
        rig.found
    );
}

#[test]
fn a_half_home_without_its_mark_is_seen() {
    let mut rig = Rig::new("backups", false);
    rig.noise(4_000_000);
    rig.team.ai(&["backup", "run", "memory"]).expect(0);
    rig.team = rig.team.with_env("AI_INFRA_FAULT", "no-restoring-mark");
    rig.restores(12);
    assert!(!rig.found.is_empty());
}
