//! What a secret looks like, and what only looks like one. Each rule is a shape; a match is dropped when it is a
//! placeholder, a reference, or too regular to be random.

use std::sync::LazyLock;

use regex::Regex;

/// A secret in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// Line, from 1.
    pub line: u64,
    /// Name of the rule.
    pub rule: &'static str,
    /// The secret itself; mask it before it goes anywhere.
    pub text: &'a str,
    /// Where it begins in the text, in bytes.
    pub start: usize,
}

/// How sure a shape is: an assignment needs a value that looks random besides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sure {
    Shape,
    Assignment,
}

/// Rules, the surer ones first: of two that overlap the first wins. Group 1 is the secret.
const RULES: &[(&str, Sure, &str)] = &[
    (
        "private-key",
        Sure::Shape,
        r"(-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n|\\r)+(?:[A-Za-z-]+: [^\n]*\s+)*[A-Za-z0-9+/=]{16,})",
    ),
    (
        "aws-access-key",
        Sure::Shape,
        r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b",
    ),
    (
        "aws-secret-key",
        Sure::Shape,
        r#"(?i)aws.{0,20}?secret.{0,20}?["'\s:=]([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
    ),
    (
        "github-token",
        Sure::Shape,
        r"\b(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255})\b",
    ),
    (
        "gitlab-token",
        Sure::Shape,
        r"\b(glpat-[A-Za-z0-9_-]{20,64})",
    ),
    (
        "slack-token",
        Sure::Shape,
        r"\b(xox[abeoprs]-[A-Za-z0-9-]{10,255})",
    ),
    (
        "slack-webhook",
        Sure::Shape,
        r"(https://hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16,})",
    ),
    (
        "stripe-key",
        Sure::Shape,
        r"\b([sr]k_live_[A-Za-z0-9]{16,255})\b",
    ),
    ("google-api-key", Sure::Shape, r"\b(AIza[A-Za-z0-9_-]{35})"),
    (
        "anthropic-key",
        Sure::Shape,
        r"\b(sk-ant-[A-Za-z0-9_-]{20,255})",
    ),
    (
        "openai-key",
        Sure::Shape,
        r"(?:^|[^\w-])(sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,255})",
    ),
    ("npm-token", Sure::Shape, r"\b(npm_[A-Za-z0-9]{36})\b"),
    ("pypi-token", Sure::Shape, r"\b(pypi-[A-Za-z0-9_-]{50,255})"),
    (
        "sendgrid-key",
        Sure::Shape,
        r"\b(SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64})",
    ),
    (
        "jwt",
        Sure::Shape,
        r"\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})",
    ),
    (
        "url-password",
        Sure::Assignment,
        r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@"'<>]*:([^\s:/@"'<>]{8,})@[\w.-]+"#,
    ),
    (
        "password-assignment",
        Sure::Assignment,
        r#"(?i)(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|credentials?)[\w.-]{0,20}["']?\s*(?::=|=>|==?|:)\s*(?:[a-z]{1,2})?["']([^"'\s]{8,200})["']"#,
    ),
    (
        "password-assignment",
        Sure::Assignment,
        r#"(?m)^\s*(?:export\s+|-\s+)?(?i:[\w.-]{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key)[\w]{0,20})\s*(?:=|:\s)\s*([^\s"'#`,;(){}\[\]<>$]{8,200})\s*(?:#.*)?$"#,
    ),
];

static COMPILED: LazyLock<Vec<(&'static str, Sure, Regex)>> = LazyLock::new(|| {
    RULES
        .iter()
        .filter_map(|(name, sure, shape)| Some((*name, *sure, Regex::new(shape).ok()?)))
        .collect()
});

/// Secrets told of one text; a file of secrets only is cut off here.
const MOST: usize = 2000;

/// Every secret of a text, in order.
pub fn find(text: &str) -> Vec<Found<'_>> {
    let mut found: Vec<Found> = Vec::new();
    for (rule, sure, shape) in COMPILED.iter() {
        for matched in shape.captures_iter(text).filter_map(|c| c.get(1)) {
            let overlaps =
                |f: &Found| matched.start() < f.start + f.text.len() && f.start < matched.end();
            let secret = matched.as_str();
            let real = match *rule {
                "private-key" => !is_placeholder(secret),
                "openai-key" => is_real(secret, *sure) && !is_identifier(secret),
                _ => is_real(secret, *sure),
            };
            if real && found.len() < MOST && !found.iter().any(overlaps) {
                found.push(Found {
                    line: 0,
                    rule,
                    text: secret,
                    start: matched.start(),
                });
            }
        }
    }
    found.sort_by_key(|f| f.start);
    let (mut line, mut at) = (1, 0);
    for one in &mut found {
        line += text[at..one.start].bytes().filter(|b| *b == b'\n').count() as u64;
        (one.line, at) = (line, one.start);
    }
    found
}

