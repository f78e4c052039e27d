//! The machine under tables and under random answers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;
use protocol::criterion::{Check, EvidenceSource, Verdict};
use protocol::phase::Phase;

fn criterion(id: &str, change: bool) -> Criterion {
    Criterion {
        id: id.to_owned(),
        text: format!("statement {id}"),
        check: Check::File {
            path: "a".to_owned(),
            exists: true,
            contains: None,
            lacks: None,
            sha256: None,
        },
        change,
    }
}

fn evidence(id: &str, verdict: Verdict) -> Evidence {
    Evidence {
        criterion: id.to_owned(),
        verdict,
        source: EvidenceSource::File,
        observed: "seen".to_owned(),
        measured: jiff::Timestamp::UNIX_EPOCH,
        tree: None,
    }
}

fn finished() -> Answer {
    Answer::Worked(Worked {
        text: "report".to_owned(),
        ended: WorkEnd::Finished,
        added: Vec::new(),
    })
}

fn ended(ended: WorkEnd) -> Answer {
    Answer::Worked(Worked {
        text: String::new(),
        ended,
        added: Vec::new(),
    })
}

/// Answers up to and with the first plan.
fn planned() -> Machine {
    let mut machine = Machine::new(Limits::default());
    for answer in [
        Answer::Recalled(vec![]),
        Answer::Observed(String::new()),
        Answer::Options(vec![]),
        Answer::Planned(Plan::default()),
    ] {
        machine.answer(answer).unwrap();
    }
    machine
}

fn give(machine: &mut Machine, answers: Vec<Answer>) {
    for answer in answers {
        machine.answer(answer).unwrap();
    }
}

#[test]
fn the_straight_way_is_done() {
    let mut machine = planned();
    assert_eq!(machine.ask(), Ask::WriteCriteria { complaint: None });
    give(
        &mut machine,
        vec![
            Answer::Criteria(vec![criterion("c1", false)]),
            finished(),
            Answer::Checked(vec![evidence("c1", Verdict::Passed)]),
        ],
    );
    let done = Outcome::Done {
        text: "report".to_owned(),
    };
    assert_eq!(machine.ask(), Ask::Learn(done.clone()));
    give(&mut machine, vec![Answer::Learned(vec![])]);
    assert_eq!(machine.ask(), Ask::End(done));
    assert_eq!(
        machine.answer(Answer::Learned(vec![])),
        Err(AlgorithmError::Ended)
    );
}

#[test]
fn criteria_are_added_while_it_works_and_never_taken_away() {
    let mut machine = planned();
    give(
        &mut machine,
        vec![
            Answer::Criteria(vec![criterion("c1", false)]),
            Answer::Worked(Worked {
                text: "report".to_owned(),
                ended: WorkEnd::Finished,
                added: vec![criterion("c2", false), criterion("c1", true)],
            }),
        ],
    );
    let expected = [criterion("c1", false), criterion("c2", false)];
    assert_eq!(machine.ask(), Ask::Verify(expected.to_vec()));
    let half = vec![evidence("c1", Verdict::Passed)];
    give(&mut machine, vec![Answer::Checked(half)]);
    assert!(matches!(machine.ask(), Ask::Verify(_)), "c2 is not known");
    let all = |verdict| vec![evidence("c1", Verdict::Passed), evidence("c2", verdict)];
    give(&mut machine, vec![Answer::Checked(all(Verdict::Failed))]);
    assert!(matches!(machine.ask(), Ask::Work { round: 2, .. }));
    give(
        &mut machine,
        vec![finished(), Answer::Checked(all(Verdict::Passed))],
    );
    assert!(matches!(machine.ask(), Ask::Learn(Outcome::Done { .. })));
}

#[test]
fn done_without_a_criterion_does_not_exist() {
    let mut machine = planned();
    give(&mut machine, vec![Answer::Criteria(vec![])]);
    assert!(matches!(
        machine.ask(),
        Ask::WriteCriteria { complaint: Some(_) }
    ));
    give(&mut machine, vec![Answer::Criteria(vec![])]);
    assert!(matches!(machine.ask(), Ask::Learn(Outcome::Failed { .. })));
}

