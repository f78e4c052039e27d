//! A task that is cancelled ends the program that runs for it on the host, with all that it started, whoever holds the task or
//! nobody; and nobody else's word ends it.

use crate::duty_stage::record_of;
use crate::privileged_stage::Runs;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use tests::leave::{PATIENCE, PIN};
use tests::processes::{self, wait_until};

/// A second, and one for a machine that does other things.
const SOON: Duration = Duration::from_secs(2);
/// How the record says it.
const ENDED: &str = "HostRun after ended: its task was cancelled or is over";
/// A program that does not end by itself, nor by a word, and one that left its session.
const LONG: &str =
    "echo so far; (setsid sleep 300 & echo $! > deep); trap : TERM; sleep 300; sleep 300";

/// Waits for the number of a process that a program wrote down.
fn deep(runs: &Runs, name: &str) -> u32 {
    assert!(wait_until(PATIENCE, || runs.read(name).ends_with('\n')));
    let deep = runs.read(name).trim().parse().expect("a number");
    assert!(processes::alive(deep));
    deep
}

/// The warden's lines about programs, once there are as many.
fn record(runs: &Runs, lines: usize) -> Vec<String> {
    let all = wait_until(PATIENCE, || record_of(&runs.stage.team).len() >= lines);
    let seen = record_of(&runs.stage.team);
    assert!(all, "{seen:?}");
    seen
}

/// What an agent of a role says to the warden on a connection of its own, and hears.
fn says_as(runs: &Runs, role: &str, line: &Value) -> String {
    let socket = runs.stage.team.home().join("run/warden.sock");
    let mut agent = BufReader::new(UnixStream::connect(socket).expect("a socket"));
    let mut said = String::new();
    for line in [&json!({"v": 1, "ask": "for", "role": role}), line] {
        writeln!(agent.get_mut(), "{line}").expect("it reads");
        said.clear();
        agent.read_line(&mut said).expect("it answers");
    }
    said
}

fn word(task: &str, agent: &str, epoch: u64) -> Value {
    json!({"v": 1, "ask": "end_run", "task": task, "agent": agent, "epoch": epoch})
}

#[test]
fn cancelling_a_task_ends_its_program_with_all_that_it_started_and_says_so() {
    let runs = Runs::new();
    let stage = &runs.stage;
    let task = runs.at_work(LONG);
    let deep = deep(&runs, "deep");
    stage.team.ai(&["task", "cancel", &task]).expect(0);
    let began = Instant::now();
    assert!(
        wait_until(SOON, || !processes::alive(deep)),
        "{:?}",
        began.elapsed()
    );
    stage.comes_to(&task, "cancelled");
    let result = stage.task(&task)["document"]["result"].to_string();
    for words in [
        "run sh -c",
        "it was told to stop (its task was cancelled or is over): after",
        "it and all it had started was ended; nothing is put back",
        "so far",
    ] {
        assert!(result.contains(words), "{words}: {result}");
    }
    let page = stage.team.ai(&["task", "show", &task]).expect(0).stdout;
    assert!(
        page.contains("cancelled") && page.contains("it was told to stop"),
        "{page}"
    );
    assert_eq!(record(&runs, 2), ["HostRun before ", ENDED]);
    // The agent's own line is ended too.
    let tail = ["audit", "tail", "--lines", "50", "--json"];
    let tail = stage.team.ai(&tail).expect(0).stdout;
    let own = |line: &&str| line.contains("\"agent\":\"infra@") && line.contains("\"HostRun\"");
    let own: Vec<&str> = tail.lines().filter(own).collect();
    assert!(
        own.iter()
            .any(|line| line.contains("\"ended: the task was cancelled\"")),
        "{own:#?}"
    );
    // Asked for once more under its key, it is told the end it had.
    let id = own
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|line| {
            line["ticket"]
                .as_str()
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
        });
    let id = id.expect("its ticket");
    let ticket = stage.forged("warden.sock", &json!({"v": 1, "ask": "ticket", "id": id}));
    let ticket: Value = serde_json::from_str(&ticket).expect("JSON");
    let again = json!({"v": 1, "ask": "operate", "wanted": ticket["ticket"]["wanted"]});
    let again = stage.forged("warden.sock", &again);
    assert!(again.contains("it was told to stop"), "{again}");
    assert_eq!((runs.read("count").as_str(), runs.copies()), ("once\n", 0));
    runs.ends();
}

