//! What fields take and what they never take; what terms grant.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::names::*;
use super::terms::*;
use super::*;
use proptest::prelude::*;
use serde_json::json;

#[track_caller]
fn check<T: std::str::FromStr<Err = String>>(good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(text.parse::<T>().is_ok(), "{text}");
    }
    for text in bad {
        assert!(text.parse::<T>().is_err(), "{text} was taken");
    }
}

#[test]
fn fields_hold_names_and_nothing_else() {
    check::<Unit>(
        &[
            "nginx",
            "nginx.service",
            "getty@tty1",
            "backup.timer",
            "a:b_c-d.service",
        ],
        &[
            "",
            "-H",
            "--root=/x",
            "../x",
            "a/b.service",
            "/etc/x.service",
            "a b",
            "a;b",
            "ng*",
            "ng?nx",
            "[a]",
            "x@.service",
            "x@",
            "reboot.target",
            "systemd-logind",
            "home.mount",
            "a.slice",
            "a\nb",
            "a\\x2d",
            "a..b",
        ],
    );
    check::<SiteName>(
        &["shop", "shop.example", "a-1"],
        &[
            "", ".", "..", "a/b", "-a", "a-", "A", "a b", "a\n", ".conf", "a..b", "a;",
        ],
    );
    check::<HostName>(
        &[
            "shop.example",
            "*.shop.example",
            "localhost",
            "xn--bcher-kva.example",
        ],
        &[
            "", "*", "*.", "a b", "a;b", "a{", "a\nb", "~^x", "_", "1.2.3.4", "a..b", "-a.b",
            "a.b.", "a/b", "$host", "\"a\"", "*.*.a",
        ],
    );
    check::<Folder>(
        &["/srv/www/shop", "/a"],
        &[
            "",
            "/",
            "srv",
            "/srv/../etc",
            "/srv//a",
            "/srv/a/",
            "/srv/./a",
            "/srv/a b",
            "/srv/a;",
            "/srv/$x",
            "/srv/a\n",
            "/srv/{a}",
        ],
    );
    check::<Upstream>(
        &["127.0.0.1:8080", "app.internal:3000", "localhost:1"],
        &[
            "",
            "a",
            "a:0",
            "a:99999",
            "a:+80",
            "unix:/run/docker.sock",
            "a:80/x",
            "a:80;",
            "http://a:80",
            "a:080",
            "1.2.3:80",
        ],
    );
    check::<Target>(
        &[
            "https://shop.example",
            "https://shop.example/a/b",
            "http://a.b/~x",
        ],
        &[
            "",
            "shop.example",
            "javascript://a",
            "https://a/$x",
            "https://a/ b",
            "https://a;",
            "https://u@a",
            "https://a/\n",
            "https://a?b",
            "https://1.2.3.4",
        ],
    );
    check::<PackageName>(
        &["openssl", "libssl3", "g++", "libc6", "libstdc++6"],
        &[
            "", "a", "-y", "--allow", "openssl-", "openssl+", "a b", "a=1", "a/stable", "A",
            "./x.deb", "a*", "^x",
        ],
    );
    check::<Version>(
        &["3.0.20-1~deb12u2", "1:2.3+b1"],
        &["", "a", "-o", "1 2", "1;2", "1/2", "1\n", "1*"],
    );
    check::<Image>(
        &[
            "nginx:1.27",
            "docker.io/library/nginx:1.27",
            "registry.example:5000/a/b:v1",
        ],
        &[
            "",
            "nginx",
            "../a:1",
            "a b:1",
            "a:1 b",
            "a@sha256:x",
            "A:1",
            "a:1;",
            "https://a/b:1",
            "a/../b:1",
        ],
    );
    check::<ContainerName>(
        &["shop", "shop_db-1"],
        &["", "-a", "a/b", "a b", "../a", "a?x", "a%2f"],
    );
    check::<Mail>(
        &["ada@shop.example", "a.b+c_d@x.example"],
        &[
            "",
            "ada",
            "@a.b",
            "-a@a.b",
            "a@b",
            "a b@c.d",
            "a@b.c\n",
            "a@b@c.d",
            "a@1.2.3.4",
            "--x@a.b",
        ],
    );
    check::<AcmeDirectory>(
        &[
            "https://acme-v02.api.letsencrypt.org/directory",
            "https://localhost:14000/dir",
        ],
        &[
            "",
            "http://a.b/dir",
            "https://a.b:0/d",
            "https://a.b/ d",
            "https://u@a.b/d",
            "https://a.b/d?x",
            "https://1.2.3.4/d",
            "--server",
            "https://a:b:1/d",
        ],
    );
    check::<HostFile>(
        &["/etc/motd", "/etc/nginx/conf.d/a.conf", "/etc/groups.d/a"],
        &[
            "",
            "etc/motd",
            "/etc/../etc/shadow",
            "/etc/shadow",
            "/etc/shadow-",
            "/etc/sudoers.d/x",
            "/etc/ai-infra/permissions.yaml",
            "/proc/sys/kernel/x",
            "/etc/a b",
        ],
    );
    check::<KeptId>(
        &["k1", "k999"],
        &[
            "",
            "k",
            "k0",
            "k01",
            "1",
            "k-1",
            "k1/..",
            "../k1",
            "k9999999999",
        ],
    );
}

