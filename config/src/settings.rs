//! The one typed tree of settings. Every key, its range and its meaning is in `schema`; the
//! shipped values are in `config/*.yaml`.

use crate::backup::BackupSettings;
use crate::grants::{ForgeGrant, RegistryGrant, RemoteGrant};
use crate::layers::Origin;
pub use crate::notices::{MailSettings, MailTls, NoticeSettings};
use crate::secret::Secret;
use protocol::acts::Acts;
use protocol::ids::{Role, TeamName};
use protocol::level::Level;
use protocol::postgres::Address;
use protocol::prices::Prices;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

/// Everything a process of the team needs to know. Serializes with secrets masked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// What the team calls this host.
    pub host: String,
    /// Whose team this host works for, where it is another host's.
    pub joined: Option<Joined>,
    /// The team.
    pub team: TeamSettings,
    /// A Redis of the person's own, where there is one.
    pub redis: RedisSettings,
    /// A database of the person's own for the ledger, where there is one.
    pub ledger: LedgerSettings,
    /// Who thinks.
    pub engine: EngineSettings,
    /// Money.
    pub budget: BudgetSettings,
    /// Restarts.
    pub daemon: DaemonSettings,
    /// What runs inside a sandbox.
    pub sandbox: SandboxSettings,
    /// When this host is too busy for new work.
    pub pressure: PressureSettings,
    /// Logs.
    pub log: LogSettings,
    /// What is kept elsewhere.
    pub backup: BackupSettings,
    /// How a person is told elsewhere that something waits.
    pub notices: NoticeSettings,
    /// The shipped agents and the person's, shipped ones first, then by name.
    pub agents: Vec<AgentSettings>,
    /// The tmux session.
    pub tmux: SessionLayout,
    /// What models cost.
    pub prices: Prices,
    /// Which layer each key came from.
    #[serde(skip)]
    pub(crate) origins: BTreeMap<String, Origin>,
}

impl Settings {
    /// The layer a key such as `team.lease_ms` came from, with file and line where it has them.
    pub fn origin(&self, key: &str) -> Option<String> {
        self.origins.get(key).map(Origin::to_string)
    }

    /// Every secret among the settings, for whoever hides them in what is written.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let tokens = self
            .agents
            .iter()
            .flat_map(|agent| agent.endpoints.values());
        let tokens = tokens.filter_map(|endpoint| endpoint.token.as_ref());
        let own = self.engine.api_key.iter().chain(&self.redis.password);
        let own = own.chain(&self.ledger.password);
        let sources = self.agents.iter().flat_map(|agent| agent.sources.values());
        let own = own.chain(sources.filter_map(|source| source.password()));
        let registries = (self.agents.iter()).flat_map(|agent| agent.registries.values());
        let own = own.chain(registries.map(|registry| &registry.token));
        let remotes = (self.agents.iter()).flat_map(|agent| agent.remotes.values());
        let own = own.chain(remotes.map(|remote| &remote.token));
        let forges = self.agents.iter().flat_map(|agent| agent.forges.values());
        let own = own.chain(forges.map(|forge| &forge.token));
        let backup = &self.backup;
        let s3 = &backup.s3;
        let s3 = [&s3.access_key, &s3.secret_key, &s3.session_token];
        let kept = [&backup.token].into_iter().chain(s3);
        let told = (self.notices.webhook.iter()).chain(&self.notices.mail.password);
        own.chain(tokens).chain(kept.flatten()).chain(told)
    }

    /// An agent by role.
    pub fn agent(&self, role: &Role) -> Option<&AgentSettings> {
        self.agents.iter().find(|agent| &agent.name == role)
    }
}

/// A team that runs on another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// The team's first host.
    pub first: String,
    /// The roles that work here.
    pub roles: Vec<Role>,
}

/// Section `team`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamSettings {
    /// The team's name.
    pub name: TeamName,
    /// How long a claim holds without renewal, in milliseconds.
    pub lease_ms: u64,
    /// Most tasks that may wait in all queues.
    pub queue_limit: u64,
    /// No task is started while less is free where the home is, in MB.
    pub min_free_mb: u64,
    /// Largest file that may be attached to a request, in MiB.
    pub attach_mb: u64,
    /// Clones of ended tasks, caches and blobs that were not used for so many days are let go; 0 = never.
    pub keep_days: u64,
    /// Most that clones and caches may take together, in MB; above it the oldest are let go. 0 = no bound.
    pub keep_mb: u64,
}

