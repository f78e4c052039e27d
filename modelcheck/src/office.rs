//! The moves of the supervisor and of the person: what `supervisor/src/dispatch.rs` and `settle.rs`
//! do between the ledger and the bus, one word at a time.

use crate::agent::step_name;
use crate::carrier::Fate;
use crate::ledger::{End, Page, Reply, Word, role};
use crate::state::{Fold, Office, State, Wrong};
use crate::team::{Move, Team};
use bus::error::BusError;
use bus::park::Resumed;
use protocol::effect::EffectClass;
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::Epoch;
use protocol::journal::{EntryKind, JournalEntry};
use protocol::task_state::TaskState;
use std::time::Duration;

const KEPT: Duration = Duration::from_secs(3600);

impl Team {
    pub(crate) fn moves_of_office(&self, state: &State, moves: &mut Vec<Move>) {
        let page = self.ledgers.page(state.ledger);
        let left = state.left;
        let lost = left.lost > 0 && left.all > 0;
        let say = |moves: &mut Vec<Move>, what: fn(Fate) -> Move| {
            moves.push(what(Fate::Answered));
            if lost {
                moves.push(what(Fate::Lost));
            }
        };
        match state.office.fold {
            None if self.oldest(state).is_some() => moves.push(Move::Fold),
            None => {}
            Some(Fold::Owes(_)) => say(moves, Move::Pay),
            Some(Fold::Paid) => moves.push(Move::LetGo),
        }
        let open = !page.state.is_final() && !matches!(page.state, TaskState::Waiting { .. });
        if open && !self.known(state) {
            say(moves, Move::Send);
        }
        match state.office.stopped {
            Some(_) => moves.push(Move::Stopped),
            None if page.stop_owed => say(moves, Move::Stop),
            None => {}
        }
        match state.office.resumed {
            Some(_) => moves.push(Move::Resumed),
            None if page.resume_owed.is_some() => say(moves, Move::Resume),
            None => {}
        }
        if matches!(page.state, TaskState::Waiting { .. }) {
            moves.push(Move::Answer);
        }
        if left.cancel > 0 && left.all > 0 && !page.state.is_final() {
            moves.push(Move::Cancel);
        }
        if left.office > 0 && left.all > 0 && state.office != Office::default() {
            moves.push(Move::OfficeDies);
        }
    }

    /// Whether the task is over in the ledger and nothing of it waits on the bus.
    pub fn at_rest(&self, state: &State) -> bool {
        let lane = self.lane();
        let queue = self.keys.work(&lane, protocol::task::Class::Normal);
        let empty = |key: String| {
            state
                .store
                .stream(&key)
                .is_none_or(|s| s.entries.is_empty())
        };
        self.ledgers.page(state.ledger).state.is_final()
            && state.office.fold.is_none()
            && empty(self.keys.out(&role()))
            && empty(queue)
            && state.store.size(&self.keys.lease(&lane)) == 0
            && state.store.size(&self.keys.back(&lane)) == 0
            && state.store.size(&self.keys.delay(&lane)) == 0
    }

    fn known(&self, state: &State) -> bool {
        let name = state.store.field(&self.record(), "state");
        name.is_some_and(|name| name != "removed")
    }

    /// The oldest message of the out stream: its entry's id, and what it says.
    fn oldest(&self, state: &State) -> Option<((u64, u64), Envelope)> {
        let out = state.store.stream(&self.keys.out(&role()))?;
        let id = *out.entries.keys().next()?;
        let envelope = Envelope::parse(out.values("e").next()?).ok()?;
        Some((id, envelope))
    }

    fn heard(&self, state: &State, envelope: &Envelope) -> Word {
        let rank = state.rank(envelope.epoch.unwrap_or(Epoch(0)).0);
        let text = &envelope.payload.context;
        match (envelope.kind, text["end"].as_str()) {
            (MessageType::Progress, _) => Word::Claimed(rank),
            (MessageType::Result, Some("done")) => Word::Report(rank, End::Done),
            (MessageType::Result, Some("asks")) => {
                let step = text["step"].as_u64().unwrap_or(0) as u8;
                Word::Report(rank, End::Asks(step))
            }
            (MessageType::Result, _) => Word::Report(rank, End::Cancelled),
            _ => Word::Dead(rank),
        }
    }

    fn tell(&self, state: &mut State, word: Word) -> Reply {
        let before = self.ledgers.page(state.ledger);
        match self.ledgers.tell(state.ledger, word) {
            Ok((point, reply)) => {
                state.ledger = point;
                let after = self.ledgers.page(point);
                if before.state.is_final() && after.state != before.state {
                    state.wrong = Some(Wrong::LedgerMoved);
                }
                reply
            }
            Err(why) => {
                state.wrong = Some(Wrong::LedgerRefused(why));
                Reply::Ignored
            }
        }
    }

