//! Remotes, repositories and endpoints of permissions.yaml, or the exact sentence about what is wrong with one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod case;

use case::{Case, load};

fn with(text: &str) -> Result<config::settings::Settings, String> {
    load(Case {
        user: &[("permissions.yaml", text)],
        secrets: &[("push", "tkn-1")],
        ..Case::default()
    })
}

#[test]
fn what_is_granted_brings_its_tools() {
    let settings = with(
        "remotes:\n  origin: {url: \"https://h.example/x.git\", token: {secret: push}, agents: [code], branches: [preview]}\n\
         forges:\n  shop: {repository: me/shop, token: {secret: push}, agents: [qa]}\n",
    )
    .unwrap();
    let of = |role: &str| settings.agent(&role.parse().unwrap()).unwrap().clone();
    let (code, qa) = (of("code"), of("qa"));
    assert_eq!(code.remotes["origin"].branches, ["preview"]);
    assert!(!code.remotes["origin"].control_files && code.forges.is_empty());
    assert_eq!(qa.forges["shop"].url, "https://api.github.com");
    let has =
        |agent: &config::settings::AgentSettings, tool: &str| agent.tools.iter().any(|t| t == tool);
    assert!(has(&code, "GitPush") && has(&code, "GitCommit") && !has(&code, "OpenPull"));
    assert!(has(&qa, "OpenPull") && has(&qa, "WorkflowRuns") && !has(&qa, "GitPush"));
    assert!(!has(&of("data"), "GitPush"));
    assert!(settings.secrets().any(|secret| secret.reveal() == "tkn-1"));
}

#[test]
fn what_is_wrong_with_one_is_said() {
    const REMOTE: &str = "url: \"https://h.example/x.git\", token: {secret: push}, agents: [code]";
    const FORGE: &str = "repository: me/shop, token: {secret: push}, agents: [code]";
    for (section, text, expected) in [
        (
            "remotes",
            REMOTE.replace("https", "http"),
            "must begin with https://",
        ),
        (
            "remotes",
            REMOTE.replace("token: {secret: push}, ", ""),
            "`permissions.remotes.a.token` is missing",
        ),
        (
            "remotes",
            REMOTE.replace("url: \"https://h.example/x.git\", ", ""),
            "`permissions.remotes.a.url` is missing",
        ),
        (
            "remotes",
            format!("{REMOTE}, branches: [\"+main\"]"),
            "names branches in full",
        ),
        (
            "remotes",
            format!("{REMOTE}, branches: [\"*\"]"),
            "names branches in full",
        ),
        (
            "remotes",
            format!("{REMOTE}, authority: own.pem"),
            "must be the absolute path of a file",
        ),
        (
            "forges",
            FORGE.replace("me/shop", "shop"),
            "is owner/name of a repository",
        ),
        (
            "forges",
            FORGE.replace("me/shop", "me/../x"),
            "is owner/name of a repository",
        ),
        (
            "forges",
            FORGE.replace("repository: me/shop, ", ""),
            "`permissions.forges.a.repository` is missing",
        ),
        (
            "forges",
            format!("{FORGE}, url: \"http://git.example/api/v3\""),
            "must begin with https://",
        ),
    ] {
        let said = with(&format!("{section}:\n  a: {{{text}}}\n")).unwrap_err();
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn a_token_is_sent_to_no_endpoint_in_the_clear() {
    for (url, token, good) in [
        ("https://hooks.example/in", true, true),
        ("http://hooks.example/in", true, false),
        ("http://10.0.0.5:8080/in", true, false),
        ("http://localhost.example/in", true, false),
        ("http://hooks.example/in", false, true),
        ("http://127.0.0.1:8080/in", true, true),
        ("http://localhost:8080", true, true),
        ("http://[::1]:8080/in", true, true),
    ] {
        let token = if token { ", token: {secret: push}" } else { "" };
        let found = with(&format!(
            "endpoints:\n  a: {{url: \"{url}\", agents: [code]{token}}}\n"
        ));
        match found {
            Ok(settings) => {
                let code = settings.agent(&"code".parse().unwrap()).unwrap();
                assert!(good && code.endpoints.contains_key("a"), "{url}{token}");
            }
            Err(said) => {
                let why = "`permissions.endpoints.a.url` must begin with https://";
                assert!(!good && said.contains(why), "{url}{token}: {said}");
            }
        }
    }
}