proptest! {
    #[test]
    fn no_field_carries_a_sign_that_means_something(text in "[ -~\\n\\t]{0,30}") {
        let odd = |s: &str| s.contains(|c: char| c.is_whitespace() || c.is_control() || ";{}$'\"`\\#&|<>()!".contains(c));
        if let Ok(one) = text.parse::<Unit>() { prop_assert!(!odd(one.as_str()) && !one.as_str().contains('/')); }
        if let Ok(one) = text.parse::<SiteName>() { prop_assert!(!odd(one.as_str()) && !one.as_str().contains('/')); }
        if let Ok(one) = text.parse::<HostName>() { prop_assert!(!odd(one.as_str()) && !one.as_str().contains('/')); }
        if let Ok(one) = text.parse::<Folder>() { prop_assert!(!odd(one.as_str()) && one.as_str().starts_with('/')); }
        if let Ok(one) = text.parse::<Upstream>() { prop_assert!(!odd(one.as_str())); }
        if let Ok(one) = text.parse::<Target>() { prop_assert!(!odd(one.as_str())); }
        if let Ok(one) = text.parse::<PackageName>() { prop_assert!(!odd(one.as_str()) && !one.as_str().starts_with('-')); }
        if let Ok(one) = text.parse::<Version>() { prop_assert!(!odd(one.as_str()) && !one.as_str().starts_with('-')); }
        if let Ok(one) = text.parse::<ContainerName>() { prop_assert!(!odd(one.as_str())); }
        if let Ok(one) = text.parse::<Mail>() { prop_assert!(!odd(one.as_str()) && !one.as_str().starts_with('-')); }
        if let Ok(one) = text.parse::<AcmeDirectory>() { prop_assert!(!odd(one.as_str()) && one.as_str().starts_with("https://")); }
        if let Ok(one) = text.parse::<HostFile>() { prop_assert!(!odd(one.as_str()) && one.as_str().starts_with('/')); }
        if let Ok(one) = text.parse::<Image>() { prop_assert!(!odd(one.as_str())); }
    }

    #[test]
    fn a_folder_lies_in_what_was_granted_or_not_at_all(text in "/srv/www[a-z./]{0,20}") {
        let granted: Folder = "/srv/www".parse().unwrap();
        if let Ok(asked) = text.parse::<Folder>() {
            let below = std::path::Path::new(asked.as_str()).starts_with(granted.as_str());
            prop_assert_eq!(asked.lies_in(&granted), below);
        }
    }
}

fn terms() -> Terms {
    Terms {
        services: [("shop".parse().unwrap(), [Verb::Restart].into())].into(),
        sites: Some(SiteTerms {
            names: vec![
                "shop.example".parse().unwrap(),
                "*.of.example".parse().unwrap(),
            ],
            roots: vec!["/srv/www".parse().unwrap()],
            upstreams: vec!["127.0.0.1:8080".parse().unwrap()],
            config: "/etc/nginx/nginx.conf".parse().unwrap(),
            folder: "/etc/nginx/conf.d".parse().unwrap(),
            certificates: "/etc/letsencrypt/live".parse().unwrap(),
            address: None,
            http: 80,
            https: 443,
        }),
        certificates: None,
        files: vec!["/etc/motd".parse().unwrap()],
        packages: None,
        containers: None,
        privileged: false,
    }
}

fn put(names: &[&str], serve: serde_json::Value) -> Duty {
    let site = json!({"names": names, "serve": serve, "certificate": null, "only_https": false});
    let duty = json!({"duty": "put_site", "name": "shop", "site": site, "over": false});
    serde_json::from_value(duty).unwrap()
}

