//! Pictures and PDFs that go with a request: a model is shown what they are by their content, what it cannot be shown is
//! said to it and to the person, and a playbook says that it does not look.

use crate::AI_INFRA;
use serde_json::{Value, json};
use tests::model_api::ModelApi;
use tests::team::Team;

/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

const READS: &str = r#"
playbook: 1
name: reads
agent: code
level: 0
intents: ["read the readme"]
steps:
  - {id: read, tool: Read, args: {file_path: README.md}}
criteria: [{id: c1, text: "it is there", check: {file: {path: README.md}}}]
report: "{{ steps.read.text | line }}"
tests: [{ask: "read the readme"}]
"#;

/// The picture.
pub fn pixel() -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(PIXEL)
        .expect("base64")
}

fn proposal() -> Value {
    json!({
        "options": [{"name": "look", "summary": "look at it", "risk": "none"}],
        "choice": "look", "steps": ["look"],
        "criteria": [{"id": "c1", "text": "the readme is there", "check": {"file": {"path": "README.md"}}}]
    })
}

#[test]
fn a_model_sees_what_was_attached_and_hears_what_it_cannot_see() {
    let api = ModelApi::start(proposal(), Vec::new());
    let team = Team::new(AI_INFRA)
        .with_env("ANTHROPIC_API_KEY", "sk-ant-story")
        .with_env("ANTHROPIC_BASE_URL", api.url());
    team.configure("team:\n  lease_ms: 1500\nengine:\n  name: anthropic\n");
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "# Shop\n").expect("a file");
    let given = team.scratch("given");
    let pdf = "%PDF-1.7\n1 0 obj <</Type /Page>> endobj\ntrailer\n%%EOF\n";
    let mut large = pixel();
    large.resize(4_000_000, 0);
    for (name, content) in [
        // A name tells nothing.
        ("shot.jpg", pixel()),
        ("bill.pdf", pdf.as_bytes().to_vec()),
        ("large.png", large),
        ("cut.gif", b"GIF8".to_vec()),
        ("notes.png", b"no picture at all\n".to_vec()),
    ] {
        std::fs::write(given.join(name), content).expect("a file");
    }
    let at = |name: &str| given.join(name).display().to_string();
    let names = ["shot.jpg", "bill.pdf", "large.png", "cut.gif", "notes.png"].map(at);
    let mut words = vec!["run", "what is wrong here", "--agent", "code"];
    let folder = work.display().to_string();
    words.extend(["--workspace", &folder]);
    for name in &names {
        words.extend(["--attach", name]);
    }
    let ran = team.ai(&words).expect(0);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let told = "large.png is not shown to the model: it has 4000000 bytes, and a model is shown an image of at most 3932160";
    for told in [
        told,
        "cut.gif is not shown to the model: it is broken or cut off",
    ] {
        assert!(said.contains(told), "{said}");
    }
    let bodies = api.bodies();
    assert!(bodies.len() >= 2, "{bodies:#?}");
    // What makes the plan sees it, and so does what works.
    for body in &bodies {
        let content = body["messages"][0]["content"].as_array().expect("blocks");
        let seen: Vec<Value> = content
            .iter()
            .map(|block| match block["type"].as_str() {
                Some("text") => json!(block["text"].as_str().unwrap_or_default().lines().next()),
                _ => json!([block["type"], block["source"]["media_type"]]),
            })
            .collect();
        let expected = json!([
            "The attached file /attachments/shot.jpg:",
            ["image", "image/png"],
            "The attached file /attachments/bill.pdf:",
            ["document", "application/pdf"],
            "# Request"
        ]);
        assert_eq!(json!(seen), expected, "{body:#}");
        assert_eq!(content[1]["source"]["data"], PIXEL);
        let words = content[4]["text"].as_str().unwrap_or_default();
        for line in [
            "- /attachments/shot.jpg: PNG image, 69 bytes; you see it above",
            "- /attachments/large.png: PNG image, 4000000 bytes; it cannot be shown to you: it has 4000000 bytes",
            "- /attachments/notes.png: text, 18 bytes\n",
        ] {
            assert!(words.contains(line), "`{line}` is not in {words}");
        }
    }
    team.down();
}

#[test]
fn a_playbook_says_that_it_does_not_look_at_pictures() {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("reads.yaml"), READS).expect("a playbook");
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "# Shop\n").expect("a file");
    let shot = team.scratch("given").join("shot.bin");
    std::fs::write(&shot, pixel()).expect("a file");
    let (folder, shot) = (work.display().to_string(), shot.display().to_string());
    let asked = |request: &str| {
        let words = ["run", request, "--workspace", &folder, "--attach", &shot];
        let ran = team.ai(&words);
        (ran.code, format!("{}{}", ran.stdout, ran.stderr))
    };
    let (code, said) = asked("read the readme");
    let told =
        "shot.bin is there as a file: a playbook does not look at pictures and pages, a model does";
    assert!(code == 0 && said.contains(told), "{code}: {said}");
    // What only a model could do says so, with what to do.
    let (code, said) = asked("describe what the screenshot shows");
    assert!(
        code != 0 && said.contains("anthropic-api-key"),
        "{code}: {said}"
    );
    team.down();
}
