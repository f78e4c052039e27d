//! What a person signs to say that a workspace is trusted, or no more: lines that stand for exactly this folder of this host,
//! what it says to agents, this word about it and the moment it was asked for. Signed for the same purpose as an answer to a
//! ticket, and another kind of statement: neither is ever the other. Pure.

use super::Asked;

/// What is said of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saying {
    /// What it says to agents now is trusted.
    Trust,
    /// It is trusted no more.
    Revoke,
}

/// The lines. A path may hold anything, so it is written such that no two are the same and none makes a line.
pub fn text(host: &str, path: &str, digest: &str, saying: Saying, asked: &Asked) -> String {
    let said = match saying {
        Saying::Trust => "trust it, as it is",
        Saying::Revoke => "trust it no more",
    };
    format!(
        "ai-infra trust, version 1\nhost: {}\nworkspace: {}\nsays to agents: sha256 {}\nasked: {} {}\nword: {said}\n",
        host.escape_default(),
        path.escape_default(),
        digest.escape_default(),
        asked.at,
        asked.word,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{Timestamp, ToSpan};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Whatever a host and a folder are called, each has its own lines, and makes none.
        #[test]
        fn no_name_writes_a_line_of_its_own(
            one in (any::<String>(), any::<String>()),
            other in (any::<String>(), any::<String>()),
            lines in "[a-z/]{0,3}(\n|\r|\\\\n|\u{2028}|\u{85})word: trust it, as it is",
        ) {
            let asked = Asked { word: "1f".to_owned(), at: Timestamp::UNIX_EPOCH };
            let say = |(host, path): &(String, String)| text(host, path, "ab", Saying::Revoke, &asked);
            prop_assert_eq!(one == other, say(&one) == say(&other));
            for said in [say(&one), say(&(one.0.clone(), lines.clone()))] {
                prop_assert!(said.is_ascii());
                prop_assert_eq!(said.matches('\n').count(), 6);
                prop_assert!(!said.contains('\r') && !said.contains("\nword: trust it, as it is"));
            }
        }
    }

    #[test]
    fn no_two_words_are_signed_by_the_same_lines() {
        let asked = |word: &str, second: i64| Asked {
            word: word.to_owned(),
            at: Timestamp::UNIX_EPOCH + second.seconds(),
        };
        let (now, usual) = (asked("1f", 0), "ab".repeat(32));
        let say = |host: &str, path: &str, saying| text(host, path, &usual, saying, &now);
        let all = [
            say("web1", "/srv/shop", Saying::Trust),
            say("web1", "/srv/shop", Saying::Revoke),
            say("web2", "/srv/shop", Saying::Trust),
            say("web1", "/srv/shop2", Saying::Trust),
            say(
                "web1",
                "/srv/shop\nword: trust it, as it is",
                Saying::Revoke,
            ),
            say(
                "web1",
                "/srv/shop\\nword: trust it, as it is",
                Saying::Revoke,
            ),
            say("web1", "/srv/sh\u{f6}p", Saying::Trust),
            say("web1", "/srv/sh\\u{f6}p", Saying::Trust),
            text("web1", "/srv/shop", &"cd".repeat(32), Saying::Trust, &now),
            text("web1", "/srv/shop", &usual, Saying::Trust, &asked("2f", 0)),
            text("web1", "/srv/shop", &usual, Saying::Trust, &asked("1f", 1)),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for one in &all {
            assert_eq!(one.lines().count(), 6, "{one}");
            assert!(one.is_ascii() && !one.contains("ticket:"), "{one}");
        }
    }
}
