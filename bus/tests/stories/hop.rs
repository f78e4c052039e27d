//! The hop from submit to an agent that waits: its claim lies behind its read in Redis already. An
//! agent that is gone claims nothing, and an answer that gets lost on the way loses nothing.

use crate::server::*;
use bus::connect::{Bus, BusAddress};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const LONG: Duration = Duration::from_secs(30);

/// What a line to Redis does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    Carries,
    /// What Redis says does not come through.
    Swallows,
    /// Every connection is cut.
    Cut,
}

/// A line between an agent and the server that can be disturbed.
struct Between {
    folder: tempfile::TempDir,
    line: watch::Sender<Line>,
}

impl Between {
    fn lay(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("line.sock")).unwrap();
        let (line, seen) = watch::channel(Line::Carries);
        let to: PathBuf = server.socket();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&to).await.unwrap();
                tokio::spawn(carry(near, far, seen.clone()));
            }
        });
        Self { folder, line }
    }

    async fn bus(&self) -> Bus {
        let address = BusAddress {
            url: format!("redis+unix://{}/line.sock", self.folder.path().display()),
            username: None,
            password: None,
            ca: None,
        };
        Bus::connect(&address, &team(), LONG).await.unwrap()
    }
}

async fn carry(mut near: UnixStream, mut far: UnixStream, mut line: watch::Receiver<Line>) {
    if *line.borrow_and_update() == Line::Cut {
        return;
    }
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            read = near.read(&mut up) => match read {
                Ok(n) if n > 0 => far.write_all(&up[..n]).await.unwrap(),
                _ => return,
            },
            read = far.read(&mut down) => match read {
                Ok(n) if n > 0 => if *line.borrow() == Line::Carries {
                    let _ = near.write_all(&down[..n]).await;
                },
                _ => return,
            },
            changed = line.changed() => {
                if changed.is_err() || *line.borrow_and_update() == Line::Cut {
                    return;
                }
            }
        }
    }
}

/// Lets a task go idle in `next`, with its claim behind the read.
async fn waits(inbox: &mut bus::claim::Inbox, server: &Server) {
    assert!(inbox.try_next().await.unwrap().is_none());
    let begun = tokio::time::timeout(Duration::from_millis(100), inbox.next()).await;
    assert!(begun.is_err(), "it waits");
    assert!(blocked(server) > 0);
}

fn blocked(server: &Server) -> u64 {
    let info: String = redis::cmd("INFO")
        .arg("clients")
        .query(&mut server.raw())
        .unwrap();
    let line = info
        .lines()
        .find_map(|l| l.strip_prefix("blocked_clients:"));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_task_is_held_by_the_one_who_waits_before_its_submit_is_answered() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let agent = server.bus_with(LONG).await;
    let mut inbox = inbox(&agent, "code-1").await;
    // Once before, so that Redis has the scripts.
    submit(&bus).await;
    next(&mut inbox).await;
    waits(&mut inbox, &server).await;
    let task = submit(&bus).await;
    let state: String = redis::cmd("HGET")
        .arg(format!("{{main}}:task:code:{task}"))
        .arg("state")
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(state, "held");
    let delivery = next(&mut inbox).await;
    assert_eq!((delivery.lease.task, delivery.attempt), (task, 1));
}

#[tokio::test]
async fn a_waiting_agent_whose_answer_is_lost_gets_the_same_claim_again() {
    let server = Server::start();
    let (bus, between) = (server.bus_with(LONG).await, Between::lay(&server));
    let mut inbox = inbox(&between.bus().await, "code-1").await;
    submit(&bus).await;
    next(&mut inbox).await;
    waits(&mut inbox, &server).await;
    between.line.send(Line::Swallows).unwrap();
    let task = submit(&bus).await;
    let waiting = bus.queue_lengths().await.unwrap();
    assert!(
        waiting.iter().all(|row| row.2 == 0),
        "it is held: {waiting:?}"
    );
    between.line.send(Line::Cut).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    between.line.send(Line::Carries).unwrap();
    let delivery = next(&mut inbox).await;
    assert_eq!((delivery.lease.task, delivery.attempt), (task, 1));
}

#[tokio::test]
async fn an_agent_that_died_while_it_waited_is_handed_nothing() {
    let server = Server::start();
    let (bus, between) = (server.bus_with(LONG).await, Between::lay(&server));
    let mut first = inbox(&between.bus().await, "code-1").await;
    submit(&bus).await;
    next(&mut first).await;
    waits(&mut first, &server).await;
    between.line.send(Line::Cut).unwrap();
    let end = Instant::now() + Duration::from_millis(900);
    while blocked(&server) > 0 {
        assert!(Instant::now() < end, "redis does not see that it is gone");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let task = submit(&bus).await;
    let taken = next(&mut inbox(&bus, "code-2").await).await;
    assert_eq!((taken.lease.task, taken.attempt), (task, 1));
}
