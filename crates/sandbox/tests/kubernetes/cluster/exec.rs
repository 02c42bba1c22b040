//! Programs in containers over WebSockets, with the protocol `v5.channel.k8s.io`.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin};
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use super::State;
use super::http::{Body, Call, failure};
use super::store::status;

const PROTOCOL: &str = "v5.channel.k8s.io";

/// Starts the program and changes the connection over.
pub(crate) async fn upgrade(state: Arc<State>, call: &Call, request: &mut Request<Incoming>) -> Response<Body> {
    if let Err(missing) = state.store.lock().expect("not poisoned").get("pods", &call.namespace, &call.name) {
        return failure(&missing);
    }
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if !header("sec-websocket-protocol").split(", ").any(|protocol| protocol == PROTOCOL) {
        return failure(&status(400, "BadRequest", "unable to upgrade: no protocol in common"));
    }
    let container = call.parameter("container").to_owned();
    let argv: Vec<String> =
        call.parameters.iter().filter(|(key, _)| key == "command").map(|(_, word)| word.clone()).collect();
    let Some(child) = state.node.exec(&call.name, &container, &argv) else {
        let message = format!("unable to upgrade connection: container not found (\"{container}\")");
        return failure(&status(500, "InternalError", &message));
    };
    let accept = derive_accept_key(header("sec-websocket-key").as_bytes());
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            let mut broken = state.broken.subscribe();
            tokio::select! {
                () = converse(socket, child) => {}
                _ = broken.changed() => {}
            }
        }
    });
    Response::builder()
        .status(101)
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-accept", accept)
        .header("sec-websocket-protocol", PROTOCOL)
        .body(Empty::<Bytes>::new().boxed_unsync())
        .expect("a response")
}

async fn converse<S>(socket: WebSocketStream<S>, mut child: Child)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut sink, mut stream) = socket.split();
    let input = write(child.stdin.take().expect("piped"));
    let (frames, mut output) = mpsc::channel::<Vec<u8>>(8);
    let streams: [(u8, Box<dyn Read + Send>); 2] =
        [(1, Box::new(child.stdout.take().expect("piped"))), (2, Box::new(child.stderr.take().expect("piped")))];
    let readers = streams.map(|(number, from)| {
        let frames = frames.clone();
        tokio::task::spawn_blocking(move || read(number, from, &frames))
    });
    // As of a runtime: the streams are drained before the program counts as ended.
    tokio::spawn(async move {
        for reader in readers {
            let _ = reader.await;
        }
        let ended = tokio::task::spawn_blocking(move || child.wait()).await;
        let code = ended.ok().and_then(Result::ok).map_or(255, super::container::status);
        let _ = frames.send([&[3], exit(code).to_string().as_bytes()].concat()).await;
    });
    let incoming = async {
        let mut input = Some(input);
        while let Some(Ok(frame)) = stream.next().await {
            let Message::Binary(frame) = frame else { continue };
            match frame.split_first() {
                Some((0, bytes)) => {
                    // While the program does not read, nothing is read from the client.
                    if let Some(open) = &input
                        && open.send(bytes.to_vec()).await.is_err()
                    {
                        input = None;
                    }
                }
                Some((255, [0])) => input = None,
                _ => {}
            }
        }
    };
    let outgoing = async {
        for number in [1, 2, 3] {
            let _ = sink.send(Message::binary(vec![number])).await;
        }
        while let Some(frame) = output.recv().await {
            let last = frame[0] == 3;
            if sink.send(Message::binary(frame)).await.is_err() || last {
                break;
            }
        }
        let _ = sink.close().await;
    };
    tokio::pin!(incoming);
    tokio::select! {
        // Whoever leaves with something unread makes the other side lose what it has not read either.
        () = outgoing => drop(tokio::time::timeout(Duration::from_secs(10), incoming).await),
        () = &mut incoming => {}
    }
}

fn read(number: u8, mut from: Box<dyn Read + Send>, frames: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if frames.blocking_send([&[number], &buffer[..count]].concat()).is_err() {
            return;
        }
    }
}

/// Writes what is sent, and closes the pipe when there is nothing more to come.
fn write(mut to: ChildStdin) -> mpsc::Sender<Vec<u8>> {
    let (sender, mut pieces) = mpsc::channel::<Vec<u8>>(2);
    tokio::task::spawn_blocking(move || {
        while let Some(piece) = pieces.blocking_recv() {
            if to.write_all(&piece).is_err() {
                return;
            }
        }
    });
    sender
}

fn exit(code: i32) -> Value {
    if code == 0 {
        return json!({ "metadata": {}, "status": "Success" });
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}
