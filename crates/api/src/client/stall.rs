//! A transfer during which nothing moves is given up: a cut cable says nothing, and must not be waited for.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use stemma_core::{ErrorKind, Problem};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::transport::{Body, BoxError};

/// Nothing moves for so long in a transfer that lives.
pub const STALL: Duration = Duration::from_secs(25);

/// When a request's body last moved.
#[derive(Clone)]
pub(super) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request's body tell when it moves.
    pub fn of(&self, body: Body) -> Body {
        Body::new(Sent { body, pulse: self.clone() })
    }

    /// Waits for an answer for as long as the request moves, and a bounded time then.
    pub async fn watch<T>(&self, answer: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let mut answer = std::pin::pin!(answer);
        loop {
            let last = self.last();
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                () = sleep_until(last + STALL) => {}
            }
            if self.last() == last {
                return Err(stalled());
            }
        }
    }
}

fn stalled() -> Problem {
    let message = format!("nothing moved for {} s between here and the server", STALL.as_secs());
    Problem::new(ErrorKind::Unavailable, message).hint("run the command again: what has arrived is not sent again")
}

struct Sent {
    body: Body,
    pulse: Pulse,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.pulse.beat();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body that fails if nothing comes for too long while somebody waits for it.
pub(super) struct Awaited {
    body: Body,
    /// Set while somebody waits.
    given_up: Option<Pin<Box<Sleep>>>,
}

impl Awaited {
    pub fn body(body: Body) -> Body {
        Body::new(Self { body, given_up: None })
    }
}

impl http_body::Body for Awaited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.given_up = None;
            return Poll::Ready(frame);
        }
        let given_up = self.given_up.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(given_up.as_mut().poll(context));
        Poll::Ready(Some(Err(Box::new(stalled()))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full, StreamBody};

    use super::*;
    use crate::client::body_from;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_an_error_in_time() {
        let began = Instant::now();
        let waited = Pulse::new().watch(std::future::pending::<Result<(), Problem>>()).await;
        assert_eq!(waited.unwrap_err().kind, ErrorKind::Unavailable);
        assert!(began.elapsed() <= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_request_is_waited_for_while_it_moves() {
        let pulse = Pulse::new();
        let pieces = futures::stream::unfold(0, |sent| async move {
            sleep(STALL / 2).await;
            (sent < 8).then(|| (Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x"))), sent + 1))
        });
        let sent = pulse.of(body_from(StreamBody::new(pieces)));
        let answer = async { Ok(sent.collect().await.unwrap().to_bytes().len()) };
        assert_eq!(pulse.watch(answer).await, Ok(8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_an_error_in_time() {
        let first = futures::stream::iter([Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x")))]);
        let pieces = futures::StreamExt::chain(first, futures::stream::pending());
        let mut body = Awaited::body(body_from(StreamBody::new(pieces)));
        assert!(body.frame().await.unwrap().is_ok());
        // who reads slowly waits for nobody
        sleep(STALL * 2).await;
        let began = Instant::now();
        assert!(body.frame().await.unwrap().unwrap_err().to_string().contains("nothing moved"));
        assert!(began.elapsed() <= Duration::from_secs(30));
        let whole = Awaited::body(body_from(Full::new(Bytes::from_static(b"y"))));
        assert_eq!(whole.collect().await.unwrap().to_bytes(), "y");
    }
}
