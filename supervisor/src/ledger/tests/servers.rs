//! What only a server can do to a ledger: another home's tables, sessions that are ended, an older state, a
//! database that cannot hold one.

use super::*;
use crate::ledger::inspect::{Seen, inspect};
use crate::ledger::server::FRESH;
use crate::ledger::store::LedgerError;
use config::secret::Secret;
use sqlx::AnyPool;
use tests::postgres::{self, PASSWORD};

/// A database of its own, and a place in it for each home and user.
struct Stage(Database);

impl Stage {
    fn new() -> Option<Self> {
        postgres::database().map(Self)
    }

    fn server(&self, url: &str, password: Option<&str>) -> Server {
        let (address, _) = Address::parse(url).unwrap();
        Server {
            address,
            password: password.map(Secret::new),
            team: "main".parse().unwrap(),
            home: "first".to_owned(),
        }
    }

    fn place(&self) -> Place {
        self.of_home("first")
    }

    fn of_home(&self, home: &str) -> Place {
        let server = self.server(&self.0.socket_url("postgres"), None);
        Place::Server(Box::new(Server {
            home: home.to_owned(),
            ..server
        }))
    }

    /// Ends every session but the one that says so, and waits until they are gone: one that is only told to
    /// end may still take a first word, and leave the next without an answer. Before, whatever of the ledger's
    /// is on its way back is awaited, and after, until nothing counts as used a moment ago: such a connection
    /// is not asked whether it lives.
    async fn end_sessions(&self, back: &[&AnyPool]) {
        let name = &self.0.name;
        for pool in back {
            while pool.num_idle() < pool.size() as usize {
                tokio::time::sleep(FRESH).await;
            }
        }
        self.0.cluster().sql(&format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
             WHERE datname = '{name}' AND pid <> pg_backend_pid()",
        ));
        tokio::time::sleep(FRESH * 2).await;
    }
}

/// Where PostgreSQL is not installed that was said, and there is nothing to tell.
fn told(story: impl AsyncFn(&Stage)) {
    let Some(stage) = Stage::new() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(story(&stage));
}

#[test]
fn a_ledger_is_one_homes_until_another_takes_it() {
    told(async |stage| {
        let ledger = Ledger::open(&stage.place()).await.unwrap();
        kept(&ledger).await;
        let other = Ledger::open(&stage.of_home("second")).await;
        assert!(
            matches!(other, Err(LedgerError::OtherHome { .. })),
            "{other:?}"
        );
        let seen = inspect(&stage.of_home("second")).await;
        assert!(
            matches!(&seen, Seen::Unreadable(why) if why.contains("another home")),
            "{seen:?}"
        );
        kept(&ledger).await;
        // Another team has its own beside it.
        let Place::Server(server) = stage.of_home("second") else {
            panic!("a server")
        };
        let team = "other".parse().unwrap();
        let beside = Place::Server(Box::new(Server {
            team,
            ..*server.clone()
        }));
        let beside = Ledger::open(&beside).await.unwrap();
        assert!(beside.newest(9).await.unwrap().is_empty());
        server.take(&stage.of_home("second")).await.unwrap();
        let taken = Ledger::open(&stage.of_home("second")).await.unwrap();
        assert_eq!(taken.newest(9).await.unwrap().len(), 2);
        let late = ledger.keep(&new_task("late", "a"), 10).await;
        assert!(matches!(late, Err(LedgerError::Superseded)), "{late:?}");
        let old = Ledger::open(&stage.place()).await;
        assert!(matches!(old, Err(LedgerError::OtherHome { .. })), "{old:?}");
    });
}

#[test]
fn sessions_that_are_ended_lose_nothing_and_leave_nothing_half() {
    told(async |stage| {
        let ledger = Ledger::open(&stage.place()).await.unwrap();
        let task = kept(&ledger).await;
        stage.end_sessions(&[&ledger.writer, &ledger.reader]).await;
        // Between two writes: nobody notices.
        assert_eq!(state(&ledger, &task).await, TaskState::Queued);
        ledger.fold(&[claimed(&task, 1, 1)]).await.unwrap();
        // In the middle of one: nothing of it is there.
        let mut half = ledger.write().await.unwrap();
        sqlx::query("UPDATE tasks SET state = 'done' WHERE id = $1")
            .bind(task.id.to_string())
            .execute(&mut *half)
            .await
            .unwrap();
        stage.end_sessions(&[&ledger.reader]).await;
        let failed = half.commit().await;
        assert!(matches!(failed, Err(LedgerError::Away(_))), "{failed:?}");
        let phase = Phase::Observe;
        assert_eq!(state(&ledger, &task).await, TaskState::Running { phase });
        // Away, and back.
        let name = &stage.0.name;
        let cluster = stage.0.cluster();
        cluster.sql(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
        stage.end_sessions(&[&ledger.reader]).await;
        let refused = ledger.keep(&new_task("away", "a"), 10).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, LedgerError::Away(_)), "{error:?}");
        assert_eq!(error.exit_code(), protocol::exit::SERVICE);
        cluster.sql(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
        kept(&ledger).await;
    });
}

