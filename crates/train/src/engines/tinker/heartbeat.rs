//! Tells the server that the session is alive; servers take back what silent sessions hold.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::json;

use super::transport::{Sent, Transport};

const EVERY: Duration = Duration::from_secs(10);

/// Beats until it is dropped.
pub(super) struct Heartbeat {
    /// Ends the thread by being dropped.
    _alive: Sender<()>,
}

impl Heartbeat {
    pub(super) fn start(transport: Arc<Transport>, session: String) -> Self {
        let (alive, gone) = channel::<()>();
        std::thread::spawn(move || {
            let body = json!({"session_id": session, "type": "session_heartbeat"});
            while let Err(RecvTimeoutError::Timeout) = gone.recv_timeout(EVERY) {
                // Whoever needs the session hears of a server that is away.
                let _ = transport.post("session_heartbeat", &Sent::Json(&body));
            }
        });
        Self { _alive: alive }
    }
}
