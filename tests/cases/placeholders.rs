//! A model works in a file with a password in it: it is told a name in place of the password, edits the line beside it
//! by that name, and the file is right. Whatever else it does with the name, into an address, a program's words,
//! another file, the password goes nowhere. The control takes the wall away, and then it does.

use crate::AI_INFRA;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tests::model_api::ModelApi;
use tests::team::Team;

const PASSWORD: &str = "canary-kept-5f2c9a7be1d04866";

/// A server that notes what it was asked.
fn listener() -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/in", listener.local_addr().expect("an address"));
    let heard = Arc::new(Mutex::new(String::new()));
    let note = heard.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = vec![0; 16 * 1024];
            let read = stream.read(&mut asked).unwrap_or(0);
            note.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&asked[..read]));
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    (url, heard)
}

fn model() -> ModelApi {
    let call = |id: &str, name: &str, input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
    let proposal = json!({"options": [{"name": "port", "summary": "another port", "risk": "none"}],
        "choice": "port", "steps": ["edit"],
        "criteria": [{"id": "c1", "text": "the port is another", "change": true,
            "check": {"file": {"path": "deploy.env", "contains": "DB_PORT=6432"}}}]});
    ModelApi::start(
        proposal,
        vec![
            call("r1", "Read", json!({"file_path": "deploy.env"})),
            call(
                "e1",
                "Edit",
                json!({"file_path": "deploy.env",
                    "old_string": "DB_PASSWORD={placeholder}\nDB_PORT=5432",
                    "new_string": "DB_PASSWORD={placeholder}\nDB_PORT=6432"}),
            ),
            call(
                "w1",
                "Write",
                json!({"file_path": "another.env", "content": "DB_PASSWORD={placeholder}\n"}),
            ),
            call(
                "b1",
                "Bash",
                json!({"command": "echo 'it is {placeholder}' > said.txt"}),
            ),
            call(
                "h1",
                "HttpRequest",
                json!({"endpoint": "hooks", "path": "?of={placeholder}"}),
            ),
            json!({"type": "text", "text": "The port is 6432; the password {placeholder} stayed."}),
        ],
    )
}

/// What became of a task: what the server heard, the workspace with the task's patch, and all that was written, sent
/// and shown beside it.
struct Day {
    heard: String,
    work: PathBuf,
    _team: Team,
    seen: Vec<(String, Vec<u8>)>,
}

impl Day {
    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.work.join(name)).unwrap_or_default()
    }
}

fn day(fault: Option<&str>) -> Day {
    let (url, heard) = listener();
    let api = model();
    let team = Team::new(AI_INFRA)
        .with_env("ANTHROPIC_BASE_URL", api.url())
        .with_env("ANTHROPIC_API_KEY", "key-of-the-model-1234");
    let team = match fault {
        Some(fault) => team.with_env("AI_INFRA_FAULT", fault),
        None => team,
    };
    team.configure("log:\n  level: debug\nengine:\n  name: anthropic\n");
    let granted = format!("endpoints:\n  hooks: {{url: \"{url}\", agents: [code]}}\n");
    fs::write(team.home().join("config/permissions.yaml"), granted).unwrap();
    let work = team.scratch("work");
    let text = format!("# of the shop\nDB_PASSWORD={PASSWORD}\nDB_PORT=5432\n");
    fs::write(work.join("deploy.env"), text).unwrap();
    team.up();
    let mut seen = Vec::new();
    let folder = work.display().to_string();
    let mut say = |words: &[&str]| {
        let ran = team.ai(words).expect(0);
        let said = ran.stdout + &ran.stderr;
        seen.push((format!("ai-infra {}", words.join(" ")), said.into_bytes()));
    };
    say(&[
        "run",
        "another port",
        "--agent",
        "code",
        "--workspace",
        &folder,
    ]);
    for words in [
        &["task", "show", "t1", "--json"] as &[&str],
        &["logs", "--task", "t1"],
        &["audit", "tail", "--json"],
        &["memory", "search", "port"],
    ] {
        say(words);
    }
    team.ai(&["task", "apply", "t1"]).expect(0);
    for body in api.bodies() {
        seen.push(("a prompt".to_owned(), body.to_string().into_bytes()));
    }
    team.down();
    // Where the person's own file is copied to, it is what it was.
    let own = |path: &Path| path.starts_with("tasks") || path.starts_with("blobs");
    let all = tests::many::files(&team.home());
    seen.extend(
        (all.into_iter().filter(|(path, _)| !own(path)))
            .map(|(path, bytes)| (path.display().to_string(), bytes)),
    );
    let heard = heard.lock().unwrap().clone();
    Day {
        heard,
        work,
        _team: team,
        seen,
    }
}

#[test]
fn an_edit_beside_a_password_works_and_the_password_goes_nowhere() {
    let day = day(None);
    let edited = format!("# of the shop\nDB_PASSWORD={PASSWORD}\nDB_PORT=6432\n");
    assert_eq!(day.file("deploy.env"), edited);
    // It was told a name, and by that name it is called wherever it does not belong.
    for said in [
        day.file("another.env"),
        day.file("said.txt"),
        day.heard.clone(),
    ] {
        assert!(said.contains("[secret:"), "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
    }
    let has = |bytes: &[u8]| {
        let parts = &mut bytes.windows(PASSWORD.len());
        parts.any(|part| part == PASSWORD.as_bytes())
    };
    let leaks = day.seen.iter().filter(|(_, bytes)| has(bytes));
    let leaks: Vec<&str> = leaks.map(|(place, _)| place.as_str()).collect();
    assert_eq!(leaks, Vec::<&str>::new());
    let mut prompts = day.seen.iter().filter(|(place, _)| place == "a prompt");
    let last = String::from_utf8_lossy(&prompts.next_back().unwrap().1);
    assert!(last.contains("DB_PASSWORD=[secret:"), "{last}");
}

#[cfg(debug_assertions)]
#[test]
fn without_the_wall_it_goes_where_the_model_wants_it() {
    let day = day(Some("without=placeholders"));
    for said in [day.file("another.env"), day.file("said.txt"), day.heard] {
        assert!(said.contains(PASSWORD), "{said}");
    }
}
