//! Writing one answer.

use std::io::{self, Write};

use serde_json::{Value, json};

/// One answer.
pub struct Response {
    status: u16,
    kind: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

type Telling = Box<dyn FnOnce(&mut Events<'_>) -> io::Result<Option<Response>> + Send>;

enum Body {
    Whole(Vec<u8>),
    Events(Telling),
}

/// Server-sent events.
pub struct Events<'a> {
    out: &'a mut dyn Write,
    /// Until the first event, or the end.
    head: Option<String>,
}

impl Events<'_> {
    /// Sends one event, with its kind where the protocol has kinds.
    ///
    /// # Errors
    /// When the client has gone.
    pub fn send(&mut self, kind: Option<&str>, data: &str) -> io::Result<()> {
        if let Some(head) = self.head.take() {
            self.out.write_all(head.as_bytes())?;
        }
        let kind = kind.map_or_else(String::new, |kind| format!("event: {kind}\n"));
        let text = format!("{kind}data: {data}\n\n");
        write!(self.out, "{:x}\r\n{text}\r\n", text.len())?;
        self.out.flush()
    }
}

impl Response {
    /// JSON.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::bytes(status, "application/json", value.to_string().into_bytes())
    }

    /// Bytes of some kind.
    pub fn bytes(status: u16, kind: &'static str, bytes: Vec<u8>) -> Self {
        Self { status, kind, headers: Vec::new(), body: Body::Whole(bytes) }
    }

    /// A failure, in the form that clients of model servers look for.
    pub fn error(status: u16, message: &str) -> Self {
        let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
        Self::json(status, &json!({"error": {"message": message, "type": kind, "code": status}, "detail": message}))
    }

    /// A stream of events. If there is another answer instead of the first event, that is the answer; after one it breaks the stream off.
    pub fn events(send: impl FnOnce(&mut Events<'_>) -> io::Result<Option<Response>> + Send + 'static) -> Self {
        Self { status: 200, kind: "text/event-stream", headers: Vec::new(), body: Body::Events(Box::new(send)) }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Status and body, for those who ask without a socket.
    #[cfg(test)]
    pub(crate) fn into_parts(self) -> (u16, String) {
        let status = self.status;
        let bytes = match self.body {
            Body::Whole(bytes) => bytes,
            Body::Events(send) => {
                let mut bytes = Vec::new();
                match send(&mut Events { out: &mut bytes, head: None }).expect("memory takes everything") {
                    Some(other) => return other.into_parts(),
                    None => bytes,
                }
            }
        };
        (status, String::from_utf8(bytes).expect("answers are text"))
    }

    pub(super) fn write(self, out: &mut dyn Write, stay: bool, with_body: bool) -> io::Result<()> {
        let connection = if stay { "keep-alive" } else { "close" };
        let mut head = format!("HTTP/1.1 {} {}\r\ncontent-type: {}\r\n", self.status, reason(self.status), self.kind);
        for (name, value) in &self.headers {
            head += &format!("{name}: {}\r\n", value.replace(['\r', '\n'], " "));
        }
        head += &format!("connection: {connection}\r\n");
        match self.body {
            Body::Whole(bytes) => {
                head += &format!("content-length: {}\r\n\r\n", bytes.len());
                let mut message = head.into_bytes();
                if with_body {
                    message.extend(bytes);
                }
                out.write_all(&message)?;
            }
            Body::Events(send) => {
                head += "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
                let mut events = Events { out, head: Some(head) };
                let other = send(&mut events)?;
                match (other, events.head.take()) {
                    (Some(other), Some(_)) => return other.write(out, stay, with_body),
                    (Some(_), None) => return Err(io::Error::other("the stream was broken off")),
                    (None, head) => out.write_all(format!("{}0\r\n\r\n", head.unwrap_or_default()).as_bytes())?,
                }
            }
        }
        out.flush()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
