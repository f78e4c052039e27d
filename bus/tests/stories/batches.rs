//! Calls that carry several: each part of them keeps its own promises.

use crate::server::*;
use bus::connect::Bus;
use bus::error::BusError;
use bus::journal::Recording;
use bus::outflow::Outflow;
use bus::publish::{Submission, Submitted};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::TaskId;
use protocol::task::Class;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);

fn id(envelope: &Envelope) -> TaskId {
    envelope.payload.task_id.unwrap()
}

async fn submit_all(bus: &Bus, envelopes: &[Envelope]) -> Vec<Result<Submitted, BusError>> {
    let code = role("code");
    let tasks: Vec<Submission> = envelopes
        .iter()
        .map(|envelope| Submission {
            envelope,
            role: &code,
            host: None,
            class: Class::Normal,
            due: None,
        })
        .collect();
    bus.submit_many(&tasks).await.unwrap()
}

fn length(server: &Server, stream: &str) -> u64 {
    let mut raw = server.raw();
    redis::cmd("XLEN").arg(stream).query(&mut raw).unwrap()
}

#[tokio::test]
async fn many_are_queued_once_each_and_one_that_is_refused_holds_up_no_other() {
    let server = Server::start();
    let bus = server.bus().await.with_queue_limit(3);
    let known = submit(&bus).await;
    let mut stranger = work();
    stranger.team = "other".parse().unwrap();
    let mut twice = work();
    twice.payload.task_id = Some(known);
    let full = || {
        Err(BusError::QueueFull {
            role: role("code"),
            limit: 3,
        })
    };
    let envelopes = [work(), stranger, twice, work(), work()];
    for (round, expected) in [Submitted::New, Submitted::Again].into_iter().enumerate() {
        let mut said = submit_all(&bus, &envelopes).await;
        assert!(matches!(said.remove(1), Err(BusError::Refused(_))));
        let wanted = [Ok(expected), Ok(Submitted::Again), Ok(expected), full()];
        assert_eq!(said, wanted, "round {round}");
    }
    assert_eq!(length(&server, "{main}:q:code:any:normal"), 3);
    assert!(!bus.known(id(&envelopes[4])).await.unwrap(), "not queued");
    assert!(submit_all(&bus, &[]).await.is_empty());
}

#[tokio::test]
async fn more_than_one_call_takes_are_queued_in_order_and_claimed_in_order() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let envelopes: Vec<Envelope> = (0..150).map(|_| work()).collect();
    let said = submit_all(&bus, &envelopes).await;
    assert_eq!(said, vec![Ok(Submitted::New); 150]);

    let mut inbox = inbox(&bus, "code-1").await;
    let mut claimed = Vec::new();
    for (most, expected) in [(3, 3), (1000, 64), (64, 64), (64, 19)] {
        let some = inbox.next_many(most).await.unwrap();
        assert_eq!(some.len(), expected, "at most {most}");
        claimed.extend(some);
    }
    let order: Vec<TaskId> = claimed.iter().map(|d| d.lease.task).collect();
    assert_eq!(order, envelopes.iter().map(id).collect::<Vec<_>>());
    assert!(inbox.next_many(64).await.unwrap().is_empty());

    let ends: Vec<Envelope> = claimed
        .iter()
        .map(|d| word(d, MessageType::Result))
        .collect();
    let ends: Vec<_> = claimed.iter().map(|d| &d.lease).zip(&ends).collect();
    for _ in 0..2 {
        assert_eq!(bus.finish_many(&ends).await.unwrap(), vec![Ok(()); 150]);
    }
    assert_eq!(length(&server, "{main}:out:code"), 150);
    assert_eq!(length(&server, "{main}:q:code:any:normal"), 0);
}

#[tokio::test]
async fn many_are_asked_for_at_once() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let (queued, removed) = (submit(&bus).await, submit(&bus).await);
    bus.cancel(removed).await.unwrap();
    let last = submit(&bus).await;
    let asked = [TaskId::new(), queued, removed, last, TaskId::new()];
    let known = bus.known_many(&asked).await.unwrap();
    assert_eq!(known, [false, true, false, true, false]);
    let strangers = [TaskId::new()];
    assert_eq!(bus.known_many(&strangers).await.unwrap(), [false]);
    assert!(bus.known_many(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_claim_of_many_gives_every_class_its_turns() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    for class in Class::ALL {
        for _ in 0..16 {
            submit_as(&bus, class).await;
        }
    }
    let claimed = inbox(&bus, "code-1").await.next_many(16).await.unwrap();
    assert_eq!(claimed.len(), 16);
    let waiting = bus.queue_lengths().await.unwrap();
    let taken: Vec<u64> = waiting.iter().map(|row| 16 - row.2).collect();
    assert_eq!(taken, [12, 2, 2], "urgent, normal, background");
}

#[tokio::test]
async fn what_is_given_back_and_what_ran_out_comes_before_new_tasks_in_one_claim() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let (ran_out, given) = (submit(&bus).await, submit(&bus).await);
    let mut first = inbox(&bus, "code-1").await;
    let held = first.next_many(2).await.unwrap();
    let new = submit(&bus).await;
    bus.give_back(&held[1].lease).await.unwrap();
    expire(&mut server.raw(), ran_out);
    let mut second = inbox(&bus, "code-2").await;
    let claimed = second.next_many(8).await.unwrap();
    let order: Vec<_> = claimed.iter().map(|d| (d.lease.task, d.attempt)).collect();
    assert_eq!(order, [(given, 2), (ran_out, 2), (new, 1)]);
}

