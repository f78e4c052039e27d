//! The promise under torture, in short courses; `scripts/torture.sh` runs long ones of the same.
//! `TORTURE_SEED`, `TORTURE_TASKS` and `TORTURE_KILLS` choose another course. Each control leaves
//! one guarantee out and must see it missing.

use crate::AI_INFRA;
use std::time::Duration;
use tests::torture::account::Account;
use tests::torture::courses;
use tests::torture::effects::Kind;
use tests::torture::rig::{Rig, Setup};

fn from_environment(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn rig(fault: Option<&str>) -> Rig {
    let fault = fault.map(str::to_owned);
    Rig::up(
        AI_INFRA,
        Setup {
            fault,
            ..Setup::default()
        },
    )
}

fn sound(rig: &Rig, account: &Account) {
    println!("{}", account.json());
    if !account.is_sound() {
        eprintln!("{}", rig.team.ai(&["status"]).stdout);
    }
    assert!(account.is_sound(), "{account:?}");
}

#[test]
fn under_torture_nothing_is_lost_and_nothing_is_done_twice() {
    let seed = from_environment("TORTURE_SEED", 1);
    println!("TORTURE_SEED={seed}");
    let rig = rig(None);
    let tasks = from_environment("TORTURE_TASKS", 30) as usize;
    let kills = from_environment("TORTURE_KILLS", 25) as usize;
    sound(&rig, &courses::at_random(&rig, tasks, kills, seed));
    rig.down();
}

/// A death right before or after every write of the journal of tasks of a kind.
fn walk(kind: Kind, fault: &str, holders: usize) {
    let rig = rig(Some(fault));
    let walk = courses::every_boundary(&rig, kind);
    println!("{} writes, {} deaths", walk.writes, walk.deaths);
    sound(&rig, &walk.account);
    assert!(walk.writes > 20, "{walk:?}");
    // A death around the first write, before it was said who holds the task, is not seen as one;
    // one right after the last write leaves nothing to be taken up.
    let unseen = 3 * holders;
    assert!(
        walk.deaths + unseen >= walk.account.accepted * holders,
        "{walk:?}"
    );
    rig.down();
}

#[test]
fn a_holder_may_die_at_every_boundary_of_its_journal() {
    walk(Kind::Fast, "die-at=journal:each", 1);
}

#[test]
fn two_holders_may_die_at_every_boundary_of_a_task_with_effects_outside() {
    walk(Kind::Outside, "die-at=journal:each:again", 2);
}

#[test]
fn an_idle_queue_goes_on_within_a_lease_and_a_second() {
    let rig = rig(None);
    let (seen, alone) = courses::stood_still(&rig);
    let longest = rig.setup.lease + Duration::from_secs(1);
    assert!(
        seen < longest && alone < longest,
        "stood still for {seen:?} with the daemon, {alone:?} without"
    );
    rig.down();
}

/// The course of a fault is sound without it and is seen not to be with it.
fn control(fault: &str, seen: fn(&Account) -> bool) {
    let course = courses::of_fault(fault).expect("a course");
    let healthy = rig(None);
    sound(&healthy, &course(&healthy));
    healthy.down();
    let faulty = rig(Some(fault));
    let account = course(&faulty);
    println!("{fault}: {}", account.json());
    assert!(
        !account.is_sound() && seen(&account),
        "{fault}: {account:?}"
    );
}

#[test]
fn without_the_fence_a_late_holder_is_seen() {
    control("no-epoch-check", |account| {
        let effects = account.effects;
        effects.doubled + account.failed + account.lost > 0 || effects.seen < effects.expected
    });
}

#[test]
fn work_acknowledged_too_early_is_seen_to_be_lost() {
    control("ack-before-journal", |account| account.lost > 0);
}

#[test]
fn a_key_that_is_never_the_same_is_seen() {
    control("no-key", |account| account.effects.doubled > 0);
}

#[test]
fn a_timer_that_never_fires_is_seen() {
    control("lost-timer", |account| account.lost > 0);
}

#[test]
fn a_sandbox_that_outlives_its_holder_is_seen() {
    control("orphaned-child", |account| account.orphans > 0);
}
