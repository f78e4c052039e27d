//! What people say to a held task. It is looked for between two steps; what was heard before which
//! step is in the journal, so a later holder hears the same words at the same place, once.

use crate::record::Record;
use crate::stop::Stop;
use crate::workbench::Workbench;
use protocol::envelope::Envelope;
use protocol::journal::{EntryKind, JournalEntry};
use protocol::report::Progress;
use protocol::word::Word;

/// What was heard so far.
#[derive(Debug, Default)]
pub struct Hearing {
    /// Every word, in the order it was heard.
    pub words: Vec<Word>,
    /// The number of the last thing that was told to the task when it was looked.
    looked: u64,
}

impl Hearing {
    /// What is to be taken in before a step, journaled there with a word to the supervisor. Where a
    /// holder before has gone on without (`decided`), there is nothing new.
    pub async fn before(
        &mut self,
        bench: &mut Workbench,
        record: &Record,
        step: &str,
        decided: bool,
    ) -> Result<Vec<Word>, Stop> {
        let heard = format!("{step}/heard");
        if let Some(words) = bench.steps.recorded::<Vec<Word>>(&heard)? {
            // A test leaves this guarantee out and must hear the words again.
            if !bench.bus.faults().words_again() {
                self.took(record, &words);
            }
            return Ok(words);
        }
        if decided {
            return Ok(Vec::new());
        }
        let words = self.look(bench).await?;
        if words.is_empty() {
            return Ok(words);
        }
        let mut told: Vec<Envelope> = Vec::with_capacity(words.len());
        for word in &words {
            tracing::info!(number = word.number, by = word.by.name, "hears a word");
            told.push(bench.outbox.word(&Progress::Heard {
                number: word.number,
                text: word.text.clone(),
            })?);
        }
        let Workbench { steps, .. } = bench;
        steps
            .record_and_tell(&heard, EntryKind::Result, &words, &told)
            .await?;
        self.took(record, &words);
        Ok(words)
    }

    fn took(&mut self, record: &Record, words: &[Word]) {
        let many = words.len() as u64;
        record.screen.of_task(|held| held.words += many);
        self.words.extend_from_slice(words);
    }

    /// What was said since the last look; mostly one small question to the bus.
    async fn look(&mut self, bench: &Workbench) -> Result<Vec<Word>, Stop> {
        let (bus, task, role) = (&bench.bus, bench.task.id, &bench.agent.name);
        let hold = &bench.toolbox.sandboxes.hold;
        let last = self.words.last().map_or(0, |word| word.number);
        let told = hold.insist(|| bus.told_to(role, task)).await?;
        if told <= last.max(self.looked) {
            return Ok(Vec::new());
        }
        let entries = hold.insist(|| bus.words_of(task)).await?;
        self.looked = told;
        fresh(entries, last, |text| bench.toolbox.hide(text))
    }
}

/// The words of a journal after a number, their secrets hidden: they go on to a model, to this task's journal and
/// to the supervisor.
fn fresh(
    entries: Vec<JournalEntry>,
    last: u64,
    hide: impl Fn(&str) -> String,
) -> Result<Vec<Word>, Stop> {
    let mut words = Vec::new();
    for entry in entries {
        let mut word: Word = serde_json::from_value(entry.body).map_err(|e| {
            let step = entry.step;
            Stop::Fail(format!("the journal's {step} cannot be read: {e}"))
        })?;
        if word.number > last {
            word.text = hide(&word.text);
            words.push(word);
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::Timestamp;
    use protocol::ids::Epoch;
    use protocol::journal::JOURNAL_VERSION;
    use serde_json::{Value, json};

    fn entry(body: Value) -> JournalEntry {
        JournalEntry {
            v: JOURNAL_VERSION,
            epoch: Epoch(0),
            at: Timestamp::UNIX_EPOCH,
            step: "word/1".to_owned(),
            kind: EntryKind::Word,
            body,
        }
    }

    #[test]
    fn only_what_came_after_the_last_word_is_new() {
        let word = |number: u64| {
            entry(json!({"number": number, "text": "w", "by": {"uid": 1, "name": "a"}}))
        };
        let all = || vec![word(1), word(2), word(4)];
        for (last, expected) in [(0, vec![1, 2, 4]), (2, vec![4]), (4, vec![])] {
            let numbers: Vec<u64> = fresh(all(), last, str::to_owned)
                .unwrap()
                .iter()
                .map(|w| w.number)
                .collect();
            assert_eq!(numbers, expected);
        }
        let said = fresh(vec![entry(json!("no word"))], 0, str::to_owned).unwrap_err();
        assert!(said.to_string().contains("word/1 cannot be read"), "{said}");
    }

    #[test]
    fn a_secret_that_is_said_is_hidden_as_it_is_heard() {
        let text = "use hunter2-hunter2";
        let said = entry(json!({"number": 1, "text": text, "by": {"uid": 1, "name": "a"}}));
        let redactor = guard::redact::Redactor::new(["hunter2-hunter2".to_owned()]);
        let heard = fresh(vec![said], 0, |text| redactor.text(text)).unwrap();
        assert_eq!(heard[0].text, "use [secret]");
    }
}