/// Section `redis`. Without a `url` the team runs its own Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://`, `rediss://` or `redis+unix:///path`, without credentials.
    pub url: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Most memory of the team's own Redis, in MiB; one with a `url` has its own limit.
    pub maxmemory_mb: u64,
    /// File of the certificates (PEM) that may sign this Redis' own; `None` = the system's.
    pub ca: Option<PathBuf>,
    /// Where the team's own Redis listens for other hosts.
    pub listen: ListenSettings,
}

/// Section `redis.listen`. Without an address no other host can join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenSettings {
    /// One address of this host.
    pub address: Option<IpAddr>,
    /// TCP port; TLS only.
    pub port: u16,
}

/// Section `ledger`. Without a `url` the ledger is a file of the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSettings {
    /// A PostgreSQL database, without a password.
    pub url: Option<String>,
    /// The password of its user.
    pub password: Option<Secret>,
}

impl LedgerSettings {
    /// The database, where there is one.
    pub fn address(&self) -> Option<Address> {
        let url = self.url.as_deref()?;
        Address::parse(url).ok().map(|(address, _)| address)
    }
}

/// Who thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// Nobody: only playbooks are run.
    Playbook,
    /// Claude through the Messages API.
    Anthropic,
    /// Canned replies from a file; tests only.
    Scripted,
    /// Anthropic when a key is found, else playbook. `load` replaces it by one of these.
    Auto,
}

impl EngineName {
    /// The name as written in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            EngineName::Playbook => "playbook",
            EngineName::Anthropic => "anthropic",
            EngineName::Scripted => "scripted",
            EngineName::Auto => "auto",
        }
    }
}

/// Section `engine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSettings {
    /// Which engine; never `Auto` in loaded settings.
    pub name: EngineName,
    /// The model, where an agent names none.
    pub model: String,
    /// Where the Messages API is, without a slash at its end.
    pub base_url: String,
    /// The API key.
    pub api_key: Option<Secret>,
    /// Most tokens of one reply.
    pub max_tokens: u32,
    /// How often a task waits and tries again for one reply of a model that cannot be had.
    pub retries: u32,
    /// The first such wait, in milliseconds; each further one is three times as long.
    pub retry_first_ms: u64,
    /// Whether a request may bring a script of replies.
    pub allow_scripted: bool,
}

/// Section `budget`, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetSettings {
    /// Most a calendar month may cost.
    pub month_usd: f64,
    /// Most a task may cost, unless it says less.
    pub task_usd: f64,
}

/// Section `daemon`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonSettings {
    /// First pause before a restart, in milliseconds; doubled each time.
    pub restart_first_ms: u64,
    /// Longest pause before a restart, in milliseconds.
    pub restart_max_ms: u64,
    /// This many ends within the window are a crash loop.
    pub crash_limit: u32,
    /// The window, in seconds.
    pub crash_window_s: u64,
}

/// Section `sandbox`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxSettings {
    /// Who works on what root owns, where the install is root's. Never 0.
    pub service_uid: u32,
    /// Most memory of one program in a sandbox, in MiB.
    pub memory_mb: u64,
    /// Most processes in one sandbox.
    pub processes: u64,
    /// Largest file written in one sandbox, in MiB.
    pub file_mb: u64,
    /// Whether toolchains in the person's home are shown, read-only.
    pub toolchains: bool,
}

/// Section `pressure`: while one of these is exceeded, agents of this host begin only urgent tasks.
/// A limit of 0 is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PressureSettings {
    /// Whether the host is looked at.
    pub enabled: bool,
    /// Most processes that run or wait for a core, for each core, over a minute.
    pub load_per_core: f64,
    /// Most memory in use, in percent of all.
    pub memory_percent: f64,
    /// Longest time in which everything stands still for want of memory, in percent of ten seconds.
    pub memory_stall_percent: f64,
    /// The same for want of a disk.
    pub io_stall_percent: f64,
}

