//! The server: which call does what.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::State;
use super::store::{Effect, selects, status};

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Answers until the runtime ends.
pub(crate) async fn serve(state: Arc<State>, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(state.clone(), request));
            // A connection that breaks is the client's affair.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

/// A call, taken apart.
pub(crate) struct Call {
    pub(crate) verb: &'static str,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// In the order of the address.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Call {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

async fn answer(state: Arc<State>, mut request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let authorised =
        request.headers().get("authorization").is_some_and(|value| value == &format!("Bearer {}", super::TOKEN));
    if !authorised {
        return Ok(failure(&status(401, "Unauthorized", "Unauthorized")));
    }
    let address = request.uri().to_string();
    let fault = state.store.lock().expect("not poisoned").fault(request.method().as_str(), &address);
    if let Some(Effect::Answer(status)) = &fault {
        return Ok(failure(status));
    }
    if request.uri().path() == "/version" {
        return Ok(json_response(200, &version(&state)));
    }
    let Some(call) = parse(&request) else {
        return Ok(failure(&status(404, "NotFound", "the server could not find it")));
    };
    if let Some(refused) = refusal(&state, &call) {
        return Ok(failure(&refused));
    }
    if call.verb == "exec" {
        return Ok(super::exec::upgrade(state, &call, &mut request).await);
    }
    if call.verb == "watch" {
        return Ok(watch(state, &call));
    }
    let body = request.body_mut().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let result = act(&state, &call, &body);
    if matches!(fault, Some(Effect::Lost)) {
        return Err(std::io::Error::other("the answer is lost"));
    }
    Ok(result.map_or_else(|status| failure(&status), |object| json_response(200, &object)))
}

fn act(state: &State, call: &Call, body: &[u8]) -> Result<Value, Value> {
    let (kind, namespace, name) = (call.kind.as_str(), call.namespace.as_str(), call.name.as_str());
    let object =
        || serde_json::from_slice::<Value>(body).map_err(|error| status(400, "BadRequest", &error.to_string()));
    let grace = || {
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        options["gracePeriodSeconds"].as_i64().unwrap_or(30)
    };
    match call.verb {
        "get" => state.store.lock().expect("not poisoned").get(kind, namespace, name),
        "list" => {
            let store = state.store.lock().expect("not poisoned");
            let items = store.list(kind, namespace, call.parameter("labelSelector"));
            Ok(
                json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": store.version().to_string() }, "items": items }),
            )
        }
        "create" => {
            let object = object()?;
            state.change(|store| store.create(kind, namespace, object))
        }
        "update" => {
            let object = object()?;
            state.change(|store| store.replace(kind, namespace, name, object))
        }
        "delete" => state.change(|store| store.delete(kind, namespace, name, grace())),
        _ => state.change(|store| {
            let all = store.list(kind, namespace, call.parameter("labelSelector"));
            for object in &all {
                let _ = store.delete(kind, namespace, object["metadata"]["name"].as_str().unwrap_or_default(), grace());
            }
            Ok(json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": all }))
        }),
    }
}

fn parse(request: &Request<Incoming>) -> Option<Call> {
    let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    let rest = match path.as_slice() {
        ["api", "v1", "namespaces", rest @ ..] | ["apis", "networking.k8s.io", "v1", "namespaces", rest @ ..] => rest,
        _ => return None,
    };
    let parameters: Vec<(String, String)> = request.uri().query().map(query).unwrap_or_default();
    let watches = parameters.iter().any(|(key, value)| key == "watch" && value == "true");
    let (namespace, kind, name, verb) = match (rest, request.method().as_str()) {
        ([namespace, kind], "GET") => (namespace, kind, "", if watches { "watch" } else { "list" }),
        ([namespace, kind], "POST") => (namespace, kind, "", "create"),
        ([namespace, kind], "DELETE") => (namespace, kind, "", "deletecollection"),
        ([namespace, kind, name], "GET") => (namespace, kind, *name, "get"),
        ([namespace, kind, name], "PUT") => (namespace, kind, *name, "update"),
        ([namespace, kind, name], "DELETE") => (namespace, kind, *name, "delete"),
        ([namespace, kind, name, "exec"], "GET") => (namespace, kind, *name, "exec"),
        _ => return None,
    };
    Some(Call { verb, kind: (*kind).into(), namespace: (*namespace).into(), name: name.into(), parameters })
}

fn query(text: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, more)) = rest.split_first() {
            let code = (*first == b'%').then(|| std::str::from_utf8(more.get(..2)?).ok()).flatten();
            match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &more[2..];
                }
                None => {
                    bytes.push(*first);
                    rest = more;
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(key, value)| (decode(key), decode(value))).collect()
}

