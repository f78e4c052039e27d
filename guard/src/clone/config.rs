//! The clone's own git configuration: written anew from the few harmless values that change what
//! git says. Of a remote only its name and which branches it keeps come along, never its address;
//! nothing that names a program or a path does.

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

/// (section, key) of sections with a name, whose values are names of refs and remotes.
const NAMED: [(&str, &str); 3] = [
    ("branch", "remote"),
    ("branch", "merge"),
    ("remote", "fetch"),
];
/// Most lines that come along for branches and remotes.
const MOST_NAMED: usize = 4000;

/// What kind of repository it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One with files beside it.
    WorkTree,
    /// Bare where it says so.
    AsItIs,
}

/// The clone's configuration, from the text of the workspace's. Pure.
pub(super) fn rewritten(original: &str, kind: Kind) -> String {
    let found = values(original);
    let bare = kind == Kind::AsItIs
        && original.lines().any(|line| {
            let plain: String = line.split_whitespace().collect();
            plain.eq_ignore_ascii_case("bare=true")
        });
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
        "[core]\n\trepositoryformatversion = {}\n\tbare = {bare}\n",
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
    for (section, name, key, value) in named(original) {
        text.push_str(&format!("[{section} \"{name}\"]\n\t{key} = {value}\n"));
    }
    text
}

/// What is said of branches and remotes, as far as it is names alone.
fn named(text: &str) -> Vec<(String, String, String, String)> {
    let mut within: Option<(String, String)> = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix('[') {
            within = section_name(rest);
            continue;
        }
        let (Some((section, name)), Some((key, value))) = (&within, line.split_once('=')) else {
            continue;
        };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let ours = NAMED.iter().any(|(s, k)| s == section && *k == key);
        if ours && names_refs(value, &key) && found.len() < MOST_NAMED {
            found.push((section.clone(), name.clone(), key, value.to_owned()));
        }
    }
    found
}

/// `branch "feature/x"]` as its two parts.
fn section_name(rest: &str) -> Option<(String, String)> {
    let (section, name) = rest.split_once(char::is_whitespace)?;
    let name = name.trim().strip_prefix('"')?.strip_suffix("\"]")?;
    let section = section.to_ascii_lowercase();
    (NAMED.iter().any(|(s, _)| *s == section) && is_ref(name)).then(|| (section, name.to_owned()))
}

/// `+refs/heads/*:refs/remotes/origin/*` for a fetch, the name of a ref or remote for the rest.
fn names_refs(value: &str, key: &str) -> bool {
    match (key, value.split_once(':')) {
        ("fetch", Some((from, to))) => {
            let from = from.trim_start_matches(['+', '^']);
            [from, to]
                .iter()
                .all(|side| side.starts_with("refs/") && is_ref(side))
        }
        ("fetch", None) => false,
        ("remote", None) => value == "." || (is_ref(value) && !value.contains('/')),
        (_, None) => value.starts_with("refs/") && is_ref(value),
        _ => false,
    }
}

/// A name of a ref or remote that can be no path out and no address.
fn is_ref(name: &str) -> bool {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | '*' | '@' | '#');
    !name.is_empty()
        && name.len() <= 250
        && !name.contains("..")
        && !name.starts_with(['/', '-', '.'])
        && name.chars().all(plain)
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
            Kind::WorkTree,
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
            !text.contains("evil") && !text.contains("t@h") && !text.contains("\\n"),
            "{text}"
        );
        assert!(text.contains("email = agent@localhost"), "{text}");
    }

    #[test]
    fn branches_keep_what_they_follow_and_remotes_lose_their_address() {
        let text = rewritten(
            "[core]\n\tbare = true\n[remote \"origin\"]\n\turl = https://t@h/x\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
             \tuploadpack = evil\n[branch \"feature/x\"]\n\tremote = origin\n\tmerge = refs/heads/feature/x\n\
             [branch \"bad\"]\n\tremote = https://t@h/y\n\tmerge = ../../evil\n[remote \"a\\nb\"]\n\tfetch = refs/heads/*:/evil\n",
            Kind::AsItIs,
        );
        let told = text
            .split_once("[remote")
            .map(|(_, rest)| format!("[remote{rest}"));
        assert_eq!(
            told.as_deref(),
            Some(
                "[remote \"origin\"]\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\
                 [branch \"feature/x\"]\n\tremote = origin\n[branch \"feature/x\"]\n\tmerge = refs/heads/feature/x\n"
            )
        );
        assert!(text.contains("bare = true"), "{text}");
        assert!(rewritten("[core]\nbare=true\n", Kind::WorkTree).contains("bare = false"));
    }

    proptest! {
        #[test]
        fn junk_adds_no_line_of_its_own(text in "(?s).{0,300}") {
            for line in rewritten(&text, Kind::AsItIs).lines() {
                prop_assert!(line.starts_with('[') || line.starts_with('\t'));
            }
        }
    }
}
