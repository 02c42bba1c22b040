//! One request and its answer on a connection, which holds no buffer while it waits: there are hundreds of them.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Poll, ready};

use futures_lite::AsyncWriteExt as _;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvBodyResult, RecvResponseResult, SendRequestResult};
use ureq_proto::http::{Request, Response};
use ureq_proto::{BodyMode, Error};

use super::road::Connection;
use super::{Answer, CallError};

/// Bytes that are received at once.
const CHUNK: usize = 16 << 10;
/// Bytes of the head of an answer at most.
const HEAD: usize = 64 << 10;

/// The answer, and whether the connection can be used for another request. The body has the length that the request says.
pub(super) async fn exchange(
    connection: &mut Connection,
    request: Request<()>,
    body: &[&[u8]],
    longest: usize,
) -> Result<(Answer, bool), CallError> {
    let mut call = send(connection, request, body).await?;
    let mut input = Vec::new();
    let head = loop {
        receive(connection, &mut input).await?;
        if let Some(head) = head(&mut call, &mut input)? {
            break head;
        }
        if input.len() > HEAD {
            return Err(invalid("the head of the answer does not end").into());
        }
    };
    let mut body = Vec::new();
    let must_close = match call.proceed().ok_or_else(early)? {
        RecvResponseResult::RecvBody(mut call) => {
            let is_to_the_end = call.body_mode() == BodyMode::CloseDelimited;
            loop {
                decode(&mut call, &mut input, &mut body)?;
                if body.len() > longest {
                    return Err(CallError::TooLong(longest));
                }
                if !is_to_the_end && call.can_proceed() {
                    break;
                }
                match receive(connection, &mut input).await {
                    Err(error) if is_to_the_end && error.kind() == io::ErrorKind::UnexpectedEof => break,
                    received => received?,
                }
            }
            match call.proceed().ok_or_else(early)? {
                RecvBodyResult::Cleanup(call) => call.must_close_connection(),
                RecvBodyResult::Redirect(call) => call.must_close_connection(),
            }
        }
        RecvResponseResult::Cleanup(call) => call.must_close_connection(),
        RecvResponseResult::Redirect(call) => call.must_close_connection(),
    };
    let (head, ()) = head.into_parts();
    Ok((Answer { status: head.status.as_u16(), headers: head.headers, body }, !must_close && input.is_empty()))
}

async fn send(
    connection: &mut Connection,
    request: Request<()>,
    body: &[&[u8]],
) -> Result<Call<RecvResponse>, CallError> {
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    // Beside what is known: the first line, the host and what else the protocol wants.
    let mut head = vec![0; lines.sum::<usize>() + 2 * request.uri().to_string().len() + 256];
    let mut call = Call::new(request)?.proceed();
    let length = call.write(&mut head)?;
    let mut pieces: Vec<IoSlice<'_>> =
        std::iter::once(&head[..length]).chain(body.iter().copied()).map(IoSlice::new).collect();
    let mut left = &mut pieces[..];
    while !left.is_empty() {
        let written = connection.write_vectored(left).await?;
        if written == 0 {
            return Err(early().into());
        }
        IoSlice::advance_slices(&mut left, written);
    }
    connection.flush().await?;
    match call.proceed()?.ok_or_else(|| invalid("the head of the request is too long"))? {
        SendRequestResult::RecvResponse(call) => Ok(call),
        SendRequestResult::SendBody(mut call) => {
            call.consume_direct_write(body.iter().map(|piece| piece.len()).sum())?;
            Ok(call.proceed().ok_or_else(early)?)
        }
        SendRequestResult::Await100(_) => Err(invalid("nobody asks for leave to send").into()),
    }
}

/// More bytes.
async fn receive(connection: &mut Connection, input: &mut Vec<u8>) -> io::Result<()> {
    poll_fn(|context| {
        // On the stack, and only for a moment: most of the time there is nothing to be had.
        let mut chunk = [0; CHUNK];
        let received = ready!(connection.as_mut().poll_read(context, &mut chunk));
        Poll::Ready(match received {
            Ok(0) => Err(early()),
            Ok(count) => {
                input.extend_from_slice(&chunk[..count]);
                Ok(())
            }
            Err(error) => Err(error),
        })
    })
    .await
}

fn head(call: &mut Call<RecvResponse>, input: &mut Vec<u8>) -> Result<Option<Response<()>>, Error> {
    loop {
        let (used, head) = call.try_response(input, false)?;
        input.drain(..used);
        // What was used without becoming a head was a promise of one.
        if head.is_some() || used == 0 {
            return Ok(head);
        }
    }
}

fn decode(call: &mut Call<RecvBody>, input: &mut Vec<u8>, body: &mut Vec<u8>) -> Result<(), Error> {
    let mut chunk = [0; CHUNK];
    let mut at = 0;
    loop {
        let (used, made) = call.read(&input[at..], &mut chunk)?;
        at += used;
        body.extend_from_slice(&chunk[..made]);
        if used + made == 0 {
            input.drain(..at);
            return Ok(());
        }
    }
}

fn early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection before its answer was whole")
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
