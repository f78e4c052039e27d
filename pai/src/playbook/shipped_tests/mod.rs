//! The playbooks that ship: each is routed as it says, its reports read well in every case, and
//! its criteria catch a result that is not true.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod away;
mod data;
mod duties;
mod host;
mod of_repositories;
mod reports;
mod routing;
mod sabotage;

use super::library::Library;
use super::run::{Next, Run};
use super::{Playbook, render};
use protocol::criterion::Check;
use protocol::tool::{ToolAnswer, ToolCall};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

const SHIPPED: &[&str] = &[
    include_str!("../../../../config/playbooks/broken-links.yaml"),
    include_str!("../../../../config/playbooks/dependency-inventory.yaml"),
    include_str!("../../../../config/playbooks/format-and-lint.yaml"),
    include_str!("../../../../config/playbooks/host-health.yaml"),
    include_str!("../../../../config/playbooks/large-files.yaml"),
    include_str!("../../../../config/playbooks/leaked-secrets.yaml"),
    include_str!("../../../../config/playbooks/look-over.yaml"),
    include_str!("../../../../config/playbooks/profile-data.yaml"),
    include_str!("../../../../config/playbooks/repository-overview.yaml"),
    include_str!("../../../../config/playbooks/run-tests.yaml"),
    include_str!("../../../../config/playbooks/stale-branches.yaml"),
    include_str!("../../../../config/playbooks/unfinished-marks.yaml"),
    include_str!("../../../../config/playbooks/unpushed-work.yaml"),
    include_str!("../../../../config/playbooks/what-changed.yaml"),
    // of a host
    include_str!("../../../../config/playbooks/listening-ports.yaml"),
    include_str!("../../../../config/playbooks/log-errors.yaml"),
    include_str!("../../../../config/playbooks/certificate-expiry.yaml"),
    include_str!("../../../../config/playbooks/timers-and-cron.yaml"),
    include_str!("../../../../config/playbooks/disk-usage.yaml"),
    include_str!("../../../../config/playbooks/pending-updates.yaml"),
    include_str!("../../../../config/playbooks/failed-logins.yaml"),
    include_str!("../../../../config/playbooks/service-units.yaml"),
    include_str!("../../../../config/playbooks/process-top.yaml"),
    // of what was granted outside
    include_str!("../../../../config/playbooks/host-certificates.yaml"),
    include_str!("../../../../config/playbooks/web-page-check.yaml"),
    include_str!("../../../../config/playbooks/backup-database.yaml"),
    include_str!("../../../../config/playbooks/check-backup.yaml"),
    // of what the warden does on the host
    include_str!("../../../../config/playbooks/restart-service.yaml"),
    include_str!("../../../../config/playbooks/put-site.yaml"),
    include_str!("../../../../config/playbooks/certify-site.yaml"),
    include_str!("../../../../config/playbooks/renew-certificates.yaml"),
    include_str!("../../../../config/playbooks/install-security-updates.yaml"),
    include_str!("../../../../config/playbooks/run-on-host.yaml"),
    // of data
    include_str!("../../../../config/playbooks/profile-table.yaml"),
    include_str!("../../../../config/playbooks/compare-tables.yaml"),
    include_str!("../../../../config/playbooks/data-quality.yaml"),
    include_str!("../../../../config/playbooks/duplicate-rows.yaml"),
    include_str!("../../../../config/playbooks/schema-overview.yaml"),
];

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    Library::new(
        SHIPPED
            .iter()
            .map(|yaml| Playbook::parse(yaml).unwrap())
            .collect(),
    )
});

/// What is shipped is held to what a person's own are held to.
#[test]
fn every_one_stands_its_own_check() {
    let said: Vec<String> = SHIPPED
        .iter()
        .flat_map(|yaml| {
            let found = super::lint::lint(yaml, LIBRARY.playbooks());
            let name = Playbook::parse(yaml).unwrap().name;
            found
                .into_iter()
                .map(move |f| format!("{name}:{}: {}", f.line, f.problem))
        })
        .collect();
    assert_eq!(said, Vec::<String>::new());
}

