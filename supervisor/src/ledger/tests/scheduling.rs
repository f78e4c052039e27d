//! Schedules and their runs: what was decided counts once, and history says what became of it.

use super::*;
use crate::ledger::schedule_runs::{Came, OwedRun};
use pai::schedule::decide::{Decision, LeftOut, Why};
use protocol::schedule::Outcome;

fn decision(settled: i64, start: Option<i64>, left_out: Option<(i64, usize)>) -> Decision {
    Decision {
        settled: at(settled),
        held: None,
        start: start.map(at),
        left_out: left_out.map(|(due, count)| LeftOut {
            due: at(due),
            count,
            why: Why::Missed,
        }),
        clock_was_wrong: false,
    }
}

fn owed_by_nobody() -> OwedRun {
    OwedRun {
        schedule: String::new(),
        due: at(0),
        asked_by: None,
        request_id: None,
        attempts: 0,
        again: None,
    }
}

#[test]
fn what_makes_no_task_is_begun_until_it_came_to_its_end() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let asked = OwedRun {
            schedule: "backup-code".to_owned(),
            due: at(30),
            asked_by: Some(Principal {
                uid: 7,
                name: "ada".to_owned(),
            }),
            request_id: Some("mine".to_owned()),
            ..owed_by_nobody()
        };
        assert!(ledger.owe_run(&asked).await.unwrap());
        let later = OwedRun {
            due: at(31),
            ..asked.clone()
        };
        assert!(!ledger.owe_run(&later).await.unwrap(), "the same request");
        let owed = async || ledger.owed_runs().await.unwrap();
        assert_eq!(owed().await, std::slice::from_ref(&asked));
        assert_eq!(ledger.attempt_run(&asked).await.unwrap(), 1);
        // Somebody else is at it: as if it had not been begun.
        ledger.put_off_run(&asked, at(50), false).await.unwrap();
        assert_eq!(
            (owed().await[0].attempts, owed().await[0].again),
            (0, Some(at(50)))
        );
        for attempt in 1..=2 {
            let now = owed().await.remove(0);
            assert_eq!(ledger.attempt_run(&now).await.unwrap(), attempt);
            ledger.put_off_run(&now, at(60), true).await.unwrap();
        }
        let done = ledger.settle_run(&asked, Came::Done("12 files"), at(70));
        done.await.unwrap();
        assert!(owed().await.is_empty());
        let runs = ledger.schedule_runs("backup-code", 10).await.unwrap();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].outcome, Outcome::Done);
        assert_eq!(runs[0].reason.as_deref(), Some("12 files"));
        assert_eq!(runs[0].asked_by.as_deref(), Some("ada"));
    });
}

#[test]
fn a_decision_counts_once() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        ledger.begin_schedule("a", "daily", at(0)).await.unwrap();
        let before = ledger.schedules().await.unwrap()["a"].standing;
        assert_eq!((before.settled, before.running), (at(0), false));
        let decided = decision(30, Some(30), Some((20, 2)));
        for fits in [true, false] {
            let kept = ledger.decide_schedule("a", &before, &decided, at(31));
            assert_eq!(kept.await.unwrap(), fits);
        }
        let owed = ledger.owed_runs().await.unwrap();
        let run = OwedRun {
            schedule: "a".to_owned(),
            due: at(30),
            ..owed_by_nobody()
        };
        assert_eq!(owed, std::slice::from_ref(&run));
        let known = ledger.schedules().await.unwrap();
        assert!(known["a"].standing.running, "an owed run is one");
        let task = kept(ledger).await;
        let came = Came::Task(task.id);
        ledger.settle_run(&run, came, at(32)).await.unwrap();
        // A late refusal changes nothing.
        let late = ledger.settle_run(&run, Came::Refused("x"), at(33));
        late.await.unwrap();
        assert!(ledger.owed_runs().await.unwrap().is_empty());
        assert!(ledger.schedules().await.unwrap()["a"].standing.running);
        let ended = ledger.end(task.id, TaskState::Cancelled, at(40));
        ended.await.unwrap();
        assert!(!ledger.schedules().await.unwrap()["a"].standing.running);
        let runs = ledger.schedule_runs("a", 10).await.unwrap();
        let shown: Vec<_> = runs
            .iter()
            .map(|run| (run.due, run.outcome, run.number))
            .collect();
        let expected = [(at(30), Outcome::Started, 1), (at(20), Outcome::Missed, 2)];
        assert_eq!(shown, expected);
        assert_eq!(runs[0].task, Some(task.short_id));
        assert_eq!(runs[0].state, Some(TaskState::Cancelled));
    });
}

