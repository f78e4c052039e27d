//! Backups at GitHub beside its git: the private repository that is made where it is missing, and a snapshot
//! that is kept apart, sealed, as a file of a release.

use super::leash::Leash;
use super::show::Line;
use super::{beside, jobs};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{safe, size};
use crate::terminal;
use backup::error::BackupError;
use backup::store::target::Target;
use config::backup::{BackupJob, BackupWhat};
use config::settings::Settings;
use forge::releases::{NewRelease, Release};
use forge::repositories::Named;
use forge::{ForgeError, GitHub, Led};
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The file of a release that holds the snapshot.
const ASSET: &str = "ai-infra-backup.tar";
/// The folder in it.
const INSIDE: &str = "ai-infra-backup";

impl From<ForgeError> for Failure {
    fn from(error: ForgeError) -> Self {
        Failure::new(error.exit_code(), &error)
    }
}

/// A way to GitHub, or to the Enterprise that `GITHUB_API_URL` names; and the host that its git has.
fn github(context: &Context, settings: &Settings) -> Result<(GitHub, String), Failure> {
    let base = context.env.get("GITHUB_API_URL");
    let base = base.unwrap_or(forge::client::PUBLIC);
    let github = GitHub::at(base, settings.backup.token.clone(), Led::AsUsual)?;
    let host = base.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let host = if base == forge::client::PUBLIC {
        "github.com"
    } else {
        host
    };
    Ok((github, host.to_owned()))
}

/// The repositories of the jobs that are meant, each once, those of sealed backups first.
fn named(settings: &Settings, name: Option<&str>, host: &str) -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    let jobs = settings.backup.jobs.iter();
    let meant = jobs.filter(|(job, _)| name.is_none_or(|name| name == *job));
    let mut meant: Vec<_> = meant.map(|(_, job)| job).collect();
    meant.sort_by_key(|job| job.what == BackupWhat::Configuration);
    for job in meant {
        let url = job.target.as_ref().or(settings.backup.remote.as_ref());
        let found = url.and_then(|url| Named::of_url(url, host));
        all.extend(found.filter(|found| !all.contains(found)));
    }
    all
}

fn not_there(host: &str) -> Failure {
    Failure::usage(format!(
        "no backup is kept at {host}, so there is no repository to make or to release in"
    ))
    .hint(format!(
        "in the home's config/backup.yaml:  remote: https://{host}/me/kept.git"
    ))
}

/// Makes the repositories that are missing, private.
pub async fn create(context: &Context, name: Option<&str>, json: bool) -> Result<(), Failure> {
    let settings = context.settings()?;
    let (github, host) = github(context, &settings)?;
    let all = named(&settings, name, &host);
    if all.is_empty() {
        return Err(not_there(&host));
    }
    for named in all {
        if github.repository(&named).await?.is_some() {
            continue;
        }
        let made = github
            .create_repository(&named, true, "kept by ai-infra")
            .await?;
        if !json {
            terminal::line(&format!("✓ {} was made, private", safe(&made.full_name)));
        }
    }
    Ok(())
}

/// Refuses a repository that everybody can read as the place of what lies there in plain, unless that is meant.
/// Answers what is to be noted where it could not be asked.
pub async fn not_public(
    context: &Context,
    settings: &Settings,
    url: &str,
) -> Result<Option<String>, Failure> {
    let mut jobs = settings.backup.jobs.values();
    let meant = |job: &BackupJob| job.what == BackupWhat::Configuration && job.public;
    let (github, host) = match github(context, settings) {
        Ok(found) => found,
        // Where nobody can be asked, the place may still be another than GitHub.
        Err(wrong) => return Ok(Some(format!("GITHUB_API_URL: {}", wrong.message))),
    };
    let Some(named) = Named::of_url(url, &host).filter(|_| !jobs.any(meant)) else {
        return Ok(None);
    };
    match github.repository(&named).await {
        Ok(Some(found)) if !found.private => Err(Failure::usage(format!(
            "{named} at {host} is public, and the configuration lies there in plain: everybody could read how this team is set up; nothing was sent"
        ))
        .hint("make it private there, or name another target for this job")
        .hint("where it is meant, in config/backup.yaml:  jobs: {configuration: {public: true}}")),
        // What is not there, or not seen, is not public.
        Ok(_) => Ok(None),
        Err(error) => Ok(Some(format!(
            "whether {named} is public could not be asked: {error}"
        ))),
    }
}

