//! Every object of a repository's history: which blobs are large, what they are called, and which of
//! them the newest commit still holds.

use std::collections::{HashMap, HashSet};

use super::{Asked, Git};

/// A blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) id: String,
    pub(crate) bytes: u64,
    /// What it takes on disk, compressed.
    pub(crate) stored: u64,
}

/// All objects, as far as they matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Objects {
    /// Blobs of at least the bytes asked for.
    pub(crate) large: Vec<Blob>,
    /// What all objects take on disk, in bytes.
    pub(crate) stored: u64,
}

const OBJECTS: [&str; 4] = [
    "cat-file",
    "--batch-all-objects",
    "--unordered",
    "--batch-check=%(objecttype) %(objectname) %(objectsize) %(objectsize:disk)",
];

/// Lists the objects.
pub(crate) fn objects(asked: &Asked<'_>, git: &mut Git<'_>, least: u64) -> Result<Objects, String> {
    asked
        .long(git, &OBJECTS)
        .map(|text| parse_objects(&text, least))
}

fn parse_objects(text: &str, least: u64) -> Objects {
    let mut all = Objects::default();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(kind), Some(id)) = (words.next(), words.next()) else {
            continue;
        };
        let mut number = || words.next().and_then(|n| n.parse::<u64>().ok());
        let (Some(bytes), Some(stored)) = (number(), number()) else {
            continue;
        };
        all.stored = all.stored.saturating_add(stored);
        if kind == "blob" && bytes >= least {
            all.large.push(Blob {
                id: id.to_owned(),
                bytes,
                stored,
            });
        }
    }
    all
}

/// A path of each of these blobs, as far as a branch, tag or stash still reaches it.
pub(crate) fn paths(
    asked: &Asked<'_>,
    git: &mut Git<'_>,
    of: &HashSet<&str>,
) -> Result<HashMap<String, String>, String> {
    let text = asked.long(git, &["rev-list", "--objects", "--all", "HEAD"])?;
    Ok(parse_paths(&text, of))
}

fn parse_paths(text: &str, of: &HashSet<&str>) -> HashMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(id, path)| of.contains(id) && !path.is_empty())
        .map(|(id, path)| (id.to_owned(), path.to_owned()))
        .collect()
}

/// The blobs of the newest commit.
pub(crate) fn of_head(asked: &Asked<'_>, git: &mut Git<'_>) -> Result<HashSet<String>, String> {
    let text = asked.long(git, &["ls-tree", "-r", "-z", "--full-tree", "HEAD"])?;
    Ok(text.split('\0').filter_map(blob_of).collect())
}

/// `100644 blob ID<tab>path`.
fn blob_of(entry: &str) -> Option<String> {
    let (facts, _) = entry.split_once('\t')?;
    let mut words = facts.split(' ').skip(1);
    (words.next()? == "blob").then(|| words.next().map(str::to_owned))?
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_git_lists_is_read() {
        let text = "blob aa 200 90\ntree bb 999 10\nblob cc 5 5\nblob dd x 1\n\n";
        let all = parse_objects(text, 100);
        assert_eq!((all.stored, all.large.len()), (105, 1));
        assert_eq!(all.large[0].id, "aa");
        let names = parse_paths("cc\naa a b/c.bin\nbb src\n", &HashSet::from(["aa", "cc"]));
        assert_eq!(names.get("aa").unwrap(), "a b/c.bin");
        assert_eq!(names.len(), 1);
        assert_eq!(blob_of("100644 blob aa\tx y").unwrap(), "aa");
        assert_eq!(blob_of("160000 commit aa\tsub"), None);
    }

    proptest! {
        #[test]
        fn any_output_is_survived(text in "(?s)(blob |tree |[0-9]{1,25}|\n|\t|\0| |.){0,120}") {
            parse_objects(&text, 1);
            parse_paths(&text, &HashSet::from(["a"]));
            text.split('\0').for_each(|e| drop(blob_of(e)));
        }
    }
}
