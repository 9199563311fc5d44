//! Bodies that are read whole: each bounded, and all of them together, as bytes really come.
//!
//! When the memory that is kept for bodies is taken, the body that has stood still for longest gives way: its connection
//! is closed. Only when all of them move is somebody turned away. Short bodies have memory of their own, so that
//! predictions do not wait for long ones to give way.

use std::{
    error::Error,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{self, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use stemma_core::{ErrorKind, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    connection::{Connection, Connections, Stalled},
    limits::Limits,
};

/// Longest body that may take the memory kept for short ones.
const SHORT_BYTES: u64 = 64 << 10;
/// A body that has not moved for so long gives way to others.
const STANDS_STILL: Duration = Duration::from_millis(500);
/// How often room is made for one body before it is turned away, and how long each time.
const TRIES: u32 = 20;
const TRY_TIME: Duration = Duration::from_millis(100);

/// What the listener tells a request about its connection.
#[derive(Debug, Clone)]
pub struct Carrier {
    pub connection: Arc<Connection>,
    pub connections: Arc<Connections>,
    pub room: Arc<Room>,
}

/// Memory for bodies that is still free, a permit for each byte.
#[derive(Debug)]
pub struct Room {
    any: Arc<Semaphore>,
    /// For short bodies, each taken whole before its first byte; when it is all taken, they take of the other.
    short: Arc<Semaphore>,
}

impl Room {
    pub fn new(limits: &Limits) -> Self {
        Self {
            any: Arc::new(Semaphore::new(limits.body_bytes)),
            short: Arc::new(Semaphore::new(limits.short_body_bytes)),
        }
    }
}

/// Memory that a body takes, given back when it is dropped.
#[derive(Debug, Default)]
pub struct HeldBytes {
    carrier: Option<Carrier>,
    /// Of the memory for any.
    permit: Option<OwnedSemaphorePermit>,
    /// Of the memory for short ones, for the whole body.
    short: Option<OwnedSemaphorePermit>,
}

/// Reads a body whole, up to a bound.
pub async fn read_whole(
    mut body: Body,
    headers: &HeaderMap,
    most: usize,
    carrier: Option<&Carrier>,
) -> Result<(Bytes, HeldBytes), Problem> {
    let too_long = || Problem::new(ErrorKind::TooLarge, format!("the request body is longer than {most} bytes"));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > most as u64) {
        return Err(too_long());
    }
    if let Some(carrier) = carrier {
        let length = declared.and_then(|length| usize::try_from(length).ok()).unwrap_or(most);
        carrier.connection.body_len.store(length, Ordering::Relaxed);
    }
    let short = carrier.zip(declared).and_then(|(carrier, length)| carrier.room.take_short(length));
    let mut held = HeldBytes { carrier: carrier.cloned(), permit: None, short };
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|error| broke_off(&error))?.into_data() else { continue };
        if bytes.len() + piece.len() > most {
            return Err(too_long());
        }
        held.take(piece.len()).await?;
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes.freeze(), held))
}

/// Why a body ended early, in words for whoever sent it.
pub fn broke_off(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(one) = cause {
        if let Some(stalled) = one.downcast_ref::<Stalled>() {
            return Problem::new(ErrorKind::Stalled, format!("the request body did not come: {stalled}"));
        }
        cause = one.source();
    }
    Problem::invalid(format!("the request body broke off: {error}"))
}

impl HeldBytes {
    pub fn is_empty(&self) -> bool {
        self.permit.is_none() && self.short.is_none()
    }

    async fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        let Some(carrier) = self.carrier.as_ref().filter(|_| self.short.is_none()) else { return Ok(()) };
        let permit = carrier.make_room(bytes).await?;
        carrier.connection.body_bytes.fetch_add(bytes, Ordering::Relaxed);
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        Ok(())
    }
}

impl Room {
    fn take_short(&self, length: u64) -> Option<OwnedSemaphorePermit> {
        let length = u32::try_from(length).ok().filter(|_| (1..=SHORT_BYTES).contains(&length))?;
        self.short.clone().try_acquire_many_owned(length).ok()
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        if let (Some(carrier), Some(permit)) = (&self.carrier, &self.permit) {
            carrier.connection.body_bytes.fetch_sub(permit.num_permits(), Ordering::Relaxed);
        }
    }
}

