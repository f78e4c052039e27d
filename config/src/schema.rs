//! The table of every key: what kind of value it takes, in which range, and what it means. What
//! is not in this table is refused.

use crate::error::{did_you_mean, quoted};
use crate::settings::WindowSpec;
use crate::texts::{has_password, is_text, is_web_url};
use crate::{redis_url, secret};
use protocol::postgres::{self, Address};
use serde_json::{Value, json};

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Text of 1 to 4096 characters without control characters.
    Text,
    /// The same, or nothing.
    OptionalText,
    /// A team's name.
    TeamName,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number in a range, both ends included.
    Whole(u64, u64),
    /// A number in a range, both ends included.
    Number(f64, f64),
    /// `true` or `false`.
    Flag,
    /// A list of names.
    Names,
    /// `http://` or `https://`.
    WebUrl,
    /// A Redis address without credentials, or nothing.
    RedisUrl,
    /// A PostgreSQL address without a password, or nothing.
    PostgresUrl,
    /// The address of a database, or `{secret: NAME}`.
    DatabaseUrl,
    /// `{secret: NAME}`, or nothing. The environment gives the value itself.
    Secret,
    /// The windows of the tmux session.
    Windows,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its path; `*` stands for any name.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it means, one line.
    pub about: &'static str,
}

const fn key(path: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { path, kind, about }
}

