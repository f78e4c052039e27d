//! Whatever happens in whatever order: never do two holders both write.

use crate::server::*;
use bus::claim::{Delivery, Inbox};
use bus::connect::Bus;
use bus::error::BusError;
use bus::lease::Renewal;
use bus::park::{Parked, Resumed};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use protocol::envelope::MessageType;
use protocol::ids::TaskId;
use std::time::Duration;

const AGENTS: usize = 3;

#[derive(Debug, Clone)]
enum Op {
    Claim(usize),
    Renew(usize),
    Journal(usize),
    Progress(usize),
    GiveBack(usize),
    Expire,
    Died(usize),
    Cancel,
    Park(usize),
    Resume(usize),
    Finish(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let agent = 0..AGENTS;
    prop_oneof![
        4 => agent.clone().prop_map(Op::Claim),
        2 => agent.clone().prop_map(Op::Renew),
        4 => agent.clone().prop_map(Op::Journal),
        2 => agent.clone().prop_map(Op::Progress),
        1 => agent.clone().prop_map(Op::GiveBack),
        2 => Just(Op::Expire),
        1 => agent.clone().prop_map(Op::Died),
        1 => Just(Op::Cancel),
        2 => agent.clone().prop_map(Op::Park),
        2 => agent.clone().prop_map(Op::Resume),
        1 => agent.prop_map(Op::Finish),
    ]
}

/// What should be true: who may write, and what was written.
#[derive(Default)]
struct Model {
    holder: Option<usize>,
    finished_by: Option<usize>,
    /// Told to stop: it may not be parked any more.
    cancelled: bool,
    /// The epochs it was parked under; the last one waits while `waits`.
    parks: Vec<u64>,
    waits: bool,
    written: Vec<u64>,
    messages: u64,
}

struct World {
    server: Server,
    bus: Bus,
    inboxes: Vec<Inbox>,
}

impl World {
    /// Carries out `op` with whatever claim each agent last had, however old.
    async fn step(
        &mut self,
        op: &Op,
        task: TaskId,
        had: &mut [Option<Delivery>],
        model: &mut Model,
    ) {
        match *op {
            Op::Claim(agent) => {
                let mut got = self.inboxes[agent].try_next().await.unwrap();
                if got.is_none() {
                    // A task that rests after a crash is had after its rest.
                    rested(&mut self.server.raw(), task);
                    got = self.inboxes[agent].try_next().await.unwrap();
                }
                if let Some(got) = got {
                    assert_eq!(got.lease.task, task);
                    assert!(model.finished_by.is_none(), "a finished task was claimed");
                    assert!(!model.waits, "a parked task was claimed");
                    let newest = had.iter().flatten().map(|d| d.lease.epoch).max();
                    assert!(newest < Some(got.lease.epoch), "the epoch did not rise");
                    had[agent] = Some(got);
                    model.holder = Some(agent);
                }
            }
            Op::Renew(agent) => {
                if let Some(delivery) = &had[agent] {
                    let held = self.bus.renew(&delivery.lease).await.unwrap() != Renewal::Lost;
                    assert_eq!(held, model.holder == Some(agent));
                }
            }
            Op::Journal(agent) => {
                if let Some(d) = &had[agent] {
                    let written = self.bus.journal_append(&d.lease, &step(d, "x")).await;
                    if judge(written, task, model.holder == Some(agent)) {
                        model.written.push(d.lease.epoch.0);
                    }
                }
            }
            Op::Progress(agent) => {
                if let Some(d) = &had[agent] {
                    let sent = self
                        .bus
                        .progress(&d.lease, &word(d, MessageType::Progress))
                        .await;
                    model.messages += u64::from(judge(sent, task, model.holder == Some(agent)));
                }
            }
            Op::GiveBack(agent) => {
                if let Some(d) = &had[agent] {
                    let given = self.bus.give_back(&d.lease).await;
                    if judge(given, task, model.holder == Some(agent)) {
                        model.holder = None;
                    }
                }
            }
            Op::Expire => expire(&mut self.server.raw(), task),
            Op::Died(agent) => {
                let freed = self
                    .bus
                    .release_holder(&format!("code-{agent}"))
                    .await
                    .unwrap();
                assert_eq!(freed.contains(&task), model.holder == Some(agent));
                if model.holder == Some(agent) {
                    model.holder = None;
                }
            }
            Op::Cancel => {
                if model.holder.is_some() {
                    self.bus.cancel(task).await.unwrap();
                    model.cancelled = true;
                }
            }
            Op::Park(agent) => {
                if let Some(d) = &had[agent] {
                    let report = word(d, MessageType::Result);
                    let parked = self.bus.park(&d.lease, &report).await;
                    let before = model.parks.contains(&d.lease.epoch.0);
                    let now = model.holder == Some(agent);
                    if now && model.cancelled {
                        assert_eq!(parked, Ok(Parked::Cancelled));
                    } else if judge(parked.map(drop), task, before || now) && !before {
                        model.written.push(d.lease.epoch.0);
                        model.messages += 1;
                        model.parks.push(d.lease.epoch.0);
                        (model.holder, model.waits) = (None, true);
                    }
                }
            }
            Op::Resume(agent) => {
                if let Some(d) = &had[agent] {
                    let way = (&role("code"), None);
                    let said = self
                        .bus
                        .resume(task, d.lease.epoch, way, None, &d.envelope)
                        .await
                        .unwrap();
                    let meant = model.waits && model.parks.last() == Some(&d.lease.epoch.0);
                    assert_eq!(said == Resumed::Queued, meant, "{said:?}");
                    model.waits &= !meant;
                }
            }
            Op::Finish(agent) => {
                if let Some(d) = &had[agent] {
                    let ended = self
                        .bus
                        .finish(&d.lease, &word(d, MessageType::Result))
                        .await;
                    let again = model.finished_by == Some(agent);
                    let now = model.holder == Some(agent);
                    if judge(ended, task, again || now) && !again {
                        model.messages += 1;
                        (model.holder, model.finished_by) = (None, Some(agent));
                    }
                }
            }
        }
    }
}

/// A write is done exactly when it should be, and refused for the one right reason.
fn judge(outcome: Result<(), BusError>, task: TaskId, allowed: bool) -> bool {
    match outcome {
        Ok(()) => assert!(allowed, "somebody who does not hold the task wrote"),
        Err(error) => {
            assert_eq!(error, BusError::Fenced { task });
            assert!(!allowed, "the holder was refused");
        }
    }
    allowed
}

#[test]
fn random_lives_never_have_two_writers() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut world = runtime.block_on(async {
        let server = Server::start();
        let bus = server.bus_with(Duration::from_secs(600)).await;
        let mut inboxes = Vec::new();
        for agent in 0..AGENTS {
            inboxes.push(inbox(&bus, &format!("code-{agent}")).await);
        }
        World {
            server,
            bus,
            inboxes,
        }
    });
    let world = std::cell::RefCell::new(&mut world);
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&proptest::collection::vec(op(), 1..40), |ops| {
            let mut world = world.borrow_mut();
            runtime.block_on(live(&mut world, &ops));
            Ok(())
        })
        .unwrap();
}

