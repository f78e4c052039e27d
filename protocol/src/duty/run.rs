//! A program that is run once on the host itself, as whoever the warden is: its words, its folder, its variables and
//! its time. Parsed once; there is no shell in it but one that is named as the program. How a word is shown, so
//! that it cannot pass for another one, is said here too.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The kind of act it is.
pub const KIND: &str = "host.run";
/// Where a program that is named without a folder is looked for, and what it is given as PATH. What an administrator put in
/// /usr/local comes last: on some hosts a group may write there, and nothing put there stands in for the system's own.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

/// Most words, the program among them.
pub const MOST_WORDS: usize = 64;
/// Most bytes of all words and variables together: a person reads them all.
pub const MOST_BYTES: usize = 16 * 1024;
/// Most variables.
const MOST_VARIABLES: usize = 16;
/// Seconds it may take where none are said, and at most.
const SECONDS: u64 = 600;
const MOST_SECONDS: u64 = 3600;

/// What the names of variables begin with that steer a loader, an interpreter, a client or this team.
#[rustfmt::skip]
const STEERING: [&str; 48] = [
    "LD_", "DYLD_", "PYTHON", "PERL", "RUBY", "GEM_", "NODE_", "NPM_", "npm_", "LUA_", "PHP", "JAVA_", "_JAVA",
    "JDK_", "GIT_", "BASH", "SHELL", "MALLOC_", "GLIBC_", "GCONV", "OPENSSL_", "SSL_", "CURL_", "SSH_", "SUDO_",
    "PIP_", "CARGO", "RUST", "GO", "XDG_", "SYSTEMD_", "APT_", "DPKG_", "AWK", "TCL", "ERL_", "DOTNET_", "GUILE_",
    "JULIA_", "R_", "VIM", "EMACS", "MYSQL_", "KRB5", "PKG_", "TERM", "LESS", "AI_INFRA",
];
/// Others that do.
#[rustfmt::skip]
const STEERING_WHOLE: [&str; 25] = [
    "ENV", "PATH", "IFS", "PS4", "HOME", "USER", "LOGNAME", "CDPATH", "FPATH", "ZDOTDIR", "PWD", "TMPDIR", "EDITOR",
    "VISUAL", "PAGER", "MANPAGER", "LOCPATH", "NLSPATH", "HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "CLASSPATH",
    "MAKEFLAGS", "INPUTRC", "PSQLRC",
];

/// The fields as they are written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    argv: Vec<String>,
    #[serde(default = "root")]
    folder: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default = "seconds")]
    seconds: u64,
}

fn root() -> String {
    "/".to_owned()
}

fn seconds() -> u64 {
    SECONDS
}

/// A program, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct HostRun {
    argv: Vec<String>,
    folder: String,
    env: BTreeMap<String, String>,
    seconds: u64,
}

impl HostRun {
    /// From its fields; `None` stands for what is usual.
    ///
    /// # Errors
    /// A sentence that says which field is none.
    pub fn new(
        argv: Vec<String>,
        folder: Option<String>,
        env: BTreeMap<String, String>,
        seconds: Option<u64>,
    ) -> Result<Self, String> {
        Fields {
            argv,
            folder: folder.unwrap_or_else(root),
            env,
            seconds: seconds.unwrap_or(SECONDS),
        }
        .try_into()
    }

    /// The program and its words.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// The program as it was named; never empty.
    pub fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The variables it is given beside the fixed ones.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// How long it may take.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Every word, with blanks between them, as people read them.
    pub fn line(&self) -> String {
        let words: Vec<String> = self.argv.iter().map(|word| shown(word)).collect();
        words.join(" ")
    }

    /// Whether it leaves alone the variables that make a program another one.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn steers_nothing(&self) -> Result<(), String> {
        let steers = |name: &&String| {
            STEERING.iter().any(|start| name.starts_with(start))
                || STEERING_WHOLE.contains(&name.as_str())
        };
        match self.env.keys().find(steers) {
            None => Ok(()),
            Some(name) => Err(format!(
                "the variable {name} steers what a program loads or runs, so it cannot be given: name what is to run as the program itself"
            )),
        }
    }
}

