//! Security updates by a real apt: from an archive of the test's own, into a root of its own.

use super::{Warden, ends, is_there};
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A root with packages, and two archives beside it: one for security.
struct Root(tempfile::TempDir);

fn ran(program: &str, args: &[&str]) {
    let out = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

impl Root {
    fn new() -> Option<Self> {
        if !is_there("apt-get") || !is_there("dpkg-deb") {
            eprintln!("skipped: no apt and dpkg: this is no host of Debian's kind");
            return None;
        }
        let root = Self(tempfile::tempdir().unwrap());
        for folder in [
            "var/lib/dpkg/updates",
            "var/lib/dpkg/info",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "etc/apt/sources.list.d",
            "etc/apt/preferences.d",
            "var/log/apt",
            "log",
            "stable",
            "security",
        ] {
            fs::create_dir_all(root.at(folder)).unwrap();
        }
        fs::write(root.at("var/lib/dpkg/status"), "").unwrap();
        let here = root.text("");
        let here = here.trim_end_matches('/');
        let config = format!(
            "Dir \"{here}\";\nDir::State::status \"{here}/var/lib/dpkg/status\";\nDir::Bin::dpkg \"/usr/bin/dpkg\";\nDir::Bin::Methods \"/usr/lib/apt/methods/\";\n\
             Dir::Etc::Parts \"/nonexistent\";\nDir::Etc::Main \"/nonexistent\";\nDir::Log \"{here}/log\";\n#clear DPkg::Pre-Install-Pkgs;\n#clear DPkg::Post-Invoke;\n#clear DPkg::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n\
             DPkg::Options {{ \"--root={here}\"; \"--force-not-root\"; \"--force-script-chrootless\"; \"--log={here}/log/dpkg.log\"; }};\nAPT::Sandbox::User \"{}\";\nAPT::Architectures {{ \"amd64\"; }};\nAPT::Architecture \"amd64\";\n",
            if nix::unistd::geteuid().is_root() {
                "root"
            } else {
                ""
            },
        );
        fs::write(root.at("apt.conf"), config).unwrap();
        fs::write(root.at("etc/apt/sources.list"), format!("deb [trusted=yes] file:{here}/stable ./\ndeb [trusted=yes] file:{here}/security ./\n")).unwrap();
        for (name, version) in [("shop-lib", "1.0-1"), ("shop-tool", "1.0-1")] {
            let file = root.package("log", name, version, "");
            ran(
                "dpkg",
                &[
                    "--root",
                    here,
                    "--force-not-root",
                    "--force-script-chrootless",
                    "--log",
                    &root.text("log/dpkg.log"),
                    "-i",
                    &file,
                ],
            );
        }
        root.package("security", "shop-lib", "1.0-2", "");
        root.package("stable", "shop-tool", "1.0-2", "");
        root.package("security", "shop-pair", "1.0-2", "Depends: shop-new\n");
        root.archive("stable", "Debian", "stable");
        root.archive("security", "Debian-Security", "stable-security");
        root.apt(&["update", "-q"]);
        Some(root)
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path)
    }

    fn text(&self, path: &str) -> String {
        self.at(path).display().to_string()
    }

    fn package(&self, folder: &str, name: &str, version: &str, more: &str) -> String {
        let build = self.at("build").join(format!("{name}-{version}"));
        fs::create_dir_all(build.join("DEBIAN")).unwrap();
        fs::create_dir_all(build.join("usr/share")).unwrap();
        fs::write(build.join("usr/share").join(name), version).unwrap();
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@example.org>\n{more}Description: of the story\n"
        );
        fs::write(build.join("DEBIAN/control"), &control).unwrap();
        let file = self.text(&format!("{folder}/{name}_{version}_all.deb"));
        ran(
            "dpkg-deb",
            &[
                "--build",
                "--root-owner-group",
                &build.display().to_string(),
                &file,
            ],
        );
        let bytes = fs::read(&file).unwrap();
        let sum: String = Sha256::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let base = Path::new(&file).file_name().unwrap().to_str().unwrap();
        let entry = format!(
            "{control}Filename: ./{base}\nSize: {}\nSHA256: {sum}\n\n",
            bytes.len()
        );
        let index = self.at(folder).join("Packages");
        let before = fs::read_to_string(&index).unwrap_or_default();
        fs::write(index, before + &entry).unwrap();
        file
    }

    fn archive(&self, folder: &str, label: &str, suite: &str) {
        let bytes = fs::read(self.at(folder).join("Packages")).unwrap();
        let sum: String = Sha256::digest(&bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let release = format!(
            "Origin: Debian\nLabel: {label}\nSuite: {suite}\nVersion: 12\nDate: Sat, 21 Nov 2026 00:00:00 UTC\nSHA256:\n {sum} {} Packages\n",
            bytes.len()
        );
        fs::write(self.at(folder).join("Release"), release).unwrap();
    }

    fn apt(&self, args: &[&str]) {
        let out = Command::new("apt-get")
            .args(args)
            .env("APT_CONFIG", self.at("apt.conf"))
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }

    fn installed(&self, name: &str) -> String {
        fs::read_to_string(self.at("usr/share").join(name)).unwrap_or_default()
    }

    fn warden(&self) -> Warden {
        Warden::new(
            json!({"services": {}, "sites": null, "containers": null, "packages": {"config": self.text("apt.conf")}}),
        )
    }
}

