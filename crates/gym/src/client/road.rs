//! How a connection comes about: straight to a server or through a proxy that is asked to connect (RFC 9110, section 9.3.6), encrypted
//! with the certificates that browsers trust or not.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use async_lock::Mutex;
use futures_lite::{AsyncRead, AsyncWrite, future};
use futures_rustls::TlsConnector;
use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls::crypto::ring::default_provider;
use futures_rustls::rustls::{ClientConfig, RootCertStore};
use ureq_proto::http::header::PROXY_AUTHORIZATION;
use ureq_proto::http::{Method, Request};

use super::CallError;
use super::address::Address;
use super::exchange::exchange;

/// How long what a name means is remembered: connections are not kept for longer, either.
const NAME_AGE: Duration = Duration::from_secs(4);

/// A connection, encrypted or not.
pub(super) type Connection = Pin<Box<dyn Io>>;

/// See [`Connection`].
pub(super) trait Io: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

/// See the module.
pub(super) struct Road {
    pub(super) server: Address,
    proxy: Option<Address>,
    time: Duration,
    /// What the name of the first of them means, and since when. Locked while somebody asks, so that others wait for the answer.
    known: Mutex<Option<(Vec<SocketAddr>, Instant)>>,
}

impl Road {
    /// A road on which nobody may be longer than `time`.
    pub(super) fn new(server: Address, proxy: Option<Address>, time: Duration) -> Self {
        Self { server, proxy, time, known: Mutex::new(None) }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Connection, CallError> {
        let late = async {
            Timer::after(self.time).await;
            let why = format!("no connection within {} s", self.time.as_secs_f64());
            Err(io::Error::new(io::ErrorKind::TimedOut, why).into())
        };
        future::or(self.travel(), late).await
    }

    async fn travel(&self) -> Result<Connection, CallError> {
        let first = self.proxy.as_ref().unwrap_or(&self.server);
        let mut connection = encrypted(self.reach(first).await?, first).await?;
        if let Some(proxy) = &self.proxy {
            ask(&mut connection, proxy, &self.server).await?;
            connection = encrypted(connection, &self.server).await?;
        }
        Ok(connection)
    }

    /// The first of the addresses of a host that answers.
    async fn reach(&self, to: &Address) -> io::Result<Connection> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.lookup(to).await? {
            match Async::<TcpStream>::connect(address).await {
                Ok(stream) => {
                    stream.get_ref().set_nodelay(true)?;
                    return Ok(Box::pin(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn lookup(&self, to: &Address) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = to.host.parse::<IpAddr>() {
            return Ok(vec![(address, to.port).into()]);
        }
        let mut known = self.known.lock().await;
        if let Some((addresses, since)) = &*known
            && since.elapsed() < NAME_AGE
        {
            return Ok(addresses.clone());
        }
        let place = (to.host.clone(), to.port);
        let addresses: Vec<SocketAddr> = blocking::unblock(move || place.to_socket_addrs()).await?.collect();
        *known = Some((addresses.clone(), Instant::now()));
        Ok(addresses)
    }
}

async fn encrypted(connection: Connection, to: &Address) -> io::Result<Connection> {
    static TRUST: LazyLock<TlsConnector> = LazyLock::new(|| {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("the provider knows them");
        Arc::new(config.with_root_certificates(roots).with_no_client_auth()).into()
    });
    if !to.is_encrypted {
        return Ok(connection);
    }
    let name = ServerName::try_from(to.host.clone()).map_err(io::Error::other)?;
    Ok(Box::pin(TRUST.connect(name, connection).await?))
}

/// Has the proxy at the other end connect to the server.
async fn ask(connection: &mut Connection, proxy: &Address, server: &Address) -> Result<(), CallError> {
    let host = if server.host.contains(':') { format!("[{}]", server.host) } else { server.host.clone() };
    let mut request = Request::builder().method(Method::CONNECT).uri(format!("{host}:{}", server.port));
    if let Some(value) = &proxy.authorization {
        request = request.header(PROXY_AUTHORIZATION, value);
    }
    let request = request.body(())?;
    let (answer, _) = exchange(connection, request, &[], 1 << 10).await?;
    match answer.status {
        200..300 => Ok(()),
        status => Err(io::Error::other(format!("the proxy answered {status}")).into()),
    }
}
