//! Which socket: the one that was named, else the first one at the usual places.

use std::path::{Path, PathBuf};

use super::engine::unavailable;
use crate::SandboxError;

/// The socket of the engine; `named` is a path or an address as in DOCKER_HOST.
pub(super) fn find(named: Option<&str>) -> Result<PathBuf, SandboxError> {
    match named {
        Some(address) => from_address(address),
        None => {
            let usual = usual(rustix::process::geteuid().as_raw());
            let found = usual.iter().find(|path| path.exists());
            found.cloned().ok_or_else(|| {
                let places: Vec<String> = usual.iter().map(|path| format!("`{}`", path.display())).collect();
                unavailable(format!(
                    "no engine's socket at {}; install Docker or Podman and start it (`systemctl start docker`, `systemctl --user start \
                     podman.socket`, or `podman system service --time=0`)",
                    places.join(", ")
                ))
            })
        }
    }
}

fn from_address(address: &str) -> Result<PathBuf, SandboxError> {
    let path = address.strip_prefix("unix://").unwrap_or(address);
    match Path::new(path).is_absolute() {
        true => Ok(path.into()),
        false => Err(unavailable(format!(
            "`{address}` is not a local socket; files of a sandbox are shared with the engine, so it must run on this machine: name its \
             socket, for example unix:///run/podman/podman.sock"
        ))),
    }
}

/// An ordinary user's own engine comes before that of the machine, which root's own is.
fn usual(user: u32) -> Vec<PathBuf> {
    let machine = ["/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
    let own = ["docker.sock", "podman/podman.sock"].map(|name| PathBuf::from(format!("/run/user/{user}/{name}")));
    if user == 0 { machine.into_iter().collect() } else { own.into_iter().chain(machine).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_other_machines_are_refused_with_the_reason() {
        assert_eq!(from_address("unix:///run/x.sock").expect("a path"), Path::new("/run/x.sock"));
        assert_eq!(from_address("/run/x.sock").expect("a path"), Path::new("/run/x.sock"));
        for address in ["tcp://10.0.0.1:2375", "ssh://host", "npipe:////./pipe/docker_engine", ""] {
            let text = from_address(address).expect_err(address).to_string();
            assert!(text.contains("must run on this machine"), "{text}");
        }
    }

    #[test]
    fn users_get_their_own_engine_first() {
        assert_eq!(usual(1000)[0], Path::new("/run/user/1000/docker.sock"));
        assert_eq!(usual(0)[0], Path::new("/run/docker.sock"));
    }
}
