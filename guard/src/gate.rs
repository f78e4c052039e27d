//! The gate: what a grant allows. The only maker of a [`Leave`], without which no tool runs.

use crate::act::{Act, Operation, Place};
use crate::outside::{Database, Outside};
use crate::trial::may_be_tried;
use protocol::acts::{Acts, Bound};
use protocol::approval::Rule;
use protocol::duty::Duty;
use protocol::duty::terms::NOT_PRIVILEGED;
use protocol::level::Level;
use warden::client::Burned;

/// What an agent may do, from its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its level.
    pub level: Level,
    /// Tools it may use; empty = every tool of its level.
    pub tools: Vec<String>,
    /// Whether it may look at the host.
    pub host_read: bool,
    /// What it may reach outside.
    pub outside: Outside,
    /// What the rules say of kinds of acts; a kind without a rule asks.
    pub acts: Acts,
}

/// Leave to run one act: not clonable, bound to the act's digest, used up by the run.
#[derive(Debug)]
pub struct Leave {
    digest: String,
    /// Good only where all of it is taken back.
    trial: bool,
}

impl Leave {
    /// Whether this leave was given for that act.
    pub(crate) fn is_for(&self, act: &Act) -> bool {
        self.digest == act.digest()
    }

    /// Whether it is good only for a trial.
    pub(crate) fn only_for_a_trial(&self) -> bool {
        self.trial
    }
}

