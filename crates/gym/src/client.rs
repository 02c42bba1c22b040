//! How servers of models are called: one set of rules for all who do.
//!
//! A status is never an error here, and a redirect is an answer like any other: following it would send prompts and keys to an
//! address that nobody named. Proxies come from the caller, never from the environment.

mod lookup;

use std::sync::Mutex;
use std::time::Duration;

use ureq::http::Uri;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy};

use self::lookup::Lookup;

/// Bytes of the two buffers of a connection, of which there are hundreds. The head of an answer has to fit, and less would grow with the first request.
const INPUT: usize = 10 << 10;
/// Beside the key: every row of the head of a request has to fit.
const OUTPUT: usize = 4 << 10;
/// Connections that are kept for the next request.
const IDLE: usize = 4096;
/// How long they are kept: servers in Python close theirs after 5 seconds.
const IDLE_AGE: Duration = Duration::from_secs(4);

/// Where a server is, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The address that the user gave.
    pub address: &'a str,
    /// What such an address looks like.
    pub example: &'a str,
    /// Address of an HTTP proxy.
    pub proxy: Option<&'a str>,
    /// What requests are authorized with.
    pub key: Option<&'a str>,
    /// Wall time until there is a connection.
    pub connect: Duration,
    /// Wall time of one request as a whole.
    pub request: Duration,
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
    #[error("the proxy is not usable: {0}")]
    Proxy(#[source] ureq::Error),
}

/// An agent for the server, and its address without a slash at the end. Nothing is sent yet.
///
/// # Errors
/// [`ClientError`] when the address or the proxy is no URL.
pub fn agent(target: Target<'_>) -> Result<(Agent, String), ClientError> {
    let address = target.address.trim_end_matches('/').to_owned();
    let has_scheme = address.starts_with("http://") || address.starts_with("https://");
    if !has_scheme || address.parse::<Uri>().is_err() {
        return Err(ClientError::Address { address, example: target.example.to_owned() });
    }
    let proxy = target.proxy.map(Proxy::new).transpose().map_err(ClientError::Proxy)?;
    let settings = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(target.connect))
        .timeout_global(Some(target.request))
        // Hundreds of episodes call one server at once: each goes on with a connection, and none of them is large.
        .input_buffer_size(INPUT)
        .output_buffer_size(OUTPUT + target.key.map_or(0, str::len))
        .max_idle_connections(IDLE)
        .max_idle_connections_per_host(IDLE)
        .max_idle_age(IDLE_AGE)
        // Set in any case: otherwise it would come from the environment.
        .proxy(proxy);
    // An address is as old as the connections to it may be.
    let lookup = Lookup { resolver: DefaultResolver::default(), age: IDLE_AGE, last: Mutex::default() };
    Ok((Agent::with_parts(settings.build(), DefaultConnector::default(), lookup), address))
}

/// Whether a server says that a conversation has no room in its model's context. Servers agree on the status, not on the words.
pub(crate) fn is_context_full(status: u16, said: &str) -> bool {
    const WORDS: [&str; 5] =
        ["context_length", "context length", "context size", "context window", "prompt is too long"];
    let said = said.to_lowercase();
    [400, 413, 422].contains(&status) && WORDS.iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier};

    use super::*;

    fn target(address: &str) -> Target<'_> {
        let (connect, request) = (Duration::from_secs(5), Duration::from_secs(5));
        Target { address, example: "http://localhost:8000/v1", proxy: None, key: None, connect, request }
    }

    #[test]
    fn a_redirect_is_an_answer_and_not_followed() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let address = format!("http://{}/v1/", listener.local_addr().expect("it is bound"));
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let _ = stream.read(&mut [0; 4096]);
            let answer = "HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).expect("sent");
        });
        let (agent, base) = agent(target(&address)).expect("it is a URL");
        assert!(!base.ends_with('/'));
        let response = agent.get(&base).call().expect("an answer");
        assert_eq!(response.status().as_u16(), 307);
        answering.join().expect("did not panic");
    }

    #[test]
    fn a_key_may_be_long() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let key = "k".repeat(6000);
        let (agent, base) = agent(Target { key: Some(&key), ..target(&address) }).expect("it is a URL");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("somebody comes");
                let mut lines = BufReader::new(&stream).lines();
                while lines.next().is_some_and(|line| !line.expect("text").is_empty()) {}
                stream.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").expect("sent");
            });
            let response = agent.get(&base).header("authorization", format!("Bearer {key}")).call();
            assert_eq!(response.expect("an answer").status().as_u16(), 204);
        });
    }

    #[test]
    fn callers_go_on_with_the_connections_that_they_had() {
        const CALLERS: usize = 8;
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (opened, all_asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(CALLERS)));
        std::thread::spawn({
            let opened = opened.clone();
            move || {
                for stream in listener.incoming() {
                    opened.fetch_add(1, Ordering::Relaxed);
                    let (mut stream, all_asked) = (stream.expect("a connection"), all_asked.clone());
                    std::thread::spawn(move || {
                        while stream.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
                            all_asked.wait();
                            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("sent");
                        }
                    });
                }
            }
        });
        let (agent, base) = agent(target(&address)).expect("it is a URL");
        for _ in 0..3 {
            std::thread::scope(|scope| {
                for _ in 0..CALLERS {
                    scope.spawn(|| agent.get(&base).call().expect("an answer").body_mut().read_to_vec().expect("read"));
                }
            });
        }
        assert_eq!(opened.load(Ordering::Relaxed), CALLERS);
    }

    #[test]
    fn what_is_no_address_is_named_with_an_example() {
        for address in ["localhost:8000", "http://a b", "ftp://x"] {
            let error = agent(target(address)).expect_err("refused").to_string();
            assert_eq!(error, format!("`{address}` is not a URL; give one such as `http://localhost:8000/v1`"));
        }
        let proxied = Target { proxy: Some("::"), ..target("http://localhost/v1") };
        let error = agent(proxied).expect_err("refused").to_string();
        assert!(error.starts_with("the proxy is not usable: "), "{error}");
    }
}
