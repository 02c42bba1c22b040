//! HTTP 1.1 on a socket, as much of it as programs that talk to models use: one thread per connection, bodies with a length or in
//! chunks, connections that stay open, answers as a whole or as a stream of events.
//!
//! It is small on purpose: whoever wants TLS, compression or HTTP 2 puts a proxy in front. Every size has a limit, and what a client
//! sends wrong is answered with a status and one line. It knows nothing of what is served.

mod request;
mod response;

use std::io::{self, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

pub use request::Request;
pub use response::{Events, Response};

/// How often a server looks whether it shall stop.
const GLANCE: Duration = Duration::from_millis(20);
/// A connection on which nothing comes for so long is closed.
const IDLE: Duration = Duration::from_secs(600);
/// How long, and how much, is read of a request that was refused.
const LINGER: Duration = Duration::from_secs(1);
const LONGEST_REST: u64 = 16 << 20;

/// What clients may use of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at once; more wait until others end.
    pub connections: usize,
    /// Bytes of a body.
    pub body: u64,
    /// The least time between two new connections.
    pub pause: Duration,
}

impl Default for Bounds {
    /// For clients that are trusted with the machine.
    fn default() -> Self {
        Self { connections: 16_384, body: 256 << 20, pause: Duration::ZERO }
    }
}

/// Answers requests, many at once.
pub trait Handler: Sync {
    /// The answer to a request.
    fn handle(&self, request: &Request) -> Response;
}