/// Makes snapshots into a file of a release: nothing else at the place changes.
pub async fn release(
    context: &Context,
    name: Option<&str>,
    tag: &str,
    json: bool,
) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let (github, host) = github(context, &settings)?;
    let of = named(&settings, name, &host).into_iter().next();
    let of = of.ok_or_else(|| not_there(&host))?;
    if !is_tag(tag) {
        return Err(Failure::usage(format!(
            "`{}` cannot be a tag: use letters, digits, `.`, `-`, `_` and `/`, such as v2026.11",
            config::error::quoted(tag)
        )));
    }
    if github.release(&of, tag).await?.is_some() {
        let said = format!("{of} has a release {tag} already, and it is not written over");
        return Err(Failure::usage(said).hint("choose another tag"));
    }
    super::make::started(&context.home)?;
    let cache = context.home.backup();
    let _alone = super::alone(context, &Leash::new(false)).await?;
    let folder = tempfile::Builder::new()
        .prefix("release-")
        .tempdir_in(cache);
    let folder = folder.map_err(|e| Failure::new(protocol::exit::FAILED, e))?;
    let place = folder.path().join(INSIDE);
    let mut placed = jobs(context, &settings, name)?;
    for one in &mut placed {
        one.target = Target::Folder(place.clone());
    }
    placed.retain(|one| one.what != BackupWhat::Configuration);
    let snapshots = super::make::apart(context, &settings, placed, folder.path(), !json).await?;
    let file = folder.path().join(ASSET);
    let (from, to) = (place.clone(), file.clone());
    beside(move || packed(&from, &to)).await?;
    let _free = std::fs::remove_dir_all(&place);
    let bytes = std::fs::metadata(&file).map_or(0, |about| about.len());
    if bytes > forge::releases::ASSET_BYTES {
        return Err(Failure::usage(format!(
            "the snapshot is {}, and a file of a release may have 2 GiB: release one job alone",
            size(bytes)
        )));
    }
    let mut line = Line::new(!json);
    line.say(|| format!("{} is sent to {of}", size(bytes)));
    let release = sent(&github, &of, tag, &snapshots, &file).await?;
    drop(line);
    if json {
        return super::super::json(&json!({
            "version": DOCUMENT_VERSION, "tag": tag, "url": release.html_url, "snapshots": snapshots, "bytes": bytes,
        }));
    }
    terminal::print(&format!(
        "✓ {} of {}, sealed, {}\n  {}\n  back with: ai-infra backup restore --from https://{}/{of}/releases/tag/{tag}\n",
        safe(tag),
        safe(&of.to_string()),
        size(bytes),
        safe(&release.html_url),
        safe(&host),
    ));
    Ok(protocol::exit::DONE)
}

/// A release is seen by others only when its file is there whole.
async fn sent(
    github: &GitHub,
    of: &Named,
    tag: &str,
    snapshots: &[String],
    file: &Path,
) -> Result<Release, Failure> {
    // What a run that was cut off has left.
    for left in github.releases(of, 100).await? {
        if left.draft && left.tag_name == tag {
            github.delete_release(of, &left).await?;
        }
    }
    let body = format!(
        "A backup of ai-infra, sealed to its recovery key: {}.",
        snapshots.join(", ")
    );
    let new = NewRelease {
        tag_name: tag,
        name: tag,
        body: &body,
        draft: true,
        prerelease: true,
    };
    let draft = github.create_release(of, &new).await?;
    github.upload(&draft, ASSET, file).await?;
    Ok(github.publish(of, &draft).await?)
}

/// Whether `from` names something backups could be taken from; nothing is asked for.
pub fn could_be(context: &Context, settings: &Settings, from: &str) -> Result<(), Failure> {
    let (_, host) = github(context, settings)?;
    match of_release(from, &host) {
        Some(_) => Ok(()),
        None => super::place(context, from).map(drop),
    }
}

