//! The table of keys: what is found, hinted at, read and refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

#[test]
fn paths_are_found_or_hinted_at() {
    for (path, expected) in [
        ("team.lease_ms", "key"),
        ("agents.my-agent.level", "key"),
        ("team", "section"),
        ("prices.models.x", "section"),
        ("team.leese_ms", "; did you mean `lease_ms`?"),
        ("taem", "; did you mean `team`?"),
        (
            "agents.code.zzz",
            "; known here: level, tools, model, description, host_read",
        ),
        ("team.name.first", ""),
    ] {
        let parts: Vec<&str> = path.split('.').collect();
        let found = match find(&parts) {
            Found::Key(_) => "key".to_owned(),
            Found::Section => "section".to_owned(),
            Found::Nothing(hint) => hint,
        };
        assert_eq!(found, expected, "{path}");
    }
}

#[test]
fn text_is_read_by_kind() {
    for (kind, text, expected) in [
        (Kind::Whole(300, 600_000), "500", Ok(json!(500))),
        (
            Kind::Whole(300, 600_000),
            "5",
            Err("is 5, must be a whole number from 300 to 600000"),
        ),
        (
            Kind::Whole(0, 9),
            "-1",
            Err("is `-1`, must be a whole number from 0 to 9"),
        ),
        (
            Kind::Whole(0, 9),
            "2.5",
            Err("is `2.5`, must be a whole number from 0 to 9"),
        ),
        (Kind::Number(0.0, 5.0), "2", Ok(json!(2.0))),
        (
            Kind::Number(0.0, 5.0),
            "NaN",
            Err("is `NaN`, must be a number from 0 to 5"),
        ),
        (Kind::Flag, "1", Ok(json!(true))),
        (Kind::Flag, "yes", Err("is `yes`, must be true or false")),
        (Kind::Text, "500", Ok(json!("500"))),
        (Kind::Text, "", Err("is ``, must be text")),
        (Kind::OptionalText, "", Ok(Value::Null)),
        (Kind::Names, "Read, Grep", Ok(json!(["Read", "Grep"]))),
        (
            Kind::Choice(&["a", "b"]),
            "c",
            Err("is `c`, must be one of a, b"),
        ),
        (Kind::Choice(&["on", "off"]), "off", Ok(json!("off"))),
        (
            Kind::WebUrl,
            "http://127.0.0.1:9/",
            Ok(json!("http://127.0.0.1:9")),
        ),
        (
            Kind::WebUrl,
            "ftp://x",
            Err("is `ftp://x`, must be a URL like https://host, without credentials"),
        ),
    ] {
        assert_eq!(
            kind.read(text),
            expected.map_err(str::to_owned),
            "{kind:?} {text}"
        );
    }
}

#[test]
fn values_of_secrets_are_never_quoted() {
    for value in [
        json!("sk-hidden"),
        json!({"plain": "sk-hidden"}),
        json!(["sk-hidden"]),
    ] {
        assert!(!Kind::Secret.check(value).unwrap_err().contains("hidden"));
    }
    assert!(Kind::Secret.check(json!({"secret": "a-b"})).is_ok());
    assert!(Kind::Secret.check(json!({"secret": "../x"})).is_err());
}
