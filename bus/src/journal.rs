//! The journal of a task: appended by its holder alone, folded by the next one, expired once the
//! ledger has it. What the holder tells the supervisor at the same moment goes in the same call.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::lease::Lease;
use crate::scripts;
use protocol::envelope::Envelope;
use protocol::ids::TaskId;
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::limits::JOURNAL_INLINE_BYTES;
use redis::Script;
use serde::Deserialize;
use std::time::Duration;

/// Longest name of a step, in bytes.
const STEP_BYTES: usize = 512;
/// Most entries of one journal.
const ENTRIES: u64 = 100_000;
/// Entries fetched at a time.
const PAGE: usize = 256;
/// Most tasks of one call; more are sent as several.
const BATCH: usize = 64;
/// What is said of a call without an answer.
const SILENT: &str = "the append script did not answer";

/// Fields and values of a stream's entry; several values may have the same name.
type Fields = Vec<(String, Vec<u8>)>;

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// How values go to a stream.
#[derive(Default, Clone, Copy)]
struct Rules {
    /// Where the stream is full, the rest is written without them.
    may_be_left_out: bool,
    /// Values of one call lie in one entry of the stream.
    share: bool,
}

/// What one task's holder writes down and tells.
#[derive(Debug, Clone, Copy)]
pub struct Recording<'a> {
    /// The claim it writes under.
    pub lease: &'a Lease,
    /// Entries of the journal.
    pub entries: &'a [JournalEntry],
    /// What the supervisor is told then.
    pub told: &'a [Envelope],
}

impl Recording<'_> {
    /// Whether something is begun by it.
    fn begins(&self) -> bool {
        let begins =
            |e: &JournalEntry| matches!(e.kind, EntryKind::Intent | EntryKind::ModelRequest);
        self.entries.iter().any(begins)
    }

    /// What was done is always written down; nothing is begun without room.
    fn script(&self) -> &'static Script {
        match self.begins() {
            true => &scripts::APPEND,
            false => &scripts::APPEND_ALWAYS,
        }
    }
}

impl Bus {
    /// Appends an entry under the lease. A body of more than [`JOURNAL_INLINE_BYTES`] is refused
    /// (keep it as a blob first); an old epoch is [`BusError::Fenced`]. After
    /// [`BusError::Unreachable`] the very same entry may be appended again: it is kept once. Where
    /// Redis has no room, an intent or a request is [`BusError::Full`]; a result is taken still.
    pub async fn journal_append(
        &self,
        lease: &Lease,
        entry: &JournalEntry,
    ) -> Result<(), BusError> {
        self.record(lease, std::slice::from_ref(entry), &[]).await
    }

    /// Tells the supervisor how a held task gets on, over the role's own out stream; refused with
    /// [`BusError::Full`] where Redis has no room, as the report at the end says it all again. After
    /// [`BusError::Unreachable`] it may or may not have arrived; the same envelope again is fine,
    /// because the supervisor takes an envelope's id once.
    pub async fn progress(&self, lease: &Lease, envelope: &Envelope) -> Result<(), BusError> {
        let out = self.keys().out(&lease.role);
        let told = vec![envelope.to_bytes()?];
        let call = Call::on([self.keys().task(&lease.role, lease.task)])
            .arg(lease.epoch.0)
            .arg(1)
            .arg(0);
        let call = stream(call, out, "e", self.queue_limit(), Rules::default(), told);
        let words: Vec<String> = self.run(&scripts::APPEND, &call, Again::Yes).await?;
        self.written(lease, words.first()).map(drop)
    }

    /// Appends entries and then tells the supervisor, all in one step: nobody is told what the
    /// journal does not hold. What [`journal_append`](Self::journal_append) says holds for the
    /// whole. Words for which the out stream has no room are left out, the entries are kept: the
    /// report at the end says it all again.
    pub async fn record(
        &self,
        lease: &Lease,
        entries: &[JournalEntry],
        told: &[Envelope],
    ) -> Result<(), BusError> {
        let one = Recording {
            lease,
            entries,
            told,
        };
        let call = self.append(Call::default(), &one)?;
        let words: Vec<String> = self.run(one.script(), &call, Again::Yes).await?;
        self.recorded(&one, words.first())
    }

