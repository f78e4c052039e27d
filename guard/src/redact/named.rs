//! Values that are told by the name before them, in files of settings: JSON, YAML, TOML, INI, and quoted in code. Most
//! names of that kind stand before something that is no secret (a type, a call, a title of a page, the name of a header),
//! and what is masked in code is in the way of whoever works on it. So the value must look like a secret too.

use regex::{Captures, Regex};
use std::ops::Range;

/// Before a name: the start of a line, a sign that ends another word, or the mark of a line of a patch.
const BEFORE: &str = r#"(?:^|[\s"',;:{(\[+&?-])"#;
/// A name whose end tells.
const NAME: &str = r"(?P<name>[A-Za-z0-9_.-]*(?i:secret|token|password|passwd|passphrase|credentials?|(?:api|access|secret|private|auth|account|master|encryption|signing)[_.-]?key|[_-](?:pat|pwd))|[A-Z][A-Z0-9_]*_KEY)";
/// Shortest value.
const SHORTEST: usize = 8;
/// Shortest value of several words.
const SHORTEST_WORDS: usize = 6;
/// Longest one: what is longer is a text.
const LONGEST: usize = 500;
/// Words of values that stand for one.
const STAND_INS: [&str; 9] = [
    "change",
    "your",
    "example",
    "placeholder",
    "dummy",
    "sample",
    "replace",
    "insert",
    "xxxx",
];
/// Words of values that are a name themselves.
const NAMES: [&str; 6] = ["password", "passwd", "secret", "token", "key", "credential"];

/// How a value stands behind its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `"name": "value"`, `name = 'value'`.
    Quoted,
    /// `name: value`, `name = value`.
    Plain,
    /// `NAME='value of words'`.
    Words,
}

/// One form of telling.
pub(super) struct Told {
    form: Form,
    regex: Regex,
}

/// The forms as patterns, for a quick look at whether there are any.
pub(super) fn patterns() -> [String; 3] {
    let double = r#""(?P<double>[^"\\\r\n]{8,}?)""#;
    let single = r"'(?P<single>[^'\\\r\n]{8,}?)'";
    [
        format!(r#"{BEFORE}{NAME}["']?[ \t]*(?P<mark>:|=)>?[ \t]*(?:{double}|{single})"#),
        format!(
            r#"{BEFORE}{NAME}(?P<mark>[ \t]*=[ \t]*|:[ \t]+)(?P<plain>[^\s"'`,;(){{}}\[\]<>]{{8,}})"#
        ),
        format!(
            r#"{BEFORE}(?P<name>[A-Z][A-Z0-9_]*(?:PASSWORD|PASSWD|PASSPHRASE|SECRET)|PASSWORD|PASSPHRASE)=(?P<mark>)(?:"(?P<double>[^"\\\r\n]+)"|'(?P<single>[^'\\\r\n]+)')"#
        ),
    ]
}

/// The forms, in the order of their patterns.
pub(super) fn told() -> Result<Vec<Told>, regex::Error> {
    let forms = [Form::Quoted, Form::Plain, Form::Words];
    let told =
        |(form, pattern): (Form, String)| Regex::new(&pattern).map(|regex| Told { form, regex });
    forms.into_iter().zip(patterns()).map(told).collect()
}

impl Told {
    /// Where values stand that are told this way. Pure.
    pub(super) fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let found = self.regex.captures_iter(text);
        found.filter_map(|found| self.span(text, &found)).collect()
    }

    fn span(&self, text: &str, found: &Captures<'_>) -> Option<Range<usize>> {
        let value = ["double", "single", "plain"];
        let value = value.iter().find_map(|group| found.name(group))?;
        let (name, mark) = (found.name("name")?.as_str(), found.name("mark")?.as_str());
        let by_colon = mark.trim() == ":";
        let says = value.as_str();
        let is = match self.form {
            Form::Words => is_of_words(says),
            Form::Quoted => looks_secret(says) || (by_colon && is_phrase(name, says)),
            Form::Plain => {
                let rest = text.get(value.end()..)?;
                let ends = rest.chars().next().is_none_or(char::is_whitespace);
                ends && ((looks_secret(says) && !is_variable(says))
                    || (by_colon && is_phrase(name, says)))
            }
        };
        is.then(|| value.range())
    }
}

