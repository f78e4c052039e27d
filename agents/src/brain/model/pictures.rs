//! What of the attached files the model is shown: pictures and PDFs go into the conversation itself, before
//! the words. The others it reads with tools, as before; where one cannot be shown, the model and the person
//! are told why.

use crate::attached::Kept;
use crate::stop::Stop;
use crate::workbench::Workbench;
use engine::shown::{ALL_BASE64, NotShown, block, data};
use protocol::attachment::Attachment;
use serde_json::{Value, json};

/// The pictures of a task.
#[derive(Debug, Clone, Default)]
pub(super) struct Pictures {
    /// Content blocks: each file's name and the file.
    pub blocks: Vec<Value>,
    /// Files that are shown, by name; and those that are not, with the reason.
    pub told: Vec<(String, Result<(), NotShown>)>,
}

impl Pictures {
    /// What is said of a file in the list of attached files; nothing of one that is no picture.
    pub fn note(&self, name: &str) -> Option<String> {
        let (_, told) = self.told.iter().find(|(known, _)| known == name)?;
        Some(match told {
            Ok(()) => "you see it above".to_owned(),
            Err(why) => format!("it cannot be shown to you: {why}"),
        })
    }

    fn add(&mut self, file: &Attachment, content: &[u8]) {
        let Some(made) = block(content) else {
            return;
        };
        let taken: usize = self.blocks.iter().filter_map(data).map(str::len).sum();
        let fits = |block: &Value| taken + data(block).map_or(0, str::len) <= ALL_BASE64;
        let made = made.and_then(|block| match fits(&block) {
            true => Ok(block),
            false => Err(NotShown::Together),
        });
        let told = made.map(|block| {
            let name = format!("The attached file {}:", file.inside());
            self.blocks
                .extend([json!({"type": "text", "text": name}), block]);
        });
        self.told.push((file.name.clone(), told));
    }
}

/// Reads the attached files of a task. What cannot be shown is told to whoever follows.
///
/// # Errors
/// When the task must stop, or a file is not to be had any more.
pub(super) async fn of(bench: &Workbench) -> Result<Pictures, Stop> {
    let mut pictures = Pictures::default();
    let kept = Kept {
        disk: bench.toolbox.sandboxes.disk.clone(),
        hold: bench.toolbox.sandboxes.hold.clone(),
        bus: bench.bus.clone(),
        role: bench.task.agent.clone(),
    };
    for file in &bench.task.attachments {
        // What the content is has been told by its beginning when it was handed in.
        if !file.is_for_eyes() {
            continue;
        }
        if let Some(content) = kept.content(&file.sha256).await? {
            pictures.add(file, &content);
        }
    }
    for (name, told) in &pictures.told {
        if let Err(why) = told {
            let text = format!(
                "{name} is not shown to the model: {why}; it can look at it with programs only"
            );
            bench.note(text).await?;
        }
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn file(name: &str) -> Attachment {
        Attachment {
            name: name.to_owned(),
            sha256: "ab".repeat(32),
            bytes: 1,
            kind: "PNG image".to_owned(),
        }
    }

    fn png(bytes: usize) -> Vec<u8> {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x0a\0\0\0\x0a\x08\x02\0\0\0".to_vec();
        png.resize(bytes.max(png.len()), 0);
        png
    }

    #[test]
    fn each_picture_comes_with_its_name_and_what_does_not_fit_is_told() {
        let mut pictures = Pictures::default();
        for n in 0..6 {
            pictures.add(&file(&format!("{n}.png")), &png(3_900_000));
        }
        pictures.add(&file("big.png"), &png(4_000_000));
        pictures.add(&file("notes.txt"), b"read me");
        let kinds: Vec<&Value> = pictures.blocks.iter().map(|block| &block["type"]).collect();
        assert_eq!(kinds, ["text", "image"].repeat(4));
        assert_eq!(
            pictures.blocks[0]["text"],
            "The attached file /attachments/0.png:"
        );
        for (name, expected) in [
            ("3.png", Some("you see it above")),
            ("4.png", Some("together with the others")),
            ("big.png", Some("it has 4000000 bytes")),
            ("notes.txt", None),
        ] {
            let note = pictures.note(name);
            let fits =
                expected.is_none_or(|part| note.as_deref().is_some_and(|n| n.contains(part)));
            assert!(
                fits && note.is_some() == expected.is_some(),
                "{name}: {note:?}"
            );
        }
    }
}
