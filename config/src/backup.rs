//! What is kept elsewhere, where, and how long: the settings of `backup.yaml`.

use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Section `backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSettings {
    /// Where: a folder, a git URL or `s3://bucket/prefix`.
    pub remote: Option<String>,
    /// File of the recovery key; `None` = below the person's own settings.
    pub identity: Option<PathBuf>,
    /// For git over https.
    pub token: Option<Secret>,
    /// For git over ssh.
    pub ssh: SshSettings,
    /// S3-compatible storage.
    pub s3: S3Settings,
    /// How many snapshots of each job stay.
    pub keep: KeepSettings,
    /// What is kept, by name.
    pub jobs: BTreeMap<String, BackupJob>,
    /// Time zone of the schedules; `None` = this machine's.
    pub zone: Option<String>,
    /// How long after its time a job without a good snapshot is late, in minutes.
    pub grace_minutes: i64,
    /// The drill.
    pub drill: DrillSettings,
}

/// Section `backup.drill`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillSettings {
    /// When it begins by itself, as a line of cron; `None` = it does not.
    #[serde(default)]
    pub schedule: Option<String>,
}

/// Section `backup.ssh`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshSettings {
    /// File of a private key; `None` = as this user's ssh finds one.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// File of the host keys that are trusted; `None` = this user's own.
    #[serde(default)]
    pub known_hosts: Option<PathBuf>,
}

/// Section `backup.s3`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Settings {
    /// Its address; `None` = Amazon's.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The access key.
    pub access_key: Option<Secret>,
    /// The secret key.
    pub secret_key: Option<Secret>,
    /// What belongs to keys that end by themselves.
    #[serde(default)]
    pub session_token: Option<Secret>,
}

/// Section `backup.keep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepSettings {
    /// The newest so many, whenever they were made.
    pub last: usize,
    /// The newest of so many days.
    pub daily: usize,
    /// The newest of so many weeks.
    pub weekly: usize,
    /// The newest of so many months.
    pub monthly: usize,
}

/// A job of `backup.jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupJob {
    /// What it keeps.
    pub what: BackupWhat,
    /// Where, where that is not `backup.remote`.
    #[serde(default)]
    pub target: Option<String>,
    /// When it begins by itself, as a line of cron; `None` = it does not.
    #[serde(default)]
    pub schedule: Option<String>,
    /// Whether a repository that everybody can read is meant; else it is refused for the configuration.
    #[serde(default)]
    pub public: bool,
}

impl BackupSettings {
    /// Where a job is kept, as it is written.
    pub fn place_of<'a>(&'a self, job: &'a BackupJob) -> Option<&'a str> {
        job.target.as_deref().or(self.remote.as_deref())
    }

    /// The job that keeps the home, with its name.
    pub fn home_job(&self) -> Option<(&str, &BackupJob)> {
        let home = self
            .jobs
            .iter()
            .find(|(_, job)| job.what == BackupWhat::Home);
        home.map(|(name, job)| (name.as_str(), job))
    }
}

/// What a job keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupWhat {
    /// Every workspace of this host.
    Workspaces,
    /// The home: what the team is and knows.
    Home,
    /// Settings, agents, playbooks: in step with a plain git repository, in both directions.
    Configuration,
}

impl BackupWhat {
    /// The word in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            BackupWhat::Workspaces => "workspaces",
            BackupWhat::Home => "home",
            BackupWhat::Configuration => "configuration",
        }
    }
}
