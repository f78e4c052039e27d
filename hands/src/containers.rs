//! Containers that are there, over the engine's own API on its socket (Docker's, which podman speaks too). None is
//! ever made, none is entered: a name from settings is started, stopped, restarted, listed or listened to.

use crate::{Refused, begun, failed, halt, unchanged};
use protocol::duty::ContainerVerb;
use protocol::duty::names::{ContainerName, Image};
use protocol::duty::order::{End, Order, Outcome, Wish};
use protocol::duty::terms::ContainerTerms;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const ASK: Duration = Duration::from_secs(60);
const PULL: Duration = Duration::from_secs(1700);
/// Most bytes of one answer.
const SAID: usize = 4 * 1024 * 1024;
/// Most lines of a log.
const LINES: u32 = 500;
/// Seconds a container has to end by itself.
const GRACE: u32 = 10;
/// Longest that the engine goes on with a verb whose asker is gone: the grace, and a start.
const GOES_ON: Duration = Duration::from_secs(GRACE as u64 + 5);

struct Engine<'a> {
    client: Client,
    terms: &'a ContainerTerms,
}

impl<'a> Engine<'a> {
    fn of(order: &'a Order) -> Result<Self, Refused> {
        let terms = order
            .terms
            .containers
            .as_ref()
            .ok_or("containers are not granted")?;
        // An error means that the process has a provider already, which serves as well.
        let _there = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .unix_socket(terms.socket.as_str())
            .no_proxy()
            .build();
        let client = client.map_err(|error| format!("the engine cannot be asked: {error}"))?;
        Ok(Self { client, terms })
    }

