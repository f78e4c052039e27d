//! Files of the host that are granted by name: shown as a difference, replaced whole, put back; and what is never touched.

use super::{Warden, ends};
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

struct Stage {
    _folder: tempfile::TempDir,
    at: PathBuf,
    warden: Warden,
}

impl Stage {
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("files-").tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        let files: Vec<PathBuf> = names.iter().map(|name| at.join(name)).collect();
        let warden = Warden::new(
            json!({"services": {}, "sites": null, "packages": null, "containers": null, "files": files}),
        );
        Self {
            _folder: folder,
            at,
            warden,
        }
    }

    fn put(&self, name: &str, text: &str) -> Value {
        json!({"duty": "put_file", "path": self.at.join(name), "text": text})
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at.join(name)).unwrap()
    }
}

fn back(kept: &str, over: bool) -> Value {
    json!({"duty": "restore_file", "kept": kept, "over": over})
}

#[test]
fn a_file_is_replaced_whole_and_put_back() {
    let mut stage = Stage::new(&["shop.conf", "new.conf"]);
    let file = stage.at.join("shop.conf");
    fs::write(&file, "port = 1\nname = shop\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let put = stage.put("shop.conf", "port = 2\nname = shop\n");
    let shown = format!("{:?}", stage.warden.look(&put).shown);
    assert!(
        shown.contains("-port = 1") && shown.contains("+port = 2"),
        "{shown}"
    );
    ends(&stage.warden.make(&put), End::Done, "kept as k1");
    assert_eq!(stage.text("shop.conf"), "port = 2\nname = shop\n");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );
    let read = stage
        .warden
        .ask(&json!({"duty": "host_file", "path": file}));
    assert_eq!(read.data["text"], "port = 2\nname = shop\n");

    ends(
        &stage.warden.make(&back("k1", false)),
        End::Done,
        "kept as k2",
    );
    assert_eq!(stage.text("shop.conf"), "port = 1\nname = shop\n");
    // To any version: also to the one that was put back.
    ends(
        &stage.warden.make(&back("k2", false)),
        End::Done,
        "kept as k3",
    );
    assert_eq!(stage.text("shop.conf"), "port = 2\nname = shop\n");
    // What somebody changed since is not lost without a word.
    fs::write(&file, "a person's own\n").unwrap();
    ends(
        &stage.warden.make(&back("k1", false)),
        End::Not,
        "was changed since k1",
    );
    ends(&stage.warden.make(&back("k1", true)), End::Done, "");
    // A file that was not there goes again.
    ends(
        &stage.warden.make(&stage.put("new.conf", "x")),
        End::Done,
        "",
    );
    let kept = format!("k{}", stage.warden.number);
    ends(&stage.warden.make(&back(&kept, false)), End::Done, "");
    assert!(!stage.at.join("new.conf").exists());
}

#[test]
fn what_ends_a_line_before_its_end_is_shown() {
    let mut stage = Stage::new(&["job.sh"]);
    fs::write(stage.at.join("job.sh"), "rm \\\r\n-rf x\n").unwrap();
    let put = stage.put("job.sh", "rm \\\n-rf x\n");
    let seen = |mark: &str, duty: &Value, stage: &Stage| {
        let shown = stage.warden.look(duty).shown;
        let texts = shown.into_iter().map(|(_, text)| text);
        let lines: Vec<String> = texts.filter(|text| text.starts_with(mark)).collect();
        lines.join(",")
    };
    assert_eq!(seen("-", &put, &stage), "-rm \\\\u{d}");
    ends(&stage.warden.make(&put), End::Done, "kept as k1");
    assert_eq!(seen("+", &back("k1", false), &stage), "+rm \\\\u{d}");
}