/// Every key.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("team.name", Kind::TeamName, "name of the team; teams that share a Redis need different ones"),
    key("team.lease_ms", Kind::Whole(300, 600_000), "how long a claim holds without renewal, in milliseconds"),
    key("team.queue_limit", Kind::Whole(1, 10_000_000), "most tasks that may wait"),
    key("team.min_free_mb", Kind::Whole(0, 1_000_000_000), "no task is started while less is free where the home is, in MB"),
    key("team.keep_days", Kind::Whole(0, 36_500), "clones of ended tasks, caches and blobs that nothing needs are let go after so many days; 0 = never"),
    key("team.keep_mb", Kind::Whole(0, 1_000_000_000), "above this many MB of clones and caches the oldest are let go; 0 = no bound"),
    key("team.attach_mb", Kind::Whole(1, 64), "largest file that may be attached to a request, in MiB"),
    key("redis.url", Kind::RedisUrl, "a Redis of your own: redis://, rediss:// or redis+unix:///path; without one the team runs its own"),
    key("redis.username", Kind::OptionalText, "user name at that Redis"),
    key("redis.password", Kind::Secret, "password at that Redis"),
    key("redis.maxmemory_mb", Kind::Whole(8, 1_048_576), "most memory of the team's own Redis, in MiB; when it is used up nothing new is begun"),
    key("redis.ca", Kind::OptionalText, "file of the certificates (PEM) that may sign that Redis' own; the system's otherwise"),
    key("redis.listen.address", Kind::OptionalText, "address of this host at which the team's own Redis listens for other hosts, TLS only; none = it does not"),
    key("redis.listen.port", Kind::Whole(1, 65_535), "its port"),
    key("ledger.url", Kind::PostgresUrl, "a PostgreSQL database for the ledger: postgres://user@host/database or {secret: NAME}; without one it is a file of the home"),
    key("ledger.password", Kind::Secret, "the user's password there; without one, ~/.pgpass or PGPASSFILE"),
    key("engine.name", Kind::Choice(&["auto", "playbook", "anthropic", "scripted"]), "who thinks; auto is anthropic when a key is found, else playbook"),
    key("engine.model", Kind::Text, "the model, where an agent names none"),
    key("engine.base_url", Kind::WebUrl, "where the Messages API is"),
    key("engine.api_key", Kind::Secret, "the API key"),
    key("engine.max_tokens", Kind::Whole(256, 128_000), "most tokens of one reply"),
    key("engine.retries", Kind::Whole(0, 20), "how often a task waits and tries again while the model is overloaded or away; 0 = it fails at once"),
    key("engine.retry_first_ms", Kind::Whole(100, 3_600_000), "the first such wait, in milliseconds; each further one is three times as long, an hour at most"),
    key("engine.allow_scripted", Kind::Flag, "whether a request may bring a script of replies; for tests"),
    key("budget.month_usd", Kind::Number(0.0, 1_000_000.0), "most a calendar month may cost, in US dollars"),
    key("budget.task_usd", Kind::Number(0.0, 100_000.0), "most a task may cost, in US dollars"),
    key("secrets.source", Kind::Choice(&["home", "aws"]), "where secrets are looked for besides the environment"),
    key("secrets.prefix", Kind::Text, "what stands before the name of every secret in AWS Secrets Manager"),
    key("secrets.region", Kind::OptionalText, "region of AWS Secrets Manager; none = as the AWS tools find it"),
    key("secrets.every_s", Kind::Whole(1, 86_400), "AWS Secrets Manager is asked again after so many seconds"),
    key("daemon.restart_first_ms", Kind::Whole(10, 600_000), "first pause before a restart, in milliseconds; doubled each time"),
    key("daemon.restart_max_ms", Kind::Whole(10, 3_600_000), "longest pause before a restart, in milliseconds"),
    key("daemon.crash_limit", Kind::Whole(1, 1000), "this many ends within the window are a crash loop"),
    key("daemon.crash_window_s", Kind::Whole(1, 86_400), "the window, in seconds"),
    key("sandbox.service_uid", Kind::Whole(1, 4_294_967_293), "uid that works on what root owns"),
    key("sandbox.memory_mb", Kind::Whole(64, 4_194_304), "most memory of one program in a sandbox, in MiB; all of them together, where control groups can be used: as much, or half of the machine's where that is more, and three quarters of it at most"),
    key("sandbox.processes", Kind::Whole(8, 1_000_000), "most processes in one sandbox"),
    key("sandbox.file_mb", Kind::Whole(1, 16_777_216), "largest file written in one sandbox, in MiB"),
    key("sandbox.toolchains", Kind::Flag, "whether toolchains in the home of a person are shown, read-only"),
    key("pressure.enabled", Kind::Flag, "whether a busy host is given only urgent tasks to begin"),
    key("pressure.load_per_core", Kind::Number(0.0, 1000.0), "load over a minute, for each core, above which that is so; 0 = not looked at"),
    key("pressure.memory_percent", Kind::Number(0.0, 100.0), "memory in use above which that is so; 0 = not looked at"),
    key("pressure.memory_stall_percent", Kind::Number(0.0, 100.0), "time in which everything waits for memory above which that is so; 0 = not looked at"),
    key("pressure.io_stall_percent", Kind::Number(0.0, 100.0), "time in which everything waits for a disk above which that is so; 0 = not looked at"),
    key("log.level", Kind::Choice(&["error", "warn", "info", "debug", "trace"]), "how much is logged"),
    key("log.max_mb", Kind::Whole(1, 1024), "size at which a process begins a new log file, in MiB"),
    key("log.files", Kind::Whole(2, 100), "how many log files of a process are kept, the current one among them"),
    key("agents.*.level", Kind::Whole(0, 2), "highest level the agent acts at"),
    key("agents.*.tools", Kind::Names, "tools the agent may use"),
    key("agents.*.model", Kind::OptionalText, "the agent's own model"),
    key("agents.*.description", Kind::Text, "what the agent is for"),
    key("agents.*.host_read", Kind::Flag, "whether the agent reads facts of the host"),
    key("permissions.defaults.level", Kind::Whole(0, 2), "highest level of agents without a rule"),
    key("permissions.defaults.host_read", Kind::Flag, "whether agents without a rule may read facts of the host"),
    key("permissions.agents.*.level", Kind::Whole(0, 2), "highest level of the agent"),
    key("permissions.agents.*.host_read", Kind::Flag, "whether the agent may read facts of the host"),
    key("permissions.acts.*", Kind::Choice(&protocol::approval::Rule::WORDS), "what is done about a kind of act (http.change, sql.change, git.push, pull.open, workflow.start …): allow, ask a person each time, or deny; a kind without a rule asks"),
    key("permissions.at_most.*.count", Kind::Whole(0, 1_000_000_000), "rows (sql.change) or packages (packages.install) that one act of the kind may touch without asking"),
    key("permissions.at_most.*.percent", Kind::Whole(0, 100), "rows that one act may change or remove without asking, of a hundred in any table (sql.change)"),
    key("permissions.at_most.*.per_hour", Kind::Whole(0, 1_000_000), "acts of the kind on this host in an hour without asking"),
    key("permissions.at_most.*.above", Kind::Choice(&["ask", "deny"]), "what is done about more [ask]"),
    key("permissions.principals.allowed_signers", Kind::Text, "file that names whose signatures answer tickets, as ssh-keygen reads it; only root and the owner may write it; none: nobody's"),
    key("permissions.principals.revoked", Kind::Text, "file of ssh keys, or a revocation list, that count no more"),
    key("permissions.principals.pin", Kind::Flag, "whether a PIN answers tickets too [true]"),
    key("permissions.endpoints.*.url", Kind::WebUrl, "an address that requests may go to, and below"),
    key("permissions.endpoints.*.agents", Kind::Names, "agents that may send requests to it"),
    key("permissions.endpoints.*.key_header", Kind::Text, "header under which it does a request once [Idempotency-Key]; none: it knows no such key"),
    key("permissions.endpoints.*.token", Kind::Secret, "sent to it as a bearer token; its address must be https, or on this host"),
    key("permissions.sources.*.url", Kind::DatabaseUrl, "a database: sqlite:///absolute/path, postgres://user@host/database, or {secret: NAME} that holds one as JSON"),
    key("permissions.sources.*.password", Kind::Secret, "password of the user in the address"),
    key("permissions.sources.*.tls", Kind::Choice(&["off", "require", "verify-ca", "verify-full"]), "how a connection to PostgreSQL is protected [off on this machine, else verify-full]"),
    key("permissions.sources.*.authority", Kind::Text, "file with the certificates that vouch for the server, where it is not one the system knows"),
    key("permissions.sources.*.agents", Kind::Names, "agents that may use it"),
    key("permissions.sources.*.write", Kind::Flag, "whether they may change it"),
    key("permissions.sources.*.backups", Kind::Text, "folder that backups of it go to, an absolute path"),
    key("permissions.programs.agents", Kind::Names, "agents whose programs may reach hosts through the proxy of their task [none]"),
    key("permissions.programs.hosts", Kind::Names, "those hosts, exactly, as host or host:port [git hosts and the registries that pip, npm and cargo of this host use]; one with a port may have a private address"),
    key("permissions.registries.*.url", Kind::WebUrl, "address of a private registry, or of git repositories, that programs fetch from through the proxy of their task"),
    key("permissions.registries.*.kind", Kind::Choice(&protocol::registry::RegistryKind::WORDS), "whose clients fetch from it: pip, npm, cargo or git"),
    key("permissions.registries.*.token", Kind::Secret, "shown to it by the proxy, outside the sandbox; programs never see it"),
    key("permissions.registries.*.user", Kind::Text, "who the token belongs to, where name and password are asked for [pip: __token__, git: x-access-token]"),
    key("permissions.registries.*.index", Kind::Text, "where the index lies below the address [pip: simple/, cargo: the address itself]"),
    key("permissions.registries.*.scope", Kind::Text, "scope of npm whose packages come from it, such as @shop [all packages]"),
    key("permissions.registries.*.authority", Kind::Text, "file with the certificates that vouch for it, where it is not one the system knows"),
    key("permissions.registries.*.agents", Kind::Names, "agents whose programs may fetch from it"),
    key("permissions.remotes.*.url", Kind::WebUrl, "address of a git repository that agents push a task's own branch to, over https"),
    key("permissions.remotes.*.token", Kind::Secret, "shown to it, outside every sandbox in which programs run"),
    key("permissions.remotes.*.user", Kind::Text, "who the token belongs to [x-access-token]"),
    key("permissions.remotes.*.authority", Kind::Text, "file with the certificates that vouch for it, where it is not one the system knows"),
    key("permissions.remotes.*.branches", Kind::Names, "branches that may be pushed besides a task's own, ai-infra/t1 …"),
    key("permissions.remotes.*.control_files", Kind::Flag, "whether a pushed branch may change what build services and others obey without being asked [false]"),
    key("permissions.remotes.*.agents", Kind::Names, "agents that may push to it"),
    key("permissions.forges.*.repository", Kind::Text, "owner/name of a repository whose pull requests and workflows agents work with"),
    key("permissions.forges.*.url", Kind::WebUrl, "address of the API [https://api.github.com]"),
    key("permissions.forges.*.token", Kind::Secret, "shown to the API, outside every sandbox in which programs run"),
    key("permissions.forges.*.agents", Kind::Names, "agents that may work with it"),
    key("permissions.hosts.*.agents", Kind::Names, "agents that may look at the host's pages and certificates; its name may hold a port, and one with a port may have a private address"),
    key("permissions.hosts.*.authority", Kind::Text, "file with the certificates that vouch for the host, where it is not one the system knows"),
    key("permissions.privileged", Kind::Names, "agents that may ask for a program to be run on the host, each time after a person's yes to exactly that one [none]"),
    key("permissions.operations.services.*.verbs", Kind::Names, "what may be done to the service of this name: start, stop, restart, reload, enable, disable; to look is granted with it"),
    key("permissions.operations.services.*.agents", Kind::Names, "agents that may have it done"),
    key("permissions.operations.sites.agents", Kind::Names, "agents that may have web sites of nginx put, changed and removed"),
    key("permissions.operations.sites.names", Kind::Names, "host names that sites may answer to; *.shop.example stands for every name below"),
    key("permissions.operations.sites.roots", Kind::Names, "folders in which, and below, a site's files may lie"),
    key("permissions.operations.sites.upstreams", Kind::Names, "servers that sites may lead to, as host:port"),
    key("permissions.operations.sites.config", Kind::Text, "nginx's main file [/etc/nginx/nginx.conf]"),
    key("permissions.operations.sites.folder", Kind::Text, "folder of which nginx reads every .conf [/etc/nginx/conf.d]"),
    key("permissions.operations.sites.certificates", Kind::Text, "folder with a folder for each certificate [/etc/letsencrypt/live]"),
    key("permissions.operations.sites.address", Kind::Text, "the one address that sites listen on [every address]"),
    key("permissions.operations.sites.http", Kind::Whole(1, 65_535), "port of HTTP [80]"),
    key("permissions.operations.sites.https", Kind::Whole(1, 65_535), "port of HTTPS [443]"),
    key("permissions.operations.certificates.agents", Kind::Names, "agents that may have certificates of those sites issued and renewed by certbot"),
    key("permissions.operations.certificates.mail", Kind::Text, "mail address the authority may write to"),
    key("permissions.operations.certificates.directory", Kind::Text, "the authority's ACME directory [https://acme-v02.api.letsencrypt.org/directory]"),
    key("permissions.operations.certificates.trusted", Kind::Text, "file of the authorities that vouch for that directory's own certificate [the host's]"),
    key("permissions.operations.certificates.work", Kind::Text, "folder in which certbot works and sites show the authority what it asks for [/var/lib/letsencrypt]"),
    key("permissions.operations.files.agents", Kind::Names, "agents that may have files of the host read, changed and put back"),
    key("permissions.operations.files.paths", Kind::Names, "those files"),
    key("permissions.operations.packages.agents", Kind::Names, "agents that may have security updates installed"),
    key("permissions.operations.packages.config", Kind::Text, "file of apt's settings that is read besides the host's own [none]"),
    key("permissions.operations.containers.agents", Kind::Names, "agents that may have containers started, stopped and restarted"),
    key("permissions.operations.containers.names", Kind::Names, "those containers"),
    key("permissions.operations.containers.images", Kind::Names, "images that may be fetched, with their tags"),
    key("permissions.operations.containers.socket", Kind::Text, "the engine's socket, Docker's or podman's [/var/run/docker.sock]"),
    key("backup.remote", Kind::OptionalText, "where backups are kept: /a/folder, a git URL or s3://bucket/prefix"),
    key("backup.identity", Kind::OptionalText, "file of the recovery key; none = ~/.config/ai-infra/recovery-key"),
    key("backup.token", Kind::Secret, "token for git over https"),
    key("backup.ssh.key", Kind::OptionalText, "file of the private key for git over ssh; none = as this user's ssh finds one"),
    key("backup.ssh.known_hosts", Kind::OptionalText, "file of the host keys that are trusted; none = this user's own"),
    key("backup.s3.endpoint", Kind::OptionalText, "address of an S3-compatible storage; none = Amazon's"),
    key("backup.s3.region", Kind::Text, "its region"),
    key("backup.s3.access_key", Kind::Secret, "its access key"),
    key("backup.s3.secret_key", Kind::Secret, "its secret key"),
    key("backup.s3.session_token", Kind::Secret, "what belongs to keys that end by themselves [AWS_SESSION_TOKEN]"),
    key("backup.keep.last", Kind::Whole(0, 10_000), "of each job, keep the newest so many; one always stays"),
    key("backup.keep.daily", Kind::Whole(0, 10_000), "and the newest of so many days"),
    key("backup.keep.weekly", Kind::Whole(0, 10_000), "of so many weeks"),
    key("backup.keep.monthly", Kind::Whole(0, 10_000), "of so many months"),
    key("backup.jobs.*.what", Kind::Choice(&["workspaces", "home", "configuration"]), "what the job keeps"),
    key("backup.jobs.*.target", Kind::OptionalText, "where this job is kept, where that is not backup.remote"),
    key("backup.jobs.*.schedule", Kind::OptionalText, "when it begins by itself: minute, hour, day, month, weekday; none = only when it is said"),
    key("backup.jobs.*.public", Kind::Flag, "the configuration may go to a repository that everybody can read"),
    key("backup.zone", Kind::OptionalText, "time zone of these schedules, such as Europe/Berlin; none = this machine's"),
    key("backup.grace_minutes", Kind::Whole(1, 100_000), "a job without a good snapshot so long after its time is late, in minutes"),
    key("backup.drill.schedule", Kind::OptionalText, "when the newest snapshot of the home is restored aside, started and compared; none = only when it is said"),
    key("notices.webhook", Kind::Secret, "the address that notices are posted to, kept as a secret; it tells that something waits for you, nothing can be answered there"),
    key("notices.mail.server", Kind::OptionalText, "host:port of a mail server (SMTP); none = no mail"),
    key("notices.mail.tls", Kind::Choice(&["start", "whole", "none"]), "STARTTLS, TLS from the first byte, or none of it (a server of this host only)"),
    key("notices.mail.username", Kind::OptionalText, "user name there"),
    key("notices.mail.password", Kind::Secret, "password there"),
    key("notices.mail.from", Kind::OptionalText, "the sender's address"),
    key("notices.mail.to", Kind::Names, "whom it is sent to"),
    key("tmux.session", Kind::Text, "name of the tmux session"),
    key("tmux.windows", Kind::Windows, "its windows"),
    key("prices.models.*.input", Kind::Number(0.0, 100_000.0), "US dollars per million input tokens"),
    key("prices.models.*.cache_write", Kind::Number(0.0, 100_000.0), "US dollars per million tokens written to the cache"),
    key("prices.models.*.cache_read", Kind::Number(0.0, 100_000.0), "US dollars per million tokens read from the cache"),
    key("prices.models.*.output", Kind::Number(0.0, 100_000.0), "US dollars per million output tokens"),
];

