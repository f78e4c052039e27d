//! Playbooks through a whole team: what a person asks in words, about a repository, about the host, and about what was
//! granted outside, is answered with what was planted there, and each criterion is measured again.

use crate::AI_INFRA;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tests::processes::wait_until;
use tests::team::Team;
use tests::{nginx, projects};

/// What the team says, with every criterion proven.
fn told(team: &Team, folder: &Path, request: &str) -> String {
    let (code, document) = team.run(folder, request);
    assert_eq!(code, 0, "{request}: {document:#}");
    let criteria = document["criteria"].as_array().expect("criteria").clone();
    let proven = |c: &Value| c["passed"] == true;
    assert!(
        !criteria.is_empty() && criteria.iter().all(proven),
        "{request}: {document:#}"
    );
    document["result"].as_str().expect("a result").to_owned()
}

fn has(text: &str, lines: &[&str], not: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "`{line}` is not in:\n{text}");
    }
    for line in not {
        assert!(!text.contains(line), "`{line}` is in:\n{text}");
    }
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

#[test]
fn a_repository_is_looked_through_for_links_and_secrets() {
    let team = Team::new(AI_INFRA);
    team.up();
    let repository = team.scratch("repository");
    write(
        &repository,
        "README.md",
        "# Shop\n[guide](docs/guide.md) [gone](docs/gone.md) [part](docs/guide.md#start) [no part](docs/guide.md#end)\n`[decoy](nowhere.md)`\n",
    );
    write(
        &repository,
        "docs/guide.md",
        "# Start\n[back](../README.md#shop)\n",
    );
    let key = format!("AKIA{}", "Z7Q2M4X9K3T6W8B5");
    write(
        &repository,
        "deploy.env",
        &format!("AWS_ACCESS_KEY_ID={key}\n"),
    );
    write(
        &repository,
        "example.env",
        "AWS_ACCESS_KEY_ID=YOUR_KEY_HERE\npassword = \"changeme\"\n",
    );
    projects::commit_all(&repository);
    let links = told(&team, &repository, "are there broken links in the docs?");
    has(
        &links,
        &["docs/gone.md", "docs/guide.md#end"],
        &["nowhere.md", "#start", "#shop"],
    );
    let secrets = told(
        &team,
        &repository,
        "are there leaked secrets in this repository?",
    );
    has(&secrets, &["deploy.env"], &["example.env", &key]);
    let bare = team.scratch("bare");
    write(&bare, "README.md", "# Nothing\n[self](#nothing)\n");
    projects::commit_all(&bare);
    for request in [
        "are there broken links in the docs?",
        "are there leaked secrets in this repository?",
    ] {
        has(&told(&team, &bare, request), &[], &["README.md:"]);
    }
    team.down();
}

