//! The promises, in every state that so many faults lead to. A deeper walk by hand:
//! `cargo run --release -p modelcheck -- 3`.
#![allow(clippy::unwrap_used, clippy::panic)]

use modelcheck::explore::Walk;
use modelcheck::state::Left;
use modelcheck::team::{Broken, Team};
use protocol::effect::EffectClass::{self, Contained, Keyed, Once, Probed};

fn walk(classes: &[EffectClass], left: Left) -> Walk {
    let team = Team::new(classes, 2, left, Broken::default()).unwrap();
    let walk = team.walk(10_000_000);
    eprintln!("{classes:?} {left:?}: {walk:?}");
    walk
}

fn check(classes: &[EffectClass], left: Left) {
    let walk = walk(classes, left);
    if let Some((promise, way)) = walk.found {
        panic!("broken: {promise}\n{way}");
    }
}

#[test]
fn without_faults_there_is_one_end_and_few_ways_to_it() {
    let walk = walk(&[Contained, Keyed], Left::none());
    assert_eq!(walk.found, None);
    assert!((20..1000).contains(&walk.states), "{walk:?}");
}

#[test]
fn one_fault_of_any_kind_breaks_nothing() {
    check(&[Contained, Keyed], Left::any(1));
}

#[test]
fn one_fault_of_any_kind_around_a_call_that_only_a_person_can_judge() {
    check(&[Once], Left::any(1));
}

#[test]
fn lost_answers_and_a_cancellation_around_a_probed_call() {
    let left = Left {
        all: 2,
        lost: 2,
        cancel: 1,
        office: 1,
        ..Left::none()
    };
    check(&[Probed], left);
}

#[test]
fn a_second_death_while_the_first_is_recovered() {
    let left = Left {
        all: 2,
        crash: 2,
        ..Left::none()
    };
    check(&[Contained], left);
}

/// Everything else is walked there with `TESTS_LEDGER=postgres`.
#[test]
fn a_ledger_on_a_server_keeps_the_promises_too() {
    let left = Left {
        all: 1,
        crash: 1,
        lost: 1,
        office: 1,
        ..Left::none()
    };
    let team = Team::new(&[Contained], 2, left, Broken::default()).unwrap();
    let Some(team) = team.on_server().unwrap() else {
        return;
    };
    let walk = team.walk(10_000_000);
    eprintln!("{walk:?}");
    if let Some((promise, way)) = walk.found {
        panic!("broken: {promise}\n{way}");
    }
}
