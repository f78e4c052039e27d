//! Whether a duty may be done, from what was asked and the rules of this host, read now: the agent's level,
//! the kind's rule, the terms. Pure, and the same whoever asks. An agent's own gate said the same before; here
//! it is said by the one who does it.

use crate::tickets::ticket::Wanted;
use config::operations::Rules;
use protocol::acts::is_personal;
use protocol::approval::Rule;
use protocol::duty::Duty;
use protocol::level::Level;
use protocol::walls::{Removed, Wall};
use serde_json::Value;

/// The word under which a duty stands in an action.
pub const DO: &str = "duty";

/// What an action asks for: the duty, and the key under which it is done once.
///
/// # Errors
/// A sentence, where it is no duty this warden knows.
pub fn duty_of(wanted: &Wanted, walls: Removed) -> Result<(Duty, String), String> {
    let duty = serde_json::from_value(wanted.action["duty"].clone());
    let duty: Duty = duty.map_err(|error| format!("that is no duty: {error}"))?;
    let key = wanted.action["key"].as_str().unwrap_or_default().to_owned();
    let plain = key.len() <= 128 && key.bytes().all(|b| b.is_ascii_alphanumeric());
    match (duty.kind(), plain && !key.is_empty()) {
        (Some(_), false) => Err("a change needs a key of letters and digits".to_owned()),
        (Some(kind), true) if kind != wanted.kind && walls.stands(Wall::Bound) => Err(format!(
            "this is {kind} and was asked for as {}",
            wanted.kind
        )),
        _ => Ok((duty, key)),
    }
}

/// The level that what is asked for needs of an agent; `None` where it is no duty this warden knows.
pub fn duty_level(wanted: &Wanted) -> Option<Level> {
    let duty = serde_json::from_value::<Duty>(wanted.action["duty"].clone()).ok()?;
    Some(duty.level().of_agent())
}

/// Whether an action is a duty at all.
pub fn is_duty(action: &Value) -> bool {
    action["do"] == DO
}