#[test]
fn a_dead_or_restarted_agent_ends_nothing_and_whoever_goes_on_hears_of_the_cancel() {
    for dies in [true, false] {
        let runs = Runs::new();
        let stage = &runs.stage;
        let task = runs.at_work(LONG);
        let deep = deep(&runs, "deep");
        let holders = |task: &str| {
            let page = stage.task(task);
            page["attempts"].as_array().map_or(0, Vec::len)
        };
        let before = holders(&task);
        match dies {
            true => processes::send(stage.team.pid("infra"), Signal::SIGKILL),
            false => drop(stage.team.ai(&["agents", "restart", "infra"]).expect(0)),
        }
        let patience = if dies { PATIENCE } else { SOON };
        let goes_on = wait_until(patience, || holders(&task) > before);
        assert!(goes_on || !dies, "{:#}", stage.task(&task));
        std::thread::sleep(SOON);
        assert!(processes::alive(deep), "{dies}");
        assert_eq!(record(&runs, 1), ["HostRun before "], "{dies}");
        stage.team.ai(&["task", "cancel", &task]).expect(0);
        assert!(wait_until(SOON, || !processes::alive(deep)), "{dies}");
        stage.comes_to(&task, "cancelled");
        let result = stage.task(&task)["document"]["result"].to_string();
        assert!(result.contains("it was told to stop"), "{result}");
        assert_eq!(record(&runs, 2), ["HostRun before ", ENDED], "{dies}");
        assert_eq!((runs.read("count").as_str(), runs.copies()), ("once\n", 0));
        runs.ends();
    }
}

#[test]
fn a_program_ends_when_its_agent_hangs_or_is_dead_and_paused() {
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        let runs = Runs::new();
        let stage = &runs.stage;
        let task = runs.at_work(LONG);
        let deep = deep(&runs, "deep");
        // Nobody of its role goes on with it.
        stage.team.ai(&["agents", "pause", "infra"]).expect(0);
        let agent = stage.team.pid("infra");
        processes::send(agent, signal);
        std::thread::sleep(SOON);
        assert!(processes::alive(deep), "{signal}");
        stage.team.ai(&["task", "cancel", &task]).expect(0);
        assert!(wait_until(SOON * 2, || !processes::alive(deep)), "{signal}");
        assert_eq!(record(&runs, 2), ["HostRun before ", ENDED], "{signal}");
        if signal == Signal::SIGSTOP {
            processes::send(agent, Signal::SIGCONT);
            stage.comes_to(&task, "cancelled");
            let result = stage.task(&task)["document"]["result"].to_string();
            assert!(result.contains("it was told to stop"), "{result}");
        }
        stage.team.ai(&["agents", "resume", "infra"]).expect(0);
        std::thread::sleep(SOON);
        assert_eq!((runs.read("count").as_str(), runs.copies()), ("once\n", 0));
        runs.ends();
    }
}

/// A task that waits for leave to run a program: its uuid.
fn waiting(runs: &Runs) -> String {
    let task = runs.begin("id");
    let page = runs.stage.task(&task);
    page["task"]["id"].as_str().expect("an id").to_owned()
}

/// Another program that a person let run for a task: what to ask for it.
fn allowed(runs: &Runs, task: &str, key: &str, line: &str) -> Value {
    let stage = &runs.stage;
    let line = format!("cd {} && {line}", stage.work.display());
    let wanted = json!({"task": task, "short": task, "step": "s", "agent": "infra", "principal": "x", "level": 3,
        "kind": "host.run", "undo": null, "claimed": "",
        "action": {"do": "duty", "key": key, "duty": {"duty": "host_run", "run": {"argv": ["sh", "-c", line]}}}});
    let say = |line: Value| {
        let said = stage.forged("warden.sock", &line);
        serde_json::from_str::<Value>(&said).expect("JSON")
    };
    let asked = say(json!({"v": 1, "ask": "request", "wanted": wanted}));
    let (id, mark) = (&asked["ticket"]["id"], &asked["mark"]);
    say(
        json!({"v": 1, "ask": "answer", "id": id, "mark": mark, "yes": true, "for_task": false, "because": "", "pin": PIN}),
    );
    let used = say(json!({"v": 1, "ask": "burn", "id": id, "wanted": wanted}));
    assert_eq!(used["ticket"]["state"], "used", "{used:#}");
    wanted
}

