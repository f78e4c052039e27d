//! Registries that want a token, seen from level 1: real clients fetch from them through the proxy, and the token is
//! nowhere that a program could look. Whatever leads elsewhere is refused.

use super::*;
use guard::outside::Credential;
use guard::proxy::clients;
use guard::proxy::door::{Door, Doors};
use guard::sandbox::spec::WayOut;
use protocol::registry::RegistryKind;
use tests::registry::Registry;

const TOKEN: &str = "tkn-5c1e0b7fd2a94836";

fn door(url: String, kind: RegistryKind, registry: &Registry) -> Door {
    Door {
        url,
        kind,
        token: Credential::new(TOKEN),
        user: None,
        index: None,
        scope: None,
        authority: Some(std::fs::read_to_string(registry.git.nginx.authority()).unwrap()),
    }
}

fn doors(registry: &Registry) -> Doors {
    use RegistryKind::{Cargo, Git, Npm, Pip};
    let crates = Door {
        index: Some("index/".to_owned()),
        ..door(registry.url("crates"), Cargo, registry)
    };
    [
        ("py", door(registry.url("py/simple"), Pip, registry)),
        ("js", door(registry.url("js"), Npm, registry)),
        ("crates", crates),
        ("src", door(registry.url("git"), Git, registry)),
    ]
    .map(|(name, door)| (name.to_owned(), door))
    .into()
}

/// A sandbox with the way out, and the toolchains of whoever runs this.
async fn fetching(stage: &Stage, registry: &Registry, faults: &str) -> (Executor, Proxy) {
    let terms = Terms {
        doors: doors(registry),
        ..terms(faults)
    };
    let proxy = proxied(&terms, stage.clone.owner, unhurried(), None);
    let mut spec = stage.spec();
    spec.toolchains = true;
    spec.proxy = Some(WayOut {
        socket: proxy.socket(),
        clients: clients::told(&terms.doors),
    });
    let cache = stage.dir.path().join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    if nix::unistd::geteuid().is_root() {
        let owner = stage.clone.owner;
        std::os::unix::fs::chown(&cache, Some(owner.uid), Some(owner.gid)).unwrap();
    }
    if let Kind::Workspace { cache: place, .. } = &mut spec.kind {
        *place = Some(cache);
    }
    (Executor::start(spec).await.unwrap(), proxy)
}

/// Asks the proxy in so many words; answers all it said.
async fn ask(executor: &mut Executor, words: &str) -> String {
    let asked =
        format!("exec 3<>/dev/tcp/127.0.0.1/3128; printf '{words}' >&3; timeout 10 cat <&3");
    sh(executor, &asked).await
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\\r\\nHost: 127.0.0.1:3128\\r\\n\\r\\n")
}

/// Where a program could look for it: its environment, every process it sees, every file it may read that is not a
/// library, and what it fetched. The pattern is cut in two, or the search would find itself.
const SEARCH: &str = "{ env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; \
    grep -rsa 'tkn-5c1e[0]b7f' /workspace /cache /tmp /run /etc 2>/dev/null; } | grep -ac 'tkn-5c1e[0]b7f'";

