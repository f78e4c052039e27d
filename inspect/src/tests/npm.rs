//! JavaScript suites: what the `test` script does, run from local programs only, with reports from jest, vitest, mocha
//! and `node --test`, and TAP from the others. Of an unknown runner only the exit code is known, and that is said.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::command::{TestCommand, words};
use super::detect::Suite;
use super::npm_script::{self, Runner, Step, quote};
use super::report::shorten;
use crate::limits::InspectError;

const MOCHA: &str = include_str!("../../runners/ai_infra_mocha.cjs");
const NODE: &str = include_str!("../../runners/ai_infra_node.mjs");

/// The package.json of a folder.
pub(super) fn manifest(folder: &Path) -> Option<Value> {
    let text = crate::walk::read_text(&folder.join("package.json"), 4 << 20)?;
    serde_json::from_str(&text).ok()
}

/// The scripts; where there is no `test` script but a known runner among the dependencies, that runner.
pub(super) fn scripts(manifest: &Value) -> Option<Map<String, Value>> {
    let mut scripts = manifest
        .get("scripts")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let test = scripts
        .get("test")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .trim()
        .to_string();
    if !test.is_empty() && !test.contains("no test specified") {
        return Some(scripts);
    }
    let needs = |name: &str| {
        ["devDependencies", "dependencies"]
            .iter()
            .any(|k| manifest.get(k).is_some_and(|d| d.get(name).is_some()))
    };
    let runner = ["vitest", "jest", "mocha", "ava"]
        .into_iter()
        .find(|r| needs(r))?;
    scripts.insert("test".into(), runner.into());
    Some(scripts)
}

pub(super) fn command(
    suite: &Suite,
    cwd: &Path,
    root: &Path,
    only: &[String],
    scratch: &Path,
) -> Result<TestCommand, InspectError> {
    let missing = |why: &str| InspectError::NoCommand {
        kind: "npm".into(),
        dir: suite.dir.clone(),
        why: why.into(),
    };
    let manifest =
        manifest(cwd).ok_or_else(|| missing("its package.json cannot be read; correct it"))?;
    let scripts = scripts(&manifest)
        .ok_or_else(|| missing("its package.json has no test script; add one"))?;
    let steps = npm_script::steps(&scripts, "test");
    let (file, mocha, node) = (
        scratch.join("ai_infra_npm.sh"),
        scratch.join("ai_infra_mocha.cjs"),
        scratch.join("ai_infra_node.mjs"),
    );
    let mut outputs = Vec::new();
    let script = script(&steps, &manifest, (cwd, root, scratch), only, &mut outputs);
    Ok(TestCommand {
        argv: vec!["sh".into(), file.to_string_lossy().into_owned()],
        env: [
            ("NO_COLOR", "1"),
            ("FORCE_COLOR", "0"),
            ("npm_config_offline", "true"),
            ("NODE_DISABLE_COLORS", "1"),
        ]
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect(),
        files: vec![(file, script), (mocha, MOCHA.into()), (node, NODE.into())],
        outputs,
        shown: words(&["npm", "test"]).join(" "),
        ..TestCommand::default()
    })
}

/// The whole shell script. Lines it writes to standard error that begin with `ai-infra:` are read back by `npm_report`.
fn script(
    steps: &[Step],
    manifest: &Value,
    (cwd, root, scratch): (&Path, &Path, &Path),
    only: &[String],
    outputs: &mut Vec<PathBuf>,
) -> String {
    let mut script = String::from("code=0\n");
    let folders = cwd.ancestors().take_while(|f| f.starts_with(root));
    let bins: Vec<String> = folders
        .map(|f| f.join("node_modules/.bin").to_string_lossy().into_owned())
        .collect();
    script.push_str(&format!(
        "PATH={}:$PATH\nexport PATH\n",
        quote(&bins.join(":"))
    ));
    let installed = cwd
        .ancestors()
        .take_while(|f| f.starts_with(root))
        .any(|f| f.join("node_modules").is_dir());
    let needs = ["dependencies", "devDependencies"].iter().any(|k| {
        manifest
            .get(k)
            .and_then(Value::as_object)
            .is_some_and(|d| !d.is_empty())
    });
    if needs && !installed {
        script.push_str("echo 'ai-infra: missing: node_modules is not there; `npm ci` installs what the tests need' >&2\n");
    }
    let path = |name: &str| scratch.join(name).to_string_lossy().into_owned();
    let reporters = (path("ai_infra_mocha.cjs"), path("ai_infra_node.mjs"));
    let only = pattern(only);
    for (number, step) in steps.iter().enumerate() {
        let said = |kind: &str| {
            format!(
                "echo {} >&2",
                quote(&format!("ai-infra: {kind}: {}", shorten(&step.text)))
            )
        };
        let name = match step.runner {
            Runner::Jest => "jest",
            Runner::Vitest => "vitest",
            Runner::Mocha => "mocha",
            Runner::Node => "node",
            Runner::Tap => "tap",
            Runner::Linter => {
                script.push_str(&format!(
                    "{{ {}\n}} || {{ code=$?; {}; }}\n",
                    step.text,
                    said("linter")
                ));
                continue;
            }
            Runner::Other => {
                let last = number + 1 == steps.len();
                let stop = if last { said("plain") } else { said("stopped") };
                script.push_str(&format!(
                    "{{ {}\n}} || {{ code=$?; {stop}; exit $code; }}\n",
                    step.text
                ));
                if last && outputs.is_empty() {
                    script.push_str("echo 'ai-infra: unnamed: ' >&2\n");
                }
                continue;
            }
        };
        let output = scratch.join(format!("ai_infra_{name}_{number}.out"));
        let text = npm_script::reporting(
            step,
            &output.to_string_lossy(),
            (&reporters.0, &reporters.1),
            &only,
        );
        let file = quote(&output.to_string_lossy());
        script.push_str(&format!(
            "{{ {text}\n}} || code=$?\n[ -s {file} ] || {}\n",
            said("no report")
        ));
        outputs.push(output);
    }
    script.push_str("exit $code\n");
    script
}

/// A pattern of full names as the runners join them: by spaces.
fn pattern(only: &[String]) -> String {
    let full = |name: &str| {
        regex::escape(&name.replace(" > ", " "))
            .replace("\\ ", " ")
            .replace("\\-", "-")
    };
    let mut all: Vec<String> = Vec::new();
    for name in only {
        all.push(full(name));
        all.extend(name.split_once(": ").map(|(_, rest)| full(rest)));
    }
    if all.is_empty() {
        String::new()
    } else {
        format!("^({})$", all.join("|"))
    }
}
