//! What may be asked of a registry that is shown a token: what its clients fetch, and none of the places where servers hand
//! out credentials or tell of whom the token is. Pure.

use super::asked::{Asked, Method};
use percent_encoding::percent_decode_str;
use protocol::registry::RegistryKind;

/// Whether a question is one of fetching.
///
/// # Errors
/// A sentence: it must not be asked.
pub(super) fn fetched(kind: RegistryKind, asked: &Asked) -> Result<(), String> {
    match kind {
        RegistryKind::Git => of_git(asked),
        _ if asked.method == Method::Post => {
            Err("it is asked with GET and HEAD alone; POST is for fetching from git".to_owned())
        }
        RegistryKind::Npm => of_npm(&asked.path),
        RegistryKind::Pip | RegistryKind::Cargo => Ok(()),
    }
}

fn of_git(asked: &Asked) -> Result<(), String> {
    let query = asked.query.as_deref();
    let service = query.map(|query| percent_decode_str(query).decode_utf8_lossy());
    let (path, service) = (asked.path.as_str(), service.as_deref());
    if path.ends_with("git-receive-pack") || service.is_some_and(|q| q.contains("git-receive-pack"))
    {
        return Err("programs fetch, they do not push: an agent pushes with GitPush".to_owned());
    }
    let good = match asked.method {
        Method::Post => path.ends_with("/git-upload-pack") && service.is_none(),
        _ if path.ends_with("/info/refs") => service == Some("service=git-upload-pack"),
        // Of servers that only hand out files.
        _ => service.is_none() && (path.ends_with("/HEAD") || is_object(path)),
    };
    match good {
        true => Ok(()),
        false => Err(
            "of git only what a fetch asks for is asked: info/refs?service=git-upload-pack, git-upload-pack, HEAD and objects".to_owned(),
        ),
    }
}

/// Whether a path is one of an object, a pack, or a list of these.
fn is_object(path: &str) -> bool {
    let Some((_, object)) = path.rsplit_once("/objects/") else {
        return false;
    };
    let hex = |text: &str| text.len() >= 2 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let pack = |name: &str| {
        let name = name.strip_prefix("pack-");
        let id = name.and_then(|name| name.strip_suffix(".pack").or(name.strip_suffix(".idx")));
        id.is_some_and(hex)
    };
    match object.split_once('/') {
        Some(("info", list)) => ["packs", "alternates", "http-alternates"].contains(&list),
        Some(("pack", name)) => pack(name),
        Some((two, rest)) => two.len() == 2 && hex(two) && hex(rest),
        None => false,
    }
}

/// Places of npm's servers that hand out or list credentials, or say whom they are for.
const OF_PERSONS: [&[&str]; 5] = [
    &["-", "npm", "v1", "tokens"],
    &["-", "npm", "v1", "user"],
    &["-", "user"],
    &["-", "v1", "login"],
    &["-", "whoami"],
];

fn of_npm(path: &str) -> Result<(), String> {
    let path = percent_decode_str(path).decode_utf8_lossy().to_lowercase();
    let parts: Vec<&str> = path.split('/').collect();
    let person = OF_PERSONS
        .iter()
        .any(|place| parts.windows(place.len()).any(|part| part == *place));
    // Artifactory has a person's credentials there; a package of this name has a scope before it.
    let auth = parts.iter().enumerate().any(|(at, part)| {
        let scoped = at > 0
            && parts
                .get(at - 1)
                .is_some_and(|scope| scope.starts_with('@'));
        *part == "auth" && !scoped
    });
    // Servers pass over what stands behind it in a part, and no name of a package holds it.
    match person || auth || path.contains(';') {
        true => Err(
            "it is no package: what servers tell of whom a token is for, or hand out, is not asked"
                .to_owned(),
        ),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::proxy::asked::read;

    fn check(kind: RegistryKind, method: &str, target: &str, expected: bool) {
        let body = match method {
            "POST" => "Content-Length: 4\r\n",
            _ => "",
        };
        let head = format!("{method} /c/{target} HTTP/1.1\r\nHost: localhost:3128\r\n{body}\r\n");
        let asked = read(head.as_bytes()).unwrap();
        let found = fetched(kind, &asked);
        assert_eq!(found.is_ok(), expected, "{method} {target}: {found:?}");
    }

    #[test]
    fn of_git_a_fetch_is_asked_and_nothing_else() {
        let git = |method: &str, target: &str, expected: bool| {
            check(RegistryKind::Git, method, target, expected);
        };
        for target in [
            "x.git/info/refs?service=git-upload-pack",
            "a/b.git/info/refs?service=git%2Dupload%2Dpack",
            "x.git/HEAD",
            "x.git/objects/info/packs",
            "x.git/objects/info/http-alternates",
            "x.git/objects/pack/pack-0a1b2c.pack",
            "x.git/objects/pack/pack-0a1b2c.idx",
            "x.git/objects/0a/1b2c3d",
        ] {
            git("GET", target, true);
        }
        git("POST", "x.git/git-upload-pack", true);
        for target in [
            "x.git/info/refs",
            "x.git/info/refs?service=git-receive-pack",
            "x.git/info/refs?service=git%2Dreceive%2Dpack",
            "x.git/info/refs?service=git-upload-pack&service=git-receive-pack",
            "x.git/info/refs?a=b",
            "x.git/git-receive-pack",
            "api/v4/user",
            "api/v4/personal_access_tokens",
            "x.git/config",
            "x.git/HEAD?private_token=1",
            "x/objects/",
            "x/objects/info/tokens",
            "x/objects/pack/other.pack",
            "login/oauth",
        ] {
            git("GET", target, false);
        }
        git("POST", "x.git/git-upload-pack?a", false);
        git("POST", "x.git/other", false);
    }

    #[test]
    fn of_npm_packages_are_asked_and_no_credentials() {
        for (target, expected) in [
            ("cart", true),
            ("@shop%2fcart", true),
            ("@shop%2fauth", true),
            ("@shop/auth/-/auth-1.0.0.tgz", true),
            ("cart/-/cart-1.0.0.tgz", true),
            ("-/v1/search?text=x", true),
            ("author", true),
            ("auth", false),
            ("auth/shop", false),
            ("npm/AUTH/shop", false),
            ("-/npm/v1/tokens", false),
            ("-/npm/v1/tokens/token/x", false),
            ("-/npm%2fv1%2ftokens", false),
            ("repo/-/npm/v1/user", false),
            ("-/user/org.couchdb.user:me", false),
            ("-/whoami", false),
            ("auth;x=1/shop", false),
            ("-;a/whoami", false),
            ("-/npm/v1%3Bx/tokens", false),
        ] {
            check(RegistryKind::Npm, "GET", target, expected);
        }
        check(
            RegistryKind::Npm,
            "POST",
            "-/npm/v1/security/advisories/bulk",
            false,
        );
        check(RegistryKind::Pip, "GET", "simple/auth/", true);
        check(RegistryKind::Pip, "POST", "simple/", false);
    }
}
