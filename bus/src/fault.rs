//! Leaves guarantees of the scripts out where a test asks for it: the lines that carry one are
//! marked, and a fault drops them. Without debug assertions every script is as written.

use protocol::fault::Faults;
use redis::Script;
#[cfg(debug_assertions)]
use std::collections::HashMap;

/// The faults of a bus, and the scripts they change.
#[derive(Default)]
pub(crate) struct Faulty {
    pub(crate) faults: Faults,
    /// By the hash of the script they stand in for.
    #[cfg(debug_assertions)]
    instead: HashMap<String, Script>,
}

impl Faulty {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            #[cfg(debug_assertions)]
            instead: mark(faults).map(without).unwrap_or_default(),
        }
    }

    /// The script to run for `script`.
    pub(crate) fn script<'a>(&'a self, script: &'a Script) -> &'a Script {
        #[cfg(debug_assertions)]
        if !self.instead.is_empty() {
            return self.instead.get(script.get_hash()).unwrap_or(script);
        }
        script
    }
}

/// The mark of the lines a fault drops.
#[cfg(debug_assertions)]
fn mark(faults: Faults) -> Option<&'static str> {
    [
        (faults.no_epoch_check(), "-- fence"),
        (faults.ack_before_journal(), "-- lease"),
        (faults.lost_timer(), "-- timer"),
        (faults.words_again(), "-- told"),
    ]
    .into_iter()
    .find_map(|(on, mark)| on.then_some(mark))
}

#[cfg(debug_assertions)]
fn without(mark: &str) -> HashMap<String, Script> {
    let marked = crate::scripts::all();
    let marked = marked.into_iter().filter(|(_, text)| text.contains(mark));
    marked
        .map(|(script, text)| {
            let kept = text.lines().filter(|line| !line.ends_with(mark));
            let kept: Vec<&str> = kept.collect();
            (script.get_hash().to_owned(), Script::new(&kept.join("\n")))
        })
        .collect()
}

#[cfg(debug_assertions)]
impl crate::connect::Bus {
    /// With that fault on: what was just claimed is acknowledged before any of it is done.
    pub(crate) async fn acknowledge_early(
        &self,
        lease: &crate::lease::Lease,
    ) -> Result<(), crate::error::BusError> {
        if !self.faults().ack_before_journal() {
            return Ok(());
        }
        let task = self.keys().task(&lease.role, lease.task);
        let mut record = redis::cmd("HMGET");
        record.arg(task).arg("stream").arg("entry");
        let again = crate::connect::Again::Yes;
        let (stream, entry): (String, String) = self.query(&record, again).await?;
        let mut end = redis::pipe();
        let group = crate::keys::WORK_GROUP;
        end.cmd("XACK").arg(&stream).arg(group).arg(&entry);
        end.cmd("XDEL").arg(&stream).arg(&entry);
        self.pipeline::<Vec<i64>>(&end, again).await.map(drop)
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_mark_stands_in_scripts() {
        for (word, many) in [
            ("no-epoch-check", 10),
            ("ack-before-journal", 2),
            ("lost-timer", 1),
            ("words-again", 1),
        ] {
            let faulty = Faulty::new(word.parse().unwrap());
            assert!(faulty.instead.len() >= many, "{word}");
        }
        let sound = Faulty::default();
        assert!(sound.instead.is_empty());
    }
}