#[tokio::test]
async fn what_an_inbox_claimed_and_nobody_fetched_is_given_back() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let tasks = [submit(&bus).await, submit(&bus).await];
    let mut first = inbox(&bus, "code-1").await;
    {
        let mut begun = std::pin::pin!(first.next_many(2));
        let once = std::future::poll_fn(|context| {
            std::task::Poll::Ready(begun.as_mut().poll(context).is_pending())
        });
        assert!(once.await);
    }
    while bus.queue_lengths().await.unwrap()[0].2 > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(first.next().await.unwrap().unwrap().lease.task, tasks[0]);
    drop(first);
    let again = next(&mut inbox(&bus, "code-2").await).await;
    assert_eq!((again.lease.task, again.attempt), (tasks[1], 2));
}

#[tokio::test]
async fn one_fenced_end_holds_up_no_other() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let (lost, kept) = (submit(&bus).await, submit(&bus).await);
    let mut first = inbox(&bus, "code-1").await;
    let old = first.next_many(2).await.unwrap();
    expire(&mut server.raw(), lost);
    let new = next(&mut inbox(&bus, "code-2").await).await;
    assert_eq!(new.lease.task, lost);
    let ends = [
        word(&old[0], MessageType::Result),
        word(&old[1], MessageType::Result),
    ];
    let said = bus
        .finish_many(&[(&old[0].lease, &ends[0]), (&old[1].lease, &ends[1])])
        .await
        .unwrap();
    assert_eq!(said, [Err(BusError::Fenced { task: lost }), Ok(())]);
    let mut outflow = Outflow::open(&bus).await.unwrap();
    let told = outflow.next().await.unwrap();
    let told: Vec<_> = told.iter().map(|m| m.envelope.payload.task_id).collect();
    assert_eq!(told, [Some(kept)]);
}

#[tokio::test]
async fn a_task_that_cannot_end_holds_up_nobody_who_ended_before_it() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let (good, broken) = (submit(&bus).await, submit(&bus).await);
    let held = inbox(&bus, "code-1").await.next_many(2).await.unwrap();
    let record = format!("{{main}}:task:code:{broken}");
    let set = redis::cmd("SET")
        .arg(&record)
        .arg("no hash")
        .exec(&mut server.raw());
    set.unwrap();
    let ends = [
        word(&held[0], MessageType::Result),
        word(&held[1], MessageType::Result),
    ];
    let ends: Vec<_> = held.iter().map(|d| &d.lease).zip(&ends).collect();
    for _ in 0..2 {
        let said = bus.finish_many(&ends).await;
        assert!(matches!(said, Err(BusError::Redis(_))), "{said:?}");
    }
    let left: Vec<String> = redis::cmd("ZRANGE")
        .arg("{main}:lease:code:any")
        .arg(0)
        .arg(-1)
        .query(&mut server.raw())
        .unwrap();
    assert_eq!(left, [broken.to_string()], "{good} let go");
    assert_eq!(length(&server, "{main}:q:code:any:normal"), 1);
    assert_eq!(length(&server, "{main}:out:code"), 1);
}

#[tokio::test]
async fn entries_and_words_arrive_together_once_and_only_under_the_lease() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let task = submit(&bus).await;
    let held = next(&mut inbox(&bus, "code-1").await).await;
    let entries = [step(&held, "a"), step(&held, "b")];
    let told = [
        word(&held, MessageType::Progress),
        word(&held, MessageType::Progress),
    ];
    // The first answer gets lost.
    for lease in [&held.lease.clone(), &held.lease] {
        bus.record(lease, &entries, &told).await.unwrap();
    }
    assert_eq!(bus.journal_read(task).await.unwrap(), entries);
    let journal = format!("{{main}}:journal:code:{task}");
    assert_eq!(length(&server, &journal), 1, "one entry of the stream");
    assert_eq!(length(&server, "{main}:out:code"), 2);

    expire(&mut server.raw(), task);
    next(&mut inbox(&bus, "code-2").await).await;
    let late = bus.record(&held.lease, &[step(&held, "c")], &told).await;
    assert_eq!(late, Err(BusError::Fenced { task }));
    assert_eq!(bus.journal_read(task).await.unwrap().len(), 2);
    assert_eq!(length(&server, "{main}:out:code"), 2);
}

