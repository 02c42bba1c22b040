//! The client against servers on the loopback device that say what a test has them say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;

use pollster::FutureExt as _;

use super::*;

fn target(address: &str) -> Target<'_> {
    let (connect, request) = (Duration::from_secs(5), Duration::from_secs(5));
    Target { address, example: "http://localhost:8000/v1", proxy: None, connect, request, longest: 1 << 10 }
}

/// What is refused about a target.
fn refused(target: Target<'_>) -> String {
    Client::new(target).err().expect("refused").to_string()
}

/// Reads a request up to the end of its head, in lower case.
fn head(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).expect("text") > 0 {}
    head.to_lowercase()
}

/// A server that answers its first request so, in these pieces, and hangs up. Its address, and the head of the request.
fn server(answer: &[&str]) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    let answer: Vec<String> = answer.iter().map(|&piece| piece.to_owned()).collect();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let head = head(&stream);
        for piece in answer {
            // Whoever has heard enough may be gone.
            let _ = stream.write_all(piece.as_bytes());
            std::thread::sleep(Duration::from_millis(5));
        }
        head
    });
    (address, answering)
}

/// What comes of a `GET` that is answered so.
fn got(answer: &[&str]) -> Result<Answer, CallError> {
    let (address, answering) = server(answer);
    let client = Client::new(target(&address)).expect("it is a URL");
    let answer = client.get(client.base(), &[]).block_on();
    answering.join().expect("did not panic");
    answer
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let redirect = "HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(got(&[redirect]).expect("an answer").status, 307);
}

#[test]
fn a_body_comes_whole_however_it_is_sent() {
    let body = |answer: &[&str]| String::from_utf8(got(answer).expect("an answer").body).expect("text");
    assert_eq!(body(&["HTTP/1.1 200 OK\r\ncontent-le", "ngth: 4\r\n\r\na", "bcd"]), "abcd");
    assert_eq!(
        body(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab", "c\r\n1\r\nd\r\n0\r\n", "\r\n"]),
        "abcd"
    );
    assert_eq!(body(&["HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab", "cd"]), "abcd");
    assert_eq!(body(&["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd"]), "abcd");
    assert_eq!(body(&["HTTP/1.1 204 None\r\n\r\n"]), "");
}

#[test]
fn what_is_no_whole_answer_is_none() {
    let error = |answer: &[&str]| got(answer).expect_err("no answer").to_string();
    let early = "the server closed the connection before its answer was whole";
    assert_eq!(error(&[]), early);
    assert_eq!(error(&["HTTP/1.1 200 OK\r\n"]), early);
    assert_eq!(error(&["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab"]), early);
    assert_eq!(error(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"]), early);
    assert_eq!(error(&["HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n", &"x".repeat(2000)]), "more than 1024 bytes");
    let endless = format!("x-long: {}\r\n", "y".repeat(1000)).repeat(80);
    assert_eq!(error(&["HTTP/1.1 200 OK\r\n", &endless]), "the head of the answer does not end");
    assert!(matches!(got(&["SSH-2.0-OpenSSH_9.2\r\n\r\n"]), Err(CallError::Protocol(_))));
}

#[test]
fn a_key_may_be_long_and_comes_before_what_stands_in_the_address() {
    let told = |key: Option<&str>| {
        let (address, answering) = server(&["HTTP/1.1 204 Fine\r\n\r\n"]);
        let client = Client::new(target(&address.replace("http://", "http://me:secret@"))).expect("it is a URL");
        assert_eq!(client.base(), address);
        let headers: Vec<(&str, &str)> = key.into_iter().map(|key| ("authorization", key)).collect();
        assert_eq!(client.get(client.base(), &headers).block_on().expect("an answer").status, 204);
        let head = answering.join().expect("did not panic");
        head.lines().filter_map(|line| line.strip_prefix("authorization: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let key = format!("bearer {}", "k".repeat(60_000));
    assert_eq!(told(Some(&key)), [key]);
    // `me:secret` in base64, in lower case.
    assert_eq!(told(None), ["basic bwu6c2vjcmv0"]);
}

#[test]
fn a_proxy_is_asked_to_connect_and_told_who_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let proxy = format!("me:secret@{}", listener.local_addr().expect("it is bound"));
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let asked = head(&stream);
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").expect("sent");
        let through = head(&stream);
        stream.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").expect("sent");
        (asked, through)
    });
    let far = "http://nowhere.invalid:81/v1";
    let client = Client::new(Target { proxy: Some(&proxy), ..target(far) }).expect("both are addresses");
    assert_eq!(client.get(far, &[]).block_on().expect("an answer").status, 204);
    let (asked, through) = answering.join().expect("did not panic");
    assert!(asked.starts_with("connect nowhere.invalid:81 http/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nproxy-authorization: basic bwu6c2vjcmv0\r\n"), "{asked}");
    assert!(through.starts_with("get /v1 http/1.1\r\n") && !through.contains("proxy-authorization"), "{through}");
}

#[test]
fn a_proxy_that_refuses_is_an_error() {
    let (proxy, answering) = server(&["HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n"]);
    let client = Client::new(Target { proxy: Some(&proxy), ..target("http://nowhere.invalid") }).expect("addresses");
    let error = client.get(client.base(), &[]).block_on().expect_err("refused").to_string();
    assert_eq!(error, "the proxy answered 407");
    answering.join().expect("did not panic");
}

#[test]
fn a_name_is_looked_up() {
    let (address, answering) = server(&["HTTP/1.1 204 Fine\r\n\r\n"]);
    let client = Client::new(target(&address.replace("127.0.0.1", "localhost"))).expect("it is a URL");
    assert_eq!(client.get(client.base(), &[]).block_on().expect("an answer").status, 204);
    assert!(answering.join().expect("did not panic").contains("host: localhost"));
    let client = Client::new(target("http://nowhere.invalid")).expect("it is a URL");
    assert!(matches!(client.get(client.base(), &[]).block_on(), Err(CallError::Broken(_))));
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
    let client = Client::new(target(&address)).expect("it is a URL");
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| client.get(client.base(), &[]).block_on().expect("an answer"));
            }
        });
    }
    assert_eq!(opened.load(Ordering::Relaxed), CALLERS);
}

#[test]
fn what_is_no_address_is_named_with_an_example() {
    for address in ["localhost:8000", "http://a b", "ftp://x"] {
        assert_eq!(
            refused(target(address)),
            format!("`{address}` is not a URL; give one such as `http://localhost:8000/v1`")
        );
    }
    let proxied = Target { proxy: Some("::"), ..target("http://localhost/v1") };
    let error = refused(proxied);
    assert!(error.starts_with("the proxy is not usable: "), "{error}");
}
