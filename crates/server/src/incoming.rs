//! A request's body, read as its handler wants it: whole, as JSON, or as it comes.

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use http::request::Parts;
use serde::de::DeserializeOwned;
use stemma_api::act::Payload;
use stemma_core::{ErrorKind, Problem};

use crate::{
    body::{HeldBytes, read_whole},
    session::{FORM_TOKEN, SignedIn},
};

/// Longest JSON body of a request.
pub const JSON_BYTES_MAX: usize = 16 << 20;

/// Longest form.
const FORM_BYTES_MAX: usize = 256 << 10;

/// A longer one is parsed on a thread that may take its time.
const PARSED_INLINE_BYTES: usize = 64 << 10;

pub struct Incoming {
    pub parts: Parts,
    body: Body,
    /// Memory that was taken for what was read whole.
    held: HeldBytes,
}

impl Incoming {
    pub fn new(parts: Parts, body: Body) -> Self {
        Self { parts, body, held: HeldBytes::default() }
    }

    /// Reads JSON. The memory that it took is to be kept until the request is answered.
    pub async fn json<T: Payload>(mut self) -> Result<(T, HeldBytes), Problem> {
        let bytes = self.whole(JSON_BYTES_MAX).await?;
        let is_quick = bytes.len() <= PARSED_INLINE_BYTES;
        let parse = move || T::read(&bytes);
        let parsed = match is_quick {
            true => parse(),
            false => tokio::task::spawn_blocking(parse)
                .await
                .unwrap_or_else(|error| Err(Problem::new(ErrorKind::Internal, error.to_string()))),
        };
        Ok((parsed?, self.held))
    }

    /// Reads what a form of a page says, if it shows that it is from there; the token that shows it is left out.
    pub async fn form<T: DeserializeOwned>(mut self) -> Result<(T, HeldBytes), Problem> {
        let bytes = self.whole(FORM_BYTES_MAX).await?;
        let pairs: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().collect();
        if let Some(SignedIn { key, .. }) = self.parts.extensions.get() {
            let shown = pairs.iter().find(|(name, _)| name == FORM_TOKEN).map_or("", |(_, text)| text);
            if !key.is_form_token(shown) {
                return Err(Problem::new(ErrorKind::Forbidden, "the form is not of your session")
                    .hint("open the page again, and send it from there"));
            }
        }
        // an input that was left empty says nothing
        let said = pairs.into_iter().filter(|(name, text)| name != FORM_TOKEN && !text.is_empty());
        let said = form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
        let read = serde_html_form::from_str(&said);
        Ok((read.map_err(|error| Problem::invalid(format!("the form can't be read: {error}")))?, self.held))
    }

    /// Reads the body before the request waits for its turn: nobody holds a turn and does not send.
    pub async fn hold(&mut self) -> Result<(), Problem> {
        let bytes = self.whole(JSON_BYTES_MAX).await?;
        self.body = Body::from(bytes);
        Ok(())
    }

    /// Reads the body whole, up to a bound.
    pub async fn whole(&mut self, most: usize) -> Result<Bytes, Problem> {
        let body = std::mem::take(&mut self.body);
        // what is held already was read before and is not counted twice
        let carrier = self.parts.extensions.get().filter(|_| self.held.is_empty());
        let (bytes, held) = read_whole(body, &self.parts.headers, most, carrier).await?;
        if !held.is_empty() {
            self.held = held;
        }
        Ok(bytes)
    }

    /// The body as it comes.
    pub fn stream(self) -> BodyDataStream {
        self.body.into_data_stream()
    }
}
