//! Addresses as people write them: with a user and a password before the host, which are told in a header instead (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq_proto::http::{HeaderValue, Uri};

/// Where somebody is, and what they are told of who comes.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// Without user and password, and without a slash at the end.
    pub(super) base: String,
    /// A name or a number, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_encrypted: bool,
    pub(super) authorization: Option<HeaderValue>,
}

impl Address {
    /// `SCHEME://[USER:PASSWORD@]HOST[:PORT][/PATH]`, where the scheme is `http` or `https`; nothing for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('/');
        let (scheme, rest) = text.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let base = format!("{scheme}://{place}{path}");
        let uri: Uri = base.parse().ok()?;
        let host = uri.host().filter(|host| !host.is_empty())?.trim_matches(['[', ']']).to_owned();
        let is_encrypted = scheme == "https";
        let port = uri.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let authorization = match user {
            Some(user) => Some(basic(user)?),
            None => None,
        };
        Some(Self { base, host, port, is_encrypted, authorization })
    }

    /// The same, where the host alone is enough.
    pub(super) fn parse_host(text: &str) -> Option<Self> {
        if text.contains("://") { Self::parse(text) } else { Self::parse(&format!("http://{text}")) }
    }
}

fn basic(user: &str) -> Option<HeaderValue> {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let pair = [decoded(user)?, decoded(password)?].join(&b':');
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A text in which bytes may be written as `%` and two digits.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(String, Option<String>)> {
        let Address { base, authorization, .. } = Address::parse(text)?;
        Some((base, authorization.map(|value| value.to_str().expect("text").to_owned())))
    }

    #[test]
    fn a_port_follows_from_the_scheme() {
        let place = |text| Address::parse_host(text).map(|it| (it.host, it.port, it.is_encrypted));
        assert_eq!(place("http://[::1]/v1"), Some(("::1".into(), 80, false)));
        assert_eq!(place("https://a"), Some(("a".into(), 443, true)));
        assert_eq!(place("u:p@a:3128"), Some(("a".into(), 3128, false)));
    }

    #[test]
    fn user_and_password_are_told_in_a_header() {
        assert_eq!(parse("https://[::1]:81/a@b/"), Some(("https://[::1]:81/a@b".into(), None)));
        // `aä:b@:` in base64.
        let told = Some("Basic YcOkOmJAOg==".to_owned());
        assert_eq!(parse("http://a%c3%a4:b%40:@h:1/v1"), Some(("http://h:1/v1".into(), told)));
        assert_eq!(parse("http://a@h"), Some(("http://h".into(), Some("Basic YTo=".into()))));
    }

    #[test]
    fn anything_else_is_no_address() {
        for text in ["", "::", "localhost:8000", "ftp://x", "http://", "http://u@", "http://u%4@h", "http://a b"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
