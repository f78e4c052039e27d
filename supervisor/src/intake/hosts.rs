//! On which host a task is worked on: where its folder is. Only hosts that were invited count, and
//! only for the roles they were invited for.

use super::IntakeError;
use crate::desk::Desk;
use crate::hosts::roll;
use crate::ledger::keep::NewPart;
use config::settings::Settings;
use guard::clone::check_workspace;
use protocol::control::Submit;
use protocol::ids::Role;
use protocol::task::{Ceiling, Task};
use std::path::{Component, Path, PathBuf};

/// The other host a request names; `None` for this one.
pub(crate) fn named(desk: &Desk, submit: &Submit) -> Result<Option<String>, IntakeError> {
    if let (Some(host), None) = (&submit.host, &submit.workspace)
        && *host != desk.settings.host
    {
        return Err(IntakeError::Host(format!(
            "a task for host {host} needs its folder there: --workspace /path/on/{host}"
        )));
    }
    known(desk, submit.host.as_deref())
}

/// The other host of a name; `None` for this one.
pub(crate) fn known(desk: &Desk, host: Option<&str>) -> Result<Option<String>, IntakeError> {
    let Some(host) = host.filter(|host| *host != desk.settings.host) else {
        return Ok(None);
    };
    let roll = roll::read(&desk.home).map_err(|e| IntakeError::Host(e.to_string()))?;
    if roll.find(host).is_some() {
        return Ok(Some(host.to_owned()));
    }
    let known = match roll.names().as_slice() {
        [] => "no other host was invited: ai-infra host invite NAME".to_owned(),
        names => format!("invited are: {}", names.join(", ")),
    };
    Err(IntakeError::Host(format!(
        "no host `{}` works for this team; {known}",
        host.escape_debug()
    )))
}

/// The folder of a task, checked as far as it can be from here.
pub(crate) fn folder(
    desk: &Desk,
    path: Option<&Path>,
    there: Option<&str>,
) -> Result<Option<PathBuf>, IntakeError> {
    match (path, there) {
        (Some(path), Some(_)) => workspace_there(path).map(Some),
        (Some(path), None) => workspace(path, &desk.home.root).map(Some),
        (None, _) => Ok(None),
    }
}

/// The other host a task is for; `None` for this one.
pub(crate) fn other<'a>(desk: &Desk, task: &'a Task) -> Option<&'a str> {
    task.host
        .as_deref()
        .filter(|host| *host != desk.settings.host)
}

