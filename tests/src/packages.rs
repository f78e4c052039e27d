//! Packages for a real apt: a root of its own below a folder, with two small packages installed and archives that hold
//! updates of them, one for security. Nothing of the machine's own packages is touched.

use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of every package: it can be held while it is set up.
const POSTINST: &str = "#!/bin/sh
[ \"$1\" = configure ] && [ -e HERE/hold ] || exit 0
touch HERE/held
while [ -e HERE/hold ]; do sleep 0.05; done
";

/// A root with packages, and two archives beside it: one for security.
pub struct Root(tempfile::TempDir);

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
    /// With `shop-lib` and `shop-tool` installed; an update of the first is one of security. `None` where there is no apt,
    /// which is said.
    pub fn new() -> Option<Self> {
        let is_there = |program: &str| Path::new("/usr/bin").join(program).exists();
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

    /// Another security update of a package, which apt knows of.
    pub fn publish(&self, name: &str, version: &str) {
        self.package("security", name, version, "");
        self.archive("security", "Debian-Security", "stable-security");
        self.apt(&["update", "-q"]);
    }

    /// Whether a package that is being set up waits there until it may go on.
    pub fn hold(&self, on: bool) {
        let file = self.at("hold");
        match on {
            true => fs::write(file, "").unwrap(),
            false => fs::remove_file(file).unwrap(),
        }
    }

    /// Whether one waits there.
    pub fn is_held(&self) -> bool {
        self.at("held").exists()
    }

    /// A path below it.
    pub fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The same as text.
    pub fn text(&self, path: &str) -> String {
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
        let script = POSTINST.replace("HERE", &self.text(""));
        let file = build.join("DEBIAN/postinst");
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
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

    /// The version of a package that is installed; empty where none is.
    pub fn installed(&self, name: &str) -> String {
        fs::read_to_string(self.at("usr/share").join(name)).unwrap_or_default()
    }
}