/// What the gate says.
#[derive(Debug)]
pub enum Decision {
    /// Go ahead, once.
    Allow(Leave),
    /// No, and why.
    Deny(String),
    /// A person must say so; the kind of act, as rules name it.
    Ask(&'static str),
}

/// Judges an act. Fails closed: what the act says of itself must agree with its operation.
pub fn judge(act: &Act, grant: &Grant) -> Decision {
    judge_with(act, grant, None)
}

/// Judges an act for which a ticket was used up. A ticket answers the question a rule asks and nothing
/// else: what the level or the grant does not allow stays denied.
pub fn judge_with(act: &Act, grant: &Grant, ticket: Option<&Burned>) -> Decision {
    if let Some(reason) = refusal(act, grant) {
        return Decision::Deny(reason);
    }
    if let Some(kind) = act.operation.kind() {
        let given = ticket.is_some_and(|ticket| ticket.is_for(&act.action()));
        match grant.acts.rule(kind) {
            Rule::Deny => {
                return Decision::Deny(format!("the rule `permissions.acts.{kind}` denies it"));
            }
            Rule::Ask if !given => return Decision::Ask(kind),
            Rule::Ask | Rule::Allow => {}
        }
        match above(act, grant) {
            Some((Rule::Deny, why)) => return Decision::Deny(why),
            Some(_) if !given => return Decision::Ask(kind),
            Some(_) | None => {}
        }
    }
    Decision::Allow(Leave {
        digest: act.digest(),
        trial: false,
    })
}

/// Whether what an act does is said by files of a workspace and not by the act itself: such programs run in the clone alone, without
/// leave and without reach. One that is run on the host is copied by the warden before anybody is asked.
pub fn runs_files(act: &Act) -> bool {
    !act.argv.is_empty() || !act.paths.is_empty() || act.operation.place() == Place::Clone
}

/// Why an act is more at once than its kind's bound, and what is done about it. Rows of a database are counted where
/// they are changed, where they can be.
pub fn above(act: &Act, grant: &Grant) -> Option<(Rule, String)> {
    match &act.operation {
        Operation::Duty { duty, .. } => grant.acts.above(duty.kind()?, duty.count()),
        // What no rollback takes back is not counted either.
        Operation::SqlExecute {
            source, statement, ..
        } => {
            // SQLite itself says what a statement is, and a rollback takes all of it back.
            let of = grant.outside.sources.get(source)?;
            if matches!(of.database, Database::Sqlite { .. }) {
                return None;
            }
            let most = grant.acts.at_most("sql.change")?;
            let why = may_be_tried(statement).err()?;
            let counts = Bound::of_rule(Some(most)).counts();
            counts.then(|| (most.above, format!("nobody can count what it does: {why}")))
        }
        _ => None,
    }
}

/// Leave to try a change of a database and take it back, where that shows what it would do and does nothing.
///
/// # Errors
/// Why it is not tried.
pub fn to_try(act: &Act, grant: &Grant) -> Result<Leave, String> {
    let Operation::SqlExecute { statement, .. } = &act.operation else {
        return Err("only a change of a database can be tried".to_owned());
    };
    if let Some(reason) = refusal(act, grant) {
        return Err(reason);
    }
    if grant.acts.rule("sql.change") == Rule::Deny {
        return Err("the rule `permissions.acts.sql.change` denies it".to_owned());
    }
    may_be_tried(statement)?;
    Ok(Leave {
        digest: act.digest(),
        trial: true,
    })
}

fn refusal(act: &Act, grant: &Grant) -> Option<String> {
    let tool = act.operation.tool();
    if *act != Act::of(act.operation.clone()) {
        return Some(format!(
            "the act of {tool} does not agree with its operation: plan it again"
        ));
    }
    if let Operation::Duty {
        duty: Duty::HostRun { .. },
        ..
    } = &act.operation
        && !grant.tools.is_empty()
        && !grant.tools.iter().any(|name| name == tool)
    {
        return Some(NOT_PRIVILEGED.to_owned());
    }
    if !grant.tools.is_empty() && !grant.tools.iter().any(|name| name == tool) {
        return Some(format!(
            "{tool} is not among this agent's tools: {}",
            grant.tools.join(", ")
        ));
    }
    if act.operation.of_host() && !grant.host_read {
        return Some(format!(
            "{tool} reads the host: grant `host.read` to this agent"
        ));
    }
    if act.operation.place() == Place::Outside
        && let Err(why) = grant.outside.reach(&act.operation)
    {
        return Some(why);
    }
    if act.operation.kind().is_some() && runs_files(act) {
        return Some(format!(
            "{tool} would run files of the workspace with leave, and nobody can see in a ticket what they will be by then"
        ));
    }
    let needed = act.operation.level().of_agent();
    (grant.level < needed).then(|| {
        format!(
            "{tool} needs level {needed} and this agent has level {}",
            grant.level
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(level: Level, tools: &[&str], host_read: bool) -> Grant {
        Grant {
            level,
            tools: tools.iter().map(|t| (*t).to_owned()).collect(),
            host_read,
            outside: Outside::default(),
            acts: [("http.change".to_owned(), Rule::Allow)].into(),
        }
    }

    fn write() -> Operation {
        Operation::Write {
            path: "a".into(),
            content: "b".into(),
        }
    }

    fn bash() -> Operation {
        Operation::Bash {
            argv: vec!["ls".into()],
            cwd: ".".into(),
            timeout_ms: None,
        }
    }

    #[track_caller]
    fn check(operation: Operation, grant: &Grant, expected: Option<&str>) {
        match (judge(&Act::of(operation), grant), expected) {
            (Decision::Allow(_), None) => {}
            (Decision::Deny(why), Some(words)) => assert!(why.contains(words), "{why}"),
            (other, _) => panic!("{other:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn levels_and_lists_hold() {
        let zero = grant(Level::Restricted, &[], false);
        let one = grant(Level::Standard, &[], false);
        let host = grant(Level::Restricted, &[], true);
        let listed = grant(Level::Standard, &["Read", "Write"], false);
        for operation in [write(), bash(), Operation::QuickChecks] {
            check(operation.clone(), &zero, Some("needs level 1"));
            check(operation, &one, None);
        }
        check(Operation::Overview, &zero, None);
        check(Operation::HostFacts, &one, Some("host.read"));
        check(Operation::HostFacts, &host, None);
        check(bash(), &listed, Some("not among"));
        check(write(), &listed, None);
    }

    #[test]
    fn nothing_outside_is_reached_without_a_grant() {
        let get = |url: &str| Operation::HttpRequest {
            endpoint: "hooks".to_owned(),
            method: "GET".to_owned(),
            url: url.to_owned(),
            body: String::new(),
            json: false,
            key: None,
        };
        let mut one = grant(Level::Standard, &[], false);
        check(get("https://h/a"), &one, Some("no endpoint is granted"));
        let endpoint = crate::outside::Endpoint {
            url: "https://h/a".to_owned(),
            key_header: Some("Idempotency-Key".to_owned()),
            token: None,
        };
        one.outside
            .endpoints
            .insert("hooks".to_owned(), endpoint.clone());
        check(get("https://h/a/b"), &one, None);
        check(get("https://evil/a/b"), &one, Some("leaves the endpoint"));
        for (odd, words) in [("GET", "x"), ("TRACE", "")] {
            let mut odd_one = get("https://h/a/b");
            if let Operation::HttpRequest { method, body, .. } = &mut odd_one {
                (*method, *body) = (odd.to_owned(), words.to_owned());
            }
            check(odd_one, &one, Some("leaves the endpoint"));
        }
        let mut post = get("https://h/a/b");
        if let Operation::HttpRequest { method, .. } = &mut post {
            *method = "POST".to_owned();
        }
        check(post, &one, Some("leaves the endpoint"));
        let source = crate::outside::Source {
            database: crate::outside::Database::Sqlite {
                file: "/srv/shop.db".into(),
            },
            write: false,
            backups: None,
        };
        one.outside.sources.insert("shop".to_owned(), source);
        let tell = Operation::SqlExecute {
            source: "shop".to_owned(),
            statement: "DELETE FROM t".to_owned(),
            params: Vec::new(),
            key: "k".to_owned(),
        };
        check(tell, &one, Some("granted for reading"));
        let mut zero = grant(Level::Restricted, &[], false);
        zero.outside.endpoints.insert("hooks".to_owned(), endpoint);
        check(get("https://h/a"), &zero, Some("needs level 1"));
    }

    #[test]
    fn rules_say_what_asks_and_no_rule_asks() {
        let act = Act::of(Operation::HttpRequest {
            endpoint: "hooks".to_owned(),
            method: "POST".to_owned(),
            url: "https://h/a".to_owned(),
            body: String::new(),
            json: false,
            key: None,
        });
        let mut one = grant(Level::Standard, &[], false);
        let endpoint = crate::outside::Endpoint {
            url: "https://h/a".to_owned(),
            key_header: None,
            token: None,
        };
        one.outside.endpoints.insert("hooks".to_owned(), endpoint);
        let check = |grant: &Grant, expected: &str| {
            let got = format!("{:?}", judge(&act, grant));
            assert!(got.starts_with(expected), "{got}");
        };
        check(&one, "Allow");
        for (rule, expected) in [
            (Some(Rule::Ask), "Ask"),
            (Some(Rule::Deny), "Deny"),
            (None, "Ask"),
        ] {
            let rules = rule.map(|rule| ("http.change".to_owned(), rule));
            one.acts = rules.into_iter().collect();
            check(&one, expected);
        }
        // What the level does not allow is not asked about either.
        one.level = Level::Restricted;
        check(&one, "Deny");
    }

    #[test]
    fn a_forged_act_is_denied() {
        let mut act = Act::of(bash());
        act.level = Level::Restricted;
        let one = grant(Level::Standard, &[], false);
        assert!(matches!(judge(&act, &one), Decision::Deny(_)));
        let mut act = Act::of(bash());
        act.argv = vec!["other".into()];
        assert!(matches!(judge(&act, &one), Decision::Deny(_)));
    }

    #[test]
    fn a_leave_is_for_one_act() {
        let one = grant(Level::Standard, &[], false);
        let act = Act::of(write());
        let Decision::Allow(leave) = judge(&act, &one) else {
            panic!("allowed");
        };
        assert!(leave.is_for(&act));
        assert!(!leave.is_for(&Act::of(bash())));
    }
}
