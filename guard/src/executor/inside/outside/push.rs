//! Pushes one commit as one branch of one granted remote, never by force. It is done from a repository of its own, made in
//! the sandbox's memory, that borrows the clone's objects: nothing that programs wrote into the clone's settings or hooks is
//! obeyed where the token is; and what it brings is looked at in a copy whose objects are what they are called (`pushed.rs`). Whether it happened the remote says: asked before, and again when an answer did not come.

use super::Failed;
use super::pushed::Pushed;
use crate::bring::Remote;
use crate::control_files::obeyed_by;
use crate::executor::inside::place;
use crate::executor::inside::program::{Ended, Leash, Program};
use crate::executor::inside::serve::Done;
use crate::sandbox::spec::HOME;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::text::cut;
use serde_json::json;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where it is pushed from.
const FROM: &str = "/tmp/push.git";
/// Bundles of the authorities that a system trusts.
const AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// Longest question to the remote, and longest push.
pub(super) const QUESTION: Duration = Duration::from_secs(30);
const PUSH: Duration = Duration::from_secs(300);
/// Tries to learn what became of a push whose answer did not come.
const TRIES: usize = 3;
/// Most branches of the remote that are looked at, and bytes of names that are read.
const BRANCHES: usize = 2000;
const NAMES: usize = 8 * 1024 * 1024;
/// Most control files that are named.
const NAMED: usize = 5;

static OWN: AtomicBool = AtomicBool::new(true);

/// Says whether it is pushed from a repository of its own.
pub(in super::super) fn from_its_own(own: bool) {
    OWN.store(own, Ordering::Relaxed);
}

/// What is pushed.
pub(super) struct Order<'a> {
    /// The commit, its whole id.
    pub(super) commit: &'a str,
    /// The branch, without `refs/heads/`.
    pub(super) branch: &'a str,
}

/// Does it, or finds it done.
pub(super) fn push(order: &Order<'_>, to: &Remote, leash: Leash<'_>) -> Result<Done, Failed> {
    let refused = |why: String| Failed::Refused(why);
    prepare(order, to).map_err(|e| refused(format!("the push has no place: {e}")))?;
    let kind = git(&["cat-file", "-t", order.commit], leash, QUESTION).map_err(refused)?;
    if kind.stdout.trim() != "commit" {
        let why = format!(
            "there is no commit {} in the clone: GitCommit tells its id",
            order.commit
        );
        return Err(refused(why));
    }
    let heads = heads(to, leash).map_err(refused)?;
    let own = |heads: &[(String, String)]| {
        let named = heads.iter().find(|(_, name)| name == order.branch);
        named.map(|(commit, _)| commit.clone())
    };
    let there = own(&heads);
    if there.as_deref() == Some(order.commit) {
        return Ok(told(order, true));
    }
    // Its own branch counts, wherever it is listed.
    let named = heads.iter().map(|(commit, _)| commit.as_str());
    let own_branch = there.as_deref().into_iter();
    let known = own_branch.chain(named.take(BRANCHES)).collect();
    let clone = place::root().join(".git").display().to_string();
    let pushed = match OWN.load(Ordering::Relaxed) {
        true => {
            Pushed::copied(FROM, order.commit, there.as_deref(), known, leash).map_err(refused)?
        }
        false => Pushed::believed(&clone, order.commit, known),
    };
    if let Some(there) = &there
        && !pushed.goes_on_from(there, leash).map_err(refused)?
    {
        return Err(refused(format!(
            "the branch {} is there with other work ({}), and nothing is pushed by force",
            order.branch,
            there.get(..12).unwrap_or(there)
        )));
    }
    if !to.control_files {
        control_files(&pushed.changes(leash).map_err(refused)?).map_err(refused)?;
    }
    let to_branch = format!("{}:refs/heads/{}", order.commit, order.branch);
    let mut words = vec!["push", "--porcelain"];
    if OWN.load(Ordering::Relaxed) {
        words.extend(["--no-verify", "--no-follow-tags", "--recurse-submodules=no"]);
    }
    words.extend([to.url.as_str(), &to_branch]);
    let pushed = git(&words, leash, PUSH).map_err(refused)?;
    if pushed.exit == Some(0) {
        return Ok(told(order, false));
    }
    let why = explained(&pushed);
    for _ in 0..TRIES {
        match self::heads(to, leash) {
            Ok(heads) if own(&heads).as_deref() == Some(order.commit) => {
                return Ok(told(order, false));
            }
            // The remote says that it is not there; one that broke off may still be at work.
            Ok(_) if pushed.exit.is_some() => return Err(refused(why)),
            _ => std::thread::sleep(Duration::from_millis(500)),
        }
    }
    Err(Failed::Unknown(why))
}

