//! What comes first, and what is not worth showing. Pure.

use crate::entry::line;
use crate::index::embedded::Hit;
use crate::words;

/// Most words of a question that are looked for.
pub const QUESTION_WORDS: usize = 64;
/// How much more a record of the asker's own project counts.
const OWN_PROJECT: f32 = 2.0;
/// How much less a record of another project counts.
const OTHER_PROJECT: f32 = 0.5;
/// A hit below this share of the best one is dropped.
const FLOOR: f32 = 0.2;
/// Scores nearer to each other than this share of the best one are a tie.
const TIE: f32 = 0.02;
/// Longest snippet, in characters, and most lines of it.
const SNIPPET: (usize, usize) = (300, 3);

/// How many of a question's words a record must hold to be recalled unasked.
pub fn required(words: usize) -> usize {
    match words {
        0..=2 => 1,
        3..=8 => 2,
        _ => 3,
    }
}

/// Best first: own project before records of none before other projects where they match
/// alike; the newer one at a tie; weak ones dropped.
pub fn rank(mut hits: Vec<Hit>, project: Option<&str>, limit: usize) -> Vec<Hit> {
    for hit in &mut hits {
        hit.score *= match (project, hit.project.as_deref()) {
            (Some(own), Some(project)) if own == project => OWN_PROJECT,
            (Some(_), Some(_)) => OTHER_PROJECT,
            _ => 1.0,
        };
    }
    let best = hits.iter().map(|hit| hit.score).fold(0.0, f32::max);
    hits.retain(|hit| hit.score > 0.0 && hit.score >= best * FLOOR);
    let step = |hit: &Hit| (hit.score / (best * TIE)).round() as i64;
    hits.sort_by(|a, b| {
        step(b)
            .cmp(&step(a))
            .then(b.written.cmp(&a.written))
            .then(a.id.cmp(&b.id))
    });
    hits.truncate(limit);
    hits
}

/// The first lines of a record from where the question's words begin.
pub fn snippet(body: &str, asked: &[String]) -> String {
    let lines: Vec<&str> = body
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let matches = |line: &&str| words::all(line).iter().any(|word| asked.contains(word));
    let from = lines.iter().position(matches).unwrap_or(0);
    let mut text = String::new();
    for part in lines.iter().skip(from).take(SNIPPET.1) {
        let left = SNIPPET.0.saturating_sub(text.chars().count());
        let part = line(part, left);
        if !text.is_empty() && !part.is_empty() {
            text.push('\n');
        }
        text.push_str(&part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(id: &str, project: Option<&str>, written: i64, score: f32) -> Hit {
        Hit {
            id: id.to_owned(),
            project: project.map(str::to_owned),
            written,
            score,
        }
    }

    #[test]
    fn the_own_project_comes_first_then_the_newer() {
        let check = |hits: Vec<Hit>, project, expected: &[&str]| {
            let ranked = rank(hits, project, 3);
            let ids: Vec<&str> = ranked.iter().map(|hit| hit.id.as_str()).collect();
            assert_eq!(ids, expected);
        };
        let alike = || {
            vec![
                hit("other", Some("b"), 9, 4.0),
                hit("none", None, 5, 4.0),
                hit("own", Some("a"), 1, 4.0),
            ]
        };
        check(alike(), Some("a"), &["own", "none", "other"]);
        check(alike(), None, &["other", "none", "own"]);
        check(
            vec![hit("old", None, 1, 4.01), hit("new", None, 2, 4.0)],
            None,
            &["new", "old"],
        );
        check(
            vec![hit("strong", None, 1, 9.0), hit("weak", None, 2, 1.0)],
            None,
            &["strong"],
        );
        check(vec![], None, &[]);
    }

    #[test]
    fn snippets_begin_where_it_matters() {
        let body =
            "# Title\n\nIntroduction.\n\nRun the fixtures first.\n\u{1b}[31mThen\tmore.\nx\ny";
        let asked = |word: &str| vec![word.to_owned()];
        assert_eq!(
            snippet(body, &asked("fixture")),
            "Run the fixtures first.\n[31mThen more.\nx"
        );
        assert!(snippet(body, &asked("absent")).starts_with("# Title\nIntroduction."));
        assert_eq!(snippet(&"long ".repeat(1000), &[]).chars().count(), 299);
        assert_eq!(snippet("", &[]), "");
    }
}
