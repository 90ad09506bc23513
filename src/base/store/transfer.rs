//! A download that survives being cut: it goes on where it stopped, as long as the file
//! is still the same one.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE},
};

use super::{
    AssetStream, BrokenTransfer,
    answer::{ServerAnswer, text},
    call::ApiRequest,
    client::{Client, seconds},
    retry::{AttemptFailure, RetryDecision, RetryPolicy, retrying},
};
use crate::model::Fault;

/// Looks for what is at `url`: its size, if the server says. `None` is a confirmed absence.
pub(super) async fn head(client: &Client, url: Url) -> Result<Option<Option<u64>>, Fault> {
    let call = ApiRequest::new(Method::HEAD, url);
    Ok(match retrying(&client.settings, || client.exchange(&call)).await? {
        ServerAnswer::Absent => None,
        ServerAnswer::Found(response) => Some(size(&response)),
    })
}

/// Opens what `call` asks for, from its beginning. `None` is a confirmed absence.
pub(super) async fn open(
    client: Arc<Client>,
    call: ApiRequest,
) -> Result<Option<AssetStream>, Fault> {
    let first = retrying(&client.settings, || client.exchange(&call)).await?;
    let ServerAnswer::Found(response) = first else { return Ok(None) };
    let size = size(&response);
    let transfer = Download {
        size,
        version: version(&response),
        received: 0,
        skip: 0,
        fresh: 0,
        fresh_since: Instant::now(),
        retry: RetryPolicy::new(&client.settings),
        response: Some(response),
        client,
        call,
    };
    let bytes = stream::try_unfold(transfer, |mut transfer| async move {
        let piece = transfer.next().await?;
        Ok(piece.map(|piece| (piece, transfer)))
    });
    Ok(Some(AssetStream { size, bytes: bytes.boxed() }))
}

/// Bytes that count as progress. A server that takes a whole idle timeout for fewer might
/// as well be silent.
const PROGRESS: u64 = 1024;

/// A download under way.
struct Download {
    client: Arc<Client>,
    call: ApiRequest,
    /// Bytes in all, if the server said.
    size: Option<u64>,
    version: Option<String>,
    /// Bytes handed on.
    received: u64,
    /// Bytes that come again and were handed on already.
    skip: u64,
    /// Bytes that came since the last progress worth the name, and since when they come.
    fresh: u64,
    fresh_since: Instant,
    /// What is being read; nothing after a cut.
    response: Option<Response>,
    retry: RetryPolicy,
}

impl Download {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, BrokenTransfer> {
        loop {
            let piece = match &mut self.response {
                Some(response) => {
                    response.chunk().await.map_err(|error| self.client.failure(&self.call, &error))
                }
                None => match self.resume().await {
                    Ok(()) => continue,
                    Err(failure) => Err(failure),
                },
            };
            let failure = match piece.and_then(|piece| self.advance(piece)) {
                Ok(TransferStep::Piece(piece)) => return Ok(Some(piece)),
                Ok(TransferStep::Seen) => continue,
                Ok(TransferStep::End) => return Ok(None),
                Err(failure) => failure,
            };
            self.response = None;
            let only_from_start = failure.again == RetryDecision::FromStart;
            let failure = self.counted(failure);
            let fault = failure.fault.clone();
            self.retry.pause(failure).await?;
            if only_from_start {
                return Err(BrokenTransfer { fault, may_begin_again: true });
            }
        }
    }

    /// Takes what the server sent into account; nothing means it thinks it has sent all.
    fn advance(&mut self, piece: Option<Bytes>) -> Result<TransferStep, AttemptFailure> {
        let Some(mut piece) = piece else {
            return match self.size {
                Some(size) if self.received < size => {
                    let fault = self.call.failed().because("the server stopped early");
                    Err(AttemptFailure { fault, again: RetryDecision::Later(None) })
                }
                _ => Ok(TransferStep::End),
            };
        };
        let seen = self.skip.min(piece.len() as u64);
        self.skip -= seen;
        let piece = piece.split_off(seen as usize);
        if piece.is_empty() {
            return Ok(TransferStep::Seen);
        }
        self.keep_pace(piece.len() as u64)?;
        self.received += piece.len() as u64;
        if self.size.is_some_and(|size| self.received > size) {
            return Err(AttemptFailure::never(
                self.call.failed().because("the server sends more than it said"),
            ));
        }
        Ok(TransferStep::Piece(piece))
    }

