//! Layers in, settings or the exact sentence out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod case;

use case::{Case, check_refused, check_value, env, load, user};

#[test]
fn shipped_settings_load_alone() {
    for (key, value) in [
        ("team.name", "main"),
        ("team.lease_ms", "10000"),
        ("team.queue_limit", "100000"),
        ("redis.url", "-"),
        ("redis.password", "-"),
        ("engine.name", "playbook"),
        ("engine.api_key", "-"),
        ("budget.month_usd", "20.0"),
        ("budget.task_usd", "2.0"),
        ("agents.infra.level", "2"),
        ("agents.infra.host_read", "true"),
        ("agents.code.level", "1"),
        ("agents.code.host_read", "false"),
        ("tmux.session", "ai-infrastructure"),
        (
            "tmux.windows",
            "0 supervisor, 1 code, 2 data, 3 infra, 4 research, 5 qa, 6 monitor, 7 logs",
        ),
        ("prices.models.claude-opus-5.cache_write", "6.25"),
    ] {
        check_value(Case::default(), key, (value, "default"));
    }
    let settings = load(Case::default()).unwrap();
    let agents: Vec<&str> = settings.agents.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(agents, ["code", "data", "infra", "research", "qa"]);
    assert!(settings.agents.iter().all(|agent| agent.prompt.len() > 500));
    assert_eq!(settings.prices.of("claude-opus-4-8-x").output, 25.0);
}

#[test]
fn each_layer_covers_the_one_below() {
    let system: &[_] = &[("ai-infra.yaml", "team:\n  lease_ms: 1000\n")];
    let own: &[_] = &[("ai-infra.yaml", "\nteam: {lease_ms: 2000}\n")];
    let vars: &[_] = &[("AI_INFRA__TEAM__LEASE_MS", "3000")];
    let flags: &[_] = &[("team.lease_ms", "4000")];
    let mut case = Case::default();
    check_value(case, "team.lease_ms", ("10000", "default"));
    case.system = system;
    check_value(case, "team.lease_ms", ("1000", "/etc/ai-infra.yaml:2:3"));
    case.user = own;
    check_value(
        case,
        "team.lease_ms",
        ("2000", "/home/config/ai-infra.yaml:2:8"),
    );
    case.env = vars;
    let origin = "environment AI_INFRA__TEAM__LEASE_MS";
    check_value(case, "team.lease_ms", ("3000", origin));
    case.flags = flags;
    check_value(case, "team.lease_ms", ("4000", "flag team.lease_ms"));
    check_value(case, "team.name", ("main", "default"));
}

