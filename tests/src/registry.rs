//! Private registries as companies have them: one web server that wants a token before it shows an index of Python, a
//! registry of npm, one of crates, and a repository of git. Each holds one package, `cart`, made on the spot.

use crate::git_https::{self, GitHttps};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What nginx is told. Each kind of client shows the token in its own way.
const LOCATIONS: &str = r#"
location /py/ { if ($http_authorization != "Basic PIP") { return 401; } root OWN; index index.html; }
location /js/ { if ($http_authorization != "Bearer TOKEN") { return 401; } root OWN; default_type application/json; }
location /crates/ { if ($http_authorization != "TOKEN") { return 401; } root OWN;
  rewrite ^/crates/dl/(.*)/download$ /crates/files/$1.crate redirect; }
location = /py/echo { default_type text/plain; return 200 "you sent $http_authorization, $arg_q $http_x_original_url"; }
location = /py/bytes { default_type application/octet-stream; return 200 "you sent $http_authorization"; }
location = /py/away { return 302 http://127.0.0.1:PLAIN/caught; }
location = /py/away-by-name { return 302 https://elsewhere.example/caught; }
location = /private { return 200 "not for programs"; }
location = /caught { default_type text/plain; return 200 "caught $http_authorization"; }
"#;

/// A running server.
pub struct Registry {
    /// Its git side, and the web server in front of everything.
    pub git: GitHttps,
    folder: tempfile::TempDir,
}

/// Starts one; `None`, with a word on standard error, where something is not installed.
pub fn start(token: &str) -> Option<Registry> {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().display().to_string();
    let basic = format!("__token__:{token}");
    let basic = Command::new("sh")
        .args(["-c", "printf %s \"$0\" | base64 -w0"])
        .arg(basic)
        .output();
    let basic = String::from_utf8(basic.expect("base64").stdout).expect("text");
    let locations = LOCATIONS
        .replace("OWN", &own)
        .replace("TOKEN", token)
        .replace("PIP", &basic);
    let git = git_https::start_beside(token, &locations)?;
    let registry = Registry { git, folder };
    registry.fill();
    Some(registry)
}

impl Registry {
    /// The address of everything.
    pub fn url(&self, below: &str) -> String {
        format!("https://localhost:{}/{below}", self.git.nginx.good)
    }

    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }

    fn fill(&self) {
        // Python: a wheel, by an index that names it in full.
        let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\n\
            z.writestr('cart.py', 'TOTAL = 42\\n')\nd = 'cart-1.0.0.dist-info/'\n\
            z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: cart\\nVersion: 1.0.0\\n')\n\
            z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
            z.writestr(d + 'RECORD', '')\nz.close()\n";
        let wheel = self.put("py/files/cart-1.0.0-py3-none-any.whl", "");
        run(Command::new("python3").args(["-c", script]).arg(&wheel));
        let link = self.url("py/files/cart-1.0.0-py3-none-any.whl");
        let page = format!(
            "<!DOCTYPE html><html><body><a href=\"{link}\">cart-1.0.0-py3-none-any.whl</a></body></html>"
        );
        self.put("py/simple/cart/index.html", page);
        // npm: a description that names the file in full.
        self.put(
            "pack/package/package.json",
            r#"{"name":"cart","version":"1.0.0","main":"index.js"}"#,
        );
        self.put("pack/package/index.js", "module.exports = 42;\n");
        fs::create_dir_all(self.folder.path().join("js/files")).expect("a folder");
        self.pack("js/files/cart-1.0.0.tgz", "pack", "package");
        let tarball = self.url("js/files/cart-1.0.0.tgz");
        let about = format!(
            r#"{{"name":"cart","dist-tags":{{"latest":"1.0.0"}},"versions":{{"1.0.0":{{"name":"cart","version":"1.0.0","main":"index.js","dist":{{"tarball":"{tarball}"}}}}}}}}"#
        );
        self.put("js/cart", about);
        // Cargo: a crate that is reached by a redirect, and an index that demands a token.
        self.put(
            "crate/cart-1.0.0/Cargo.toml",
            "[package]\nname = \"cart\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
        );
        self.put(
            "crate/cart-1.0.0/src/lib.rs",
            "pub fn total() -> u32 { 42 }\n",
        );
        fs::create_dir_all(self.folder.path().join("crates/files/cart")).expect("a folder");
        let file = self.pack("crates/files/cart/1.0.0.crate", "crate", "cart-1.0.0");
        let sum: String = Sha256::digest(fs::read(file).expect("a file"))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let line = format!(
            r#"{{"name":"cart","vers":"1.0.0","deps":[],"cksum":"{sum}","features":{{}},"yanked":false}}"#
        );
        self.put("crates/index/ca/rt/cart", line + "\n");
        let dl = self.url("crates/dl");
        self.put(
            "crates/index/config.json",
            format!(r#"{{"dl":"{dl}","auth-required":true}}"#),
        );
        // Git: one commit on the branch that a clone follows.
        let work = self.folder.path().join("work");
        let kept = self.git.repository();
        let lines = format!(
            "git init -q -b main {0} && cd {0} && echo 42 > total && git add . && git -c user.name=a -c user.email=a@b \
             commit -qm one && git push -q {1} main && git -C {1} symbolic-ref HEAD refs/heads/main",
            work.display(),
            kept.display()
        );
        run(Command::new("sh").args(["-c", &lines]));
    }

    fn pack(&self, to: &str, folder: &str, name: &str) -> PathBuf {
        let to = self.folder.path().join(to);
        let from: &Path = &self.folder.path().join(folder);
        run(Command::new("tar")
            .arg("czf")
            .arg(&to)
            .arg("-C")
            .arg(from)
            .arg(name));
        to
    }
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().expect("it runs");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
