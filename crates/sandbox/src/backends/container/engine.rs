//! The calls of the Docker Engine API that are used, which Podman serves too.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::NAME;
use super::http::{self, Answer};
use super::owner::Owner;
use super::request::LABEL;
use crate::SandboxError;

/// The version of the interface: that of Docker 20.10 and of Podman 4.
const VERSION: &str = "v1.40";
/// Engines answer within milliseconds; under load some calls take seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// An engine behind a socket.
#[derive(Debug)]
pub(super) struct Engine {
    socket: PathBuf,
}

/// What an engine says about itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    pub(super) server_version: String,
    pub(super) memory_limit: bool,
    pub(super) swap_limit: bool,
    pub(super) pids_limit: bool,
    #[serde(rename = "CpuCfsQuota")]
    pub(super) cpu_quota: bool,
    security_options: Option<Vec<String>>,
    /// Only Podman says so here; Docker counts it among the security options.
    rootless: bool,
    buildah_version: String,
}

impl Info {
    /// Whether it runs as an ordinary user.
    pub(super) fn is_rootless(&self) -> bool {
        self.rootless || self.security_options.iter().flatten().any(|option| option.contains("rootless"))
    }

    /// Its name and version.
    pub(super) fn describe(&self) -> String {
        let name = if self.buildah_version.is_empty() { "Docker" } else { "Podman" };
        let rootless = if self.is_rootless() { ", rootless" } else { "" };
        format!("{name} {}{rootless}", self.server_version)
    }
}

/// A container as the engine lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    pub(super) id: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

impl Listed {
    /// The controller that had it made.
    pub(super) fn owner(&self) -> Option<Owner> {
        self.labels.get(LABEL)?.parse().ok()
    }
}

impl Engine {
    /// The engine that listens on `socket`, if one does and it answers.
    pub(super) fn connect(socket: &Path) -> Result<(Self, Info), SandboxError> {
        let engine = Self { socket: socket.into() };
        let info = engine.call("GET", "/info", None)?;
        Ok((engine, info))
    }

    /// Whether an image of this name is there.
    pub(super) fn has_image(&self, name: &str) -> Result<bool, SandboxError> {
        let answer = self.ask("GET", &format!("/images/{name}/json"), None)?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(refused("look for an image", &answer)),
        }
    }

    /// Adds the images of an archive as `docker save` writes it.
    pub(super) fn load(&self, archive: &[u8]) -> Result<(), SandboxError> {
        let answer = self.ask("POST", "/images/load?quiet=true", Some(("application/x-tar", archive)))?;
        match answer.status {
            // A failure after the start of the answer comes in its body.
            200 if !String::from_utf8_lossy(&answer.body).contains("errorDetail") => Ok(()),
            _ => Err(refused("load the image of sandboxes", &answer)),
        }
    }

    /// Makes a container; its id.
    pub(super) fn create(&self, container: &Value) -> Result<String, SandboxError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Created {
            id: String,
            #[serde(default)]
            warnings: Option<Vec<String>>,
        }
        let created: Created = self.call("POST", "/containers/create", Some(container))?;
        // Engines warn of limits that they will not keep, and go on without them.
        match created.warnings.into_iter().flatten().find(|warning| !warning.is_empty()) {
            None => Ok(created.id),
            Some(warning) => {
                // What is reported is why it cannot be used.
                let _ = self.remove(&created.id);
                Err(unavailable(format!("the engine does not keep what was asked for: {warning}")))
            }
        }
    }

    pub(super) fn start(&self, id: &str) -> Result<(), SandboxError> {
        let answer = self.ask("POST", &format!("/containers/{id}/start"), None)?;
        match answer.status {
            204 | 304 => Ok(()),
            _ => Err(refused("start a container", &answer)),
        }
    }

    /// The first process of a running container, as this machine numbers it.
    pub(super) fn first_process(&self, id: &str) -> Result<Option<i32>, SandboxError> {
        let inspected: Value = self.call("GET", &format!("/containers/{id}/json"), None)?;
        let pid = inspected.pointer("/State/Pid").and_then(Value::as_i64).unwrap_or(0);
        Ok(i32::try_from(pid).ok().filter(|pid| *pid > 0))
    }

    /// Kills and removes a container with everything that belongs to it; one that is gone already is fine.
    pub(super) fn remove(&self, id: &str) -> Result<(), SandboxError> {
        let mut answer = self.ask("DELETE", &format!("/containers/{id}?force=true&v=true"), None)?;
        for _ in 0..200 {
            match answer.status {
                200 | 204 | 404 => return Ok(()),
                // It is being removed right now, or about to be.
                409 | 500 => std::thread::sleep(Duration::from_millis(50)),
                _ => break,
            }
            answer = self.ask("DELETE", &format!("/containers/{id}?force=true&v=true"), None)?;
        }
        Err(refused("remove a container", &answer))
    }

    /// All containers, also those that do not run, with this label.
    pub(super) fn list(&self, label: &str) -> Result<Vec<Listed>, SandboxError> {
        let filters = json!({ "label": [label] }).to_string();
        self.call("GET", &format!("/containers/json?all=true&filters={}", escape(&filters)), None)
    }

    fn call<T: DeserializeOwned>(&self, method: &str, path: &str, body: Option<&Value>) -> Result<T, SandboxError> {
        let body = body.map(|body| body.to_string());
        let answer = self.ask(method, path, body.as_ref().map(|body| ("application/json", body.as_bytes())))?;
        if !(200..300).contains(&answer.status) {
            return Err(refused(&format!("answer {method} {path}"), &answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            unavailable(format!(
                "the engine's answer to {path} is not understood: {error}; Docker 20.10, Podman 4 or newer is needed"
            ))
        })
    }

    fn ask(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Result<Answer, SandboxError> {
        http::ask(&self.socket, method, &format!("/{VERSION}{path}"), body, PATIENCE)
            .map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &io::Error) -> SandboxError {
        let socket = self.socket.display();
        unavailable(match error.kind() {
            io::ErrorKind::NotFound => format!(
                "no engine listens on `{socket}`; start one (`systemctl start docker`, `systemctl --user start podman.socket`, or \
                 `podman system service --time=0 unix://{socket}`)"
            ),
            io::ErrorKind::ConnectionRefused => {
                format!(
                    "the engine behind `{socket}` does not run; start it (`systemctl start docker`, `systemctl --user start podman.socket`, \
                     or `podman system service --time=0 unix://{socket}`)"
                )
            }
            io::ErrorKind::PermissionDenied => format!(
                "this user may not use `{socket}`; run as root, or start an engine of your own (`systemctl --user start podman.socket`)"
            ),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!(
                    "the engine behind `{socket}` does not answer for {} s; restart it (`systemctl restart docker`, or end and start \
                     `podman system service`)",
                    PATIENCE.as_secs()
                )
            }
            _ => format!("the engine behind `{socket}`: {error}; see its log"),
        })
    }
}

/// The engine could not do it, in its own words.
fn refused(what: &str, answer: &Answer) -> SandboxError {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = String::from_utf8_lossy(&answer.body);
    let said = ["message", "cause"].into_iter().find_map(|key| value.get(key)?.as_str()).unwrap_or(text.trim());
    let said: String = said.chars().filter(|c| !c.is_control()).take(400).collect();
    unavailable(format!("the engine could not {what}: {said} (status {}); its log says more", answer.status))
}

pub(super) fn unavailable(reason: String) -> SandboxError {
    SandboxError::Unavailable { backend: NAME, reason }
}

fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