#[test]
fn well_known_variables_are_keys() {
    let url = "redis.url";
    check_value(
        env(&[("REDIS_URL", "redis://u:p@h:1")]),
        url,
        ("redis://h:1", "environment REDIS_URL"),
    );
    let all: &[_] = &[
        ("REDIS_HOST", "h"),
        ("REDIS_PORT", "7"),
        ("REDIS_PASSWORD", "x"),
    ];
    check_value(env(all), url, ("redis://h:7", "environment REDIS_HOST"));
    check_value(
        env(all),
        "redis.password",
        ("***", "environment REDIS_PASSWORD"),
    );
    check_value(
        env(&[("REDIS_HOST", "::1")]),
        url,
        ("redis://[::1]:6379", "environment REDIS_HOST"),
    );
    check_value(env(&[("REDIS_PASSWORD", "x")]), url, ("-", "default"));
    let ledger = "ledger.url";
    let of = |name: &'static str| format!("environment {name}");
    let all: &[_] = &[
        ("DATABASE_URL", "postgres://a:hidden@h/d"),
        ("POSTGRES_HOST", "other"),
    ];
    check_value(env(all), ledger, ("postgres://a@h/d", &of("DATABASE_URL")));
    check_value(env(all), "ledger.password", ("***", &of("DATABASE_URL")));
    for (all, expected) in [
        (
            &[("POSTGRES_HOST", "h")][..],
            "postgres://postgres@h:5432/postgres",
        ),
        (
            &[
                ("POSTGRES_HOST", "::1"),
                ("POSTGRES_PORT", "7"),
                ("POSTGRES_USER", "a"),
            ],
            "postgres://a@[::1]:7/a",
        ),
        (
            &[("POSTGRES_HOST", "/run/pg"), ("POSTGRES_DB", "d")],
            "postgres://postgres@/d?host=/run/pg&port=5432",
        ),
    ] {
        check_value(env(all), ledger, (expected, &of("POSTGRES_HOST")));
    }
    check_value(env(&[("POSTGRES_USER", "a")]), ledger, ("-", "default"));
    let password = "ledger.password";
    check_value(
        env(&[("POSTGRES_PASSWORD", "x")]),
        password,
        ("-", "environment POSTGRES_PASSWORD"),
    );
    let key: &[_] = &[
        ("ANTHROPIC_API_KEY", "sk-1"),
        ("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/"),
    ];
    check_value(
        env(key),
        "engine.api_key",
        ("***", "environment ANTHROPIC_API_KEY"),
    );
    check_value(env(key), "engine.name", ("anthropic", "default"));
    let origin = "environment ANTHROPIC_BASE_URL";
    check_value(env(key), "engine.base_url", ("http://127.0.0.1:9", origin));
    check_value(
        env(&[
            ("AI_INFRA__AGENTS__CODE__MODEL", "m"),
            ("AI_INFRA__REDIS__URL", ""),
        ]),
        "agents.code.model",
        ("m", "environment AI_INFRA__AGENTS__CODE__MODEL"),
    );
    let settings = load(env(&[("REDIS_URL", "redis://u:p%2f@h")])).unwrap();
    assert_eq!(settings.redis.username.as_deref(), Some("u"));
    assert_eq!(settings.redis.password.unwrap().reveal(), "p/");
}

#[test]
fn what_is_wrong_is_said_exactly() {
    for (text, expected) in [
        (
            "team:\n  name: main\n  leese_ms: 5\n",
            "/home/config/ai-infra.yaml:3:3: unknown key `team.leese_ms`; did you mean `lease_ms`?",
        ),
        (
            "taem: {}\n",
            "/home/config/ai-infra.yaml:1:1: unknown key `taem`; did you mean `team`?",
        ),
        (
            "\n\nteam: {lease_ms: 5}\n",
            "/home/config/ai-infra.yaml:3:8: `team.lease_ms` is 5, must be a whole number from 300 to 600000",
        ),
        (
            "team: {lease_ms: soon}\n",
            "/home/config/ai-infra.yaml:1:8: `team.lease_ms` is `soon`, must be a whole number from 300 to 600000",
        ),
        (
            "team: {name: Main Team}\n",
            "/home/config/ai-infra.yaml:1:8: `team.name` is `Main Team`, must be 1 to 32 characters of a-z, 0-9 and -, starting with a letter",
        ),
        (
            "team: 5\n",
            "/home/config/ai-infra.yaml:1:1: `team` must hold keys, not a value",
        ),
        (
            "- a\n",
            "/home/config/ai-infra.yaml: the file must hold sections",
        ),
        (
            "sandbox: {service_uid: 0}\n",
            "/home/config/ai-infra.yaml:1:11: `sandbox.service_uid` is 0, must be a whole number from 1 to 4294967293",
        ),
        (
            "engine: {api_key: sk-ant-hidden}\n",
            "/home/config/ai-infra.yaml:1:10: `engine.api_key` holds a value of its own, must be {secret: NAME}, with the value kept by `ai-infra secret set NAME`",
        ),
        (
            "engine: {api_key: {secret: mine}}\n",
            "/home/config/ai-infra.yaml:1:10: `engine.api_key` names secret `mine`, which is not kept here: run `ai-infra secret set mine`",
        ),
        (
            "engine: {name: anthropic}\n",
            "/home/config/ai-infra.yaml:1:10: `engine.name` is anthropic, but there is no key: run `ai-infra secret set anthropic-api-key` or set ANTHROPIC_API_KEY",
        ),
        (
            "engine: {name: scripted}\n",
            "/home/config/ai-infra.yaml:1:10: `engine.name` is scripted, which is for tests: set `engine.allow_scripted` to true as well",
        ),
        (
            "redis: {url: \"redis://:hidden@h\"}\n",
            "/home/config/ai-infra.yaml:1:9: `redis.url` holds credentials: write `redis.username`, and `redis.password` as {secret: NAME}",
        ),
        (
            "daemon: {restart_first_ms: 5000, restart_max_ms: 1000}\n",
            "/home/config/ai-infra.yaml:1:10: `daemon.restart_first_ms` is larger than `daemon.restart_max_ms`",
        ),
    ] {
        check_refused(user(&[("ai-infra.yaml", text)]), expected);
    }
}

