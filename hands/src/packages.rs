//! Security updates of packages: exactly the named ones in exactly the named versions, by apt. What apt would
//! do is asked of apt first; where it would do more than was named, nothing is done.

use crate::program::{Program, Ran, run, run_uncut};
use crate::{Refused, failed, halt, needs_root, unchanged};
use protocol::duty::names::{PackageName, Version};
use protocol::duty::order::{End, Order, Outcome, Wish};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const ASK: Duration = Duration::from_secs(90);
const INSTALL: Duration = Duration::from_secs(1700);

/// Settings of every call: nothing is asked, a person's settings stay, nothing unsigned is taken, nothing is removed.
const ALWAYS: [&str; 10] = [
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "APT::Get::AllowUnauthenticated=false",
    "-o",
    "DPkg::Lock::Timeout=60",
    "--no-install-recommends",
    "--no-remove",
];

type Wanted = BTreeMap<PackageName, Version>;

/// One line of what apt would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Step {
    package: String,
    installed: String,
    version: String,
    /// Where it comes from.
    from: String,
    security: bool,
}

/// What `apt-get -s` says it would do, and what it would remove.
fn parse(text: &str) -> (Vec<Step>, Vec<String>) {
    let (mut steps, mut removed) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Remv ") {
            removed.push(rest.split(' ').next().unwrap_or_default().to_owned());
        }
        let Some(rest) = line.strip_prefix("Inst ") else {
            continue;
        };
        let (package, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let installed = rest
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .map_or("", |(installed, _)| installed);
        let inside = rest
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'));
        let (version, from) = inside
            .and_then(|(inside, _)| inside.split_once(' '))
            .unwrap_or_default();
        steps.push(Step {
            package: package.to_owned(),
            installed: installed.to_owned(),
            version: version.to_owned(),
            from: protocol::text::one_line(from, 120),
            // `Debian-Security:12/stable-security`, `Ubuntu:24.04/noble-security`.
            security: from.to_ascii_lowercase().contains("-security"),
        });
    }
    (steps, removed)
}

fn settings(order: &Order) -> Result<Vec<(&str, &str)>, Refused> {
    let terms = order
        .terms
        .packages
        .as_ref()
        .ok_or("updates are not granted")?;
    let mut env = vec![
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("NEEDRESTART_MODE", "l"),
    ];
    if let Some(config) = &terms.config {
        env.push(("APT_CONFIG", config.as_str()));
    }
    Ok(env)
}

