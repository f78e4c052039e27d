//! Certificates that the settings of servers name, with the names each is served under: nginx, Apache, Postfix, Dovecot.

use crate::host::tree::Tree;

/// A certificate that a server is set to serve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The certificate's path.
    pub path: String,
    /// The file of settings.
    pub by: String,
    /// Names it is served under; those with patterns are left out.
    pub names: Vec<String>,
}

/// Files and folders of settings that are in force, and how they name a certificate.
const NGINX: [&str; 4] = [
    "/etc/nginx/nginx.conf",
    "/etc/nginx/conf.d",
    "/etc/nginx/http.d",
    "/etc/nginx/sites-enabled",
];
const APACHE: [&str; 6] = [
    "/etc/apache2/apache2.conf",
    "/etc/apache2/sites-enabled",
    "/etc/apache2/conf-enabled",
    "/etc/apache2/mods-enabled",
    "/etc/httpd/conf/httpd.conf",
    "/etc/httpd/conf.d",
];
const OTHERS: [(&str, &str); 3] = [
    ("/etc/postfix/main.cf", "smtpd_tls_cert_file"),
    ("/etc/dovecot/dovecot.conf", "ssl_cert"),
    ("/etc/dovecot/conf.d/10-ssl.conf", "ssl_cert"),
];

/// Everything that is named, in order.
pub fn find(tree: &Tree) -> Vec<Named> {
    let mut found = Vec::new();
    for (file, text) in files(tree, &NGINX) {
        found.extend(nginx(&text, &file));
    }
    for (file, text) in files(tree, &APACHE) {
        found.extend(apache(&text, &file));
    }
    for (file, key) in OTHERS {
        if tree.exists(file) {
            found.extend(plain(&tree.text(file).unwrap_or_default(), key, file));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn files(tree: &Tree, places: &[&str]) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for place in places {
        let Ok(about) = tree.metadata(place) else {
            continue;
        };
        let names: Vec<String> = match about.is_dir() {
            true => tree
                .list(place)
                .iter()
                .map(|name| format!("{place}/{name}"))
                .collect(),
            false => vec![(*place).to_owned()],
        };
        for name in names {
            if tree.metadata(&name).is_ok_and(|about| about.is_file())
                && let Some(text) = tree.text(&name)
            {
                texts.push((name, text));
            }
        }
    }
    texts
}

/// Words, braces and semicolons of nginx's settings; comments are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' if word.is_empty() => {
                word.extend(chars.by_ref().take_while(|next| *next != c));
                tokens.push(std::mem::take(&mut word));
            }
            '#' if word.is_empty() => {
                let _ = chars.by_ref().find(|next| *next == '\n');
            }
            // A variable in braces belongs to its word.
            '{' if word.ends_with('$') => {
                word.push(c);
                word.extend(chars.by_ref().take_while(|next| *next != '}'));
            }
            c if c.is_whitespace() || matches!(c, '{' | '}' | ';') => {
                if !word.is_empty() {
                    tokens.push(std::mem::take(&mut word));
                }
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
            }
            c => word.push(c),
        }
    }
    tokens
}

/// Each block's own certificates and names; a block without names takes those around it.
fn nginx(text: &str, file: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut blocks: Vec<(Vec<String>, Vec<String>)> = vec![Default::default()];
    let mut line: Vec<String> = Vec::new();
    for token in tokens(text) {
        match token.as_str() {
            "{" => {
                blocks.push(Default::default());
                line.clear();
            }
            "}" => {
                if blocks.len() > 1
                    && let Some((certificates, names)) = blocks.pop()
                {
                    found.extend(
                        certificates
                            .into_iter()
                            .map(|path| named(&path, file, "/etc/nginx", &names)),
                    );
                }
                line.clear();
            }
            ";" => {
                if let (Some((certificates, names)), [key, values @ ..]) =
                    (blocks.last_mut(), line.as_slice())
                {
                    match key.as_str() {
                        "ssl_certificate" => certificates.extend(values.iter().cloned()),
                        "server_name" => names.extend(values.iter().cloned()),
                        _ => {}
                    }
                }
                line.clear();
            }
            _ => line.push(token),
        }
    }
    for (certificates, names) in blocks {
        found.extend(
            certificates
                .into_iter()
                .map(|path| named(&path, file, "/etc/nginx", &names)),
        );
    }
    found.retain(|one| !one.path.contains('$') && !one.path.contains("data:"));
    found
}