    /// Records for several tasks, each as [`record`](Self::record) does; one answer for each, in
    /// order. When the call fails as a whole, some may be written: the same call again is fine.
    pub async fn record_many(
        &self,
        all: &[Recording<'_>],
    ) -> Result<Vec<Result<(), BusError>>, BusError> {
        let mut said: Vec<Option<Result<(), BusError>>> = all.iter().map(|_| None).collect();
        // What begins something is refused where there is no room, the rest never.
        for begins in [false, true] {
            let of = |n: &usize| all[*n].begins() == begins;
            let places: Vec<usize> = (0..all.len()).filter(of).collect();
            for places in places.chunks(BATCH) {
                let (mut call, mut sent) = (Call::default(), Vec::with_capacity(places.len()));
                for n in places {
                    match self.append(Call::default(), &all[*n]) {
                        Ok(one) => {
                            call = call.and(one);
                            sent.push(*n);
                        }
                        Err(error) => said[*n] = Some(Err(error)),
                    }
                }
                let Some(first) = sent.first() else {
                    continue;
                };
                let script = all[*first].script();
                let words: Vec<String> = self.run(script, &call, Again::Yes).await?;
                for (n, word) in sent.iter().zip(words.iter().map(Some)) {
                    said[*n] = Some(self.recorded(&all[*n], word));
                }
            }
        }
        let silent = || Err(BusError::Redis(SILENT.to_owned()));
        let said = said.into_iter();
        Ok(said.map(|one| one.unwrap_or_else(silent)).collect())
    }

    /// One task's part of a call.
    fn append(&self, call: Call, one: &Recording<'_>) -> Result<Call, BusError> {
        let (names, lease) = (self.keys(), one.lease);
        let streams = u8::from(!one.entries.is_empty()) + u8::from(!one.told.is_empty());
        let known = match one.entries {
            [] => 0,
            _ => lease.journal.get(),
        };
        let mut call = call
            .key(names.task(&lease.role, lease.task))
            .arg(lease.epoch.0)
            .arg(streams)
            .arg(known);
        if !one.entries.is_empty() {
            let written = one.entries.iter().map(bytes).collect::<Result<_, _>>()?;
            let journal = names.journal(&lease.role, lease.task);
            let rules = Rules {
                share: true,
                ..Rules::default()
            };
            call = stream(call, journal, "j", ENTRIES, rules, written);
        }
        if !one.told.is_empty() {
            let written = one.told.iter().map(Envelope::to_bytes);
            let written = written.collect::<Result<_, _>>()?;
            let out = names.out(&lease.role);
            let rules = Rules {
                may_be_left_out: true,
                ..Rules::default()
            };
            call = stream(call, out, "e", self.queue_limit(), rules, written);
        }
        Ok(call)
    }

    fn recorded(&self, one: &Recording<'_>, word: Option<&String>) -> Result<(), BusError> {
        let entries = self.written(one.lease, word)?;
        if !one.entries.is_empty() {
            one.lease.journal.set(entries);
        }
        Ok(())
    }

    /// How many entries the first stream of an append has now.
    fn written(&self, lease: &Lease, word: Option<&String>) -> Result<u64, BusError> {
        let word = word.ok_or_else(|| BusError::Redis(SILENT.to_owned()))?;
        match word.parse() {
            Ok(entries) => Ok(entries),
            Err(_) => self.settled(lease, word).map(|()| 0),
        }
    }

    /// Every entry of a task's journal, oldest first; empty where there is none. An entry written
    /// by a newer binary is refused, never half read.
    pub async fn journal_read(&self, task: TaskId) -> Result<Vec<JournalEntry>, BusError> {
        let Some(role) = self.role_of(task).await? else {
            return Ok(Vec::new());
        };
        let stream = self.keys().journal(&role, task);
        let mut entries = Vec::new();
        let mut from = "-".to_owned();
        loop {
            let page: Vec<(String, Fields)> = self
                .query(
                    redis::cmd("XRANGE")
                        .arg(&stream)
                        .arg(&from)
                        .arg("+")
                        .arg("COUNT")
                        .arg(PAGE),
                    Again::Yes,
                )
                .await?;
            for (_, fields) in &page {
                if !fields.iter().any(is_entry) {
                    entries.push(read(task, &[])?);
                }
                for (_, value) in fields.iter().filter(|field| is_entry(field)) {
                    entries.push(read(task, value)?);
                }
            }
            match page.last() {
                Some((id, _)) if page.len() == PAGE => from = format!("({id}"),
                _ => return Ok(entries),
            }
        }
    }

    /// Lets all that the bus keeps of an ended task expire `after` this time: record, journal,
    /// budget. Until then it is still known, so a late retry of its submission changes nothing.
    /// A task that waits or is held is refused; one that is unknown is fine.
    pub async fn journal_expire(&self, task: TaskId, after: Duration) -> Result<(), BusError> {
        let Some(role) = self.role_of(task).await? else {
            return Ok(());
        };
        let names = self.keys();
        let call = Call::on([
            names.role_of(task),
            names.task(&role, task),
            names.journal(&role, task),
            names.task_spend(task),
            names.given(task),
        ])
        .arg(after.as_millis().max(1));
        let answer: String = self.run(&scripts::FORGET, &call, Again::Yes).await?;
        if answer == "busy" {
            return Err(BusError::Refused(format!(
                "task {task} has not ended: finish or cancel it first"
            )));
        }
        Ok(())
    }
}

/// One more stream of an append, with what it gets.
fn stream(
    call: Call,
    key: String,
    field: &str,
    limit: u64,
    rules: Rules,
    values: Vec<Vec<u8>>,
) -> Call {
    let call = call
        .key(key)
        .arg(field)
        .arg(limit)
        .arg(u8::from(rules.may_be_left_out))
        .arg(u8::from(rules.share))
        .arg(values.len());
    values.into_iter().fold(call, Call::bytes)
}

/// An entry as it lies in the journal.
fn bytes(entry: &JournalEntry) -> Result<Vec<u8>, BusError> {
    let text = |e: serde_json::Error| BusError::Refused(format!("a journal entry is JSON: {e}"));
    let body = serde_json::to_vec(&entry.body).map_err(text)?.len();
    if body > JOURNAL_INLINE_BYTES || entry.step.len() > STEP_BYTES {
        return Err(BusError::Refused(format!(
            "a journal entry of {body} bytes is larger than {JOURNAL_INLINE_BYTES}: keep the body as a blob"
        )));
    }
    serde_json::to_vec(entry).map_err(text)
}

/// Of a holder or of a person.
fn is_entry((name, _): &(String, Vec<u8>)) -> bool {
    name == "j" || name == "w"
}

fn read(task: TaskId, bytes: &[u8]) -> Result<JournalEntry, BusError> {
    let broken = |e: serde_json::Error| {
        BusError::Refused(format!(
            "the journal of task {task} has an unreadable entry: {e}"
        ))
    };
    let Version { v } = serde_json::from_slice(bytes).map_err(broken)?;
    if v > JOURNAL_VERSION {
        return Err(BusError::Refused(format!(
            "the journal of task {task} has version {v}, this binary reads up to {JOURNAL_VERSION}: upgrade ai-infra"
        )));
    }
    serde_json::from_slice(bytes).map_err(broken)
}