/// Lists the security updates that wait, by the lists fetched last.
pub async fn waiting(order: &Order) -> Result<Outcome, Refused> {
    let args = [
        "-s",
        "-o",
        "Debug::NoLocking=true",
        "upgrade",
        "--with-new-pkgs",
    ];
    let ran = run(Program::AptGet, &args, &settings(order)?, ASK).await?;
    if !ran.good {
        return Err(format!("apt does not say what waits: {}", ran.why()).into());
    }
    let (mut steps, _) = parse(&ran.out);
    steps.retain(|step| step.security && !step.installed.is_empty());
    let text = match steps.len() {
        0 => "no security update waits, by the lists fetched last".to_owned(),
        1 => "1 security update waits".to_owned(),
        many => format!("{many} security updates wait"),
    };
    let named: Value = steps
        .iter()
        .map(|s| (s.package.clone(), json!(s.version)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    Ok(Outcome::of(
        End::Done,
        text,
        json!({"updates": steps, "packages": named}),
    ))
}

fn named(wanted: &Wanted) -> Vec<String> {
    wanted
        .iter()
        .map(|(name, version)| format!("{name}={version}"))
        .collect()
}

/// What apt is asked to do with the named ones.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Dry,
    Fetch,
    Install,
}

async fn asked(order: &Order, wanted: &Wanted, how: How) -> Result<Ran, Refused> {
    let names = named(wanted);
    let mut args = ALWAYS.to_vec();
    args.extend(match how {
        How::Dry => ["-s", "-o", "Debug::NoLocking=true"].as_slice(),
        How::Fetch => ["-y", "-q", "--download-only"].as_slice(),
        How::Install => ["-y", "-q"].as_slice(),
    });
    args.extend(["install", "--only-upgrade", "--"]);
    args.extend(names.iter().map(String::as_str));
    let patience = if how == How::Dry { ASK } else { INSTALL };
    let env = settings(order)?;
    match how {
        // Packages that are half unpacked are worse than ones that are installed: this is brought to its end, however long it takes.
        How::Install => run_uncut(Program::AptGet, &args, &env, patience).await,
        _ => run(Program::AptGet, &args, &env, patience).await,
    }
}

/// What would be done, where it is what was named and nothing else.
async fn simulated(order: &Order, wanted: &Wanted) -> Result<Vec<Step>, Refused> {
    let ran = asked(order, wanted, How::Dry).await?;
    if !ran.good {
        return Err(format!("apt would not do it: {}", ran.why()).into());
    }
    let (steps, removed) = parse(&ran.out);
    judged(&steps, &removed, wanted)?;
    Ok(steps)
}

fn judged(steps: &[Step], removed: &[String], wanted: &Wanted) -> Result<(), Refused> {
    if !removed.is_empty() {
        return Err(format!("apt would remove {}: nothing was done", removed.join(", ")).into());
    }
    for step in steps {
        let asked = wanted
            .iter()
            .find(|(name, _)| name.as_str() == step.package);
        if asked.is_none_or(|(_, version)| version.as_str() != step.version) {
            return Err(format!(
                "apt would also install {}={}: name it too",
                step.package, step.version
            )
            .into());
        }
        if !step.security {
            return Err(format!(
                "{}={} is no security update: it comes from {}",
                step.package, step.version, step.from
            )
            .into());
        }
    }
    Ok(())
}

/// Says in which versions packages are installed.
pub async fn versions(order: &Order, names: &BTreeSet<PackageName>) -> Result<Outcome, Refused> {
    // Without a name apt tells where packages come from.
    let now = match names.is_empty() {
        true => BTreeMap::new(),
        false => installed(order, names.iter()).await?,
    };
    let text = format!("{} of {} packages are known to apt", now.len(), names.len());
    Ok(Outcome::of(End::Done, text, json!({"installed": now})))
}

/// The versions that are installed now.
async fn installed(
    order: &Order,
    names: impl Iterator<Item = &PackageName>,
) -> Result<BTreeMap<String, String>, Refused> {
    let mut args = vec!["policy", "--"];
    args.extend(names.map(PackageName::as_str));
    let ran = run(Program::AptCache, &args, &settings(order)?, ASK).await?;
    Ok(policy(&ran.out))
}

fn policy(text: &str) -> BTreeMap<String, String> {
    let (mut all, mut name) = (BTreeMap::new(), "");
    for line in text.lines() {
        match line.strip_prefix("  Installed: ") {
            Some(version) => {
                all.insert(name.to_owned(), version.trim().to_owned());
            }
            None if !line.starts_with(' ') => name = line.trim_end_matches(':'),
            None => {}
        }
    }
    all
}

fn all_there(now: &BTreeMap<String, String>, wanted: &Wanted) -> bool {
    let there = |(name, version): (&PackageName, &Version)| {
        now.get(name.as_str())
            .is_some_and(|now| now == version.as_str())
    };
    wanted.iter().all(there)
}

/// Installs exactly what is named.
pub async fn install(order: &Order, wanted: &Wanted) -> Result<Outcome, Refused> {
    let own_apt = order
        .terms
        .packages
        .as_ref()
        .is_some_and(|terms| terms.config.is_some());
    if !own_apt {
        needs_root("installing updates")?;
    }
    let was = installed(order, wanted.keys()).await?;
    if order.wish == Wish::Settle && all_there(&was, wanted) {
        return Ok(Outcome::of(
            End::Done,
            "they were installed before the interruption",
            json!({"installed": was, "before": order.before["installed"]}),
        ));
    }
    let steps = simulated(order, wanted).await?;
    if order.wish != Wish::Settle && steps.is_empty() {
        return Err("there is nothing to install: every one of them is there in that version, or is not installed at all".into());
    }
    let seen = json!({"bound": steps, "installed": was});
    if order.wish == Wish::Look {
        let row = |step: &Step| {
            let text = format!(
                "{} {} → {} ({})",
                step.package, step.installed, step.version, step.from
            );
            ("update".to_owned(), text)
        };
        let mut shown: Vec<_> = steps.iter().map(row).collect();
        shown.push((
            "then".to_owned(),
            "services are not restarted by it; settings a person changed stay".to_owned(),
        ));
        return Ok(Outcome::look(shown, seen));
    }
    if order.wish == Wish::Make {
        unchanged(order, &seen)?;
    }
    let fetched = asked(order, wanted, How::Fetch).await?;
    if !fetched.good {
        return Err(format!("apt does not get them: {}", fetched.why()).into());
    }
    let ran = asked(order, wanted, How::Install).await?;
    let late = match halt::asked() {
        true => {
            " (it was told to stop (freeze) when they were being unpacked, which is brought to its end)"
        }
        false => "",
    };
    halt::finishing();
    let now = installed(order, wanted.keys()).await?;
    let data = json!({"installed": now, "before": order.before["installed"]});
    if ran.good && all_there(&now, wanted) {
        let text = format!("installed: {}{late}", named(wanted).join(", "));
        return Ok(Outcome::of(End::Done, text, data));
    }
    Ok(failed(
        format!("apt did not come to the end: {}{late}", ran.why()),
        data,
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const SAID: &str = "NOTE: This is only a simulation!\nInst openssl [3.0.19-1] (3.0.20-1 Debian-Security:12/stable-security [amd64])\n\
        Inst new (1.0 Debian:12/stable [amd64]) []\nRemv old [1]\nConf openssl (3.0.20-1 Debian-Security:12/stable-security [amd64])\n";

    #[test]
    fn what_apt_would_do_is_read() {
        let (steps, removed) = parse(SAID);
        assert_eq!(removed, ["old"]);
        assert_eq!(
            (
                steps.len(),
                steps[0].installed.as_str(),
                steps[0].version.as_str()
            ),
            (2, "3.0.19-1", "3.0.20-1")
        );
        assert!(steps[0].security && !steps[1].security && steps[1].installed.is_empty());
        let now = policy(
            "openssl:\n  Installed: 3.0.20-1\n  Candidate: 3.0.20-1\nx:\n  Installed: (none)\n",
        );
        assert_eq!(now.get("openssl").map(String::as_str), Some("3.0.20-1"));
    }

    #[test]
    fn more_than_was_named_is_not_done() {
        let (steps, removed) = parse(SAID);
        let wanted = |all: &[(&str, &str)]| -> Wanted {
            all.iter()
                .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
                .collect()
        };
        let one = wanted(&[("openssl", "3.0.20-1")]);
        let check = |steps: &[Step], removed: &[String], wanted: &Wanted, words: &str| {
            let said = judged(steps, removed, wanted)
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default();
            assert!(
                said.contains(words) && said.is_empty() == words.is_empty(),
                "{said}"
            );
        };
        check(&steps[..1], &[], &one, "");
        check(&steps[..1], &removed, &one, "would remove old");
        check(&steps, &[], &one, "also install new=1.0");
        check(
            &steps[..1],
            &[],
            &wanted(&[("openssl", "3.0.18-1")]),
            "also install openssl=3.0.20-1",
        );
        check(
            &steps,
            &[],
            &wanted(&[("openssl", "3.0.20-1"), ("new", "1.0")]),
            "no security update",
        );
    }
}
