//! What the walls cost: how soon a sandbox stands, what a call through it costs, and how much longer builds
//! take inside than beside it, on the same disk, in turns.

use crate::numbers::percentile;
use crate::table::{Report, Row};
use crate::team::{BenchError, fail};
use guard::act::{Act, Operation};
use guard::clone::{self, Clone};
use guard::deadline::Deadline;
use guard::executor::Executor;
use guard::gate::{Decision, Grant, judge};
use guard::outside::Outside;
use guard::sandbox::cgroup::{machine_mb, whole_mb};
use guard::sandbox::spec::{Kind, Limits, Owner, SandboxSpec};
use protocol::level::Level;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often a sandbox is started, and a call made.
const STARTS: usize = 50;
/// How long everything may take.
const LONGEST: Duration = Duration::from_secs(3600);
/// Who works where root owns the workspace.
const SERVICE: Owner = Owner {
    uid: 60_999,
    gid: 60_999,
};

/// A build: what people call it, the program that must be there, the command, and what it leaves.
const BUILDS: [(&str, &str, &[&str], &str); 3] = [
    (
        "cargo build",
        "cargo",
        &["cargo", "build", "--offline", "--quiet"],
        "target",
    ),
    (
        "npm run build",
        "npm",
        &["npm", "run", "--silent", "build"],
        "dist",
    ),
    (
        "python3 -m compileall",
        "python3",
        &["python3", "-m", "compileall", "-q", "-f", "py"],
        "py/__pycache__",
    ),
];

/// Measures; each build `rounds` times inside and beside, in turns.
pub async fn run(exe: &Path, home: &Path, rounds: usize) -> Result<Report, BenchError> {
    let folder = tempfile::tempdir().map_err(fail)?;
    let stage = Stage::new(exe, home, folder.path())?;
    let mut rows = stage.starts().await?;
    let mut notes = vec![
        "A sandbox is beside bwrap alone; a build inside is beside the same build without one, medians of runs in turns.".to_owned(),
    ];
    for (name, program, argv, leaves) in BUILDS {
        if !is_there(program) {
            notes.push(format!("{name}: there is no {program} here."));
            continue;
        }
        let (mut inside, mut beside) = stage.build(argv, leaves, rounds).await?;
        let (inside, beside) = (percentile(&mut inside, 0.5), percentile(&mut beside, 0.5));
        rows.push(Row::new(&format!("{name}, inside"), inside, "ms").beside(beside));
    }
    Ok(Report::new(rows).with_notes(notes))
}

fn is_there(program: &str) -> bool {
    let said = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    said.is_ok_and(|status| status.success())
}

/// A workspace, its clone, and a second copy that is built in without any wall.
struct Stage {
    exe: PathBuf,
    home: PathBuf,
    clone: Clone,
    plain: PathBuf,
}

impl Stage {
    fn new(exe: &Path, home: &Path, folder: &Path) -> Result<Self, BenchError> {
        let (workspace, plain) = (folder.join("shop"), folder.join("plain"));
        for place in [&workspace, &plain] {
            sources(place).map_err(fail)?;
        }
        let owner = clone::owner_of(&workspace, SERVICE).map_err(fail)?;
        // Whoever works inside must be able to get there.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder, open).map_err(fail)?;
        let clone = clone::make(&workspace, &folder.join("t1"), owner).map_err(fail)?;
        Ok(Self {
            exe: exe.to_owned(),
            home: home.to_owned(),
            clone,
            plain,
        })
    }

    fn spec(&self) -> SandboxSpec {
        let limits = Limits::default();
        SandboxSpec {
            exe: self.exe.clone(),
            kind: Kind::Workspace {
                work: self.clone.work.clone(),
                snapshots: self.clone.snapshots.clone(),
                writable: true,
                read_only: self.clone.read_only.clone(),
                fixed: self.clone.fixed.clone(),
                cache: None,
            },
            owner: self.clone.owner,
            toolchains: true,
            home: self.home.clone(),
            limits: Limits {
                whole_mb: whole_mb(limits.memory_mb, machine_mb()),
                ..limits
            },
            most: protocol::task::Ceiling::HIGHEST,
            deadline: Deadline::after(LONGEST),
            proxy: None,
            only: None,
            trace: None,
        }
    }

