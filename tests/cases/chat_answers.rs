//! Plain questions in the chat: answered by the team's model while it speaks, within the budget; what
//! is being typed stays whole, Ctrl-C ends the call, and nothing is begun without a yes.

use crate::AI_INFRA;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tests::model_api::ModelApi;
use tests::processes::wait_until;
use tests::team::Team;
use tests::terminal::Window;

const SETTINGS: &str =
    "team:\n  lease_ms: 1500\nengine:\n  name: anthropic\npressure:\n  enabled: false\n";

fn team(api: &ModelApi, settings: &str) -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA)
        .with_env("ANTHROPIC_API_KEY", "sk-ant-story-0123456789")
        .with_env("ANTHROPIC_BASE_URL", api.url());
    team.configure(settings);
    let shop = team.scratch("shop");
    std::fs::write(shop.join("orders.csv"), "id,total\n1,20\n2,30\n").expect("a file");
    (team, shop)
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn window<'t>(team: &'t Team, shop: &std::path::Path) -> Window<'t> {
    team.ai(&["up"]).expect(0);
    let window = Window::of(team, 0, 80, 24);
    window.until("you ›");
    window.says(&format!("/workspace {}", shop.display()));
    window.until("requests are about");
    window
}

fn tasks(team: &Team) -> usize {
    let listed = team.ai(&["task", "list", "--json"]).expect(0).json();
    listed["tasks"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_question_is_answered_while_it_is_said_and_typing_is_not_disturbed() {
    let answer = "A lease is a **claim** that runs out.\n\nIt is renewed while an agent works, and \
        whoever comes next waits until it is over, so that two never work on one task at the same time.";
    let api = ModelApi::start(Value::Null, vec![text(answer), text("Because it ran out.")]);
    let (team, shop) = team(&api, SETTINGS);
    let window = window(&team, &shop);
    team.run(&shop, "profile orders.csv");
    api.holds();
    window.says("what is a lease?");
    window.until("A lease is a claim that runs out.");
    // The rest did not come yet, and a line is typed meanwhile.
    assert!(!window.shows().contains("at the same time"));
    window.types("and why did it run out?");
    api.goes_on();
    window.until("at the same time.");
    window.until_that("what was typed, whole", |shown| {
        shown.ends_with("you › and why did it run out?")
    });
    assert!(
        window.has_shown().contains("sup › A lease is a claim"),
        "{}",
        window.shows()
    );
    window.until(" · 1000 tokens in, 50 out · claude-sonnet-5");
    window.presses(&["Enter"]);
    window.until("Because it ran out.");
    // It was told how the team stands, what was done, and what was said before; not the key.
    let bodies = api.bodies();
    let told = bodies.last().map(Value::to_string).unwrap_or_default();
    for known in [
        "profile orders.csv",
        "2 rows",
        "what is a lease?",
        "You are the supervisor",
    ] {
        assert!(told.contains(known), "{known}: {told}");
    }
    assert!(!told.contains("sk-ant-story"), "{told}");
    assert_eq!(
        bodies
            .last()
            .map(|b| b["messages"].as_array().map_or(0, Vec::len)),
        Some(3)
    );
    // No task came of it, and it was paid for.
    assert_eq!(tasks(&team), 1);
    let board = team.ai(&["status", "--json"]).expect(0).json();
    assert_eq!(board["running"], 0, "{board:#}");
    team.down();
}

#[test]
fn ctrl_c_stops_an_answer_and_ends_the_call() {
    let answer =
        "First this.\n\nThen a long story that nobody wants to hear to its end, with many words.";
    let api = ModelApi::start(Value::Null, vec![text(answer)]);
    let (team, shop) = team(&api, SETTINGS);
    let window = window(&team, &shop);
    api.holds();
    window.says("what did you do last night?");
    window.until("First this.");
    window.presses(&["C-c"]);
    window.until("stopped; it stays charged");
    assert!(
        wait_until(Duration::from_secs(10), || api.left() == 1),
        "the call was not ended"
    );
    api.goes_on();
    window.says("what is a lease?");
    window.until("First this.");
    window.until("with many words.");
    team.down();
}

#[test]
fn what_an_answer_suggests_is_shown_asked_about_and_only_then_begun() {
    let suggest = json!({"type": "tool_use", "id": "s1", "name": "suggest_task",
        "input": {"request": "profile orders.csv"}});
    let api = ModelApi::start(Value::Null, vec![suggest.clone(), suggest]);
    let (team, shop) = team(&api, SETTINGS);
    let window = window(&team, &shop);
    window.says("how many orders are there?");
    window.until("shall the team do this: \"profile orders.csv\"? yes or no");
    window.says("no");
    window.until("left as it is");
    assert_eq!(tasks(&team), 0);
    window.says("how many orders are there?");
    window.until_that("the question again", |shown| {
        shown.matches("shall the team do this").count() == 2
    });
    window.says("yes");
    window.until_has_shown("data does this by the playbook profile-data");
    window.until_has_shown("criteria proven");
    assert_eq!(tasks(&team), 1);
    team.down();
}

#[test]
fn no_answer_costs_more_than_there_is() {
    let api = ModelApi::start(Value::Null, vec![text("never said")]);
    let settings = format!("{SETTINGS}budget:\n  month_usd: 0.001\n");
    let (team, shop) = team(&api, &settings);
    let window = window(&team, &shop);
    window.says("what is a lease?");
    window.until("budget");
    assert_eq!(api.replies(), 0, "{}", window.shows());
    // Frozen, nothing is paid for.
    team.ai(&["freeze"]).expect(0);
    window.says("what is a lease?");
    window.until("frozen");
    assert_eq!(api.replies(), 0, "{}", window.shows());
    team.down();
}
