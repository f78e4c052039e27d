//! What a push would bring, read from a copy in which every object is what its name says. Programs of the task can write the
//! clone's objects and their indexes, and git takes an index at its word: what is called one thing there may be
//! another, so that what is looked at is not what is pushed. The copy holds commits and folders alone and is indexed
//! anew, from the bytes; what was forged is missing in it then, and nothing is pushed.

use super::push::{QUESTION, git_at, make};
use crate::executor::inside::program::Leash;
use protocol::text::cut;
use std::fs::{self, File};
use std::path::Path;

/// The copy, and what goes into it.
const COPY: &str = "/tmp/looked.git";
const LIST: &str = "/tmp/looked.list";
/// Most commits where what is new meets what is known.
const EDGES: usize = 2000;
/// How many of its newest commits are copied whatever is new: git looks a little further than it has to, by dates.
const NEWEST: &str = "--max-count=20000";

/// The copy of a commit and of all that is between it and what the remote has.
pub(super) struct Pushed<'a> {
    at: &'a str,
    commit: &'a str,
    heads: Vec<&'a str>,
}

impl<'a> Pushed<'a> {
    /// Makes it from the objects that `from` borrows: with the way to where its branch is `there`, and to the remote's `heads`.
    ///
    /// # Errors
    /// A sentence, where anything is missing or not what it is called.
    pub(super) fn copied(
        from: &str,
        commit: &'a str,
        there: Option<&str>,
        heads: Vec<&'a str>,
        leash: Leash<'_>,
    ) -> Result<Self, String> {
        let kept =
            |error: std::io::Error| format!("what would be pushed cannot be copied: {error}");
        make(Path::new(COPY), commit.len() == 64).map_err(kept)?;
        let shallow = Path::new(from).join("shallow");
        if shallow.exists() {
            fs::copy(shallow, Path::new(COPY).join("shallow")).map_err(kept)?;
        }
        let not: Vec<&str> = ["--not"].into_iter().chain(heads.iter().copied()).collect();
        const NAMES: [&str; 3] = ["--objects", "--no-object-names", "--filter=blob:none"];
        let listed = |words: &[&str]| {
            let words = [&["rev-list", "--ignore-missing"], words].concat();
            listed(from, &words, leash)
        };
        let mut all = listed(&[NEWEST, commit])?;
        all += &listed(&[&NAMES[..], &[commit], &not].concat())?;
        let edges = listed(&[&["--boundary", commit][..], &not].concat())?;
        let edges: Vec<&str> = edges.lines().filter_map(|l| l.strip_prefix('-')).collect();
        if edges.len() > EDGES {
            return Err("it meets what the remote has in too many places".to_owned());
        }
        if !edges.is_empty() {
            all += &listed(&[&NAMES[..], &["--no-walk"], &edges].concat())?;
        }
        if !heads.is_empty() {
            all += &listed(&[&heads[..], &["--not", commit]].concat())?;
        }
        let has = |id: &&str| {
            let looked = git_at(from, &["cat-file", "-e", id], None, leash, QUESTION);
            looked.is_ok_and(|looked| looked.exit == Some(0))
        };
        if let Some(there) = there.filter(has) {
            all += &listed(&["--boundary", commit, "--not", there])?.replace('-', "");
        }
        let mut all: Vec<&str> = all.lines().collect();
        all.sort_unstable();
        all.dedup();
        fs::write(LIST, all.join("\n") + "\n").map_err(kept)?;
        let packed = format!("{COPY}/objects/pack/pack");
        let input = File::open(LIST).map_err(kept)?;
        let pack = ["pack-objects", "--quiet", "--window=0", &packed];
        let made = git_at(from, &pack, Some(input), leash, QUESTION)?;
        if made.exit != Some(0) {
            return Err(forged(&made.stderr));
        }
        // Its index says what the clone says: another one is made from the bytes.
        let pack = format!("{packed}-{}", made.stdout.trim());
        for of_clone in ["idx", "rev"] {
            let _there = fs::remove_file(format!("{pack}.{of_clone}"));
        }
        let indexed = git_at(
            COPY,
            &["index-pack", &format!("{pack}.pack")],
            None,
            leash,
            QUESTION,
        )?;
        let whole = git_at(COPY, &["cat-file", "-t", commit], None, leash, QUESTION)?;
        match indexed.exit == Some(0) && whole.stdout.trim() == "commit" {
            true => Ok(Self {
                at: COPY,
                commit,
                heads,
            }),
            false => Err(forged(&indexed.stderr)),
        }
    }

    /// The same without a copy: what a test takes away.
    pub(super) fn believed(at: &'a str, commit: &'a str, heads: Vec<&'a str>) -> Self {
        Self { at, commit, heads }
    }

    /// Whether it goes on from a commit of the remote.
    pub(super) fn goes_on_from(&self, there: &str, leash: Leash<'_>) -> Result<bool, String> {
        let words = ["rev-list", "--max-count=1", there, "--not", self.commit];
        let beyond = git_at(self.at, &words, None, leash, QUESTION)?;
        // One that is not in the clone is other work.
        Ok(beyond.exit == Some(0) && beyond.stdout.trim().is_empty())
    }

    /// Every file that a commit changes which the remote does not have.
    pub(super) fn changes(&self, leash: Leash<'_>) -> Result<Vec<String>, String> {
        let look = [
            "log",
            "-m",
            "--no-renames",
            "--name-only",
            "--format=",
            "-z",
        ];
        let range = ["--ignore-missing", self.commit, "--not"];
        let words = [&look[..], &range, &self.heads].concat();
        let said = listed(self.at, &words, leash)?;
        let names = said.split('\0').map(str::trim);
        Ok(names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect())
    }
}

fn listed(at: &str, words: &[&str], leash: Leash<'_>) -> Result<String, String> {
    let listed = git_at(at, words, None, leash, QUESTION)?;
    match listed.exit == Some(0) && !listed.truncated {
        true => Ok(listed.stdout),
        false => Err(forged(&listed.stderr)),
    }
}

fn forged(said: &str) -> String {
    let why = cut(said.trim(), 300);
    format!(
        "what would be pushed cannot be listed, or objects of the clone are not what they are called: {why}"
    )
}
