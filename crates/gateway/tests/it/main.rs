//! What callers of this crate rely on.
