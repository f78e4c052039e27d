//! Services of systemd: a verb and a unit, nothing else. What is done is done by `systemctl VERB -- UNIT`; what
//! is so before and after is read from systemd, and an interrupted verb is settled by comparing the two.

use crate::program::{Program, Ran, run, run_verb};
use crate::{Refused, begun, digest, failed, halt, needs_root, unchanged};
use protocol::duty::Verb;
use protocol::duty::names::Unit;
use protocol::duty::order::{End, Order, Outcome, Wish};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest a verb takes.
const VERB: Duration = Duration::from_secs(120);
/// Longest wait until a service is up or down after its verb.
const SETTLED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(15);
/// Most bytes of a unit's file that are read.
const UNIT_BYTES: usize = 1024 * 1024;

/// How a service stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    load: String,
    active: String,
    sub: String,
    enabled: String,
    result: String,
    /// Changes with every start.
    invocation: String,
    pid: u64,
    since: String,
    kind: String,
    description: String,
    file: String,
    dropins: Vec<String>,
    can_reload: bool,
    /// What systemd is doing about it or has yet to do, `""` = nothing.
    #[serde(default)]
    job: String,
}

const PROPERTIES: &str = "LoadState,ActiveState,SubState,UnitFileState,Result,InvocationID,MainPID,\
StateChangeTimestamp,Type,Description,FragmentPath,DropInPaths,CanReload,Job";

/// What `systemctl show` says, taken apart.
fn parse(text: &str) -> State {
    let pairs: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once('=')).collect();
    let of = |key: &str| pairs.get(key).map(|v| (*v).to_owned()).unwrap_or_default();
    State {
        load: of("LoadState"),
        active: of("ActiveState"),
        sub: of("SubState"),
        enabled: of("UnitFileState"),
        result: of("Result"),
        invocation: of("InvocationID"),
        pid: of("MainPID").parse().unwrap_or(0),
        since: of("StateChangeTimestamp"),
        kind: of("Type"),
        description: protocol::text::one_line(&of("Description"), 120),
        file: of("FragmentPath"),
        dropins: of("DropInPaths")
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        can_reload: of("CanReload") == "yes",
        job: of("Job"),
    }
}

async fn look(unit: &Unit) -> Result<State, Refused> {
    let property = format!("--property={PROPERTIES}");
    let args = ["show", "--no-pager", &property, "--", unit.as_str()];
    let ran = run(Program::Systemctl, &args, &[], LOOK).await?;
    if !ran.good {
        return Err(no_systemd(&ran));
    }
    let state = parse(&ran.out);
    match state.load.as_str() {
        "not-found" => Err(format!("there is no unit {unit} on this host").into()),
        "" => Err(no_systemd(&ran)),
        _ => Ok(state),
    }
}

fn no_systemd(ran: &Ran) -> Refused {
    format!("systemd does not answer on this host: {}", ran.why()).into()
}

/// What the yes is bound to: the unit's own files. A service that failed meanwhile may still be restarted.
fn bound(unit: &Unit, state: &State) -> Value {
    let files = std::iter::once(&state.file).chain(&state.dropins);
    let sums: Vec<String> = files
        .filter(|path| !path.is_empty())
        .map(|path| {
            let text = std::fs::read(path).unwrap_or_default();
            let part = text.get(..text.len().min(UNIT_BYTES)).unwrap_or_default();
            format!("{path} {}", digest(part))
        })
        .collect();
    json!({"unit": unit, "files": sums})
}

fn said(state: &State) -> String {
    let enabled = state.enabled.as_str();
    let since = match state.since.is_empty() {
        true => String::new(),
        false => format!(" since {}", state.since),
    };
    let joint = if enabled.is_empty() { "" } else { ", " };
    format!("{} ({}){since}{joint}{enabled}", state.active, state.sub)
}

/// Says how a service stands.
pub async fn status(unit: &Unit) -> Result<Outcome, Refused> {
    let state = look(unit).await?;
    let text = format!("{unit}: {}", said(&state));
    Ok(Outcome::of(End::Done, text, data(unit, &state)))
}

fn data(unit: &Unit, state: &State) -> Value {
    let mut data = serde_json::to_value(state).unwrap_or_default();
    data["unit"] = json!(unit);
    data
}

