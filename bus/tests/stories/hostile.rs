//! Whatever lies in a stream, the consumer goes on and the reason is kept.

use crate::server::*;
use bus::error::BusError;
use bus::outflow::Outflow;
use protocol::envelope::MessageType;
use protocol::task::Class;
use std::time::Duration;

const QUEUE: &str = "{main}:q:code:any:normal";

fn put(raw: &mut redis::Connection, stream: &str, field: &str, body: &[u8]) {
    let _: String = redis::cmd("XADD")
        .arg(stream)
        .arg("*")
        .arg(field)
        .arg(body)
        .query(raw)
        .unwrap();
}

#[tokio::test]
async fn strange_entries_go_to_the_dead_letters_and_work_goes_on() {
    let server = Server::start();
    let bus = server.bus().await;
    let mut raw = server.raw();
    let good = work().to_bytes().unwrap();
    let newer = String::from_utf8(good.clone())
        .unwrap()
        .replacen("\"v\":1", "\"v\":7", 1);
    let deep = "[".repeat(50_000);
    let cases: [(&str, &[u8], &str); 8] = [
        ("e", newer.as_bytes(), "version 7"),
        ("e", &good[..good.len() / 2], "not JSON, or cut off"),
        ("e", &[0xff, 0x00, 0x9f, 0x92], "not JSON"),
        ("e", deep.as_bytes(), "not JSON"),
        ("e", b"[1,2]", "no version"),
        ("e", &vec![b'x'; 70_000], "larger than 65536"),
        ("other", b"hello", "no envelope field"),
        ("e", &good, "not put here by submit"),
    ];
    for (field, body, _) in &cases {
        put(&mut raw, QUEUE, field, body);
    }
    let task = submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    assert_eq!(next(&mut inbox).await.lease.task, task);
    let mut dead = bus.dead_letters(100).await.unwrap();
    dead.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(dead.len(), cases.len());
    assert_eq!(bus.dead_count().await.unwrap(), cases.len() as u64);
    for (letter, (_, body, reason)) in dead.iter().zip(cases) {
        assert!(
            letter.reason.contains(reason),
            "{} is not {reason}",
            letter.reason
        );
        assert_eq!(letter.bytes, body.len() as u64);
        assert_eq!(letter.bytes_preview, body[..body.len().min(1024)]);
        assert_eq!(letter.stream, QUEUE);
    }
    let left: u64 = redis::cmd("XLEN").arg(QUEUE).query(&mut raw).unwrap();
    assert_eq!(left, 1, "only what is held");
}

#[tokio::test]
async fn a_submitted_task_that_an_older_agent_cannot_read_is_given_up_and_said_so() {
    let server = Server::start();
    let bus = server.bus().await;
    let mut envelope = work();
    envelope.v = 9;
    bus.submit(&envelope, &role("code"), None, Class::Urgent)
        .await
        .unwrap();
    let mut inbox = inbox(&bus, "code-1").await;
    assert!(inbox.try_next().await.unwrap().is_none());
    let dead = bus.dead_letters(1).await.unwrap();
    assert!(dead[0].reason.contains("version 9"), "{}", dead[0].reason);
    let mut outflow = Outflow::open(&bus).await.unwrap();
    let said = outflow.next().await.unwrap();
    assert_eq!(said[0].envelope.payload.action, "dead");
    assert_eq!(said[0].envelope.payload.task_id, envelope.payload.task_id);
}

#[tokio::test]
async fn fifty_megabytes_are_refused_at_the_producer_and_cut_at_the_consumer() {
    let server = Server::start();
    let bus = server.bus().await;
    let huge = "x".repeat(50 * 1024 * 1024);
    let mut envelope = work();
    envelope.payload.context = huge.clone().into();
    let refused = bus
        .submit(&envelope, &role("code"), None, Class::Normal)
        .await;
    assert!(matches!(refused, Err(BusError::Refused(_))), "{refused:?}");

    put(&mut server.raw(), QUEUE, "e", huge.as_bytes());
    let task = submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    assert_eq!(next(&mut inbox).await.lease.task, task);
    let dead = bus.dead_letters(1).await.unwrap();
    assert_eq!(
        (dead[0].bytes, dead[0].bytes_preview.len()),
        (huge.len() as u64, 1024)
    );
    let kept: u64 = redis::cmd("MEMORY")
        .arg("USAGE")
        .arg("{main}:dead:code")
        .query(&mut server.raw())
        .unwrap();
    assert!(kept < 100_000, "the dead letter keeps {kept} bytes");
}