/// Which verbs the guide's role allows of which resource.
pub(crate) fn role() -> Vec<(String, String)> {
    let manifest = include_str!("../../../../../docs/guides/kubernetes.yaml");
    let after = |line: &str, key: &str| line.trim().strip_prefix(key).map(|rest| rest.trim().to_owned());
    let resources = manifest.lines().filter_map(|line| after(line, "resources:"));
    let verbs = manifest.lines().filter_map(|line| after(line, "verbs:"));
    resources.map(|names| names.trim_matches(['[', ']', '"']).to_owned()).zip(verbs).collect()
}

fn refusal(state: &State, call: &Call) -> Option<Value> {
    let resource = if call.verb == "exec" { "pods/exec" } else { &call.kind };
    let verb = if call.verb == "exec" { "get" } else { call.verb };
    let asked = format!("{verb} {resource}");
    let forbidden = state.store.lock().expect("not poisoned").forbidden.iter().any(|entry| *entry == asked);
    let allowed = state.role.iter().any(|(known, verbs)| known == resource && verbs.contains(&format!("\"{verb}\"")));
    (forbidden || !allowed).then(|| {
        let message = format!(
            "{resource} is forbidden: User \"system:serviceaccount:basis:basis\" cannot {verb} resource \"{resource}\" in API group \
             \"\" in the namespace \"{}\"",
            call.namespace
        );
        status(403, "Forbidden", &message)
    })
}

fn version(state: &State) -> Value {
    let minor = state.store.lock().expect("not poisoned").minor;
    let fields = ["buildDate", "compiler", "gitCommit", "gitTreeState", "gitVersion", "goVersion", "platform"];
    let mut all: HashMap<&str, &str> = fields.into_iter().map(|field| (field, "")).collect();
    all.extend([("major", "1"), ("minor", minor)]);
    json!(all)
}

/// Sends changes as they come. Now and then a bookmark says how far it is.
fn watch(state: Arc<State>, call: &Call) -> Response<Body> {
    state.store.lock().expect("not poisoned").watches += 1;
    let from: u64 = call.parameter("resourceVersion").parse().unwrap_or(0);
    let (kind, namespace, selector) =
        (call.kind.clone(), call.namespace.clone(), call.parameter("labelSelector").to_owned());
    let (changes, broken) = (state.changed.subscribe(), state.broken.subscribe());
    let begin = (state, from, changes, broken, false);
    let lines = futures::stream::unfold(begin, move |(state, from, mut changes, mut broken, over)| {
        let (kind, namespace, selector) = (kind.clone(), namespace.clone(), selector.clone());
        async move {
            if over {
                return None;
            }
            loop {
                changes.mark_unchanged();
                let (news, version) = {
                    let store = state.store.lock().expect("not poisoned");
                    (store.since(from), store.version())
                };
                let news = match news {
                    Ok(news) => news,
                    Err(status) => {
                        let line = format!("{}\n", json!({ "type": "ERROR", "object": status }));
                        return Some((line, (state, from, changes, broken, true)));
                    }
                };
                let fitting = news.iter().filter(|change| {
                    change.kind == kind && change.namespace == namespace && selects(&selector, &change.object)
                });
                let text: String = fitting
                    .map(|change| format!("{}\n", json!({ "type": change.what, "object": change.object })))
                    .collect();
                if !text.is_empty() {
                    return Some((text, (state, version, changes, broken, false)));
                }
                if version > from + 20 {
                    let object = json!({ "kind": "Pod", "apiVersion": "v1", "metadata": { "resourceVersion": version.to_string(), "creationTimestamp": null }, "spec": { "containers": null }, "status": {} });
                    let line = format!("{}\n", json!({ "type": "BOOKMARK", "object": object }));
                    return Some((line, (state, version, changes, broken, false)));
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    _ = broken.changed() => return None,
                }
            }
        }
    });
    let frames = lines.map(|line| Ok::<_, Infallible>(Frame::data(Bytes::from(line))));
    Response::builder()
        .header("content-type", "application/json")
        .body(StreamBody::new(frames).boxed_unsync())
        .expect("a response")
}

/// An answer with a status.
pub(crate) fn failure(status: &Value) -> Response<Body> {
    json_response(status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500), status)
}

fn json_response(code: u16, object: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(object.to_string())).boxed_unsync();
    Response::builder().status(code).header("content-type", "application/json").body(body).expect("a response")
}
