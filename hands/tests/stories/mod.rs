//! How an order is given here.

mod certificates;
mod containers;
mod cut_off;
mod files;
mod forged;
mod packages;
mod runs;
mod services;
mod signatures;
mod sites;

use protocol::duty::Duty;
use protocol::duty::names::KeptId;
use protocol::duty::order::{End, ORDER_VERSION, Order, Outcome, Wish};
use protocol::duty::terms::Terms;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

pub const HANDS: &str = env!("CARGO_BIN_EXE_hands-for-tests");

/// Gives orders under terms, and keeps what they keep.
pub struct Warden {
    pub terms: Terms,
    pub kept: tempfile::TempDir,
    pub number: u32,
    /// Words before the program: it may run somewhere else.
    pub before: Vec<String>,
    /// Where the program lies there.
    pub program: String,
}

impl Warden {
    pub fn new(terms: Value) -> Self {
        Self {
            terms: serde_json::from_value(terms).expect("terms"),
            kept: tempfile::tempdir().unwrap(),
            number: 0,
            before: Vec::new(),
            program: HANDS.to_owned(),
        }
    }

    pub fn order(&self, wish: Wish, duty: &Value, before: Value) -> Order {
        Order {
            v: ORDER_VERSION,
            wish,
            duty: serde_json::from_value::<Duty>(duty.clone()).expect("a duty"),
            terms: self.terms.clone(),
            kept: self.kept.path().display().to_string(),
            id: Some(KeptId::of(self.number)),
            before,
            copies: None,
            walls: Default::default(),
        }
    }

    pub fn give(&self, order: &Order) -> Outcome {
        self.say(&serde_json::to_string(order).unwrap())
    }

    /// Whatever is said over the pipe.
    pub fn say(&self, text: &str) -> Outcome {
        let mut words = self.before.clone();
        words.push(self.program.clone());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut input = child.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        let out = child.wait_with_output().unwrap();
        serde_json::from_slice(&out.stdout).expect("an outcome")
    }

    pub fn look(&self, duty: &Value) -> Outcome {
        self.give(&self.order(Wish::Look, duty, Value::Null))
    }

    /// Looks and makes, as the warden does.
    pub fn make(&mut self, duty: &Value) -> Outcome {
        self.number += 1;
        let look = self.look(duty);
        if look.end != End::Done {
            return look;
        }
        self.give(&self.order(Wish::Make, duty, look.before))
    }

    /// What only looks.
    pub fn ask(&self, duty: &Value) -> Outcome {
        self.give(&self.order(Wish::Make, duty, Value::Null))
    }
}

#[track_caller]
pub fn ends(outcome: &Outcome, end: End, words: &str) {
    assert_eq!(outcome.end, end, "{outcome:#?}");
    assert!(outcome.text.contains(words), "{words}: {outcome:#?}");
}

pub fn is_there(program: &str) -> bool {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).exists())
}

#[test]
fn what_is_no_order_does_nothing() {
    let warden =
        Warden::new(json!({"services": {}, "sites": null, "packages": null, "containers": null}));
    ends(&warden.say(""), End::Not, "no order");
    ends(
        &warden.say("{\"v\": 1, \"wish\": \"make\"}"),
        End::Not,
        "no order",
    );
    let duty = json!({"duty": "kept_files"});
    let mut order = warden.order(Wish::Make, &duty, Value::Null);
    ends(&warden.give(&order), End::Not, "not granted");
    order.v = 99;
    ends(&warden.give(&order), End::Not, "another version");
}
