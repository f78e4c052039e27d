//! Schedules over a real ledger, with the time of each look said by the test. Whoever looks is
//! thrown away and begun anew in between, as a killed supervisor is.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::desk::SharedDesk;
use crate::ledger::place::Place;
use crate::ledger::store::Ledger;
use crate::run;
use config::env::Env;
use config::home::Home;
use config::load::{Sources, load_from};
use protocol::schedule::{Outcome, ScheduleRun};
use protocol::task_state::TaskState;

struct Office {
    folder: tempfile::TempDir,
    desk: Option<SharedDesk>,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Office {
    async fn open() -> Office {
        let folder = tempfile::Builder::new().prefix("sc").tempdir().unwrap();
        let mut office = Office { folder, desk: None };
        office.again().await;
        office
    }

    /// Another supervisor takes over, whatever the one before was doing.
    async fn again(&mut self) {
        let home = Home::at(self.folder.path().join("h"));
        home.ensure().unwrap();
        let env = Env::from_pairs(Vec::<(String, String)>::new());
        let settings = load_from(&Sources {
            system: self.folder.path(),
            home: &home,
            env: &env,
            flags: &[],
        })
        .unwrap();
        let ledger = Ledger::open(&Place::file(home.ledger())).await.unwrap();
        self.desk = Some(run::desk(settings, home, ledger));
    }

    fn desk(&self) -> &Desk {
        self.desk.as_deref().unwrap()
    }

    fn write(&self, name: &str, more: &str) {
        let text = format!("schedule: 1\nname: {name}\nzone: UTC\n{more}");
        let path = self.desk().home.schedules().join(format!("{name}.yaml"));
        std::fs::write(path, text).unwrap();
    }

    async fn look(&self, now: &str) {
        look(self.desk(), at(now)).await.unwrap();
    }

    async fn runs(&self, name: &str) -> Vec<ScheduleRun> {
        let mut runs = self.desk().ledger.schedule_runs(name, 1000).await.unwrap();
        runs.reverse();
        runs
    }

    async fn shown(&self, name: &str) -> String {
        let shown = |run: &ScheduleRun| {
            let task = run.task.map_or(String::new(), |task| format!("={task}"));
            let due = run.due.strftime("%dT%H:%M");
            format!("{} {due}x{}{task}", run.outcome.as_str(), run.number)
        };
        let runs = self.runs(name).await;
        runs.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    async fn end(&self, run: &ScheduleRun) {
        let ledger = &self.desk().ledger;
        let task = ledger
            .find(TaskRef::Short(run.task.unwrap()))
            .await
            .unwrap();
        let now = Timestamp::now();
        ledger
            .end(task.task.id, TaskState::Cancelled, now)
            .await
            .unwrap();
    }
}

const NIGHTLY: &str = "when: 0 2 * * *\nplaybook: host-health\n";

#[tokio::test]
async fn a_run_is_a_task_once_whoever_is_killed() {
    let mut office = Office::open().await;
    office.write("nightly", NIGHTLY);
    office.look("2026-01-01T12:00:00Z").await;
    office.look("2026-01-02T01:59:59Z").await;
    assert_eq!(office.shown("nightly").await, "");
    // Killed after the decision was written and before its task was kept.
    let known = office.desk().ledger.schedules().await.unwrap();
    let standing = known["nightly"].standing;
    let now = at("2026-01-02T02:00:01Z");
    let read = office.desk().schedules.now();
    let schedule = &read.schedules["nightly"];
    let decision = decide::decide(schedule, &standing, now).unwrap();
    let ledger = &office.desk().ledger;
    for fits in [true, false] {
        let kept = ledger.decide_schedule("nightly", &standing, &decision, now);
        assert_eq!(kept.await.unwrap(), fits, "a decision counts once");
    }
    assert_eq!(office.shown("nightly").await, "owed 02T02:00x1");
    office.again().await;
    office.look("2026-01-02T02:00:05Z").await;
    assert_eq!(office.shown("nightly").await, "started 02T02:00x1=t1");
    // Killed after the task was kept and before the run was settled.
    office.write("hourly", "when: 0 * * * *\nplaybook: host-health\n");
    office.look("2026-01-02T02:30:00Z").await;
    let run = OwedRun {
        schedule: "hourly".to_owned(),
        due: at("2026-01-02T03:00:00Z"),
        asked_by: None,
        request_id: None,
        attempts: 0,
        again: None,
    };
    let read = office.desk().schedules.now();
    let submit = submit(
        &read.schedules["hourly"],
        request_id(&run),
        Timestamp::now(),
    );
    let kept = intake::submit_on(office.desk(), owner(), submit, Terms::default()).await;
    assert_eq!(kept.unwrap().line.short_id.0, 2);
    office.again().await;
    // Its file says something else by then.
    office.write(
        "hourly",
        "when: 0 * * * *\nplaybook: host-health\npriority: 9\nworkspace: /\n",
    );
    for _ in 0..3 {
        office.look("2026-01-02T03:00:02Z").await;
        office.again().await;
    }
    assert_eq!(office.shown("hourly").await, "started 02T03:00x1=t2");
    assert_eq!(office.desk().ledger.newest(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_night_slept_through() {
    for (missed, expected) in [
        ("once", "missed 03T02:00x2, started 04T02:00x1=t1"),
        ("skip", "missed 04T02:00x3"),
    ] {
        let office = Office::open().await;
        office.write("nightly", &format!("{NIGHTLY}missed: {missed}\n"));
        office.look("2026-01-01T12:00:00Z").await;
        office.look("2026-01-04T08:00:00Z").await;
        office.look("2026-01-04T08:00:10Z").await;
        assert_eq!(office.shown("nightly").await, expected, "{missed}");
    }
}

#[tokio::test]
async fn a_run_waits_for_the_one_before_it() {
    let office = Office::open().await;
    office.write(
        "often",
        "when: '*/10 * * * *'\nplaybook: host-health\noverlap: wait\n",
    );
    for minute in ["00", "10", "20", "30"] {
        office.look(&format!("2026-01-01T12:{minute}:01Z")).await;
    }
    let shown = office.shown("often").await;
    assert_eq!(shown, "started 01T12:10x1=t1, overlap 01T12:20x1");
    office.end(&office.runs("often").await[0]).await;
    office.look("2026-01-01T12:34:00Z").await;
    let shown = office.shown("often").await;
    assert_eq!(
        shown,
        "started 01T12:10x1=t1, overlap 01T12:20x1, started 01T12:30x1=t2"
    );
}

#[tokio::test]
async fn what_cannot_be_begun_is_said() {
    let office = Office::open().await;
    for (name, more, part) in [
        ("none", "playbook: no-such-playbook\n", "no-such-playbook"),
        (
            "lost",
            "ask: run the tests\nworkspace: /no/such/folder\n",
            "/no/such/folder",
        ),
        ("vague", "ask: make it all better somehow\n", "model"),
    ] {
        office.write(name, &format!("when: '@hourly'\n{more}"));
        office.look("2026-01-01T12:30:00Z").await;
        office.look("2026-01-01T13:00:00Z").await;
        let runs = office.runs(name).await;
        assert_eq!(runs.len(), 1, "{name} {runs:?}");
        assert_eq!(runs[0].outcome, Outcome::Refused);
        let reason = runs[0].reason.clone().unwrap();
        assert!(reason.contains(part), "{name}: {reason}");
        std::fs::remove_file(office.desk().schedules.file(name)).unwrap();
    }
    assert!(office.desk().ledger.newest(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_is_gone_or_broken() {
    let office = Office::open().await;
    office.write("nightly", NIGHTLY);
    office.look("2026-01-01T12:00:00Z").await;
    // Broken for a day: what is known stays, and the runs of that day are made up for.
    office.write("nightly", "when: nonsense\n");
    office.look("2026-01-02T12:00:00Z").await;
    let list = super::desk::list(office.desk()).await.unwrap();
    assert!(list.problems[0].contains("nightly.yaml"), "{list:?}");
    office.write("nightly", &format!("{NIGHTLY}priority: 1\n"));
    office.look("2026-01-02T13:00:00Z").await;
    assert_eq!(office.shown("nightly").await, "started 02T02:00x1=t1");
    // Another time counts from now on.
    office.write("nightly", "when: 0 4 * * *\nplaybook: host-health\n");
    office.look("2026-01-03T05:00:00Z").await;
    assert_eq!(office.shown("nightly").await, "started 02T02:00x1=t1");
    // Taken away and put back: the same.
    std::fs::remove_file(office.desk().schedules.file("nightly")).unwrap();
    office.look("2026-01-04T12:00:00Z").await;
    office.write("nightly", NIGHTLY);
    office.look("2026-01-06T12:00:00Z").await;
    office.look("2026-01-06T12:01:00Z").await;
    assert_eq!(office.shown("nightly").await, "started 02T02:00x1=t1");
}

#[tokio::test]
async fn a_level_is_only_lowered() {
    let office = Office::open().await;
    for (name, level, expected) in [("low", 0, 0), ("high", 2, 1)] {
        let more = format!(
            "when: '@hourly'\nplaybook: run-tests\nworkspace: {}\nlevel: {level}\n",
            {
                let folder = office.folder.path().join("w");
                std::fs::create_dir_all(&folder).unwrap();
                folder.display().to_string()
            }
        );
        office.write(name, &more);
        office.look("2026-01-01T12:30:00Z").await;
        office.look("2026-01-01T13:00:00Z").await;
        let runs = office.runs(name).await;
        let task = runs[0].task.unwrap_or_else(|| panic!("{runs:?}"));
        let task = office
            .desk()
            .ledger
            .find(TaskRef::Short(task))
            .await
            .unwrap();
        assert_eq!(
            u8::from(task.task.ceiling.unwrap().level),
            expected,
            "{name}"
        );
        std::fs::remove_file(office.desk().schedules.file(name)).unwrap();
    }
}

#[tokio::test]
async fn a_run_that_a_person_asked_for_is_not_forgotten() {
    let mut office = Office::open().await;
    office.write("nightly", NIGHTLY);
    office.look("2026-01-01T12:00:00Z").await;
    // Killed after it was asked for and before its task was kept.
    let read = office.desk().schedules.now();
    let who = Principal {
        uid: owner().uid,
        name: "ada".to_owned(),
    };
    let id: RequestId = "mine".parse().unwrap();
    let run = asked(&who, &read.schedules["nightly"], &id);
    assert!(office.desk().ledger.owe_run(&run).await.unwrap());
    office.again().await;
    office.look("2026-01-01T12:00:05Z").await;
    let runs = office.runs("nightly").await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].outcome, Outcome::Started);
    assert_eq!(runs[0].asked_by.as_deref(), Some("ada"));
    // Who asked says it again, and it is the same task.
    let read = office.desk().schedules.now();
    let again = run_now(office.desk(), &who, &read.schedules["nightly"], id).await;
    assert!(again.unwrap().again);
    assert_eq!(office.desk().ledger.newest(10).await.unwrap().len(), 1);
    // One that is refused is in history too.
    office.write("nightly", "when: 0 2 * * *\nplaybook: nonesuch\n");
    let read = office.desk().schedules.now();
    let other = "other".parse().unwrap();
    let refused = run_now(office.desk(), &who, &read.schedules["nightly"], other).await;
    assert!(refused.is_err());
    let runs = office.runs("nightly").await;
    let refused = runs.iter().filter(|run| run.outcome == Outcome::Refused);
    assert_eq!(refused.count(), 1, "{runs:?}");
}

#[tokio::test]
async fn what_may_not_ask_at_night_is_stopped_with_its_question() {
    let office = Office::open().await;
    office.write("asks", NIGHTLY);
    office.write("quiet", &format!("{NIGHTLY}unattended: refuse\n"));
    office.look("2026-01-01T12:00:00Z").await;
    office.look("2026-01-02T02:00:01Z").await;
    let ledger = &office.desk().ledger;
    for name in ["asks", "quiet"] {
        let task = office.runs(name).await[0].task.unwrap();
        let open = ledger.find(TaskRef::Short(task)).await.unwrap();
        let asked = ledger.ask_person(open.task.id, "which of the two?", Timestamp::now());
        asked.await.unwrap();
    }
    office.look("2026-01-02T02:00:05Z").await;
    let state = async |name: &str| office.runs(name).await.remove(0);
    let waits = state("asks").await;
    assert!(
        matches!(waits.state, Some(TaskState::Waiting { .. })),
        "{waits:?}"
    );
    let stopped = state("quiet").await;
    assert_eq!(stopped.state, Some(TaskState::Cancelled), "{stopped:?}");
    let why = stopped.reason.unwrap();
    assert!(why.contains("it asked: which of the two?"), "{why}");
}