/// A socket that clients connect to.
pub enum Listener {
    /// At an address of this machine.
    Tcp(TcpListener),
    /// At a path; removed when the listener is dropped.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens at an address such as `127.0.0.1:8000`; port 0 takes a free one.
    ///
    /// # Errors
    /// With the address in the message.
    pub fn tcp(address: &str) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen at `{address}`: {error}"));
        let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(named)?.collect();
        Ok(Self::Tcp(TcpListener::bind(&addresses[..]).map_err(named)?))
    }

    /// Listens at a path.
    ///
    /// # Errors
    /// With the path in the message.
    pub fn unix(path: &Path) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot listen at `{}`: {error}", path.display()));
        Ok(Self::Unix(UnixListener::bind(path).map_err(named)?, path.to_owned()))
    }

    /// Where clients find it: `http://127.0.0.1:8000` or `unix:/path`.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "http://?".to_owned(), |address| format!("http://{address}"))
            }
            Self::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener, _) => listener.set_nonblocking(true),
        }
    }

    fn accept(&self) -> io::Result<Connection> {
        Ok(match self {
            Self::Tcp(listener) => Connection::Tcp(listener.accept()?.0),
            Self::Unix(listener, _) => Connection::Unix(listener.accept()?.0),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Serves until `stop` is set; answers that were begun are finished.
///
/// # Errors
/// When the socket fails as a whole; what single connections do wrong ends only them.
pub fn serve(listener: &Listener, handler: &dyn Handler, stop: &AtomicBool) -> io::Result<()> {
    serve_within(listener, handler, stop, &Bounds::default())
}

/// The same for clients that may use so much.
///
/// # Errors
/// As [`serve`].
pub fn serve_within(listener: &Listener, handler: &dyn Handler, stop: &AtomicBool, bounds: &Bounds) -> io::Result<()> {
    listener.set_nonblocking()?;
    let open = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        while !stop.load(Ordering::Relaxed) {
            if open.load(Ordering::Relaxed) >= bounds.connections {
                std::thread::sleep(GLANCE);
                continue;
            }
            match listener.accept() {
                Ok(connection) => {
                    open.fetch_add(1, Ordering::Relaxed);
                    let open = &open;
                    scope.spawn(move || {
                        // Whatever ends a connection concerns its client alone.
                        let _ = converse(connection, handler, stop, bounds);
                        open.fetch_sub(1, Ordering::Relaxed);
                    });
                    std::thread::sleep(bounds.pause);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(GLANCE),
                // The client has gone already, or descriptors are short for a moment.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.raw_os_error().is_some_and(|code| [23, 24].contains(&code)) => {
                    std::thread::sleep(GLANCE)
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
}

enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What both kinds of stream can do.
trait Stream: io::Read + Write {}
impl<T: io::Read + Write> Stream for T {}

impl Connection {
    /// Two halves; reading gives up now and then so that a stop is noticed.
    fn split(&self) -> io::Result<(Box<dyn Stream>, Box<dyn Stream>)> {
        Ok(match self {
            Self::Tcp(stream) => {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(GLANCE * 10))?;
                (Box::new(stream.try_clone()?), Box::new(stream.try_clone()?))
            }
            Self::Unix(stream) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(GLANCE * 10))?;
                (Box::new(stream.try_clone()?), Box::new(stream.try_clone()?))
            }
        })
    }
}

/// Requests and answers in turn until either side has enough.
fn converse(connection: Connection, handler: &dyn Handler, stop: &AtomicBool, bounds: &Bounds) -> io::Result<()> {
    let (reading, mut writing) = connection.split()?;
    let mut reader = BufReader::new(Patient { stream: reading, stop, idle: IDLE });
    loop {
        let mut go_on = || writing.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        let request = match request::read(&mut reader, &mut go_on, bounds.body) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(request::Wrong::Io(error)) => return Err(error),
            Err(request::Wrong::Said { status, reason }) => {
                Response::error(status, &reason).write(&mut writing, false, true)?;
                // A connection that is closed on bytes that nobody read takes the answer with it.
                reader.get_mut().idle = LINGER;
                io::copy(&mut reader.take(LONGEST_REST), &mut io::sink())?;
                return Ok(());
            }
        };
        let stay = request.keeps_alive() && !stop.load(Ordering::Relaxed);
        let response = handler.handle(&request);
        response.write(&mut writing, stay, request.method != "HEAD")?;
        if !stay {
            return Ok(());
        }
    }
}

/// Waits for bytes in small steps, so that a server that stops does not wait for silent clients.
struct Patient<'a> {
    stream: Box<dyn Stream>,
    stop: &'a AtomicBool,
    idle: Duration,
}

impl io::Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = std::time::Instant::now();
        loop {
            match self.stream.read(buffer) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.stop.load(Ordering::Relaxed) || start.elapsed() > self.idle {
                        return Ok(0);
                    }
                }
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Handler for Echo {
        fn handle(&self, request: &Request) -> Response {
            match request.path.as_str() {
                "/stream" => Response::events(|events| {
                    events.send(None, "one")?;
                    events.send(Some("kind"), "two").map(|()| None)
                }),
                "/refused" => Response::events(|_| Ok(Some(Response::error(400, "no")))),
                "/broken" => Response::events(|events| {
                    events.send(None, "one")?;
                    Ok(Some(Response::error(400, "no")))
                }),
                _ => Response::json(
                    200,
                    &serde_json::json!({"path": request.path, "body": String::from_utf8_lossy(&request.body)}),
                ),
            }
        }
    }

    /// What a server answers to raw bytes.
    fn exchange(sent: &str) -> String {
        let listener = Listener::tcp("127.0.0.1:0").expect("loopback is there");
        let address = listener.address().replace("http://", "");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| serve(&listener, &Echo, &stop).expect("serves"));
            let _guard = Stop(&stop);
            let mut stream = TcpStream::connect(address).expect("connects");
            stream.write_all(sent.as_bytes()).expect("sent");
            stream.shutdown(std::net::Shutdown::Write).expect("half closed");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("text");
            answer
        })
    }

    /// However a test ends, its server ends too.
    struct Stop<'a>(&'a AtomicBool);

    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn several_requests_on_one_connection_are_answered_in_turn() {
        let chunked = "POST /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n";
        let answer =
            exchange(&format!("POST /a?q=1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi{chunked}GET /c HTTP/1.1\r\n\r\n"));
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
        for part in [r#"{"body":"hi","path":"/a"}"#, r#"{"body":"hello","path":"/b"}"#, r#"{"body":"","path":"/c"}"#] {
            assert!(answer.contains(part), "{answer}");
        }
    }

    #[test]
    fn events_come_in_chunks() {
        let answer = exchange("GET /stream HTTP/1.1\r\nconnection: close\r\n\r\n");
        assert!(answer.contains("content-type: text/event-stream"), "{answer}");
        assert!(answer.ends_with("b\r\ndata: one\n\n\r\n17\r\nevent: kind\ndata: two\n\n\r\n0\r\n\r\n"), "{answer:?}");
    }

    #[test]
    fn a_stream_that_never_began_has_a_status_and_one_that_did_is_broken_off() {
        let refused = exchange("GET /refused HTTP/1.1\r\nconnection: close\r\n\r\n");
        assert!(refused.starts_with("HTTP/1.1 400 Bad Request") && refused.contains("\"message\":\"no\""), "{refused}");
        let broken = exchange("GET /broken HTTP/1.1\r\n\r\n");
        assert!(broken.starts_with("HTTP/1.1 200") && broken.ends_with("data: one\n\n\r\n"), "{broken:?}");
    }

    #[test]
    fn what_is_no_request_is_answered_with_a_status() {
        let status = |sent: &str| exchange(sent).split(' ').nth(1).unwrap_or_default().to_owned();
        assert_eq!(status("nonsense\r\n\r\n"), "400");
        assert_eq!(status("POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"), "400");
        assert_eq!(status("POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n"), "413");
        assert_eq!(status(&format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(200_000))), "431");
        assert_eq!(status("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), "400");
        let expecting = exchange("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi");
        assert!(expecting.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), "{expecting}");
    }

    #[test]
    fn a_unix_socket_is_gone_with_its_server() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let listener = Listener::unix(&path).expect("listens");
        assert!(Listener::unix(&path).err().expect("taken").to_string().contains("cannot listen at"));
        drop(listener);
        assert!(!path.exists());
    }
}
