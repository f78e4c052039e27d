//! The users of Redis: each process can do its work and nothing of anyone else's.

use crate::server::*;
use bus::acl::{self, RolePasswords};
use bus::ask::Questions;
use bus::broadcast::Listener;
use bus::claim::Inbox;
use bus::connect::Bus;
use bus::error::BusError;
use bus::host::HostWord;
use bus::orders::Orders;
use bus::outflow::Outflow;
use bus::presence::Presence;
use jiff::Timestamp;
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::TaskId;
use protocol::money::MicroUsd;
use protocol::task::Class;
use std::time::Duration;

pub fn guarded() -> Server {
    Server::start_with(|folder| {
        let passwords = RolePasswords {
            supervisor: "s".to_owned(),
            daemon: "d".to_owned(),
            agents: [(role("code"), "c".to_owned()), (role("qa"), "q".to_owned())].into(),
        };
        let lines = acl::users(&team(), &passwords, &[role("code"), role("qa")]);
        let file = folder.join("users.acl");
        std::fs::write(&file, lines.join("\n") + "\n").unwrap();
        vec!["--aclfile".to_owned(), file.display().to_string()]
    })
}

pub async fn login(server: &Server, user: &str, password: &str) -> Bus {
    Bus::connect(&server.address_of(user, password), &team(), LEASE * 20)
        .await
        .unwrap()
}

pub fn raw(server: &Server, user: &str, password: &str) -> redis::Connection {
    let url = format!("{}?user={user}&pass={password}", server.address().url);
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

fn presence(name: &str) -> Presence {
    Presence {
        instance: format!("{name}-1"),
        role: role(name),
        pid: 1,
        version: "0".to_owned(),
        host: "here".to_owned(),
        task: None,
        held_back: None,
        at: Timestamp::now(),
    }
}

#[tokio::test]
async fn every_user_can_do_its_own_work() {
    let server = guarded();
    let supervisor = login(&server, acl::SUPERVISOR, "s").await;
    let daemon = login(&server, acl::DAEMON, "d").await;
    let code = login(&server, &acl::agent_user(&role("code")), "c").await;

    let mut inbox = Inbox::open(&code, &role("code"), "here", "code-1")
        .await
        .unwrap();
    assert!(inbox.try_next().await.unwrap().is_none());
    let task = submit_as(&supervisor, Class::Urgent).await;
    next(&mut inbox).await;
    assert_eq!(daemon.release_holder("code-1").await.unwrap(), [task]);
    let delivery = next(&mut inbox).await;
    code.give_back(&delivery.lease).await.unwrap();
    let delivery = next(&mut inbox).await;
    code.renew(&delivery.lease).await.unwrap();
    code.journal_append(&delivery.lease, &step(&delivery, "observe"))
        .await
        .unwrap();
    assert_eq!(code.journal_read(task).await.unwrap().len(), 1);
    let roles = [(role("code"), true)];
    supervisor.set_brakes(Some("x"), &roles).await.unwrap();
    supervisor.hint_brakes().await.unwrap();
    assert!(inbox.try_next().await.unwrap().is_none());
    supervisor
        .set_brakes(None, &[(role("code"), false)])
        .await
        .unwrap();
    let due = Some(Timestamp::now() + jiff::SignedDuration::from_millis(50));
    supervisor
        .submit_at(&work(), &role("code"), None, Class::Urgent, due)
        .await
        .unwrap();
    let due = next(&mut inbox).await;
    code.finish(&due.lease, &word(&due, MessageType::Result))
        .await
        .unwrap();
    code.progress(&delivery.lease, &word(&delivery, MessageType::Progress))
        .await
        .unwrap();
    let cap = MicroUsd(1_000);
    supervisor.month_is("2026-11", MicroUsd(0)).await.unwrap();
    let money = code
        .reserve(task, MicroUsd(10), cap, cap, "2026-11")
        .await
        .unwrap();
    code.settle(money, MicroUsd(7)).await.unwrap();
    code.announce(&presence("code")).await.unwrap();
    daemon.announce(&presence("daemon")).await.unwrap();
    supervisor.announce(&presence("supervisor")).await.unwrap();
    assert_eq!(daemon.present().await.unwrap().len(), 3);

    let mut listener = Listener::open(&code).await.unwrap();
    supervisor.cancel(task).await.unwrap();
    assert_eq!(listener.next().await.payload.action, "cancel");
    let mut outflow = Outflow::open(&supervisor).await.unwrap();
    code.finish(&delivery.lease, &word(&delivery, MessageType::Result))
        .await
        .unwrap();
    let mut seen = 0;
    while seen < 2 {
        let messages = outflow.next().await.unwrap();
        outflow.done(&messages).await.unwrap();
        seen += messages.len();
    }

    let mut questions = Questions::open(&supervisor, "supervisor").await.unwrap();
    let asked = Envelope::new(&team(), MessageType::Query, "code", "supervisor");
    let asking = {
        let code = code.clone();
        tokio::spawn(async move {
            code.ask(&role("code"), &asked, Duration::from_secs(10))
                .await
        })
    };
    let question = loop {
        if let Some(asked) = questions.next().await.unwrap() {
            assert_eq!(asked.by, role("code"));
            break asked.question;
        }
    };
    let answer = Envelope::new(&team(), MessageType::Answer, "supervisor", "code");
    supervisor.answer(&question, &answer).await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap().id, answer.id);

    supervisor
        .journal_expire(task, Duration::from_secs(60))
        .await
        .unwrap();
    assert!(supervisor.known(task).await.unwrap());
    let mut strange = work();
    strange.v = 9;
    supervisor
        .submit(&strange, &role("code"), None, Class::Normal)
        .await
        .unwrap();
    assert!(inbox.try_next().await.unwrap().is_none());
    assert_eq!(supervisor.dead_letters(5).await.unwrap().len(), 1);
    supervisor.queue_lengths().await.unwrap();
    daemon.ping().await.unwrap();
}

