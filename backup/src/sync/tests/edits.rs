//! Two hundred edits on each side, runs between them, some cut off anywhere: no edit is lost, and whatever
//! could not be joined is shown. Every line is a word of its own, so that each can be looked for.

use super::super::take::{Side, take};
use super::*;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

/// Edits of each side in a round.
const EDITS: usize = 5;

/// Numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }
}

/// What the two people did.
#[derive(Default)]
struct Told {
    written: usize,
    /// Words that nobody took away.
    live: BTreeSet<String>,
    /// Words that somebody who saw them took away.
    gone: BTreeSet<String>,
    /// Words of files that ever waited: which of them hold is decided by a person.
    waited: BTreeSet<String>,
    /// What both sides had after the last whole run, without what waited.
    agreed: State,
    /// Paths that waited then.
    open: BTreeSet<String>,
    /// Edits that did not arrive.
    lost: Vec<String>,
}

/// Files with their text and whether they may be run.
type State = BTreeMap<String, (String, bool)>;

fn state(root: &Path) -> State {
    let files = files(&root.join("TELOS")).into_iter();
    files
        .map(|(name, text)| {
            let path = format!("TELOS/{name}");
            let mode = fs::metadata(root.join(&path)).unwrap().permissions().mode();
            (path, (text, mode & 0o100 != 0))
        })
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(str::to_owned)
}

impl Told {
    fn word(&mut self) -> String {
        self.written += 1;
        let word = format!("w{}", self.written);
        self.live.insert(word.clone());
        word
    }

    fn take_away(&mut self, word: &str) {
        self.live.remove(word);
        self.gone.insert(word.to_owned());
    }