/// Whether a value of several words is one and no reference.
fn is_of_words(value: &str) -> bool {
    let many = (SHORTEST_WORDS..=LONGEST).contains(&value.len());
    many && value.trim().contains(' ') && !value.contains(['$', '`', '[', '{', '<'])
}

/// Whether a value looks made up of letters, digits and signs at random: no words, no path, no number, no reference.
fn looks_secret(value: &str) -> bool {
    if !may_be_secret(value) {
        return false;
    }
    // A sentence of one word ends with a sign too.
    let within = value.trim_end_matches(['!', '?', '*', '=']);
    let has_sign = within.contains(['!', '@', '#', '%', '^', '&', '*', '+', '=', '~', '?']);
    let mut parts = within.split(|c: char| !c.is_alphanumeric());
    let has_letter = value.chars().any(char::is_alphabetic);
    has_letter && (has_sign || parts.any(|part| !is_word(part)))
}

/// What every value must be.
fn may_be_secret(value: &str) -> bool {
    let reference = value.starts_with([
        '$', '<', '{', '(', '`', '[', '*', '/', '~', '.', '%', '&', '@', '!', '#',
    ]) || ["${", "$(", "{{", "%(", "://", "[secret"]
        .iter()
        .any(|sign| value.contains(sign));
    let lower = value.to_ascii_lowercase();
    (SHORTEST..=LONGEST).contains(&value.len())
        && !reference
        && !value.contains([' ', '\t', '|', ':', '(', ')', '\\'])
        && !STAND_INS.iter().any(|word| lower.contains(word))
}

/// Letters, perhaps with a number behind them; or a number.
fn is_word(part: &str) -> bool {
    let digits = part.trim_start_matches(char::is_alphabetic);
    let is_number = digits.chars().all(|c| c.is_ascii_digit());
    is_number && (digits.len() == part.len() || digits.len() <= 3)
}

/// Whether what stands there unquoted is rather the name of a variable: letters and digits that do not take turns.
fn is_variable(value: &str) -> bool {
    let mut chars = value.chars();
    let starts = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let bytes = value.as_bytes();
    let turns = bytes.windows(2).filter(|pair| match pair {
        [a, b] => {
            a.is_ascii_alphanumeric()
                && b.is_ascii_alphanumeric()
                && a.is_ascii_digit() != b.is_ascii_digit()
        }
        _ => false,
    });
    starts && value.chars().all(plain) && turns.count() < 3
}