fn told(order: &Order<'_>, before: bool) -> Done {
    let Order { commit, branch } = order;
    let text = match before {
        true => format!("{branch} is at {commit} there already"),
        false => format!("pushed {commit} as {branch}"),
    };
    Done::good(
        text,
        json!({"commit": commit, "branch": branch, "before": before}),
    )
}

/// Makes an empty repository anew.
pub(super) fn make(own: &Path, sha256: bool) -> io::Result<()> {
    if own.exists() {
        fs::remove_dir_all(own)?;
    }
    for folder in ["objects/info", "objects/pack", "refs/heads"] {
        fs::create_dir_all(own.join(folder))?;
    }
    fs::write(own.join("HEAD"), "ref: refs/heads/none\n")?;
    let format = match sha256 {
        true => {
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
        }
        false => "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    };
    fs::write(own.join("config"), format)
}

/// Makes the repository and git's settings anew.
fn prepare(order: &Order<'_>, to: &Remote) -> io::Result<()> {
    let own = Path::new(FROM);
    let objects = place::root().join(".git/objects");
    if !objects.is_dir() {
        return Err(io::Error::other("the workspace is no repository of git"));
    }
    make(own, order.commit.len() == 64)?;
    fs::write(
        own.join("objects/info/alternates"),
        format!("{}\n", objects.display()),
    )?;
    // A clone without its whole past says where that begins.
    let shallow = place::root().join(".git/shallow");
    if shallow
        .symlink_metadata()
        .is_ok_and(|file| file.is_file() && file.len() < 1 << 20)
    {
        fs::copy(&shallow, own.join("shallow"))?;
    }
    let file = Path::new(HOME).join(".gitconfig");
    match fs::remove_file(&file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut open = OpenOptions::new();
    let mut file = open.write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(settings(to).as_bytes())
}

/// Git's settings: they hold the token, because arguments and variables of a process can be read.
fn settings(to: &Remote) -> String {
    let authority = to.authority.as_ref().map(|file| file.display().to_string());
    let trusted = || {
        AUTHORITIES
            .iter()
            .find(|path| Path::new(path).exists())
            .map(|path| (*path).to_owned())
    };
    let mut text =
        "[credential]\n\thelper =\n[http]\n\tfollowRedirects = false\n\tproxy =\n".to_owned();
    if let Some(file) = authority.or_else(trusted) {
        text += &format!(
            "\tsslCAInfo = \"{}\"\n",
            file.replace('\\', "\\\\").replace('"', "\\\"")
        );
    }
    let user = to.user.as_deref().unwrap_or("x-access-token");
    let basic = STANDARD.encode(format!("{user}:{}", to.token.reveal()));
    text += &format!("\textraHeader = \"Authorization: Basic {basic}\"\n");
    let scheme = to
        .url
        .split_once("://")
        .map_or("https", |(scheme, _)| scheme);
    text += &format!("[protocol]\n\tallow = never\n[protocol \"{scheme}\"]\n\tallow = always\n");
    text + "[core]\n\thooksPath = /dev/null\n[gc]\n\tauto = 0\n"
}

fn git(words: &[&str], leash: Leash<'_>, most: Duration) -> Result<Ended, String> {
    let clone = place::root().join(".git").display().to_string();
    let from = match OWN.load(Ordering::Relaxed) {
        true => FROM,
        false => &clone,
    };
    git_at(from, words, None, leash, most)
}

/// Git at a repository, with a file on its input where there is one.
pub(super) fn git_at(
    at: &str,
    words: &[&str],
    input: Option<File>,
    leash: Leash<'_>,
    most: Duration,
) -> Result<Ended, String> {
    let mut argv = vec!["git", "--git-dir", at];
    argv.extend(words);
    let mut program = Program::new(&argv);
    program.cwd = "/tmp".into();
    program.keep = NAMES;
    let ended = match input {
        Some(input) => program.run_on(input, leash.shorter(most)),
        None => program.run(leash.shorter(most)),
    };
    ended.map_err(|e| format!("git cannot be started: {e}"))
}

/// The branches of the remote, with their commits.
fn heads(to: &Remote, leash: Leash<'_>) -> Result<Vec<(String, String)>, String> {
    let asked = git(&["ls-remote", "--heads", &to.url], leash, QUESTION)?;
    if asked.exit != Some(0) {
        return Err(explained(&asked));
    }
    let one = |line: &str| {
        let (commit, name) = line.split_once('\t')?;
        if commit.is_empty() || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        Some((
            commit.to_owned(),
            name.strip_prefix("refs/heads/")?.to_owned(),
        ))
    };
    Ok(asked.stdout.lines().filter_map(one).collect())
}

/// Refuses what build services and others obey as soon as it is pushed.
fn control_files(changed: &[String]) -> Result<(), String> {
    let named =
        |name: &String| obeyed_by(name).map(|by| format!("{} ({})", name.escape_debug(), by.by()));
    let mut found: Vec<String> = changed.iter().filter_map(named).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Ok(());
    }
    let more = match found.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    found.truncate(NAMED);
    Err(format!(
        "the branch changes what others obey without being asked: {}{more}; a person pushes that, or `control_files: true` of the remote allows it",
        found.join(", ")
    ))
}

/// What git complained of, in a line.
fn explained(ended: &Ended) -> String {
    let said = format!("{}\n{}", ended.stderr, ended.stdout);
    let has = |part: &str| said.contains(part);
    if ended.timed_out || ended.cancelled {
        return "the remote took too long, and git was stopped".to_owned();
    }
    if has("Authentication failed")
        || has("could not read Username")
        || has("error: 401")
        || has("error: 403")
    {
        return "the remote does not take the token: it is wrong, has ended or may not write there (`permissions.remotes`)".to_owned();
    }
    if has("certificate") {
        return format!("the remote's certificate is not in order: {}", first(&said));
    }
    if has("non-fast-forward") || has("fetch first") {
        return "the branch is there with other work, and nothing is pushed by force".to_owned();
    }
    format!("git does not push: {}", first(&said))
}

fn first(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.take(4).collect();
    cut(&lines.join("; "), 400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::Credential;

    #[test]
    fn the_token_stands_in_settings_that_lead_nowhere_else() {
        let to = Remote {
            url: "https://h/x.git".to_owned(),
            token: Credential::new("hunter2"),
            user: None,
            authority: Some("/etc/own \"x\".pem".into()),
            branches: Vec::new(),
            control_files: false,
        };
        let text = settings(&to);
        assert!(text.contains("Authorization: Basic eC1hY2Nlc3MtdG9rZW46aHVudGVyMg=="));
        assert!(
            text.contains("sslCAInfo = \"/etc/own \\\"x\\\".pem\""),
            "{text}"
        );
        assert!(
            text.contains("[protocol]\n\tallow = never\n[protocol \"https\"]\n\tallow = always")
        );
        assert!(text.contains("followRedirects = false"));
    }
}
