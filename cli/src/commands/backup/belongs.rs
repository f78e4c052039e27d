//! What belongs to a job: the home, or every folder that the team works in, and which of those are not there.

use crate::failure::Failure;
use backup::history::Gone;
use backup::walk::{Root, Rule};
use config::backup::BackupWhat;
use config::home::Home;
use config::settings::Settings;
use std::path::{Path, PathBuf};
use supervisor::ledger::copy::{self, Worked};
use supervisor::ledger::place::Place;

/// What belongs to a job.
#[derive(Default)]
pub struct Roots {
    /// Where it is looked for.
    pub all: Vec<Root>,
    /// Folders that are kept, by their paths.
    pub kept: Vec<String>,
    /// Folders of the list that are not there.
    pub gone: Vec<Gone>,
}

/// Finds it; `ledger` is a copy of the ledger as it is now.
pub async fn roots(
    home: &Home,
    settings: &Settings,
    what: BackupWhat,
    ledger: Option<&Path>,
) -> Result<Roots, Failure> {
    match what {
        BackupWhat::Home => {
            let mut roots = vec![Root {
                label: PathBuf::from("home"),
                path: home.root.clone(),
                rule: Rule::Home,
            }];
            if let Some(copied) = ledger {
                roots.push(Root {
                    label: PathBuf::from("home/ledger.db"),
                    path: copied.to_owned(),
                    rule: Rule::All,
                });
            }
            Ok(Roots {
                all: roots,
                ..Roots::default()
            })
        }
        BackupWhat::Configuration => Ok(Roots::default()),
        BackupWhat::Workspaces => {
            let Some(copied) = ledger else {
                return Ok(Roots::default());
            };
            let folders = copy::workspaces(&Place::file(copied), &settings.host).await;
            let folders = folders.map_err(|error| Failure::new(error.exit_code(), error))?;
            Ok(workspaces(folders, &home.root))
        }
    }
}

/// Folders as roots: one inside another is in it already; one that is not there is said where it is on the list.
fn workspaces(worked: Worked, home: &Path) -> Roots {
    let ours = |folder: &PathBuf| folder.is_absolute() && !folder.starts_with(home);
    let mut folders = worked.folders;
    folders.retain(|folder| ours(folder) && folder.is_dir());
    let shown = |folder: &Path| folder.to_string_lossy().into_owned();
    let kept = folders.iter().map(|folder| shown(folder)).collect();
    let gone = worked
        .named
        .iter()
        .filter(|(_, folder)| ours(folder) && !folder.is_dir());
    let gone = gone.map(|(name, folder)| Gone {
        name: name.clone(),
        path: shown(folder),
    });
    let gone = gone.collect();
    folders.sort();
    folders.dedup_by(|inner, outer| inner.starts_with(outer));
    let all = folders.into_iter().map(|path| Root {
        label: Path::new("workspaces").join(path.strip_prefix("/").unwrap_or(&path)),
        path,
        rule: Rule::Workspace,
    });
    Roots {
        all: all.collect(),
        kept,
        gone,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_in_another_is_backed_up_once() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = root.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            folder
        };
        let all = vec![
            folder("a/b"),
            folder("a"),
            folder("a-b"),
            folder("home/x"),
            root.path().join("gone"),
        ];
        let named = [("shop", "gone"), ("a", "a"), ("own", "home/gone")];
        let worked = Worked {
            folders: all,
            named: (named.iter())
                .map(|(name, path)| ((*name).to_owned(), root.path().join(path)))
                .collect(),
        };
        let roots = workspaces(worked, &folder("home"));
        let gone: Vec<&str> = roots.gone.iter().map(|gone| gone.name.as_str()).collect();
        assert_eq!(gone, ["shop"], "one of the list that is not there");
        assert_eq!(roots.kept.len(), 3);
        let roots = roots.all;
        let paths: Vec<PathBuf> = roots.iter().map(|r| r.path.clone()).collect();
        assert_eq!(paths, [folder("a"), folder("a-b")]);
        let label = Path::new("/").join(roots[0].label.strip_prefix("workspaces").unwrap());
        assert_eq!(label, roots[0].path);
    }
}
