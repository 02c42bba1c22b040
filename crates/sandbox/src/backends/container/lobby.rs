//! Where the first processes of new containers call in, and are told apart by their number.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A socket in the stage.
pub(super) struct Lobby {
    listener: UnixListener,
    /// Who called in and was not asked for yet, by process.
    waiting: Mutex<HashMap<i32, Caller>>,
}

/// The connection to a first process.
pub(super) struct Caller {
    pub(super) connection: OwnedFd,
    /// The user and group as which it runs, as this process sees them.
    pub(super) owner: (u32, u32),
}

impl Lobby {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        // Containers run as users of their own. Who else calls in is never asked for.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
        Ok(Self { listener, waiting: Mutex::default() })
    }

    /// Waits for `process` to call in; `None` when it does not.
    pub(super) fn wait_for(&self, process: i32, patience: Duration) -> std::io::Result<Option<Caller>> {
        const MOST: usize = 4096;
        let end = Instant::now() + patience;
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if waiting.len() > MOST {
                    waiting.clear();
                }
                self.admit(&mut waiting)?;
                if let Some(caller) = waiting.remove(&process) {
                    return Ok(Some(caller));
                }
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn admit(&self, waiting: &mut HashMap<i32, Caller>) -> std::io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    let peer = rustix::net::sockopt::socket_peercred(&stream)?;
                    let owner = (peer.uid.as_raw(), peer.gid.as_raw());
                    waiting.insert(peer.pid.as_raw_nonzero().get(), Caller { connection: stream.into(), owner });
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