#[tokio::test]
async fn an_agent_cannot_touch_what_is_not_its_own() {
    let server = guarded();
    login(&server, acl::SUPERVISOR, "s").await;
    let mut agent = raw(&server, "agent-code", "c");
    for line in [
        "XADD {main}:out:qa * e x",
        "XADD {main}:q:qa:any:urgent * e x",
        "XADD {main}:out:code-x * e x",
        "XRANGE {main}:ask:supervisor:code - +",
        "XREADGROUP GROUP g c STREAMS {main}:ask:supervisor:code >",
        "XADD {main}:ask:supervisor:qa * e x",
        "XADD {main}:ask:supervisor * e x",
        "SET {main}:role:x qa",
        "SET {main}:given:x qa",
        "HSET {main}:task:qa:x state held",
        "XRANGE {main}:journal:qa:x - +",
        "ZADD {main}:lease:qa:any 1 x",
        "ZADD {main}:delay:qa:any 1 x",
        "SET {main}:frozen x",
        "HSET {main}:paused:code x 1",
        "GET {other}:pulse",
        "SET elsewhere x",
        "SET {main}:out:code x",
        "PEXPIRE {main}:out:code 1",
        "DEL {main}:out:code",
        "PUBLISH elsewhere x",
        "PUBLISH {main}:broadcast x",
        "FLUSHALL",
        "FLUSHDB",
        "KEYS *",
        "SCAN 0",
        "CONFIG GET *",
        "ACL LIST",
        "SHUTDOWN",
        "EVAL return(1) 0",
        "SCRIPT FLUSH",
        "MONITOR",
        "CLIENT KILL TYPE normal",
        "REPLICAOF 127.0.0.1 1",
        "SAVE",
    ] {
        refused(&mut agent, line);
    }
    // A script has no more rights than who runs it.
    let code = "return redis.call('XADD', '{main}:out:qa', '*', 'e', 'x')";
    let script: redis::RedisResult<String> = redis::Script::new(code).invoke(&mut agent);
    let refused = script.unwrap_err().to_string();
    assert!(refused.contains("can't access"), "{refused}");
}

#[tokio::test]
async fn strangers_are_turned_away_and_the_daemon_only_watches() {
    let server = guarded();
    let wrong = Bus::connect(&server.address_of("agent-code", "x"), &team(), LEASE).await;
    assert!(wrong.is_err());
    let nobody = Bus::connect(&server.address(), &team(), LEASE).await;
    assert!(nobody.is_err());
    let mut daemon = raw(&server, acl::DAEMON, "d");
    for stream in ["{main}:out:code", "{main}:q:code:any:urgent"] {
        let refused: redis::RedisResult<String> = redis::cmd("XADD")
            .arg(stream)
            .arg("*")
            .arg("e")
            .arg("x")
            .query(&mut daemon);
        assert!(refused.is_err(), "{stream}");
    }
    let stopped: redis::RedisResult<()> = redis::cmd("SHUTDOWN").arg("NOSAVE").query(&mut daemon);
    assert!(
        !format!("{stopped:?}").contains("permission"),
        "{stopped:?}"
    );
}

fn host_lines() -> Vec<String> {
    let digests = [("daemon", "hd"), ("agent-code", "hc")]
        .map(|(purpose, password)| (purpose.to_owned(), acl::digest(password)));
    acl::host_lines(&team(), "web2", &[role("code")], &digests.into())
}

