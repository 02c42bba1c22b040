//! The distribution API of registries: manifests by tag or digest, blobs by digest, tokens on demand.

mod token;

use std::io::Read;
use std::sync::Mutex;
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

use super::{Credentials, Source};
use crate::images::manifest::{Descriptor, LONGEST};
use crate::images::reference::RegistryReference;
use crate::images::{Digest, ImageError};

/// Every kind of manifest and index that is understood.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                        application/vnd.docker.distribution.manifest.list.v2+json, \
                        application/vnd.docker.distribution.manifest.v2+json";
const CONNECT: Duration = Duration::from_secs(20);
/// From the request to the head of the answer, and from there to the end of a short one.
const ANSWER: Duration = Duration::from_secs(60);
/// Bytes per second below which a registry counts as gone.
const SLOWEST: u64 = 50_000;

/// One repository of one registry.
pub(super) struct Registry {
    name: RegistryReference,
    credentials: Credentials,
    agent: Agent,
    /// What goes into the header `authorization`, once the registry has asked for it.
    authorization: Mutex<Option<String>>,
}

impl Registry {
    pub(super) fn new(name: RegistryReference, credentials: Credentials) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .build();
        Self { name, credentials, agent: Agent::new_with_config(config), authorization: Mutex::default() }
    }

    /// Asks once, and once more with a token if the registry wants one.
    fn get(&self, path: &str, accept: &str, size: u64) -> Result<Response<Body>, ImageError> {
        let url = format!("{}/v2/{}/{path}", base(&self.name.registry), self.name.repository);
        let known = self.authorization.lock().expect("no panic while locked").clone();
        let response = self.send(&url, accept, size, known.as_deref())?;
        if response.status().as_u16() != 401 {
            return self.check(response, path);
        }
        let fresh = token::authorize(&self.agent, &response, &self.name, &self.credentials)?;
        let response = self.send(&url, accept, size, Some(&fresh))?;
        *self.authorization.lock().expect("no panic while locked") = Some(fresh);
        self.check(response, path)
    }

    fn send(
        &self,
        url: &str,
        accept: &str,
        size: u64,
        authorization: Option<&str>,
    ) -> Result<Response<Body>, ImageError> {
        let end = ANSWER + Duration::from_secs(size / SLOWEST);
        let request = self.agent.get(url).header("accept", accept);
        let mut request = request.config().timeout_recv_body(Some(end)).build();
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        request.call().map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> ImageError {
        ImageError::Unreachable { registry: self.name.registry.clone(), reason: error.to_string() }
    }

    fn check(&self, mut response: Response<Body>, path: &str) -> Result<Response<Body>, ImageError> {
        let RegistryReference { registry, repository, .. } = &self.name;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(response);
        }
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let wait = wait.map_or("a while".into(), |seconds| format!("{seconds} s"));
        let body = response.body_mut().with_config().limit(1 << 14).read_to_string().unwrap_or_default();
        let reason = token::excerpt(status, &body);
        Err(match status {
            401 | 403 => ImageError::Denied { registry: registry.clone(), repository: repository.clone(), reason },
            404 => {
                let reason = format!("the registry has no `{path}`: {reason}");
                ImageError::NotFound { image: format!("{registry}/{repository}"), reason }
            }
            429 => ImageError::RateLimited { registry: registry.clone(), wait },
            _ => self.unreachable(&reason),
        })
    }

    fn document(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        let mut response = self.get(&format!("manifests/{name}"), ACCEPTED, LONGEST)?;
        let announced = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        let announced = announced.and_then(|text| text.parse::<Digest>().ok());
        let body = response.body_mut().with_config().limit(LONGEST).read_to_vec();
        let bytes = body.map_err(|error| self.unreachable(&error))?;
        let actual = Digest::of(&bytes);
        match announced.filter(|announced| *announced != actual) {
            Some(expected) => Err(ImageError::Mismatch { what: format!("the manifest `{name}`"), expected, actual }),
            None => Ok(bytes),
        }
    }
}

impl Source for Registry {
    fn root(&self) -> Result<Vec<u8>, ImageError> {
        match &self.name.digest {
            Some(digest) => self.document(&digest.to_string()),
            None => self.document(&self.name.tag),
        }
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        self.document(&descriptor.digest.to_string())
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + '_>, ImageError> {
        let response = self.get(&format!("blobs/{}", descriptor.digest), "*/*", descriptor.size)?;
        // The length is announced by the manifest and checked with the digest.
        Ok(Box::new(response.into_body().into_with_config().limit(u64::MAX).reader()))
    }

    fn pinned(&self) -> Option<&Digest> {
        self.name.digest.as_ref()
    }
}

/// The address of a registry. As everywhere, only this machine's own registries are spoken to without TLS.
fn base(registry: &str) -> String {
    match registry {
        "docker.io" => "https://registry-1.docker.io".into(),
        registry if is_local(registry) => format!("http://{registry}"),
        registry => format!("https://{registry}"),
    }
}

fn is_local(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host == "[::1]" || host.starts_with("127.") || host.ends_with(".localhost")
}