#[test]
fn a_commit_is_on_the_disk_whatever_the_server_says() {
    told(async |stage| {
        assert_eq!(stage.0.sql("SHOW synchronous_commit"), "off");
        let ledger = Ledger::open(&stage.place()).await.unwrap();
        let said: String = sqlx::query_scalar("SELECT current_setting('synchronous_commit')")
            .fetch_one(&mut *ledger.writer_for_tests().await)
            .await
            .unwrap();
        assert_eq!(said, "on");
        let seen = inspect(&stage.place()).await;
        let weak = |why: &str| why.contains("fsync") && why.contains("full_page_writes");
        assert!(matches!(&seen, Seen::Weak(_, why) if weak(why)), "{seen:?}");
    });
}

#[test]
fn what_cannot_be_a_ledger_says_why() {
    told(async |stage| {
        let open = async |server: Server| {
            let opened = Ledger::open(&Place::Server(Box::new(server))).await;
            let error = opened.unwrap_err();
            assert_eq!(error.exit_code(), protocol::exit::SERVICE);
            error.to_string()
        };
        let url = stage.0.url("writer");
        let wrong = stage.server(&url, Some("wrong-hunter2"));
        let nowhere = stage.server("postgres://a@127.0.0.1:1/b", None);
        let strict = format!("{url}?sslmode=verify-full");
        for (server, words) in [
            (wrong, "the password is wrong"),
            (stage.server(&url, None), "wants a password"),
            (
                stage.server(&format!("{url}_gone"), Some(PASSWORD)),
                "createdb",
            ),
            (
                stage.server(&strict, Some(PASSWORD)),
                "no protected connection",
            ),
            (
                stage.server("postgres://a@/b?host=/nowhere", None),
                "cannot be reached",
            ),
            (nowhere, "does not answer"),
        ] {
            let said = open(server).await;
            assert!(said.contains(words), "{words}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        let authority = stage.0.cluster().authority();
        let vouched = format!("{strict}&sslrootcert={}", authority.display());
        let vouched = stage.server(&vouched, Some(PASSWORD));
        Ledger::open(&Place::Server(Box::new(vouched)))
            .await
            .unwrap();
        let name = &stage.0.name;
        stage.0.sql(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on"
        ));
        let socket = stage.0.socket_url("postgres");
        let said = open(stage.server(&socket, None)).await;
        assert!(said.contains("takes no writes"), "{said}");
        let old = format!("{name}_ascii");
        stage.0.cluster().sql(&format!(
            "CREATE DATABASE {old} ENCODING 'SQL_ASCII' TEMPLATE template0"
        ));
        let said = open(stage.server(&socket.replace(name, &old), None)).await;
        assert!(said.contains("UTF8"), "{said}");
    });
}

/// In a file too: it can be put in the place of the one that is open.
#[test]
fn one_that_goes_back_under_us_is_noticed() {
    run(async || {
        let room = room().await;
        let set = async |key: &'static str, by: i64| {
            sqlx::query("UPDATE meta SET value = value + $2 WHERE key = $1")
                .bind(key)
                .bind(by)
                .execute(&mut *room.ledger.writer_for_tests().await)
                .await
                .unwrap();
        };
        kept(&room.ledger).await;
        kept(&room.ledger).await;
        set("writes", -1).await;
        let back = room.ledger.keep(&new_task("x", "a"), 10).await;
        assert!(matches!(back, Err(LedgerError::PutBack)), "{back:?}");
        set("writes", 1).await;
        kept(&room.ledger).await;
        set("epoch", -1).await;
        let back = room.ledger.keep(&new_task("x", "a"), 10).await;
        assert!(matches!(back, Err(LedgerError::PutBack)), "{back:?}");
        set("epoch", 2).await;
        let newer = room.ledger.keep(&new_task("x", "a"), 10).await;
        assert!(matches!(newer, Err(LedgerError::Superseded)), "{newer:?}");
        assert_eq!(room.ledger.newest(9).await.unwrap().len(), 3);
    });
}

#[test]
fn odd_texts_are_kept_everywhere() {
    run(async || {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let odd = format!("a\0b {}", "long ".repeat(2000));
        let mut end = report(
            &task,
            TaskState::Failed {
                reason: odd.clone(),
            },
        );
        end.criteria[0].id = odd.clone();
        end.criteria[0].text = odd.clone();
        for seen in &mut end.evidence {
            seen.criterion = odd.clone();
            seen.observed = odd.clone();
            seen.tree = Some(odd.clone());
        }
        end.result = odd.clone();
        end.question = Some(odd.clone());
        end.learned = vec![odd.clone()];
        let said = [
            claimed(&task, 1, 1),
            progress(&task, 2, 1, Progress::Note { text: odd.clone() }),
            says(&task, 3, 1, News::Report(Box::new(end))),
        ];
        room.ledger.fold(&said).await.unwrap();
        let by = Principal {
            uid: 1,
            name: "ada".to_owned(),
        };
        room.ledger
            .rate(task.id, 3, Some(&odd), &by, at(9))
            .await
            .unwrap();
        let page = room.ledger.page(TaskRef::Id(task.id)).await.unwrap();
        assert!(
            page.notes[0].starts_with("a\u{2400}b long"),
            "{:?}",
            page.notes
        );
        assert_eq!(page.document.criteria[0].passed, Some(true));
        assert!(page.document.result.starts_with("a\u{2400}b"));
    });
}