#[tokio::test]
async fn a_full_out_stream_keeps_the_journal_and_a_full_journal_keeps_nothing() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await.with_queue_limit(1);
    let task = submit(&bus).await;
    let held = next(&mut inbox(&bus, "code-1").await).await;
    let told = [word(&held, MessageType::Progress)];
    for (n, name) in ["a", "b"].into_iter().enumerate() {
        let entries = [step(&held, name)];
        bus.record(&held.lease, &entries, &told).await.unwrap();
        assert_eq!(bus.journal_read(task).await.unwrap().len(), n + 1);
        assert_eq!(length(&server, "{main}:out:code"), 1, "after {name}");
    }

    let fill = "for i = 1, 99997 do redis.call('XADD', KEYS[1], '*', 'j', '{}') end";
    let journal = format!("{{main}}:journal:code:{task}");
    let mut raw = server.raw();
    let filled = redis::cmd("EVAL")
        .arg(fill)
        .arg(1)
        .arg(&journal)
        .exec(&mut raw);
    filled.unwrap();
    redis::cmd("DEL")
        .arg("{main}:out:code")
        .exec(&mut raw)
        .unwrap();
    let two = [step(&held, "c"), step(&held, "d")];
    let refused = bus.record(&held.lease, &two, &told).await;
    assert!(
        matches!(refused, Err(BusError::QueueFull { .. })),
        "{refused:?}"
    );
    assert_eq!(length(&server, &journal), 99_999);
    assert_eq!(length(&server, "{main}:out:code"), 0);
    bus.record(&held.lease, &two[..1], &told).await.unwrap();
}

#[tokio::test]
async fn a_claim_of_many_whose_answer_was_lost_is_answered_again() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    let mut inbox = inbox(&bus, "code-1").await;
    // Once before, so that Redis has the script.
    submit(&bus).await;
    next(&mut inbox).await;
    let tasks = [submit(&bus).await, submit(&bus).await, submit(&bus).await];
    // A frozen server takes the request and carries it out after the asker has given up.
    server.signal("-STOP");
    assert!(inbox.next_many(2).await.is_err());
    server.signal("-CONT");
    let claimed = loop {
        match inbox.next().await {
            Ok(Some(delivery)) => break delivery,
            other => drop(other),
        }
    };
    assert_eq!((claimed.lease.task, claimed.attempt), (tasks[0], 1));
    let rest = inbox.next_many(2).await.unwrap();
    let rest: Vec<_> = rest.iter().map(|d| (d.lease.task, d.attempt)).collect();
    assert_eq!(rest, [(tasks[1], 1)], "what came late is handed out first");
    let last = inbox.next_many(2).await.unwrap();
    assert_eq!(last[0].lease.task, tasks[2]);
}

#[tokio::test]
async fn several_tasks_are_written_in_one_call_and_each_only_by_its_holder() {
    let server = Server::start();
    let bus = server.bus_with(LONG).await;
    for _ in 0..70 {
        submit(&bus).await;
    }
    let mut some = inbox(&bus, "code-1").await;
    let mut held = some.next_many(64).await.unwrap();
    held.extend(some.next_many(64).await.unwrap());
    assert_eq!(held.len(), 70);
    let lost = held[1].lease.task;
    expire(&mut server.raw(), lost);
    next(&mut inbox(&bus, "code-2").await).await;
    let broken = held[2].lease.task;
    let journal = |task: TaskId| format!("{{main}}:journal:code:{task}");
    let mut set = redis::cmd("SET");
    set.arg(journal(broken)).arg("no stream");
    set.exec(&mut server.raw()).unwrap();
    let entries: Vec<_> = held
        .iter()
        .map(|one| [step(one, "a"), step(one, "b")])
        .collect();
    let told: Vec<_> = held
        .iter()
        .map(|one| [word(one, MessageType::Progress)])
        .collect();
    let all = |of: &[usize]| -> Vec<Recording<'_>> {
        let one = |n: &usize| Recording {
            lease: &held[*n].lease,
            entries: &entries[*n],
            told: &told[*n],
        };
        of.iter().map(one).collect()
    };
    // One that fails says so for its call, and keeps no other from being written.
    let places: Vec<usize> = (0..70).collect();
    assert!(bus.record_many(&all(&places)).await.is_err());
    for n in [0, 3, 63] {
        let written = bus.journal_read(held[n].lease.task).await.unwrap();
        assert_eq!(written, entries[n], "{n}");
    }
    // Sent again, as nobody heard the answer: what is there is there once.
    let places: Vec<usize> = (0..70).filter(|n| *n != 2).collect();
    let said = bus.record_many(&all(&places)).await.unwrap();
    for (n, said) in places.iter().zip(said) {
        let task = held[*n].lease.task;
        let written = bus.journal_read(task).await.unwrap();
        if task == lost {
            assert_eq!((said, written), (Err(BusError::Fenced { task }), vec![]));
        } else {
            assert_eq!((said, &written[..]), (Ok(()), &entries[*n][..]));
            assert_eq!(length(&server, &journal(task)), 1);
        }
    }
    assert_eq!(length(&server, "{main}:out:code"), 68);
}