#[test]
fn of_many_each_has_its_own_newest_run() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let names: Vec<String> = (0..1200).map(|n| format!("job-{n}")).collect();
        let all: Vec<_> = (names.iter())
            .map(|name| (name.as_str(), "daily".to_owned()))
            .collect();
        ledger.begin_schedules(&all, at(0)).await.unwrap();
        for (name, due) in [("job-3", 10), ("job-3", 30), ("job-3", 20), ("job-7", 5)] {
            let run = OwedRun {
                schedule: name.to_owned(),
                due: at(due),
                ..owed_by_nobody()
            };
            ledger.owe_run(&run).await.unwrap();
        }
        let known = ledger.schedules().await.unwrap();
        assert_eq!(known.len(), 1200);
        let newest = |name: &str| known[name].last.as_ref().map(|run| run.due);
        assert_eq!(newest("job-3"), Some(at(30)));
        assert_eq!(newest("job-7"), Some(at(5)));
        assert_eq!(newest("job-8"), None);
        let running = |name: &&String| known[*name].standing.running;
        let running: Vec<_> = names.iter().filter(running).collect();
        assert_eq!(running, ["job-3", "job-7"]);
        assert!(ledger.paused_schedules().await.unwrap().is_empty());
    });
}

#[test]
fn a_calendar_that_changes_and_a_pause_count_anew() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let settled = async || ledger.schedules().await.unwrap()["a"].standing.settled;
        ledger.begin_schedule("a", "daily", at(0)).await.unwrap();
        ledger.begin_schedule("a", "daily", at(50)).await.unwrap();
        assert_eq!(settled().await, at(0), "the same calendar changes nothing");
        ledger.begin_schedule("a", "hourly", at(60)).await.unwrap();
        assert_eq!(settled().await, at(60));
        assert!(
            ledger
                .pause_schedule("a", Some("ada"), at(70))
                .await
                .unwrap()
        );
        assert!(
            !ledger
                .pause_schedule("a", Some("bob"), at(80))
                .await
                .unwrap()
        );
        let paused = ledger.schedules().await.unwrap()["a"].paused.clone();
        assert_eq!(paused, Some((at(70), "ada".to_owned())));
        assert!(ledger.pause_schedule("a", None, at(90)).await.unwrap());
        assert_eq!(settled().await, at(90));
        assert!(!ledger.pause_schedule("a", None, at(95)).await.unwrap());
        ledger.end_schedule("a").await.unwrap();
        assert!(ledger.schedules().await.unwrap().is_empty());
    });
}

#[test]
fn a_ledger_out_of_a_backup_makes_up_for_nothing() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        ledger.begin_schedule("a", "daily", at(0)).await.unwrap();
        let before = ledger.schedules().await.unwrap()["a"].standing;
        let decided = decision(30, Some(30), None);
        let kept = ledger.decide_schedule("a", &before, &decided, at(31));
        assert!(kept.await.unwrap());
        for second in [500, 400] {
            let based = ledger.rebase_schedules("a backup", at(second));
            based.await.unwrap();
        }
        assert!(ledger.owed_runs().await.unwrap().is_empty());
        let known = ledger.schedules().await.unwrap();
        assert_eq!(known["a"].standing.settled, at(500));
        assert!(!known["a"].standing.running);
        let runs = ledger.schedule_runs("a", 10).await.unwrap();
        assert_eq!(runs[0].outcome, Outcome::Refused);
        assert_eq!(runs[0].reason.as_deref(), Some("a backup"));
    });
}

#[test]
fn old_runs_are_forgotten() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        ledger.begin_schedule("a", "daily", at(0)).await.unwrap();
        let day = 24 * 3600;
        for days in [0, 10, 401] {
            let before = ledger.schedules().await.unwrap()["a"].standing;
            let missed = decision(days * day + 1, None, Some((days * day, 1)));
            let kept = ledger.decide_schedule("a", &before, &missed, at(days * day));
            assert!(kept.await.unwrap());
        }
        let runs = ledger.schedule_runs("a", 10).await.unwrap();
        let due: Vec<_> = runs.iter().map(|run| run.due).collect();
        assert_eq!(due, [at(401 * day), at(10 * day)]);
    });
}
