//! The tools as a model sees them: Claude Code's names and inputs.

mod bring;
mod duties;

use bring::of_bringing;
use duties::of_duties;
use engine::conversation::ToolSpec;
use protocol::tool::TALK;
use serde_json::{Value, json};

fn spec(name: &str, description: &str, properties: Value, required: &[&str]) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema: json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }),
    }
}

/// The tools of EXECUTE that `allowed` names; an empty list allows all but programs on the host.
pub fn work_tools(allowed: &[String]) -> Vec<ToolSpec> {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "minimum": 0});
    let question = json!({
        "type": "object",
        "properties": {
            "question": text,
            "header": text,
            "options": {"type": "array", "items": {
                "type": "object",
                "properties": {"label": text, "description": text},
                "required": ["label"],
            }},
        },
        "required": ["question"],
    });
    let all = vec![
        spec(
            "Read",
            "Read a text file.",
            json!({"file_path": text, "offset": number, "limit": number}),
            &["file_path"],
        ),
        spec(
            "Write",
            "Write a whole file; folders are made. Where a file was shown with [secret:NAME] in it, write that as it is: it is put back into this file.",
            json!({"file_path": text, "content": text}),
            &["file_path", "content"],
        ),
        spec(
            "Edit",
            "Replace an exact piece of a file. old_string must occur once unless replace_all is true. [secret:NAME] stands for a secret of the file: write it as it was shown.",
            json!({"file_path": text, "old_string": text, "new_string": text, "replace_all": {"type": "boolean"}}),
            &["file_path", "old_string", "new_string"],
        ),
        spec(
            "Bash",
            "Run a shell command in /workspace. No network. timeout in milliseconds.",
            json!({"command": text, "timeout": number}),
            &["command"],
        ),
        spec(
            "Glob",
            "Find files by a glob pattern.",
            json!({"pattern": text, "path": text}),
            &["pattern"],
        ),
        spec(
            "Grep",
            "Find lines by a regular expression.",
            json!({"pattern": text, "path": text, "glob": text}),
            &["pattern"],
        ),
        spec("GitStatus", "Branch and changed files.", json!({}), &[]),
        spec(
            "GitDiff",
            "The uncommitted change as a patch.",
            json!({}),
            &[],
        ),
        spec(
            "Tests",
            "Find and run the project's test suites; names the failing tests.",
            json!({"suite": text, "only": {"type": "array", "items": text}}),
            &[],
        ),
        spec(
            "ListeningPorts",
            "Who listens on which port of the host, and who can reach it.",
            json!({}),
            &[],
        ),
        spec(
            "LogErrors",
            "Errors in the host's journal and logs, grouped. since: 2 hours, yesterday, 2026-01-31 14:30 …",
            json!({"since": text, "unit": text}),
            &[],
        ),
        spec(
            "CertificateExpiry",
            "Certificates of the host and when they end; path: look there, from /.",
            json!({"path": text}),
            &[],
        ),
        spec(
            "TimersAndCron",
            "What the host runs by itself, and when next.",
            json!({}),
            &[],
        ),
        spec(
            "DiskUsage",
            "What fills the file system below a folder of the host, from /.",
            json!({"path": text}),
            &[],
        ),
        spec(
            "PendingUpdates",
            "Packages of the host that can be updated, by the lists fetched last.",
            json!({}),
            &[],
        ),
        spec(
            "FailedLogins",
            "Failed logins on the host, and logins that worked after them. since: as LogErrors.",
            json!({"since": text}),
            &[],
        ),
        spec(
            "ServiceUnits",
            "Services of the host that failed, are enabled but do not run, or run.",
            json!({}),
            &[],
        ),
        spec(
            "ProcessTop",
            "Programs of the host by what they use now; by: memory or cpu.",
            json!({"by": text}),
            &[],
        ),
        spec(
            "ProfileTable",
            "Columns, types, empty and frequent values, duplicates and possible keys of a table. A table is named \
             orders.csv, shop.db:orders, or source:orders for a granted data source.",
            json!({"of": text}),
            &["of"],
        ),
        spec(
            "CompareTables",
            "What differs between two tables of any kind, row by row; key: columns by which rows are told apart, joined by commas.",
            json!({"left": text, "right": text, "key": text}),
            &["left", "right"],
        ),
        spec(
            "SchemaOverview",
            "Tables, keys, references and indexes of a database: shop.db, or the name of a granted data source.",
            json!({"of": text}),
            &["of"],
        ),
        spec(
            "DataQuality",
            "What is wrong with the values of a table: missing, mixed types and formats, impossible dates, odd spellings.",
            json!({"of": text}),
            &["of"],
        ),
        spec(
            "FindDuplicates",
            "Rows that come more than once in a table; by: columns to compare, joined by commas.",
            json!({"of": text, "by": text}),
            &["of"],
        ),
        spec(
            "HandOff",
            "Give the whole task to another agent of the team (code, data, infra, research, qa), who goes on \
             from here with its own tools. Only when what is left is that agent's work. note: what is done \
             and what is left.",
            json!({"to": text, "note": text}),
            &["to", "note"],
        ),
        spec(
            "AskPeer",
            "Ask another agent of the team (code, data, infra, research, qa) something it may know: how it works, \
             what it learned. It answers from what it knows, it does no work and sees no files of yours. \
             seconds: how long to wait, at most 120.",
            json!({"agent": text, "question": text, "seconds": number}),
            &["agent", "question"],
        ),
        spec(
            "AskUserQuestion",
            "Ask the person who gave you the task. It waits until somebody answers, so ask only what you cannot \
             find out and must not guess; ask everything at once.",
            json!({"questions": {"type": "array", "items": question, "minItems": 1, "maxItems": 4}}),
            &["questions"],
        ),
        spec(
            "AddCriteria",
            "Only when the person added something to the request while you work: what must be true in the end \
             because of it. They are checked after your work like the others.",
            json!({"criteria": {"type": "array", "items": criterion(false), "minItems": 1, "maxItems": 8}}),
            &["criteria"],
        ),
        spec(
            "GitCommit",
            "Commit in the workspace's clone; without paths, everything that differs.",
            json!({"message": text, "paths": {"type": "array", "items": text}}),
            &["message"],
        ),
        spec(
            "HttpRequest",
            "Send a request to a granted endpoint, by its name; path is below it. Changes are made once.",
            json!({"endpoint": text, "method": text, "path": text, "body": {"type": ["string", "object", "array"]}}),
            &["endpoint"],
        ),
        spec(
            "SqlQuery",
            "Read from a granted data source with one statement; $1, $2 … stand for params.",
            json!({"source": text, "statement": text, "params": {"type": "array"}}),
            &["source", "statement"],
        ),
        spec(
            "SqlExecute",
            "Change a granted data source with one statement, in a transaction.",
            json!({"source": text, "statement": text, "params": {"type": "array"}}),
            &["source", "statement"],
        ),
        spec(
            "BackupDatabase",
            "Write a backup of a granted data source into its folder for them; TryBackup proves it afterwards.",
            json!({"source": text}),
            &["source"],
        ),
        spec(
            "TryBackup",
            "Restore a backup of a granted data source in a throwaway place and tell what is in it and what differs; \
             the newest where no file is named.",
            json!({"source": text, "file": text}),
            &["source"],
        ),
        spec(
            "CheckPage",
            "Get a page of a granted host: status, redirects, time, certificates, title, what on it does not come; \
             text: what must stand on it.",
            json!({"url": text, "text": text}),
            &["url"],
        ),
        spec(
            "HostCertificates",
            "Ask granted hosts for their certificates: shop.example,mail.example:993.",
            json!({"hosts": text}),
            &["hosts"],
        ),
    ];
    let all = all.into_iter().chain(of_bringing()).chain(of_duties());
    all.filter(|tool| {
        (allowed.is_empty() && tool.name != "HostRun")
            || allowed.contains(&tool.name)
            || TALK.contains(&tool.name.as_str())
    })
    .collect()
}

