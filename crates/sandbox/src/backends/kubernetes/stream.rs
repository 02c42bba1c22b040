//! One program in a container, over a WebSocket with the protocol `v5.channel.k8s.io`.
//!
//! Both directions are independent of each other, so that a program which reads nothing until its output is taken, or the
//! other way round, goes on. The first byte of a frame says which stream it belongs to.

use std::pin::Pin;
use std::time::Duration;

use futures::{Sink, SinkExt, Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::AttachParams;
use kube::{Client, core};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::failure::{chain, retrying, unavailable};
use crate::SandboxError;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
/// Followed by the number of the stream that ends.
const CLOSE: u8 = 255;
/// Bytes of standard input in one frame.
const FRAME: usize = 32 << 10;
/// Nothing between us and the node may think that nobody is here any more.
const PING: Duration = Duration::from_secs(30);

/// What a program says.
#[derive(Debug)]
pub(super) enum Event {
    Stdout(Bytes),
    Stderr(Bytes),
    /// It ended with this status; a signal is 128 and its number.
    Exited(i32),
    /// The node could not run it, or not to its end.
    Failed(String),
    /// The connection broke before it ended.
    Cut(String),
}

/// Where a program runs.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) container: &'static str,
}

/// Starts a program.
pub(super) async fn start(client: &Client, place: &Place, argv: &[String]) -> kube::Result<(Input, Events)> {
    let parameters = AttachParams::default().container(place.container).stdin(true).stdout(true).stderr(true);
    let pods = core::Request::new(format!("/api/v1/namespaces/{}/pods", place.namespace));
    let connection = retrying(|| async {
        let request = pods.exec(&place.pod, argv, &parameters).map_err(kube::Error::BuildRequest)?;
        client.connect(request).await
    })
    .await?;
    let (sink, stream) = connection.into_stream().split();
    Ok((Input(Box::pin(sink)), Events { stream: Box::pin(stream), ended: false }))
}

/// Standard input of a program.
pub(super) struct Input(Pin<Box<dyn Sink<Message, Error = Error> + Send>>);

impl Input {
    /// Sends bytes. A program that has ended does not want them; its status says what became of it.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(FRAME) {
            let frame: Vec<u8> = [STDIN].iter().chain(piece).copied().collect();
            self.0.send(Message::binary(frame)).await?;
        }
        Ok(())
    }

    /// Ends standard input.
    pub(super) async fn close(&mut self) -> Result<(), Error> {
        self.0.send(Message::binary(vec![CLOSE, STDIN])).await
    }

    /// Keeps the connection up, for ever.
    pub(super) async fn keep(&mut self) {
        loop {
            tokio::time::sleep(PING).await;
            if self.0.send(Message::Ping(Bytes::new())).await.is_err() {
                // The other direction says why.
                return futures::future::pending().await;
            }
        }
    }

    /// Sends bytes, ends standard input, and then keeps the connection up.
    pub(super) async fn feed(&mut self, bytes: &[u8]) {
        if self.send(bytes).await.is_ok() {
            let _ = self.close().await;
        }
        self.keep().await;
    }
}

/// What a program says, in order.
pub(super) struct Events {
    stream: Pin<Box<dyn Stream<Item = Result<Message, Error>> + Send>>,
    ended: bool,
}

impl Events {
    /// The next event. The last one is not a piece of output.
    pub(super) async fn next(&mut self) -> Event {
        if self.ended {
            return Event::Cut("it ended already".into());
        }
        loop {
            let frame = match self.stream.next().await {
                Some(Ok(Message::Binary(frame))) => frame,
                Some(Ok(Message::Close(_))) | None => return self.end(Event::Cut("the connection was closed".into())),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return self.end(Event::Cut(error.to_string())),
            };
            // A frame with nothing but its number opens or ends a stream.
            if frame.len() < 2 {
                continue;
            }
            match frame[0] {
                STDOUT => return Event::Stdout(frame.slice(1..)),
                STDERR => return Event::Stderr(frame.slice(1..)),
                STATUS => return self.end(status(&frame[1..])),
                _ => {}
            }
        }
    }

    fn end(&mut self, event: Event) -> Event {
        self.ended = true;
        event
    }
}

fn status(text: &[u8]) -> Event {
    let Ok(status) = serde_json::from_slice::<Status>(text) else {
        return Event::Failed(format!("an answer that is no status: {}", String::from_utf8_lossy(text)));
    };
    if status.status.as_deref() == Some("Success") {
        return Event::Exited(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let code =
        causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode")).find_map(|cause| cause.message.as_ref());
    match code.and_then(|code| code.parse().ok()) {
        Some(code) => Event::Exited(code),
        None => Event::Failed(status.message.unwrap_or_default()),
    }
}

/// What a program of ours printed, and how it ended.
pub(super) struct Finished {
    pub(super) status: i32,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// Runs a program of ours to its end.
pub(super) async fn run(
    client: &Client,
    place: &Place,
    argv: &[String],
    stdin: &[u8],
) -> Result<Finished, SandboxError> {
    let (mut input, mut events) = start(client, place, argv).await.map_err(|error| lost(place, &error))?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let fed = input.feed(stdin);
    tokio::pin!(fed);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = &mut fed => continue,
        };
        match event {
            Event::Stdout(bytes) => stdout.extend_from_slice(&bytes),
            Event::Stderr(bytes) => stderr.extend_from_slice(&bytes),
            Event::Exited(status) => {
                return Ok(Finished { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() });
            }
            Event::Failed(reason) | Event::Cut(reason) => return Err(SandboxError::Lost(reason)),
        }
    }
}

/// A program could not be started: its pod is gone, or the cluster does not let us.
pub(super) fn lost(place: &Place, error: &kube::Error) -> SandboxError {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            super::failure::explain("run programs in pods", &place.namespace, error)
        }
        kube::Error::Api(status) if status.code == 429 || status.code >= 500 && status.reason != "InternalError" => {
            unavailable(chain(error))
        }
        _ => SandboxError::Lost(chain(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        format!("{:?}", status(text.as_bytes()))
    }

    /// As a 1.36 server answers.
    #[test]
    fn the_last_frame_says_how_the_program_ended() {
        assert_eq!(said(r#"{"metadata":{},"status":"Success"}"#), "Exited(0)");
        let seven = r#"{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: exit status 7",
            "reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}"#;
        assert_eq!(said(seven), "Exited(7)");
        let missing = r#"{"metadata":{},"status":"Failure","message":"Internal error occurred: exec: \"nope\": not found",
            "reason":"InternalError","details":{"causes":[{"message":"exec: \"nope\": not found"}]},"code":500}"#;
        assert!(said(missing).starts_with("Failed(\"Internal error occurred"));
        assert!(said("{").starts_with("Failed(\"an answer that is no status"));
    }
}