/// Looks, makes or settles a change.
pub async fn change(order: &Order, unit: &Unit, verb: Verb) -> Result<Outcome, Refused> {
    needs_root(&format!("`systemctl {} {unit}`", verb.as_str()))?;
    // What was begun may go on without whoever told systemd: told once more in the middle of it, it would be done twice.
    let now = match order.wish {
        Wish::Settle => at_rest(unit, VERB).await?,
        _ => look(unit).await?,
    };
    if order.wish == Wish::Settle && now.moves() {
        let text = format!(
            "nobody knows how it ends: systemd still works on {unit}, now {}",
            said(&now)
        );
        return Ok(Outcome::of(End::Unknown, text, data(unit, &now)));
    }
    let seen = json!({"bound": bound(unit, &now), "state": now});
    if now.load == "masked" {
        return Err(format!("{unit} is masked: a person unmasks it first").into());
    }
    if verb == Verb::Reload && !now.can_reload {
        return Err(
            format!("{unit} cannot be reloaded: it knows no reload, or does not run").into(),
        );
    }
    if order.wish == Wish::Look {
        return Ok(Outcome::look(shown(unit, verb, &now), seen));
    }
    unchanged(order, &seen)?;
    let before: State = serde_json::from_value(order.before["state"].clone())
        .map_err(|_| "what was seen before is not readable")?;
    // To reload once more harms nothing, and cannot be seen afterwards.
    if order.wish == Wish::Settle && verb != Verb::Reload && happened(verb, &before, &now) {
        return Ok(told(
            unit,
            verb,
            &before,
            &now,
            "it was done before the interruption",
        ));
    }
    let word = verb.as_str();
    let args = [word, "--no-ask-password", "--no-pager", "--", unit.as_str()];
    if order.wish == Wish::Settle && came_to_nothing(verb, &before, &now) {
        let text = format!(
            "{word} {unit}: it was done before the interruption and did not come out ({}); now {}",
            now.result,
            said(&now)
        );
        return Ok(failed(text, data(unit, &now)));
    }
    let ran = run_verb(Program::Systemctl, &args, &[], VERB).await;
    if halt::asked() && begun::is() {
        return stopped(unit, verb, ran.is_ok()).await;
    }
    let ran = ran?;
    let after = at_rest(unit, SETTLED).await?;
    if halt::asked() {
        return stopped(unit, verb, true).await;
    }
    if ran.good && happened(verb, &before, &after) {
        return Ok(told(unit, verb, &before, &after, "done"));
    }
    let why = match ran.good {
        true => format!("it is {} now ({})", after.active, after.result),
        false => ran.why(),
    };
    let mut about = data(unit, &after);
    about["before"] = data(unit, &before);
    let text = format!(
        "`{word}` of {unit} did not come out: {why}; now {}",
        said(&after)
    );
    Ok(failed(text, about))
}

fn told(unit: &Unit, verb: Verb, before: &State, after: &State, how: &str) -> Outcome {
    let mut about = data(unit, after);
    about["before"] = data(unit, before);
    about["verb"] = json!(verb);
    let text = format!(
        "{} {unit}: {how}; before {}, now {}",
        verb.as_str(),
        said(before),
        said(after)
    );
    Outcome::of(End::Done, text, about)
}

/// systemd was told, and nobody waits for what comes of it any more: what stands is said.
async fn stopped(unit: &Unit, verb: Verb, answered: bool) -> Result<Outcome, Refused> {
    halt::finishing();
    let now = look(unit).await?;
    let word = verb.as_str();
    let then = if answered {
        ""
    } else {
        ", and goes on with it"
    };
    let text = format!(
        "it was told to stop (freeze) when systemd had been told to {word} {unit}{then}: now {}",
        said(&now)
    );
    Ok(failed(text, data(unit, &now)))
}

