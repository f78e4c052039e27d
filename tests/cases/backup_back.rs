//! The way back as somebody meets it who lost a machine: what is wrong is said in a sentence with the next step,
//! nothing is begun by it, and what was cut off goes on by the same command.

use crate::AI_INFRA;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tests::many::files;
use tests::processes::{send, wait_until};
use tests::team::{Ran, Team};

/// A home that was backed up twice and is lost, and where its backups are.
fn lost() -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA).backs_up_by_hand();
    let place = team.scratch("backups");
    let line = place.display().to_string();
    let team = team.with_env("AI_INFRA__BACKUP__REMOTE", &line);
    team.up();
    team.ai(&["memory", "add", "one thing"]).expect(0);
    for _ in 0..2 {
        team.ai(&["backup", "run", "memory"]).expect(0);
    }
    team.down();
    fs::remove_dir_all(team.home()).unwrap();
    (team, place)
}

fn copied(from: &Path, to: &Path) -> String {
    let done = std::process::Command::new("cp")
        .arg("-rT")
        .args([from, to])
        .status();
    assert!(done.unwrap().success());
    to.display().to_string()
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_begun() {
    let (team, place) = lost();
    let key = team.user_home().join(".config/ai-infra/recovery-key");
    let other = team.scratch("other").join("key");
    let nonsense = team.scratch("other").join("nonsense");
    let open = team.scratch("other").join("open");
    let whole = fs::read_to_string(&key).unwrap();
    let stranger = Team::new(AI_INFRA).backs_up_by_hand();
    let line = stranger.scratch("backups").display().to_string();
    let stranger = stranger.with_env("AI_INFRA__BACKUP__REMOTE", &line);
    stranger.up();
    stranger.ai(&["backup", "run", "memory"]).expect(0);
    stranger.down();
    fs::copy(
        stranger.user_home().join(".config/ai-infra/recovery-key"),
        &other,
    )
    .unwrap();
    fs::write(&nonsense, "hello\n").unwrap();
    fs::write(&open, whole).unwrap();
    fs::set_permissions(&nonsense, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let newer = copied(&place, &team.scratch("newer"));
    let about = Path::new(&newer).join("repository.json");
    let text = fs::read_to_string(&about).unwrap();
    fs::write(&about, text.replace("\"v\":1", "\"v\":9")).unwrap();
    let bent = copied(&place, &team.scratch("bent"));
    let newest = files(&Path::new(&bent).join("snapshots")).pop().unwrap().0;
    fs::write(Path::new(&bent).join("snapshots").join(newest), "half").unwrap();
    let empty = team.scratch("empty").display().to_string();
    let full = team.scratch("full");
    fs::write(full.join("mine"), "").unwrap();
    let text = |path: &Path| path.display().to_string();
    let (other, nonsense, open, full) = (text(&other), text(&nonsense), text(&open), text(&full));
    for (args, code, said) in [
        (
            vec!["--key", &other],
            2,
            "was made with another recovery key",
        ),
        (
            vec!["--key", &nonsense],
            2,
            "it has one line that begins with AGE-SECRET-KEY-1",
        ),
        (vec!["--key", &open], 2, "chmod 600"),
        (
            vec!["--key", "/no/such/file"],
            2,
            "put your copy of it there",
        ),
        (vec!["--from", &empty], 2, "is that the place?"),
        (
            vec!["--from", "gopher://x"],
            2,
            "is no place for backups: write",
        ),
        (
            vec!["--from", "file:///no/such/repository"],
            5,
            "make an empty one first",
        ),
        (
            vec!["--from", "ssh://nobody@127.0.0.1:1/x.git"],
            5,
            "Connection refused",
        ),
        (
            vec!["--from", "https://127.0.0.1:1/x.git"],
            5,
            "Failed to connect",
        ),
        (vec!["--from", "s3://bucket/x"], 5, "AWS_ACCESS_KEY_ID"),
        (
            vec!["--from", &newer],
            2,
            "use the newer ai-infra that wrote it",
        ),
        (
            vec!["--from", &bent],
            1,
            "another one may be whole: --at 20",
        ),
        (vec!["--at", "1999"], 2, "see `ai-infra backup list`"),
        (vec!["nothing"], 2, "there are snapshots of: memory"),
        (
            vec!["--to", &full],
            2,
            "is not empty: nothing is written over",
        ),
    ] {
        let ran = team.ai(&[&["backup", "restore"], args.as_slice()].concat());
        assert!(ran.stderr.contains(said), "{args:?}: {ran:#?}");
        assert_eq!(ran.code, code, "{args:?}: {ran:#?}");
        assert!(!team.home().exists(), "{args:?} began something");
    }
    team.ai(&["backup", "restore"]).expect(0);
    team.up();
    team.down();
}

/// On a file system of its own: so large, with room for so many files.
fn small_disk(team: &Team, at: &Path, options: &str, args: &[&str]) -> Option<Ran> {
    let mount = format!(
        "mount -t tmpfs -o {options} tmpfs {} && exec \"$@\"",
        at.display()
    );
    let inner = team.command(args);
    let mut words = vec![
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        &mount,
        "sh",
    ];
    let exe = inner.get_program().to_str().unwrap().to_owned();
    words.push(&exe);
    words.extend(args);
    let mut outer = std::process::Command::new("unshare");
    outer.args(words).env_clear().stdin(Stdio::null());
    outer.envs(
        inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let ran = outer.output().ok()?;
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    if stderr.contains("unshare:") || stderr.contains("mount:") {
        eprintln!("skipped: no file system of its own can be made here: {stderr}");
        return None;
    }
    Some(Ran {
        code: ran.status.code().unwrap_or(255),
        stdout: String::from_utf8_lossy(&ran.stdout).into_owned(),
        stderr,
        took: Duration::ZERO,
    })
}

#[test]
fn a_disk_without_room_is_said_before_and_one_that_fills_says_how_it_goes_on() {
    let (team, _place) = lost();
    let to = team.scratch("disk");
    let folder = to.display().to_string();
    let restore = ["backup", "restore", "--to", &folder];
    let Some(ran) = small_disk(&team, &to, "size=64k", &restore) else {
        return;
    };
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(
        ran.stderr.contains("there is no room for it in"),
        "{ran:#?}"
    );
    let ran = small_disk(&team, &to, "size=64m,nr_inodes=6", &restore).unwrap();
    assert_eq!(ran.code, 1, "{ran:#?}");
    let said = [
        "no space left on device",
        "only half there; the same command goes on",
    ];
    assert!(
        said.iter().all(|said| ran.stderr.contains(said)),
        "{ran:#?}"
    );
}

#[test]
fn cut_off_by_ctrl_c_the_same_command_goes_on() {
    let (team, place) = lost();
    // A pack that does not come: a pipe that nobody writes to.
    let packs = place.join("packs");
    let (pack, bytes) = files(&packs)
        .into_iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap();
    let pack = packs.join(pack);
    let to = team.scratch("look").display().to_string();
    for words in [
        vec!["backup", "restore", "--to", &to],
        vec!["backup", "restore"],
    ] {
        let marked = match words.len() {
            2 => team.home().join("restoring.json"),
            _ => Path::new(&to).join(".ai-infra-restoring.json"),
        };
        fs::remove_file(&pack).unwrap();
        nix::unistd::mkfifo(&pack, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let running = team.start(&words);
        // The list lies in another pack, or the mark would not be there; where it does not, one look is enough.
        let begun = wait_until(Duration::from_secs(20), || marked.exists());
        assert!(begun, "{words:?} did not begin");
        send(running.id(), nix::sys::signal::Signal::SIGINT);
        let ended = running.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(130), "{said}");
        assert!(
            said.contains("interrupted: ") && said.contains("goes on with it"),
            "{said}"
        );
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, &bytes).unwrap();
        if words.len() > 2 {
            let other = team
                .ai(&[words.as_slice(), &["--at", "1999"]].concat())
                .expect(2);
            assert!(other.stderr.contains("is half filled with"), "{other:#?}");
        } else {
            team.ai(&["up", "--no-tmux"]).expect(2);
        }
        team.ai(&words).expect(0);
        assert!(!marked.exists());
    }
    team.up();
    team.down();
}