fn apache(text: &str, file: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut certificates: Vec<String> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let end = ["</VirtualHost>"];
    for line in text.lines().map(str::trim).chain(end) {
        let mut words = line.split_whitespace();
        let key = words.next().unwrap_or_default().to_ascii_lowercase();
        match key.as_str() {
            "sslcertificatefile" => {
                certificates.extend(words.next().map(|word| word.trim_matches('"').to_owned()))
            }
            "servername" | "serveralias" => {
                names.extend(words.map(|name| name.split(':').next().unwrap_or(name).to_owned()));
            }
            "<virtualhost" => names.clear(),
            "</virtualhost>" => {
                let made = certificates
                    .drain(..)
                    .map(|path| named(&path, file, "/etc/apache2", &names));
                found.extend(made);
                names.clear();
            }
            _ => {}
        }
    }
    found.retain(|one| !one.path.contains('$'));
    found
}

fn plain(text: &str, key: &str, file: &str) -> Vec<Named> {
    let value = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        let path = value.trim().trim_start_matches('<').trim();
        (name.trim() == key && path.starts_with('/')).then(|| named(path, file, "/etc", &[]))
    };
    text.lines().filter_map(value).collect()
}

fn named(path: &str, by: &str, base: &str, names: &[String]) -> Named {
    let full = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{base}/{path}"),
    };
    let is_plain = |name: &&String| {
        name.contains('.') && !name.starts_with(['~', '.', '*']) && !name.contains('$')
    };
    let mut names: Vec<String> = names
        .iter()
        .filter(is_plain)
        .map(|name| name.to_lowercase())
        .collect();
    names.sort();
    names.dedup();
    Named {
        path: full,
        by: by.to_owned(),
        names,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brief(found: &[Named]) -> Vec<String> {
        found
            .iter()
            .map(|one| format!("{} {}", one.path, one.names.join(",")))
            .collect()
    }

    #[test]
    fn nginx_blocks_keep_their_names() {
        let text = "
            http { # ssl_certificate /decoy.pem;
              server { listen 443 ssl; server_name shop.example www.shop.example ~^x _ *.a.example;
                ssl_certificate \"/etc/ssl/shop.pem\"; ssl_certificate_key /etc/ssl/private/shop.key;
                location / { proxy_pass http://up; } }
              server { server_name api.example; ssl_certificate live/api.pem; ssl_client_certificate /decoy2.pem; }
              server { server_name b.example; ssl_certificate /etc/ssl/${host}.pem; } }";
        assert_eq!(
            brief(&nginx(text, "f")),
            [
                "/etc/ssl/shop.pem shop.example,www.shop.example",
                "/etc/nginx/live/api.pem api.example"
            ]
        );
        assert_eq!(
            brief(&nginx("ssl_certificate /a.pem; server_name a.b;", "f")),
            ["/a.pem a.b"]
        );
    }

    #[test]
    fn apache_hosts_keep_their_names() {
        let text = "<VirtualHost *:443>\n ServerName shop.example:443\n  ServerAlias www.shop.example\n SSLCertificateFile \"/a.pem\"\n</VirtualHost>\n<VirtualHost *:80>\nServerName plain.example\n</VirtualHost>\n#SSLCertificateFile /decoy.pem\n";
        assert_eq!(
            brief(&apache(text, "f")),
            ["/a.pem shop.example,www.shop.example"]
        );
        assert_eq!(
            brief(&plain(
                "ssl = yes\nssl_cert = </d.pem\nssl_key = </k\n",
                "ssl_cert",
                "f"
            )),
            ["/d.pem "]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z_ ;{}\"'#$\n/.]{0,200}") {
            let _ = nginx(&text, "f");
            let _ = apache(&text, "f");
        }
    }
}
