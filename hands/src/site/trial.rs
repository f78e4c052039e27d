//! The whole configuration of nginx tried with a candidate in it before the candidate is placed: a copy of
//! the folder of settings in a scratch folder, in which only what is included from that folder is led to the
//! copy. `nginx -t` reads it as it will read the real one.

use crate::Refused;
use crate::program::{Program, Ran, run};
use protocol::duty::terms::SiteTerms;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest `nginx -t`: it looks names of upstreams up.
pub const TEST: Duration = Duration::from_secs(30);
/// Most files and bytes of a folder of settings.
const FILES: usize = 4000;
const BYTES: u64 = 32 * 1024 * 1024;

/// Tries the configuration with a file of this name holding this text, or without it.
///
/// # Errors
/// What nginx says of it.
pub async fn tried(terms: &SiteTerms, file: &str, text: Option<&str>) -> Result<(), Refused> {
    let config = Path::new(terms.config.as_str());
    let real = config.parent().unwrap_or(Path::new("/"));
    let scratch = tempfile::Builder::new()
        .prefix("ai-infra-site-")
        .tempdir()
        .map_err(|error| format!("there is no scratch folder: {error}"))?;
    let copy = scratch.path().join("settings");
    let mut left = (FILES, BYTES);
    copied(real, &copy, real, &copy, &mut left, 0)?;
    let folder = Path::new(terms.folder.as_str());
    let below = folder.strip_prefix(real).map_err(|_| {
        format!(
            "`permissions.operations.sites.folder` must lie below {}: nothing can be tried else",
            real.display()
        )
    })?;
    let candidate = copy.join(below).join(file);
    let placed = match text {
        Some(text) => fs::write(&candidate, text),
        None => fs::remove_file(&candidate).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        }),
    };
    placed.map_err(|error| format!("the candidate cannot be tried: {error}"))?;
    let main = copy.join(config.file_name().unwrap_or_default());
    let ran = test(&main).await?;
    let said = ran
        .complained
        .replace(&copy.display().to_string(), &real.display().to_string());
    match ran.good {
        true => clashes(&said),
        false => Err(format!("nginx refuses the configuration with it: {}", lines(&said)).into()),
    }
}

/// `nginx -t` of a main file.
pub async fn test(main: &Path) -> Result<Ran, Refused> {
    let main = main.display().to_string();
    run(
        Program::Nginx,
        &["-t", "-e", "stderr", "-c", &main],
        &[],
        TEST,
    )
    .await
}

/// Two servers for one name: nginx only warns, and one of them never answers.
fn clashes(said: &str) -> Result<(), Refused> {
    let clash = said
        .lines()
        .find(|line| line.contains("conflicting server name"));
    match clash {
        Some(line) => Err(format!(
            "another site answers to a name of it: {}",
            protocol::text::one_line(line, 200)
        )
        .into()),
        None => Ok(()),
    }
}

/// The lines that say what is wrong.
pub fn lines(said: &str) -> String {
    let bad: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("[emerg]"))
        .collect();
    match bad.is_empty() {
        true => protocol::text::one_line(said, 600),
        false => protocol::text::one_line(&bad.join(" "), 600),
    }
}

fn copied(
    from: &Path,
    to: &Path,
    real: &Path,
    copy: &Path,
    left: &mut (usize, u64),
    deep: usize,
) -> Result<(), Refused> {
    let failed = |error: std::io::Error| {
        format!(
            "the settings in {} cannot be copied to be tried: {error}",
            from.display()
        )
    };
    if deep > 12 {
        return Err(format!("{} is too deep to be tried", from.display()).into());
    }
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)?.flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        // A link that leads nowhere stays one nobody can read.
        let Ok(about) = fs::metadata(&path) else {
            continue;
        };
        if about.is_dir() {
            copied(&path, &target, real, copy, left, deep + 1)?;
        } else if about.is_file() {
            let size = about.len();
            let room = left.0.checked_sub(1).zip(left.1.checked_sub(size));
            *left =
                room.ok_or_else(|| format!("{} holds more than can be tried", real.display()))?;
            let bytes = fs::read(&path).map_err(failed)?;
            let bytes = match String::from_utf8(bytes) {
                Ok(text) => led(&text, real, copy).into_bytes(),
                Err(error) => error.into_bytes(),
            };
            fs::write(&target, bytes).map_err(failed)?;
        }
    }
    Ok(())
}

/// A text of settings whose `include` of the real folder reads the copy.
fn led(text: &str, real: &Path, copy: &Path) -> String {
    let (real, copy) = (
        format!("{}/", real.display()),
        format!("{}/", copy.display()),
    );
    let line = |line: &str| match line.find("include") {
        Some(at) if line.get(..at).is_some_and(|before| !before.contains('#')) => {
            line.replace(&real, &copy)
        }
        _ => line.to_owned(),
    };
    let all: Vec<String> = text.split('\n').map(line).collect();
    all.join("\n")
}

/// The file that holds a site.
pub fn file_name(name: &protocol::duty::names::SiteName) -> String {
    format!("ai-infra-{name}.conf")
}

/// Where it lies.
pub fn file(terms: &SiteTerms, name: &protocol::duty::names::SiteName) -> PathBuf {
    Path::new(terms.folder.as_str()).join(file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_includes_are_led_to_the_copy() {
        let text = "include /etc/nginx/conf.d/*.conf;\n# include /etc/nginx/a;\nssl_certificate /etc/nginx/a.pem;\ninclude mime.types;";
        let got = led(text, Path::new("/etc/nginx"), Path::new("/tmp/s"));
        assert_eq!(
            got,
            "include /tmp/s/conf.d/*.conf;\n# include /etc/nginx/a;\nssl_certificate /etc/nginx/a.pem;\ninclude mime.types;"
        );
    }
}