/// A folder of this host.
/// The workspace, checked; absolute and without links.
fn workspace(path: &Path, home: &Path) -> Result<PathBuf, IntakeError> {
    let wrong = |why: &str| IntakeError::Workspace {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    if !path.is_absolute() {
        return Err(wrong("is not an absolute path: give it from / on"));
    }
    if path.as_os_str().as_encoded_bytes().contains(&0) || path.to_str().is_none() {
        return Err(wrong("has a name that is not UTF-8 text: rename it"));
    }
    if !path.is_dir() {
        return Err(wrong(
            "is not a folder: name an existing one with --workspace",
        ));
    }
    Ok(check_workspace(path, home)?)
}

/// A folder on a disk that cannot be looked at from here; the agent there looks.
pub(crate) fn workspace_there(path: &Path) -> Result<PathBuf, IntakeError> {
    let whole = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let good = path.is_absolute()
        && whole
        && path
            .to_str()
            .is_some_and(|text| !text.chars().any(char::is_control));
    match good {
        true => Ok(path.to_owned()),
        false => Err(IntakeError::Workspace {
            path: path.to_owned(),
            why: "is not an absolute path without `..`: give it as it is on that host".to_owned(),
        }),
    }
}

/// The host of a task: the one named, this one where the task has a folder, none where it has not.
pub(crate) async fn host_of(
    desk: &Desk,
    there: Option<String>,
    has_folder: bool,
    agents: &[Role],
) -> Result<Option<String>, IntakeError> {
    let Some(host) = there else {
        return Ok(has_folder.then(|| desk.settings.host.clone()));
    };
    let roll = roll::read(&desk.home).map_err(|e| IntakeError::Host(e.to_string()))?;
    let invited = roll.find(&host).map(|guest| guest.roles.as_slice());
    let runs = desk.ledger.host(&host).await?.roles;
    match not_run(&host, invited.unwrap_or_default(), runs.as_deref(), agents) {
        None => Ok(Some(host)),
        Some(why) => Err(IntakeError::Host(why)),
    }
}

/// Why a host cannot do the work of these roles: it was not invited for one of them, or it said that
/// it runs fewer than it was invited for.
fn not_run(host: &str, invited: &[Role], runs: Option<&[Role]>, agents: &[Role]) -> Option<String> {
    let named = |roles: Vec<&Role>| match roles.as_slice() {
        [] => "no agent".to_owned(),
        some => {
            let names: Vec<&str> = some.iter().map(|role| role.as_str()).collect();
            format!("only {}", names.join(", "))
        }
    };
    if let Some(agent) = agents.iter().find(|agent| !invited.contains(agent)) {
        let runs = named(invited.iter().collect());
        return Some(format!(
            "this is work for {agent}, and host {host} runs {runs}: name one of them with --agent, or invite the host again with --agents"
        ));
    }
    let runs = runs?;
    let agent = agents.iter().find(|agent| !runs.contains(agent))?;
    let runs = named(invited.iter().filter(|role| runs.contains(role)).collect());
    Some(format!(
        "this is work for {agent}, and host {host} runs {runs}, though it was invited for {agent} too: name one of them with --agent, or join again there with --agents"
    ))
}

/// The roles that a request needs: its own, or those of its parts that are known already.
pub(crate) fn roles(agent: &Role, parts: &[NewPart]) -> Vec<Role> {
    match parts {
        [] => vec![agent.clone()],
        parts => {
            let routed = parts.iter().filter_map(|part| part.routed.as_ref());
            routed.map(|routed| routed.agent.clone()).collect()
        }
    }
}

/// The most a task of a role may do, by this host's rules.
pub(crate) fn ceiling(settings: &Settings, agent: &Role) -> Option<Ceiling> {
    settings.agent(agent).map(|agent| Ceiling {
        level: agent.level,
        host_read: agent.host_read,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_of_another_disk_are_checked_for_form() {
        for (path, good) in [
            ("/srv/app", true),
            ("/srv/my app", true),
            ("srv", false),
            ("/srv/../etc", false),
            ("/srv/a\nb", false),
            ("", false),
        ] {
            assert_eq!(workspace_there(Path::new(path)).is_ok(), good, "{path}");
        }
    }

    #[test]
    fn a_host_is_given_only_what_it_runs() {
        let roles = |names: &str| -> Vec<Role> {
            let names = names.split(' ').filter(|name| !name.is_empty());
            names.map(|name| name.parse().unwrap()).collect()
        };
        // Invited, what it said it runs, what is wanted; a part of the refusal.
        for (invited, runs, wanted, part) in [
            ("code qa", None, "code", ""),
            ("code qa", None, "code qa", ""),
            ("code qa", Some("code qa"), "qa", ""),
            ("code", None, "code qa", "runs only code: name"),
            ("code", Some("code qa"), "qa", "runs only code: name"),
            ("code qa", Some("code"), "qa", "runs only code, though"),
            ("code qa", Some(""), "qa", "runs no agent, though"),
            ("", None, "qa", "runs no agent: "),
        ] {
            let runs = runs.map(roles);
            let said = not_run("b", &roles(invited), runs.as_deref(), &roles(wanted));
            let said = said.unwrap_or_default();
            assert!(
                said.contains(part) && said.is_empty() == part.is_empty(),
                "{said}"
            );
        }
    }

    #[test]
    fn workspaces_must_be_folders_by_absolute_path() {
        let home = tempfile::tempdir().unwrap();
        for path in ["relative", "/no/such/folder/anywhere", "/etc/passwd"] {
            let error = workspace(Path::new(path), home.path()).unwrap_err();
            assert!(matches!(error, IntakeError::Workspace { .. }), "{error}");
        }
    }
}
