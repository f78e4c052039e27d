//! Guarantees that a build with debug assertions can be told to leave out, so that whoever checks
//! them can be checked: with a fault on, a torture must report the failure. Without debug
//! assertions there is nothing here to switch, and none of the names.

use crate::walls::{Removed, Wall};
use serde::{Deserialize, Serialize};

/// What is switched off in this process; nothing, unless a test said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    #[cfg(debug_assertions)]
    on: Option<Fault>,
    #[serde(default)]
    removed: Removed,
}

/// One side of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// It is not written yet.
    Before,
    /// It is written.
    After,
}

/// Where an apply of a patch may be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applying {
    /// What it is going to do was kept, nothing is in place.
    Noted,
    /// The first file is in place.
    Half,
    /// All are.
    Placed,
    /// That was kept too, nobody was told.
    Done,
}

/// One fault.
#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The fence in the bus's scripts always says yes.
    NoEpochCheck,
    /// A claim acknowledges the work and forgets the lease at once.
    AckBeforeJournal,
    /// A keyed call gets another key each time it is made.
    NoKey,
    /// A call that cannot be made twice is known to the journal alone.
    NoNote,
    /// Expired leases and due tasks are never taken up.
    LostTimer,
    /// An executor lives on without its holder and without a lease.
    OrphanedChild,
    /// The first holder of a task dies at one write of its journal.
    DieAt {
        /// Which write, counted from 1; `None` = the task's own number walks over them all: task 1
        /// dies before its first write, task 2 after it, task 3 before its second.
        write: Option<(u64, Side)>,
        /// The second holder dies too, at its own second write: that is where it recovers what the
        /// first one was at.
        again: bool,
    },
    /// Whoever applies the patch of a task for the first time dies at one of the places of
    /// [`Applying`]; tasks 1 to 4 take them in turn.
    DieApplying,
    /// What was said to a task is told and heard again by whoever says or holds it next.
    WordsAgain,
    /// A backup's snapshot is there before the packs it names.
    SnapshotFirst,
    /// A home that is being restored does not say so.
    NoRestoringMark,
}

#[cfg(debug_assertions)]
impl std::str::FromStr for Faults {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if let Some(walls) = word.strip_prefix("without=") {
            let removed = walls.parse()?;
            return Ok(Self { on: None, removed });
        }
        let on = match word {
            "no-epoch-check" => Fault::NoEpochCheck,
            "ack-before-journal" => Fault::AckBeforeJournal,
            "no-key" => Fault::NoKey,
            "no-note" => Fault::NoNote,
            "lost-timer" => Fault::LostTimer,
            "orphaned-child" => Fault::OrphanedChild,
            "die-at=apply:each" => Fault::DieApplying,
            "words-again" => Fault::WordsAgain,
            "snapshot-first" => Fault::SnapshotFirst,
            "no-restoring-mark" => Fault::NoRestoringMark,
            "die-at=journal:each" | "die-at=journal:each:again" => Fault::DieAt {
                write: None,
                again: word.ends_with("again"),
            },
            other => Fault::DieAt {
                again: false,
                write: Some(place(other).ok_or_else(|| {
                    format!(
                        "there is no fault `{other}`: no-epoch-check, ack-before-journal, no-key, \
                         no-note, lost-timer, orphaned-child, die-at=journal:N:before, \
                         die-at=journal:N:after, die-at=journal:each, \
                         die-at=journal:each:again, die-at=apply:each, words-again, \
                         snapshot-first, no-restoring-mark, \
                         without=WALL+WALL"
                    )
                })?),
            },
        };
        Ok(Self {
            on: Some(on),
            removed: Removed::default(),
        })
    }
}

#[cfg(debug_assertions)]
fn place(word: &str) -> Option<(u64, Side)> {
    let (number, side) = word.strip_prefix("die-at=journal:")?.split_once(':')?;
    let side = match side {
        "before" => Side::Before,
        "after" => Side::After,
        _ => return None,
    };
    Some((number.parse().ok().filter(|n| *n > 0)?, side))
}

impl Faults {
    /// Whether a wall of the sandbox stands.
    pub fn stands(self, wall: Wall) -> bool {
        self.removed.stands(wall)
    }

    #[cfg(debug_assertions)]
    fn is(self, fault: Fault) -> bool {
        self.on == Some(fault)
    }