/// Waits until it is neither coming up nor going down and systemd has nothing left to do about it, so long at most.
async fn at_rest(unit: &Unit, most: Duration) -> Result<State, Refused> {
    let began = std::time::Instant::now();
    loop {
        let state = look(unit).await?;
        if !state.moves() || halt::asked() || began.elapsed() > most {
            return Ok(state);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl State {
    /// Whether it is about to be another one.
    fn moves(&self) -> bool {
        let on_its_way = ["activating", "deactivating", "reloading"];
        on_its_way.contains(&self.active.as_str()) || !["", "0"].contains(&self.job.as_str())
    }
}

/// Whether the effect of a verb shows.
fn happened(verb: Verb, before: &State, now: &State) -> bool {
    let up = now.active == "active"
        || (now.kind == "oneshot" && now.active == "inactive" && now.result == "success");
    match verb {
        Verb::Start => up,
        Verb::Restart => up && now.invocation != before.invocation,
        Verb::Reload => now.active == "active" && now.invocation == before.invocation,
        Verb::Stop => ["inactive", "failed"].contains(&now.active.as_str()),
        Verb::Enable => {
            ["enabled", "alias", "static", "indirect", "generated"].contains(&now.enabled.as_str())
        }
        Verb::Disable => ["disabled", "static", "indirect", ""].contains(&now.enabled.as_str()),
    }
}

/// Whether systemd did it and the service does not run: told once more it would be done twice.
fn came_to_nothing(verb: Verb, before: &State, now: &State) -> bool {
    let starts = matches!(verb, Verb::Start | Verb::Restart);
    let began_since = !now.invocation.is_empty() && now.invocation != before.invocation;
    starts && began_since && now.active == "failed"
}

fn shown(unit: &Unit, verb: Verb, now: &State) -> Vec<(String, String)> {
    let word = verb.as_str();
    let mut lines = vec![
        ("service".to_owned(), format!("{unit}: {}", now.description)),
        ("now".to_owned(), said(now)),
        ("would run".to_owned(), format!("systemctl {word} {unit}")),
        ("unit file".to_owned(), now.file.clone()),
    ];
    if !now.dropins.is_empty() {
        lines.push(("changed by".to_owned(), now.dropins.join(", ")));
    }
    let same = matches!(
        verb,
        Verb::Start | Verb::Stop | Verb::Enable | Verb::Disable
    );
    if same && happened(verb, now, now) {
        lines.push((
            "note".to_owned(),
            "it is so already: nothing would change".to_owned(),
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn state(active: &str, invocation: &str, enabled: &str) -> State {
        let text = format!(
            "LoadState=loaded\nActiveState={active}\nSubState=x\nUnitFileState={enabled}\nResult=success\n\
             InvocationID={invocation}\nMainPID=7\nType=simple\nDescription=A = b\nDropInPaths=/a /b\nCanReload=yes\n"
        );
        parse(&text)
    }

    #[test]
    fn what_systemctl_shows_is_taken_apart() {
        let got = state("active", "i1", "enabled");
        assert_eq!((got.pid, got.dropins.len(), got.can_reload), (7, 2, true));
        assert_eq!(
            (got.description.as_str(), got.active.as_str()),
            ("A = b", "active")
        );
        assert_eq!(parse("nonsense").load, "");
    }

    #[test]
    fn what_systemd_still_works_on_is_told_from_what_stands() {
        for (active, job, expected) in [
            ("active", "", false),
            ("active", "0", false),
            ("failed", "", false),
            ("activating", "", true),
            ("deactivating", "12", true),
            // Between its stop and its start.
            ("inactive", "12", true),
        ] {
            let mut state = state(active, "i", "enabled");
            state.job = job.to_owned();
            assert_eq!(state.moves(), expected, "{active} {job}");
        }
        // As an older version kept it.
        let mut kept = serde_json::to_value(state("active", "i", "enabled")).unwrap();
        kept.as_object_mut().unwrap().remove("job");
        assert_eq!(serde_json::from_value::<State>(kept).unwrap().job, "");
    }

    #[test]
    fn an_interrupted_verb_is_told_from_one_that_was_not_begun() {
        let (one, two) = (
            state("active", "i1", "enabled"),
            state("active", "i2", "disabled"),
        );
        let down = state("inactive", "", "disabled");
        for (verb, before, now, expected) in [
            (Verb::Restart, &one, &one, false),
            (Verb::Restart, &one, &two, true),
            (Verb::Start, &down, &one, true),
            (Verb::Start, &down, &down, false),
            (Verb::Stop, &one, &down, true),
            (Verb::Stop, &one, &one, false),
            (Verb::Reload, &one, &one, true),
            (Verb::Reload, &one, &down, false),
            (Verb::Enable, &two, &one, true),
            (Verb::Enable, &two, &two, false),
            (Verb::Disable, &one, &two, true),
        ] {
            assert_eq!(happened(verb, before, now), expected, "{verb:?}");
        }
    }

    #[test]
    fn a_start_that_came_to_nothing_is_told_from_one_that_was_not_begun() {
        let (up, down) = (state("active", "i1", ""), state("inactive", "", ""));
        let (broken, again) = (state("failed", "i1", ""), state("failed", "i2", ""));
        for (verb, before, now, expected) in [
            (Verb::Restart, &up, &again, true),
            (Verb::Start, &down, &broken, true),
            (Verb::Start, &broken, &again, true),
            // It was so before.
            (Verb::Start, &broken, &broken, false),
            // It fell by itself meanwhile.
            (Verb::Restart, &up, &broken, false),
            (Verb::Restart, &up, &up, false),
            (Verb::Stop, &up, &again, false),
        ] {
            let came = came_to_nothing(verb, before, now);
            assert_eq!(came, expected, "{verb:?} {now:?}");
        }
    }
}