#[test]
fn a_criterion_of_change_must_fail_first() {
    let mut machine = planned();
    let change = || Answer::Criteria(vec![criterion("c1", true), criterion("c2", false)]);
    give(&mut machine, vec![change()]);
    assert_eq!(
        machine.ask(),
        Ask::CheckBefore(vec![criterion("c1", true)]),
        "only those of change are measured before the work"
    );
    give(
        &mut machine,
        vec![Answer::Checked(vec![evidence("c1", Verdict::Passed)])],
    );
    let Ask::WriteCriteria {
        complaint: Some(complaint),
    } = machine.ask()
    else {
        panic!("{:?}", machine.ask());
    };
    assert!(complaint.contains("c1"), "{complaint}");
    give(
        &mut machine,
        vec![
            change(),
            Answer::Checked(vec![evidence("c1", Verdict::Failed)]),
        ],
    );
    assert!(matches!(machine.ask(), Ask::Work { round: 1, .. }));
}

#[test]
fn failures_go_back_to_the_work_then_the_plan_then_end() {
    let mut machine = planned();
    give(
        &mut machine,
        vec![Answer::Criteria(vec![
            criterion("c1", false),
            criterion("c2", false),
        ])],
    );
    let verdicts = || {
        Answer::Checked(vec![
            evidence("c1", Verdict::Passed),
            evidence("c2", Verdict::Failed),
        ])
    };
    for round in 1..=6 {
        let Ask::Work {
            round: at,
            feedback,
        } = machine.ask()
        else {
            panic!("{:?}", machine.ask());
        };
        assert_eq!(at, round);
        assert_eq!(feedback.len(), usize::from(round > 1));
        give(&mut machine, vec![finished(), verdicts()]);
        if round == 3 {
            assert_eq!(machine.ask(), Ask::Plan);
            give(&mut machine, vec![Answer::Planned(Plan::default())]);
        }
    }
    let Ask::Learn(Outcome::Failed { reason, .. }) = machine.ask() else {
        panic!("{:?}", machine.ask());
    };
    assert_eq!(reason, "criterion c2 failed: seen");
}

#[test]
fn unknown_is_measured_once_more_and_never_done() {
    let mut machine = planned();
    give(
        &mut machine,
        vec![
            Answer::Criteria(vec![criterion("c1", false)]),
            finished(),
            Answer::Checked(vec![]),
        ],
    );
    assert!(matches!(machine.ask(), Ask::Verify(_)));
    give(
        &mut machine,
        vec![Answer::Checked(vec![evidence("c1", Verdict::Unknown)])],
    );
    let Ask::Learn(Outcome::Failed { reason, .. }) = machine.ask() else {
        panic!("{:?}", machine.ask());
    };
    assert!(reason.starts_with("unknown: criterion c1"), "{reason}");
}

#[test]
fn contradicting_evidence_does_not_pass() {
    let seen = [
        evidence("c1", Verdict::Failed),
        evidence("c1", Verdict::Passed),
    ];
    assert!(matches!(
        judge::judge(&[criterion("c1", false)], &seen),
        Judged::Failed(_)
    ));
}

#[test]
fn how_work_ends_decides_what_follows() {
    let start = || {
        let mut machine = planned();
        give(
            &mut machine,
            vec![Answer::Criteria(vec![criterion("c1", false)])],
        );
        machine
    };
    let mut machine = start();
    give(&mut machine, vec![ended(WorkEnd::Refused("no".to_owned()))]);
    assert!(matches!(machine.ask(), Ask::Learn(Outcome::Refused { .. })));

    let mut machine = start();
    for round in 1..=3 {
        assert!(matches!(machine.ask(), Ask::Work { round: at, .. } if at == round));
        give(
            &mut machine,
            vec![ended(WorkEnd::CutOff("no room".to_owned()))],
        );
    }
    assert!(matches!(machine.ask(), Ask::Learn(Outcome::Failed { .. })));
}

#[test]
fn a_wrong_answer_changes_nothing() {
    let mut machine = Machine::new(Limits::default());
    let before = machine.clone();
    let wrong = machine.answer(finished());
    assert!(matches!(wrong, Err(AlgorithmError::Unexpected { .. })));
    assert_eq!(machine, before);
}