    /// The epoch of a write is not looked at.
    pub fn no_epoch_check(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::NoEpochCheck);
        #[cfg(not(debug_assertions))]
        false
    }

    /// Work is acknowledged when it is claimed.
    pub fn ack_before_journal(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::AckBeforeJournal);
        #[cfg(not(debug_assertions))]
        false
    }

    /// Keys of calls are never the same twice.
    pub fn no_key(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::NoKey);
        #[cfg(not(debug_assertions))]
        false
    }

    /// Calls that cannot be made twice are not noted on the host.
    pub fn no_note(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::NoNote);
        #[cfg(not(debug_assertions))]
        false
    }

    /// What becomes due is not noticed.
    pub fn lost_timer(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::LostTimer);
        #[cfg(not(debug_assertions))]
        false
    }

    /// Executors outlive their holders.
    pub fn orphaned_child(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::OrphanedChild);
        #[cfg(not(debug_assertions))]
        false
    }

    /// What was told and heard is forgotten by the next who tells or holds it.
    pub fn words_again(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::WordsAgain);
        #[cfg(not(debug_assertions))]
        false
    }

    /// A snapshot is published before its packs are.
    pub fn snapshot_first(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::SnapshotFirst);
        #[cfg(not(debug_assertions))]
        false
    }

    /// A half-restored home bears no mark.
    pub fn no_restoring_mark(self) -> bool {
        #[cfg(debug_assertions)]
        return self.is(Fault::NoRestoringMark);
        #[cfg(not(debug_assertions))]
        false
    }

    /// Whether whoever applies the patch of the task with this number for the first time dies here.
    pub fn dies_applying(self, task: u64, at: Applying) -> bool {
        use Applying::{Done, Half, Noted, Placed};
        #[cfg(debug_assertions)]
        if self.is(Fault::DieApplying) {
            return [Done, Placed, Noted, Half][(task % 4) as usize] == at;
        }
        let _unused = (task, at, [Done, Placed, Noted, Half]);
        false
    }

    /// Whether the `attempt`th holder of the task with this number dies at its own `write`th write.
    pub fn dies_at(self, task: u64, attempt: u64, write: u64, side: Side) -> bool {
        #[cfg(debug_assertions)]
        if let Some(Fault::DieAt {
            write: place,
            again,
        }) = self.on
        {
            let walk = || match task % 2 {
                1 => (task.div_ceil(2), Side::Before),
                _ => (task / 2, Side::After),
            };
            let second = if task % 4 < 2 {
                Side::Before
            } else {
                Side::After
            };
            return match attempt {
                1 => place.unwrap_or_else(walk) == (write, side),
                2 => again && (write, side) == (2, second),
                _ => false,
            };
        }
        let _unused = (task, attempt, write, side);
        false
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn faults(word: &str) -> Faults {
        word.parse().unwrap()
    }

    #[test]
    fn a_fault_switches_its_guarantee_and_no_other() {
        let seen = |f: Faults| {
            [
                f.no_epoch_check(),
                f.ack_before_journal(),
                f.no_key(),
                f.no_note(),
                f.lost_timer(),
                f.orphaned_child(),
                f.dies_at(1, 1, 3, Side::After),
                f.dies_applying(1, Applying::Placed),
                f.words_again(),
                f.snapshot_first(),
                f.no_restoring_mark(),
            ]
        };
        assert_eq!(seen(Faults::default()), [false; 11]);
        for (at, word) in [
            "no-epoch-check",
            "ack-before-journal",
            "no-key",
            "no-note",
            "lost-timer",
            "orphaned-child",
            "die-at=journal:3:after",
            "die-at=apply:each",
            "words-again",
            "snapshot-first",
            "no-restoring-mark",
        ]
        .iter()
        .enumerate()
        {
            let mut expected = [false; 11];
            expected[at] = true;
            assert_eq!(seen(faults(word)), expected, "{word}");
        }
        for bad in [
            "",
            "no-such",
            "die-at=journal:0:after",
            "die-at=journal:1:at",
        ] {
            assert!(bad.parse::<Faults>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tasks_walk_over_every_write_once() {
        let each = faults("die-at=journal:each");
        let place = |task: u64| {
            let all = (1..9).flat_map(|n| [(n, Side::Before), (n, Side::After)]);
            all.filter(|(n, side)| each.dies_at(task, 1, *n, *side))
                .collect::<Vec<_>>()
        };
        assert_eq!(place(1), [(1, Side::Before)]);
        assert_eq!(place(2), [(1, Side::After)]);
        assert_eq!(place(7), [(4, Side::Before)]);
        assert!(
            !each.dies_at(1, 2, 2, Side::Before),
            "only the first holder"
        );
        let again = faults("die-at=journal:each:again");
        assert!(again.dies_at(7, 1, 4, Side::Before));
        assert!(again.dies_at(4, 2, 2, Side::Before) && again.dies_at(7, 2, 2, Side::After));
        assert!(!again.dies_at(7, 3, 2, Side::After), "not the third");
    }
}
