//! Servers with faults, looked at from outside.

use crate::server::*;
use bus::connect::BusAddress;
use bus::examine::{Seen, examine};

async fn seen(address: &BusAddress) -> Seen {
    examine(address, &team()).await.unwrap()
}

fn say(server: &Server, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    let _: redis::Value = command.query(&mut server.raw()).unwrap();
}

#[tokio::test]
async fn a_good_server_has_nothing_to_hide() {
    let server = Server::start();
    let seen = seen(&server.address()).await;
    assert_eq!(seen.role, "master");
    assert_eq!(seen.policy, "noeviction");
    assert!(seen.append_only && seen.last_write_good);
    assert_eq!(seen.fsync.as_deref(), Some("always"));
    assert_eq!((seen.min_replicas, seen.replicas), (Some(0), 0));
    assert_eq!(seen.no_scripts, None);
    assert_eq!(seen.missing, [] as [&str; 0]);
    assert_eq!(seen.user.as_deref(), Some("default"));
}

#[tokio::test]
async fn settings_that_lose_work_are_seen() {
    let server = Server::start();
    for (name, value) in [
        ("maxmemory-policy", "allkeys-lru"),
        ("maxmemory", "104857600"),
        ("appendfsync", "everysec"),
        ("min-replicas-to-write", "0"),
    ] {
        say(&server, &["CONFIG", "SET", name, value]);
    }
    let seen_now = seen(&server.address()).await;
    assert_eq!(seen_now.policy, "allkeys-lru");
    assert_eq!(seen_now.maxmemory, 104_857_600);
    assert_eq!(seen_now.fsync.as_deref(), Some("everysec"));
    say(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    let replica = seen(&server.address()).await;
    assert_eq!(replica.role, "slave");
    assert!(replica.no_scripts.unwrap().starts_with("READONLY"));
}

#[tokio::test]
async fn missing_rights_are_named_one_by_one() {
    let server = Server::start();
    say(
        &server,
        &[
            "ACL",
            "SETUSER",
            "small",
            "on",
            ">p",
            "~{main}:*",
            "&*",
            "+@all",
            "-config",
            "-xreadgroup",
            "-blpop",
            "-zadd",
        ],
    );
    let small = seen(&server.address_of("small", "p")).await;
    assert_eq!(small.missing, ["ZADD", "XREADGROUP", "BLPOP"]);
    assert_eq!((small.fsync, small.min_replicas), (None, None));
    assert_eq!(small.user.as_deref(), Some("small"));

    say(
        &server,
        &[
            "ACL", "SETUSER", "mute", "on", ">p", "~*", "&*", "+@all", "-evalsha",
        ],
    );
    let mute = seen(&server.address_of("mute", "p")).await;
    assert!(mute.no_scripts.unwrap().contains("NOPERM"));

    say(
        &server,
        &[
            "ACL",
            "SETUSER",
            "elsewhere",
            "on",
            ">p",
            "~other:*",
            "&*",
            "+@all",
        ],
    );
    let elsewhere = seen(&server.address_of("elsewhere", "p")).await;
    assert!(elsewhere.no_scripts.is_some(), "{elsewhere:?}");
}

#[tokio::test]
async fn a_renamed_command_is_seen() {
    for name in ["EVALSHA", "SCRIPT"] {
        let server =
            Server::start_with(|_| ["--rename-command", name, ""].map(str::to_owned).to_vec());
        let seen = seen(&server.address()).await;
        let said = seen.no_scripts.unwrap();
        assert!(said.to_lowercase().contains("unknown command"), "{said}");
    }
}