#[test]
fn the_host_is_asked_who_uses_it() {
    let team = Team::new(AI_INFRA);
    team.up();
    let folder = team.scratch("work");
    // A program that holds a known amount of memory, and a port: a low one, since the report names the first forty and other tests
    // listen on many.
    let program = folder.join("hoarder.py");
    let text = "import socket, sys\nheld = bytearray(700_000_000)\nfor at in range(0, len(held), 4096): held[at] = 1\n\
                s = socket.socket()\nfor port in range(1025, 9999):\n    try:\n        s.bind(('127.0.0.1', port))\n        break\n    except OSError:\n        pass\n\
                s.listen()\nopen(sys.argv[1], 'w').write(str(s.getsockname()[1]))\nsys.stdin.read()\n";
    std::fs::write(&program, text).expect("a program");
    let port_file = folder.join("port");
    let mut hoarder = Command::new("python3")
        .arg(&program)
        .arg(&port_file)
        .stdin(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let port = || {
        std::fs::read_to_string(&port_file)
            .ok()
            .filter(|port| !port.is_empty())
    };
    assert!(
        wait_until(Duration::from_secs(30), || port().is_some()),
        "it did not come up"
    );
    let port = port().expect("a port");
    let top = told(&team, &folder, "which processes use the most memory?");
    let line = top
        .lines()
        .find(|line| line.starts_with("- python3 hoarder.py: "));
    let line = line.unwrap_or_else(|| panic!("it is not named in:\n{top}"));
    // Judged by ps.
    let ps = Command::new("ps")
        .args(["-o", "rss=", "-p", &hoarder.id().to_string()])
        .output()
        .expect("ps runs");
    let kilobytes: f64 = String::from_utf8_lossy(&ps.stdout)
        .trim()
        .parse()
        .expect("a number");
    let said: f64 = line
        .split(&[' ', ':'][..])
        .filter_map(|word| word.parse().ok())
        .next()
        .expect("a number");
    assert!(
        (said * 1e6 - kilobytes * 1024.0).abs() < 50e6,
        "ps says {kilobytes} kB: {line}"
    );
    let by_cpu = told(&team, &folder, "show the top processes by cpu");
    has(&by_cpu, &["% of a processor"], &[]);
    let ports = told(&team, &folder, "which ports are open on this host?");
    let own = ports
        .lines()
        .find(|line| line.contains(&format!("{port}/tcp")));
    assert!(
        own.is_some_and(|line| line.contains("From this host alone")),
        "{port}:\n{ports}"
    );
    drop(hoarder.stdin.take());
    hoarder.wait().expect("it ends");
    let after = told(&team, &folder, "which ports are open on this host?");
    assert!(!after.contains(&format!("{port}/tcp")), "{after}");
    team.down();
}

/// A folder that whoever works in the sandbox may write.
fn open_folder(team: &Team, name: &str) -> PathBuf {
    let folder = team.scratch(name);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("permissions");
    folder
}

#[test]
fn a_database_is_backed_up_and_a_page_looked_at_where_that_is_granted() {
    let Some(server) = nginx::start(
        &[
            (
                "index.html",
                "<title>Shop</title><h1>Welcome</h1><img src=gone.png>",
            ),
            ("ok.html", "<title>Fine</title>Welcome"),
        ],
        "",
    ) else {
        return;
    };
    let team = Team::new(AI_INFRA);
    let (data, backups) = (open_folder(&team, "data"), open_folder(&team, "backups"));
    let sql = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript('CREATE TABLE orders (id INTEGER PRIMARY KEY, city TEXT); CREATE INDEX by_city ON orders (city)'); \
               c.executemany('INSERT INTO orders (city) VALUES (?)', [('City %d' % n,) for n in range(1200)]); c.commit()";
    let made = Command::new("python3")
        .args(["-c", sql])
        .arg(data.join("shop.db"))
        .status();
    assert!(made.expect("python3 starts").success());
    std::fs::set_permissions(data.join("shop.db"), std::fs::Permissions::from_mode(0o666))
        .expect("permissions");
    let good = format!("localhost:{}", server.good);
    let permissions = format!(
        "sources:\n  shop: {{url: 'sqlite://{}', agents: [data], backups: '{}'}}\n  bare: {{url: 'sqlite:///srv/bare.db', agents: [data]}}\n\
         hosts:\n  '{good}': {{agents: [qa, infra], authority: '{ca}'}}\n",
        data.join("shop.db").display(),
        backups.display(),
        ca = server.authority().display(),
    );
    std::fs::write(team.home().join("config/permissions.yaml"), permissions).expect("a file");
    team.up();
    // No folder to work on is needed, and none is copied.
    let elsewhere = team.scratch("elsewhere");
    let backup = told(&team, &elsewhere, "back up the database shop");
    has(
        &backup,
        &[
            "`shop` is backed up, and the backup was restored to prove it: 1 table with 1,200 rows",
            "Also restored: indexes 1",
            "Kept of this source: 1 backup",
            "- orders: 1,200 rows",
        ],
        &[],
    );
    let names: Vec<String> = std::fs::read_dir(&backups)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    has(
        &told(
            &team,
            &elsewhere,
            "does the backup of the database shop work?",
        ),
        &["restores and holds what the database held then: 1 table with 1,200 rows"],
        &[],
    );
    let failed = team.run(&elsewhere, "back up the database bare").1;
    let why = failed["reason"].as_str().unwrap_or_default();
    assert!(
        why.contains("write `backups: /srv/backups` beside its `url`"),
        "{failed:#}"
    );
    let page = told(
        &team,
        &elsewhere,
        &format!("check the web page https://{good}/"),
    );
    has(
        &page,
        &[
            "1 thing on it does not come",
            "gone.png does not come: 404",
            "- Title: Shop",
        ],
        &["ended"],
    );
    let fine = told(
        &team,
        &elsewhere,
        &format!("does the page https://{good}/ok.html contain \"Welcome\""),
    );
    has(&fine, &["is well: 200", "with the text \"Welcome\""], &[]);
    let failed = team
        .run(&elsewhere, "is the site shop.example still online?")
        .1;
    let why = failed["reason"].as_str().unwrap_or_default();
    assert!(
        why.contains(
            "write `hosts: {\"shop.example\": {agents: [qa, infra]}}` in permissions.yaml"
        ),
        "{failed:#}"
    );
    assert_eq!(std::fs::read_dir(&backups).expect("a folder").count(), 2);
    team.down();
}
