//! The playbooks there are: the shipped ones, and the person's in the home, which replace shipped
//! ones of the same name. Read again when the folder changed. One that cannot be read is left out
//! and named; it never stops the team.

use crate::yaml_folder::{self, Print, print};
use config::home::Home;
use pai::playbook::Playbook;
use pai::playbook::library::Library;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// The text of each playbook by its name.
type Texts = BTreeMap<String, Cow<'static, str>>;

struct Shelved {
    print: Print,
    library: Arc<Library>,
    texts: Texts,
    problems: Vec<String>,
}

/// The shelf.
pub struct Shelf {
    folder: PathBuf,
    read: Mutex<Shelved>,
}

impl Shelf {
    /// Reads the playbooks of a home.
    pub fn open(home: &Home) -> Self {
        let folder = home.playbooks();
        let read = read(&folder, print(&folder));
        Self {
            folder,
            read: Mutex::new(read),
        }
    }

    /// The playbooks as they are now.
    pub fn library(&self) -> Arc<Library> {
        self.now().library.clone()
    }

    /// The text of a playbook as it is now.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = self.now().texts.get(name).cloned();
        text.map(Cow::into_owned)
    }

    fn now(&self) -> MutexGuard<'_, Shelved> {
        let now = print(&self.folder);
        let mut kept = self.read.lock().unwrap_or_else(|p| p.into_inner());
        if kept.print != now {
            *kept = read(&self.folder, now);
        }
        kept
    }

    /// Sentences about playbooks that could not be read.
    pub fn problems(&self) -> Vec<String> {
        let kept = self.read.lock().unwrap_or_else(|p| p.into_inner());
        kept.problems.clone()
    }
}

fn read(folder: &Path, print: Print) -> Shelved {
    let mut problems = Vec::new();
    let mut playbooks: BTreeMap<String, Playbook> = BTreeMap::new();
    let mut texts = Texts::new();
    for (name, yaml) in config::shipped::playbooks() {
        let yaml = Cow::Borrowed(*yaml);
        take(&mut playbooks, &mut texts, &mut problems, name, yaml);
    }
    for (path, _) in &print {
        match yaml_folder::text(path) {
            Ok(yaml) => take(
                &mut playbooks,
                &mut texts,
                &mut problems,
                &path.display().to_string(),
                Cow::Owned(yaml),
            ),
            Err(error) => problems.push(format!(
                "the playbook {} cannot be read: {error}",
                path.display()
            )),
        }
    }
    for problem in &problems {
        tracing::warn!(problem, folder = %folder.display(), "playbook left out");
    }
    Shelved {
        print,
        library: Arc::new(Library::new(playbooks.into_values().collect())),
        texts,
        problems,
    }
}

fn take(
    playbooks: &mut BTreeMap<String, Playbook>,
    texts: &mut Texts,
    problems: &mut Vec<String>,
    from: &str,
    yaml: Cow<'static, str>,
) {
    match Playbook::parse(&yaml) {
        Ok(playbook) => {
            texts.insert(playbook.name.clone(), yaml);
            playbooks.insert(playbook.name.clone(), playbook);
        }
        Err(error) => problems.push(format!(
            "the playbook {from} is left out: {error}; `ai-infra playbook check` says more"
        )),
    }
}