    async fn starts(&self) -> Result<Vec<Row>, BenchError> {
        let (mut alone, mut starts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let began = Instant::now();
            let bare = ["--unshare-all", "--ro-bind", "/", "/", "true"];
            let done = Command::new("bwrap").args(bare).status().map_err(fail)?;
            if !done.success() {
                return Err(fail("bwrap cannot make a sandbox here: ai-infra doctor"));
            }
            alone.push(ms(began));
            let began = Instant::now();
            let mut executor = Executor::start(self.spec()).await.map_err(fail)?;
            starts.push(ms(began));
            calls.push(call(&mut executor, &["true"]).await?);
            executor.stop().await;
        }
        let bare = percentile(&mut alone, 0.5);
        let of = |sample: &mut Vec<f64>, q, name: &str| Row::new(name, percentile(sample, q), "ms");
        Ok(vec![
            of(&mut starts, 0.5, "sandbox with executor ready, p50").beside(bare),
            of(&mut starts, 0.99, "sandbox with executor ready, p99").beside(bare),
            of(&mut calls, 0.5, "first call of a program, p50"),
        ])
    }

    async fn build(
        &self,
        argv: &[&str],
        leaves: &str,
        rounds: usize,
    ) -> Result<(Vec<f64>, Vec<f64>), BenchError> {
        let mut executor = Executor::start(self.spec()).await.map_err(fail)?;
        let environment = self.environment(&mut executor).await?;
        let (mut inside, mut beside) = (Vec::new(), Vec::new());
        // The first of each fills the caches of the disk and is not counted.
        for round in 0..=rounds {
            for within in [round % 2 == 0, round % 2 != 0] {
                let took = match within {
                    true => {
                        call(&mut executor, &["rm", "-rf", leaves]).await?;
                        settle()?;
                        call(&mut executor, argv).await?
                    }
                    false => {
                        let _not_there_yet = std::fs::remove_dir_all(self.plain.join(leaves));
                        settle()?;
                        self.beside(argv, &environment)?
                    }
                };
                if round > 0 && within {
                    inside.push(took);
                } else if round > 0 {
                    beside.push(took);
                }
            }
        }
        executor.stop().await;
        Ok((inside, beside))
    }

    /// What programs inside are told, for those beside: with a longer PATH they would find other programs, with
    /// other settings they would do other work. The folders that are only inside are this stage's own.
    async fn environment(
        &self,
        executor: &mut Executor,
    ) -> Result<Vec<(String, String)>, BenchError> {
        let (_, text) = answer(executor, &["env"]).await?;
        let folder = self.plain.with_file_name("tmp");
        let variables = text.lines().filter_map(|line| line.split_once('='));
        let mut own = Vec::new();
        for (name, value) in variables {
            let value = match value.strip_prefix("/tmp") {
                Some(below) => format!("{}{below}", folder.display()),
                None => value.to_owned(),
            };
            if value.starts_with(folder.to_string_lossy().as_ref()) {
                std::fs::create_dir_all(&value).map_err(fail)?;
            }
            own.push((name.to_owned(), value));
        }
        Ok(own)
    }

    fn beside(&self, argv: &[&str], environment: &[(String, String)]) -> Result<f64, BenchError> {
        let (program, arguments) = argv.split_first().ok_or_else(|| fail("no program"))?;
        let began = Instant::now();
        let done = Command::new("/usr/bin/env")
            .arg(program)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.plain)
            .stdin(Stdio::null())
            .output()
            .map_err(fail)?;
        match done.status.success() {
            true => Ok(ms(began)),
            false => Err(fail(String::from_utf8_lossy(&done.stderr))),
        }
    }
}

async fn call(executor: &mut Executor, argv: &[&str]) -> Result<f64, BenchError> {
    Ok(answer(executor, argv).await?.0)
}

/// Has everything written that still waits for the disk: a build pays for its own files, not for those before.
fn settle() -> Result<(), BenchError> {
    Command::new("sync").status().map(drop).map_err(fail)
}

