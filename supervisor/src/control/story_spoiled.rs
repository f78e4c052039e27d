//! A role's agent was taken over and makes its keys in Redis unreadable, or names reports that are
//! none: whoever else works for the team goes on, over a real Redis and a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::story_team::{Agent, Team, asked};
use bus::claim::Delivery;
use bus::keys::Keys;
use jiff::Timestamp;
use protocol::control::Verb;
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::{Role, TaskRef};
use protocol::question::{Choice, Said};
use protocol::task_state::TaskState;
use std::process::Command;
use std::time::Duration;
use tokio::time::sleep;

const HEALTH: &str = "how is this server doing";

fn cli(team: &Team, words: &[&str]) -> String {
    let ran = Command::new("redis-cli")
        .arg("-s")
        .arg(team.home.redis_sock())
        .args(words)
        .output()
        .expect("redis-cli runs");
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

/// Makes a key one that no part of the team can read.
fn spoil(team: &Team, key: &str) {
    cli(team, &["DEL", key]);
    cli(team, &["SADD", key, "x"]);
}

/// Keys that the agent of a role may write, here and on another host.
fn own_keys(keys: &Keys, role: &Role) -> Vec<String> {
    let mut own = keys.of_agent(role, None);
    own.extend(keys.of_agent(role, Some("far")));
    let named = own.iter().flat_map(|pattern| {
        let rests = ["any", "any:normal"].iter();
        rests.map(move |rest| pattern.replace('*', rest))
    });
    let month = Timestamp::now().strftime("%Y-%m").to_string();
    named.chain([keys.month_spend(&month)]).collect()
}

async fn claimed(team: &Team, agent: &Agent) -> (TaskRef, Delivery) {
    let (task, _) = team.submit(asked(HEALTH)).await.unwrap();
    (task, begun(agent).await)
}

async fn begun(agent: &Agent) -> Delivery {
    let delivery = agent.claim("infra").await;
    agent.begins(&delivery).await;
    delivery
}

fn again(task: TaskRef) -> Verb {
    let said = Said {
        choice: Some(Choice::Again),
        text: None,
    };
    Verb::TaskAnswer {
        task,
        question: Some(1),
        said,
    }
}

/// Waits until what every process reads is readable.
async fn until_mended(team: &Team, keys: &Keys) {
    for _ in 0..500 {
        let shared = [keys.pulse(), keys.grace(), keys.incarnation()];
        if shared.iter().all(|key| cli(team, &["TYPE", key]) != "set") {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("what every process reads stays spoiled")
}

#[tokio::test]
async fn a_role_that_spoils_all_its_keys_holds_up_no_other() {
    let mut team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let keys = Keys::new(agent.bus.team());
    let code: Role = "code".parse().unwrap();
    let (reported, first) = claimed(&team, &agent).await;
    let (asking, second) = claimed(&team, &agent).await;
    agent.asks(&second).await;
    team.until(asking, "waiting(input)").await;
    let (queued, _) = team.submit(asked(HEALTH)).await.unwrap();

    for lane in ["code:any", "made-up:any"] {
        cli(&team, &["SADD", &keys.lanes(), lane]);
    }
    for key in own_keys(&keys, &code) {
        spoil(&team, &key);
    }
    agent.bus.present().await.unwrap();
    until_mended(&team, &keys).await;
    agent.ends(&first, TaskState::Done).await;
    team.until(reported, "done").await;
    team.ask(Verb::TaskCancel { task: queued }).await.unwrap();
    team.until(queued, "cancelled").await;
    team.ask(again(asking)).await.unwrap();
    let third = begun(&agent).await;
    agent.ends(&third, TaskState::Done).await;
    team.until(asking, "done").await;

    // A supervisor that begins meets them, too.
    for key in own_keys(&keys, &code) {
        spoil(&team, &key);
    }
    team.supervise().await;
    until_mended(&team, &keys).await;
    let (task, delivery) = claimed(&team, &agent).await;
    agent.ends(&delivery, TaskState::Done).await;
    team.until(task, "done").await;
    let month = keys.month_spend(&Timestamp::now().strftime("%Y-%m").to_string());
    assert_eq!(cli(&team, &["HGET", &month, "known"]), "1");
    let made_up = keys.out(&"made-up".parse().unwrap());
    assert_eq!(cli(&team, &["EXISTS", &made_up]), "0");
}

#[tokio::test]
async fn a_task_whose_record_is_spoiled_ends_and_others_go_on() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let keys = Keys::new(agent.bus.team());
    let (stopped, running) = claimed(&team, &agent).await;
    team.until(stopped, "running(observe)").await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let (task, delivery) = claimed(&team, &agent).await;
        agent.asks(&delivery).await;
        team.until(task, "waiting(input)").await;
        waiting.push((task, delivery));
    }
    let (other, held) = claimed(&team, &agent).await;
    for delivery in [&running, &waiting[0].1] {
        spoil(&team, &keys.task(&delivery.lease.role, delivery.lease.task));
    }
    team.ask(Verb::TaskCancel { task: stopped }).await.unwrap();
    for (task, _) in &waiting {
        team.ask(again(*task)).await.unwrap();
    }
    team.ask(Verb::TaskCancel { task: other }).await.unwrap();
    // The one that can be read goes on.
    let next = begun(&agent).await;
    assert_eq!(TaskRef::Id(next.lease.task), waiting[1].0);
    agent.ends(&next, TaskState::Done).await;
    team.until(waiting[1].0, "done").await;
    agent.ends(&held, TaskState::Cancelled).await;
    team.until(other, "cancelled").await;
    // Nobody can tell any more what was done of the others.
    team.until(waiting[0].0, "failed").await;
    team.until(stopped, "cancelled").await;
}

#[tokio::test]
async fn a_report_that_cannot_be_had_ends_its_own_task_alone() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let keys = Keys::new(agent.bus.team());
    let reports = async |delivery: &Delivery, name: &str| {
        let role = delivery.lease.role.as_str();
        let team = agent.bus.team();
        let mut envelope = Envelope::new(team, MessageType::Result, role, "supervisor");
        envelope.epoch = Some(delivery.lease.epoch);
        envelope.payload.task_id = Some(delivery.lease.task);
        envelope.payload.context = serde_json::json!({ "blob": name });
        agent.bus.finish(&delivery.lease, &envelope).await.unwrap();
    };
    let spoiled = "a".repeat(64);
    let large = "b".repeat(64);
    spoil(&team, &keys.blob(&"infra".parse().unwrap(), &spoiled));
    let blobs = team.home.blobs();
    std::fs::create_dir_all(&blobs).unwrap();
    let file = std::fs::File::create(blobs.join(&large)).unwrap();
    file.set_len(64 * 1024 * 1024).unwrap();

    let (first, one) = claimed(&team, &agent).await;
    let (second, two) = claimed(&team, &agent).await;
    let (third, three) = claimed(&team, &agent).await;
    reports(&one, &spoiled).await;
    reports(&two, &large).await;
    agent.ends(&three, TaskState::Done).await;
    team.until(third, "done").await;
    for (task, why) in [(first, "No such file"), (second, "larger than")] {
        match team.state(task).await {
            TaskState::Failed { reason } => assert!(reason.contains(why), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