    /// Asks the engine, until this process is told to stop. With a POST a change is begun; once it is answered it is looked at,
    /// whatever is said meanwhile.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        patience: Duration,
    ) -> Result<(StatusCode, Vec<u8>), Refused> {
        let url = format!("http://engine{path}");
        let away = |error: reqwest::Error| {
            Refused::from(format!(
                "the engine at {} does not answer: {}",
                self.terms.socket,
                cause(&error)
            ))
        };
        halt::check()?;
        let changes = method == Method::POST;
        if changes {
            begun::mark();
        }
        let asked = async {
            let request = self.client.request(method, url).timeout(patience);
            let mut answer = request.send().await.map_err(away)?;
            let status = answer.status();
            let mut bytes = Vec::new();
            while let Some(part) = answer.chunk().await.map_err(away)? {
                let room = SAID.saturating_sub(bytes.len());
                bytes.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
            }
            Ok::<_, Refused>((status, bytes))
        };
        let answer = tokio::select! {
            answer = asked => answer?,
            _ = halt::wait() => return Err(halt::stopped()),
        };
        if changes {
            halt::finishing();
        }
        Ok(answer)
    }

    async fn json(&self, path: &str) -> Result<Value, Refused> {
        let (status, bytes) = self.ask(Method::GET, path, ASK).await?;
        if !status.is_success() {
            return Err(format!("the engine answers with {status}: {}", message(&bytes)).into());
        }
        serde_json::from_slice(&bytes).map_err(|_| "the engine answers something unreadable".into())
    }

    async fn one(&self, name: &ContainerName) -> Result<Value, Refused> {
        let found = self.json(&format!("/containers/{name}/json")).await?;
        // The engine also takes the beginning of an id for a name.
        let same = found["Name"].as_str().map(|n| n.trim_start_matches('/')) == Some(name.as_str());
        match same {
            true => Ok(state(&found)),
            false => Err(format!("there is no container named {name}").into()),
        }
    }

    /// How one stands once a verb that may have been begun shows, or had its time: the engine goes on with it when
    /// whoever asked is gone, and does not say that it does.
    async fn once_at_rest(
        &self,
        name: &ContainerName,
        verb: ContainerVerb,
        before: &Value,
    ) -> Result<Value, Refused> {
        let began = std::time::Instant::now();
        loop {
            let now = self.one(name).await?;
            if happened(verb, before, &now) || began.elapsed() > GOES_ON || halt::asked() {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    protocol::text::one_line(&cause.to_string(), 160)
}

fn message(bytes: &[u8]) -> String {
    let said = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    protocol::text::one_line(said["message"].as_str().unwrap_or("no reason"), 300)
}

/// What of a container is of use; its environment, which holds secrets, is not.
fn state(found: &Value) -> Value {
    let host = &found["HostConfig"];
    json!({
        "id": found["Id"], "name": found["Name"].as_str().unwrap_or_default().trim_start_matches('/'),
        "image": found["Config"]["Image"], "image_id": found["Image"], "running": found["State"]["Running"],
        "status": found["State"]["Status"], "started_at": found["State"]["StartedAt"], "exit_code": found["State"]["ExitCode"],
        "privileged": host["Privileged"], "network": host["NetworkMode"], "binds": host["Binds"],
    })
}

/// Lists those that were granted.
pub async fn list(order: &Order) -> Result<Outcome, Refused> {
    let engine = Engine::of(order)?;
    let found = engine.json("/containers/json?all=true").await?;
    let (mut rows, mut missing) = (Vec::new(), Vec::new());
    for name in &engine.terms.names {
        let here = found.as_array().into_iter().flatten().find(|one| {
            let names = one["Names"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            names
                .map(|n| n.trim_start_matches('/'))
                .any(|n| n == name.as_str())
        });
        match here {
            Some(one) => rows.push(json!({"name": name, "image": one["Image"], "state": one["State"], "status": one["Status"]})),
            None => missing.push(name),
        }
    }
    let text = format!(
        "{} of {} granted containers are there",
        rows.len(),
        engine.terms.names.len()
    );
    Ok(Outcome::of(
        End::Done,
        text,
        json!({"containers": rows, "missing": missing}),
    ))
}

/// The last lines one said.
pub async fn logs(order: &Order, name: &ContainerName, lines: u32) -> Result<Outcome, Refused> {
    let engine = Engine::of(order)?;
    engine.one(name).await?;
    let lines = lines.clamp(1, LINES);
    let path = format!("/containers/{name}/logs?stdout=true&stderr=true&tail={lines}");
    let (status, bytes) = engine.ask(Method::GET, &path, ASK).await?;
    if !status.is_success() {
        return Err(format!("the engine answers with {status}: {}", message(&bytes)).into());
    }
    let text = protocol::text::safe(&String::from_utf8_lossy(&unframed(&bytes)));
    Ok(Outcome::of(End::Done, text, json!({"name": name})))
}

/// Output of a container without a terminal comes in frames: a byte for the way out, three of nothing, four of length.
fn unframed(bytes: &[u8]) -> Vec<u8> {
    let (mut rest, mut out) = (bytes, Vec::new());
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [way, 0, 0, 0, a, b, c, d] = *head else {
            break;
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if way > 2 {
            break;
        }
        out.extend_from_slice(body.get(..length.min(body.len())).unwrap_or_default());
        rest = body.get(length..).unwrap_or_default();
    }
    // With a terminal there are no frames: what is no frame is said as it is.
    out.extend_from_slice(rest);
    out
}

fn happened(verb: ContainerVerb, before: &Value, now: &Value) -> bool {
    let running = now["running"] == true;
    match verb {
        ContainerVerb::Start => running,
        ContainerVerb::Stop => !running,
        ContainerVerb::Restart => running && now["started_at"] != before["started_at"],
    }
}

/// Looks, makes or settles a change.
pub async fn change(
    order: &Order,
    name: &ContainerName,
    verb: ContainerVerb,
) -> Result<Outcome, Refused> {
    let engine = Engine::of(order)?;
    let now = match order.wish {
        Wish::Settle => {
            engine
                .once_at_rest(name, verb, &order.before["state"])
                .await?
        }
        _ => engine.one(name).await?,
    };
    let seen = json!({"bound": {"id": now["id"]}, "state": now});
    let word = verb.as_str();
    if order.wish == Wish::Look {
        return Ok(Outcome::look(shown(word, name, &now), seen));
    }
    unchanged(order, &seen)?;
    let before = &order.before["state"];
    if order.wish == Wish::Settle && happened(verb, before, &now) {
        let text = format!("{word} {name}: it was done before the interruption");
        return Ok(Outcome::of(
            End::Done,
            text,
            json!({"before": before, "after": now}),
        ));
    }
    let path = match verb {
        ContainerVerb::Start => format!("/containers/{name}/start"),
        _ => format!("/containers/{name}/{word}?t={GRACE}"),
    };
    let (status, bytes) = engine.ask(Method::POST, &path, ASK).await?;
    let after = engine.one(name).await?;
    let data = json!({"before": before, "after": after});
    // 304: it is so already.
    let good = status.is_success() || status == StatusCode::NOT_MODIFIED;
    if good && happened(verb, before, &after) {
        let text = format!(
            "{word} {name}: done, it is {} now",
            after["status"].as_str().unwrap_or("?")
        );
        return Ok(Outcome::of(End::Done, text, data));
    }
    let why = if good {
        "its state says otherwise".to_owned()
    } else {
        message(&bytes)
    };
    Ok(failed(
        format!("{word} {name} did not come out: {why}"),
        data,
    ))
}

fn shown(word: &str, name: &ContainerName, now: &Value) -> Vec<(String, String)> {
    let text = |key: &str| match &now[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut lines = vec![
        ("do".to_owned(), format!("{word} the container {name}")),
        (
            "now".to_owned(),
            format!("{}, since {}", text("status"), text("started_at")),
        ),
        ("image".to_owned(), text("image")),
        ("folders".to_owned(), text("binds")),
        ("network".to_owned(), text("network")),
    ];
    if now["privileged"] == true {
        lines.push((
            "note".to_owned(),
            "it is privileged: it can do whatever root can".to_owned(),
        ));
    }
    lines
}

/// Fetches an image.
pub async fn pull(order: &Order, image: &Image) -> Result<Outcome, Refused> {
    let engine = Engine::of(order)?;
    let (name, tag) = image
        .as_str()
        .rsplit_once(':')
        .unwrap_or((image.as_str(), "latest"));
    let id =
        |found: Result<Value, Refused>| found.ok().map(|one| one["Id"].clone()).unwrap_or_default();
    let before = id(engine.json(&format!("/images/{image}/json")).await);
    if order.wish == Wish::Look {
        let there = if before.is_null() {
            "it is not there yet"
        } else {
            "it is there; a newer one may come"
        };
        let lines = vec![
            ("do".to_owned(), format!("fetch the image {image}")),
            ("now".to_owned(), there.to_owned()),
        ];
        return Ok(Outcome::look(lines, json!({"bound": image, "id": before})));
    }
    let path = format!("/images/create?fromImage={name}&tag={tag}");
    // How far one came that was cut off need not be known: the engine lets go of it, a later one fetches only what is missing,
    // and nothing but what the yes was for, this image under its name, can come of either.
    let (status, bytes) = match engine.ask(Method::POST, &path, PULL).await {
        Ok(answer) => answer,
        Err(Refused(why)) if begun::is() => {
            let data =
                json!({"image": image, "before": order.before["id"], "stopped": halt::asked()});
            return Ok(failed(format!("{image} was not fetched: {why}"), data));
        }
        Err(why) => return Err(why),
    };
    let after = id(engine.json(&format!("/images/{image}/json")).await);
    let data = json!({"image": image, "before": order.before["id"], "after": after});
    // The engine says 200 first and what went wrong at the end of the stream.
    let wrong = String::from_utf8_lossy(&bytes)
        .lines()
        .rev()
        .find_map(|line| {
            let said: Value = serde_json::from_str(line).ok()?;
            Some(protocol::text::one_line(said["error"].as_str()?, 300))
        });
    if !status.is_success() || wrong.is_some() || after.is_null() {
        let why = wrong.unwrap_or_else(|| message(&bytes));
        return Ok(failed(format!("{image} was not fetched: {why}"), data));
    }
    Ok(Outcome::of(End::Done, format!("{image} is here"), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_off() {
        let framed = [
            &[1, 0, 0, 0, 0, 0, 0, 3][..],
            b"ab\n",
            &[2, 0, 0, 0, 0, 0, 0, 2],
            b"c\n",
        ]
        .concat();
        assert_eq!(unframed(&framed), b"ab\nc\n");
        assert_eq!(
            unframed(b"plain words of a terminal\n"),
            b"plain words of a terminal\n"
        );
        assert_eq!(unframed(&[1, 0, 0, 0, 0, 0, 0, 200, b'x']), b"x");
        assert_eq!(unframed(b""), b"");
    }

    #[test]
    fn an_interrupted_restart_is_told_from_one_that_was_not_begun() {
        let (one, two) = (
            json!({"running": true, "started_at": "a"}),
            json!({"running": true, "started_at": "b"}),
        );
        assert!(
            !happened(ContainerVerb::Restart, &one, &one)
                && happened(ContainerVerb::Restart, &one, &two)
        );
        assert!(
            happened(ContainerVerb::Start, &one, &one)
                && !happened(ContainerVerb::Stop, &one, &one)
        );
    }
}
