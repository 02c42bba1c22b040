//! How servers of models are called: one set of rules for all who do.
//!
//! An answer is waited for as a future, which takes no thread and no buffer: hundreds of episodes wait at once. Whoever has a thread to
//! spare blocks on it. A status is never an error here, and a redirect is an answer like any other: following it would send prompts and
//! keys to an address that nobody named. Proxies come from the caller, never from the environment.

mod address;
mod exchange;
mod pool;
mod road;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future;
use ureq_proto::http::header::{AUTHORIZATION, CONTENT_LENGTH, USER_AGENT};
use ureq_proto::http::{HeaderMap, Method, Request};

use self::address::Address;
use self::exchange::exchange;
use self::pool::Pool;
use self::road::Road;

/// What servers read in their logs.
const NAME: &str = concat!("basis/", env!("CARGO_PKG_VERSION"));

/// Where a server is, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The address that the user gave.
    pub address: &'a str,
    /// What such an address looks like.
    pub example: &'a str,
    /// Address of an HTTP proxy.
    pub proxy: Option<&'a str>,
    /// Wall time until there is a connection.
    pub connect: Duration,
    /// Wall time of one request as a whole.
    pub request: Duration,
    /// Bytes of an answer's body at most.
    pub longest: usize,
}

/// Why a server cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("`{address}` is not a URL; give one such as `{example}`")]
    Address {
        /// What was given.
        address: String,
        /// What was expected.
        example: String,
    },
    /// The address of the proxy is none.
    #[error("the proxy is not usable: `{0}` is no address such as `http://user:password@host:8080`")]
    Proxy(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Not within the time of a request.
    #[error("no answer in time")]
    Timeout,
    /// Its body has more bytes than this.
    #[error("more than {0} bytes")]
    TooLong(usize),
    /// The request is none.
    #[error(transparent)]
    Unwritable(#[from] ureq_proto::http::Error),
    /// The answer is no HTTP.
    #[error(transparent)]
    Protocol(#[from] ureq_proto::Error),
    /// No connection, or one that broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header; empty where there is none, or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The pause that the server asks for, when it is given in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.header("retry-after").trim().parse().ok()?).ok()
    }
}

/// Calls one server. Clones share its connections.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    road: Road,
    pool: Pool,
    time: Duration,
    longest: usize,
}

impl Client {
    /// A client for the server. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError`] when the address or the proxy is no URL.
    pub fn new(target: Target<'_>) -> Result<Self, ClientError> {
        let server = Address::parse(target.address).ok_or_else(|| ClientError::Address {
            address: target.address.to_owned(),
            example: target.example.to_owned(),
        })?;
        let proxy = |text: &str| Address::parse_host(text).ok_or_else(|| ClientError::Proxy(text.to_owned()));
        let road = Road::new(server, target.proxy.map(proxy).transpose()?, target.connect);
        let (time, longest) = (target.request, target.longest);
        Ok(Self(Arc::new(Shared { road, pool: Pool::default(), time, longest })))
    }

    /// The server's address, without user and password and without a slash at the end.
    pub fn base(&self) -> &str {
        &self.0.road.server.base
    }

    /// What a `GET` of a URL of this server gives.
    ///
    /// # Errors
    /// [`CallError`] when there is no whole answer.
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, CallError> {
        self.send(Method::GET, url, headers, &[]).await
    }

    /// What a `POST` to a URL of this server gives. The body comes in pieces, so that nobody has to copy it while waiting.
    ///
    /// # Errors
    /// [`CallError`] when there is no whole answer.
    pub async fn post(&self, url: &str, headers: &[(&str, &str)], body: &[&[u8]]) -> Result<Answer, CallError> {
        self.send(Method::POST, url, headers, body).await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: &[&[u8]],
    ) -> Result<Answer, CallError> {
        let Shared { road, pool, time, longest } = &*self.0;
        let mut request = Request::builder().method(&method).uri(url).header(USER_AGENT, NAME);
        if method == Method::POST {
            request = request.header(CONTENT_LENGTH, body.iter().map(|piece| piece.len()).sum::<usize>());
        }
        // A key comes before what stands in the address.
        if let Some(value) = &road.server.authorization
            && !headers.iter().any(|(name, _)| *name == "authorization")
        {
            request = request.header(AUTHORIZATION, value);
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(())?;
        let answer = async {
            let mut connection = match pool.take().await {
                Some(connection) => connection,
                None => road.connect().await?,
            };
            let (answer, is_reusable) = exchange(&mut connection, request, body, *longest).await?;
            if is_reusable {
                pool.put(connection);
            }
            Ok(answer)
        };
        let late = async {
            Timer::after(*time).await;
            Err(CallError::Timeout)
        };
        future::or(answer, late).await
    }
}

/// Whether a server says that a conversation has no room in its model's context. Servers agree on the status, not on the words.
pub(crate) fn is_context_full(status: u16, said: &str) -> bool {
    const WORDS: [&str; 5] =
        ["context_length", "context length", "context size", "context window", "prompt is too long"];
    let said = said.to_lowercase();
    [400, 413, 422].contains(&status) && WORDS.iter().any(|words| said.contains(words))
}