    /// One edit of a side that lies in a folder.
    fn edit(&mut self, root: &Path, dice: &mut Dice) {
        let there: Vec<(String, String)> = files(&root.join("TELOS")).into_iter().collect();
        let some = |dice: &mut Dice| there.get(dice.below(there.len().max(1))).cloned();
        let name = |dice: &mut Dice| format!("TELOS/{}.md", (b'a' + dice.below(9) as u8) as char);
        match (dice.below(10), some(dice)) {
            (0, Some((path, text))) => {
                words(&text).for_each(|word| self.take_away(&word));
                fs::remove_file(root.join("TELOS").join(path)).unwrap();
            }
            (1, Some((path, _))) => {
                let to = root.join(name(dice));
                if !to.exists() {
                    fs::rename(root.join("TELOS").join(path), to).unwrap();
                }
            }
            (2, Some((path, _))) => {
                let mode = [0o600, 0o700][dice.below(2)];
                let path = root.join("TELOS").join(path);
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
            (3..=5, Some((path, text))) if !text.is_empty() => {
                let mut lines: Vec<String> = words(&text).collect();
                let at = dice.below(lines.len());
                self.take_away(&lines[at].clone());
                lines[at] = self.word();
                write(root, &format!("TELOS/{path}"), &(lines.join("\n") + "\n"));
            }
            _ => {
                let path = name(dice);
                let text = fs::read_to_string(root.join(&path)).unwrap_or_default();
                let mut lines: Vec<String> = words(&text).collect();
                // Files of some length, so that edits do not always touch.
                for _ in 0..if lines.is_empty() { 12 } else { 1 } {
                    let at = dice.below(lines.len() + 1);
                    lines.insert(at, self.word());
                }
                write(root, &path, &(lines.join("\n") + "\n"));
            }
        }
    }

    /// A run; what one side alone did since the last whole one must be on both sides after it.
    fn run(&mut self, room: &Room, watch: in_force::Watch<'_>) -> Option<Report> {
        room.pull();
        let before = [state(&room.home.root), state(&room.person())];
        let report = room.try_sync(watch).ok()?;
        room.pull();
        let after = [state(&room.home.root), state(&room.person())];
        let waits: BTreeSet<String> = report.waiting.iter().map(|w| w.path.clone()).collect();
        // What came and waits to be allowed is no matter of who changed what.
        let allowed = |path: &str| !report.waiting.iter().any(|w| w.path == path && !w.conflict);
        let all: BTreeSet<&String> = before
            .iter()
            .flat_map(State::keys)
            .chain(self.agreed.keys())
            .collect();
        for path in all.into_iter().filter(|path| !self.open.contains(*path)) {
            let [ours, theirs] = [before[0].get(path), before[1].get(path)];
            let known = self.agreed.get(path);
            let expected = match (ours == known, theirs == known) {
                (true, false) => theirs,
                (false, true) => ours,
                _ => continue,
            };
            if allowed(path) && [after[0].get(path), after[1].get(path)] != [expected; 2] {
                self.lost
                    .push(format!("what one side did to {path} did not arrive"));
            }
        }
        self.agreed = after[0].clone();
        self.agreed.retain(|path, _| !waits.contains(path));
        self.open = waits;
        self.note(room, &report);
        Some(report)
    }

    /// Notes whose words are in files that wait.
    fn note(&mut self, room: &Room, report: &Report) {
        let sides = [room.ours(), room.theirs()];
        for waiting in &report.waiting {
            for text in sides.iter().filter_map(|side| side.get(&waiting.path)) {
                self.waited.extend(words(text));
            }
        }
    }

    /// Every edit that is not there.
    fn lost(&self, room: &Room) -> Vec<String> {
        let all = room.ours().into_values().chain(room.theirs().into_values());
        let there: BTreeSet<String> = all
            .flat_map(|text| words(&text).collect::<Vec<_>>())
            .collect();
        let missing = self
            .live
            .difference(&there)
            .map(|word| format!("{word} is lost"));
        let back = (self.gone.intersection(&there))
            .filter(|word| !self.waited.contains(*word))
            .map(|word| format!("{word} came back"));
        missing.chain(back).chain(self.lost.clone()).collect()
    }
}

/// Runs it all; answers how many runs were cut off, how many files waited, and what was lost.
fn play(seed: u64, rounds: usize, forgetful: bool) -> (usize, usize, Vec<String>) {
    let room = Room::new();
    let (mut dice, mut told) = (Dice(seed), Told::default());
    let (mut cut, mut waited) = (0, 0);
    room.here("config/first.yaml", "first\n");
    room.sync();
    for _ in 0..rounds {
        room.pull();
        for _ in 0..EDITS {
            told.edit(&room.home.root, &mut dice);
            told.edit(&room.person(), &mut dice);
        }
        room.push();
        if forgetful {
            forget(&room.home);
        }
        let mut left = if dice.below(2) == 0 {
            dice.below(9)
        } else {
            usize::MAX
        };
        let done = told.run(&room, &mut |_| {
            left = left.wrapping_sub(1);
            match left {
                0 => Err(config::error::ConfigError::NoHome),
                _ => Ok(()),
            }
        });
        match done {
            Some(report) => waited += report.waiting.len(),
            None => cut += 1,
        }
        // Now and then somebody settles what waits.
        if dice.below(4) == 0 {
            told.settle(&room, &mut dice);
        }
    }
    for _ in 0..20 {
        if !told.settle(&room, &mut dice) {
            break;
        }
    }
    if !forgetful {
        assert_eq!(room.sync().problem(), None);
        assert_eq!(room.ours(), room.theirs());
    }
    (cut, waited, told.lost(&room))
}

impl Told {
    /// Settles one file that waits; false where none does. What only the other side had is taken away by that.
    fn settle(&mut self, room: &Room, dice: &mut Dice) -> bool {
        let report = self.run(room, &mut |_| Ok(())).unwrap();
        let Some(waiting) = report.waiting.first() else {
            return false;
        };
        let (ours, theirs) = (room.ours(), room.theirs());
        let side = [Side::Ours, Side::Theirs][dice.below(2)];
        let other = if side == Side::Ours { &theirs } else { &ours };
        for word in words(other.get(&waiting.path).map_or("", String::as_str)) {
            self.take_away(&word);
        }
        let kept = if side == Side::Ours { &ours } else { &theirs };
        for word in words(kept.get(&waiting.path).map_or("", String::as_str)) {
            self.gone.remove(&word);
        }
        judged(|judge| take(&room.home, &room.place(), judge, &waiting.path, side)).unwrap();
        true
    }
}

#[test]
fn no_edit_is_lost_whoever_edits_what_and_wherever_a_run_is_cut_off() {
    let (cut, waited, lost) = play(0x5EED_1234_5678_9ABC, 40, false);
    assert_eq!(lost, [""; 0]);
    assert!(
        cut > 5 && waited > 5,
        "{cut} runs cut off, {waited} files waited"
    );
}

/// The control: without the state both sides knew last, the same course must report what is lost.
#[test]
fn without_what_both_knew_edits_are_lost() {
    let (_, _, lost) = play(0x5EED_1234_5678_9ABC, 8, true);
    assert!(!lost.is_empty());
}
