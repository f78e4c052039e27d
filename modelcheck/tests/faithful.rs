//! The store in memory against a real redis-server. Random walks through the model, of which every
//! command and script is also carried out by the server, at the same times and under the same ids:
//! each answer and, at the end, every key must be the same. Then single commands, at random.
//!
//! So that the times are the same, the server runs each script behind a few lines that put the
//! model's clock in the place of its own.
#![allow(clippy::unwrap_used, clippy::panic)]

use modelcheck::carrier::{Witness, carry_out};
use modelcheck::state::Left;
use modelcheck::store::{Answer, Bytes, Store};
use modelcheck::team::{Broken, Team};
use proptest::prelude::*;
use protocol::effect::EffectClass::{Contained, Keyed, Once};
use redis::Value;
use stateright::Model;
use std::collections::{BTreeMap, HashMap};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A server of the test's own; ended when dropped.
struct Server {
    folder: tempfile::TempDir,
    child: Child,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "redis.sock", "--save", ""])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("redis-server is installed: apt install redis-server ({e})")
            });
        Self { folder, child }
    }

    fn connect(&self) -> redis::Connection {
        let url = format!("redis+unix://{}/redis.sock", self.folder.path().display());
        let client = redis::Client::open(url).unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            match client.get_connection() {
                Ok(connection) => return connection,
                Err(e) => assert!(Instant::now() < end, "redis-server did not start: {e}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In front of a script for the server: the clock is a key, and ids begin with it.
const CLOCK: &str = "
local real = redis
local redis = setmetatable({}, { __index = real })
local function timed(ask)
  return function(name, ...)
    local at = real.call('GET', 'clock')
    if name == 'TIME' then
      return { string.sub(at, 1, -4), tostring(tonumber(string.sub(at, -3)) * 1000) }
    end
    local words = { ... }
    if name == 'XADD' then
      for i = 2, #words do
        if words[i] == '*' then words[i] = at .. '-*' break end
      end
    end
    return ask(name, unpack(words))
  end
end
redis.call, redis.pcall = timed(real.call), timed(real.pcall)
";

struct Twin {
    server: redis::Connection,
    /// The server's digest of a script, by the bus' own.
    digests: HashMap<String, String>,
    commands: usize,
}

fn sent(server: &mut redis::Connection, words: &[Bytes]) -> Answer {
    let mut command = redis::Cmd::new();
    words.iter().for_each(|word| {
        command.arg(word.as_slice());
    });
    command.query::<Value>(server).map_err(|e| e.to_string())
}

impl Twin {
    fn new(mut server: redis::Connection) -> Self {
        redis::cmd("FLUSHALL").exec(&mut server).unwrap();
        Self {
            server,
            digests: HashMap::new(),
            commands: 0,
        }
    }

    /// What the server says to a command of the bus.
    fn ask(&mut self, now: u64, command: &[Bytes]) -> Answer {
        let mut words = command.to_vec();
        let clock = [b"SET".to_vec(), b"clock".to_vec(), now.to_string().into()];
        sent(&mut self.server, &clock)?;
        if words[0] == b"EVALSHA" {
            let name = String::from_utf8(words[1].clone()).unwrap();
            let Some(text) = modelcheck::lua::text(&name) else {
                return Err("NOSCRIPT".to_owned());
            };
            words[1] = self.digest(name, &text).into_bytes();
        }
        sent(&mut self.server, &words)
    }
}

impl Twin {
    /// The server's digest of a script of the bus, with the clock in front of it.
    fn digest(&mut self, name: String, text: &str) -> String {
        let server = &mut self.server;
        let load = || {
            let (first, rest) = text.split_once('\n').unwrap();
            let text = format!("{first}\n{CLOCK}{rest}");
            redis::cmd("SCRIPT")
                .arg("LOAD")
                .arg(text)
                .query(server)
                .unwrap()
        };
        self.digests.entry(name).or_insert_with(load).clone()
    }
}

impl Witness for Twin {
    fn saw(&mut self, now: u64, command: &[Bytes], answer: &Answer) {
        // A restart is the model's own; what is loaded is loaded when it is called.
        if matches!(command[0].as_slice(), b"INFO" | b"SCRIPT") {
            return;
        }
        if matches!(answer, Err(why) if why.starts_with("NOSCRIPT")) {
            return;
        }
        self.commands += 1;
        let said = self.ask(now, command);
        let shown: Vec<_> = command.iter().map(|w| String::from_utf8_lossy(w)).collect();
        match (answer, &said) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "at {now}: {shown:?}"),
            (Err(_), Err(_)) => {}
            _ => panic!("at {now}: {shown:?}: {answer:?} here, {said:?} there"),
        }
    }
}

/// Every key of the server: what it holds, and whether it expires. Sets and hashes in order.
fn contents(server: &mut redis::Connection) -> BTreeMap<String, (Vec<String>, bool)> {
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query(server).unwrap();
    let mut all = BTreeMap::new();
    for name in names.into_iter().filter(|name| name != "clock") {
        let kind: String = redis::cmd("TYPE").arg(&name).query(server).unwrap();
        let mut ask = redis::Cmd::new();
        match kind.as_str() {
            "string" => ask.arg("GET").arg(&name),
            "hash" => ask.arg("HGETALL").arg(&name),
            "set" => ask.arg("SMEMBERS").arg(&name),
            "zset" => ask
                .arg("ZRANGE")
                .arg(&name)
                .arg(0)
                .arg(-1)
                .arg("WITHSCORES"),
            _ => ask.arg("XRANGE").arg(&name).arg("-").arg("+"),
        };
        let said: Value = ask.query(server).unwrap();
        let ttl: i64 = redis::cmd("PTTL").arg(&name).query(server).unwrap();
        all.insert(name, (lines(&kind, said), ttl > 0));
    }
    all
}

fn lines(kind: &str, said: Value) -> Vec<String> {
    let Value::Array(values) = said else {
        return vec![format!("{said:?}")];
    };
    let width = if kind == "hash" || kind == "zset" {
        2
    } else {
        1
    };
    let mut lines: Vec<String> = values.chunks(width).map(|row| format!("{row:?}")).collect();
    if kind == "hash" || kind == "set" {
        lines.sort();
    }
    lines
}

/// The same of the store.
fn held(store: &Store) -> BTreeMap<String, (Vec<String>, bool)> {
    let mut copy = store.clone();
    let mut all = BTreeMap::new();
    for (key, slot) in store.contents() {
        let name = String::from_utf8_lossy(key).into_owned();
        let mut ask = |words: &[&str]| {
            let words: Vec<Bytes> = words.iter().map(|w| w.as_bytes().to_vec()).collect();
            copy.command(&words).unwrap()
        };
        let Value::SimpleString(kind) = ask(&["TYPE", &name]) else {
            panic!("{name} has no kind");
        };
        let said = match kind.as_str() {
            "string" => ask(&["GET", &name]),
            "hash" => ask(&["HGETALL", &name]),
            "set" => ask(&["SMEMBERS", &name]),
            "zset" => ask(&["ZRANGE", &name, "0", "-1", "WITHSCORES"]),
            _ => ask(&["XRANGE", &name, "-", "+"]),
        };
        all.insert(name, (lines(&kind, said), slot.until.is_some()));
    }
    all
}

#[test]
fn walks_through_the_model_are_the_same_in_a_real_redis() {
    let server = Server::start();
    let sum = Arc::new(Mutex::new(0));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let choices = proptest::collection::vec(any::<u16>(), 40..120);
    let walked = runner.run(&choices, |choices| {
        let twin = Arc::new(Mutex::new(Twin::new(server.connect())));
        let classes = [Once, Contained, Keyed];
        let team = Team::new(&classes, 3, Left::any(5), Broken::default())
            .unwrap()
            .watched(twin.clone());
        let mut state = team.first();
        for choice in &choices {
            let mut moves = Vec::new();
            team.actions(&state, &mut moves);
            let Some(what) = moves.get(usize::from(*choice) % moves.len().max(1)) else {
                break;
            };
            // What the store itself does to a stream (the out stream's reader) the server hears of.
            let before = state.store.clone();
            state = team.take(&state, *what);
            gone(&before, &state.store, &mut twin.lock().unwrap().server);
        }
        let mut twin = twin.lock().unwrap();
        let here = held(&state.store);
        assert_eq!(here, contents(&mut twin.server));
        *sum.lock().unwrap() += twin.commands;
        Ok(())
    });
    walked.unwrap();
    let commands = *sum.lock().unwrap();
    println!("{commands} commands and scripts were the same");
    assert!(commands > 800, "{commands}");
}

/// Entries that left a stream without a command, and keys whose time was over.
fn gone(before: &Store, after: &Store, server: &mut redis::Connection) {
    for (key, _) in before.contents() {
        let name = String::from_utf8_lossy(key).into_owned();
        if after.content(&name).is_none() {
            redis::cmd("DEL").arg(&name).exec(server).unwrap();
        }
        let (Some(old), Some(new)) = (before.stream(&name), after.stream(&name)) else {
            continue;
        };
        for id in old
            .entries
            .keys()
            .filter(|id| !new.entries.contains_key(id))
        {
            let id = format!("{}-{}", id.0, id.1);
            redis::cmd("XDEL").arg(&name).arg(id).exec(server).unwrap();
        }
    }
}

fn word(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(choices).prop_map(str::to_owned)
}

/// A command on few keys of fixed kinds, so that commands meet.
fn any_command() -> impl Strategy<Value = Vec<String>> {
    let field = || word(&["a", "b", "c"]);
    let number = || word(&["0", "1", "2", "5", "-1", "10"]);
    let bound = || word(&["-inf", "+inf", "0", "2", "(2", "5"]);
    let id = || word(&["1-0", "1-1", "2-0", "3-5", "5-0", "9-9"]);
    let from = || word(&["-", "1-0", "(1-1", "2", "3-5", "+"]);
    prop_oneof![
        (word(&["HGET", "HEXISTS", "HDEL"]), field()).prop_map(|(c, f)| vec![c, "h".into(), f]),
        (field(), number()).prop_map(|(f, v)| vec!["HSET".into(), "h".into(), f, v]),
        (field(), number()).prop_map(|(f, v)| vec!["HINCRBY".into(), "h".into(), f, v]),
        (field(), field()).prop_map(|(f, g)| vec!["HMGET".into(), "h".into(), f, g]),
        word(&["HLEN", "DEL", "TYPE", "EXISTS"]).prop_map(|c| vec![c, "h".into()]),
        (field(), number()).prop_map(|(f, n)| vec!["ZADD".into(), "z".into(), n, f]),
        (word(&["NX", "XX", "GT"]), field(), number()).prop_map(|(o, f, n)| vec![
            "ZADD".into(),
            "z".into(),
            o,
            n,
            f
        ]),
        (word(&["ZREM", "ZSCORE"]), field()).prop_map(|(c, f)| vec![c, "z".into(), f]),
        (number(), number()).prop_map(|(a, b)| vec![
            "ZRANGE".into(),
            "z".into(),
            a,
            b,
            "WITHSCORES".into()
        ]),
        (bound(), bound(), number()).prop_map(|(a, b, n)| {
            ["ZRANGEBYSCORE", "z", &a, &b, "WITHSCORES", "LIMIT", "0", &n]
                .map(str::to_owned)
                .into()
        }),
        word(&["ZCARD", "DEL"]).prop_map(|c| vec![c, "z".into()]),
        (id(), field()).prop_map(|(i, f)| vec!["XADD".into(), "s".into(), i, f, "v".into()]),
        (word(&["3-*", "9-*"]), field()).prop_map(|(i, f)| [
            "XADD", "s", "MAXLEN", "2", &i, &f, "v"
        ]
        .map(str::to_owned)
        .into()),
        id().prop_map(|i| vec!["XDEL".into(), "s".into(), i]),
        id().prop_map(|i| vec!["XACK".into(), "s".into(), "g".into(), i]),
        (from(), from()).prop_map(|(a, b)| vec!["XRANGE".into(), "s".into(), a, b]),
        (from(), from()).prop_map(|(a, b)| ["XREVRANGE", "s", &a, &b, "COUNT", "2"]
            .map(str::to_owned)
            .into()),
        word(&["XLEN", "TYPE"]).prop_map(|c| vec![c, "s".into()]),
        word(&["0", "$", "2-0"]).prop_map(|f| ["XGROUP", "CREATE", "s", "g", &f, "MKSTREAM"]
            .map(str::to_owned)
            .into()),
        (word(&["c", "d"]), word(&[">", ">", "0", "2-0"])).prop_map(|(c, f)| {
            [
                "XREADGROUP",
                "GROUP",
                "g",
                &c,
                "COUNT",
                "2",
                "STREAMS",
                "s",
                &f,
            ]
            .map(str::to_owned)
            .into()
        }),
        word(&["c", "d"]).prop_map(|c| {
            [
                "XREADGROUP",
                "GROUP",
                "g",
                &c,
                "COUNT",
                "2",
                "NOACK",
                "STREAMS",
                "s",
                ">",
            ]
            .map(str::to_owned)
            .into()
        }),
        Just(vec!["XPENDING".into(), "s".into(), "g".into()]),
        (word(&["SADD", "SREM", "SISMEMBER"]), field()).prop_map(|(c, f)| vec![c, "m".into(), f]),
        (word(&["SET", "GET"]), field()).prop_map(|(c, v)| match c.as_str() {
            "GET" => vec![c, "k".into()],
            _ => vec![c, "k".into(), v],
        }),
        word(&["NX", "XX"]).prop_map(|o| vec!["SET".into(), "k".into(), "x".into(), o]),
        word(&["INCR", "DEL", "EXISTS"]).prop_map(|c| vec![c, "n".into()]),
        word(&["h", "z", "nothing"]).prop_map(|k| vec!["PEXPIRE".into(), k, "900000".into()]),
        Just(vec!["MGET".into(), "k".into(), "n".into(), "h".into()]),
        Just(vec!["RENAME".into(), "k".into(), "n".into()]),
        // Of another kind than the key.
        word(&["HGET", "ZSCORE", "SISMEMBER"]).prop_map(|c| vec![c, "s".into(), "a".into()]),
    ]
}

#[test]
fn single_commands_are_answered_as_a_real_redis_does() {
    let server = Server::start();
    let mut connection = server.connect();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let connection = std::cell::RefCell::new(&mut connection);
    let compared = runner.run(
        &proptest::collection::vec(any_command(), 1..60),
        |commands| {
            let mut connection = connection.borrow_mut();
            redis::cmd("FLUSHALL").exec(&mut **connection).unwrap();
            let mut store = Store::at(1_000_000_000_000);
            for command in &commands {
                let words: Vec<Bytes> = command.iter().map(|w| w.as_bytes().to_vec()).collect();
                let ours = carry_out(&mut store, &words);
                let theirs = sent(&mut connection, &words);
                match (&ours, &theirs) {
                    (Ok(ours), Ok(theirs)) => {
                        assert_eq!(ours, theirs, "{command:?} of {commands:?}")
                    }
                    (Err(why), Err(_)) => assert!(!why.contains("model's store"), "{why}"),
                    _ => panic!("{command:?} of {commands:?}: {ours:?} here, {theirs:?} there"),
                }
            }
            assert_eq!(held(&store), contents(&mut connection));
            Ok(())
        },
    );
    compared.unwrap();
}
