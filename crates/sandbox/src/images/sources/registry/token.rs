//! What a registry wants to see before it answers: a name and password, or a token from another server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::{Credentials, is_local};
use crate::images::ImageError;
use crate::images::reference::RegistryReference;

/// The value for `authorization` that the registry's challenge asks for.
pub(super) fn authorize(
    agent: &Agent,
    refusal: &Response<Body>,
    name: &RegistryReference,
    credentials: &Credentials,
) -> Result<String, ImageError> {
    let denied = |reason: String| ImageError::Denied {
        registry: name.registry.clone(),
        repository: name.repository.clone(),
        reason,
    };
    let challenges = refusal.headers().get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
    let challenges: Vec<Challenge> = challenges.filter_map(Challenge::parse).collect();
    if let Some(challenge) = challenges.iter().find(|challenge| challenge.scheme == "bearer") {
        return fetch(agent, challenge, name, credentials).map_err(|failure| match failure {
            Failure::Refused(reason) => denied(reason),
            Failure::Broken(reason) => ImageError::Unreachable { registry: name.registry.clone(), reason },
        });
    }
    match (challenges.iter().any(|challenge| challenge.scheme == "basic"), credentials) {
        (true, Credentials::Password { user, password }) => Ok(basic(user, password)),
        (true, Credentials::Anonymous) => Err(denied("it wants a name and a password, and none are known".into())),
        (false, _) => Err(denied("it does not say how to log in".into())),
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

enum Failure {
    Refused(String),
    Broken(String),
}

fn fetch(
    agent: &Agent,
    challenge: &Challenge,
    name: &RegistryReference,
    credentials: &Credentials,
) -> Result<String, Failure> {
    let realm = challenge.get("realm").unwrap_or_default();
    let safe = realm.starts_with("https://") || (realm.starts_with("http://") && is_local(&name.registry));
    if !safe {
        return Err(Failure::Refused(format!("it wants a token from `{realm}`, which is not an https address")));
    }
    let scope = challenge.get("scope").map_or_else(|| format!("repository:{}:pull", name.repository), str::to_owned);
    let mut request = agent.get(realm).query("scope", scope);
    if let Some(service) = challenge.get("service") {
        request = request.query("service", service);
    }
    if let Credentials::Password { user, password } = credentials {
        request = request.header("authorization", basic(user, password));
    }
    let mut response = request.call().map_err(|error| Failure::Broken(format!("token from `{realm}`: {error}")))?;
    let body = response.body_mut().with_config().limit(1 << 20).read_to_string();
    let body = body.map_err(|error| Failure::Broken(format!("token from `{realm}`: {error}")))?;
    match response.status().as_u16() {
        200 => {}
        status @ 400..500 => return Err(Failure::Refused(excerpt(status, &body))),
        status => return Err(Failure::Broken(format!("token from `{realm}`: {}", excerpt(status, &body)))),
    }
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let token = ["token", "access_token"].into_iter().find_map(|key| answer.get(key)?.as_str());
    match token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic())) {
        Some(token) => Ok(format!("Bearer {token}")),
        None => Err(Failure::Broken(format!("`{realm}` answers without a token"))),
    }
}

/// Status and message of a refusal, short and without control characters.
pub(super) fn excerpt(status: u16, body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let message = json.pointer("/errors/0/message").or(json.get("details")).and_then(serde_json::Value::as_str);
    let text = message.unwrap_or(body).chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    if text.is_empty() { format!("status {status}") } else { format!("status {status}, {text}") }
}

/// One value of the header `www-authenticate`.
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let mut parameters = Vec::new();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            parameters.push((name.trim_matches([' ', ',']).to_ascii_lowercase(), value.to_owned()));
            rest = after;
        }
        Some(Self { scheme: scheme.to_ascii_lowercase(), parameters })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_with_commas_inside_quotes() {
        let text = r#"Bearer realm="https://auth.example/token",service="r", scope="repository:a:pull,push""#;
        let challenge = Challenge::parse(text).expect("parsed");
        assert_eq!(challenge.scheme, "bearer");
        assert_eq!(challenge.get("realm"), Some("https://auth.example/token"));
        assert_eq!(challenge.get("scope"), Some("repository:a:pull,push"));
        assert_eq!(Challenge::parse("Basic").expect("parsed").scheme, "basic");
        assert!(Challenge::parse(r#"Bearer realm="unfinished"#).is_none());
    }

    #[test]
    fn refusals_are_short_and_plain() {
        assert_eq!(
            excerpt(401, r#"{"errors": [{"code": "X", "message": "no \u001b access"}]}"#),
            "status 401, no  access"
        );
        assert_eq!(excerpt(500, ""), "status 500");
    }
}
