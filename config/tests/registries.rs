//! Private registries of permissions.yaml, or the exact sentence about what is wrong with one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod case;

use case::{Case, load};
use protocol::registry::RegistryKind;

fn with(text: &str) -> Result<config::settings::Settings, String> {
    load(Case {
        user: &[("permissions.yaml", text)],
        secrets: &[("corp", "tkn-1")],
        ..Case::default()
    })
}

#[test]
fn a_registry_is_granted_to_its_agents_alone() {
    let settings = with(
        "registries:\n  py: {url: \"https://pip.example/simple\", kind: pip, token: {secret: corp}, agents: [code]}\n",
    )
    .unwrap();
    let of = |role: &str| {
        let role = role.parse().unwrap();
        settings.agent(&role).unwrap().registries.clone()
    };
    let granted = of("code");
    assert_eq!(granted["py"].kind, RegistryKind::Pip);
    assert_eq!(granted["py"].token.reveal(), "tkn-1");
    assert!(of("qa").is_empty());
    assert!(settings.secrets().any(|secret| secret.reveal() == "tkn-1"));
}

#[test]
fn what_is_wrong_with_one_is_said() {
    const GOOD: &str =
        "url: \"https://h.example\", kind: npm, token: {secret: corp}, agents: [code]";
    for (name, text, expected) in [
        (
            "a",
            GOOD.replace("https", "http"),
            "must begin with https://",
        ),
        (
            "a",
            GOOD.replace("https://h.example", "http://127.0.0.1.evil.example"),
            "must begin with https://",
        ),
        (
            "a",
            GOOD.replace("npm", "maven"),
            "must be one of pip, npm, cargo, git",
        ),
        (
            "a",
            GOOD.replace("kind: npm, ", ""),
            "`permissions.registries.a.kind` is missing",
        ),
        (
            "a",
            GOOD.replace(", token: {secret: corp}", ""),
            "`permissions.registries.a.token` is missing: keep it with",
        ),
        (
            "a",
            GOOD.replace("{secret: corp}", "tkn"),
            "must be {secret: NAME}",
        ),
        ("a", GOOD.replace("code", "coder"), "names no agent `coder`"),
        (
            "A",
            GOOD.to_owned(),
            "write small letters, digits and hyphens",
        ),
        (
            "a",
            format!("{GOOD}, scope: shop"),
            "is a scope of npm, such as @shop",
        ),
        (
            "a",
            format!("{GOOD}, index: simple"),
            "is for pip and cargo",
        ),
        (
            "a",
            format!("{GOOD}, authority: own.pem"),
            "must be the absolute path of a file",
        ),
        ("a", format!("{GOOD}, user: \"a:b\""), "is no user's name"),
        (
            "a",
            format!("{GOOD}, secret: corp"),
            "unknown key `permissions.registries.a.secret`",
        ),
    ] {
        let said = with(&format!("registries:\n  {name}: {{{text}}}\n")).unwrap_err();
        assert!(said.contains(expected), "{text}: {said}");
    }
    for good in [
        "http://127.0.0.1:4873",
        "http://localhost/npm",
        "https://[::1]:8443/x",
    ] {
        let text = GOOD.replace("https://h.example", good);
        assert!(
            with(&format!("registries:\n  a: {{{text}}}\n")).is_ok(),
            "{good}"
        );
    }
}

#[test]
fn a_bare_off_is_understood() {
    let of = |tls: &str| {
        let text = format!(
            "sources:\n  books: {{url: \"postgres://r@db.example/books\", tls: {tls}, agents: [data]}}\n"
        );
        with(&text).map(|settings| {
            let role = "data".parse().unwrap();
            format!(
                "{:?}",
                settings.agent(&role).unwrap().sources["books"].database
            )
        })
    };
    for off in ["off", "\"off\"", "false"] {
        assert!(of(off).unwrap().contains("tls: Off"), "{off}");
    }
    let said = of("true").unwrap_err();
    assert!(
        said.contains("must be one of off, require, verify-ca, verify-full"),
        "{said}"
    );
}