/// The text of one of them.
pub(super) fn shipped(name: &str) -> &'static str {
    let named = format!("\nname: {name}\n");
    SHIPPED.iter().find(|yaml| yaml.contains(&named)).unwrap()
}

/// All of them.
pub(super) fn all() -> Vec<Playbook> {
    library().playbooks().to_vec()
}

fn library() -> &'static Library {
    &LIBRARY
}

fn run_of(name: &str, params: &Value) -> Run<'static> {
    Run::new(library().find(name).unwrap(), params.as_object().unwrap()).unwrap()
}

/// A world: what each tool answers.
type World = Value;

/// Runs a playbook in a world; what was done, and the report.
fn play(name: &str, params: &Value, world: &World) -> (Vec<(ToolCall, ToolAnswer)>, String) {
    let run = run_of(name, params);
    let mut done = Vec::new();
    for _ in 0..20 {
        match run.next(&done).unwrap() {
            Next::Call(call, _) => {
                let data = world
                    .get(&call.name)
                    .unwrap_or_else(|| panic!("no {}", call.name))
                    .clone();
                let answer = ToolAnswer {
                    id: call.id.clone(),
                    is_error: false,
                    text: String::new(),
                    data,
                    took_ms: 1,
                };
                done.push((call, answer));
            }
            Next::Finished { report } => return (done, report),
            Next::Failed { reason } => panic!("{reason}"),
        }
    }
    panic!("it does not end");
}

fn report(name: &str, params: &Value, world: &World) -> String {
    play(name, params, world).1
}

/// Measures every criterion in a world; the ids of those that do not hold.
fn unproven(
    name: &str,
    params: &Value,
    done: &[(ToolCall, ToolAnswer)],
    world: &World,
) -> Vec<String> {
    let run = run_of(name, params);
    let ctx = run.context(done).unwrap();
    let fails = |check: &Check| {
        let Check::Tool { name, expect, .. } = render::render_check(check, &ctx).unwrap() else {
            panic!("not a tool check")
        };
        !render::tool_check_holds(&expect, &ctx, &world[name]).unwrap()
    };
    run.criteria()
        .unwrap()
        .iter()
        .filter(|c| fails(&c.check))
        .map(|c| c.id.clone())
        .collect()
}

fn nothing() -> Value {
    Value::Object(Map::new())
}

fn suite(kind: &str, dir: &str, passed: u32, failing: Value, note: Value) -> Value {
    let failed = failing.as_array().unwrap().len();
    json!({"kind": kind, "dir": dir, "command": [kind, "test"], "exit": 0, "passed": passed, "failed": failed, "skipped": 0,
        "failing": failing, "seconds": 1.25, "complete": note.is_null(), "note": note})
}

fn tests(suites: Value) -> Value {
    let sum = |key: &str| {
        suites
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s[key].as_u64().unwrap())
            .sum::<u64>()
    };
    let mut names: Vec<String> = Vec::new();
    for suite in suites.as_array().unwrap() {
        names.extend(
            suite["failing"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| f["name"].as_str().unwrap().to_owned()),
        );
    }
    names.sort();
    let complete = suites
        .as_array()
        .unwrap()
        .iter()
        .all(|s| s["complete"] == true);
    json!({"passed": sum("passed"), "failed": sum("failed"), "skipped": sum("skipped"), "failing": names,
        "complete": complete, "found": suites != json!([]), "suites": suites})
}

