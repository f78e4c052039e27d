//! The processes of a team: their names, what each runs, and the clean environment they get.

use config::env::Env;
use config::home::Home;
use protocol::document::ProcessLine;
use protocol::ids::Role;
use std::path::Path;

/// One process the daemon keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Process {
    /// The managed Redis.
    Redis,
    /// The warden: no act of this host is made without it.
    Warden,
    /// The supervisor.
    Supervisor,
    /// An agent.
    Agent(Role),
    /// The window where a person talks with the supervisor; a client like any other.
    Chat,
    /// The window that shows the team at a glance.
    Monitor,
    /// The window that shows the merged log.
    Logs,
}

impl Process {
    /// Name for people.
    pub fn name(&self) -> &str {
        match self {
            Process::Redis => "redis",
            Process::Warden => "warden",
            Process::Supervisor => "supervisor",
            Process::Agent(role) => role.as_str(),
            Process::Chat => "chat",
            Process::Monitor => "monitor",
            Process::Logs => "logs",
        }
    }

    /// Name of its files and windows; an agent may have any name without clashing with another
    /// process.
    pub fn key(&self) -> String {
        match self {
            Process::Agent(role) => format!("agent-{role}"),
            Process::Chat | Process::Monitor | Process::Logs => format!("window-{}", self.name()),
            Process::Redis | Process::Warden | Process::Supervisor => self.name().to_owned(),
        }
    }

    /// Others need it: nobody else is started before it was ready once.
    pub fn comes_first(&self) -> bool {
        matches!(self, Process::Redis | Process::Warden)
    }

    /// Only shows things; the team is ready without it.
    pub fn is_view(&self) -> bool {
        matches!(self, Process::Chat | Process::Monitor | Process::Logs)
    }

    /// What its own environment holds besides the team's clean one.
    ///
    /// glibc gives freed memory back only from the top of a heap or from mappings of their own.
    /// The supervisor's memory index writes through large, short-lived buffers: above a fixed
    /// 64 KiB they are mapped and go back when freed (left to itself the threshold grows with the
    /// first of them, and they stay). One arena, because a heap a thread is kept for each thread
    /// that ever allocated, and these processes have little to allocate side by side.
    pub fn own_environment(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Process::Supervisor => &[
                ("MALLOC_ARENA_MAX", "1"),
                ("MALLOC_MMAP_THRESHOLD_", "65536"),
            ],
            Process::Agent(_) | Process::Warden => &[("MALLOC_ARENA_MAX", "1")],
            Process::Redis | Process::Chat | Process::Monitor | Process::Logs => &[],
        }
    }

    /// The whole environment it gets: the team's clean one and its own.
    pub fn environment(&self, clean: &[(String, String)]) -> Vec<(String, String)> {
        let own = self.own_environment().iter();
        let own = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        clean.iter().cloned().chain(own).collect()
    }

    /// Program and arguments; empty for Redis, which is no program of ours.
    pub fn argv(&self, exe: &Path, home: &Home) -> Vec<String> {
        let words: &[&str] = match self {
            Process::Redis => return Vec::new(),
            Process::Warden => &["warden"],
            Process::Supervisor => &["supervisor"],
            Process::Agent(role) => &["agent", role.as_str()],
            Process::Chat => &["window", "chat"],
            Process::Monitor => &["window", "monitor"],
            Process::Logs => &["window", "logs"],
        };
        let mut argv = vec![
            exe.to_string_lossy().into_owned(),
            "--home".to_owned(),
            home.root.to_string_lossy().into_owned(),
        ];
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        argv
    }
}

/// How `status` lists the daemon itself.
pub fn daemon_line(pid: u32) -> ProcessLine {
    ProcessLine {
        name: "daemon".to_owned(),
        pid: Some(pid),
        state: "up".to_owned(),
        restarts: 0,
        task: None,
    }
}

/// The name for people of a process with this key.
pub fn name_of_key(key: &str) -> &str {
    key.strip_prefix("agent-")
        .or_else(|| key.strip_prefix("window-"))
        .unwrap_or(key)
}

pub use config::own::exe as own_exe;