fn may_follow(from: Phase, to: Phase) -> bool {
    use Phase::*;
    from == to
        || from.next() == Some(to)
        || matches!(
            (from, to),
            (Verify, Execute | Plan) | (Plan, Execute | Learn) | (Build | Execute, Learn)
        )
}

/// An answer that fits `ask`, chosen by `dice`.
fn fitting(ask: &Ask, dice: u8) -> Answer {
    let verdicts = [Verdict::Passed, Verdict::Failed, Verdict::Unknown];
    let measure = |criteria: &[Criterion]| {
        let of = |(n, c): (usize, &Criterion)| {
            let pick = usize::from(dice) / (n + 1);
            evidence(&c.id, verdicts[if dice < 100 { 0 } else { pick % 3 }])
        };
        let mut seen: Vec<Evidence> = criteria.iter().enumerate().map(of).collect();
        if dice.is_multiple_of(17) {
            seen.pop();
        }
        Answer::Checked(seen)
    };
    match ask {
        Ask::Recall => Answer::Recalled(vec![]),
        Ask::Observe => Answer::Observed(String::new()),
        Ask::Think => Answer::Options(vec![]),
        Ask::Plan => Answer::Planned(Plan {
            complaint: dice.is_multiple_of(29).then(|| "none".to_owned()),
            ..Plan::default()
        }),
        Ask::WriteCriteria { .. } => Answer::Criteria(
            (0..dice % 4)
                .map(|n| criterion(&format!("c{n}"), dice % 5 == n))
                .collect(),
        ),
        Ask::CheckBefore(criteria) | Ask::Verify(criteria) => measure(criteria),
        Ask::Work { .. } => ended(match dice % 23 {
            0 => WorkEnd::CutOff(String::new()),
            1 => WorkEnd::Failed(String::new()),
            2 => WorkEnd::Refused(String::new()),
            _ => WorkEnd::Finished,
        }),
        Ask::Learn(_) | Ask::End(_) => Answer::Learned(vec![]),
    }
}

proptest! {
    #[test]
    fn it_always_ends_in_legal_order_and_done_is_proven(
        dice in proptest::collection::vec(any::<u8>(), 64),
        execute_returns in 0u8..4,
        plan_returns in 0u8..3,
    ) {
        let limits = Limits { execute_returns, plan_returns };
        let mut machine = Machine::new(limits);
        let mut asks = 1;
        let mut proven = false;
        loop {
            let ask = machine.ask();
            if let Ask::End(outcome) = &ask {
                let done = matches!(outcome, Outcome::Done { .. });
                prop_assert!(!done || proven);
                break;
            }
            let answer = fitting(&ask, dice[asks % dice.len()]);
            match (&ask, &answer) {
                (Ask::Verify(criteria), Answer::Checked(seen)) => {
                    proven = !criteria.is_empty() && criteria.iter().all(|c| {
                        seen.iter().any(|e| e.criterion == c.id && e.verdict == Verdict::Passed)
                    });
                }
                (Ask::Work { .. }, _) => proven = false,
                _ => {}
            }
            prop_assert!(machine.answer(answer).is_ok());
            let next = machine.ask();
            prop_assert!(may_follow(ask.phase(), next.phase()), "{:?} -> {:?}", ask, next);
            asks += 1;
            prop_assert!(asks <= limits.most_asks(), "{} asks", asks);
        }
    }

    #[test]
    fn answers_in_any_order_never_break_it(dice in proptest::collection::vec(any::<(u8, u8)>(), 0..200)) {
        let kinds = [Ask::Recall, Ask::Observe, Ask::Think, Ask::Plan,
            Ask::WriteCriteria { complaint: None }, Ask::Verify(vec![criterion("c0", false)]),
            Ask::Work { round: 1, feedback: vec![] }, Ask::Learn(Outcome::Done { text: String::new() })];
        let mut machine = Machine::new(Limits::default());
        for (kind, value) in dice {
            let before = machine.clone();
            if machine.answer(fitting(&kinds[usize::from(kind) % kinds.len()], value)).is_err() {
                prop_assert_eq!(&machine, &before);
            }
        }
    }
}
