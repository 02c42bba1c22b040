//! HTTP over a Unix socket, as much of it as the engine's interface needs: one request, one answer, one connection.
//!
//! A client with connection pools, TLS and an asynchronous runtime would be many times the size of this backend.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longer answers are not believed.
const LONGEST: u64 = 64 << 20;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Sends a request with a body of a media type and reads the answer, waiting at most `patience` for each piece of it.
pub(super) fn ask(
    socket: &Path,
    method: &str,
    path: &str,
    body: Option<(&str, &[u8])>,
    patience: Duration,
) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let (kind, bytes) = body.unwrap_or(("application/json", b""));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(bytes)?;
    read(BufReader::new(stream))
}

fn read(mut stream: impl BufRead) -> io::Result<Answer> {
    let nonsense = || io::Error::other("the answer is not HTTP");
    let first = line(&mut stream)?;
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    let status: u16 = status.ok_or_else(nonsense)?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let header = line(&mut stream)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').ok_or_else(nonsense)?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse::<u64>().map_err(|_| nonsense())?),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    match (chunked, length) {
        _ if status == 204 || status == 304 => {}
        (true, _) => chunks(&mut stream, &mut body)?,
        (false, Some(length)) => whole(&mut stream, length, &mut body)?,
        (false, None) => drop(stream.take(LONGEST).read_to_end(&mut body)?),
    }
    Ok(Answer { status, body })
}

fn chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = line(stream)?;
        let size = size.split(';').next().unwrap_or("").trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::Error::other("a chunk has no length"))?;
        if size == 0 {
            return Ok(());
        }
        whole(stream, size, body)?;
        line(stream)?;
    }
}

fn whole(stream: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if length > LONGEST - body.len() as u64 {
        return Err(io::Error::other("the answer is too long"));
    }
    match stream.take(length).read_to_end(body)? as u64 == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    stream.take(1 << 14).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> io::Result<(u16, String)> {
        read(text.as_bytes()).map(|answer| (answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
    }

    #[test]
    fn bodies_come_by_length_in_chunks_or_until_the_end() {
        let whole = |text: &str| body(text).expect("read");
        assert_eq!(whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc"), (200, "ab".into()));
        let chunked = "HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
        assert_eq!(whole(chunked), (201, "abc".into()));
        assert_eq!(whole("HTTP/1.0 500 X\r\n\r\nrest"), (500, "rest".into()));
        assert_eq!(whole("HTTP/1.1 204 No Content\r\n\r\n"), (204, String::new()));
    }

    #[test]
    fn what_is_cut_or_no_http_is_an_error() {
        for text in ["", "SSH-2.0", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Le"]
        {
            assert!(body(text).is_err(), "{text}");
        }
        assert!(body("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").is_err());
    }
}