/// Where backups are taken from: a place, or a release, whose file is fetched into `scratch` first.
pub async fn place(
    context: &Context,
    settings: &Settings,
    from: &str,
    scratch: &Path,
) -> Result<Target, Failure> {
    let (github, host) = github(context, settings)?;
    let Some((of, tag)) = of_release(from, &host) else {
        return super::place(context, from);
    };
    let release = github.release(&of, &tag).await?.ok_or_else(|| {
        Failure::usage(format!(
            "{of} has no release {tag}, or the token does not see it"
        ))
    })?;
    let asset = release.assets.iter().find(|asset| asset.name == ASSET);
    let asset = asset.ok_or_else(|| {
        Failure::usage(format!(
            "release {tag} of {of} holds no {ASSET}: it is no backup"
        ))
    })?;
    let file = scratch.join(ASSET);
    github.download(&of, asset, &file).await?;
    let to = scratch.to_owned();
    beside(move || unpacked(&file, &to))
        .await
        .map(Target::Folder)
}

/// Whether what is written is a release, of whatever host.
fn of_release(from: &str, host: &str) -> Option<(Named, String)> {
    let (repository, tag) = from.split_once("/releases/tag/")?;
    let named = Named::of_url(repository, host)?;
    is_tag(tag).then(|| (named, tag.to_owned()))
}

fn is_tag(tag: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    (1..=100).contains(&tag.len())
        && tag.bytes().all(plain)
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric())
        && tag.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !tag.contains("..")
        && !tag.contains("//")
        && !tag.ends_with(".lock")
}

fn packed(folder: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |source: std::io::Error| BackupError::File {
        doing: "write",
        path: to.to_owned(),
        source,
    };
    let file = File::create(to).map_err(failed)?;
    let mut archive = tar::Builder::new(file);
    archive.append_dir_all(INSIDE, folder).map_err(failed)?;
    let file = archive.into_inner().map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Only plain files and folders, below the folder alone; what is in them is sealed and looked at later.
fn unpacked(file: &Path, to: &Path) -> Result<PathBuf, BackupError> {
    let failed = |source: std::io::Error| BackupError::File {
        doing: "unpack",
        path: file.to_owned(),
        source,
    };
    let mut archive = tar::Archive::new(File::open(file).map_err(failed)?);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let kind = entry.header().entry_type();
        let below = entry.path().is_ok_and(|path| path.starts_with(INSIDE));
        if !(kind.is_file() || kind.is_dir()) || !below || !entry.unpack_in(to).map_err(failed)? {
            let odd = std::io::Error::other("it holds something that no backup does");
            return Err(failed(odd));
        }
    }
    Ok(to.join(INSIDE))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_release_is_told_from_a_place() {
        for (from, expected) in [
            (
                "https://github.com/me/kept/releases/tag/v1",
                Some("me/kept v1"),
            ),
            (
                "https://github.com/me/kept/releases/tag/a/b.c",
                Some("me/kept a/b.c"),
            ),
            ("https://github.com/me/kept/releases/tag/", None),
            ("https://github.com/me/kept/releases/tag/../x", None),
            ("https://evil.example/me/kept/releases/tag/v1", None),
            ("https://github.com/me/kept.git", None),
            ("/mnt/releases/tag/x", None),
        ] {
            let found = of_release(from, "github.com");
            let found = found.map(|(named, tag)| format!("{named} {tag}"));
            assert_eq!(found.as_deref(), expected, "{from}");
        }
    }

    #[test]
    fn an_archive_comes_back_and_a_strange_one_writes_nothing_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["place/packs", "out", "strange"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        std::fs::write(at("place/packs/a"), "sealed").unwrap();
        packed(&at("place"), &at("good.tar")).unwrap();
        let back = unpacked(&at("good.tar"), &at("out")).unwrap();
        assert_eq!(std::fs::read(back.join("packs/a")).unwrap(), b"sealed");
        for path in ["elsewhere/x", "ai-infra-backup/../../x"] {
            let mut archive = tar::Builder::new(File::create(at("bad.tar")).unwrap());
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            archive.append(&header, b"x".as_slice()).unwrap();
            archive.into_inner().unwrap();
            let out = at("strange");
            let said = unpacked(&at("bad.tar"), &out).unwrap_err().to_string();
            assert!(said.contains("no backup does"), "{said}");
            assert!(std::fs::read_dir(&out).unwrap().next().is_none());
            assert!(!at("x").exists());
        }
    }
}