#[tokio::test]
async fn real_clients_fetch_with_a_token_that_no_program_sees() {
    if !can_sandbox() {
        return;
    }
    let Some(registry) = tests::registry::start(TOKEN) else {
        return;
    };
    let stage = Stage::new(|w| {
        write(
            w,
            "js/package.json",
            "{\"name\": \"x\", \"version\": \"1.0.0\"}",
        );
        write(
            w,
            "rs/Cargo.toml",
            "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ncart = { version = \"1\", registry = \"crates\" }\n",
        );
        write(
            w,
            "rs/src/main.rs",
            "fn main() { println!(\"rs {}\", cart::total()); }\n",
        );
    });
    let (mut executor, proxy) = fetching(&stage, &registry, "").await;
    for (words, expected) in [
        (
            "pip download --no-input --no-deps -q -d py cart 2>&1; cd py && python3 -c 'import sys; sys.path.insert(0, \"cart-1.0.0-py3-none-any.whl\"); import cart; print(\"py\", cart.TOTAL)'",
            "py 42",
        ),
        (
            "cd js && npm install --no-audit --no-fund cart 2>&1; node -e 'console.log(\"js\", require(\"cart\"))'; grep -c 127.0.0.1 package-lock.json",
            "js 42\n0",
        ),
        // Once more by the lock file, as a build does it.
        (
            "cd js && rm -r node_modules && npm ci --no-audit 2>&1; node -e 'console.log(\"ci\", require(\"cart\"))'",
            "ci 42",
        ),
        (
            "cd rs && cargo run --quiet 2>&1; grep -c 127.0.0.1 Cargo.lock",
            "rs 42\n0",
        ),
        (
            "git clone -q \"$(printf %s \"$GIT_CONFIG_VALUE_0\")kept.git\" src 2>&1; echo src $(cat src/total) $(git -C src remote get-url origin --push | grep -c 3128)",
            "src 42",
        ),
        ("cd src && git fetch 2>&1 && echo fetched", "fetched"),
    ] {
        let said = sh(&mut executor, words).await;
        assert!(
            said.contains(expected),
            "{words}:\n{said}\n{:#?}",
            proxy.seen()
        );
    }
    // It is pushed nowhere, and whoever asks is told by what it could be.
    let said = sh(&mut executor, "cd src && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git push 2>&1").await;
    assert!(said.contains("403"), "{said}");
    let said = sh(&mut executor, SEARCH).await;
    assert!(
        said.trim().starts_with('0'),
        "a program found the token: {said}"
    );
    executor.stop().await;
    proxy.end().await;
    let seen = proxy.seen();
    for asked in [
        "GET py/simple/cart/",
        "GET py/files/cart-1.0.0-py3-none-any.whl",
        "GET js/cart",
        "GET crates/index/config.json",
        "GET crates/dl/cart/1.0.0/download",
        "POST src/kept.git/git-upload-pack",
    ] {
        let one = seen.iter().find(|one| one.asked == asked);
        let one = one.unwrap_or_else(|| panic!("{asked} was not asked: {seen:#?}"));
        assert!(
            one.begun && one.refused.is_none() && one.down > 0,
            "{one:?}"
        );
    }
    assert!(!format!("{seen:?}").contains(TOKEN));
}

#[tokio::test]
async fn a_token_that_comes_back_is_covered_and_without_the_wall_it_is_found() {
    if !can_sandbox() {
        return;
    }
    let Some(registry) = tests::registry::start(TOKEN) else {
        return;
    };
    let stage = Stage::new(|_| {});
    let basic = "X190b2tlbl9fOnRrbi01YzFlMGI3ZmQyYTk0ODM2";
    for (faults, found) in [("", false), ("without=proxy", true)] {
        let (mut executor, proxy) = fetching(&stage, &registry, faults).await;
        for path in ["/py/echo", "/py/bytes"] {
            let said = ask(&mut executor, &get(path)).await;
            assert!(said.contains("you sent Basic"), "{said}");
            assert_eq!(said.contains(basic), found, "{faults}: {said}");
        }
        executor.stop().await;
        drop(proxy);
    }
}