/// The same program behind `env -i`, for a tmux window: a tmux server may carry anything in its
/// own environment, and none of it may reach the team.
pub fn clean_argv(argv: &[String], environment: &[(String, String)]) -> Vec<String> {
    let mut clean = vec!["/usr/bin/env".to_owned(), "-i".to_owned()];
    clean.extend(
        environment
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    clean.extend(argv.iter().cloned());
    clean
}

/// All that a process of the team has in its environment. Settings and keys come by the daemon's
/// socket instead (see `environment`).
pub fn clean_environment(env: &Env, home: &Home) -> Vec<(String, String)> {
    const KEPT: [&str; 7] = [
        "HOME",
        "PATH",
        "LANG",
        "USER",
        "TZ",
        "NO_COLOR",
        // Where the recovery key is.
        "XDG_CONFIG_HOME",
    ];
    let mut clean: Vec<(String, String)> = KEPT
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), env.get(name)?.to_owned())))
        .collect();
    clean.extend(env.fault_variable());
    clean.extend(env.clock_variables());
    // Every terminfo has it, and it is what a tmux pane understands.
    clean.push(("TERM".to_owned(), "screen-256color".to_owned()));
    clean.push((
        "AI_INFRA_HOME".to_owned(),
        home.root.to_string_lossy().into_owned(),
    ));
    clean
}

/// What a tmux server that this daemon starts gets: a person's other sessions may live in it, so
/// it has a shell and finds its socket folder, and no key.
pub fn tmux_environment(env: &Env, clean: &[(String, String)]) -> Vec<(String, String)> {
    const KEPT: [&str; 5] = ["SHELL", "LOGNAME", "TMUX_TMPDIR", "LC_ALL", "LC_CTYPE"];
    let own = clean.iter().filter(|(name, _)| name != "AI_INFRA_HOME");
    let kept = KEPT
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), env.get(name)?.to_owned())));
    own.cloned().chain(kept).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn each_process_runs_its_own_subcommand() {
        let home = Home::at("/h");
        let check = |process: Process, key: &str, argv: &str| {
            assert_eq!(process.key(), key);
            assert_eq!(name_of_key(key), process.name());
            assert_eq!(process.argv(Path::new("/bin/x"), &home).join(" "), argv);
        };
        check(Process::Redis, "redis", "");
        check(
            Process::Supervisor,
            "supervisor",
            "/bin/x --home /h supervisor",
        );
        check(
            Process::Agent("redis".parse().unwrap()),
            "agent-redis",
            "/bin/x --home /h agent redis",
        );
        check(Process::Warden, "warden", "/bin/x --home /h warden");
        check(Process::Chat, "window-chat", "/bin/x --home /h window chat");
        check(Process::Logs, "window-logs", "/bin/x --home /h window logs");
    }

    #[test]
    fn memory_is_given_back_where_it_was_seen_to_stay() {
        let clean = [("HOME".to_owned(), "/h".to_owned())];
        let check = |process: Process, expected: &str| {
            let all = process.environment(&clean);
            let all: Vec<String> = all.iter().map(|(n, v)| format!("{n}={v}")).collect();
            assert_eq!(all.join(" "), expected);
        };
        check(
            Process::Supervisor,
            "HOME=/h MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=65536",
        );
        let agent = Process::Agent("code".parse().unwrap());
        check(agent, "HOME=/h MALLOC_ARENA_MAX=1");
        check(Process::Monitor, "HOME=/h");
    }

    #[test]
    fn no_key_reaches_a_process() {
        let env = Env::from_pairs([
            ("HOME", "/root"),
            ("PATH", "/bin"),
            ("ANTHROPIC_API_KEY", "sk"),
            ("LD_PRELOAD", "x"),
            ("LANG", ""),
        ]);
        let clean = clean_environment(&env, &Home::at("/h"));
        let argv = clean_argv(&["/bin/x".to_owned(), "agent".to_owned()], &clean);
        assert_eq!(
            argv.join(" "),
            "/usr/bin/env -i HOME=/root PATH=/bin TERM=screen-256color AI_INFRA_HOME=/h /bin/x agent"
        );
    }
}
