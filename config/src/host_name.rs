//! What the team calls this host. Kept in the home at the first start: tasks wait for a host by its
//! name, and a machine that is renamed meanwhile must still find its own.

use crate::error::ConfigError;
use crate::home::Home;
use crate::own;
use crate::private_file;

/// Largest file read, in bytes.
const FILE_BYTES: u64 = 4096;

/// Whether a name can stand for a host: a letter or digit first, then those, `-`, `.` and `_`.
pub fn is_host(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && name != "any"
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// The name of this home's host: the invited one, else the kept one, else the kernel's.
pub fn of(home: &Home, invited: Option<&str>) -> String {
    let kept = || {
        let bytes = private_file::read(&home.host(), FILE_BYTES).ok()??;
        let name = String::from_utf8(bytes).ok()?.trim().to_owned();
        is_host(&name).then_some(name)
    };
    invited
        .map(str::to_owned)
        .or_else(kept)
        .unwrap_or_else(|| fit(&own::kernel_host()))
}

/// Keeps the name, unless one is kept already.
pub fn keep(home: &Home, name: &str) -> Result<(), ConfigError> {
    match home.host().exists() {
        true => Ok(()),
        false => private_file::write(&home.host(), format!("{name}\n").as_bytes()),
    }
}

/// A kernel's name that cannot stand for a host is not used.
fn fit(name: &str) -> String {
    match is_host(name) {
        true => name.to_owned(),
        false => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_renamed_machine_keeps_its_name_in_the_team() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(of(&home, None), fit(&own::kernel_host()));
        keep(&home, "old-name").unwrap();
        keep(&home, "new-name").unwrap();
        assert_eq!(of(&home, None), "old-name");
        assert_eq!(of(&home, Some("web2")), "web2");
    }

    #[test]
    fn names_are_checked() {
        for (name, good) in [
            ("web-1.example", true),
            ("any", false),
            ("a:b", false),
            ("-x", false),
            ("", false),
            ("a*", false),
            ("ü", false),
        ] {
            assert_eq!(is_host(name), good, "{name}");
            assert_eq!(fit(name) == name, good, "{name}");
        }
    }
}