#[tokio::test]
async fn an_unreadable_report_does_not_stop_the_supervisor() {
    let server = Server::start();
    let bus = server.bus().await;
    submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    let delivery = next(&mut inbox).await;
    put(&mut server.raw(), "{main}:out:code", "e", b"{ half");
    let mut raw = server.raw();
    put(&mut raw, "{main}:out:code", "x", b"y");
    let spoilt: &[u8] = &[0xff, 0xfe];
    for (key, command) in [("{main}:out:code", "XADD"), ("{main}:lanes", "SADD")] {
        let mut command = redis::cmd(command);
        command.arg(key);
        if key.ends_with("code") {
            command.arg("*").arg(spoilt);
        }
        let _: redis::Value = command.arg(spoilt).query(&mut raw).unwrap();
    }
    let _: i64 = redis::cmd("HSET")
        .arg("{main}:here:code")
        .arg("x")
        .arg(spoilt)
        .query(&mut raw)
        .unwrap();
    // Delivered, not done, and then deleted by its writer.
    let mut earlier = Outflow::open(&bus).await.unwrap();
    bus.progress(&delivery.lease, &word(&delivery, MessageType::Progress))
        .await
        .unwrap();
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen = earlier.next().await.unwrap();
    }
    drop(earlier);
    let deleted: u64 = redis::cmd("XDEL")
        .arg("{main}:out:code")
        .arg(&seen[0].id)
        .query(&mut raw)
        .unwrap();
    assert_eq!(deleted, 1);
    bus.finish(&delivery.lease, &word(&delivery, MessageType::Result))
        .await
        .unwrap();
    let mut outflow = Outflow::open(&bus).await.unwrap();
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen = outflow.next().await.unwrap();
    }
    assert_eq!(seen[0].envelope.kind, MessageType::Result);
    assert_eq!(bus.dead_count().await.unwrap(), 3);
    assert_eq!(bus.dead_letters(9).await.unwrap().len(), 3);
    assert!(bus.present().await.unwrap().is_empty());
    assert!(!bus.queue_lengths().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_large_journal_body_is_refused() {
    let server = Server::start();
    let bus = server.bus_with(Duration::from_secs(30)).await;
    let task = submit(&bus).await;
    let mut inbox = inbox(&bus, "code-1").await;
    let delivery = next(&mut inbox).await;
    let mut entry = step(&delivery, "big");
    entry.body = "x".repeat(5000).into();
    let refused = bus.journal_append(&delivery.lease, &entry).await;
    assert!(matches!(refused, Err(BusError::Refused(_))), "{refused:?}");

    for n in 0..600 {
        bus.journal_append(&delivery.lease, &step(&delivery, &n.to_string()))
            .await
            .unwrap();
    }
    let steps = bus.journal_read(task).await.unwrap();
    assert!(
        steps
            .iter()
            .enumerate()
            .all(|(n, entry)| entry.step == n.to_string())
    );
    assert_eq!(steps.len(), 600);
    let held = bus.journal_expire(task, Duration::ZERO).await;
    assert!(matches!(held, Err(BusError::Refused(_))), "{held:?}");

    let newer = r#"{"v":99,"kind":"dream"}"#;
    put(
        &mut server.raw(),
        &format!("{{main}}:journal:code:{task}"),
        "j",
        newer.as_bytes(),
    );
    let refused = bus.journal_read(task).await.unwrap_err().to_string();
    assert!(refused.contains("version 99"), "{refused}");
}
