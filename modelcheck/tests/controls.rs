//! The check itself is checked: with a guarantee left out, each of these walks must find the way
//! to a broken promise. The faults are the product's own (`protocol/src/fault.rs`), so it is the
//! script lines marked for them that carry the promise.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::panic)]

use modelcheck::explore::NO_TRAP;
use modelcheck::state::Left;
use modelcheck::team::{Broken, Team};
use protocol::effect::EffectClass::{self, Contained, Keyed};
use protocol::fault::Faults;

fn control(classes: &[EffectClass], left: Left, broken: Broken, promises: &[&str]) {
    let walk = Team::new(classes, 2, left, broken).unwrap().walk(2_000_000);
    let (promise, way) = walk.found.unwrap_or_else(|| {
        panic!("nothing was found in {} states", walk.states);
    });
    println!("{promise}\n{way}");
    assert!(promises.contains(&promise.as_str()), "{promise}\n{way}");
    assert!(way.lines().count() >= 3, "{way}");
}

fn fault(name: &str) -> Broken {
    Broken {
        faults: name.parse::<Faults>().unwrap(),
        ..Broken::default()
    }
}

fn one(kind: fn(&mut Left) -> &mut u8) -> Left {
    let mut left = Left {
        all: 1,
        ..Left::none()
    };
    *kind(&mut left) = 1;
    left
}

#[test]
fn without_the_epoch_check_a_stopped_agent_writes_into_another_claim() {
    let promises = [
        "epochs rise, in claims and in the journal",
        "no effect is made twice",
        "nothing ends twice",
        "one claim at most is told that it ended the task",
    ];
    let left = one(|left| &mut left.pause);
    control(
        &[Contained, Keyed],
        left,
        fault("no-epoch-check"),
        &promises,
    );
}

#[test]
fn a_claim_that_acknowledges_before_the_journal_loses_the_task() {
    let left = one(|left| &mut left.crash);
    control(&[Keyed], left, fault("ack-before-journal"), &[NO_TRAP]);
}

#[test]
fn a_timer_that_is_lost_leaves_a_dead_holders_task_for_ever() {
    // Without the daemon's word it is the timer alone that frees it.
    let broken = Broken {
        no_daemon: true,
        ..fault("lost-timer")
    };
    let left = one(|left| &mut left.crash);
    control(&[Keyed], left, broken, &[NO_TRAP]);
}

#[test]
fn without_a_key_a_call_is_made_twice() {
    let broken = Broken {
        fresh_keys: true,
        ..Broken::default()
    };
    let left = one(|left| &mut left.crash);
    control(&[Keyed], left, broken, &["no effect is made twice"]);
}

#[test]
fn a_new_holder_that_does_not_wait_meets_the_last_ones_executor() {
    let broken = Broken {
        no_margin: true,
        ..Broken::default()
    };
    let left = one(|left| &mut left.crash);
    control(&[Contained], left, broken, &["no effect is made twice"]);
}

#[test]
fn an_executor_that_outlives_its_agent_makes_an_effect_twice() {
    let broken = Broken {
        orphans: true,
        ..Broken::default()
    };
    let left = one(|left| &mut left.crash);
    control(&[Contained], left, broken, &["no effect is made twice"]);
}