/// Words with dashes between them behind a name as of the environment: `DB_PASSWORD: correct-horse`. One that says of
/// itself what it is names something: `FORGOT_PASSWORD: forgot-password`.
fn is_phrase(name: &str, value: &str) -> bool {
    let env = name.contains('_') && !name.contains(|c: char| c.is_ascii_lowercase());
    let lower = value.to_ascii_lowercase();
    env && !name.ends_with("_KEY")
        && may_be_secret(value)
        && value.contains('-')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && value.contains(|c: char| c.is_ascii_alphabetic())
        && !NAMES.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use crate::redact::Redactor;

    #[track_caller]
    fn masked(text: &str, expected: &str) {
        assert_eq!(Redactor::default().text(text), expected);
    }

    #[track_caller]
    fn stays(text: &str) {
        masked(text, text);
    }

    #[test]
    fn files_of_settings_tell_by_their_names() {
        for (text, expected) in [
            (
                r#"{"DB_PASSWORD": "s3cr3t-horse"}"#,
                r#"{"DB_PASSWORD": "[secret]"}"#,
            ),
            (
                r#"{"db_password":"s3cr3tHorse","api_token":"5f2c9a7be1"}"#,
                r#"{"db_password":"[secret]","api_token":"[secret]"}"#,
            ),
            (
                r#"  "DB_PASSWORD": "correct-horse","#,
                r#"  "DB_PASSWORD": "[secret]","#,
            ),
            (
                "db:\n  DB_PASSWORD: correct-horse\n",
                "db:\n  DB_PASSWORD: [secret]\n",
            ),
            (
                "  - db_password: 5f2c9a7be1 # of the shop",
                "  - db_password: [secret] # of the shop",
            ),
            ("password: hunter2hunter2\n", "password: [secret]\n"),
            (
                "db_password = \"Tr0ub4dor&3\"",
                "db_password = \"[secret]\"",
            ),
            (
                "db.password=5f2c9a7be1\ndb.user=shop",
                "db.password=[secret]\ndb.user=shop",
            ),
            ("secret = '5f2c9a7be1'", "secret = '[secret]'"),
            (
                "const apiKey = 'a8f5f167f44f';",
                "const apiKey = '[secret]';",
            ),
            (
                "connect(user=\"a\", password=\"Tr0ub4dor3\")",
                "connect(user=\"a\", password=\"[secret]\")",
            ),
            (
                "'client_secret' => 'a8f5f167f44f'",
                "'client_secret' => '[secret]'",
            ),
            ("+db_password: 5f2c9a7be1", "+db_password: [secret]"),
            (
                "a.yml:12:  db_password: 5f2c9a7be1",
                "a.yml:12:  db_password: [secret]",
            ),
            (
                "    12\tdb_password: 5f2c9a7be1",
                "    12\tdb_password: [secret]",
            ),
            (
                "export DB_PASSWORD='pw with words'",
                "export DB_PASSWORD='[secret]'",
            ),
            ("DB_PASSWORD='pw with'", "DB_PASSWORD='[secret]'"),
            ("--db-password=5f2c9a7be1 --x", "--db-password=[secret] --x"),
        ] {
            masked(text, expected);
        }
    }

    #[test]
    fn code_and_words_stay_as_they_are() {
        for text in [
            "password = get_password()",
            "password = config.password2",
            "let token = tokens.next_token();",
            "token = sha256sum",
            "let api_token = token2;",
            "password: String,",
            "  password: Option<String>,",
            "  API_TOKEN: process.env.API_TOKEN2",
            "API_TOKEN: settings.api_token\n",
            "DB_PASSWORD: ${DB_PASSWORD}",
            "DB_PASSWORD: \"${DB_PASSWORD:-x1y2z3}\"",
            "\"db_password\": \"\"",
            "\"password\": \"changeme123\"",
            "\"password\": \"<your-password1>\"",
            "password: \"********\"",
            "\"password\": \"Passwort\"",
            "\"password\": \"Passwort?\"",
            "\"forgot_password\": \"Forgot your password?\"",
            "\"password\": \"required|min:8|max:64\"",
            "export const RESET_PASSWORD = 'auth/RESET_PASSWORD';",
            "FORGOT_PASSWORD: \"forgot-password\"",
            "AUTH_TOKEN = \"X-Auth-Token\"",
            "STORAGE_KEY = \"myapp.settings.v2\"",
            "STORAGE_KEY: \"user-profile\"",
            "\"password\": \"auth.password.v2\"",
            "\"next_token\": \"2026-01-01\"",
            "secret = vault/db/main2",
            "password_file: /run/secrets/db1x2y3",
            "password: /run/secrets/db1x2y3",
            "private_key: ./keys/id1a2b3c",
            "credentials: \"~/.aws/credentials1\"",
            "max_tokens: 4096000000",
            "\"max_tokens\": \"a1b2c3d4e5\"",
            "token=abcdefghijkl",
            "<input name=\"password\" type=\"password\" id=\"p1x2y3z4\">",
            "DB_PASSWORD=\"$(cat pw with)\"",
            "ERROR_TOKEN='no token was given'",
            "\"password\": \"[secret:3f2a91c0]\"",
            "password: [secret:3f2a91c0]",
        ] {
            stays(text);
        }
    }
}