/// Whether it may be done, and whether a person has to say so.
///
/// # Errors
/// A sentence: it may not.
pub fn judge(duty: &Duty, rules: &Rules, walls: Removed) -> Result<Rule, String> {
    let needed = duty.level().of_agent();
    if rules.level < needed && walls.stands(Wall::Level) {
        return Err(format!(
            "{} needs level {needed} and this agent has level {}",
            duty.tool(),
            rules.level
        ));
    }
    rules.terms.allow(duty)?;
    if let Duty::HostRun { run } = duty
        && walls.stands(Wall::Steering)
    {
        run.steers_nothing()?;
    }
    let Some(kind) = duty.kind() else {
        return Ok(Rule::Allow);
    };
    let rule = match rules.acts.rule(kind) {
        Rule::Deny => return Err(format!("the rule `permissions.acts.{kind}` denies it")),
        // Whatever the rules say, and however they came to say it.
        rule if is_personal(kind) => rule.max(Rule::Ask),
        rule => rule,
    };
    match rules.acts.above(kind, duty.count()) {
        Some((Rule::Deny, why)) => Err(why),
        Some(_) => Ok(Rule::Ask),
        None => Ok(rule),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::duty::Verb;
    use protocol::duty::terms::Terms;
    use serde_json::json;

    fn wanted(duty: Value, kind: &str, key: &str) -> Wanted {
        Wanted {
            task: "01".into(),
            short: "t1".into(),
            step: "execute/1/s".into(),
            agent: "infra".into(),
            principal: "ada(1000)".into(),
            level: 2,
            kind: kind.into(),
            action: json!({"do": "duty", "duty": duty, "key": key}),
            undo: None,
            claimed: String::new(),
            foreseen: None,
            above: None,
            seen: None,
        }
    }

    fn rules(level: Level, rule: Option<Rule>) -> Rules {
        let acts = rule.map(|rule| ("service.change".to_owned(), rule));
        Rules {
            level,
            acts: acts.into_iter().collect(),
            terms: Terms {
                services: [("shop".parse().unwrap(), [Verb::Restart].into())].into(),
                ..Terms::default()
            },
        }
    }

    #[test]
    fn level_terms_and_rule_all_have_a_word() {
        let restart = json!({"duty": "service", "unit": "shop", "verb": "restart"});
        let duty = duty_of(&wanted(restart, "service.change", "k"), Removed::default())
            .unwrap()
            .0;
        for (level, rule, expected) in [
            (Level::Elevated, None, Ok(Rule::Ask)),
            (Level::Elevated, Some(Rule::Ask), Ok(Rule::Ask)),
            (Level::Elevated, Some(Rule::Allow), Ok(Rule::Allow)),
            (Level::Elevated, Some(Rule::Deny), Err("denies it")),
            (Level::Standard, Some(Rule::Allow), Err("needs level 2")),
        ] {
            match (
                judge(&duty, &rules(level, rule), Removed::default()),
                expected,
            ) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected),
                (Err(said), Err(words)) => assert!(said.contains(words), "{said}"),
                other => panic!("{other:?}"),
            }
        }
        let ssh = json!({"duty": "service", "unit": "ssh", "verb": "restart"});
        let duty = duty_of(&wanted(ssh, "service.change", "k"), Removed::default())
            .unwrap()
            .0;
        let said = judge(
            &duty,
            &rules(Level::Elevated, Some(Rule::Allow)),
            Removed::default(),
        )
        .unwrap_err();
        assert!(said.contains("not granted"), "{said}");
    }

    #[test]
    fn no_rule_lets_a_program_run_without_a_yes() {
        let run = |env: Value| {
            let duty = json!({"duty": "host_run", "run": {"argv": ["id"], "env": env}});
            serde_json::from_value::<Duty>(duty).unwrap()
        };
        let plain = run(json!({}));
        let mut rules = rules(Level::Elevated, None);
        let said = judge(&plain, &rules, Removed::default()).unwrap_err();
        assert!(said.contains("`permissions.privileged`"), "{said}");
        rules.terms.privileged = true;
        for (rule, expected) in [
            (None, Some(Rule::Ask)),
            (Some(Rule::Allow), Some(Rule::Ask)),
            (Some(Rule::Deny), None),
        ] {
            if let Some(rule) = rule {
                rules.acts.set("host.run", rule);
            }
            let got = judge(&plain, &rules, Removed::default()).ok();
            assert_eq!(got, expected);
        }
        rules.acts.set("host.run", Rule::Ask);
        let said = judge(
            &run(json!({"LD_PRELOAD": "/x"})),
            &rules,
            Removed::default(),
        )
        .unwrap_err();
        assert!(said.contains("LD_PRELOAD"), "{said}");
        rules.level = Level::Standard;
        let said = judge(&plain, &rules, Removed::default()).unwrap_err();
        assert!(said.contains("needs level 2"), "{said}");
    }

    #[test]
    fn a_duty_is_asked_for_as_what_it_is() {
        let restart = json!({"duty": "service", "unit": "shop", "verb": "restart"});
        for (duty, kind, key, words) in [
            (restart.clone(), "service.change", "k1", None),
            (
                restart.clone(),
                "http.change",
                "k1",
                Some("asked for as http.change"),
            ),
            (restart.clone(), "service.change", "", Some("needs a key")),
            (restart, "service.change", "../k", Some("needs a key")),
            (
                json!({"duty": "service", "unit": "../x", "verb": "restart"}),
                "service.change",
                "k",
                Some("no duty"),
            ),
            (
                json!({"duty": "run", "argv": ["sh"]}),
                "service.change",
                "k",
                Some("no duty"),
            ),
            (json!({"duty": "kept_files"}), "", "", None),
        ] {
            let said = duty_of(&wanted(duty, kind, key), Removed::default()).err();
            assert_eq!(said.is_some(), words.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(words.unwrap_or_default()));
        }
    }
}