#[test]
fn terms_grant_what_they_name() {
    let root = json!({"root": "/srv/www/shop"});
    for (duty, words) in [
        (
            json!({"duty": "service", "unit": "shop.service", "verb": "restart"}),
            None,
        ),
        (
            json!({"duty": "service", "unit": "shop", "verb": "stop"}),
            Some("`stop` of shop.service"),
        ),
        (
            json!({"duty": "service", "unit": "ssh", "verb": "restart"}),
            Some("ssh.service is not granted"),
        ),
        (json!({"duty": "service_status", "unit": "shop"}), None),
        (
            json!({"duty": "security_updates"}),
            Some("updates are not granted"),
        ),
        (
            json!({"duty": "containers"}),
            Some("containers are not granted"),
        ),
        (json!({"duty": "certificates"}), None),
        (
            json!({"duty": "certify_site", "name": "shop"}),
            Some("certificates are not granted"),
        ),
        (
            json!({"duty": "put_file", "path": "/etc/motd", "text": "hi"}),
            None,
        ),
        (
            json!({"duty": "put_file", "path": "/etc/motd", "text": "a\u{0}b"}),
            Some("no zero byte"),
        ),
        (
            json!({"duty": "put_file", "path": "/etc/issue", "text": "hi"}),
            Some("/etc/issue is not granted"),
        ),
        (
            json!({"duty": "host_file", "path": "/etc/issue"}),
            Some("/etc/issue is not granted"),
        ),
        (
            json!({"duty": "host_run", "run": {"argv": ["id"]}}),
            Some("`permissions.privileged`"),
        ),
    ] {
        let duty: Duty = serde_json::from_value(duty).unwrap();
        let said = terms().allow(&duty).err();
        assert_eq!(said.is_some(), words.is_some(), "{duty:?} {said:?}");
        assert!(said.unwrap_or_default().contains(words.unwrap_or_default()));
    }
    for (duty, words) in [
        (put(&["shop.example", "a.of.example"], root.clone()), None),
        (put(&["*.of.example"], root.clone()), None),
        (
            put(&["of.example"], root.clone()),
            Some("of.example is not granted"),
        ),
        (
            put(&["evil.example"], root.clone()),
            Some("evil.example is not granted"),
        ),
        (put(&["*.example"], root.clone()), Some("is not granted")),
        (
            put(&["shop.example", "shop.example"], root.clone()),
            Some("twice"),
        ),
        (put(&[], root), Some("1 to 20 names")),
        (
            put(&["shop.example"], json!({"root": "/srv/wwwx"})),
            Some("/srv/wwwx is not granted"),
        ),
        (
            put(&["shop.example"], json!({"root": "/etc"})),
            Some("/etc is not granted"),
        ),
        (
            put(&["shop.example"], json!({"upstream": "127.0.0.1:8080"})),
            None,
        ),
        (
            put(&["shop.example"], json!({"upstream": "10.0.0.1:8080"})),
            Some("not granted"),
        ),
    ] {
        let said = terms().allow(&duty).err();
        assert_eq!(said.is_some(), words.is_some(), "{duty:?} {said:?}");
        assert!(
            said.clone()
                .unwrap_or_default()
                .contains(words.unwrap_or_default()),
            "{said:?}"
        );
    }
}

#[test]
fn what_a_duty_does_not_know_is_no_duty() {
    for bad in [
        json!({"duty": "service", "unit": "shop", "verb": "edit"}),
        json!({"duty": "service", "unit": "shop", "verb": "link"}),
        json!({"duty": "service", "unit": "shop", "verb": "set-property"}),
        json!({"duty": "service", "unit": "shop", "verb": "restart", "args": ["--now"]}),
        json!({"duty": "run", "argv": ["sh"]}),
        json!({"duty": "container", "name": "x", "verb": "create", "privileged": true}),
        json!({"duty": "put_site", "name": "a", "over": false, "site": {"names": ["a.b"], "serve": {"root": "/a"}, "certificate": null, "only_https": false, "extra": "include /etc/x;"}}),
    ] {
        assert!(
            serde_json::from_value::<Duty>(bad.clone()).is_err(),
            "{bad}"
        );
    }
    for duty in [Duty::KeptFiles, Duty::Containers] {
        assert!(duty.kind().is_none() && duty.undo().is_none());
    }
}

#[test]
fn every_duty_has_a_tool_of_the_one_list() {
    let duties = [
        json!({"duty": "service", "unit": "shop", "verb": "restart"}),
        json!({"duty": "service_status", "unit": "shop"}),
        json!({"duty": "put_site", "name": "a", "over": false, "site": {"names": ["a.b"], "serve": {"root": "/a"}, "certificate": null, "only_https": false}}),
        json!({"duty": "remove_site", "name": "a", "over": false}),
        json!({"duty": "site_status", "name": "a"}),
        json!({"duty": "certificates"}),
        json!({"duty": "certify_site", "name": "a"}),
        json!({"duty": "renew_certificate", "name": "a"}),
        json!({"duty": "host_file", "path": "/etc/motd"}),
        json!({"duty": "put_file", "path": "/etc/motd", "text": ""}),
        json!({"duty": "kept_files"}),
        json!({"duty": "restore_file", "kept": "k1", "over": false}),
        json!({"duty": "security_updates"}),
        json!({"duty": "installed_packages", "packages": []}),
        json!({"duty": "install_updates", "packages": {}}),
        json!({"duty": "containers"}),
        json!({"duty": "container_logs", "name": "a", "lines": 1}),
        json!({"duty": "container", "name": "a", "verb": "stop"}),
        json!({"duty": "pull_image", "image": "a:1"}),
        json!({"duty": "host_run", "run": {"argv": ["id"]}}),
    ];
    let duties: Vec<Duty> = duties
        .into_iter()
        .map(|one| serde_json::from_value(one).unwrap())
        .collect();
    let mut named: Vec<&str> = duties.iter().map(Duty::tool).collect();
    named.sort_unstable();
    let mut known = tools::ALL.to_vec();
    known.sort_unstable();
    assert_eq!(named, known);
    for duty in duties {
        assert_eq!(
            duty.kind().is_some(),
            tools::CHANGE.contains(&duty.tool()),
            "{duty:?}"
        );
        assert!(
            duty.kind().is_none_or(|kind| KINDS.contains(&kind)),
            "{duty:?}"
        );
    }
}