/// Section `log`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// Size at which a process begins a new log file, in MiB.
    pub max_mb: u64,
    /// How many files of a process are kept, the current one among them.
    pub files: u64,
}

/// An agent: its text with what `agents.yaml` and `permissions.yaml` make of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentSettings {
    /// Its role.
    pub name: Role,
    /// Highest level it may act at: the lower one of its text and `permissions.yaml`.
    pub level: Level,
    /// What it is for, one line.
    pub description: String,
    /// Its system prompt.
    pub prompt: String,
    /// The tools it may use.
    pub tools: Vec<String>,
    /// Whether it may read facts of the host.
    pub host_read: bool,
    /// Its own model, instead of `engine.model`.
    pub model: Option<String>,
    /// What the rules say of kinds of acts; a kind without a rule asks.
    pub acts: Acts,
    /// Endpoints it may send requests to, by name.
    pub endpoints: BTreeMap<String, EndpointGrant>,
    /// Data sources it may use, by name.
    pub sources: BTreeMap<String, SourceGrant>,
    /// Hosts whose pages and certificates it may look at, by `host` or `host:port`.
    pub hosts: BTreeMap<String, HostGrant>,
    /// Hosts that programs of its sandboxes may reach through the proxy, by `host` or `host:port`: none
    /// of them, or where none is named the git hosts and package registries this host uses.
    pub programs: Option<BTreeSet<String>>,
    /// Registries that programs of its sandboxes may fetch from with a token they never see, by name.
    pub registries: BTreeMap<String, RegistryGrant>,
    /// Remotes it may push a branch to, by name.
    pub remotes: BTreeMap<String, RemoteGrant>,
    /// Repositories it may work with at a host with an API, by name.
    pub forges: BTreeMap<String, ForgeGrant>,
}

impl AgentSettings {
    /// One of a level that is granted nothing and says nothing of itself.
    pub fn bare(name: Role, level: Level) -> Self {
        Self {
            name,
            level,
            description: String::new(),
            prompt: String::new(),
            tools: Vec::new(),
            host_read: false,
            model: None,
            acts: Acts::default(),
            endpoints: BTreeMap::new(),
            sources: BTreeMap::new(),
            hosts: BTreeMap::new(),
            programs: None,
            registries: BTreeMap::new(),
            remotes: BTreeMap::new(),
            forges: BTreeMap::new(),
        }
    }
}

/// An endpoint that an agent was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointGrant {
    /// Its base address.
    pub url: String,
    /// The header under which it does a request once; `None` where it knows none.
    pub key_header: Option<String>,
    /// Sent as a bearer token.
    pub token: Option<Secret>,
}

/// A data source that an agent was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceGrant {
    /// Which database.
    pub database: DatabaseGrant,
    /// Whether it may be changed.
    pub write: bool,
    /// Folder that backups of it go to.
    pub backups: Option<PathBuf>,
}

/// A host that an agent may look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostGrant {
    /// File with the certificates that vouch for it.
    pub authority: Option<PathBuf>,
}

impl SourceGrant {
    /// The password it is entered with.
    pub fn password(&self) -> Option<&Secret> {
        match &self.database {
            DatabaseGrant::Postgres { password, .. } => password.as_ref(),
            DatabaseGrant::Sqlite(_) => None,
        }
    }
}

/// A database that an agent was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseGrant {
    /// The file of an SQLite database.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres {
        /// Where it is, and who enters.
        address: Address,
        /// The password.
        password: Option<Secret>,
    },
}

/// The tmux session and its windows, in order of index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionLayout {
    /// The session's name.
    pub session: String,
    /// Its windows.
    pub windows: Vec<WindowSpec>,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What runs in it.
    pub runs: WindowRuns,
}

/// What runs in a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowRuns {
    /// `ai-infra supervisor`.
    Supervisor,
    /// `ai-infra agent NAME`.
    Agent(Role),
    /// `ai-infra window monitor`.
    Monitor,
    /// `ai-infra window logs`.
    Logs,
}