#[tokio::test]
async fn nothing_but_fetching_from_the_named_place_is_done() {
    if !can_sandbox() {
        return;
    }
    let Some(registry) = tests::registry::start(TOKEN) else {
        return;
    };
    let stage = Stage::new(|_| {});
    let (mut executor, proxy) = fetching(&stage, &registry, "").await;
    let host = "Host: 127.0.0.1:3128\\r\\n";
    for (words, status, why) in [
        (
            get("/py/simple/cart/"),
            "200",
            "http://127.0.0.1:3128/py/files/cart",
        ),
        (get("/py/simple/nothing/"), "404", ""),
        (get("/nobody/x"), "404", "permissions.registries"),
        (get("/"), "404", "permissions.registries"),
        (get("/py/../private"), "400", "leads up"),
        (get("/py/%%2e%%2e/private"), "400", "leads up"),
        (
            get("http://127.0.0.1:3128/py/simple/"),
            "400",
            "whole address",
        ),
        (get("/py/away"), "403", "leads to http://127.0.0.1"),
        (get("/py/away-by-name"), "403", "elsewhere.example"),
        (
            get("/src/kept.git/info/refs?service=git-receive-pack"),
            "403",
            "GitPush",
        ),
        (
            format!("DELETE /py/x HTTP/1.1\\r\\n{host}\\r\\n"),
            "400",
            "fetch",
        ),
        (
            format!("POST /js/x HTTP/1.1\\r\\n{host}Content-Length: 2\\r\\n\\r\\nhi"),
            "403",
            "GET and HEAD",
        ),
        (
            format!(
                "GET /py/echo HTTP/1.1\\r\\n{host}X-Original-URL: /private\\r\\nAuthorization: Basic bWluZQ==\\r\\n\\r\\n"
            ),
            "200",
            "you sent Basic *",
        ),
        (
            "CONNECT localhost:443 HTTP/1.1\\r\\n\\r\\n".to_owned(),
            "400",
            "",
        ),
    ] {
        let said = ask(&mut executor, &words).await;
        assert!(
            said.starts_with(&format!("HTTP/1.1 {status}")),
            "{words}: {said}"
        );
        assert!(said.contains(why), "{words}: {said}");
        for secret in [TOKEN, "caught", "not for programs", "bWluZQ"] {
            assert!(!said.contains(secret), "{words}: {said}");
        }
    }
    executor.stop().await;
    // Nothing reached what was not named, not even to be refused there.
    let asked = registry.git.nginx.asked();
    assert!(
        !asked.contains("caught") && !asked.contains("/private"),
        "{asked}"
    );
    drop(proxy);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_said() {
    if !can_sandbox() {
        return;
    }
    let Some(registry) = tests::registry::start("tkn-of-another") else {
        return;
    };
    let stage = Stage::new(|_| {});
    let (mut executor, proxy) = fetching(&stage, &registry, "").await;
    let said = ask(&mut executor, &get("/py/simple/cart/")).await;
    assert!(said.starts_with("HTTP/1.1 403"), "{said}");
    assert!(
        said.contains("the registry `py` does not take its token"),
        "{said}"
    );
    executor.stop().await;
    drop(proxy);
}

#[tokio::test]
async fn bodies_are_counted_before_anything_is_held_for_them() {
    if !can_sandbox() {
        return;
    }
    let Some(registry) = tests::registry::start(TOKEN) else {
        return;
    };
    let stage = Stage::new(|_| {});
    let (mut executor, proxy) = fetching(&stage, &registry, "").await;
    // Twelve bodies of 8 MB are announced and not sent: 64 MB may leave a task, so four are refused at once.
    let words = "POST /src/kept.git/git-upload-pack HTTP/1.1\\r\\nHost: 127.0.0.1:3128\\r\\nContent-Length: 8388608\\r\\n\\r\\n";
    let all = format!(
        "for i in {{1..12}}; do ( exec 3<>/dev/tcp/127.0.0.1/3128; printf '{words}' >&3; timeout 15 cat <&3 >> said ) & done\n\
         for i in {{1..100}}; do [ $(grep -c 'more than 64 MB' said) = 4 ] && break; sleep .1; done; cat said; kill $(jobs -p)"
    );
    let said = sh(&mut executor, &all).await;
    assert_eq!(said.matches("HTTP/1.1 403").count(), 4, "{said}");
    assert_eq!(said.matches("more than 64 MB").count(), 4, "{said}");
    executor.stop().await;
    proxy.end().await;
}
