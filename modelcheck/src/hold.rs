//! What the moves of agents and of their executors come to.

use crate::agent::{Pc, Way, Work, step_name};
use crate::carrier::Fate;
use crate::ledger::{End, role};
use crate::state::State;
use crate::team::{HOST, LEASE_MS, MARGIN_MS, Team};
use crate::world::Executor;
use agents::steps::fold;
use bus::claim::once::claim_once;
use bus::error::BusError;
use bus::park::Parked;
use jiff::Timestamp;
use protocol::effect::{EffectClass, Recovery};
use protocol::envelope::{Envelope, MessageType};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl Team {
    pub(crate) fn class(&self, step: u8) -> EffectClass {
        self.classes[usize::from(step)]
    }

    pub(crate) fn way(&self, state: &State, work: &Work, step: u8) -> Way {
        let happened = state.world.made[usize::from(step)] > 0;
        work.way(step, self.class(step), happened)
    }

    pub(crate) fn sure(&self, state: &State, work: &Work) -> bool {
        work.until.saturating_sub(state.store.now) > LEASE_MS / 3
    }

    pub(crate) fn act(&self, state: &mut State, n: usize) {
        let call = state.world.running.remove(n);
        let class = self.class(call.step);
        state.world.act(&call, class);
        let (i, life) = call.of;
        let agent = &mut state.agents[i];
        if agent.life == life
            && let Some(work) = &mut agent.work
            && work.lease.epoch.0 == call.epoch
            && work.pc == Pc::Wait(call.step)
        {
            work.pc = Pc::Record(call.step);
        }
    }

    /// One call of an agent.
    pub(crate) fn go(&self, state: &mut State, i: usize, fate: Fate) {
        let Some(work) = state.agents[i].work.clone() else {
            return self.claim(state, i, fate);
        };
        let now = state.store.now;
        match work.pc {
            Pc::Sure => {
                self.renew(state, i, fate);
                let margin = if work.attempt > 1 && !self.broken.no_margin {
                    MARGIN_MS
                } else {
                    0
                };
                if let Some(work) = &mut state.agents[i].work {
                    // Nothing is known of the lease when the renewal was not heard.
                    work.pc = if work.until > now {
                        Pc::Open(now + margin)
                    } else {
                        Pc::LetGo
                    };
                }
            }
            Pc::Open(_) => {
                if self.read_journal(state, i) {
                    self.enter(state, i, fate);
                }
            }
            Pc::Enter => self.enter(state, i, fate),
            Pc::Tell => {
                let word = self.word(&work, MessageType::Progress, "progress", 1, Value::Null);
                let said = self.call(state, fate, async |bus| {
                    bus.progress(&work.lease, &word).await
                });
                self.then(state, i, said, |work| {
                    work.pc = if work.cancel {
                        Pc::Report(End::Cancelled)
                    } else {
                        Pc::Step(0)
                    };
                });
            }
            Pc::Step(step) => self.step(state, i, fate, &work, step),
            Pc::Confirm(step) => {
                let held = self.renew(state, i, fate);
                if let Some(work) = &mut state.agents[i].work
                    && work.pc == Pc::Confirm(step)
                {
                    if held {
                        work.pc = Pc::Call(step);
                    } else if work.until <= now {
                        self.let_go(state, i);
                    }
                }
            }
            Pc::Call(step) => self.start_call(state, i, &work, step),
            // The executor died by its deadline: recovered as a new holder would, if held still.
            Pc::Wait(step) => {
                self.renew(state, i, Fate::Answered);
                if let Some(work) = &mut state.agents[i].work
                    && work.pc == Pc::Wait(step)
                {
                    work.pc = Pc::Step(step);
                }
            }
            Pc::Record(step) => {
                self.append(
                    state,
                    i,
                    fate,
                    step,
                    EntryKind::Result,
                    json!({"ok": true}),
                    |work| {
                        work.done.insert(step);
                        work.pc = Pc::Step(step);
                    },
                );
            }
            Pc::Report(end) => self.report(state, i, fate, &work, end),
            Pc::LetGo => {
                let said = self.call(state, fate, async |bus| bus.give_back(&work.lease).await);
                if !said.is_err_and(|e| e.is_unreachable()) {
                    self.drop_work(state, i);
                }
            }
        }
        self.skip_done(state, i);
    }

    /// Steps with a result are not looked at again; after the last one comes the report.
    fn skip_done(&self, state: &mut State, i: usize) {
        if let Some(work) = &mut state.agents[i].work
            && matches!(work.pc, Pc::Step(_))
        {
            work.pc = match work.next_step(&self.classes) {
                Some(step) => Pc::Step(step),
                None => Pc::Report(End::Done),
            };
        }
    }

    fn claim(&self, state: &mut State, i: usize, fate: Fate) {
        let agent = &state.agents[i];
        let (instance, mut memory) = (agent.instance(i), agent.memory(i, state.epochs.len()));
        let said = self.call(state, fate, async |bus| {
            claim_once(bus, &role(), HOST, &instance, &mut memory).await
        });
        let now = state.store.now;
        let agent = &mut state.agents[i];
        agent.lost = memory.lost;
        if let Ok(Some(delivery)) = said {
            agent.work = Some(Box::new(Work {
                lease: delivery.lease,
                attempt: delivery.attempt,
                cancel: delivery.cancel,
                until: now,
                done: BTreeSet::new(),
                begun: BTreeMap::new(),
                answers: BTreeMap::new(),
                pc: Pc::Sure,
            }));
        }
    }

    /// Reads and folds the journal; whether that went well.
    fn read_journal(&self, state: &mut State, i: usize) -> bool {
        let task = self.task;
        let said = self.call(state, Fate::Answered, async |bus| {
            bus.journal_read(task).await
        });
        let Ok(entries) = said else {
            return false;
        };
        let Ok(folded) = fold(entries) else {
            return false;
        };
        let steps = self.classes.len() as u8;
        let named =
            |has: &dyn Fn(&str) -> bool| (0..steps).filter(|s| has(&step_name(*s))).collect();
        let done: BTreeSet<u8> = named(&|name| folded.done.contains_key(name));
        let begun: BTreeSet<u8> = named(&|name| folded.begun.contains_key(name));
        if let Some(work) = &mut state.agents[i].work {
            work.done = done;
            work.begun = begun
                .into_iter()
                .map(|s| {
                    let seen = &folded.begun[&step_name(s)].seen;
                    (s, seen["tree"].as_str().unwrap_or_default().to_owned())
                })
                .collect();
            work.answers = (0..steps)
                .filter_map(|s| {
                    let (asked, said) = folded.answers.get(&step_name(s))?;
                    let begun = folded.begun.get(&step_name(s))?;
                    (*asked >= begun.epoch).then(|| (s, said["choice"] == "happened"))
                })
                .collect();
            work.pc = Pc::Enter;
        }
        true
    }

    fn enter(&self, state: &mut State, i: usize, fate: Fate) {
        let Some(work) = state.agents[i].work.clone() else {
            return;
        };
        let entry = entry(&work, "claimed", EntryKind::Claimed, json!({}));
        let said = self.call(state, fate, async |bus| {
            bus.journal_append(&work.lease, &entry).await
        });
        self.then(state, i, said, |work| work.pc = Pc::Tell);
    }

    fn step(&self, state: &mut State, i: usize, fate: Fate, work: &Work, step: u8) {
        if state.agents[i].yields {
            return self.let_go(state, i);
        }
        let class = self.class(step);
        let way = self.way(state, work, step);
        // The world is looked at through an executor, and only while the lease surely runs.
        if matches!(way, Way::Intent | Way::ResetAndCall(_)) && !self.sure(state, work) {
            self.renew(state, i, Fate::Answered);
            return;
        }
        let mut to = |pc| {
            if let Some(work) = &mut state.agents[i].work {
                work.pc = pc;
            }
        };
        match way {
            Way::Call => to(Pc::Call(step)),
            Way::TakeAsDone => to(Pc::Record(step)),
            Way::Ask => to(Pc::Report(End::Asks(step))),
            Way::ResetAndCall(tree) => {
                to(Pc::Call(step));
                state.world.reset(&self.classes, &tree);
            }
            Way::Intent => {
                let tree = match class {
                    EffectClass::Contained | EffectClass::Probed => state.world.tree(&self.classes),
                    _ => String::new(),
                };
                let seen = json!({ "tree": tree });
                self.append(state, i, fate, step, EntryKind::Intent, seen, |work| {
                    work.begun.insert(step, tree);
                    work.answers.remove(&step);
                    work.pc = match class.recovery() {
                        Recovery::AskPerson => Pc::Confirm(step),
                        _ => Pc::Call(step),
                    };
                });
            }
        }
    }

    fn start_call(&self, state: &mut State, i: usize, work: &Work, step: u8) {
        if !self.sure(state, work) {
            self.renew(state, i, Fate::Answered);
            return;
        }
        let epoch = work.lease.epoch.0;
        let key = if self.broken.fresh_keys { epoch } else { 0 };
        let until = if self.broken.orphans {
            u64::MAX
        } else {
            work.until
        };
        let of = (i, state.agents[i].life);
        state.world.running.push(Executor {
            of,
            epoch,
            step,
            key: (step, key),
            until,
        });
        if let Some(work) = &mut state.agents[i].work {
            work.pc = Pc::Wait(step);
        }
    }

    fn report(&self, state: &mut State, i: usize, fate: Fate, work: &Work, end: End) {
        let text = match end {
            End::Done => json!({"end": "done"}),
            End::Cancelled => json!({"end": "cancelled"}),
            End::Asks(step) => json!({"end": "asks", "step": step}),
        };
        let kind = match end {
            End::Done => 2,
            End::Cancelled => 3,
            End::Asks(_) => 4,
        };
        let word = self.word(work, MessageType::Result, "report", kind, text);
        if let End::Asks(_) = end {
            let said = self.call(state, fate, async |bus| bus.park(&work.lease, &word).await);
            let waits = matches!(said, Ok(Parked::Waits));
            self.then(state, i, said.map(drop), |work| {
                work.pc = Pc::Report(End::Cancelled)
            });
            if waits {
                self.drop_work(state, i);
            }
            return;
        }
        let said = self.call(state, fate, async |bus| {
            bus.finish(&work.lease, &word).await
        });
        if said.is_ok() {
            state.acknowledged.insert(work.lease.epoch.0);
            if state.acknowledged.len() > 1 {
                state.wrong = Some(crate::state::Wrong::TwoAcknowledged);
            }
            return self.drop_work(state, i);
        }
        self.then(state, i, said, |_| {});
    }

    #[allow(clippy::too_many_arguments, reason = "one journal entry, spelled out")]
    fn append(
        &self,
        state: &mut State,
        i: usize,
        fate: Fate,
        step: u8,
        kind: EntryKind,
        body: Value,
        then: impl FnOnce(&mut Work),
    ) {
        let Some(work) = state.agents[i].work.clone() else {
            return;
        };
        let entry = entry(&work, &step_name(step), kind, body);
        let said = self.call(state, fate, async |bus| {
            bus.journal_append(&work.lease, &entry).await
        });
        self.then(state, i, said, then);
    }

    /// As `Hold::insist` does: said again while the lease runs, else the task is let go; where the
    /// bus refuses the write, somebody else has the task.
    fn then(
        &self,
        state: &mut State,
        i: usize,
        said: Result<(), BusError>,
        good: impl FnOnce(&mut Work),
    ) {
        let now = state.store.now;
        match said {
            Ok(()) => {
                if let Some(work) = &mut state.agents[i].work {
                    good(work);
                }
            }
            Err(error) if error.is_unreachable() => {
                let over = state.agents[i]
                    .work
                    .as_ref()
                    .is_some_and(|w| w.until <= now);
                if over {
                    self.let_go(state, i);
                }
            }
            Err(_) => self.drop_work(state, i),
        }
    }

    /// A message of a holder; the same one has the same id.
    fn word(&self, work: &Work, kind: MessageType, action: &str, n: u64, text: Value) -> Envelope {
        let mut word = Envelope::new(&self.name, kind, &work.lease.instance, "supervisor");
        word.id = uuid::Uuid::from_u128(u128::from(n) << 64 | u128::from(work.lease.epoch.0));
        word.epoch = Some(work.lease.epoch);
        word.payload.task_id = Some(work.lease.task);
        word.payload.action = action.to_owned();
        word.payload.context = text;
        word
    }
}

fn entry(work: &Work, step: &str, kind: EntryKind, body: Value) -> JournalEntry {
    JournalEntry {
        v: JOURNAL_VERSION,
        epoch: work.lease.epoch,
        at: Timestamp::UNIX_EPOCH,
        step: step.to_owned(),
        kind,
        body,
    }
}
