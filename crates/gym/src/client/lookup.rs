//! Addresses of a server, remembered for a few seconds.
//!
//! ureq asks for them before every request, on a thread of its own, also where it then goes on with a connection that it has.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::{Authority, Scheme};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Remembers what `resolver` said last. An agent calls one server, so that one answer is enough.
#[derive(Debug)]
pub(super) struct Lookup<R> {
    pub(super) resolver: R,
    /// How long an answer holds.
    pub(super) age: Duration,
    pub(super) last: Mutex<Option<Answer>>,
}

#[derive(Debug)]
pub(super) struct Answer {
    server: (Option<Scheme>, Option<Authority>),
    since: Instant,
    addresses: ResolvedSocketAddrs,
}

impl<R: Resolver> Resolver for Lookup<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let server = (uri.scheme().cloned(), uri.authority().cloned());
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = &*last()
            && answer.server == server
            && answer.since.elapsed() < self.age
        {
            return Ok(answer.addresses.clone());
        }
        // Not locked meanwhile: every request has a time limit of its own.
        let addresses = self.resolver.resolve(uri, config, timeout)?;
        *last() = Some(Answer { server, since: Instant::now(), addresses: addresses.clone() });
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counting(AtomicU32);

    impl Resolver for Counting {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(self.empty())
        }
    }

    /// How often somebody is asked who is to resolve these.
    fn asked(uris: &[&'static str], age: Duration) -> u32 {
        let lookup = Lookup { resolver: Counting::default(), age, last: Mutex::default() };
        for uri in uris {
            lookup.resolve(&Uri::from_static(uri), &Config::default(), NextTimeout::default()).expect("an answer");
        }
        lookup.resolver.0.into_inner()
    }

    #[test]
    fn a_server_is_looked_up_again_only_when_the_answer_is_old() {
        let uris = ["http://a:1/x", "http://a:1/y", "http://a:1/x"];
        assert_eq!(asked(&uris, Duration::from_secs(1000)), 1);
        assert_eq!(asked(&uris, Duration::ZERO), 3);
    }

    #[test]
    fn another_server_is_another_answer() {
        let uris = ["http://a:1/", "http://a:2/", "https://a:2/", "https://b:2/"];
        assert_eq!(asked(&uris, Duration::from_secs(1000)), 4);
    }
}
