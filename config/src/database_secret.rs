//! A database as one secret: the JSON that AWS Secrets Manager keeps for one (`username`, `password`, `host`, `port`,
//! `dbname`), named in place of an address. It becomes an address without a password, and the password beside it.

use crate::error::Problem;
use crate::layers::Layers;
use crate::load::Sources;
use crate::secret;
use protocol::postgres::{Address, Tls};
use serde_json::{Value, json};

/// The port where none is named.
const PORT: u16 = 5432;

/// Puts an address in the place of a secret that is named there, and its password where no other is known.
pub fn settle(layers: &mut Layers, sources: &Sources<'_>, url: &[&str], password: &[&str]) {
    let Some(entry) = layers.get(url).cloned() else {
        return;
    };
    let Some(name) = entry.value.get("secret").and_then(Value::as_str) else {
        return;
    };
    let found = match secret::find(sources.home, sources.env, name) {
        Ok(Some(found)) => read(found.reveal()),
        Ok(None) => Err(format!(
            "is not kept here: run `ai-infra secret set {name}`"
        )),
        Err(error) => Err(error.to_string()),
    };
    match found {
        Ok((address, own)) => {
            layers.settle(url, json!(address.url()));
            let known = layers.get(password).is_some_and(|is| !is.value.is_null());
            if let (false, Some(own)) = (known, own) {
                layers.lay_beside(url, password, json!(own));
            }
        }
        Err(why) => {
            // An address that is none would be said once more.
            layers.settle(url, Value::Null);
            let message = format!("`{}` names secret `{name}`, which {why}", url.join("."));
            layers
                .problems
                .push(Problem::new(entry.origin.to_string(), message));
        }
    }
}

/// Reads such a secret. An error never quotes it.
fn read(text: &str) -> Result<(Address, Option<String>), String> {
    let expected = "is no JSON with `username`, `password`, `host`, `port` and `dbname`";
    let map: Value = serde_json::from_str(text).map_err(|_| expected.to_owned())?;
    let word = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| map.get(name)?.as_str());
        found.find(|word| !word.is_empty()).map(str::to_owned)
    };
    let missing = |name: &str| format!("lacks `{name}`: it {expected}");
    if let Some(engine) = word(&["engine"])
        && !engine.starts_with("postgres")
        && !engine.starts_with("aurora-postgres")
    {
        return Err("is for another kind of database than PostgreSQL".to_owned());
    }
    let port = match map.get("port") {
        None | Some(Value::Null) => Some(PORT),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_u64().and_then(|port| u16::try_from(port).ok()),
    };
    let user = word(&["username", "user"]).ok_or_else(|| missing("username"))?;
    let mut address = Address {
        host: word(&["host"]).ok_or_else(|| missing("host"))?,
        port: port
            .filter(|port| *port > 0)
            .ok_or_else(|| missing("port"))?,
        database: word(&["dbname", "database"]).ok_or_else(|| missing("dbname"))?,
        user,
        tls: Tls::Off,
        authority: word(&["sslrootcert"]),
    };
    let asked = match word(&["sslmode"]) {
        Some(mode) => Some(Tls::parse(&mode).ok_or("has an `sslmode` that is not taken")?),
        None => None,
    };
    address.tls = asked.unwrap_or_else(|| address.usual_tls());
    // What it comes to must be an address: nothing in it may be read as something else.
    match Address::parse(&address.url()) {
        Ok((same, None)) if same == address => Ok((address, word(&["password"]))),
        _ => Err("holds a host, user or database that is none".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, Option<&str>), &str>) {
        match (read(text), expected) {
            (Ok((address, password)), Ok((url, own))) => {
                assert_eq!((address.url().as_str(), password.as_deref()), (url, own));
            }
            (Err(said), Err(part)) => {
                assert!(said.contains(part) && !said.contains("hunter2"), "{said}");
            }
            (said, _) => panic!("{text}: {said:?}"),
        }
    }

    #[test]
    fn what_amazon_keeps_is_an_address() {
        check(
            r#"{"engine": "postgres", "username": "ai", "password": "hunter2", "host": "db.example", "port": 5433, "dbname": "shop", "dbInstanceIdentifier": "x"}"#,
            Ok(("postgres://ai@db.example:5433/shop", Some("hunter2"))),
        );
        check(
            r#"{"username": "a@b", "host": "127.0.0.1", "port": "5432", "dbname": "x y"}"#,
            Ok(("postgres://a%40b@127.0.0.1:5432/x%20y", None)),
        );
        check("hunter2", Err("is no JSON"));
        check(
            r#"{"host": "h", "password": "hunter2"}"#,
            Err("lacks `username`"),
        );
        check(
            r#"{"username": "a", "host": "h", "dbname": "d", "port": 99999}"#,
            Err("lacks `port`"),
        );
        check(
            r#"{"username": "a", "host": "h", "dbname": "d", "engine": "mysql"}"#,
            Err("another kind"),
        );
        check(
            r#"{"username": "a", "host": "h?x=/y", "dbname": "d", "password": "hunter2"}"#,
            Err("that is none"),
        );
    }
}
