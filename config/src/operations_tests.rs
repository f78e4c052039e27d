//! What is granted, to whom, and that a home widens nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

fn rules_of(machine: &str, home: &str) -> Result<Rules, String> {
    let dir = tempfile::tempdir().unwrap();
    let system = dir.path().join("etc");
    let home_at = Home::at(dir.path().join("home"));
    std::fs::create_dir_all(&system).unwrap();
    std::fs::create_dir_all(home_at.config()).unwrap();
    for (folder, text) in [(system.clone(), machine), (home_at.config(), home)] {
        if !text.is_empty() {
            std::fs::write(folder.join("permissions.yaml"), text).unwrap();
        }
    }
    rules_from(&system, &home_at, &"infra".parse().unwrap()).map_err(|e| e.to_string())
}

const SHOP: &str = "operations: {services: {shop: {verbs: [restart, status], agents: [infra]}}}";

#[test]
fn nothing_is_granted_unless_it_is_named() {
    assert_eq!(rules_of("", "").unwrap().terms, Terms::default());
    let got = rules_of("", SHOP).unwrap().terms;
    assert_eq!(
        got.services.get(&"shop".parse().unwrap()),
        Some(&[Verb::Restart].into())
    );
    let other = SHOP.replace("infra", "code");
    assert_eq!(rules_of("", &other).unwrap().terms, Terms::default());
    let sites = "operations: {sites: {agents: [infra], names: [shop.example], roots: [/srv/www]}}";
    let got = rules_of("", sites).unwrap().terms.sites.unwrap();
    assert_eq!(
        (got.http, got.config.as_str()),
        (80, "/etc/nginx/nginx.conf")
    );
}

#[test]
fn certificates_and_files_are_granted_by_name() {
    let text = "operations: {certificates: {agents: [infra], mail: ada@shop.example}, files: {agents: [infra], paths: [/etc/motd]}}";
    let got = rules_of("", text).unwrap().terms;
    let one = got.certificates.unwrap();
    assert_eq!(
        (one.directory.as_str(), one.challenges().as_str()),
        (LETS_ENCRYPT, "/var/lib/letsencrypt/ai-infra-challenges")
    );
    assert_eq!(got.files, ["/etc/motd".parse().unwrap()]);
    // What the machine says a home neither adds to nor leads elsewhere.
    let home = "operations: {certificates: {mail: eve@evil.example, directory: 'https://evil.example/d'}, files: {paths: [/etc/hosts]}}";
    let got = rules_of(text, home).unwrap().terms;
    assert_eq!(got.certificates.unwrap(), one);
    assert_eq!(got.files.len(), 1);
}

#[test]
fn a_home_widens_nothing_the_machine_named() {
    let more = "operations: {services: {shop: {verbs: [restart, stop], agents: [infra]}, ssh: {verbs: [stop], agents: [infra]}}}";
    let got = rules_of(SHOP, more).unwrap().terms;
    assert_eq!(got.services.len(), 1, "{got:?}");
    assert_eq!(
        got.services.get(&"shop".parse().unwrap()),
        Some(&[Verb::Restart].into())
    );
    let machine = "operations: {sites: {agents: [infra], names: [shop.example]}}";
    let home = "operations: {sites: {names: [evil.example], roots: [/], upstreams: ['10.0.0.1:80'], folder: /etc/cron.d}}";
    let got = rules_of(machine, home).unwrap().terms.sites.unwrap();
    assert_eq!(got.names, ["shop.example".parse().unwrap()]);
    assert!(got.roots.is_empty() && got.upstreams.is_empty());
    assert_eq!(got.folder.as_str(), "/etc/nginx/conf.d");
}

#[test]
fn what_cannot_be_a_name_is_told_and_grants_nothing() {
    for (text, words) in [
        (
            "operations: {services: {'../x': {verbs: [start], agents: [infra]}}}",
            "unit",
        ),
        (
            "operations: {services: {shop: {verbs: [edit], agents: [infra]}}}",
            "`edit` is none of",
        ),
        (
            "operations: {sites: {agents: [infra], roots: ['/srv/../etc']}}",
            "absolute path",
        ),
        (
            "operations: {sites: {agents: [infra], names: ['a b']}}",
            "host's name",
        ),
        (
            "operations: {sites: {agents: [infra], address: here}}",
            "no IP address",
        ),
        (
            "operations: {certificates: {agents: [infra]}}",
            "certificates.mail`: say to whom",
        ),
        (
            "operations: {certificates: {agents: [infra], mail: 'a b'}}",
            "mail address",
        ),
        (
            "operations: {certificates: {agents: [infra], mail: a@b.c, directory: 'http://a.b'}}",
            "ACME directory",
        ),
        (
            "operations: {files: {agents: [infra], paths: [/etc/shadow]}}",
            "who may do what",
        ),
        ("operations: {servces: {}}", "services"),
    ] {
        let said = rules_of("", text).unwrap_err();
        assert!(said.contains(words), "{text}: {said}");
    }
}

#[test]
fn programs_are_granted_to_those_that_are_named_and_never_without_asking() {
    let named = "privileged: [infra]";
    assert!(rules_of("", named).unwrap().terms.privileged);
    assert!(!rules_of("", "privileged: [code]").unwrap().terms.privileged);
    // A home names none beside those of the machine, and may name fewer.
    assert!(
        !rules_of("privileged: [code]", "privileged: [code, infra]")
            .unwrap()
            .terms
            .privileged
    );
    assert!(!rules_of(named, "privileged: []").unwrap().terms.privileged);
    // Whatever a file says: nothing of it is done without a person.
    let allowed = rules_of("", "acts: {host.run: allow}").unwrap();
    assert_eq!(allowed.acts.rule("host.run"), protocol::approval::Rule::Ask);
}
