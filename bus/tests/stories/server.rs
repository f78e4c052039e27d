//! A redis-server of a test's own, and the words the stories share.

use bus::claim::{Delivery, Inbox};
use bus::connect::{Bus, BusAddress};
use jiff::Timestamp;
use protocol::envelope::{Envelope, MessageType, micros};
use protocol::ids::{Role, TaskId, TeamName};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::task::Class;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The lease time of most stories.
pub const LEASE: Duration = Duration::from_millis(400);

/// A running server; ended when dropped.
pub struct Server {
    folder: tempfile::TempDir,
    child: Child,
    extra: Vec<String>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// Starts with more arguments, made from the server's folder.
    pub fn start_with(extra: impl FnOnce(&std::path::Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let extra = extra(folder.path());
        let child = spawn(folder.path(), &extra);
        let server = Self {
            folder,
            child,
            extra,
        };
        server.wait_until_ready();
        server
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// The folder of its append-only file.
    pub fn append_only(&self) -> PathBuf {
        self.folder.path().join("appendonlydir")
    }

    pub fn address(&self) -> BusAddress {
        BusAddress {
            url: format!("redis+unix://{}", self.socket().display()),
            username: None,
            password: None,
            ca: None,
        }
    }

    pub fn address_of(&self, user: &str, password: &str) -> BusAddress {
        BusAddress {
            username: Some(user.to_owned()),
            password: Some(password.to_owned()),
            ..self.address()
        }
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same data.
    pub fn start_again(&mut self) {
        self.child = spawn(self.folder.path(), &self.extra);
        self.wait_until_ready();
    }

    /// Freezes or thaws it.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Redis can write no file beyond this size from now on, as on a disk that is full.
    pub fn largest_file(&self, bytes: &str) {
        let set = Command::new("prlimit")
            .arg(format!("--pid={}", self.child.id()))
            .arg(format!("--fsize={bytes}:unlimited"))
            .status()
            .expect("prlimit is installed: apt install util-linux");
        assert!(set.success());
    }

    /// A connection beside the bus, to look and to tamper.
    pub fn raw(&self) -> redis::Connection {
        let client = redis::Client::open(self.address().url).unwrap();
        client.get_connection().unwrap()
    }

    pub async fn bus(&self) -> Bus {
        self.bus_with(LEASE).await
    }

    pub async fn bus_with(&self, lease: Duration) -> Bus {
        Bus::connect(&self.address(), &team(), lease).await.unwrap()
    }

    fn wait_until_ready(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let client = redis::Client::open(self.address().url).unwrap();
            let answer = client
                .get_connection()
                .and_then(|mut c| redis::cmd("PING").query::<String>(&mut c));
            match answer {
                Ok(_) => return,
                // It runs, but the default user is off.
                Err(e) if e.to_string().contains("NOAUTH") => return,
                Err(e) => assert!(Instant::now() < end, "redis-server did not start: {e}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &std::path::Path, extra: &[String]) -> Child {
    // A write beyond the largest file is an error and no signal, as on a full disk.
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec redis-server \"$@\"", "redis"])
        .args(["--port", "0", "--unixsocket", "redis.sock"])
        .args([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ])
        .args(extra)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed: apt install redis-server")
}

pub fn team() -> TeamName {
    "main".parse().unwrap()
}

pub fn role(name: &str) -> Role {
    name.parse().unwrap()
}

/// A new work message.
pub fn work() -> Envelope {
    let mut envelope = Envelope::new(&team(), MessageType::Task, "supervisor", "code");
    envelope.payload.task_id = Some(TaskId::new());
    envelope.payload.action = "run".to_owned();
    envelope
}

/// Queues a new task for `code` on any host.
pub async fn submit(bus: &Bus) -> TaskId {
    submit_as(bus, Class::Normal).await
}

pub async fn submit_as(bus: &Bus, class: Class) -> TaskId {
    let envelope = work();
    bus.submit(&envelope, &role("code"), None, class)
        .await
        .unwrap();
    envelope.payload.task_id.unwrap()
}

pub async fn inbox(bus: &Bus, instance: &str) -> Inbox {
    Inbox::open(bus, &role("code"), "here", instance)
        .await
        .unwrap()
}

/// Rounds until something is delivered, at most `limit`.
pub async fn delivered(inbox: &mut Inbox, limit: Duration) -> Delivery {
    let end = Instant::now() + limit;
    loop {
        match inbox.next().await {
            Ok(Some(delivery)) => return delivery,
            other => assert!(Instant::now() < end, "nothing was delivered: {other:?}"),
        }
    }
}

pub async fn next(inbox: &mut Inbox) -> Delivery {
    delivered(inbox, Duration::from_secs(10)).await
}

/// A message about a held task.
pub fn word(delivery: &Delivery, kind: MessageType) -> Envelope {
    let mut envelope = Envelope::new(&team(), kind, "code", "supervisor");
    envelope.payload.task_id = Some(delivery.lease.task);
    envelope.epoch = Some(delivery.lease.epoch);
    envelope
}

pub fn step(delivery: &Delivery, name: &str) -> JournalEntry {
    JournalEntry {
        v: JOURNAL_VERSION,
        epoch: delivery.lease.epoch,
        at: micros(Timestamp::now()),
        step: name.to_owned(),
        kind: EntryKind::Phase,
        body: serde_json::json!({ "n": 1 }),
    }
}

/// Ends the rest of a task after a crash, as if its time had passed.
pub fn rested(raw: &mut redis::Connection, task: TaskId) {
    let _: i64 = redis::cmd("ZADD")
        .arg("{main}:back:code:any")
        .arg("XX")
        .arg(1)
        .arg(task.to_string())
        .query(raw)
        .unwrap();
}

/// Makes a lease run out now, as if its time had passed.
pub fn expire(raw: &mut redis::Connection, task: TaskId) {
    let _: i64 = redis::cmd("ZADD")
        .arg("{main}:lease:code:any")
        .arg("XX")
        .arg(1)
        .arg(task.to_string())
        .query(raw)
        .unwrap();
}
