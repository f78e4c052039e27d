//! Records that their role's own user of Redis wrote over: what the supervisor does with them reaches nothing but the
//! task's own lanes, and what the bus wrote itself is done as it says.

use crate::access::{guarded, login, raw};
use crate::server::*;
use bus::acl;
use bus::brakes::Paused;
use bus::cancel::CancelOutcome;
use bus::claim::{Delivery, Inbox};
use bus::connect::Bus;
use bus::park::Resumed;
use jiff::{SignedDuration, Timestamp};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::TaskId;
use protocol::task::Class;
use std::collections::BTreeMap;

/// What no `code` may write to, or only in its own name.
const ELSEWHERE: [&str; 5] = [
    "{main}:orders:web2",
    "{main}:out:qa",
    "{main}:q:qa:any:normal",
    "{main}:journal:qa:x",
    "{main}:ask:supervisor:qa",
];
/// In the entries that others wrote.
const SECRET: &str = "what others say";

struct Stage {
    server: Server,
    supervisor: Bus,
    inbox: Inbox,
    /// As whoever took over the agent of `code`.
    taken_over: redis::Connection,
    /// Streams of others and the one entry of each.
    others: BTreeMap<&'static str, String>,
}

impl Stage {
    async fn start() -> Self {
        let server = guarded();
        let supervisor = login(&server, acl::SUPERVISOR, "s").await;
        let code = login(&server, &acl::agent_user(&role("code")), "c").await;
        let mut raw_supervisor = raw(&server, acl::SUPERVISOR, "s");
        let mut put = |stream: &str| -> String {
            let mut put = redis::cmd("XADD");
            put.arg(stream).arg(&["*", "t", "x", "e", SECRET]);
            put.query(&mut raw_supervisor).unwrap()
        };
        Self {
            others: ELSEWHERE.map(|stream| (stream, put(stream))).into(),
            inbox: inbox(&code, "code-1").await,
            taken_over: raw(&server, "agent-code", "c"),
            supervisor,
            server,
        }
    }

    /// The agent's own user writes fields of a task's record.
    fn write_over(&mut self, task: TaskId, fields: &[(&str, &str)]) {
        let mut write = redis::cmd("HSET");
        write.arg(format!("{{main}}:task:code:{task}"));
        for (name, value) in fields {
            write.arg(name).arg(value);
        }
        write.query::<i64>(&mut self.taken_over).unwrap();
    }

    fn field(&mut self, task: TaskId, name: &str) -> Option<String> {
        let mut read = redis::cmd("HGET");
        read.arg(format!("{{main}}:task:code:{task}")).arg(name);
        read.query(&mut self.taken_over).unwrap()
    }

    /// Every stream of others holds what it held.
    fn others_are_as_they_were(&self, what: &str) {
        let mut raw = raw(&self.server, acl::SUPERVISOR, "s");
        for (stream, id) in &self.others {
            let mut read = redis::cmd("XRANGE");
            read.arg(stream).arg("-").arg("+");
            let rows: Vec<(String, Vec<String>)> = read.query(&mut raw).unwrap();
            let fields = ["t", "x", "e", SECRET].map(str::to_owned).to_vec();
            assert_eq!(rows, [(id.clone(), fields)], "{what}: {stream}");
        }
    }

    fn length(&self, stream: &str) -> u64 {
        let mut raw = raw(&self.server, acl::SUPERVISOR, "s");
        redis::cmd("XLEN").arg(stream).query(&mut raw).unwrap()
    }

    /// A task that the agent holds and parks.
    async fn parked(&mut self) -> Delivery {
        submit(&self.supervisor).await;
        let held = next(&mut self.inbox).await;
        let bus = login(&self.server, &acl::agent_user(&role("code")), "c").await;
        let report = word(&held, MessageType::Result);
        bus.park(&held.lease, &report).await.unwrap();
        held
    }

    async fn resume(&self, of: &Delivery) -> Resumed {
        let way = (&role("code"), None);
        let (task, epoch) = (of.lease.task, of.lease.epoch);
        let resumed = self
            .supervisor
            .resume(task, epoch, way, None, &of.envelope)
            .await;
        resumed.unwrap()
    }

    /// The places a record may name, each with the id of an entry that lies there and is not the task's.
    async fn lies(&mut self) -> Vec<(String, String)> {
        let other = submit(&self.supervisor).await;
        let entry = self.field(other, "entry").unwrap();
        let own = "{main}:q:code:any:normal";
        let others = self.others.iter();
        let mut lies: Vec<(String, String)> = others
            .map(|(stream, id)| ((*stream).to_owned(), id.clone()))
            .collect();
        // One of its own lanes, where another task of the role lies, and what is no entry at all.
        for entry in [entry.as_str(), "-", "+", "0", "no id", ""] {
            lies.push((own.to_owned(), entry.to_owned()));
        }
        lies.push((String::new(), entry));
        lies
    }
}