/// The tool by which a model answers THINK, PLAN and BUILD.
pub fn propose() -> ToolSpec {
    let text = json!({"type": "string"});
    let option = json!({
        "type": "object",
        "properties": {"name": text, "summary": text, "risk": text},
        "required": ["name", "summary", "risk"],
    });
    spec(
        "propose",
        "Options, plan and criteria for the task.",
        json!({
            "options": {"type": "array", "items": option, "minItems": 1},
            "choice": text,
            "steps": {"type": "array", "items": text},
            "criteria": {"type": "array", "items": criterion(true), "minItems": 1, "maxItems": 20},
        }),
        &["options", "choice", "steps", "criteria"],
    )
}

/// A criterion as a model writes it; with an id of its own or without.
fn criterion(own_id: bool) -> Value {
    let text = json!({"type": "string"});
    let command = json!({
        "type": "object",
        "properties": {
            "argv": {"type": "array", "items": text, "minItems": 1},
            "expect": {"type": "object", "properties": {"exit": {"type": "integer"}, "stdout_contains": text}},
        },
        "required": ["argv"],
    });
    let file = json!({
        "type": "object",
        "properties": {"path": text, "exists": {"type": "boolean"}, "contains": text, "lacks": text},
        "required": ["path"],
    });
    let check = json!({"type": "object", "properties": {"command": command, "file": file}, "minProperties": 1, "maxProperties": 1});
    let mut properties = json!({"text": text, "change": {"type": "boolean"}, "check": check});
    let mut required = vec!["text", "check"];
    if own_id {
        properties["id"] = text;
        required.insert(0, "id");
    }
    json!({"type": "object", "properties": properties, "required": required})
}
