//! A site as a file of nginx, and back. Pure. Every value that is put into the text was parsed by
//! `protocol::duty::names` and can hold no sign that nginx gives a meaning to.

use crate::digest;
use protocol::duty::names::{Folder, SiteName};
use protocol::duty::site::{Serve, Site};
use protocol::duty::terms::SiteTerms;
use std::fmt::Write;

const HEAD: &str =
    "# Written by ai-infra. A change made by hand is seen, and asked about before it is lost.\n";

/// What a file of a site turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Written here, and as it was written.
    Ours(Box<Site>),
    /// Written here, and changed by somebody since.
    Changed,
    /// Written by somebody else.
    Foreign,
}

/// Sixteen characters that stand for exactly these fields.
pub fn mark(site: &Site) -> String {
    let json = serde_json::to_string(site).unwrap_or_default();
    let mut sum = digest(json.as_bytes());
    sum.truncate(16);
    sum
}

/// The path at which a site proves that it is the one that answers.
pub fn proof_path(site: &Site) -> String {
    format!("/.well-known/ai-infra/{}", mark(site))
}

/// The folder that sites show to an authority of certificates, and where.
pub const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// The file's text. With a folder of challenges what lies there is shown to an authority of certificates.
pub fn render(
    name: &SiteName,
    site: &Site,
    terms: &SiteTerms,
    ipv6: bool,
    challenges: Option<&str>,
) -> String {
    let json = serde_json::to_string(site).unwrap_or_default();
    let mut body = format!("# site {name} {json}\n");
    match &site.certificate {
        None => server(
            &mut body,
            site,
            terms,
            ipv6,
            Answer::Whole,
            None,
            challenges,
        ),
        Some(certificate) => {
            let plain = match site.only_https {
                true => Answer::ToHttps,
                false => Answer::Whole,
            };
            server(&mut body, site, terms, ipv6, plain, None, challenges);
            server(
                &mut body,
                site,
                terms,
                ipv6,
                Answer::Whole,
                Some(certificate),
                None,
            );
        }
    }
    format!("{HEAD}# sha256 {}\n{body}", digest(body.as_bytes()))
}

/// Whether a file shows an authority what lies in the folder of challenges.
pub fn shows_challenges(text: &str, folder: &str) -> bool {
    text.contains(&format!(
        "location ^~ {CHALLENGES} {{\n        root {folder};\n"
    ))
}

/// What a file turns out to be.
pub fn origin(text: &str) -> Origin {
    let Some(rest) = text.strip_prefix(HEAD) else {
        return Origin::Foreign;
    };
    let site = || {
        let (first, body) = rest.split_once('\n')?;
        let sum = first.strip_prefix("# sha256 ")?;
        let fields = body.lines().next()?.strip_prefix("# site ")?;
        let (_, json) = fields.split_once(' ')?;
        let site = serde_json::from_str(json).ok()?;
        (digest(body.as_bytes()) == sum).then(|| Origin::Ours(Box::new(site)))
    };
    site().unwrap_or(Origin::Changed)
}

/// The granted folder that holds one, the outermost where there are several: nginx takes it as it is, and looks at each link
/// below it.
pub fn granted<'a>(root: &'a Folder, terms: &'a SiteTerms) -> &'a Folder {
    let above = terms.roots.iter().filter(|granted| root.lies_in(granted));
    above
        .min_by_key(|granted| granted.as_str().len())
        .unwrap_or(root)
}

#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Whole,
    ToHttps,
}

