//! The clone's own git configuration: written anew from the few harmless values that change what
//! `git status` says. Nothing that names a program, a path or a remote comes along.

/// (section, key) that are copied when their value is a plain word.
const COPIED: [(&str, &str); 13] = [
    ("core", "filemode"),
    ("core", "autocrlf"),
    ("core", "eol"),
    ("core", "safecrlf"),
    ("core", "ignorecase"),
    ("core", "symlinks"),
    ("core", "precomposeunicode"),
    ("core", "sparsecheckout"),
    ("core", "sparsecheckoutcone"),
    ("extensions", "objectformat"),
    ("extensions", "refstorage"),
    ("user", "name"),
    ("user", "email"),
];

/// The clone's configuration, from the text of the workspace's. Pure.
pub(super) fn rewritten(original: &str) -> String {
    let found = values(original);
    let get = |section: &str, key: &str| {
        found
            .iter()
            .rev()
            .find(|(s, k, _)| s == section && k == key)
            .map(|(_, _, value)| value.as_str())
    };
    let extended = get("extensions", "objectformat")
        .or(get("extensions", "refstorage"))
        .is_some();
    let mut text = format!(
        "[core]\n\trepositoryformatversion = {}\n\tbare = false\n",
        u8::from(extended)
    );
    // Copied files keep size and time but not their inode: without these two every file would
    // have to be read again.
    text.push_str("\tcheckStat = minimal\n\ttrustctime = false\n");
    text.push_str("\thooksPath = /dev/null\n\tfsmonitor = false\n");
    for (section, key) in COPIED {
        if let Some(value) = get(section, key) {
            text.push_str(&format!("[{section}]\n\t{key} = {value}\n"));
        }
    }
    for (key, value) in [("name", "ai-infra agent"), ("email", "agent@localhost")] {
        if get("user", key).is_none() {
            text.push_str(&format!("[user]\n\t{key} = {value}\n"));
        }
    }
    text
}

fn values(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix('[') {
            // `[a "b"]` is another section than `[a]` and none of ours.
            section = rest
                .split(']')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase();
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let ours = COPIED.iter().any(|(s, k)| *s == section && *k == key);
        if ours && plain(value) {
            found.push((section.clone(), key, value.to_owned()));
        }
    }
    found
}

/// Nothing that quoting, escaping or a comment could change the meaning of.
fn plain(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 200
        && value
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '@' | '+'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_harmless_values_come_along() {
        let text = rewritten(
            "[core]\n\tautocrlf = input\n\thooksPath = /evil\n\tfsmonitor = /evil\n\tsshCommand = evil\n\
             [user]\n name = Ann B\n email = \"x\\ny\"\n[remote \"o\"]\n url = https://t@h\n\
             [filter \"x\"]\n clean = evil\n[extensions]\n objectFormat = sha256\n",
        );
        for words in [
            "autocrlf = input",
            "name = Ann B",
            "objectformat = sha256",
            "repositoryformatversion = 1",
        ] {
            assert!(text.contains(words), "{words} is missing in {text}");
        }
        assert!(
            !text.contains("evil") && !text.contains("remote") && !text.contains("\\n"),
            "{text}"
        );
        assert!(text.contains("email = agent@localhost"), "{text}");
    }

    proptest! {
        #[test]
        fn junk_adds_no_line_of_its_own(text in "(?s).{0,300}") {
            for line in rewritten(&text).lines() {
                prop_assert!(line.starts_with('[') || line.starts_with('\t'));
            }
        }
    }
}
