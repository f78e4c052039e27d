//! How an operation is shown to people: what it touches, in one line, and how it could be undone.

use crate::act::{Operation, Place};
use crate::redact::Redactor;
use protocol::duty::Duty;
use protocol::effect::EffectClass;
use protocol::text::cut;

pub(crate) fn paths_of(operation: &Operation) -> Vec<String> {
    match operation {
        Operation::Read { path, .. }
        | Operation::Write { path, .. }
        | Operation::Edit { path, .. }
        | Operation::Glob { path, .. }
        | Operation::Grep { path, .. }
        | Operation::Profile { path } => vec![path.clone()],
        Operation::DataScan { scan } => scan.files().map(str::to_owned).collect(),
        Operation::Bash { cwd, .. } => vec![cwd.clone()],
        Operation::Tests { dir: Some(dir), .. } => vec![dir.clone()],
        _ => Vec::new(),
    }
}

pub(crate) fn hosts_of(operation: &Operation) -> Vec<String> {
    match operation {
        Operation::HostCertificates { hosts, .. } => hosts.clone(),
        Operation::Duty {
            duty: Duty::PutSite { site, .. },
            ..
        } => site.names.iter().map(|name| name.to_string()).collect(),
        Operation::HttpRequest { url, .. }
        | Operation::GitPush { url, .. }
        | Operation::CheckPage { url, .. } => reqwest::Url::parse(url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// Longest line that stands for an act, in characters.
const LINE: usize = 160;

/// Text as one short line. It is masked while it is whole: half of a secret is known as none.
pub(crate) fn line(text: &str, redactor: &Redactor) -> String {
    let short = cut(&redactor.text(text), LINE);
    short.replace(['\n', '\r'], " ")
}

/// What an operation does, as long as it is and with the secrets it names.
pub(crate) fn words_of(operation: &Operation) -> String {
    match operation {
        Operation::Read { path, .. } => format!("read {path}"),
        Operation::Write { path, content } => format!("write {path} ({} bytes)", content.len()),
        Operation::Edit { path, .. } => format!("edit {path}"),
        Operation::Bash { argv, .. } => match argv.as_slice() {
            [shell, flag, command] if shell == "bash" && flag == "-c" => format!("run {command}"),
            _ => format!("run {}", argv.join(" ")),
        },
        Operation::Glob { pattern, path } => format!("list {pattern} in {path}"),
        Operation::Grep { pattern, path, .. } => format!("search {pattern} in {path}"),
        Operation::Tests { .. } => "run the tests".to_owned(),
        Operation::Profile { path } => format!("profile {path}"),
        Operation::DataScan { scan } => scan.preview(),
        Operation::GitCommit { message, .. } => format!("commit {message}"),
        Operation::GitPush {
            remote,
            url,
            branch,
            commit,
        } => format!("push {commit} as {branch} to {remote} ({url})"),
        Operation::Forge {
            repository, ask, ..
        } => ask.preview(repository),
        Operation::HttpRequest {
            endpoint,
            method,
            url,
            body,
            ..
        } => match body.len() {
            0 => format!("{method} {url} ({endpoint})"),
            bytes => format!("{method} {url} with {bytes} bytes ({endpoint})"),
        },
        Operation::SqlQuery {
            source, statement, ..
        } => format!("ask {source}: {statement}"),
        Operation::SqlExecute {
            source, statement, ..
        } => format!("tell {source}: {statement}"),
        Operation::BackupDatabase { source, .. } => format!("back up {source}"),
        Operation::TryBackup { source, file } => {
            let file = file.as_deref().unwrap_or("the newest");
            format!("restore a backup of {source} in a throwaway place: {file}")
        }
        Operation::CheckPage { url, .. } => format!("get {url}"),
        Operation::HostCertificates { hosts, .. } => {
            format!("ask for the certificates of {}", hosts.join(", "))
        }
        Operation::Duty { duty, .. } => duty.title(),
        other => other.tool().to_owned(),
    }
}

pub(crate) fn undo_of(operation: &Operation) -> Option<&'static str> {
    if let Operation::Duty { duty, .. } = operation {
        return duty.undo();
    }
    (operation.place() == Place::Clone && operation.effect() != EffectClass::Pure)
        .then_some("reset the task's clone to the snapshot taken before")
}
