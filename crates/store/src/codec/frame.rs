//! Zstd frames.

use std::{cell::RefCell, io};

use zstd::zstd_safe::{CCtx, CParameter, DCtx};

use crate::pack::CHUNK_MAX;

thread_local! {
    // a context holds the tables that would otherwise be allocated and cleared for each chunk
    static COMPRESS: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static DECOMPRESS: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Makes a zstd frame, with `prefix` as what came before if it is not empty.
pub(super) fn compress(plain: &[u8], level: i32, prefix: &[u8]) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(zstd::zstd_safe::compress_bound(plain.len()));
    if prefix.is_empty() {
        return COMPRESS.with_borrow_mut(|context| {
            context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
            context.compress2(&mut frame, plain).ok()?;
            frame.shrink_to_fit();
            Some(frame)
        });
    }
    // a context of its own, since it must not outlive the prefix
    let mut context = CCtx::try_create()?;
    context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
    context.set_parameter(CParameter::WindowLog(window_log(plain.len() + prefix.len()))).ok()?;
    context.ref_prefix(prefix).ok()?;
    context.compress2(&mut frame, plain).ok()?;
    frame.shrink_to_fit();
    Some(frame)
}

/// The least window that reaches back over the whole prefix.
fn window_log(len: usize) -> u32 {
    (usize::BITS - len.leading_zeros()).clamp(10, WINDOW_LOG_MAX)
}

/// Two chunks of the greatest length.
const WINDOW_LOG_MAX: u32 = (2 * CHUNK_MAX).ilog2() + 1;

/// Returns the plain bytes of a frame if they are so many.
pub(super) fn decompress(frame: &[u8], len: usize, prefix: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(len);
    let outcome = if prefix.is_empty() {
        DECOMPRESS.with_borrow_mut(|context| context.decompress(&mut plain, frame))
    } else {
        let mut context = DCtx::try_create().ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        context.ref_prefix(prefix).and_then(|_| context.decompress(&mut plain, frame))
    };
    outcome.map_err(|code| damaged(zstd::zstd_safe::get_error_name(code)))?;
    if plain.len() == len { Ok(plain) } else { Err(damaged("it has another length than recorded")) }
}

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