impl Carrier {
    async fn make_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        // a piece is a part of what is read at once from a connection
        let bytes = u32::try_from(bytes).map_err(|_| no_memory())?;
        for _ in 0..TRIES {
            if let Ok(permit) = self.room.any.clone().try_acquire_many_owned(bytes) {
                return Ok(permit);
            }
            // what waits for room stands still as well, if all do: bodies that can't all be held would wait for each other
            self.connection.wants_room();
            self.connections.cut_body(STANDS_STILL, TRY_TIME);
            let freed = tokio::time::timeout(TRY_TIME, self.room.any.clone().acquire_many_owned(bytes));
            if let Ok(Ok(permit)) = freed.await {
                self.connection.wants_room_no_more();
                return Ok(permit);
            }
        }
        self.connection.wants_room_no_more();
        Err(no_memory())
    }
}

/// A body with what must last as long as it does.
pub struct Accompanied<T> {
    body: Body,
    _companion: T,
}

impl<T> Accompanied<T> {
    pub fn new(body: Body, companion: T) -> Self {
        Self { body, _companion: companion }
    }
}

impl<T: Unpin> http_body::Body for Accompanied<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn no_memory() -> Problem {
    Problem::new(ErrorKind::Unavailable, "the bodies of other requests take all the memory that is kept for them")
        .hint("try again in some seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier(body_bytes: usize, short_body_bytes: usize) -> Carrier {
        let connections = Connections::new(8);
        let place = connections.admit().unwrap();
        let connection = place.connection.clone();
        // both are kept for as long as the test runs
        std::mem::forget((connection.answer(), place));
        let limits = Limits { body_bytes, short_body_bytes, ..Limits::default() };
        Carrier { connection, connections, room: Arc::new(Room::new(&limits)) }
    }

    async fn read(length: usize, most: usize, carrier: &Carrier) -> Result<HeldBytes, (ErrorKind, String)> {
        read_with(HeaderMap::new(), length, most, carrier).await
    }

    async fn read_with(
        headers: HeaderMap,
        length: usize,
        most: usize,
        carrier: &Carrier,
    ) -> Result<HeldBytes, (ErrorKind, String)> {
        let read = read_whole(Body::from(vec![0; length]), &headers, most, Some(carrier)).await;
        read.map(|(bytes, held)| {
            assert_eq!(bytes.len(), length);
            held
        })
        .map_err(|problem| (problem.kind, problem.message))
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_bounded_each_and_together() {
        let carrier = carrier(100, 0);
        let held = read(60, 60, &carrier).await.unwrap();
        let message = "the request body is longer than 60 bytes".to_owned();
        assert_eq!(read(61, 60, &carrier).await.unwrap_err(), (ErrorKind::TooLarge, message));
        assert_eq!(read(41, 60, &carrier).await.unwrap_err().0, ErrorKind::Unavailable);
        let also = read(40, 60, &carrier).await.unwrap();
        assert_eq!(carrier.connection.body_bytes.load(Ordering::Relaxed), 100);
        drop((held, also));
        assert_eq!(
            (carrier.room.any.available_permits(), carrier.connection.body_bytes.load(Ordering::Relaxed)),
            (100, 0)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn short_bodies_wait_for_no_long_one() {
        let carrier = carrier(100, 50);
        let declared = |length: usize| HeaderMap::from_iter([(header::CONTENT_LENGTH, length.into())]);
        let long = read(100, 100, &carrier).await.unwrap();
        let short = read_with(declared(50), 50, 100, &carrier).await.unwrap();
        assert!(!short.is_empty());
        // not held to be in anybody's way
        assert_eq!(carrier.connection.body_bytes.load(Ordering::Relaxed), 100);
        // their memory is taken, too, and so is all that is left to ask for
        assert_eq!(read_with(declared(1), 1, 100, &carrier).await.unwrap_err().0, ErrorKind::Unavailable);
        drop(long);
        let other = read_with(declared(1), 1, 100, &carrier).await.unwrap();
        drop((short, other));
        assert_eq!((carrier.room.any.available_permits(), carrier.room.short.available_permits()), (100, 50));
        // a long one takes nothing of it
        let length = usize::try_from(SHORT_BYTES).unwrap() + 1;
        assert_eq!(read_with(declared(length), length, length, &carrier).await.unwrap_err().0, ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn a_declared_length_is_refused_before_a_byte_is_read() {
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, "61".parse().unwrap())]);
        let never = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let problem = read_whole(never, &headers, 60, None).await.unwrap_err();
        assert_eq!(problem.kind, ErrorKind::TooLarge);
    }
}