#[test]
fn nobody_elses_word_ends_it_and_what_waits_for_its_turn_is_not_begun() {
    let runs = Runs::new();
    let line = |name: &str| format!("echo $$ > {name}; sleep 300");
    let [one, two, three] = [(); 3].map(|()| waiting(&runs));
    let first = allowed(&runs, &one, "firstk", &line("first"));
    let second = allowed(&runs, &two, "secondk", &line("second"));
    let third = allowed(&runs, &three, "thirdk", &line("third"));
    let operate = |wanted: &Value, epoch: u64| {
        let line = json!({"v": 1, "ask": "operate", "wanted": wanted, "epoch": epoch});
        says_as(&runs, "infra", &line)
    };
    std::thread::scope(|scope| {
        let runs_now = scope.spawn(|| operate(&first, 3));
        let pid = deep(&runs, "first");
        let waits = scope.spawn(|| operate(&second, 3));
        let both = json!({"v": 1, "ask": "runs"});
        assert!(wait_until(PATIENCE, || {
            let said = runs.stage.forged("warden.sock", &both);
            said.contains(&one) && said.contains(&two)
        }));
        // A ticket of another role for this very task, with the number of a task that nobody knows, and a program that its level
        // does not allow.
        let mut of_code = first.clone();
        of_code["agent"] = json!("code");
        let asked = says_as(
            &runs,
            "code",
            &json!({"v": 1, "ask": "request", "wanted": {
            "task": one, "short": "t999", "step": "x", "agent": "code", "principal": "x", "level": 1, "kind": "http.change",
            "undo": null, "claimed": "", "action": {"do": "http_request", "method": "POST", "url": "https://h"}}}),
        );
        assert!(asked.contains("requested"), "{asked}");
        of_code["task"] = json!("x".repeat(64));
        let line = json!({"v": 1, "ask": "operate", "wanted": of_code, "epoch": 9});
        let said = says_as(&runs, "code", &line);
        assert!(said.contains("needs level 2"), "{said}");
        of_code["task"] = json!("x".repeat(65));
        let line = json!({"v": 1, "ask": "operate", "wanted": of_code, "epoch": 9});
        let said = says_as(&runs, "code", &line);
        assert!(said.contains("at most 64 bytes"), "{said}");
        for (role, line, words) in [
            ("code", word(&one, "infra", 9), "cannot speak as infra"),
            ("code", word(&one, "code", 9), "done"),
            ("infra", word("another", "infra", 9), "done"),
            ("infra", word(&one, "infra", 2), "done"),
            ("infra", both.clone(), "that is for people"),
            (
                "infra",
                json!({"v": 1, "ask": "cancel", "task": one}),
                "that is for people",
            ),
        ] {
            let said = says_as(&runs, role, &line);
            assert!(said.contains(words), "{line}: {said}");
        }
        std::thread::sleep(SOON);
        assert!(processes::alive(pid) && !runs_now.is_finished() && !waits.is_finished());
        // The one that waits for its turn is not begun, and one whose word came before it is not either.
        let said = says_as(&runs, "infra", &word(&two, "infra", 3));
        assert!(said.contains("\"done\""), "{said}");
        let said = waits.join().expect("an answer");
        assert!(said.contains("it was not begun"), "{said}");
        says_as(&runs, "infra", &word(&three, "infra", 3));
        let said = operate(&third, 3);
        assert!(said.contains("it was not begun"), "{said}");
        assert!(processes::alive(pid));
        // Its own role's word, under a later claim.
        let said = says_as(&runs, "infra", &word(&one, "infra", 4));
        assert!(said.contains("\"over\":true"), "{said}");
        assert!(!processes::alive(pid));
        let said = runs_now.join().expect("an answer");
        assert!(said.contains("it was told to stop"), "{said}");
    });
    // Said again, of what ended: that end, where its key is named.
    let mut again = word(&one, "infra", 4);
    again["key"] = json!("firstk");
    assert!(says_as(&runs, "infra", &again).contains("\"over\":true"));
    assert!(!says_as(&runs, "code", &word(&one, "code", 4)).contains("over"));
    assert_eq!(record(&runs, 2), ["HostRun before ", ENDED]);
    assert_eq!(
        (runs.read("second"), runs.read("third")),
        Default::default()
    );
    runs.ends();
}
