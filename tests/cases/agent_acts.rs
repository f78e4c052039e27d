//! What an agent that was taken over may have done outside: its launcher judges each act by the settings and by the
//! tickets that the warden knows, and has it written down as what it is. Once more without that wall, when each attempt
//! must succeed.

use crate::agent_walls::{Stage, is_root, worked_on};
use serde_json::{Value, json};

fn act(operation: &Value, ticket: Option<&str>, role: &str) -> String {
    let entry = json!({"principal": "ada(1000)", "agent": format!("{role}@web1#7"), "task": "t1", "call": "execute/1/s", "epoch": 1, "level": 0,
        "ticket": "", "tool": "Read", "args_sha256": "", "summary": "reads a file", "stage": "after", "outcome": "ok"});
    let on = json!({"on": "act", "operation": operation, "files": false, "trial": false, "ticket": ticket, "entry": entry});
    let wish =
        json!({"wish": "sandbox", "task": "t1", "on": on, "attachments": false, "trace": null});
    format!("wish:{wish}")
}

fn sql(tool: &str, source: &str) -> Value {
    match tool {
        "sql_query" => {
            json!({"do": tool, "source": source, "statement": "SELECT 1", "params": [], "limit": 1})
        }
        _ => {
            json!({"do": tool, "source": source, "statement": "DELETE FROM t", "params": [], "key": "k"})
        }
    }
}

#[test]
fn nothing_is_done_outside_that_the_rules_and_the_warden_do_not_allow() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let stage = Stage::granted(
        is_root(),
        &format!(
            "sources:\n  shop: {{url: 'sqlite://{}', agents: [code, data, infra, research, qa], write: true}}\nacts: {{sql.change: ask}}\n",
            file.path().display()
        ),
    );
    let task = worked_on(&stage.team);
    assert_eq!(task["short_id"], "t1");
    let own = task["agent"].as_str().expect("a role");
    let take_up = format!(r#"wish:{{"wish":"take_up","task":{}}}"#, task["id"]);
    let tried = |acts: &[String], fault: Option<&str>| {
        let all = [std::slice::from_ref(&take_up), acts].concat();
        let (_, mut told) = stage.tried_as(&["try-as-agent", own], &all, fault);
        assert!(told.remove(0).1, "it has a task");
        told
    };
    let attempts = [
        (
            act(&sql("sql_execute", "shop"), None, own),
            "needs a person's leave",
        ),
        (
            act(&sql("sql_execute", "shop"), Some("a7"), own),
            "no ticket a7",
        ),
    ];
    let wishes = attempts.clone().map(|(wish, _)| wish);
    for (one, (_, words)) in tried(&wishes, None).iter().zip(&attempts) {
        assert!(!one.1 && one.2.contains(words), "{one:?}");
    }
    let told = tried(&wishes, Some("without=one-act"));
    assert!(told.iter().all(|one| one.1), "{told:#?}");
    // Neither what is granted nor who writes is the agent's word.
    let others = [
        act(&sql("sql_query", "till"), None, own),
        act(&sql("sql_query", "shop"), None, "warden"),
    ];
    for (one, words) in tried(&others, None)
        .iter()
        .zip(["`till` is not granted", "as itself alone"])
    {
        assert!(!one.1 && one.2.contains(words), "{one:?}");
    }
    // What is allowed is done, and the record says what it is.
    let told = tried(&[act(&sql("sql_query", "shop"), None, own)], None);
    assert!(told[0].1, "{told:?}");
    let tail = stage
        .team
        .ai(&["audit", "tail", "-n", "1000", "--json"])
        .expect(0);
    let lines: Vec<Value> = tail
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["tool"] == "SqlQuery")
        .collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(
        (&lines[0]["stage"], &lines[0]["level"]),
        (&json!("before"), &json!(1))
    );
    assert!(!lines[0].to_string().contains("reads a file"), "{lines:#?}");
    stage.team.down();
}
