//! The programs the team needs, and whether the kernel lets a sandbox be made.

use super::{Finding, How, PATIENCE, finding};
use crate::render::text::one_line;
use std::io::ErrorKind;
use std::process::Stdio;
use supervisor::tmux::session;
use tokio::process::Command;
use tokio::time::timeout;

/// The oldest git this was tried with.
const GIT: (u32, u32) = (2, 30);

/// Everything about programs.
pub async fn look() -> Vec<Finding> {
    let making = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
        "/bin/true",
    ];
    let (git_said, bwrap_said, made) = tokio::join!(
        printed(&["git", "--version"]),
        printed(&["bwrap", "--version"]),
        printed(&making),
    );
    vec![
        tmux(),
        git(git_said),
        bwrap(bwrap_said),
        sandbox(made, switches(), guard::executor::landlock::available()),
    ]
}

fn tmux() -> Finding {
    match session::installed() {
        Ok(version) => finding("tmux", How::Good, format!("tmux {version}"), ""),
        Err(error) => {
            let next = "apt-get install tmux   (or without windows: ai-infra up --no-tmux)";
            finding("tmux", How::Odd, error.to_string(), next)
        }
    }
}

/// First line of what a program prints, when it ends well and soon.
async fn printed(argv: &[&str]) -> Result<String, String> {
    let (program, arguments) = argv.split_first().ok_or("no program")?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match timeout(PATIENCE, output).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("{program} is not installed"));
        }
        Ok(Err(error)) => return Err(format!("{program} cannot be run: {error}")),
        Err(_) => {
            return Err(format!(
                "{program} does not end within {} s",
                PATIENCE.as_secs()
            ));
        }
    };
    let said = match output.status.success() {
        true => &output.stdout,
        false => &output.stderr,
    };
    let said = String::from_utf8_lossy(said);
    let said = said.lines().next().unwrap_or_default().to_owned();
    match (output.status.success(), said.is_empty()) {
        (true, _) => Ok(said),
        (false, true) => Err(format!("{program} failed and said nothing")),
        (false, false) => Err(said),
    }
}

fn git(said: Result<String, String>) -> Finding {
    match said {
        Ok(version) if numbers(&version).is_some_and(|found| found < GIT) => finding(
            "git",
            How::Bad,
            format!("{version} is older than {}.{}", GIT.0, GIT.1),
            "apt-get install git   (or a newer one from git-scm.com)",
        ),
        Ok(version) => finding("git", How::Good, version, ""),
        Err(error) => finding("git", How::Bad, error, "apt-get install git"),
    }
}

/// The first `major.minor` in a line.
fn numbers(said: &str) -> Option<(u32, u32)> {
    said.split_whitespace().find_map(|word| {
        let mut parts = word.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

fn bwrap(said: Result<String, String>) -> Finding {
    match said {
        Ok(version) => finding("bwrap", How::Good, version, ""),
        Err(error) => finding("bwrap", How::Bad, error, "apt-get install bubblewrap"),
    }
}

/// A switch of the kernel and what it stands at; `None` where it has none of that name.
type Switch = (&'static str, Option<u64>);

/// The switches that forbid user namespaces.
fn switches() -> [Switch; 3] {
    let read = |name: &'static str| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let text = std::fs::read_to_string(path).ok();
        (name, text.and_then(|text| text.trim().parse().ok()))
    };
    [
        read("kernel.unprivileged_userns_clone"),
        read("kernel.apparmor_restrict_unprivileged_userns"),
        read("user.max_user_namespaces"),
    ]
}

/// Whether the kernel lets a sandbox be made at all.
fn sandbox(
    made: Result<String, String>,
    switches: [Switch; 3],
    landlock: Result<u32, String>,
) -> Finding {
    match made {
        Ok(_) => match landlock {
            Ok(version) => finding(
                "sandbox",
                How::Good,
                format!("the kernel allows user namespaces, and has Landlock {version}"),
                "",
            ),
            Err(why) => finding(
                "sandbox",
                How::Bad,
                format!("none can be made: {}", one_line(&why, 160)),
                "cat /sys/kernel/security/lsm, and add landlock to what the kernel is started with: lsm=landlock,…",
            ),
        },
        Err(error) if error.ends_with("not installed") => {
            finding("sandbox", How::Bad, "none can be made without bwrap", "")
        }
        Err(error) => finding(
            "sandbox",
            How::Bad,
            format!("none can be made: {}", one_line(&error, 160)),
            &allowing(switches),
        ),
    }
}

/// The command that changes exactly what forbids; where nothing is known to, what to look at. What AppArmor keeps
/// from all programs is given to bubblewrap alone.
fn allowing(switches: [Switch; 3]) -> String {
    let kept = |(name, at): &Switch| name.contains("apparmor") && at.is_some_and(|at| at > 0);
    let profile = switches
        .iter()
        .any(kept)
        .then(|| "sudo scripts/install.sh apparmor".to_owned());
    let wrong: Vec<String> = switches
        .iter()
        .filter_map(|(name, at)| match (*name, (*at)?) {
            ("kernel.unprivileged_userns_clone", 0) => Some(format!("{name}=1")),
            ("user.max_user_namespaces", 0) => Some(format!("{name}=15000")),
            _ => None,
        })
        .collect();
    let switched = (!wrong.is_empty()).then(|| format!("sysctl -w {}", wrong.join(" ")));
    let steps: Vec<String> = switched.into_iter().chain(profile).collect();
    match steps.is_empty() {
        false => steps.join("; "),
        true => "the kernel's switches allow it: in a container, start it so that it may make user namespaces (docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_git_and_a_strange_one() {
        for (said, how) in [
            ("git version 2.39.5", How::Good),
            ("git version 2.30.0", How::Good),
            ("git version 1.8.3.1", How::Bad),
            ("git version 2.29.9", How::Bad),
            ("something else", How::Good),
        ] {
            assert_eq!(git(Ok(said.to_owned())).how, how, "{said}");
        }
    }

    #[test]
    fn only_the_switches_that_forbid_are_named() {
        let at = |clone, apparmor, most| {
            allowing([
                ("kernel.unprivileged_userns_clone", clone),
                ("kernel.apparmor_restrict_unprivileged_userns", apparmor),
                ("user.max_user_namespaces", most),
            ])
        };
        assert_eq!(
            at(Some(0), None, Some(0)),
            "sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000"
        );
        assert_eq!(
            at(None, Some(1), Some(9)),
            "sudo scripts/install.sh apparmor"
        );
        assert_eq!(
            at(Some(0), Some(1), None),
            "sysctl -w kernel.unprivileged_userns_clone=1; sudo scripts/install.sh apparmor"
        );
        assert!(at(Some(1), Some(0), Some(9)).contains("container"));
    }
}