fn server(
    out: &mut String,
    site: &Site,
    terms: &SiteTerms,
    ipv6: bool,
    answer: Answer,
    certificate: Option<&SiteName>,
    challenges: Option<&str>,
) {
    let (port, ssl) = match certificate {
        Some(_) => (terms.https, " ssl"),
        None => (terms.http, ""),
    };
    let mut lines = Vec::new();
    match terms.address {
        Some(std::net::IpAddr::V6(address)) => {
            lines.push(format!("listen [{address}]:{port}{ssl};"))
        }
        Some(address) => lines.push(format!("listen {address}:{port}{ssl};")),
        None => {
            lines.push(format!("listen {port}{ssl};"));
            if ipv6 {
                lines.push(format!("listen [::]:{port}{ssl};"));
            }
        }
    }
    lines.push(format!("server_name {};", site.names_line()));
    if let Some(name) = certificate {
        let folder = &terms.certificates;
        lines.push(format!("ssl_certificate {folder}/{name}/fullchain.pem;"));
        lines.push(format!("ssl_certificate_key {folder}/{name}/privkey.pem;"));
        lines.push("ssl_protocols TLSv1.2 TLSv1.3;".to_owned());
    }
    lines.push(format!(
        "location = {} {{ access_log off; return 204; }}",
        proof_path(site)
    ));
    if let Some(folder) = challenges {
        lines.extend([
            format!("location ^~ {CHALLENGES} {{"),
            format!("    root {folder};"),
            "    disable_symlinks off;".to_owned(),
            "    default_type text/plain;".to_owned(),
            "    try_files $uri =404;".to_owned(),
            "}".to_owned(),
        ]);
    }
    match (answer, &site.serve) {
        (Answer::ToHttps, _) => {
            let port = match terms.https {
                443 => String::new(),
                other => format!(":{other}"),
            };
            lines.push(format!(
                "location / {{ return 301 https://$host{port}$request_uri; }}"
            ));
        }
        (_, Serve::Root(root)) => lines.extend([
            format!("root {root};"),
            "index index.html;".to_owned(),
            // What somebody else linked into the folder, or put in its place, is not theirs to show.
            format!(
                "disable_symlinks if_not_owner from={};",
                granted(root, terms)
            ),
            "location ~ \"/\\.(?!well-known/)\" { return 404; }".to_owned(),
            "location / { try_files $uri $uri/ =404; }".to_owned(),
        ]),
        (_, Serve::Upstream(to)) => lines.extend([
            "location / {".to_owned(),
            format!("    proxy_pass http://{to};"),
            "    proxy_http_version 1.1;".to_owned(),
            "    proxy_set_header Host $host;".to_owned(),
            "    proxy_set_header X-Real-IP $remote_addr;".to_owned(),
            "    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;".to_owned(),
            "    proxy_set_header X-Forwarded-Proto $scheme;".to_owned(),
            "}".to_owned(),
        ]),
        (_, Serve::Redirect(to)) => {
            let to = to.as_str();
            let has_path = to
                .split_once("://")
                .is_some_and(|(_, rest)| rest.contains('/'));
            let path = if has_path { "" } else { "$request_uri" };
            lines.push(format!("location / {{ return 301 {to}{path}; }}"));
        }
    }
    out.push_str("server {\n");
    for line in lines {
        // A string takes every line.
        let _never = writeln!(out, "    {line}");
    }
    out.push_str("}\n");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    pub fn terms() -> SiteTerms {
        SiteTerms {
            names: vec!["*.example".parse().unwrap()],
            roots: vec!["/srv/www".parse().unwrap()],
            upstreams: vec!["127.0.0.1:8080".parse().unwrap()],
            config: "/etc/nginx/nginx.conf".parse().unwrap(),
            folder: "/etc/nginx/conf.d".parse().unwrap(),
            certificates: "/etc/letsencrypt/live".parse().unwrap(),
            address: None,
            http: 80,
            https: 443,
        }
    }

    fn site(serve: Value, certificate: Value, only: bool) -> Site {
        let fields = json!({"names": ["shop.example", "*.shop.example"], "serve": serve, "certificate": certificate, "only_https": only});
        serde_json::from_value(fields).unwrap()
    }

    #[track_caller]
    fn check(site: &Site, has: &[&str], lacks: &[&str]) {
        let name = "shop".parse().unwrap();
        let text = render(&name, site, &terms(), true, Some("/var/lib/challenges"));
        for line in has {
            assert!(text.contains(line), "{line}: {text}");
        }
        for line in lacks {
            assert!(!text.contains(line), "{line}: {text}");
        }
        assert_eq!(origin(&text), Origin::Ours(Box::new(site.clone())));
        assert!(shows_challenges(&text, "/var/lib/challenges"), "{text}");
        assert!(!shows_challenges(&text, "/var/lib"), "{text}");
        assert_eq!(
            origin(&text.replace("return 204", "return 200")),
            Origin::Changed
        );
        assert_eq!(
            origin(&text.replacen("# Written", "# written", 1)),
            Origin::Foreign
        );
    }

    #[test]
    fn fields_become_a_server_and_back() {
        check(
            &site(json!({"root": "/srv/www/shop"}), Value::Null, false),
            &[
                "listen 80;\n",
                "listen [::]:80;",
                "server_name shop.example *.shop.example;",
                "root /srv/www/shop;",
                "disable_symlinks if_not_owner from=/srv/www;",
                "try_files",
            ],
            &["ssl", "proxy_pass", "alias"],
        );
        check(
            &site(
                json!({"upstream": "127.0.0.1:8080"}),
                json!("shop.example"),
                true,
            ),
            &[
                "location ^~ /.well-known/acme-challenge/ {\n        root /var/lib/challenges;\n",
                "return 301 https://$host$request_uri;",
                "listen 443 ssl;",
                "/etc/letsencrypt/live/shop.example/privkey.pem;",
                "proxy_pass http://127.0.0.1:8080;",
            ],
            &["root /srv"],
        );
        check(
            &site(
                json!({"redirect": "https://new.example"}),
                Value::Null,
                false,
            ),
            &["return 301 https://new.example$request_uri;"],
            &[],
        );
        check(
            &site(
                json!({"redirect": "https://new.example/a"}),
                Value::Null,
                false,
            ),
            &["return 301 https://new.example/a;"],
            &["$request_uri"],
        );
    }

    #[test]
    fn links_are_looked_at_from_the_outermost_granted_folder_on() {
        let check = |root: &str, roots: &[&str], expected: &str| {
            let mut terms = terms();
            terms.roots = roots.iter().map(|root| root.parse().unwrap()).collect();
            let root = root.parse().unwrap();
            assert_eq!(granted(&root, &terms).as_str(), expected);
        };
        check("/srv/www/shop", &["/srv/www"], "/srv/www");
        check("/srv/www", &["/srv/www"], "/srv/www");
        check("/srv/www/a/b", &["/srv/www/a", "/srv/www", "/srv"], "/srv");
        check("/srv/www-a/b", &["/srv/www", "/srv/www-a"], "/srv/www-a");
        check("/home/a", &["/srv/www"], "/home/a");
    }

    proptest! {
        /// Whatever fields are given: only the directives written above come out, and as many blocks.
        #[test]
        fn no_field_brings_a_directive(name in ".{0,40}", root in ".{0,60}", to in ".{0,40}") {
            let mut serves = vec![json!({"root": "/srv/www/a"})];
            serves.push(json!({"root": format!("/srv/www/{root}")}));
            serves.push(json!({"upstream": format!("{to}:80")}));
            serves.push(json!({"redirect": format!("https://a.example/{to}")}));
            for serve in serves {
                let fields = json!({"names": ["a.example", format!("{name}.example")], "serve": serve, "certificate": null, "only_https": false});
                let Ok(site) = serde_json::from_value::<Site>(fields) else { continue };
                let text = render(&"shop".parse().unwrap(), &site, &terms(), false, None);
                let known = ["listen", "server_name", "location", "root", "index", "disable_symlinks", "proxy_pass", "proxy_http_version", "proxy_set_header", "server", "}", "#"];
                for line in text.lines() {
                    let word = line.split_whitespace().next().unwrap_or_default();
                    prop_assert!(known.contains(&word), "{}", line);
                }
                prop_assert_eq!(text.matches("server {").count(), 1);
                prop_assert!(!text.contains("include") && !text.contains("alias") && !text.contains("load_module"));
            }
        }
    }
}
