//! GitHub's description of its API, served by prism. The description is the one that GitHub's own client
//! is made from; of its thousand paths only those that are used are served, or it would take minutes.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The paths that are served.
const PATHS: [&str; 16] = [
    "/user",
    "/user/repos",
    "/orgs/{org}/repos",
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/contents/{path}",
    "/repos/{owner}/{repo}/releases",
    "/repos/{owner}/{repo}/releases/tags/{tag}",
    "/repos/{owner}/{repo}/releases/{release_id}",
    "/repos/{owner}/{repo}/releases/{release_id}/assets",
    "/repos/{owner}/{repo}/releases/assets/{asset_id}",
    "/repos/{owner}/{repo}/pulls",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/repos/{owner}/{repo}/actions/workflows",
    "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches",
    "/repos/{owner}/{repo}/actions/runs",
    "/repos/{owner}/{repo}/actions/runs/{run_id}",
];

/// The mock.
pub struct Prism {
    pub url: String,
    child: Child,
    _folder: tempfile::TempDir,
}

fn tool(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/test-tools/node_modules")
        .join(path)
}

impl Prism {
    /// Starts it; `None`, with a word, where it is not installed.
    pub fn start() -> Option<Self> {
        let program = tool(".bin/prism");
        let described = tool("@octokit/openapi/generated/api.github.com.json");
        if !program.exists() || !described.exists() {
            eprintln!(
                "skipped: prism and GitHub's description are not there: npm install --prefix target/test-tools @stoplight/prism-cli@5.14.2 @octokit/openapi@23.0.2"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("github.json");
        let whole: Value = serde_json::from_slice(&std::fs::read(described).unwrap()).unwrap();
        std::fs::write(&file, cut_down(&whole).to_string()).unwrap();
        let port = tests::port::free();
        let mut child = Command::new(program)
            .args(["mock", "-h", "127.0.0.1", "-p", &port.to_string()])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("Prism is listening") {
            line.clear();
            assert!(
                said.read_line(&mut line).unwrap() > 0,
                "prism did not start"
            );
        }
        // It stops where nobody reads what it says.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Some(Prism {
            url: format!("http://127.0.0.1:{port}"),
            child,
            _folder: folder,
        })
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _over = self.child.wait();
    }
}

/// The paths that are used, and everything they refer to.
fn cut_down(whole: &Value) -> Value {
    let mut paths = Map::new();
    for path in PATHS {
        let mut described = whole["paths"][path].clone();
        assert!(described.is_object(), "{path} is not described");
        // The host of uploads is another one; the mock is one.
        for operation in described.as_object_mut().unwrap().values_mut() {
            if let Some(operation) = operation.as_object_mut() {
                operation.remove("servers");
            }
        }
        paths.insert(path.to_owned(), described);
    }
    let mut components = Map::new();
    let mut wanted: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    references(&Value::Object(paths.clone()), &mut wanted);
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(found) = whole.pointer(&name) else {
            continue;
        };
        references(found, &mut wanted);
        let parts: Vec<&str> = name.split('/').skip(2).collect();
        if let [kind, name] = parts[..] {
            let kind = components.entry(kind).or_insert_with(|| json!({}));
            kind[name] = found.clone();
        }
    }
    json!({
        "openapi": whole["openapi"], "info": whole["info"], "paths": paths, "components": components,
        "servers": whole["servers"],
    })
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                found.extend(reference.strip_prefix('#').map(str::to_owned));
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}