/// What stands at a path.
#[derive(Debug)]
pub enum Found {
    /// A key.
    Key(&'static Key),
    /// A section that holds keys.
    Section,
    /// Nothing, with a hint at what is near.
    Nothing(String),
}

/// Looks a path up.
pub fn find<S: AsRef<str>>(path: &[S]) -> Found {
    let starts_like = |key: &Key| {
        let mut parts = key.path.split('.');
        path.iter()
            .all(|given| {
                parts
                    .next()
                    .is_some_and(|p| p == "*" || p == given.as_ref())
            })
            .then(|| parts.next().is_none())
    };
    let mut section = false;
    for key in KEYS {
        match starts_like(key) {
            Some(true) => return Found::Key(key),
            Some(false) => section = true,
            None => {}
        }
    }
    if section {
        return Found::Section;
    }
    let (last, parent) = match path.split_last() {
        Some((last, parent)) => (last.as_ref(), parent),
        None => ("", path),
    };
    let known = names_below(parent);
    let mut hint = did_you_mean(last, known.iter().copied());
    if hint.is_empty() && !known.is_empty() {
        hint = format!("; known here: {}", known.join(", "));
    }
    Found::Nothing(hint)
}

/// Names that may stand directly below a path; empty where any name may.
fn names_below<S: AsRef<str>>(parent: &[S]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in KEYS {
        let mut parts = key.path.split('.');
        let below = parent.iter().all(|given| {
            parts
                .next()
                .is_some_and(|p| p == "*" || p == given.as_ref())
        });
        if let (true, Some(name)) = (below, parts.next())
            && name != "*"
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// A value as it may stand in a sentence.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", quoted(text)),
        Value::Null => "empty".to_owned(),
        other => quoted(&other.to_string()),
    }
}

impl Kind {
    /// What it takes, for a sentence that says `must be …`.
    pub fn expects(self) -> String {
        match self {
            Kind::Text | Kind::DatabaseUrl => "text".into(),
            Kind::OptionalText => "text or nothing".into(),
            Kind::TeamName => "1 to 32 characters of a-z, 0-9 and -, starting with a letter".into(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Kind::Number(least, most) => format!("a number from {least} to {most}"),
            Kind::Flag => "true or false".into(),
            Kind::Names => "a list of names".into(),
            Kind::WebUrl => "a URL like https://host, without credentials".into(),
            Kind::RedisUrl => redis_url::EXPECTED.into(),
            Kind::PostgresUrl => postgres::EXPECTED.into(),
            Kind::Secret => "{secret: NAME}, with the value kept by `ai-infra secret set NAME`".into(),
            Kind::Windows => "a list of {index, name, runs} with runs: supervisor, {agent: NAME}, monitor or logs".into(),
        }
    }

    /// Checks a value from a file and gives its settled form.
    pub fn check(self, value: Value) -> Result<Value, String> {
        let refused = |kind: Kind, value: &Value| {
            Err(format!("is {}, must be {}", shown(value), kind.expects()))
        };
        match (self, &value) {
            (Kind::OptionalText | Kind::RedisUrl | Kind::PostgresUrl | Kind::Secret, Value::Null) => Ok(value),
            (Kind::OptionalText, Value::String(text)) if has_password(text) => {
                Err("holds a password: take it out, and keep it with `ai-infra secret set` (for git over https: github-pat)".into())
            }
            (Kind::Text | Kind::OptionalText | Kind::DatabaseUrl, Value::String(text)) if is_text(text) => Ok(value),
            (Kind::TeamName, Value::String(text))
                if text.parse::<protocol::ids::TeamName>().is_ok() => Ok(value),
            (Kind::Choice(words), Value::String(text)) if words.contains(&text.as_str()) => Ok(value),
            // Readers of YAML take a bare `off` for false.
            (Kind::Choice(words), Value::Bool(false)) if words.contains(&"off") => Ok(Value::from("off")),
            (Kind::Whole(least, most), Value::Number(number))
                if number.as_u64().is_some_and(|n| (least..=most).contains(&n)) => Ok(value),
            (Kind::Number(least, most), Value::Number(number))
                if number.as_f64().is_some_and(|n| (least..=most).contains(&n)) => Ok(value),
            (Kind::Flag, Value::Bool(_)) => Ok(value),
            (Kind::Names, Value::Array(items))
                if items.len() <= 100 && items.iter().all(|i| i.as_str().is_some_and(is_text)) => Ok(value),
            (Kind::WebUrl, Value::String(text)) if is_web_url(text) => {
                Ok(Value::from(text.trim_end_matches('/')))
            }
            (Kind::RedisUrl, Value::String(text)) => match redis_url::split(text) {
                Ok(parts) if parts.username.is_none() && parts.password.is_none() => Ok(value),
                Ok(_) => Err("holds credentials: write `redis.username`, and `redis.password` as {secret: NAME}".into()),
                Err(problem) => Err(problem),
            },
            (Kind::PostgresUrl, Value::String(text)) => match Address::parse(text)? {
                (_, None) => Ok(value),
                (_, Some(_)) => Err("holds a password: write `ledger.password` as {secret: NAME}".into()),
            },
            (Kind::Secret | Kind::PostgresUrl | Kind::DatabaseUrl, Value::Object(map)) => match map.get("secret").and_then(Value::as_str) {
                Some(name) if map.len() == 1 => match secret::check_name(name) {
                    Ok(()) => Ok(value),
                    Err(error) => Err(format!("names no secret: {error}")),
                },
                _ => Err(format!("must be {}", self.expects())),
            },
            (Kind::Secret, _) => Err(format!("holds a value of its own, must be {}", self.expects())),
            (Kind::Windows, Value::Array(_)) => {
                match serde_json::from_value::<Vec<WindowSpec>>(value.clone()) {
                    Ok(_) => Ok(value),
                    Err(error) => Err(format!("must be {}: {}", self.expects(), quoted(&error.to_string()))),
                }
            }
            (kind, value) => refused(kind, value),
        }
    }

    /// Reads text from the environment or a flag as what this kind takes.
    pub fn read(self, text: &str) -> Result<Value, String> {
        let number = |parsed: Option<Value>| parsed.unwrap_or_else(|| Value::from(text));
        let value = match self {
            Kind::OptionalText | Kind::RedisUrl | Kind::PostgresUrl | Kind::Secret
                if text.is_empty() =>
            {
                Value::Null
            }
            Kind::Secret => return Ok(json!({ "plain": text })),
            Kind::Whole(..) => number(text.parse::<u64>().ok().map(Value::from)),
            Kind::Number(..) => number(
                text.parse::<f64>()
                    .ok()
                    .filter(|n| n.is_finite())
                    .map(Value::from),
            ),
            Kind::Flag => match text {
                "true" | "1" => Value::Bool(true),
                "false" | "0" => Value::Bool(false),
                other => Value::from(other),
            },
            Kind::Names => text
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .collect(),
            Kind::Windows => return Err("can only be set in tmux/session.yaml".into()),
            _ => Value::from(text),
        };
        self.check(value)
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
