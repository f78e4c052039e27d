//! Names of git branches, as far as agents may say them: plain words between slashes, which no program reads as anything
//! else; and the one branch that is a task's own.

use crate::ids::ShortId;

/// Longest name, in bytes.
const LONGEST: usize = 200;

/// Whether it is a plain name of a branch: what git takes, without anything that is special to git or to a shell.
pub fn is_plain(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.+@/".contains(&b);
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-', '+'])
            && !part.ends_with('.')
            && !part.ends_with(".lock")
    };
    name.len() <= LONGEST
        && name != "HEAD"
        && name != "@"
        && !name.starts_with("refs/")
        && !name.contains("..")
        && !name.contains("@{")
        && name.bytes().all(good)
        && name.split('/').all(part)
}

/// The branch of a task.
pub fn of_task(task: ShortId) -> String {
    format!("ai-infra/{task}")
}

/// Whether a branch is some task's own.
pub fn is_of_a_task(name: &str) -> bool {
    let number = name.strip_prefix("ai-infra/t").unwrap_or_default();
    !number.is_empty() && number.len() < 20 && number.bytes().all(|b| b.is_ascii_digit())
}

/// Whether it is the whole id of a commit, in either of git's formats.
pub fn is_commit(id: &str) -> bool {
    [40, 64].contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_plain() {
        for (name, expected) in [
            ("main", true),
            ("feature/a-b_c.1", true),
            ("ai-infra/t12", true),
            ("", false),
            ("-f", false),
            ("a/-b", false),
            ("a..b", false),
            ("a/", false),
            ("/a", false),
            ("a//b", false),
            ("a b", false),
            ("a:b", false),
            ("+a:b", false),
            ("+a", false),
            ("a~1", false),
            ("a^", false),
            ("a*", false),
            ("a\\b", false),
            ("a.lock", false),
            (".a", false),
            ("a@{1}", false),
            ("HEAD", false),
            ("refs/heads/a", false),
            ("ä", false),
        ] {
            assert_eq!(is_plain(name), expected, "{name}");
        }
        assert!(
            is_of_a_task("ai-infra/t7")
                && !is_of_a_task("ai-infra/t")
                && !is_of_a_task("ai-infra/t7x")
        );
        assert!(is_commit(&"a1".repeat(20)) && is_commit(&"0f".repeat(32)));
        assert!(!is_commit("HEAD") && !is_commit(&"A1".repeat(20)) && !is_commit(&"a1".repeat(10)));
    }
}
