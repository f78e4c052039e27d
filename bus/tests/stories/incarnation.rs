//! Redis comes back as something else than it was: put back to an older state, empty, another
//! home's. No agent is let in before the supervisor has compared it with the ledger.

use crate::server::*;
use bus::connect::Bus;
use bus::error::BusError;
use bus::incarnation::{Arrival, Mark, Verdict};
use bus::outflow::{OutMessage, Outflow};
use protocol::envelope::MessageType;
use std::path::Path;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const HOME: &str = "home-1";

async fn join(server: &Server, arrival: Arrival) -> Result<Bus, BusError> {
    Bus::join(&server.address(), &team(), LONG, arrival).await
}

async fn leader(server: &Server) -> Bus {
    join(server, Arrival::Leader(HOME.to_owned()))
        .await
        .unwrap()
}

async fn worker(server: &Server) -> Result<Bus, BusError> {
    join(server, Arrival::Worker(HOME.to_owned())).await
}

async fn founded() -> Server {
    let server = Server::start();
    let bus = leader(&server).await;
    assert_eq!(bus.compare(HOME, false, &[]).await.unwrap(), Verdict::New);
    bus.found(HOME).await.unwrap();
    server
}

/// An agent holds a task and says something; the supervisor folds it.
async fn folded(bus: &Bus) -> (Vec<OutMessage>, Mark) {
    let mut inbox = inbox(bus, "code-1").await;
    submit(bus).await;
    let delivery = next(&mut inbox).await;
    bus.progress(&delivery.lease, &word(&delivery, MessageType::Progress))
        .await
        .unwrap();
    let mut outflow = Outflow::open(bus).await.unwrap();
    let mut messages = Vec::new();
    while messages.is_empty() {
        messages = outflow.next().await.unwrap();
    }
    outflow.done(&messages).await.unwrap();
    let mark = Mark {
        role: role("code"),
        entry: messages.last().unwrap().id.clone(),
    };
    (messages, mark)
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn agents_wait_outside_until_the_supervisor_has_compared() {
    let server = Server::start();
    let error = worker(&server).await.unwrap_err();
    assert!(matches!(error, BusError::Unsettled(_)), "{error}");
    let mut server = {
        let bus = leader(&server).await;
        bus.found(HOME).await.unwrap();
        server
    };
    let agent = worker(&server).await.unwrap();
    let mut inbox = inbox(&agent, "code-1").await;
    submit(&leader(&server).await).await;
    server.kill();
    server.start_again();
    let claim = inbox.try_next().await;
    assert!(
        claim.is_err_and(|e| e.is_unreachable()),
        "claimed too early"
    );
    let bus = leader(&server).await;
    assert_eq!(bus.compare(HOME, true, &[]).await.unwrap(), Verdict::Same);
    assert!(inbox.try_next().await.unwrap().is_some());
}

#[tokio::test]
async fn a_redis_put_back_is_seen_and_nothing_is_begun() {
    let mut server = founded().await;
    let bus = leader(&server).await;
    let (_, early) = folded(&bus).await;
    let (data, kept) = (server.append_only(), tempfile::tempdir().unwrap());
    copy(&data, kept.path());
    let (_, late) = folded(&bus).await;
    assert_ne!(early, late);
    let marks = [late.clone()];
    assert_eq!(
        bus.compare(HOME, true, &marks).await.unwrap(),
        Verdict::Same
    );

    server.kill();
    copy(kept.path(), &data);
    server.start_again();
    let bus = leader(&server).await;
    let verdict = bus.compare(HOME, true, &marks).await.unwrap();
    let expected = Verdict::Older {
        role: "code".to_owned(),
        last: early.entry.clone(),
    };
    assert_eq!(verdict, expected);
    let error = worker(&server).await.unwrap_err();
    assert!(matches!(error, BusError::Unsettled(_)), "{error}");

    // A person takes it as it is: what was open there is taken out, and agents are let in.
    let open = bus.open_tasks().await.unwrap();
    assert_eq!(open.len(), 1, "the task that was held in that state");
    bus.expel(open[0]).await.unwrap();
    assert!(!bus.known(open[0]).await.unwrap());
    assert_eq!(bus.open_tasks().await.unwrap(), []);
    bus.found(HOME).await.unwrap();
    let agent = worker(&server).await.unwrap();
    assert!(
        inbox(&agent, "code-1")
            .await
            .try_next()
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(bus.compare(HOME, true, &[]).await.unwrap(), Verdict::Same);
}

#[tokio::test]
async fn a_ledger_put_back_is_seen_too() {
    let server = founded().await;
    let bus = leader(&server).await;
    let lost = bus.compare(HOME, false, &[]).await.unwrap();
    let unknown = Verdict::Newer {
        role: String::new(),
        deleted: String::new(),
    };
    assert_eq!(lost, unknown, "the whole ledger is gone");
    let (_, early) = folded(&bus).await;
    let (_, late) = folded(&bus).await;
    let verdict = bus
        .compare(HOME, true, std::slice::from_ref(&early))
        .await
        .unwrap();
    let expected = Verdict::Newer {
        role: "code".to_owned(),
        deleted: late.entry.clone(),
    };
    assert_eq!(verdict, expected);

    // What nobody could read left the stream without ever being folded, and is no sign of that.
    let _: String = redis::cmd("XADD")
        .arg("{main}:out:code")
        .arg(&["*", "e", "no envelope"])
        .query(&mut server.raw())
        .unwrap();
    let mut outflow = Outflow::open(&bus).await.unwrap();
    while bus.dead_count().await.unwrap() == 0 {
        outflow.next().await.unwrap();
    }
    assert_eq!(
        bus.compare(HOME, true, &[late]).await.unwrap(),
        Verdict::Same
    );
}

#[tokio::test]
async fn a_redis_that_forgot_everything_is_new() {
    let server = founded().await;
    let bus = leader(&server).await;
    let (_, mark) = folded(&bus).await;
    let _: String = redis::cmd("FLUSHALL").query(&mut server.raw()).unwrap();
    assert_eq!(
        bus.compare(HOME, true, &[mark]).await.unwrap(),
        Verdict::New
    );
}

#[tokio::test]
async fn two_homes_never_share_a_team() {
    let server = founded().await;
    for arrival in [
        Arrival::Worker("home-2".to_owned()),
        Arrival::Leader("home-2".to_owned()),
    ] {
        let error = join(&server, arrival).await.unwrap_err();
        assert!(matches!(error, BusError::Unsettled(_)), "{error}");
        assert!(
            error.to_string().contains("team `main` of another home"),
            "{error}"
        );
        assert_eq!(error.exit_code(), 5);
    }
}