impl TryFrom<Fields> for HostRun {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields {
            argv,
            folder,
            env,
            seconds,
        } = fields;
        let program = argv.first().map_or("", String::as_str);
        let found =
            !program.contains('/') && !program.is_empty() && !program.starts_with(['-', '.']);
        if !(found || is_clean(program)) {
            return Err(format!(
                "the program {} is neither an absolute path without `.` and `..`, nor a name that is found in {PATH}",
                shown(program)
            ));
        }
        if argv.len() > MOST_WORDS {
            return Err(format!(
                "a program is given {MOST_WORDS} words at most, and these are {}",
                argv.len()
            ));
        }
        if !is_clean(&folder) {
            return Err(format!(
                "the folder {} is no absolute path without `.` and `..`",
                shown(&folder)
            ));
        }
        if env.len() > MOST_VARIABLES {
            return Err(format!(
                "a program is given {MOST_VARIABLES} variables at most"
            ));
        }
        for (name, value) in &env {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let number = name.starts_with(|c: char| c.is_ascii_digit());
            if name.is_empty() || number || !name.bytes().all(plain) {
                return Err(format!(
                    "{} is no name of a variable: letters, digits and _",
                    shown(name)
                ));
            }
            if value.chars().any(char::is_control) {
                return Err(format!("the variable {name} holds a control character"));
            }
        }
        let words = argv.iter().chain(env.keys()).chain(env.values());
        let bytes: usize = words.map(String::len).sum();
        if bytes > MOST_BYTES {
            return Err(format!(
                "words and variables have {MOST_BYTES} bytes at most, and these have {bytes}"
            ));
        }
        if argv.iter().any(|word| word.contains('\0')) {
            return Err("a word holds a zero byte".to_owned());
        }
        if !(1..=MOST_SECONDS).contains(&seconds) {
            return Err(format!("`seconds` is 1 to {MOST_SECONDS}, not {seconds}"));
        }
        Ok(Self {
            argv,
            folder,
            env,
            seconds,
        })
    }
}

impl From<HostRun> for Fields {
    fn from(run: HostRun) -> Fields {
        let HostRun {
            argv,
            folder,
            env,
            seconds,
        } = run;
        Fields {
            argv,
            folder,
            env,
            seconds,
        }
    }
}

/// An absolute path that goes nowhere but down.
fn is_clean(path: &str) -> bool {
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    match path.strip_prefix('/') {
        Some("") => true,
        Some(rest) => {
            path.len() <= 4096 && !rest.split('/').any(odd) && !rest.chars().any(char::is_control)
        }
        None => false,
    }
}