    fn keep_pace(&mut self, bytes: u64) -> Result<(), AttemptFailure> {
        self.fresh += bytes;
        if self.fresh >= PROGRESS {
            (self.fresh, self.fresh_since) = (0, Instant::now());
            self.retry.progressed();
        } else if self.fresh_since.elapsed() > self.client.settings.idle_timeout {
            let why = format!(
                "the server sent only {} bytes in {}",
                self.fresh,
                seconds(self.fresh_since.elapsed())
            );
            let fault = self.call.failed().because(why);
            return Err(AttemptFailure { fault, again: RetryDecision::Later(None) });
        }
        Ok(())
    }

    /// Asks for what is missing.
    async fn resume(&mut self) -> Result<(), AttemptFailure> {
        let call = match &self.version {
            _ if self.received == 0 => self.call.clone(),
            Some(version) => {
                let rest = self.call.clone().with(RANGE, format!("bytes={}-", self.received));
                rest.with(IF_RANGE, version)
            }
            None => {
                let why = "the server gives neither ETag nor Last-Modified, so forge cannot go on \
                           where it was cut";
                return Err(self.begin_again(why));
            }
        };
        let answer = self.client.exchange(&call).await.map_err(|failure| self.refused(failure))?;
        let ServerAnswer::Found(response) = answer else {
            return Err(self.changed("it is not there any more"));
        };
        // An answer to a range may leave out what it was asked by.
        let version = version(&response).or_else(|| self.version.clone());
        let size = size(&response);
        let is_other_size = self.size.zip(size).is_some_and(|(old, new)| old != new);
        if version != self.version || is_other_size {
            return Err(self.changed("it is another file now"));
        }
        self.size = self.size.or(size);
        let skip = start(&response).and_then(|start| self.received.checked_sub(start));
        self.skip = skip.ok_or_else(|| self.changed("the server sends another part of it"))?;
        self.response = Some(response);
        (self.fresh, self.fresh_since) = (0, Instant::now());
        Ok(())
    }

    /// What a server does not let be asked for in part may still be there in whole: 412, 403, 501, and
    /// what else will not pass.
    fn refused(&self, failure: AttemptFailure) -> AttemptFailure {
        match failure.again {
            RetryDecision::Never if self.received > 0 => {
                AttemptFailure { again: RetryDecision::FromStart, ..failure }
            }
            _ => failure,
        }
    }

    fn changed(&self, how: &str) -> AttemptFailure {
        let why = format!("while it was being downloaded it changed: {how}");
        self.begin_again(&why)
    }

    fn begin_again(&self, why: &str) -> AttemptFailure {
        let fault = self.call.failed().because(why).hint("run it again");
        AttemptFailure { fault, again: RetryDecision::FromStart }
    }

    fn counted(&self, mut failure: AttemptFailure) -> AttemptFailure {
        if self.received > 0 {
            let all = self.size.map(|size| format!(" of {size}")).unwrap_or_default();
            failure.fault =
                failure.fault.because(format!("{}{all} bytes had arrived", self.received));
        }
        failure
    }
}

/// What a piece from the server amounts to.
enum TransferStep {
    /// Bytes to hand on.
    Piece(Bytes),
    /// Only bytes that were handed on before.
    Seen,
    /// All is there.
    End,
}

/// What tells one version of a file from another and may stand in `If-Range` (RFC 9110,
/// 13.1.5): a strong ETag, or else the time of the last change.
fn version(response: &Response) -> Option<String> {
    text(response, &ETAG)
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| text(response, &LAST_MODIFIED))
        .map(str::to_owned)
}

/// Bytes of the whole file, whichever part of it was sent. Read from the header, since
/// the answer to a HEAD has a length and no body.
pub(super) fn size(response: &Response) -> Option<u64> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => range(response)?.1,
        _ => text(response, &CONTENT_LENGTH)?.parse().ok(),
    }
}

/// The first byte that is sent; nothing if it cannot be known.
fn start(response: &Response) -> Option<u64> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => Some(range(response)?.0),
        _ => Some(0),
    }
}

/// `Content-Range: bytes 100-199/200` (RFC 9110, 14.4): the first byte, and the size.
fn range(response: &Response) -> Option<(u64, Option<u64>)> {
    let (range, size) = text(response, &CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()))
}

#[cfg(test)]
mod tests;