#[tokio::test]
async fn resuming_writes_to_the_tasks_own_queue_whatever_its_record_says() {
    let mut stage = Stage::start().await;
    for stream in ELSEWHERE {
        let held = stage.parked().await;
        let task = held.lease.task;
        let forged = [("stream", stream), ("body", "forged"), ("lane", "qa:any")];
        stage.write_over(task, &forged);
        assert_eq!(stage.resume(&held).await, Resumed::Queued, "{stream}");
        stage.others_are_as_they_were(stream);
        assert_eq!(stage.field(task, "body"), None);
        // It goes on with the work message of the ledger.
        let again = next(&mut stage.inbox).await;
        assert_eq!(again.envelope, held.envelope);
        assert_eq!(again.attempt, 2);
    }
}

#[tokio::test]
async fn a_task_is_resumed_with_its_role_alone() {
    let mut stage = Stage::start().await;
    let held = stage.parked().await;
    let (task, epoch) = (held.lease.task, held.lease.epoch);
    let way = (&role("qa"), None);
    let resumed = stage
        .supervisor
        .resume(task, epoch, way, None, &held.envelope)
        .await;
    assert_eq!(resumed, Ok(Resumed::Unknown));
    stage.others_are_as_they_were("another role");
    assert_eq!(stage.resume(&held).await, Resumed::Queued);
}

#[tokio::test]
async fn cancelling_and_expelling_take_out_no_entry_but_the_tasks_own() {
    let mut stage = Stage::start().await;
    let lies = stage.lies().await;
    let own = "{main}:q:code:any:normal";
    for (stream, entry) in lies {
        for state in ["queued", "back"] {
            let [cancelled, expelled] = [
                submit(&stage.supervisor).await,
                submit(&stage.supervisor).await,
            ];
            let before = stage.length(own);
            let forged = [
                ("state", state),
                ("stream", stream.as_str()),
                ("entry", entry.as_str()),
                ("lane", "qa:any"),
            ];
            stage.write_over(cancelled, &forged);
            stage.write_over(expelled, &forged);
            let said = stage.supervisor.cancel(cancelled).await;
            assert_eq!(said, Ok(CancelOutcome::Removed), "{forged:?}");
            stage.supervisor.expel(expelled).await.unwrap();
            for task in [cancelled, expelled] {
                assert!(!stage.supervisor.known(task).await.unwrap());
            }
            stage.others_are_as_they_were(&stream);
            assert_eq!(stage.length(own), before, "{forged:?}");
        }
    }
    // What was left there is work for nobody; the other task of the role is.
    next(&mut stage.inbox).await;
    for _ in 0..8 {
        let more = stage.inbox.try_next().await.unwrap();
        assert!(more.is_none(), "{more:?} was cancelled");
    }
}

#[tokio::test]
async fn pausing_reads_no_entry_but_the_tasks_own() {
    let mut stage = Stage::start().await;
    let own = "{main}:q:code:any:normal";
    for (stream, entry) in stage.lies().await {
        let envelope = work();
        let code = role("code");
        let sent = stage
            .supervisor
            .submit(&envelope, &code, None, Class::Normal);
        sent.await.unwrap();
        let task = envelope.payload.task_id.unwrap();
        let before = stage.length(own);
        let forged = [("stream", stream.as_str()), ("entry", entry.as_str())];
        stage.write_over(task, &forged);
        let said = stage.supervisor.pause(task, true).await.unwrap();
        let Paused::Parked(epoch) = said else {
            panic!("{forged:?}: {said:?}");
        };
        assert_eq!(stage.field(task, "body").as_deref(), Some(""), "{forged:?}");
        stage.others_are_as_they_were(&stream);
        assert_eq!(stage.length(own), before, "{forged:?}");
        // It goes on all the same, with what the ledger knows.
        let resumed = stage
            .supervisor
            .resume(task, epoch, (&code, None), None, &envelope);
        assert_eq!(resumed.await, Ok(Resumed::Queued));
        stage.supervisor.cancel(task).await.unwrap();
    }
}

/// A work message as supervisors write it, or as an older one did, which named no number.
fn work_of(newer: bool) -> Envelope {
    let mut envelope = work();
    if newer {
        envelope.payload.context = serde_json::json!({ "short_id": "t7" });
    }
    envelope
}