#[test]
fn wrong_variables_and_flags_are_named() {
    for (name, value, expected) in [
        (
            "DATABASE_URL",
            "postgres://x:hidden@h",
            "`ledger.url` must be postgres://USER@HOST[:PORT]/DATABASE, or postgres://USER@/DATABASE?host=/run/postgresql for a unix socket",
        ),
        (
            "AI_INFRA__TEAM__NAM",
            "x",
            "unknown key `team.nam`; did you mean `name`?",
        ),
        (
            "AI_INFRA__TEAM",
            "x",
            "`team` is a section: name a key in it",
        ),
        (
            "AI_INFRA__SANDBOX__TOOLCHAINS",
            "yes",
            "`sandbox.toolchains` is `yes`, must be true or false",
        ),
        (
            "AI_INFRA__PERMISSIONS__DEFAULTS__LEVEL",
            "2",
            "permissions are only taken from permissions.yaml",
        ),
        (
            "AI_INFRA__TMUX__WINDOWS",
            "x",
            "`tmux.windows` can only be set in tmux/session.yaml",
        ),
        (
            "REDIS_PORT",
            "tcp://10.0.0.1:6379",
            "is `tcp://10.0.0.1:6379`, must be a port from 1 to 65535",
        ),
        (
            "REDIS_HOST",
            "h/x@y",
            "is `h/x@y`, must be a host name or an address",
        ),
        (
            "REDIS_URL",
            "redis://:hidden@h:x",
            "`redis.url` is not a Redis address: use redis://host[:port][/db], rediss://host[:port][/db] or redis+unix:///path",
        ),
    ] {
        check_refused(
            env(&[(name, value)]),
            &format!("environment {name}: {expected}"),
        );
    }
    for (key, expected) in [
        (
            "engine.api_key",
            "`engine.api_key` cannot be given on the command line, where others see it: use `ai-infra secret set`",
        ),
        (
            "xylophone",
            "unknown key `xylophone`; known here: team, redis, ledger, engine, budget, secrets, daemon, sandbox, pressure, log, agents, permissions, backup, notices, tmux, prices",
        ),
    ] {
        let case = Case {
            flags: &[(key, "x")],
            ..Case::default()
        };
        check_refused(case, &format!("flag {key}: {expected}"));
    }
}

#[test]
fn every_problem_is_said_at_once() {
    let case = Case {
        user: &[("ai-infra.yaml", "team: {x: 1, lease_ms: 1}\n")],
        env: &[("DATABASE_URL", "x")],
        ..Case::default()
    };
    let said = load(case).map(|_| ()).unwrap_err();
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    for (text, expected) in [
        ("a: [1\n", "/home/config/ai-infra.yaml"),
        ("a\0b", "/home/config/ai-infra.yaml: is not UTF-8 text"),
    ] {
        let said = load(user(&[("ai-infra.yaml", text)]))
            .map(|_| ())
            .unwrap_err();
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
