//! What a setting that is a text may look like.

/// Whether it is 1 to 4096 characters without control characters.
pub fn is_text(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 4096 && !text.chars().any(char::is_control)
}

/// Whether it is the address of a web server, without credentials.
pub fn is_web_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    is_text(text)
        && !text.contains([' ', '?', '#'])
        && host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
}

/// Whether it is an address with a password in it.
pub fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let credentials = authority
        .rsplit_once('@')
        .map(|(credentials, _)| credentials);
    let password = credentials.and_then(|credentials| credentials.split_once(':'));
    password.is_some_and(|(_, password)| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_seen() {
        for (text, has) in [
            ("https://u:p@h/x.git", true),
            ("ssh://u:p@h:22/x", true),
            ("https://:p@h", true),
            ("https://u:@h/x", false),
            ("https://u@h:8443/x.git", false),
            ("git@h:a/b.git", false),
            ("https://h/a:b@c", false),
            ("/mnt/a:b@c", false),
        ] {
            assert_eq!(has_password(text), has, "{text}");
        }
    }
}