#[tokio::test]
async fn another_host_is_let_in_does_its_own_work_and_is_put_out() {
    let server = guarded();
    let supervisor = login(&server, acl::SUPERVISOR, "s").await;
    let daemon = login(&server, acl::DAEMON, "d").await;
    let early = Bus::connect(&server.address_of("agent-code@web2", "hc"), &team(), LEASE).await;
    assert!(early.is_err());
    daemon.set_users(&host_lines()).await.unwrap();
    daemon.set_users(&host_lines()).await.unwrap();

    let there = login(&server, "agent-code@web2", "hc").await;
    let watcher = login(&server, "daemon@web2", "hd").await;
    let mut inbox = Inbox::open_here(&there, &role("code"), "web2", "code@web2#1")
        .await
        .unwrap();
    submit_as(&supervisor, Class::Normal).await;
    assert!(
        inbox.try_next().await.unwrap().is_none(),
        "work of any host is not taken"
    );
    let work = work();
    supervisor
        .submit(&work, &role("code"), Some("web2"), Class::Normal)
        .await
        .unwrap();
    let delivery = next(&mut inbox).await;
    there.announce(&presence("code")).await.unwrap();
    assert_eq!(watcher.present().await.unwrap().len(), 1);
    let code = role("code");
    let freed = watcher.release_on("code@web2#1", &code, "web2").await;
    assert_eq!(freed.unwrap(), [delivery.lease.task]);
    let delivery = next(&mut inbox).await;
    there.put_blob(&role("code"), "ab", b"x").await.unwrap();
    let blob = supervisor.blob_that_travels(&role("code"), "ab").await;
    let blob = blob.unwrap();
    assert_eq!(blob.as_deref(), Some(b"x".as_slice()));
    supervisor.blob_fetched(&role("code"), "ab").await.unwrap();
    there
        .finish(&delivery.lease, &word(&delivery, MessageType::Result))
        .await
        .unwrap();

    orders_are_the_supervisors(&supervisor, &watcher).await;
    let mut agent = raw(&server, "agent-code@web2", "hc");
    for line in [
        "XADD {main}:orders:web2 * e x",
        "SET {main}:host:web2 x",
        "XADD {main}:q:code:any:urgent * e x",
        "XADD {main}:q:code:web3:urgent * e x",
        "ZADD {main}:lease:code:any 1 x",
        "ZADD {main}:lease:code:web3 1 x",
        "SET {main}:blob:qa:ab x",
        "SET {main}:out:code x",
        "ACL LIST",
    ] {
        refused(&mut agent, line);
    }
    let mut watcher = raw(&server, "daemon@web2", "hd");
    for line in [
        "ZADD {main}:lease:code:any 1 x",
        "ZADD {main}:lease:qa:web2 1 x",
        "HSET {main}:here:code x y",
        "XADD {main}:orders:web3 * e x",
        "SET {main}:host:web3 x",
        "HSET {main}:task:qa:x state held",
        "SHUTDOWN NOSAVE",
        "ACL SETUSER x on",
    ] {
        refused(&mut watcher, line);
    }
    let names = acl::host_users("web2", &[role("code")]);
    let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
    daemon.remove_users(&names).await.unwrap();
    assert!(there.ping().await.is_err(), "it is put out at once");
    daemon.remove_users(&names).await.unwrap();
}

/// A host's daemon says that it is there, and does what the supervisor orders.
async fn orders_are_the_supervisors(supervisor: &Bus, there: &Bus) {
    let hosts = ["web2".to_owned(), "web3".to_owned()];
    let silent = supervisor.host_words(&hosts).await.unwrap();
    assert_eq!(silent, [None, None]);
    let word = HostWord::new("web2", "0", vec![role("code")]);
    there.say_host(&word).await.unwrap();
    let words = supervisor.host_words(&hosts).await.unwrap();
    assert_eq!(words, [Some(Some(word)), None]);
    let (task, other) = (TaskId::new(), TaskId::new());
    assert_eq!(there.over_on("web2").await.unwrap(), []);
    supervisor.say_over("web2", &[task]).await.unwrap();
    supervisor.say_over("web3", &[other]).await.unwrap();
    assert_eq!(there.over_on("web2").await.unwrap(), [task]);
    assert!(there.over_on("web3").await.is_err());
    assert!(there.say_over("web2", &[other]).await.is_err());
    let order = Envelope::new(&team(), MessageType::Control, "supervisor", "web2");
    let short = Duration::from_millis(50);
    let missed = supervisor.order("web2", &order, short).await;
    assert!(
        matches!(missed, Err(BusError::NoAnswer { .. })),
        "{missed:?}"
    );
    let mut orders = Orders::open(there, "web2").await.unwrap();
    let giving = {
        let (supervisor, order) = (supervisor.clone(), order.clone());
        let long = Duration::from_secs(10);
        tokio::spawn(async move { supervisor.order("web2", &order, long).await })
    };
    let given = loop {
        if let Some(given) = orders.next().await.unwrap() {
            break given;
        }
    };
    let answer = Envelope::new(&team(), MessageType::Answer, "daemon", "supervisor");
    there.answer(&given.envelope, &answer).await.unwrap();
    orders.done(&given).await.unwrap();
    assert_eq!(giving.await.unwrap().unwrap().id, answer.id);
    // The one that nobody had read in time is gone with the one that was done.
    assert!(orders.next().await.unwrap().is_none());
}

fn refused(connection: &mut redis::Connection, line: &str) {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    let answer: redis::RedisResult<redis::Value> = command.query(connection);
    let error = answer.expect_err(line).to_string();
    assert!(
        error.contains("NOPERM") || error.contains("permission"),
        "{line}: {error}"
    );
}
