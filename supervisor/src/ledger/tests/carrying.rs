//! A ledger carried from a file to a server and back: whole, or not at all.

use super::*;
use crate::ledger::carry::{CarryError, carry};
use crate::ledger::store::LedgerError;
use protocol::document::TaskPage;

/// A ledger in a file with some history, and an empty place on a server.
async fn stage() -> Option<(Room, Place)> {
    let server = on_server()?;
    let room = room().await;
    for number in 0..3 {
        let task = kept(&room.ledger).await;
        room.ledger.fold(&[claimed(&task, 1, 1)]).await.unwrap();
        let note = Progress::Note {
            text: format!("note {number}"),
        };
        room.ledger
            .fold(&[progress(&task, 2, 1, note)])
            .await
            .unwrap();
        let call = protocol::report::CallLine {
            phase: Phase::Execute,
            tool: "Bash".to_owned(),
            summary: "ls".to_owned(),
            took_ms: 3,
            is_error: number == 1,
        };
        let call = progress(&task, 3, 1, Progress::Call { line: call });
        room.ledger.fold(&[call]).await.unwrap();
        if number > 0 {
            let end = reported(&task, 4, 1, TaskState::Done);
            room.ledger.fold(&[end]).await.unwrap();
        }
    }
    kept(&room.ledger).await;
    Some((room, server))
}

async fn pages(ledger: &Ledger) -> Vec<TaskPage> {
    let mut pages = Vec::new();
    for line in ledger.newest(100).await.unwrap() {
        pages.push(ledger.page(TaskRef::Id(line.task_id)).await.unwrap());
    }
    pages
}

/// What a place holds, read as a supervisor would; that raises its epoch.
async fn held(place: &Place) -> Vec<TaskPage> {
    let ledger = Ledger::open(place).await.unwrap();
    let pages = pages(&ledger).await;
    ledger.close().await;
    pages
}

fn told<S: Future<Output = ()>>(story: impl FnOnce() -> S) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(story());
}

#[test]
fn everything_arrives_and_comes_back() {
    told(|| async {
        let Some((room, server)) = stage().await else {
            return;
        };
        let before = pages(&room.ledger).await;
        // An old file may hold what a server never takes.
        sqlx::query("UPDATE notes SET text = 'a' || char(0) || 'b' WHERE text = 'note 0'")
            .execute(&mut *room.ledger.writer_for_tests().await)
            .await
            .unwrap();
        let carried = carry(&room.place, &server).await.unwrap();
        let rows = |name: &str| {
            carried
                .iter()
                .find(|one| one.table == name)
                .map(|one| one.rows)
        };
        assert_eq!(
            (rows("tasks"), rows("notes"), rows("plans")),
            (Some(4), Some(3), None)
        );
        let mut expected = before.clone();
        expected[3].notes = vec!["a\u{2400}b".to_owned()];
        // What was told to followers is not part of a page; it came too.
        assert_eq!(held(&server).await, expected);
        let ledger = Ledger::open(&server).await.unwrap();
        let fifth = kept(&ledger).await;
        assert_eq!(
            fifth.short_id.to_string(),
            "t5",
            "numbers are never given again"
        );
        let told = ledger
            .events_after(before[3].document.task_id, 0)
            .await
            .unwrap();
        let here = room
            .ledger
            .events_after(before[3].document.task_id, 0)
            .await
            .unwrap();
        assert_eq!(told.events, here.events);
        let whole = pages(&ledger).await;
        ledger.close().await;
        let folder = tempfile::tempdir().unwrap();
        let file = Place::file(folder.path().join("back.db"));
        carry(&server, &file).await.unwrap();
        assert_eq!(held(&file).await, whole);
        // Whoever had the new one open before writes no more.
        let again = carry(&room.place, &server).await;
        assert!(
            matches!(again, Err(CarryError::Backwards { .. })),
            "{again:?}"
        );
        assert_eq!(held(&server).await, whole);
    });
}

#[test]
fn cut_off_anywhere_it_is_whole_or_not_there() {
    told(|| async {
        let Some((room, server)) = stage().await else {
            return;
        };
        let before = pages(&room.ledger).await;
        let mut steps = 0;
        for polls in (0..).step_by(7) {
            // So many turns, then it is dropped as by a kill.
            let mut carrying = Box::pin(carry(&room.place, &server));
            let mut left = polls;
            let ended = std::future::poll_fn(|context| {
                if left == 0 {
                    return std::task::Poll::Ready(None);
                }
                left -= 1;
                carrying.as_mut().poll(context).map(Some)
            });
            let ended = ended.await;
            drop(carrying);
            steps += 1;
            assert_eq!(pages(&room.ledger).await, before, "the old one stays");
            match ended {
                None => {
                    let there = held(&server).await;
                    assert!(there.is_empty() || there == before, "after {polls}");
                }
                Some(carried) => {
                    carried.unwrap();
                    break;
                }
            }
        }
        assert!(steps > 5, "it was cut off {steps} times");
        assert_eq!(held(&server).await, before);
    });
}

#[test]
fn what_does_not_arrive_is_not_kept() {
    told(|| async {
        let Some((room, server)) = stage().await else {
            return;
        };
        let there = Ledger::open(&server).await.unwrap();
        let trap = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER swallow BEFORE INSERT ON notes FOR EACH ROW WHEN (NEW.text = 'note 1') EXECUTE FUNCTION swallow()";
        sqlx::raw_sql(trap)
            .execute(&mut *there.writer_for_tests().await)
            .await
            .unwrap();
        let failed = carry(&room.place, &server).await;
        let lost = |error: &CarryError| matches!(error, CarryError::Differs { table, sent: 3, arrived: 2 } if table == "notes");
        assert!(failed.as_ref().is_err_and(lost), "{failed:?}");
        assert!(pages(&there).await.is_empty());
        sqlx::raw_sql("DROP TRIGGER swallow ON notes; ALTER TABLE notes ADD COLUMN more TEXT")
            .execute(&mut *there.writer_for_tests().await)
            .await
            .unwrap();
        let failed = carry(&room.place, &server).await;
        let other = |error: &CarryError| matches!(error, CarryError::OtherTables(table) if table == "notes");
        assert!(failed.as_ref().is_err_and(other), "{failed:?}");
        sqlx::raw_sql("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 2")
            .execute(&mut *there.writer_for_tests().await)
            .await
            .unwrap();
        let failed = carry(&room.place, &server).await;
        let newer = |error: &CarryError| {
            matches!(
                error,
                CarryError::Ledger(LedgerError::NewerTables { found: 9999, .. })
            )
        };
        assert!(failed.as_ref().is_err_and(newer), "{failed:?}");
    });
}
