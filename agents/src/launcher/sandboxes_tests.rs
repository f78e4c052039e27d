//! What a sandbox shows at each level, whatever its agent asks for.
#![allow(clippy::unwrap_used)]

use super::assigned::Taken;
use super::sandboxes::Workshop;
use super::wish::Wanted;
use crate::disk::Disk;
use config::grants::RemoteGrant;
use config::home::Home;
use config::secret::Secret;
use config::settings::{AgentSettings, DatabaseGrant, SandboxSettings, SourceGrant};
use guard::act::Operation;
use guard::deadline::Deadline;
use guard::plan::{View, plan};
use guard::redact::Redactor;
use guard::sandbox::spec::Kind;
use protocol::acts::Acts;
use protocol::approval::Rule;
use protocol::fault::Faults;
use protocol::ids::ShortId;
use protocol::level::Level;
use protocol::task::Ceiling;
use protocol::tool::ToolCall;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

struct Room {
    folder: tempfile::TempDir,
    shop: Workshop,
}

/// A launcher's workshop, with a clone of task t1 and the socket of its proxy.
fn room(level: Level) -> Room {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home"));
    let work = folder.path().join("work");
    std::fs::create_dir_all(&home.root).unwrap();
    std::fs::create_dir_all(home.tasks()).unwrap();
    std::fs::create_dir_all(&work).unwrap();
    std::fs::write(work.join("a"), "a").unwrap();
    let shop = SourceGrant {
        database: DatabaseGrant::Sqlite(work.join("a")),
        write: false,
        backups: None,
    };
    let agent = AgentSettings {
        host_read: true,
        programs: Some(BTreeSet::new()),
        sources: [("shop".to_owned(), shop)].into(),
        ..AgentSettings::bare("code".parse().unwrap(), level)
    };
    let origin = RemoteGrant {
        url: "https://h/x.git".to_owned(),
        token: Secret::new("hunter2hunter2"),
        user: None,
        authority: None,
        branches: vec!["preview".to_owned()],
        control_files: false,
    };
    let agent = AgentSettings {
        remotes: [("origin".to_owned(), origin)].into(),
        acts: Acts::from([("git.push".to_owned(), Rule::Allow)]),
        ..agent
    };
    let number = ShortId(1);
    let shop = Workshop {
        disk: Disk::here(home.clone()),
        home,
        sandbox: SandboxSettings {
            service_uid: 60_999,
            memory_mb: 64,
            processes: 8,
            file_mb: 8,
            toolchains: false,
        },
        agent,
        toolchain_home: folder.path().to_owned(),
        faults: Faults::default(),
        redactor: Redactor::new(Vec::new()),
        ways_out: Mutex::new([(number, PathBuf::from("/run/proxy"))].into()),
    };
    let taken = Taken {
        workspace: Some(work),
        ..Taken::default()
    };
    let until = Deadline::after(Duration::from_secs(60));
    shop.clone(number, &taken, until).unwrap();
    Room { folder, shop }
}

fn wanted(on: serde_json::Value) -> Wanted {
    let wanted = json!({"task": "t1", "on": on, "attachments": false, "trace": null});
    serde_json::from_value(wanted).unwrap()
}

fn act(operation: &Operation) -> serde_json::Value {
    let entry = json!({"principal": "ada(1000)", "agent": "code@web1#7", "task": "t1", "call": "s", "epoch": 1, "level": 0,
        "ticket": "", "tool": "", "args_sha256": "", "summary": "", "stage": "before", "outcome": ""});
    json!({"on": "act", "operation": operation, "files": false, "trial": false, "ticket": null, "entry": entry})
}

fn check(own: Level, ceiling: Option<Level>, on: serde_json::Value, expected: (bool, bool)) {
    let told = format!("{own} {ceiling:?} {on}");
    let room = room(own);
    let taken = Taken {
        ceiling: ceiling.map(|level| Ceiling {
            level,
            host_read: true,
        }),
        ..Taken::default()
    };
    let spec = room.shop.spec(&wanted(on), &taken).unwrap();
    let Kind::Workspace {
        writable, cache, ..
    } = spec.kind
    else {
        panic!("{told}");
    };
    assert_eq!((writable, spec.proxy.is_some()), expected, "{told}");
    assert_eq!(cache.is_some(), writable, "{told}");
    assert!(room.folder.path().is_dir());
}

#[test]
fn a_task_at_level_0_gets_nothing_to_write_and_no_way_out() {
    use Level::{Elevated, Restricted, Standard};
    let clone = |writable: bool| json!({"on": "clone", "writable": writable, "online": true});
    let copy = json!({"on": "copy", "writable": true, "online": true});
    for on in [clone(true), copy] {
        check(Standard, None, on.clone(), (true, true));
        check(Elevated, Some(Standard), on.clone(), (true, true));
        check(Restricted, None, on.clone(), (false, false));
        check(Standard, Some(Restricted), on.clone(), (false, false));
        check(Restricted, Some(Elevated), on, (false, false));
    }
    check(Standard, None, clone(false), (false, false));
}

#[test]
fn what_is_above_the_level_of_a_task_is_not_reached() {
    let room = room(Level::Standard);
    let at = |level| Taken {
        ceiling: Some(Ceiling {
            level,
            host_read: false,
        }),
        ..Taken::default()
    };
    let query = act(&Operation::SqlQuery {
        source: "shop".to_owned(),
        statement: "SELECT 1".to_owned(),
        params: Vec::new(),
        limit: 1,
    });
    let refused = |taken: &Taken, on: &serde_json::Value| {
        let spec = room.shop.spec(&wanted(on.clone()), taken);
        spec.err().unwrap().to_string()
    };
    let said = refused(&at(Level::Restricted), &query);
    assert!(said.contains("needs level 1"), "{said}");
    // Control: at its level it is done, and that alone.
    let spec = room
        .shop
        .spec(&wanted(query), &at(Level::Standard))
        .unwrap();
    assert!(matches!(spec.kind, Kind::Outside(_)) && spec.only.is_some());
    let call = ToolCall {
        id: "c".to_owned(),
        name: "ListeningPorts".to_owned(),
        input: json!({}),
    };
    let view = View {
        host: true,
        ..View::default()
    };
    let operation = plan(&call, &view).unwrap().operation;
    let facts = act(&operation);
    let said = refused(&at(Level::Standard), &facts);
    assert!(said.contains("host.read"), "{said}");
}

#[test]
fn a_task_pushes_its_own_branch_and_those_that_are_named() {
    let room = room(Level::Standard);
    for (branch, expected) in [
        ("ai-infra/t1", None),
        ("preview", None),
        ("ai-infra/t2", Some("no branch of t1")),
        ("main", Some("leaves what the remote")),
    ] {
        let push = Operation::GitPush {
            remote: "origin".to_owned(),
            url: "https://h/x.git".to_owned(),
            branch: branch.to_owned(),
            commit: "a".repeat(40),
        };
        let spec = room.shop.spec(&wanted(act(&push)), &Taken::default());
        let said = spec.err().map(|error| error.to_string());
        assert_eq!(said.is_some(), expected.is_some(), "{branch}: {said:?}");
        assert!(
            said.unwrap_or_default()
                .contains(expected.unwrap_or_default())
        );
    }
}
