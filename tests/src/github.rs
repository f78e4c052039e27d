//! A stand-in for GitHub that remembers: repositories, releases and the files beside them. What its real
//! answers look like is judged elsewhere, by GitHub's own description; here it is about what becomes of them.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What it remembers.
#[derive(Debug, Default)]
pub struct Kept {
    /// Names of repositories, `owner/name`, and whether they are private.
    pub repositories: BTreeMap<String, bool>,
    /// Releases by number.
    pub releases: BTreeMap<u64, Value>,
    /// Files by number.
    pub files: BTreeMap<u64, Vec<u8>>,
    /// Pull requests, as they were asked for.
    pub pulls: Vec<Value>,
    /// Workflows that were started, as they were asked for.
    pub started: Vec<Value>,
    /// Changes are made and their answers never come.
    pub silent: bool,
    /// So many uploads break off in the middle.
    pub breaks: u64,
    next: u64,
}

/// The server; its threads end with the test process.
pub struct Forge {
    url: String,
    kept: Arc<Mutex<Kept>>,
}

impl Forge {
    /// Starts it on a free port, for the user `me`.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let kept = Arc::new(Mutex::new(Kept::default()));
        let (shared, own) = (kept.clone(), url.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, own) = (shared.clone(), own.clone());
                std::thread::spawn(move || serve(stream, &own, &shared));
            }
        });
        Self { url, kept }
    }

    /// What `GITHUB_API_URL` is to be.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it remembers.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut stream: TcpStream, url: &str, kept: &Mutex<Kept>) {
    let Some((head, body)) = read(&mut stream, kept) else {
        return;
    };
    let mut words = head.split_whitespace();
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let lower = head.to_ascii_lowercase();
    let (status, answer) = match lower.contains("authorization: bearer a-token\r\n") {
        true => answer(method, path, &body, url, &mut kept),
        false => (
            401,
            json!({"message": "Bad credentials"})
                .to_string()
                .into_bytes(),
        ),
    };
    let silent = kept.silent && method == "POST" && path.ends_with("dispatches");
    drop(kept);
    if silent {
        return;
    }
    let head = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    let _gone = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&answer));
}

fn answer(method: &str, path: &str, body: &[u8], url: &str, kept: &mut Kept) -> (u16, Vec<u8>) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    let none = (404, json!({"message": "Not Found"}));
    kept.next += 1;
    let id = kept.next;
    let (status, said) = match (method, parts.as_slice()) {
        ("GET", ["user"]) => (200, json!({"login": "me"})),
        ("GET", ["repos", owner, _, "pulls"]) => {
            let head = query.split('&').find_map(|part| part.strip_prefix("head="));
            let head = head.map(|head| head.replace("%3A", ":").replace("%2F", "/"));
            let of = |pull: &&Value| {
                let branch = pull["head"].as_str().unwrap_or_default();
                head.as_ref()
                    .is_none_or(|head| *head == format!("{owner}:{branch}"))
            };
            (200, kept.pulls.iter().filter(of).cloned().collect())
        }
        ("POST", ["repos", owner, name, "pulls"]) => {
            let mut pull = sent;
            pull["number"] = id.into();
            pull["state"] = json!("open");
            pull["html_url"] = json!(format!("https://127.0.0.1/{owner}/{name}/pull/{id}"));
            kept.pulls.push(pull.clone());
            (201, pull)
        }
        (
            "POST",
            [
                "repos",
                _,
                _,
                "actions",
                "workflows",
                workflow,
                "dispatches",
            ],
        ) => {
            kept.started
                .push(json!({"workflow": workflow, "sent": sent}));
            (200, json!({"workflow_run_id": id}))
        }
        ("GET", ["repos", _, _, "actions", "runs"]) => {
            let run = |(at, started): (usize, &Value)| {
                json!({"id": at, "name": started["workflow"], "event": "workflow_dispatch", "status": "completed",
                    "conclusion": "success", "head_branch": started["sent"]["ref"], "created_at": "2026-01-01T00:00:00Z",
                    "html_url": format!("https://127.0.0.1/runs/{at}")})
            };
            let runs: Vec<Value> = kept.started.iter().enumerate().map(run).collect();
            (
                200,
                json!({"total_count": runs.len(), "workflow_runs": runs}),
            )
        }
        ("POST", ["user", "repos"]) => {
            let name = format!("me/{}", sent["name"].as_str().unwrap_or_default());
            kept.repositories
                .insert(name.clone(), sent["private"] == true);
            (201, repository(&name, sent["private"] == true))
        }
        ("GET", ["repos", owner, name]) => {
            let name = format!("{owner}/{name}");
            match kept.repositories.get(&name) {
                Some(private) => (200, repository(&name, *private)),
                None => none,
            }
        }
        ("GET", ["repos", _, _, "releases"]) => (200, kept.releases.values().cloned().collect()),
        ("GET", ["repos", _, _, "releases", "tags", tag]) => {
            let found =
                |release: &&Value| release["tag_name"] == **tag && release["draft"] == false;
            match kept.releases.values().find(found) {
                Some(release) => (200, release.clone()),
                None => none,
            }
        }
        ("POST", ["repos", owner, name, "releases"]) => {
            let mut release = sent;
            release["id"] = id.into();
            release["html_url"] = json!(format!("https://127.0.0.1/{owner}/{name}/releases/{id}"));
            release["assets"] = json!([]);
            release["upload_url"] = json!(format!("{url}/uploads/{id}/assets{{?name,label}}"));
            kept.releases.insert(id, release.clone());
            (201, release)
        }
        ("POST", ["uploads", release, "assets"]) => {
            let name = query.strip_prefix("name=").unwrap_or_default();
            let asset = json!({"id": id, "name": name, "size": body.len(), "state": "uploaded"});
            kept.files.insert(id, body.to_vec());
            let release = release
                .parse()
                .ok()
                .and_then(|id: u64| kept.releases.get_mut(&id));
            if let Some(assets) = release.and_then(|release| release["assets"].as_array_mut()) {
                assets.push(asset.clone());
            }
            (201, asset)
        }
        ("GET", ["repos", _, _, "releases", "assets", asset]) => {
            match asset.parse().ok().and_then(|id: u64| kept.files.get(&id)) {
                Some(bytes) => return (200, bytes.clone()),
                None => none,
            }
        }
        (_, ["repos", _, _, "releases", release]) => {
            let number: u64 = release.parse().unwrap_or_default();
            match (method, kept.releases.get_mut(&number)) {
                ("PATCH", Some(release)) => {
                    release["draft"] = sent["draft"].clone();
                    (200, release.clone())
                }
                ("DELETE", Some(_)) => {
                    kept.releases.remove(&number);
                    return (204, Vec::new());
                }
                _ => none,
            }
        }
        _ => none,
    };
    (status, said.to_string().into_bytes())
}

fn repository(name: &str, private: bool) -> Value {
    json!({"full_name": name, "private": private, "default_branch": "main", "html_url": format!("https://127.0.0.1/{name}")})
}

/// Head and body of a request, whole; `None` where it was broken off, by us or by them.
fn read(stream: &mut TcpStream, kept: &Mutex<Kept>) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if head.starts_with("POST /uploads") {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.breaks > 0 {
            kept.breaks -= 1;
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(end);
    while body.len() < length.unwrap_or_default() {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(read) => body.extend_from_slice(&buffer[..read]),
        }
    }
    Some((head, body))
}
