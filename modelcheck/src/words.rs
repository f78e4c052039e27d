//! A way through the model in words: who does what, and where the task stands after it.

use crate::agent::{Agent, Pc};
use crate::carrier::Fate;
use crate::state::State;
use crate::team::{Move, Team};
use std::fmt::Write;

/// Each move of a way, a line each, and what was wrong at its end.
pub fn tell(team: &Team, moves: &[Move]) -> String {
    let mut state = team.first();
    let mut text = String::new();
    for (n, what) in moves.iter().enumerate() {
        let said = sentence(&state, *what);
        if let Some(next) = team.after(&state, *what) {
            state = next;
        }
        let bus = state.store.field(&team.record(), "state");
        let _ = writeln!(
            text,
            "{:>3}. {said:<58} bus {}, claim {}; ledger {}; effects {:?}",
            n + 1,
            bus.as_deref().unwrap_or("-"),
            state.epochs.len(),
            team.ledgers.page(state.ledger).state,
            state.world.made,
        );
    }
    if let Some(wrong) = &state.wrong {
        let _ = writeln!(text, "     {wrong:?}");
    }
    text
}

fn sentence(state: &State, what: Move) -> String {
    let said = match what {
        Move::Go(i, _) => format!("agent {i} {}", next(&state.agents[i])),
        Move::Renew(i) => format!("agent {i} renews and hears that it is to stop"),
        Move::GiveUp(i) => format!("agent {i} sees its lease run out and lets go"),
        Move::Act(n) => {
            let call = &state.world.running[n];
            format!(
                "the call of agent {}, step {}, has its effect",
                call.of.0, call.step
            )
        }
        Move::Time(ms, None) => format!("{ms} ms pass; who holds a task renews"),
        Move::Time(ms, Some(i)) => format!("{ms} ms pass; agent {i} renews unheard"),
        Move::Outage(true) => "redis is away for long and started anew".to_owned(),
        Move::Outage(false) => "redis stands still for long".to_owned(),
        Move::Crash(i) => format!("agent {i} is killed"),
        Move::Release(_) => "the daemon frees what the dead one held".to_owned(),
        Move::Pause(i) => format!("agent {i} is stopped (SIGSTOP)"),
        Move::Wake(i) => format!("agent {i} goes on (SIGCONT)"),
        Move::Yield(i) => format!("agent {i} is told to give back"),
        Move::Send(_) => "the supervisor sends the task".to_owned(),
        Move::Fold => "the supervisor folds a message".to_owned(),
        Move::Pay(_) => "the supervisor tells the bus what that owes".to_owned(),
        Move::LetGo => "the supervisor lets go of the message".to_owned(),
        Move::Cancel => "a person cancels".to_owned(),
        Move::Stop(_) => "the supervisor tells the bus to stop".to_owned(),
        Move::Stopped => "the supervisor writes down what it said".to_owned(),
        Move::Answer => "a person answers what is true".to_owned(),
        Move::Resume(_) => "the supervisor tells the bus to go on".to_owned(),
        Move::Resumed => "the supervisor writes down that it goes on".to_owned(),
        Move::OfficeDies => "the supervisor is killed".to_owned(),
    };
    if what.loses() && !matches!(what, Move::Time(..)) {
        return said + " (unanswered)";
    }
    said
}

fn next(agent: &Agent) -> String {
    let Some(work) = &agent.work else {
        return "claims".to_owned();
    };
    match work.pc {
        Pc::Sure => "renews before anything else".to_owned(),
        Pc::Open(_) => "reads the journal, writes that it took the task".to_owned(),
        Pc::Enter => "writes that it took the task".to_owned(),
        Pc::Tell => "tells the supervisor that it took the task".to_owned(),
        Pc::Step(step) => match (work.begun.contains_key(&step), work.answers.get(&step)) {
            (false, _) => format!("writes the intent of step {step}"),
            (true, None) => format!("recovers step {step}"),
            (true, Some(_)) => format!("acts on the answer about step {step}"),
        },
        Pc::Confirm(step) => format!("asks whether it may make the call of step {step}"),
        Pc::Call(step) => format!("starts the call of step {step}"),
        Pc::Wait(step) => format!("sees that the call of step {step} died"),
        Pc::Record(step) => format!("writes the result of step {step}"),
        Pc::Report(end) => format!("reports {end:?}"),
        Pc::LetGo => "gives the task back".to_owned(),
    }
}

impl Move {
    /// Whether a call of it is carried out and not answered.
    pub fn loses(self) -> bool {
        matches!(
            self,
            Move::Go(_, Fate::Lost)
                | Move::Time(_, Some(_))
                | Move::Release(Fate::Lost)
                | Move::Send(Fate::Lost)
                | Move::Pay(Fate::Lost)
                | Move::Stop(Fate::Lost)
                | Move::Resume(Fate::Lost)
        )
    }
}