/// A word as people are shown it: as it is where it is plain, else in quotes with everything escaped that is not a
/// printable sign of ASCII. Two words that differ are never shown alike, and no letter of another script passes for one.
pub fn shown(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    let mut text = String::with_capacity(word.len() + 2);
    text.push('"');
    for sign in word.chars() {
        match sign {
            '"' | '\\' => text.extend(['\\', sign]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            ' '..='~' => text.push(sign),
            other => {
                // Writing to a text does not fail.
                let _written = write!(text, "\\u{{{:x}}}", u32::from(other));
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn of(fields: &Value) -> Result<HostRun, String> {
        serde_json::from_value(fields.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_parsed_or_refused_in_words() {
        let long = "x".repeat(MOST_BYTES);
        let many: Vec<String> = vec!["a".to_owned(); MOST_WORDS + 1];
        for (fields, words) in [
            (json!({"argv": ["id", "-u"]}), None),
            (
                json!({"argv": ["/usr/bin/id"], "folder": "/srv/a b", "env": {"LANG": "C"}, "seconds": 3600}),
                None,
            ),
            (json!({"argv": ["sh", "-c", "echo a | wc -c\n"]}), None),
            (json!({"argv": []}), Some("the program \"\"")),
            (json!({"argv": [""]}), Some("the program")),
            (json!({"argv": ["./x"]}), Some("neither an absolute path")),
            (json!({"argv": ["bin/x"]}), Some("neither")),
            (json!({"argv": [".."]}), Some("neither")),
            (json!({"argv": ["-x"]}), Some("neither")),
            (json!({"argv": ["/usr/bin/../../tmp/x"]}), Some("neither")),
            (json!({"argv": ["/usr//bin/x"]}), Some("neither")),
            (json!({"argv": ["/usr/bin/x/"]}), Some("neither")),
            (json!({"argv": ["/"]}), None),
            (json!({"argv": many}), Some("64 words at most")),
            (json!({"argv": ["id", long]}), Some("bytes at most")),
            (json!({"argv": ["id", "a\u{0}b"]}), Some("zero byte")),
            (
                json!({"argv": ["id"], "folder": "srv"}),
                Some("the folder srv"),
            ),
            (
                json!({"argv": ["id"], "folder": "/srv/../etc"}),
                Some("the folder"),
            ),
            (json!({"argv": ["id"], "seconds": 0}), Some("1 to 3600")),
            (json!({"argv": ["id"], "seconds": 3601}), Some("1 to 3600")),
            (
                json!({"argv": ["id"], "env": {"A B": "x"}}),
                Some("no name of a variable"),
            ),
            (json!({"argv": ["id"], "env": {"1A": "x"}}), Some("no name")),
            (
                json!({"argv": ["id"], "env": {"A=B": "x"}}),
                Some("no name"),
            ),
            (
                json!({"argv": ["id"], "env": {"A": "x\ny"}}),
                Some("control character"),
            ),
            (
                json!({"argv": ["id"], "user": "nobody"}),
                Some("unknown field"),
            ),
            (json!({"argv": "id -u"}), Some("invalid type")),
        ] {
            let said = of(&fields).err();
            assert_eq!(said.is_some(), words.is_some(), "{fields} {said:?}");
            assert!(
                said.unwrap_or_default().contains(words.unwrap_or_default()),
                "{fields}"
            );
        }
        let run = of(&json!({"argv": ["id"]})).unwrap();
        assert_eq!(
            (run.folder(), run.seconds(), run.program()),
            ("/", 600, "id")
        );
        assert_eq!(of(&serde_json::to_value(&run).unwrap()), Ok(run));
    }

    #[test]
    fn no_variable_makes_a_program_another_one() {
        for (name, fine) in [
            ("LANG", true),
            ("LC_ALL", true),
            ("TZ", true),
            ("DEBIAN_FRONTEND", true),
            ("SHOP", true),
            ("LD_PRELOAD", false),
            ("LD_LIBRARY_PATH", false),
            ("PYTHONPATH", false),
            ("PYTHONSTARTUP", false),
            ("NODE_OPTIONS", false),
            ("BASH_ENV", false),
            ("BASH_FUNC_x", false),
            ("ENV", false),
            ("GIT_SSH_COMMAND", false),
            ("PERL5OPT", false),
            ("PERL5LIB", false),
            ("RUBYOPT", false),
            ("PATH", false),
            ("IFS", false),
            ("SHELLOPTS", false),
            ("GLIBC_TUNABLES", false),
            ("GCONV_PATH", false),
            ("HOME", false),
            ("APT_CONFIG", false),
            ("AI_INFRA_HOME", false),
        ] {
            let run = of(&json!({"argv": ["id"], "env": {name: "x"}})).unwrap();
            assert_eq!(run.steers_nothing().is_ok(), fine, "{name}");
        }
    }

    #[test]
    fn what_is_shown_is_what_it_is() {
        for (word, expected) in [
            ("/usr/bin/id", "/usr/bin/id"),
            ("--file=a,b", "--file=a,b"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a\nb\t\"c\\", "\"a\\nb\\t\\\"c\\\\\""),
            ("x\u{202e}y", "\"x\\u{202e}y\""),
            ("p\u{430}sswd", "\"p\\u{430}sswd\""),
            ("\u{1b}[2J", "\"\\u{1b}[2J\""),
        ] {
            assert_eq!(shown(word), expected);
        }
    }

    proptest! {
        #[test]
        fn two_words_are_never_shown_alike(one in any::<String>(), two in any::<String>()) {
            prop_assert_eq!(shown(&one) == shown(&two), one == two);
            prop_assert!(shown(&one).bytes().all(|b| (0x20..0x7f).contains(&b)));
        }

        #[test]
        fn what_parses_is_clean(argv in proptest::collection::vec("[ -~]{0,12}", 0..4), folder in "[/.a]{0,8}") {
            if let Ok(run) = HostRun::new(argv, Some(folder), BTreeMap::new(), None) {
                let first = run.program();
                prop_assert!(first.starts_with('/') || !first.contains('/'));
                prop_assert!(!first.split('/').any(|part| part == ".."));
                prop_assert!(run.folder().starts_with('/') && !run.folder().split('/').any(|part| part == ".."));
            }
        }
    }
}