/// One task's life, and what must be left of it.
async fn live(world: &mut World, ops: &[Op]) {
    let _: () = redis::cmd("FLUSHALL")
        .query(&mut world.server.raw())
        .unwrap();
    let task = submit(&world.bus).await;
    let mut had: Vec<Option<Delivery>> = vec![None; AGENTS];
    let mut model = Model::default();
    for op in ops {
        world.step(op, task, &mut had, &mut model).await;
        // Its holders died too often: given up, which the model does not know.
        if world.bus.dead_count().await.unwrap() > 0 {
            return;
        }
    }
    let journal = world.bus.journal_read(task).await.unwrap();
    let epochs: Vec<u64> = journal.iter().map(|entry| entry.epoch.0).collect();
    assert_eq!(epochs, model.written);
    assert!(
        epochs.is_sorted(),
        "an older holder wrote after a newer one"
    );
    let sent: u64 = redis::cmd("XLEN")
        .arg("{main}:out:code")
        .query(&mut world.server.raw())
        .unwrap();
    assert_eq!(sent, model.messages);
}

#[tokio::test]
async fn what_is_said_again_because_its_answer_got_lost_is_kept_once() {
    let server = Server::start();
    let bus = server.bus().await;
    let task = submit(&bus).await;
    let held = next(&mut inbox(&bus, "code-1").await).await;
    let (first, second) = (step(&held, "a"), step(&held, "b"));
    for (entry, heard) in [
        (&first, false),
        (&first, false),
        (&first, true),
        (&second, false),
        (&second, true),
        (&first, false),
        (&first, true),
    ] {
        // What a lease has not heard it does not know: a copy of it hears in its place.
        let (copy, lease) = (held.lease.clone(), &held.lease);
        let lease = if heard { lease } else { &copy };
        bus.journal_append(lease, entry).await.unwrap();
    }
    let journal = bus.journal_read(task).await.unwrap();
    let steps: Vec<&str> = journal.iter().map(|entry| entry.step.as_str()).collect();
    assert_eq!(steps, ["a", "b", "a"]);
    let said = word(&held, MessageType::Progress);
    for _ in 0..2 {
        bus.progress(&held.lease, &said).await.unwrap();
    }
    let sent: u64 = redis::cmd("XLEN")
        .arg("{main}:out:code")
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(sent, 1);
}
