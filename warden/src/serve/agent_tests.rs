//! What an agent that was taken over may try on its own connections, over the warden's real socket.

#![allow(clippy::unwrap_used)]
use super::tests::{client, wanted, with_warden};
use super::*;
use crate::blocking::connect_for;
use crate::client::Client;
use crate::wire::OfTask;
use protocol::level::Level;
use std::os::unix::net::UnixStream as StdStream;

fn of_task(id: &str) -> OfTask {
    OfTask {
        id: id.to_owned(),
        short: "t1".to_owned(),
        level: Level::Elevated,
    }
}

/// A connection as a launcher makes it. The warden is on this thread.
async fn dialled(home: &Home, role: &'static str, task: OfTask) -> io::Result<StdStream> {
    let home = home.clone();
    let dial = move || connect_for(&home, role, Some(task));
    tokio::task::spawn_blocking(dial).await.unwrap()
}

/// An agent on such a connection.
fn agent(home: &Home, stream: StdStream) -> Client {
    let stream = std::sync::Mutex::new(Some(stream));
    Client::through(home, Duration::ZERO, move || {
        let stream = stream.lock().unwrap().take();
        stream.ok_or_else(|| io::Error::other("a second connection"))
    })
}

#[tokio::test]
async fn one_agent_does_not_take_the_wardens_connections() {
    with_warden(|home| async move {
        client(&home).head().await.unwrap();
        let mut held = Vec::new();
        for _ in 0..LIMITS.of_task {
            held.push(dialled(&home, "infra", of_task("01")).await.unwrap());
        }
        let said = dialled(&home, "infra", of_task("01")).await.unwrap_err();
        let words = "8 connections for this task of the agent infra to the warden already";
        assert!(said.to_string().contains(words), "{said}");
        // One that was refused speaks as nobody else: it is closed.
        let refused = UnixStream::connect(home.warden_sock()).await.unwrap();
        let mut refused = BufReader::new(refused);
        let ask = serde_json::json!({"v": 1, "ask": "for", "role": "infra", "task": of_task("01")});
        let line = format!("{ask}\n");
        refused.get_mut().write_all(line.as_bytes()).await.unwrap();
        let mut all = String::new();
        refused.read_to_string(&mut all).await.unwrap();
        assert!(all.contains("refused"), "{all}");
        // Others find room, and so does it once one is free.
        client(&home).freeze(true).await.unwrap();
        let other = dialled(&home, "infra", of_task("02")).await.unwrap();
        agent(&home, other).head().await.unwrap();
        held.pop();
        while dialled(&home, "infra", of_task("01")).await.is_err() {}
    })
    .await;
}
