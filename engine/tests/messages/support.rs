//! Servers that end with the test, requests, and reservations from a real Redis.

use bus::budget::Reservation;
use bus::connect::{Bus, BusAddress};
use engine::anthropic::engine::{Anthropic, Patience};
use engine::conversation::{Message, ModelReply, ModelRequest, ToolChoice, ToolSpec};
use engine::engine::{Engine, EngineError};
use protocol::ids::TaskId;
use protocol::money::MicroUsd;
use protocol::prices::{Price, Prices};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child process that ends with the test.
pub struct Server(Child);

impl Server {
    pub fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the server starts"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries until it works, for at most ten seconds.
pub fn wait_until(what: &str, mut works: impl FnMut() -> bool) {
    let start = Instant::now();
    while !works() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{what} did not come up"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One dollar per million tokens in, ten out.
pub fn prices() -> Prices {
    Prices {
        models: vec![Price {
            prefix: "claude".to_owned(),
            input: 1.0,
            cache_write: 1.25,
            cache_read: 0.1,
            output: 10.0,
        }],
    }
}

pub fn engine(base_url: &str) -> Engine {
    engine_with(base_url, Duration::from_secs(20))
}

/// An engine that gives up on silence after `idle`, and pauses for a moment only.
pub fn engine_with(base_url: &str, idle: Duration) -> Engine {
    let patience = Patience {
        connect: Duration::from_secs(5),
        idle,
        first_pause: Duration::from_millis(2),
    };
    let made = Anthropic::with_patience(base_url, "sk-test-secret", prices(), patience);
    Engine::Anthropic(Box::new(made.expect("good settings")))
}

pub fn request(words: &str) -> ModelRequest {
    ModelRequest {
        model: "claude-test".to_owned(),
        system: "be brief".to_owned(),
        messages: vec![Message::user(words)],
        tools: vec![ToolSpec {
            name: "get_weather".to_owned(),
            description: "The weather of a city".to_owned(),
            input_schema: serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}}),
        }],
        tool_choice: ToolChoice::Auto,
        max_tokens: 1000,
    }
}

/// Asks with the estimate reserved; gives the reply and the text that was streamed.
pub async fn ask(
    engine: &Engine,
    request: &ModelRequest,
) -> (Result<ModelReply, EngineError>, String) {
    ask_holding(engine, request, engine.estimate(request)).await
}

/// Asks with another amount reserved.
pub async fn ask_holding(
    engine: &Engine,
    request: &ModelRequest,
    amount: MicroUsd,
) -> (Result<ModelReply, EngineError>, String) {
    let (_redis, reservation) = reserve(amount).await;
    let mut streamed = String::new();
    let mut on_text = |text: &str| streamed.push_str(text);
    let reply = engine.reply(request, &reservation, &mut on_text).await;
    (reply, streamed)
}

/// A reservation, from a Redis of its own.
async fn reserve(amount: MicroUsd) -> ((Server, tempfile::TempDir), Reservation) {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = dir.path().join("redis.sock");
    let mut command = Command::new("redis-server");
    command
        .args([
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "no",
            "--unixsocket",
        ])
        .arg(&socket)
        .arg("--dir")
        .arg(dir.path());
    let server = Server::start(&mut command);
    wait_until("redis-server", || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    });
    let address = BusAddress {
        url: format!("redis+unix://{}", socket.display()),
        username: None,
        password: None,
        ca: None,
    };
    let team = "test".parse().expect("a team name");
    let bus = Bus::connect(&address, &team, Duration::from_secs(10))
        .await
        .expect("the bus connects");
    let cap = MicroUsd(u64::from(u32::MAX));
    bus.month_is("2026-11", MicroUsd(0))
        .await
        .expect("the month is said");
    let reservation = bus
        .reserve(TaskId::new(), amount, cap, cap, "2026-11")
        .await
        .expect("there is budget");
    ((server, dir), reservation)
}

/// Where the mock is: named by the environment, or installed by `scripts/test.sh`.
pub fn aimock() -> Option<PathBuf> {
    let found = std::env::var_os("AI_INFRA_TEST_AIMOCK").map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../target/test-tools/node_modules/.bin/llmock")
        },
        PathBuf::from,
    );
    found.exists().then_some(found)
}
