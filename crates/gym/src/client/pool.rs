//! Connections that wait for their next request.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::road::Connection;

/// How long they are kept: servers in Python close theirs after 5 seconds.
const IDLE_AGE: Duration = Duration::from_secs(4);

/// See the module. The newest comes last.
#[derive(Default)]
pub(super) struct Pool(Mutex<VecDeque<(Connection, Instant)>>);

impl Pool {
    /// The one that was used last and that the server has not closed.
    pub(super) async fn take(&self) -> Option<Connection> {
        loop {
            let (mut connection, _) = self.fresh().pop_back()?;
            // A server that says something before it was asked has closed, or will.
            let is_silent =
                poll_fn(|context| Poll::Ready(connection.as_mut().poll_read(context, &mut [0]).is_pending())).await;
            if is_silent {
                return Some(connection);
            }
        }
    }

    pub(super) fn put(&self, connection: Connection) {
        self.fresh().push_back((connection, Instant::now()));
    }

    fn fresh(&self) -> MutexGuard<'_, VecDeque<(Connection, Instant)>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = all.iter().take_while(|(_, since)| since.elapsed() > IDLE_AGE).count();
        all.drain(..old);
        all
    }
}
