//! A registry that misbehaves, and one that wants a token: what a real one cannot be made to do.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use basis_sandbox::images::{Credentials, ImageError};

use crate::build::{Compression, Layout, images, pull};
use crate::pull::sample;

/// What is answered to a request: status, headers, body.
type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A request: its path with the query, and its header `authorization`.
struct Request {
    path: String,
    authorization: String,
}

/// Serves until the test ends; returns the address.
fn serve(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("known").to_string();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || converse(&stream, answer.as_ref()));
        }
    });
    address
}

fn converse(mut stream: &TcpStream, answer: &dyn Fn(&Request) -> Answer) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(first) = lines.next() {
        let mut request = Request { path: first.split(' ').nth(1).unwrap_or("").into(), authorization: String::new() };
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            if let Some(value) = line.strip_prefix("authorization: ") {
                request.authorization = value.into();
            }
        }
        let (status, headers, body) = answer(&request);
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
            return;
        }
    }
}

/// The answer of an honest registry for `layout`.
fn honest(layout: &Layout, path: &str) -> Answer {
    let name = path.rsplit('/').next().unwrap_or("");
    let digest = name.parse().unwrap_or_else(|_| layout.manifest.clone());
    match std::fs::read(layout.blob(&digest)) {
        Ok(bytes) => (200, Vec::new(), bytes),
        Err(_) => (404, Vec::new(), br#"{"errors": [{"message": "blob unknown"}]}"#.to_vec()),
    }
}

#[test]
fn a_token_is_fetched_where_the_registry_says() {
    let layout = sample(Compression::Gzip);
    let own = Arc::new(Mutex::new(String::new()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (realm, requests) = (own.clone(), asked.clone());
    let address = serve(move |request| {
        if request.path.starts_with("/token") {
            requests.lock().expect("unlocked").push(format!("{} {}", request.path, request.authorization));
            return match request.authorization.as_str() {
                "Basic dTpw" => (200, Vec::new(), br#"{"access_token": "t0k"}"#.to_vec()),
                _ => (401, Vec::new(), br#"{"details": "wrong password"}"#.to_vec()),
            };
        }
        if request.authorization == "Bearer t0k" {
            return honest(&layout, &request.path);
        }
        let realm = realm.lock().expect("unlocked").clone();
        let challenge = format!(r#"Bearer realm="{realm}",service="s v",scope="repository:a/b:pull""#);
        (401, vec![("www-authenticate", challenge)], Vec::new())
    });
    *own.lock().expect("unlocked") = format!("http://{address}/token");
    let (_directory, images) = images();
    let reference = format!("{address}/a/b:1").parse().expect("a reference");
    let with = |password: &str| {
        images.pull(&reference, &Credentials::Password { user: "u".into(), password: password.into() })
    };
    with("p").expect("pulled");
    let seen = asked.lock().expect("unlocked").clone();
    assert_eq!(seen.len(), 1, "one token serves all requests: {seen:?}");
    assert!(seen[0].contains("service=s%20v") || seen[0].contains("service=s+v"), "{seen:?}");
    assert!(seen[0].contains("repository"), "{seen:?}");
    match with("wrong") {
        Err(ImageError::Denied { reason, .. }) => assert!(reason.contains("wrong password"), "{reason}"),
        other => panic!("{other:?}"),
    }
    *own.lock().expect("unlocked") = "file:///etc/passwd".into();
    assert!(matches!(with("p"), Err(ImageError::Denied { .. })));
}

#[test]
fn a_broken_transfer_is_repeated_and_a_wrong_one_refused() {
    let layout = sample(Compression::Gzip);
    let layers = layout.layers.clone();
    let count = Arc::new(AtomicU32::new(0));
    let seen = count.clone();
    let address = serve(move |request| {
        let (status, headers, mut body) = honest(&layout, &request.path);
        let is_layer = layers.iter().any(|layer| request.path.ends_with(&layer.to_string()));
        if is_layer && (seen.fetch_add(1, Ordering::SeqCst) == 0 || request.path.contains("always")) {
            let middle = body.len() / 2;
            body[middle] ^= 0x55;
        }
        (status, headers, body)
    });
    let (_directory, images) = images();
    pull(&images, &format!("{address}/once:1")).expect("the second attempt is good");
    assert_eq!(count.load(Ordering::SeqCst), 3, "two layers, one of them twice");
    let (_directory, images) = crate::build::images();
    match pull(&images, &format!("{address}/always:1")) {
        Err(ImageError::Mismatch { what, .. }) => assert!(what.starts_with("layer sha256:"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_refusal_of_a_registry_has_its_own_error() {
    let address = serve(|request| match request.path.as_str() {
        path if path.contains("busy") => (429, vec![("retry-after", "77".into())], Vec::new()),
        path if path.contains("forbidden") => (403, Vec::new(), br#"{"errors": [{"message": "not yours"}]}"#.to_vec()),
        path if path.contains("broken") => (503, Vec::new(), b"maintenance".to_vec()),
        path if path.contains("lies") => {
            let other = format!("sha256:{}", "0".repeat(64));
            (200, vec![("docker-content-digest", other)], b"{}".to_vec())
        }
        path if path.contains("web") => (200, Vec::new(), b"<html>".to_vec()),
        _ => (404, Vec::new(), Vec::new()),
    });
    let (_directory, images) = images();
    let mut texts = Vec::new();
    for name in ["busy", "forbidden", "broken", "lies", "web", "nothing"] {
        let error = pull(&images, &format!("{address}/{name}:1")).expect_err("refused");
        texts.push(error.to_string().replace(&address, "REGISTRY"));
    }
    let digests = ["0".repeat(64), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a".into()];
    let text = texts.join("\n").replace(&digests[0], "ZEROS").replace(&digests[1], "OTHER");
    let expected = "\
registry `REGISTRY` refuses further requests for now; log in for a higher limit, or wait 77 s
registry `REGISTRY` refuses access to `forbidden`: status 403, not yours; log in with `docker login` or `podman login`, and check the name
registry `REGISTRY` cannot be reached: status 503, maintenance; check the name, the network and the proxy, then try again
the manifest `1` has the digest sha256:OTHER instead of sha256:ZEROS: it was damaged or tampered with; pull again or from elsewhere
the manifest of `REGISTRY/web:1` is damaged: expected value at line 1 column 1; pull again or build the image anew
no image `REGISTRY/nothing`: the registry has no `manifests/1`: status 404; check name and tag";
    assert_eq!(text, expected);
}
