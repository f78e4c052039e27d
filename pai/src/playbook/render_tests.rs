//! Templates, expressions and checks, as tables and with hostile input.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn ctx() -> Value {
    json!({"n": 3, "name": "shop", "list": [1, 2], "nothing": null, "steps": {"a": {"ok": true, "used": 100}}})
}

#[test]
fn templates_are_filled() {
    for (template, expected) in [
        (
            "{{ name }} has {{ n | plural('file') }}",
            Some("shop has 3 files"),
        ),
        ("{% for i in list %}{{ i }},{% endfor %}", Some("1,2,")),
        ("{{ missing }}", None),
        ("{{ steps.b.ok }}", None),
        ("{{ name", None),
        ("{% include \"/etc/passwd\" %}", None),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            None,
        ),
        ("{{ 'x' * 2000000 }}", None),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", None),
    ] {
        assert_eq!(
            render(template, &ctx()).ok().as_deref(),
            expected,
            "{template}"
        );
    }
}

#[test]
fn errors_show_the_line() {
    let error = render("fine\n{{ missing.x }}\n", &ctx())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("{{ missing.x }}") && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn values_keep_their_type() {
    let value = json!({"a": "{{ n }}", "b": "{{ list }}", "c": "n={{ n }}", "d": "{{ nothing }}", "e": [true, "{{ name }}"], "f": null});
    assert_eq!(
        render_value(&value, &ctx()).unwrap(),
        json!({"a": 3, "b": [1, 2], "c": "n=3", "e": [true, "shop"]})
    );
    assert!(render_value(&json!({"a": "{{ missing }}"}), &ctx()).is_err());
}

#[test]
fn expressions_hold_or_not() {
    for (expression, expected) in [
        ("n > 2", Some(true)),
        ("n > 2 and steps.a.ok", Some(true)),
        ("list == [1, 2]", Some(true)),
        ("nothing", Some(false)),
        ("missing", None),
        ("n >", None),
    ] {
        assert_eq!(holds(expression, &ctx()).ok(), expected, "{expression}");
    }
}

#[test]
fn checks_look_at_the_fresh_answer() {
    for (expect, result, expected) in [
        (
            "result.used == steps.a.used",
            json!({"used": 100}),
            Some(true),
        ),
        (
            "result.used == steps.a.used",
            json!({"used": 101}),
            Some(false),
        ),
        (
            "result.used is near(steps.a.used, 0.05)",
            json!({"used": 104}),
            Some(true),
        ),
        (
            "result.used is near(steps.a.used, 0.05)",
            json!({"used": 111}),
            Some(false),
        ),
        (
            "result.l is near(list, 0.1, 10)",
            json!({"l": [2, 3]}),
            Some(true),
        ),
        (
            "result.l is near(list, 0.1, [10, 5])",
            json!({"l": [2, 3]}),
            Some(false),
        ),
        (
            "result.l is near(list, 0.1)",
            json!({"l": [1]}),
            Some(false),
        ),
        ("result.used", json!({"used": 1}), None),
        ("result.used == 1", json!({}), None),
        ("result.used == 1", Value::Null, None),
    ] {
        assert_eq!(
            tool_check_holds(expect, &ctx(), &result).ok(),
            expected,
            "{expect} {result}"
        );
    }
}

#[test]
fn checks_are_filled() {
    let check: Check = serde_json::from_value(json!({"tool": {"name": "Read", "input": {"file_path": "{{ name }}", "limit": "{{ nothing }}"}, "expect": "result.x == '{{'"}})).unwrap();
    let filled = render_check(&check, &ctx()).unwrap();
    let Check::Tool { input, expect, .. } = filled else {
        panic!()
    };
    assert_eq!(input, json!({"file_path": "shop"}));
    assert_eq!(expect, "result.x == '{{'");
    let check: Check =
        serde_json::from_value(json!({"file": {"path": "{{ name }}.md", "contains": "{{ n }}"}}))
            .unwrap();
    let filled = serde_json::to_value(render_check(&check, &ctx()).unwrap()).unwrap();
    assert_eq!(filled["file"]["path"], "shop.md");
    assert_eq!(filled["file"]["contains"], "3");
}

proptest! {
    #[test]
    fn any_template_is_filled_or_refused(template in "[a-z{}%|.()'\\[\\] 0-9-]{0,60}") {
        let _ = render(&template, &ctx());
        let _ = holds(&template, &ctx());
        let _ = render_value(&Value::String(template), &ctx());
    }
}
