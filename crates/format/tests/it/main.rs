//! Outlines of files that other programs would write, and of files that nobody should.

mod hostile;
mod safetensors;
mod samples;
