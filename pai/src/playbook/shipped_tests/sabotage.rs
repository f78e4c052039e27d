//! The criteria as re-measurements: they hold when nothing changed, and each number of a result
//! that is changed behind the agent's back makes one of them fail.

use super::*;

/// Fields that a report shows as they were seen once and that no second run must repeat.
const SEEN_ONCE: &[&str] = &[
    "seconds",
    "command",
    "message",
    "note",
    "observed",
    "cpu_now",
    "first_byte_ms",
    "total_ms",
];

/// What a program came to that ran once: nobody runs it again to see.
const RAN_ONCE: &str = "run-on-host HostRun/";

#[test]
fn an_unchanged_world_proves_everything() {
    for world in [world(), empty()] {
        for playbook in library().playbooks() {
            let params = params_of(&playbook.name);
            let (done, _) = play(&playbook.name, &params, &world);
            assert_eq!(
                unproven(&playbook.name, &params, &done, &world),
                Vec::<String>::new(),
                "{}",
                playbook.name
            );
        }
    }
}

/// Every place in a value where a number, text or truth value lies.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, field)| leaves(field, &format!("{path}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(n, item)| leaves(item, &format!("{path}/{n}"), found)),
        Value::Null => {}
        _ => found.push(path.to_owned()),
    }
}

fn sabotaged(value: &Value) -> Value {
    match value {
        Value::Bool(truth) => Value::Bool(!truth),
        Value::Number(number) => json!(number.as_f64().unwrap() * 3.0 + 7.0),
        Value::String(text) => Value::String(format!("{text}x")),
        other => other.clone(),
    }
}

#[test]
fn whatever_is_forged_in_a_report_is_caught() {
    let world = world();
    let mut missed = Vec::new();
    let mut tried = 0;
    for playbook in library().playbooks() {
        let params = params_of(&playbook.name);
        let (done, report) = play(&playbook.name, &params, &world);
        for at in 0..done.len() {
            let mut places = Vec::new();
            leaves(&done[at].1.data, "", &mut places);
            for place in places {
                let mut forged = done.clone();
                let spot = forged[at].1.data.pointer_mut(&place).unwrap();
                *spot = sabotaged(spot);
                let told = run_of(&playbook.name, &params).report(&forged);
                let differs = told.is_err() || told.unwrap() != report;
                if differs && unproven(&playbook.name, &params, &forged, &world).is_empty() {
                    missed.push(format!("{} {}{place}", playbook.name, done[at].0.name));
                }
                tried += 1;
            }
        }
    }
    let field = |place: &str| {
        place
            .rsplit('/')
            .find(|part| part.parse::<usize>().is_err())
            .unwrap_or_default()
            .to_owned()
    };
    missed.retain(|place| {
        !SEEN_ONCE.contains(&field(place).as_str()) && !place.starts_with(RAN_ONCE)
    });
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_world_that_changed_since_is_caught() {
    let (done, _) = play("run-tests", &nothing(), &world());
    let mended = json!({"Tests": tests(json!([suite("cargo", "", 1202, json!([]), Value::Null), suite("pytest", "tools", 10, json!([]), json!("no module named yaml"))]))});
    assert_eq!(
        unproven("run-tests", &nothing(), &done, &mended),
        ["c1", "c3"]
    );
    assert!(!unproven("run-tests", &nothing(), &done, &empty()).is_empty());
    let (done, _) = play("run-tests", &nothing(), &empty());
    assert!(unproven("run-tests", &nothing(), &done, &world()).contains(&"c4".to_owned()));
}
