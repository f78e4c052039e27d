//! The user's toolchains: which folders of a home are shown read-only, which settings beside them,
//! and what that adds to PATH and the environment.

use super::cargo_settings;
use std::path::{Path, PathBuf};

/// What of a home is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Folders shown read-only at their own absolute path.
    pub folders: Vec<PathBuf>,
    /// Files shown as they were when they were found, with what they held: what is written into them later may be a secret.
    pub files: Vec<(PathBuf, String)>,
    /// Folders for PATH, first first.
    pub path: Vec<PathBuf>,
    /// Variables that point at the folders.
    pub env: Vec<(String, String)>,
}

/// Finds the toolchains of a home. Folders that do not exist are left out.
pub fn detect(home: &Path) -> Profile {
    let mut profile = Profile::default();
    cargo(home, &mut profile);
    pyenv(home, &mut profile);
    nvm(home, &mut profile);
    go(home, &mut profile);
    // Virtual environments made by uv link to the interpreters it keeps here.
    show(&mut profile, home.join(".local/share/uv/python"));
    for (folder, bin) in [
        (".volta", ".volta/bin"),
        (".bun", ".bun/bin"),
        (".deno", ".deno/bin"),
    ] {
        if show(&mut profile, home.join(folder)) {
            profile.path.push(home.join(bin));
        }
    }
    profile
}

fn show(profile: &mut Profile, folder: PathBuf) -> bool {
    let there = folder.is_absolute() && folder.is_dir();
    if there {
        profile.folders.push(folder);
    }
    there
}

fn cargo(home: &Path, profile: &mut Profile) {
    let cargo = home.join(".cargo");
    // Never the folder itself: it holds credentials, and ones that come while a sandbox lives would be seen in it.
    let shown = ["bin", "registry", "git"].map(|name| show(profile, cargo.join(name)));
    if shown.contains(&true) {
        profile.path.push(cargo.join("bin"));
        profile.env.push(("CARGO_HOME".into(), text(&cargo)));
        for name in ["config", "config.toml"] {
            // Source replacement decides where cached crates are looked for.
            let file = cargo.join(name);
            let held = cargo_settings::shown(&file);
            profile.files.extend(held.map(|held| (file, held)));
        }
    }
    let rustup = home.join(".rustup");
    if show(profile, rustup.clone()) {
        profile.env.push(("RUSTUP_HOME".into(), text(&rustup)));
    }
}

fn pyenv(home: &Path, profile: &mut Profile) {
    let pyenv = home.join(".pyenv");
    if !show(profile, pyenv.clone()) {
        return;
    }
    profile.env.push(("PYENV_ROOT".into(), text(&pyenv)));
    let chosen = std::fs::read_to_string(pyenv.join("version")).unwrap_or_default();
    // The chosen version itself comes before the shims, which cost a shell for every start.
    for version in chosen.split_whitespace().filter(|v| plain(v)) {
        let bin = pyenv.join("versions").join(version).join("bin");
        if bin.is_dir() {
            profile.path.push(bin);
        }
    }
    profile.path.push(pyenv.join("shims"));
    profile.path.push(pyenv.join("bin"));
}

fn nvm(home: &Path, profile: &mut Profile) {
    let nvm = home.join(".nvm");
    if !show(profile, nvm.clone()) {
        return;
    }
    let versions = nvm.join("versions/node");
    let newest = std::fs::read_dir(&versions)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .max_by_key(|name| version_key(name));
    if let Some(name) = newest {
        profile.path.push(versions.join(name).join("bin"));
    }
}

/// Modules already fetched: without the network there are no others.
fn go(home: &Path, profile: &mut Profile) {
    let modules = home.join("go/pkg/mod");
    // An empty one would only be in the way: Go then says more plainly what is missing.
    if modules.join("cache/download").is_dir() && show(profile, modules.clone()) {
        profile.env.push(("GOMODCACHE".into(), text(&modules)));
    }
}

fn version_key(name: &str) -> Vec<u64> {
    name.trim_start_matches('v')
        .split('.')
        .map(|n| n.parse().unwrap_or(0))
        .collect()
}

fn plain(name: &str) -> bool {
    !name.contains('/') && !name.starts_with('.')
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn toolchains_are_found_and_credentials_masked() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        for folder in [
            ".cargo/bin",
            ".cargo/registry/index",
            ".rustup",
            ".pyenv/versions/3.12.1/bin",
            ".ssh",
            "go/pkg/mod/cache/download",
            ".local/share/uv/python",
            ".local/share/uv/credentials",
        ] {
            fs::create_dir_all(home.join(folder)).unwrap();
        }
        for version in ["v9.1.0", "v22.3.0", "v18.20.1"] {
            fs::create_dir_all(home.join(".nvm/versions/node").join(version).join("bin")).unwrap();
        }
        fs::write(home.join(".pyenv/version"), "3.12.1\n../../x\n").unwrap();
        fs::write(home.join(".cargo/credentials.toml"), "").unwrap();
        fs::write(home.join(".cargo/config.toml"), "[net]\noffline = true\n").unwrap();
        let profile = detect(home);
        assert!(!profile.folders.contains(&home.join(".ssh")));
        let [modules, pythons] = ["go/pkg/mod", ".local/share/uv/python"].map(|f| home.join(f));
        assert!(profile.folders.contains(&modules) && profile.folders.contains(&pythons));
        assert!(
            !profile
                .folders
                .iter()
                .any(|f| pythons.starts_with(f) && *f != pythons)
        );
        assert!(profile.env.contains(&("GOMODCACHE".into(), text(&modules))));
        for shown in ["bin", "registry"] {
            assert!(profile.folders.contains(&home.join(".cargo").join(shown)));
        }
        // Not even by its folder.
        let hidden = home.join(".cargo/credentials.toml");
        assert!(!profile.folders.iter().any(|f| hidden.starts_with(f)));
        let settings = home.join(".cargo/config.toml");
        let held = "[net]\noffline = true\n".to_owned();
        assert_eq!(profile.files, [(settings.clone(), held)]);
        assert_eq!(
            profile.path,
            [
                home.join(".cargo/bin"),
                home.join(".pyenv/versions/3.12.1/bin"),
                home.join(".pyenv/shims"),
                home.join(".pyenv/bin"),
                home.join(".nvm/versions/node/v22.3.0/bin"),
            ]
        );
        fs::write(&settings, "[registries.x]\ntoken = \"t\"").unwrap();
        assert_eq!(detect(home).files, []);
    }

    #[test]
    fn an_empty_home_shows_nothing() {
        assert_eq!(detect(Path::new("/nonexistent")), Profile::default());
    }
}