/// Runs a command inside; answers how long that took, the way there and back included, and what was said.
async fn answer(executor: &mut Executor, argv: &[&str]) -> Result<(f64, String), BenchError> {
    let act = Act::of(Operation::Bash {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        cwd: ".".to_owned(),
        timeout_ms: None,
    });
    let grant = Grant {
        level: Level::Standard,
        tools: Vec::new(),
        host_read: false,
        outside: Outside::default(),
        acts: Default::default(),
    };
    let Decision::Allow(leave) = judge(&act, &grant) else {
        return Err(fail("a program of level 1 is not allowed"));
    };
    let began = Instant::now();
    let outcome = executor.run(&act, leave, LONGEST).await.map_err(fail)?;
    match outcome.is_error {
        false => Ok((ms(began), outcome.text)),
        true => Err(fail(outcome.text)),
    }
}

fn ms(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

/// A crate, a package of JavaScript and a folder of Python, each a few seconds of work.
fn sources(folder: &Path) -> std::io::Result<()> {
    for below in ["src", "py", "js"] {
        std::fs::create_dir_all(folder.join(below))?;
    }
    let put = |name: String, text: String| std::fs::write(folder.join(name), text);
    put(
        "Cargo.toml".into(),
        "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n".into(),
    )?;
    let mut main = String::new();
    for module in 0..40 {
        // A `String` takes every word that is written to it.
        let _ = writeln!(main, "mod m{module};");
        let mut text = String::from("use std::collections::BTreeMap;\n");
        for number in 0..60 {
            let _ = writeln!(
                text,
                "pub fn f{number}(a: &BTreeMap<String, u64>) -> Vec<String> {{ a.iter().filter(|(k, v)| k.len() as u64 + {number} > **v).map(|(k, v)| format!(\"{{k}}={{v}}\")).collect() }}"
            );
        }
        put(
            format!("src/m{module}.rs"),
            format!("#![allow(dead_code)]\n{text}"),
        )?;
        let python: String = (0..400)
            .map(|n| {
                format!(
                    "def f{n}(a, b={n}):\n    return [x * b + {n} for x in a if x % {} == 0]\n",
                    n + 2
                )
            })
            .collect();
        for part in 0..3 {
            put(format!("py/m{module}_{part}.py"), python.clone())?;
        }
        let script: String = (0..400)
            .map(|n| {
                // Numbers that cannot be packed away.
                let mixed = (module * 400 + n + 1_u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
                format!("exports.f{n} = (a) => a.map((x) => x * {mixed});\n")
            })
            .collect();
        put(format!("js/m{module}.js"), script)?;
    }
    put("src/main.rs".into(), format!("{main}fn main() {{}}\n"))?;
    put(
        "package.json".into(),
        "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"build\": \"node build.js\"}}"
            .into(),
    )?;
    put("build.js".into(), BUILD_JS.into())
}

/// What bundlers do: reads, parses, shortens and hashes every module, writes it, and one bundle of all in three packings, for
/// two kinds of browsers. Under a hundred files: with thousands the disk is what is measured.
const BUILD_JS: &str = r"
const fs = require('fs'), crypto = require('crypto'), vm = require('vm'), zlib = require('zlib');
fs.mkdirSync('dist', {recursive: true});
for (const kind of ['modern', 'older']) {
  let bundle = '';
  for (const name of fs.readdirSync('js').sort()) {
    let text = fs.readFileSync('js/' + name, 'utf8');
    if (kind === 'older') text = text.replace(/\((\w+)\) => ([^;]+);/g, 'function ($1) { return $2; };');
    new vm.Script(`(function (exports) {${text}})`, {filename: name});
    const lines = text.split('\n').map((line) => line.replace(/ ?([=>(){}*;,]) ?/g, '$1'));
    const short = lines.join('');
    const hash = crypto.createHash('sha256').update(short).digest('hex').slice(0, 8);
    fs.writeFileSync(`dist/${name}.${kind}.${hash}.js`, short);
    bundle += short;
  }
  fs.writeFileSync(`dist/${kind}.js`, bundle);
  fs.writeFileSync(`dist/${kind}.js.gz`, zlib.gzipSync(bundle, {level: 9}));
  fs.writeFileSync(`dist/${kind}.js.br`, zlib.brotliCompressSync(bundle));
}
";
