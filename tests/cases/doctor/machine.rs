//! Programs that are missing, old or do not work; limits, language, time zone, ports.

use super::{ask, doctor, finds};
use crate::AI_INFRA;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use tests::team::Team;

/// A folder for PATH with the real programs but those that are named, and these instead.
fn path(team: &Team, name: &str, without: &[&str], instead: &[(&str, &str)]) -> PathBuf {
    let folder = team.scratch(name);
    for program in ["git", "bwrap", "tmux", "redis-server", "sh", "sleep"] {
        let real = which(program);
        if !without.contains(&program) && !instead.iter().any(|(other, _)| *other == program) {
            std::os::unix::fs::symlink(real, folder.join(program)).expect("a link");
        }
    }
    for (program, script) in instead {
        let file = folder.join(program);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a script");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    folder
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{program} is not installed"))
}

#[test]
fn programs_that_are_missing_old_or_do_not_work() {
    let team = Team::new(AI_INFRA);
    let denied = "case \"$1\" in --version) echo bubblewrap 0.8.0;; *) echo 'bwrap: No permissions to create new namespace' >&2; exit 1;; esac";
    for (without, instead, what, how, seen, next) in [
        (
            &["redis-server"][..],
            &[][..],
            "redis",
            "bad",
            "redis-server",
            "apt-get install redis-server",
        ),
        (
            &["tmux"],
            &[],
            "tmux",
            "odd",
            "tmux",
            "apt-get install tmux",
        ),
        (
            &["git"],
            &[],
            "git",
            "bad",
            "not installed",
            "apt-get install git",
        ),
        (
            &["bwrap"],
            &[],
            "bwrap",
            "bad",
            "not installed",
            "apt-get install bubblewrap",
        ),
        (
            &[],
            &[("redis-server", "echo 'Redis server v=5.0.7 sha=00000000:0'")],
            "redis",
            "bad",
            "5.0.7",
            "7.0 or newer",
        ),
        (
            &[],
            &[("tmux", "echo tmux 1.8")],
            "tmux",
            "odd",
            "1.8",
            "apt-get install tmux",
        ),
        (
            &[],
            &[("git", "echo git version 1.8.3.1")],
            "git",
            "bad",
            "older",
            "apt-get install git",
        ),
        (
            &[],
            &[("git", "exec sleep 600")],
            "git",
            "bad",
            "does not end within",
            "git",
        ),
        (
            &[],
            &[("bwrap", denied)],
            "sandbox",
            "bad",
            "No permissions",
            "namespace",
        ),
    ] {
        let name = format!(
            "path-{what}-{}-{}",
            without.len(),
            instead.iter().map(|i| i.1.len()).sum::<usize>()
        );
        let path = path(&team, &name, without, instead);
        let output = doctor(&team)
            .env("PATH", &path)
            .output()
            .expect("doctor runs");
        finds(&output, what, how, seen, next);
    }
}

#[test]
fn a_machine_that_is_odd() {
    let team = Team::new(AI_INFRA);
    let with = |name: &str, value: &str| {
        doctor(&team)
            .env(name, value)
            .output()
            .expect("doctor runs")
    };
    finds(&with("LC_ALL", "C"), "locale", "odd", "LC_ALL=C", "C.UTF-8");
    finds(
        &with("TZ", "Nowhere/Nothing"),
        "time zone",
        "bad",
        "Nowhere",
        "TZ",
    );
    let plain = doctor(&team);
    let mut few = Command::new("sh");
    few.args(["-c", "ulimit -n 128; exec \"$0\" doctor --json", AI_INFRA])
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    finds(
        &few.output().expect("sh runs"),
        "limits",
        "bad",
        "128",
        "ulimit -n 1024",
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port();
    team.configure(&format!(
        "engine: {{name: playbook}}\nredis: {{listen: {{address: 127.0.0.1, port: {port}}}}}\n"
    ));
    finds(
        &ask(&team),
        "port",
        "bad",
        "taken by another program",
        "ss -ltnp",
    );
    team.configure(
        "engine: {name: playbook}\nredis: {listen: {address: 203.0.113.7, port: 6399}}\n",
    );
    finds(
        &ask(&team),
        "port",
        "bad",
        "no address of this host",
        "ip -brief address",
    );
}