fn is_real(secret: &str, sure: Sure) -> bool {
    if is_placeholder(secret) || is_regular(secret) {
        return false;
    }
    sure == Sure::Shape || looks_random(secret)
}

/// Words that say "put yours here".
fn is_placeholder(secret: &str) -> bool {
    const WORDS: &[&str] = &[
        "example",
        "placeholder",
        "changeme",
        "change_me",
        "change-me",
        "your_",
        "your-",
        "yourkey",
        "yourtoken",
        "yoursecret",
        "yourpass",
        "yourapi",
        "dummy",
        "redacted",
        "sample",
        "insert",
        "replace",
        "notreal",
        "not-real",
        "not_real",
        "fake",
        "xxxx",
        "****",
        "....",
        "todo",
        "foobar",
        "lorem",
        "test-token",
        "test_token",
        "secret-key-here",
        "goes-here",
        "goes_here",
    ];
    let lower = secret.to_ascii_lowercase();
    WORDS.iter().any(|w| lower.contains(w))
}

/// Runs of one character, long alphabets, or hardly any different characters.
fn is_regular(secret: &str) -> bool {
    let bytes = secret.as_bytes();
    let longest = |follows: fn(u8, u8) -> bool| {
        let (mut best, mut run) = (1, 1);
        for pair in bytes.windows(2) {
            run = if follows(pair[0], pair[1]) {
                run + 1
            } else {
                1
            };
            best = best.max(run);
        }
        best
    };
    let body = secret.rsplit(['_', '-']).next().unwrap_or(secret);
    let kinds = body.bytes().collect::<std::collections::HashSet<_>>().len();
    longest(|a, b| a == b) >= 6
        || longest(|a, b| b == a.wrapping_add(1)) >= 8
        || (body.len() >= 12 && kinds < 6)
}

/// A value that is no word, reference, path or call, and has the mix of characters of a made-up secret.
fn looks_random(value: &str) -> bool {
    const WEAK: &[&str] = &[
        "password",
        "passw0rd",
        "secret",
        "qwerty",
        "letmein",
        "hunter2",
        "admin",
        "postgres",
        "localhost",
        "test",
        "demo",
        "default",
        "undefined",
        "null",
    ];
    const REFERENCES: &[&str] = &[
        "${",
        "$(",
        "{{",
        "<",
        "%(",
        "%{",
        "#{",
        "process.env",
        "os.environ",
        "env.",
        "env(",
        "secrets.",
        "vault:",
        "vars.",
        "ENC[",
        "arn:",
        "ssm:",
        "/",
        "./",
        "http",
        "file:",
        "sha256",
        "sha512",
        "self.",
        "config.",
        "settings.",
        "args.",
    ];
    let lower = value.to_ascii_lowercase();
    if REFERENCES.iter().any(|r| value.starts_with(r))
        || value.starts_with('$')
        || value.contains("${")
        || value.contains("{{")
        || value.contains('(')
    {
        return false;
    }
    let stripped = lower.trim_matches(|c: char| !c.is_ascii_alphabetic());
    if WEAK.contains(&stripped)
        || (value.len() < 16 && WEAK.iter().any(|w| w.len() > 4 && lower.starts_with(w)))
    {
        return false;
    }
    let has = |test: fn(&char) -> bool| value.chars().any(|c| test(&c));
    let mixed = has(char::is_ascii_alphabetic)
        && (has(char::is_ascii_digit) || value.chars().any(|c| "!@#%^&*+=?~/".contains(c)));
    mixed && !is_identifier(value) && entropy(value) >= 0.8 * (value.len().min(16) as f64).log2()
}

/// `access-token`, `my_app.token_v2`, `MY_TOKEN`: words joined by marks, each with few digits.
fn is_identifier(value: &str) -> bool {
    let one_case = value == value.to_ascii_lowercase() || value == value.to_ascii_uppercase();
    let word = |w: &str| {
        let digits = w.bytes().filter(u8::is_ascii_digit).count();
        w.bytes().all(|b| b.is_ascii_alphanumeric())
            && (digits == 0
                || (digits <= 2
                    && w.trim_end_matches(|c: char| c.is_ascii_digit()).len() == w.len() - digits
                    && w.len() <= 12))
    };
    one_case && value.split(['-', '_', '.', ':', '/']).all(word)
}

/// Bits a character.
fn entropy(value: &str) -> f64 {
    let mut counts = [0u32; 256];
    value.bytes().for_each(|b| counts[b as usize] += 1);
    let length = value.len() as f64;
    let part = |n: &u32| -> f64 {
        let share = f64::from(*n) / length;
        -share * share.log2()
    };
    counts.iter().filter(|n| **n > 0).map(part).sum()
}