    pub(crate) fn office(&self, state: &mut State, what: Move) {
        let page = self.ledgers.page(state.ledger);
        match what {
            Move::Send(_) if page.state == TaskState::Cancelling => {
                self.tell(state, Word::Gone);
            }
            Move::Send(fate) => self.submit(state, fate),
            Move::Fold => {
                if let Some((_, envelope)) = self.oldest(state) {
                    let word = self.heard(state, &envelope);
                    let reply = self.tell(state, word);
                    state.office.fold = Some(Fold::Owes(reply));
                }
            }
            Move::Pay(fate) => self.pay(state, fate),
            Move::LetGo => {
                if let Some((id, _)) = self.oldest(state) {
                    let out = self.keys.out(&role()).into_bytes();
                    let id = format!("{}-{}", id.0, id.1).into_bytes();
                    let _ = state.store.command(&[b"XDEL".to_vec(), out, id]);
                }
                state.office.fold = None;
            }
            Move::Cancel => {
                state.left.cancel -= 1;
                state.left.all -= 1;
                self.tell(state, Word::OweStop);
            }
            Move::Stop(fate) => {
                let task = self.task;
                let said = self.call(state, fate, async |bus| bus.cancel(task).await);
                state.office.stopped = Some(said.ok());
            }
            Move::Stopped => {
                if let Some(met) = state.office.stopped.take() {
                    self.tell(state, Word::Cancel(met));
                }
            }
            Move::Answer => self.answer(state),
            Move::Resume(fate) => self.resume(state, &page, fate),
            Move::Resumed => {
                if let Some((lost, rank)) = state.office.resumed.take() {
                    if lost {
                        self.tell(state, Word::ResumeLost);
                    }
                    self.tell(state, Word::Resumed(rank));
                }
            }
            Move::OfficeDies => {
                state.left.office -= 1;
                state.left.all -= 1;
                state.office = Office::default();
            }
            _ => {}
        }
    }

    fn pay(&self, state: &mut State, fate: Fate) {
        let Some(Fold::Owes(reply)) = state.office.fold else {
            return;
        };
        let Some((_, envelope)) = self.oldest(state) else {
            return;
        };
        let task = self.task;
        let said = match (reply, envelope.kind) {
            (Reply::Ended, MessageType::Progress) => {
                self.call(state, fate, async |bus| bus.cancel(task).await.map(drop))
            }
            (Reply::Ended | Reply::Kept(true), _) => self.call(state, fate, async |bus| {
                match bus.journal_expire(task, KEPT).await {
                    // What the bus keeps of it stays.
                    Err(BusError::Refused(_)) => Ok(()),
                    said => said,
                }
            }),
            _ => Ok(()),
        };
        state.office.fold = said.is_ok().then_some(Fold::Paid);
    }

    /// The step a person is asked about: begun and without a result.
    fn asked(&self, state: &State) -> Option<u8> {
        let journal = state.store.stream(&self.keys.journal(&role(), self.task))?;
        let entries: Vec<serde_json::Value> = journal
            .values("j")
            .filter_map(|entry| serde_json::from_slice(entry).ok())
            .collect();
        let has = |step: u8, kind: EntryKind| {
            let kind = serde_json::to_value(kind).unwrap_or_default();
            entries
                .iter()
                .any(|e| e["step"] == step_name(step) && e["kind"] == kind)
        };
        (0..self.classes.len() as u8).find(|step| {
            self.classes[usize::from(*step)] == EffectClass::Once
                && has(*step, EntryKind::Intent)
                && !has(*step, EntryKind::Result)
        })
    }

    /// The person looks at the world and says what is true.
    fn answer(&self, state: &mut State) {
        let step = self.asked(state).unwrap_or(0);
        let happened = state.world.made[usize::from(step)] > 0;
        self.tell(state, Word::Answer(happened));
    }

    fn resume(&self, state: &mut State, page: &Page, fate: Fate) {
        let Some((rank, kept)) = page.resume_owed.clone() else {
            return;
        };
        let index = usize::try_from(rank).unwrap_or(0).saturating_sub(1);
        let epoch = state.epochs.get(index).copied().unwrap_or(0);
        // The ledger counts claims where the bus has epochs.
        let entry = kept.map(|kept| JournalEntry {
            epoch: Epoch(epoch),
            ..kept
        });
        let task = self.task;
        let said = self.call(state, fate, async |bus| {
            let way = (&role(), None);
            bus.resume(task, Epoch(epoch), way, entry.as_ref(), &self.envelope)
                .await
        });
        state.office.resumed = match said {
            Ok(Resumed::Queued | Resumed::Again) => Some((false, rank)),
            Ok(Resumed::Unknown) => Some((entry.is_some(), rank)),
            Ok(Resumed::Ended) => Some((true, rank)),
            Err(_) => None,
        };
    }
}