/// A lively repository on a host with room.
fn world() -> World {
    with(
        with(
            host::busy(),
            with(
                of_repositories::lively(),
                with(with(away::faulty(), duties::rich()), data::rich()),
            ),
        ),
        json!({
            "Tests": tests(json!([
                suite("cargo", "", 1200, json!([
                    {"name": "parser::empty", "file": "src/parser.rs", "message": "assertion failed: left == right\n  left: 1"},
                    {"name": "parser::wide", "file": null, "message": null}]), Value::Null),
                suite("pytest", "tools", 10, json!([]), json!("no module named yaml")),
            ])),
            "Overview": {"files": 312, "bytes": 1_234_567, "lines": 16000,
                "languages": [{"name": "Rust", "files": 200, "lines": 14203}, {"name": "YAML", "files": 1, "lines": 1}],
                "manifests": ["Cargo.toml"], "largest": [{"path": "src/lib.rs", "lines": 449}], "repository": true, "branch": "main",
                "head": "9c1e2ab00112233445566778899aabbccddeeff0",
                "newest_commit": {"hash": "9c1e2ab", "at": "2026-08-01T10:00:00Z", "subject": "[pai] playbooks route"},
                "has_readme": true, "has_license": false, "has_ci": true},
            "Secrets": {"findings": [{"path": "a.env", "line": 3, "rule": "aws access key", "preview": "AKIA****"}], "total": 1, "files_scanned": 312, "skipped": 2},
            "Marks": {"findings": [{"path": "src/lib.rs", "line": 7, "mark": "TODO", "text": "TODO: finish"},
                {"path": "src/lib.rs", "line": 9, "mark": "FIXME", "text": "FIXME later"}], "total": 2, "files_scanned": 310},
            "Dependencies": {"manifests": [{"path": "Cargo.toml", "kind": "cargo", "direct": [{"name": "serde", "requirement": "1"}], "locked": true},
                {"path": "web/package.json", "kind": "npm", "direct": [{"name": "vue", "requirement": "^3"}], "locked": false}], "total": 2},
            "QuickChecks": {"checks": [{"name": "cargo fmt", "argv": ["cargo", "fmt", "--check"], "passed": false, "exit": 1, "observed": "Diff in src/lib.rs"},
                {"name": "yaml parses", "argv": [], "passed": true, "exit": 0, "observed": ""}], "passed": 1, "failed": 1},
            "HostFacts": {"hostname": "shop1", "cpus": 4, "load": [0.5, 0.25, 0.125], "uptime_s": 1_036_800,
                "memory": {"total": 8_000_000_000_u64, "available": 4_800_000_000_u64, "used": 3_000_000_000_u64, "swap_total": 0, "swap_used": 0},
                "disks": [{"mount": "/", "source": "/dev/vda1", "fstype": "ext4", "total": 50_000_000_000_u64, "used": 30_000_000_000_u64, "free": 18_000_000_000_u64, "percent": 62},
                    {"mount": "/data", "source": "/dev/vdb1", "fstype": "xfs", "total": 100_000_000_000_u64, "used": 95_000_000_000_u64, "free": 5_000_000_000_u64, "percent": 95}]},
        }),
    )
}

/// Two worlds as one.
fn with(more: World, mut world: World) -> World {
    let fields = more.as_object().unwrap().clone();
    world.as_object_mut().unwrap().extend(fields);
    world
}

/// An empty folder.
fn empty() -> World {
    with(
        with(
            host::quiet(),
            with(
                of_repositories::bare(),
                with(with(away::well(), duties::bare()), data::bare()),
            ),
        ),
        json!({
            "Tests": tests(json!([])),
            "Overview": {"files": 0, "bytes": 0, "lines": 0, "languages": [], "manifests": [], "largest": [], "repository": false, "branch": null,
                "head": null, "newest_commit": null, "has_readme": false, "has_license": false, "has_ci": false},
            "Secrets": {"findings": [], "total": 0, "files_scanned": 0, "skipped": 0},
            "Marks": {"findings": [], "total": 0, "files_scanned": 0},
            "Dependencies": {"manifests": [], "total": 0},
            "QuickChecks": {"checks": [], "passed": 0, "failed": 0},
            "HostFacts": {"hostname": "bare", "cpus": 1, "load": [0, 0, 0], "uptime_s": 5,
                "memory": {"total": 1_000_000_000, "available": 900_000_000, "used": 100_000_000, "swap_total": 500_000_000, "swap_used": 0}, "disks": []},
        }),
    )
}

fn params_of(name: &str) -> Value {
    let away = away::params_of(name).or_else(|| duties::params_of(name));
    away.or_else(|| data::params_of(name))
        .unwrap_or_else(nothing)
}
