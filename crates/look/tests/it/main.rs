//! Models as their own libraries wrote them, and files that nobody should load.

mod hostile;
mod samples;
mod threats;
