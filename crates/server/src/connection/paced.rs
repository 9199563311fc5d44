//! Bodies that come and answers that are taken, neither slower than the slowest [`Pace`].
//!
//! Only the time that we wait for the client counts: how fast we read or compute is not the client's fault.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::places::Connection;
use crate::limits::Pace;

/// The client was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stalled {
    #[error("nothing came for {} s", .0.as_secs_f64())]
    Idle(Duration),
    #[error("it came at less than {0} bytes a second")]
    TooSlow(u64),
}

/// How long a client has kept us waiting, beside what it moved.
#[derive(Debug)]
struct Meter {
    pace: Pace,
    moved: u64,
    waited: Duration,
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Meter {
    fn new(pace: Pace) -> Self {
        Self { pace, moved: 0, waited: Duration::ZERO, since: None, alarm: None }
    }

    /// The time that may still be waited in all.
    fn left(&self) -> Duration {
        let earned = Duration::from_secs_f64(self.moved as f64 / self.pace.rate.max(1) as f64);
        (self.pace.grace + earned).saturating_sub(self.waited)
    }

    fn moves(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
        self.moved += bytes as u64;
        self.alarm = None;
    }

    /// Pending until it has been waited for too long.
    fn poll_too_long(&mut self, context: &mut Context<'_>) -> Poll<Stalled> {
        let left = self.left();
        let since = *self.since.get_or_insert_with(Instant::now);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(since + left.min(self.pace.idle))));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(match left < self.pace.idle {
            true => Stalled::TooSlow(self.pace.rate),
            false => Stalled::Idle(self.pace.idle),
        })
    }
}

/// The body of a request, which ends with [`Stalled`] if it comes too slowly.
pub struct PacedBody<B> {
    body: B,
    connection: Arc<Connection>,
    meter: Option<Meter>,
}

impl<B> PacedBody<B> {
    pub fn new(body: B, connection: Arc<Connection>, pace: Option<Pace>) -> Self {
        Self { body, connection, meter: pace.map(Meter::new) }
    }
}

impl<B> Body for PacedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => {
                this.connection.moves();
                let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().map(Bytes::len));
                if let Some(meter) = &mut this.meter {
                    meter.moves(bytes.unwrap_or(0));
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                this.connection.keeps_us_waiting();
                let Some(meter) = &mut this.meter else { return Poll::Pending };
                let stalled = ready!(meter.poll_too_long(context));
                Poll::Ready(Some(Err(Box::new(stalled))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose answers must be taken; if not, writing fails and the connection ends.
pub struct PacedStream<S> {
    stream: S,
    connection: Arc<Connection>,
    meter: Option<Meter>,
}

impl<S> PacedStream<S> {
    pub fn new(stream: S, connection: Arc<Connection>, pace: Option<Pace>) -> Self {
        Self { stream, connection, meter: pace.map(Meter::new) }
    }

    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(written) => {
                self.connection.moves();
                if let (Some(meter), Ok(bytes)) = (&mut self.meter, &written) {
                    meter.moves(*bytes);
                }
                Poll::Ready(written)
            }
            Poll::Pending => {
                self.connection.keeps_us_waiting();
                let Some(meter) = &mut self.meter else { return Poll::Pending };
                let stalled = ready!(meter.poll_too_long(context));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, stalled)))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;
    use crate::connection::Connections;

    const PACE: Pace = Pace { idle: Duration::from_secs(10), grace: Duration::from_secs(25), rate: 100 };

    /// What comes of a body whose pieces come after so many seconds each.
    async fn read(pieces: Vec<(u64, usize)>) -> Result<usize, String> {
        let place = Connections::new(1).admit().unwrap();
        let pieces = futures::stream::unfold(pieces.into_iter(), |mut pieces| async move {
            let (seconds, bytes) = pieces.next()?;
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Some((Ok::<_, io::Error>(Frame::data(Bytes::from(vec![0; bytes]))), pieces))
        });
        let body = PacedBody::new(StreamBody::new(Box::pin(pieces)), place.connection.clone(), Some(PACE));
        body.collect().await.map(|all| all.to_bytes().len()).map_err(|error| error.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_keeps_moving_and_is_not_too_slow_on_the_average() {
        assert_eq!(read(vec![(9, 1000); 5]).await, Ok(5000));
        assert_eq!(read(vec![(1, 1), (11, 1)]).await, Err("nothing came for 10 s".to_owned()));
        // a byte now and then does not hold it either
        assert_eq!(read(vec![(9, 1); 5]).await, Err("it came at less than 100 bytes a second".to_owned()));
        assert_eq!(read(vec![(9, 1); 2]).await, Ok(2));
        assert_eq!(read(vec![(1, 100_000), (9, 1), (9, 1), (9, 1), (9, 1)]).await, Ok(100_004));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_ends() {
        use tokio::io::AsyncWriteExt as _;
        let place = Connections::new(1).admit().unwrap();
        let (near, _far) = tokio::io::duplex(16);
        let mut stream = PacedStream::new(near, place.connection.clone(), Some(PACE));
        let error = stream.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::TimedOut, "nothing came for 10 s"));
    }
}
