//! The red team: every file of `tests/redteam/CLASS/` is one attempt to get out, carried out through
//! the same door as real work (plan, gate, executor), once with all walls and once with the named
//! walls taken away: with them it must fail, without them it must succeed, or it proves nothing.
//! As root it is all done twice, the second time as an ordinary user.
//!
//! `--whole` runs every attempt, else the first of each class; `--json` prints one document;
//! `--record FILE` takes what the story about the record found (`tests/cases/redteam_record.rs`);
//! any other word picks attempts whose name holds it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[cfg(not(debug_assertions))]
compile_error!(
    "the red team takes walls away, which no release can: run it without --release (scripts/redteam.sh)"
);

#[path = "redteam/attempt.rs"]
mod attempt;
#[path = "redteam/bring.rs"]
mod bring;
#[path = "redteam/case.rs"]
mod case;
#[path = "redteam/duties.rs"]
mod duties;
#[path = "redteam/leave.rs"]
mod leave;
#[path = "redteam/listeners.rs"]
mod listeners;
#[path = "redteam/registry.rs"]
mod registry;
#[path = "redteam/report.rs"]
mod report;
#[path = "redteam/resp.rs"]
mod resp;
#[path = "redteam/runs.rs"]
mod runs;
#[path = "redteam/users.rs"]
mod users;
#[path = "redteam/world.rs"]
mod world;

use case::Case;
use report::{Report, Verdict};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The ordinary user that root runs it as again.
const USER: u32 = 64322;
/// Attempts at the same time.
const WORKERS: usize = 4;

#[derive(Clone)]
struct Wish {
    whole: bool,
    json: bool,
    words: Vec<String>,
    cases: PathBuf,
    exe: PathBuf,
    canary: Option<String>,
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("hands") {
        return as_hands();
    }
    let wish = wish();
    let Some(canary) = wish.canary.clone() else {
        return again_with_a_canary();
    };
    if Command::new("bwrap").arg("--version").output().is_err() {
        eprintln!("skipped: no bwrap; `apt-get install bubblewrap` gets it");
        return ExitCode::SUCCESS;
    }
    let mut report = run_all(&wish, &canary);
    if nix::unistd::geteuid().is_root() {
        report.join(as_user(&wish));
    }
    if let Some(record) = &wish.record {
        report.take_record(record);
    }
    report.tell(wish.json);
    match report.good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// A warden of an attempt starts this very program as its hands.
fn as_hands() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let served = { runtime }.enable_all().build().unwrap();
    match served.block_on(hands::serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn wish() -> Wish {
    let mut wish = Wish {
        whole: false,
        json: false,
        words: Vec::new(),
        cases: Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/redteam"),
        exe: env!("CARGO_BIN_EXE_guard-executor-for-tests").into(),
        canary: None,
        record: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--whole" => wish.whole = true,
            "--json" => wish.json = true,
            "--cases" => wish.cases = args.next().expect("a folder").into(),
            "--exe" => wish.exe = args.next().expect("a file").into(),
            "--canary" => wish.canary = args.next(),
            "--record" => wish.record = args.next().map(PathBuf::from),
            // What `cargo test` hands to every test binary.
            flag if flag.starts_with('-') => {}
            word => wish.words.push(word.to_owned()),
        }
    }
    wish
}

/// The holder's own environment holds a secret, as a real one may.
fn again_with_a_canary() -> ExitCode {
    let canary = format!("canary-{}", uuid_like());
    let error = Command::new(std::env::current_exe().unwrap())
        .args(std::env::args().skip(1))
        .args(["--canary", &canary])
        .env("LEAKED_TOKEN", &canary)
        .exec();
    eprintln!("the red team cannot be started: {error}");
    ExitCode::FAILURE
}

fn uuid_like() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid")
        .unwrap()
        .trim()
        .to_owned()
}

fn run_all(wish: &Wish, canary: &str) -> Report {
    let cases = chosen(wish);
    let redis = world::Redis::start(canary);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Report::default()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = runtime.block_on(verdict(case, wish, canary, redis.as_ref()));
                    done.lock().unwrap().add(case, verdict);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn chosen(wish: &Wish) -> Vec<Case> {
    let mut all = case::read_all(&wish.cases);
    if !wish.words.is_empty() {
        all.retain(|case| wish.words.iter().any(|word| case.name.contains(word)));
    } else if !wish.whole {
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|case| case.fits() && seen.insert(case.class().to_owned()));
    }
    all
}

async fn verdict(case: &Case, wish: &Wish, canary: &str, redis: Option<&world::Redis>) -> Verdict {
    if let Some(why) = case.cannot(redis.is_some()) {
        return Verdict::Skipped(why);
    }
    let attempt = attempt::Attempt {
        case,
        exe: &wish.exe,
        canary,
        redis,
    };
    let held = match attempt.carry_out(case.even_without.as_deref()).await {
        Ok(proof) => proof,
        Err(why) => return Verdict::Broken(format!("with every wall: {why}")),
    };
    if let Some(proof) = held {
        return Verdict::Escaped(proof);
    }
    let without = case.without();
    let mut control = attempt.carry_out(Some(&without)).await;
    if matches!(control, Ok(None)) {
        // Attempts on resources run beside it, as the same user: they may have taken all the processes that it may have.
        control = attempt.carry_out(Some(&without)).await;
    }
    match control {
        Ok(Some(proof)) => Verdict::Denied(proof),
        Ok(None) => Verdict::Blunt,
        Err(why) => Verdict::Broken(format!("without {}: {why}", case.without)),
    }
}

/// The same as an ordinary user, who can read neither this build nor the cases where they lie.
fn as_user(wish: &Wish) -> Report {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let at = |name: &str| dir.path().join(name);
    let copy = |from: &Path, to: &Path| {
        std::fs::copy(from, to).unwrap();
        std::fs::set_permissions(to, PermissionsExt::from_mode(0o755)).unwrap();
    };
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    copy(&std::env::current_exe().unwrap(), &at("redteam"));
    copy(&wish.exe, &at("executor"));
    for case in case::read_all(&wish.cases) {
        let to = at("cases").join(&case.name).with_extension("case");
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, &case.text).unwrap();
    }
    std::fs::create_dir(at("tmp")).unwrap();
    std::fs::set_permissions(at("tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    let output = Command::new(at("redteam"))
        .arg("--json")
        .args(wish.whole.then_some("--whole"))
        .args(&wish.words)
        .arg("--cases")
        .arg(at("cases"))
        .arg("--exe")
        .arg(at("executor"))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("TMPDIR", at("tmp"))
        .current_dir("/")
        .uid(USER)
        .gid(USER)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    Report::read(&said).unwrap_or_else(|| {
        panic!(
            "the ordinary user's part said no result:\n{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