fn install(packages: Value) -> Value {
    json!({"duty": "install_updates", "packages": packages})
}

#[test]
fn exactly_the_named_security_updates_are_installed() {
    let Some(root) = Root::new() else { return };
    let mut warden = root.warden();
    let waiting = warden.ask(&json!({"duty": "security_updates"}));
    ends(&waiting, End::Done, "1 security update waits");
    assert_eq!(
        waiting.data["packages"],
        json!({"shop-lib": "1.0-2"}),
        "{waiting:#?}"
    );

    // An ordinary update, another version, one that is not there: nothing is done.
    ends(
        &warden.make(&install(json!({"shop-tool": "1.0-2"}))),
        End::Not,
        "no security update",
    );
    ends(
        &warden.make(&install(json!({"shop-lib": "9.9-9"}))),
        End::Not,
        "apt would not do it",
    );
    ends(
        &warden.make(&install(json!({"shop-pair": "1.0-2"}))),
        End::Not,
        "",
    );
    ends(
        &warden.make(&install(json!({}))),
        End::Not,
        "no package is named",
    );
    assert_eq!(
        (
            root.installed("shop-lib").as_str(),
            root.installed("shop-tool").as_str()
        ),
        ("1.0-1", "1.0-1")
    );

    let duty = install(json!({"shop-lib": "1.0-2"}));
    let look = warden.look(&duty);
    assert!(
        look.shown
            .iter()
            .any(|(_, text)| text.contains("shop-lib 1.0-1 → 1.0-2")),
        "{look:#?}"
    );
    assert_eq!(root.installed("shop-lib"), "1.0-1");
    // Begun, cut off before apt began: it is brought to its end, once.
    let settled = warden.give(&warden.order(Wish::Settle, &duty, look.before.clone()));
    ends(&settled, End::Done, "installed: shop-lib=1.0-2");
    assert_eq!(
        (
            root.installed("shop-lib").as_str(),
            root.installed("shop-tool").as_str()
        ),
        ("1.0-2", "1.0-1")
    );
    ends(
        &warden.give(&warden.order(Wish::Settle, &duty, look.before)),
        End::Done,
        "before the interruption",
    );
    ends(&warden.make(&duty), End::Not, "nothing to install");
    ends(
        &warden.ask(&json!({"duty": "security_updates"})),
        End::Done,
        "no security update waits",
    );
}
