//! From settings and this user's files to the cache of images and what registries are told.

use std::path::{Path, PathBuf};

use basis_sandbox::images::{Credentials, ImageError, Images, LayerLimits, Reference};

use crate::exit::Failure;
use crate::settings::Settings;

/// The cache that the settings name.
pub(crate) fn cache(settings: &Settings) -> Result<Images, Failure> {
    let directory = Path::new(&settings.cache.dir).join("images");
    Ok(Images::open(directory, settings.images.cache_mib << 20, LayerLimits::default())?)
}

/// What the user told `docker login` or `podman login` for the registry of `reference`.
pub(crate) fn credentials(reference: &Reference) -> Credentials {
    let Reference::Registry(name) = reference else { return Credentials::Anonymous };
    let found = login_files().iter().find_map(|path| {
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        from_logins(&file, &name.registry)
    });
    found.unwrap_or_default()
}

/// Where logins are kept, the most particular place first.
fn login_files() -> Vec<PathBuf> {
    let places =
        [("REGISTRY_AUTH_FILE", ""), ("DOCKER_CONFIG", "config.json"), ("XDG_RUNTIME_DIR", "containers/auth.json")];
    let home = [("HOME", ".config/containers/auth.json"), ("HOME", ".docker/config.json")];
    let file = |(variable, rest): &(&str, &str)| {
        let place = PathBuf::from(std::env::var_os(variable).filter(|value| !value.is_empty())?);
        Some(if rest.is_empty() { place } else { place.join(rest) })
    };
    places.iter().chain(&home).filter_map(file).collect()
}

fn from_logins(file: &serde_json::Value, registry: &str) -> Option<Credentials> {
    const HUB: [&str; 3] = ["docker.io", "https://index.docker.io/v1/", "index.docker.io"];
    let names = if registry == "docker.io" { &HUB[..] } else { &[registry][..] };
    let logins = file.get("auths")?;
    names.iter().find_map(|name| Credentials::from_login(logins.get(name)?.get("auth")?.as_str()?))
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        use crate::exit::Kind;
        let kind = match &error {
            ImageError::Reference { .. } => Kind::Usage,
            ImageError::NotFound { .. }
            | ImageError::Platform { .. }
            | ImageError::Mismatch { .. }
            | ImageError::Damaged { .. }
            | ImageError::Hostile { .. }
            | ImageError::TooLarge { .. }
            | ImageError::Unsupported { .. } => Kind::Input,
            // A registry that is away or refuses, a full disk or cache.
            _ => Kind::Machine,
        };
        Self::from_error(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_found_by_registry() {
        let file = serde_json::json!({ "auths": {
            "ghcr.io": { "auth": "dXNlcjpwYXNz" }, "https://index.docker.io/v1/": { "auth": "YTpiOmM=" }, "odd": {},
        } });
        let login = |user: &str, password: &str| {
            Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() })
        };
        assert_eq!(from_logins(&file, "ghcr.io"), login("user", "pass"));
        assert_eq!(from_logins(&file, "docker.io"), login("a", "b:c"));
        assert_eq!(from_logins(&file, "odd"), None);
        assert_eq!(from_logins(&file, "quay.io"), None);
    }
}
