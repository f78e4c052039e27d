//! What git knows of a folder: work that is nowhere else, branches that are old or merged, what is
//! large, what changed. Git is asked through a function the caller gives, so that this room starts
//! no process; everything it prints is read here.

pub mod branches;
pub mod changes;
pub mod find;
pub mod history;
pub mod large;
pub mod unpushed;

pub(crate) use protocol::text::cut;
use std::path::{Path, PathBuf};

/// Bytes of an ordinary answer that are kept.
const ANSWER: usize = 8 << 20;
/// Bytes kept of an answer that lists every object of a history.
const LONG_ANSWER: usize = 192 << 20;

/// A question to git. Global options come first among the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Folder to ask in, absolute.
    pub folder: PathBuf,
    /// Everything after `git`.
    pub words: Vec<String>,
    /// Most bytes of the answer; a longer one is an error.
    pub keep: usize,
    /// New objects go to a scratch store that borrows from this one; none where nothing is made.
    pub borrow: Option<PathBuf>,
}

/// Asks git: what it printed, or a sentence about why it did not.
pub type Git<'g> = dyn FnMut(&Ask) -> Result<String, String> + 'g;

/// A repository to ask about.
pub(crate) struct Asked<'a> {
    /// Where.
    pub(crate) folder: &'a Path,
    /// Global options, such as `--git-dir=…`.
    pub(crate) options: &'a [String],
}

impl Asked<'_> {
    /// The question with these words.
    fn ask(&self, words: &[&str]) -> Ask {
        let mut all = self.options.to_vec();
        all.extend(words.iter().map(|word| (*word).to_owned()));
        Ask {
            folder: self.folder.to_path_buf(),
            words: all,
            keep: ANSWER,
            borrow: None,
        }
    }

    /// Asks in a few words.
    pub(crate) fn of(&self, git: &mut Git<'_>, words: &[&str]) -> Result<String, String> {
        git(&self.ask(words))
    }

    /// Asks for a very long answer.
    pub(crate) fn long(&self, git: &mut Git<'_>, words: &[&str]) -> Result<String, String> {
        git(&Ask {
            keep: LONG_ANSWER,
            ..self.ask(words)
        })
    }

    /// Asks for something that makes objects, which are thrown away.
    pub(crate) fn scratch(
        &self,
        git: &mut Git<'_>,
        store: &Path,
        words: &[&str],
    ) -> Result<String, String> {
        git(&Ask {
            borrow: Some(store.to_path_buf()),
            ..self.ask(words)
        })
    }

    /// A number git prints.
    pub(crate) fn count(&self, git: &mut Git<'_>, words: &[&str]) -> Result<u64, String> {
        let said = self.of(git, words)?;
        said.trim().parse().map_err(|_| {
            format!(
                "git said `{}` where a number was expected",
                cut(said.trim(), 60)
            )
        })
    }
}

/// Whether the folder is the top of a work tree or a repository of its own.
pub(crate) fn is_repository(root: &Path, git: &mut Git<'_>) -> bool {
    let asked = Asked {
        folder: root,
        options: &[],
    };
    root.join(".git").symlink_metadata().is_ok()
        && asked.of(git, &["rev-parse", "--git-dir"]).is_ok()
}

/// Records of fields: NUL between fields, a newline after each record.
pub(crate) fn records<const N: usize>(text: &str) -> impl Iterator<Item = [&str; N]> {
    text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split('\0').collect();
        <[&str; N]>::try_from(fields).ok()
    })
}

/// Seconds since 1970 as RFC 3339; empty when they are none.
pub(crate) fn moment(seconds: &str) -> String {
    seconds
        .trim()
        .parse()
        .ok()
        .and_then(|s| jiff::Timestamp::from_second(s).ok())
        .map(|t| t.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_and_records_are_read() {
        assert_eq!(moment("1700000000\n"), "2023-11-14T22:13:20Z");
        assert_eq!(moment("soon"), "");
        let read: Vec<[&str; 2]> = records("a\0b\nbad\nc\0\n").collect();
        assert_eq!(read, [["a", "b"], ["c", ""]]);
    }

    proptest! {
        #[test]
        fn any_output_is_survived(text in "(?s).{0,200}") {
            let _ = records::<3>(&text).count();
            moment(&text);
        }
    }
}