#[tokio::test]
async fn what_the_bus_wrote_itself_is_found_on_every_lane() {
    let mut stage = Stage::start().await;
    let (code, bus) = (role("code"), stage.supervisor.clone());
    for newer in [true, false] {
        for host in [None, Some("web2")] {
            for class in Class::ALL {
                let lane = host.unwrap_or("any");
                let stream = format!("{{main}}:q:code:{lane}:{}", class.as_str());
                let mut put = Vec::new();
                for _ in 0..3 {
                    let envelope = work_of(newer);
                    bus.submit(&envelope, &code, host, class).await.unwrap();
                    put.push((envelope.payload.task_id.unwrap(), envelope));
                }
                assert_eq!(stage.length(&stream), 3, "{stream}");
                assert_eq!(bus.cancel(put[0].0).await, Ok(CancelOutcome::Removed));
                assert_eq!(stage.length(&stream), 2, "{stream} after a cancel");
                bus.expel(put[1].0).await.unwrap();
                assert_eq!(
                    stage.length(&stream),
                    1,
                    "{stream} after a task was expelled"
                );
                let (task, envelope) = &put[2];
                let said = bus.pause(*task, true).await.unwrap();
                let Paused::Parked(epoch) = said else {
                    panic!("{stream}: {said:?}");
                };
                assert_eq!(stage.length(&stream), 0, "{stream} after a pause");
                let kept = stage.field(*task, "body").unwrap();
                assert_eq!(kept.into_bytes(), envelope.to_bytes().unwrap());
                let way = (&code, host);
                let resumed = bus.resume(*task, epoch, way, None, envelope).await;
                assert_eq!(resumed, Ok(Resumed::Queued));
                let normal = format!("{{main}}:q:code:{lane}:normal");
                assert_eq!(stage.length(&normal), 1, "its priority says which class");
                bus.cancel(*task).await.unwrap();
                assert_eq!(stage.length(&normal), 0);
            }
        }
    }
}

#[tokio::test]
async fn what_was_given_back_or_is_due_later_leaves_every_set() {
    let mut stage = Stage::start().await;
    let (code, bus) = (role("code"), stage.supervisor.clone());
    let later = Some(Timestamp::now() + SignedDuration::from_hours(1));
    for host in [None, Some("web2")] {
        for expel in [false, true] {
            let due = work_of(true);
            let sent = bus.submit_at(&due, &code, host, Class::Normal, later).await;
            sent.unwrap();
            let back = match host {
                None => {
                    let task = submit(&bus).await;
                    let held = next(&mut stage.inbox).await;
                    let agent = login(&stage.server, "agent-code", "c").await;
                    agent.give_back(&held.lease).await.unwrap();
                    Some(task)
                }
                Some(_) => None,
            };
            for task in back.into_iter().chain(due.payload.task_id) {
                if expel {
                    bus.expel(task).await.unwrap();
                } else {
                    assert_eq!(bus.cancel(task).await, Ok(CancelOutcome::Removed));
                }
            }
            assert_eq!(bus.open_tasks().await.unwrap(), [], "{host:?}");
        }
    }
}

#[tokio::test]
async fn tasks_of_others_are_not_open_on_a_roles_lane() {
    let mut stage = Stage::start().await;
    let bus = stage.supervisor.clone();
    let own = submit(&bus).await;
    let mut of_qa = work();
    of_qa.target = "qa".to_owned();
    let sent = bus.submit(&of_qa, &role("qa"), None, Class::Normal).await;
    sent.unwrap();
    let qa = login(&stage.server, &acl::agent_user(&role("qa")), "q").await;
    let mut inbox = Inbox::open(&qa, &role("qa"), "here", "qa-1").await.unwrap();
    let parked = next(&mut inbox).await.lease;
    let mut report = Envelope::new(&team(), MessageType::Result, "qa", "supervisor");
    report.payload.task_id = Some(parked.task);
    qa.park(&parked, &report).await.unwrap();
    assert_eq!(bus.open_tasks().await.unwrap(), [own]);
    let waits = parked.task.to_string();
    for id in [waits.as_bytes(), b"no id", &[0xff, 0xfe]] {
        let mut put = redis::cmd("ZADD");
        put.arg("{main}:back:code:any").arg(1).arg(id);
        put.query::<i64>(&mut stage.taken_over).unwrap();
    }
    assert_eq!(bus.open_tasks().await.unwrap(), [own]);
}

#[tokio::test]
async fn a_role_says_of_itself_alone_that_it_is_there() {
    let mut stage = Stage::start().await;
    // The bus has heard of both.
    submit(&stage.supervisor).await;
    let mut of_qa = work();
    of_qa.target = "qa".to_owned();
    let (bus, qa) = (stage.supervisor.clone(), role("qa"));
    bus.submit(&of_qa, &qa, None, Class::Normal).await.unwrap();
    for name in ["code", "qa"] {
        let said = serde_json::json!({
            "instance": format!("{name}-9"), "role": name, "pid": 1, "version": "0", "host": "here",
            "task": null, "at": Timestamp::now(),
        });
        let mut say = redis::cmd("HSET");
        say.arg("{main}:here:code").arg(format!("{name}-9"));
        say.arg(format!("99999999999999 {said}"));
        say.query::<i64>(&mut stage.taken_over).unwrap();
        let present = stage.supervisor.present().await.unwrap();
        let roles: Vec<&str> = present.iter().map(|one| one.role.as_str()).collect();
        assert_eq!(roles, ["code"], "{name}");
    }
}
