//! The ledger's PostgreSQL server runs out of disk, or is stopped and started: requests are refused with a sentence
//! and nothing of them is kept, what was accepted is done, and everything goes on by itself.

use crate::AI_INFRA;
use std::time::Duration;
use tests::processes::wait_until;
use tests::small_disk::{SmallDisk, small_disk};
use tests::team::{Ran, Team};

const PATIENCE: Duration = Duration::from_secs(60);
/// A disk that is full still has room in pages that are there; it is used up within so many requests.
const MOST: usize = 300;

struct Scene {
    team: Team,
    disk: SmallDisk,
    folder: String,
    accepted: Vec<String>,
}

impl Scene {
    fn new(wal_elsewhere: bool) -> Option<Self> {
        let disk = small_disk(wal_elsewhere)?;
        let team = Team::new(AI_INFRA).with_env("DATABASE_URL", &disk.url());
        let workspace = team.scratch("work");
        std::fs::write(workspace.join("README.md"), "TODO: nothing\n").expect("a file");
        team.up();
        Some(Self {
            folder: workspace.display().to_string(),
            team,
            disk,
            accepted: Vec::new(),
        })
    }

    /// Asks for a task; its number is kept where it was accepted.
    fn ask(&mut self) -> Ran {
        let words = [
            "run",
            "list the todo marks",
            "--no-wait",
            "--json",
            "--workspace",
        ];
        let ran = self.team.ai(&[&words[..], &[&self.folder]].concat());
        if ran.code == 0 {
            let number = ran.json()["short_id"]
                .as_str()
                .expect("a number")
                .to_owned();
            self.accepted.push(number);
        }
        ran
    }

    fn problems(&self) -> String {
        self.team.status()["problems"].to_string()
    }

    /// Asks until a request is refused; answers what was said.
    fn until_refused(&mut self) -> String {
        for _ in 0..MOST {
            let ran = self.ask();
            if ran.code != 0 {
                assert_eq!(ran.code, 5, "{}{}", ran.stdout, ran.stderr);
                return format!("{}{}", ran.stdout, ran.stderr);
            }
        }
        panic!("{MOST} requests were taken on a full disk");
    }

    /// All is well again, and the ledger holds every task that was accepted, done, and no other.
    fn goes_on(&mut self) {
        let taken = wait_until(PATIENCE, || self.ask().code == 0);
        assert!(taken, "{:#}", self.team.status());
        let open = "SELECT COUNT(*) FROM main.tasks WHERE state <> 'done'";
        let done = wait_until(PATIENCE, || self.disk.sql(open).as_deref() == Ok("0"));
        assert!(done, "{:#}", self.team.status());
        let all = "SELECT string_agg('t' || short_id, ' ' ORDER BY short_id) FROM main.tasks";
        assert_eq!(self.disk.sql(all), Ok(self.accepted.join(" ")));
        let well = wait_until(PATIENCE, || self.problems() == "[]");
        assert!(well, "{:#}", self.team.status());
    }
}

#[test]
fn a_full_disk_under_the_ledgers_server_refuses_requests_and_loses_none() {
    let Some(mut scene) = Scene::new(true) else {
        return;
    };
    assert_eq!(scene.ask().code, 0);
    scene.disk.fill();
    let said = scene.until_refused();
    assert!(
        said.contains(
            "the disk of the ledger's server is full, so nothing was kept: free some space there"
        ),
        "{said}"
    );
    // Something small may still have found room since, and then it is no problem until the next refusal.
    let told = wait_until(PATIENCE, || {
        let told = scene.problems();
        told.contains("the disk of the ledger's server was full") || {
            scene.until_refused();
            false
        }
    });
    assert!(told, "{:#}", scene.team.status());
    scene.disk.free();
    scene.goes_on();

    // Stopped, not only cut off: nobody listens at all.
    scene.disk.stop();
    let refused = scene.ask();
    assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
    assert!(
        refused
            .stderr
            .contains("the ledger's database does not answer"),
        "{}",
        refused.stderr
    );
    let told = wait_until(PATIENCE, || scene.problems().contains("does not answer"));
    assert!(told, "{:#}", scene.team.status());
    scene.disk.start();
    scene.goes_on();
    scene.team.down();
}

#[test]
fn a_server_that_dies_of_its_full_disk_loses_nothing_either() {
    let Some(mut scene) = Scene::new(false) else {
        return;
    };
    assert_eq!(scene.ask().code, 0);
    scene.disk.fill();
    let said = scene.until_refused();
    assert!(said.contains("nothing was kept"), "{said}");
    scene.disk.free();
    scene.disk.answers();
    scene.goes_on();
    scene.team.down();
}