#[test]
fn what_was_not_granted_and_what_is_led_elsewhere_is_left_alone() {
    let mut stage = Stage::new(&["link.conf", "sub/a.conf", "granted.conf"]);
    let secret = stage.at.join("secret");
    fs::write(&secret, "s").unwrap();
    symlink(&secret, stage.at.join("link.conf")).unwrap();
    fs::create_dir(stage.at.join("real")).unwrap();
    symlink(stage.at.join("real"), stage.at.join("sub")).unwrap();
    let put = |name: &str| stage.put(name, "x");
    let (link, below, other) = (put("link.conf"), put("sub/a.conf"), put("secret"));
    ends(&stage.warden.make(&link), End::Not, "left alone");
    ends(&stage.warden.make(&below), End::Not, "which is not granted");
    ends(&stage.warden.make(&other), End::Not, "not granted");
    assert_eq!(stage.text("secret"), "s");
    assert!(!stage.at.join("real/a.conf").exists());
    // A grant that is taken back is taken back for what is kept, too.
    fs::write(stage.at.join("granted.conf"), "1").unwrap();
    ends(
        &stage.warden.make(&stage.put("granted.conf", "2")),
        End::Done,
        "",
    );
    let kept = format!("k{}", stage.warden.number);
    stage
        .warden
        .terms
        .files
        .retain(|file| !file.as_str().ends_with("granted.conf"));
    ends(
        &stage.warden.make(&back(&kept, false)),
        End::Not,
        "not granted",
    );
    assert_eq!(stage.text("granted.conf"), "2");
}

#[test]
fn a_folder_that_becomes_a_link_after_the_yes_leads_nothing_elsewhere() {
    let mut stage = Stage::new(&["own/a.conf"]);
    let (own, other) = (stage.at.join("own"), stage.at.join("other"));
    for folder in [&own, &other] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(own.join("a.conf"), "1").unwrap();
    let put = stage.put("own/a.conf", "2");
    ends(&stage.warden.make(&put), End::Done, "kept as k1");
    let back = back("k1", false);
    let (puts, backs) = (
        stage.warden.look(&put).before,
        stage.warden.look(&back).before,
    );
    fs::rename(&own, stage.at.join("moved")).unwrap();
    symlink(&other, &own).unwrap();
    fs::write(other.join("a.conf"), "2").unwrap();
    stage.warden.number += 1;
    for (duty, seen) in [(&put, puts), (&back, backs)] {
        let order = stage.warden.order(Wish::Make, duty, seen);
        ends(&stage.warden.give(&order), End::Not, "which is not granted");
    }
    let read = stage
        .warden
        .ask(&json!({"duty": "host_file", "path": own.join("a.conf")}));
    ends(&read, End::Not, "which is not granted");
    assert_eq!(stage.text("other/a.conf"), "2");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
}

#[test]
fn what_is_the_installs_own_is_never_a_file_to_be_changed() {
    let mut stage = Stage::new(&[]);
    // The warden keeps things in HOME/warden/kept.
    let home = stage.warden.kept.path().canonicalize().unwrap();
    let kept = home.join("warden/kept");
    fs::create_dir_all(&kept).unwrap();
    let own = home.join("permissions.yaml");
    fs::write(&own, "mine").unwrap();
    stage.warden.terms.files = vec![own.display().to_string().parse().unwrap()];
    let duty = json!({"duty": "put_file", "path": own, "text": "x"});
    let mut order = stage.warden.order(Wish::Look, &duty, Value::Null);
    order.kept = kept.display().to_string();
    ends(&stage.warden.give(&order), End::Not, "the install's own");
    assert_eq!(fs::read_to_string(Path::new(&own)).unwrap(), "mine");
}

#[test]
fn an_interrupted_one_is_settled() {
    let mut stage = Stage::new(&["a.conf"]);
    fs::write(stage.at.join("a.conf"), "1").unwrap();
    let put = stage.put("a.conf", "2");
    stage.warden.number = 1;
    let seen = stage.warden.look(&put).before;
    let settle = |stage: &Stage| {
        stage
            .warden
            .give(&stage.warden.order(Wish::Settle, &put, seen.clone()))
    };
    ends(&settle(&stage), End::Not, "before anything was changed");
    stage.warden.number = 0;
    ends(&stage.warden.make(&put), End::Done, "");
    ends(&settle(&stage), End::Done, "kept as k1");
    fs::write(stage.at.join("a.conf"), "1").unwrap();
    ends(&settle(&stage), End::Not, "before the file was placed");
    fs::write(stage.at.join("a.conf"), "3").unwrap();
    ends(&settle(&stage), End::Unknown, "somebody changed it");
}
