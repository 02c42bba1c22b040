//! Reading one request.

use std::io::{self, BufRead, Read as _};

use serde_json::{Value, json};

use super::Response;

/// Line and headers of a request together.
const LONGEST_HEAD: usize = 128 << 10;
const MOST_HEADERS: usize = 128;

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path without what follows a question mark, as it was sent.
    pub path: String,
    /// Names in small letters, with their values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Whether the client speaks HTTP 1.0, which closes the connection.
    pub(crate) old: bool,
}

impl Request {
    /// The first value of a header; its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// What is sent as `Authorization: Bearer …`.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The body as JSON; an empty one is an empty object.
    ///
    /// # Errors
    /// The answer that says what is wrong with it.
    pub fn json(&self) -> Result<Value, Response> {
        match self.body.is_empty() {
            true => Ok(json!({})),
            false => serde_json::from_slice(&self.body)
                .map_err(|error| Response::error(400, &format!("the body is no JSON: {error}"))),
        }
    }

    pub(super) fn keeps_alive(&self) -> bool {
        let said = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        if self.old { said.contains("keep-alive") } else { !said.contains("close") }
    }
}

/// Why there is no request.
pub(super) enum Wrong {
    /// The connection failed.
    Io(io::Error),
    /// The client said something that is none.
    Said { status: u16, reason: String },
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn said<T>(status: u16, reason: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Said { status, reason: reason.into() })
}

/// The next request; `None` when the client has no more. `go_on` is called when the client waits for leave to send the body, which
/// may have `longest` bytes.
pub(super) fn read(
    reader: &mut impl BufRead,
    go_on: &mut dyn FnMut() -> io::Result<()>,
    longest: u64,
) -> Result<Option<Request>, Wrong> {
    let Some(head) = read_head(reader)? else { return Ok(None) };
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(&head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return said(400, "the request ends within its headers"),
        Err(httparse::Error::TooManyHeaders) => return said(431, format!("more than {MOST_HEADERS} headers")),
        Err(error) => return said(400, format!("that is no HTTP request: {error}")),
    }
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().split('?').next().unwrap_or_default().to_owned(),
        headers: parsed.headers.iter().map(|it| (it.name.to_ascii_lowercase(), text(it.value))).collect(),
        body: Vec::new(),
        old: parsed.version == Some(0),
    };
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        go_on()?;
    }
    request.body = read_body(reader, &request, longest)?;
    Ok(Some(request))
}

/// Everything up to the empty line.
fn read_head(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>, Wrong> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        reader.by_ref().take((LONGEST_HEAD - before) as u64).read_until(b'\n', &mut head)?;
        match &head[before..] {
            [] if head.is_empty() => return Ok(None),
            [] => return said(400, "the request ends within its headers"),
            b"\r\n" | b"\n" if before > 0 => return Ok(Some(head)),
            // Blank lines before a request are passed over.
            b"\r\n" | b"\n" => head.clear(),
            _ if head.len() >= LONGEST_HEAD => return said(431, format!("headers of more than {LONGEST_HEAD} bytes")),
            _ => {}
        }
    }
}

fn read_body(reader: &mut impl BufRead, request: &Request, longest: u64) -> Result<Vec<u8>, Wrong> {
    if request.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
        return read_chunks(reader, longest);
    }
    let Some(length) = request.header("content-length") else { return Ok(Vec::new()) };
    let Ok(length) = length.trim().parse::<u64>() else {
        return said(400, format!("`content-length` is `{length}`, expected a number"));
    };
    let mut body = Vec::new();
    take(reader, length, &mut body, longest)?;
    Ok(body)
}

fn take(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>, longest: u64) -> Result<(), Wrong> {
    if length > longest.saturating_sub(body.len() as u64) {
        return said(413, format!("a body of more than {longest} bytes"));
    }
    let before = body.len() as u64;
    reader.by_ref().take(length).read_to_end(body)?;
    match body.len() as u64 - before == length {
        true => Ok(()),
        false => said(400, "the body is shorter than its length"),
    }
}

fn read_chunks(reader: &mut impl BufRead, longest: u64) -> Result<Vec<u8>, Wrong> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let Ok(length) = u64::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16) else {
            return said(400, format!("`{line}` is no length of a chunk"));
        };
        if length == 0 {
            // Trailers are passed over.
            while !read_line(reader)?.is_empty() {}
            return Ok(body);
        }
        take(reader, length, &mut body, longest)?;
        read_line(reader)?;
    }
}

fn read_line(reader: &mut impl BufRead) -> Result<String, Wrong> {
    let mut line = Vec::new();
    reader.by_ref().take(1024).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}
