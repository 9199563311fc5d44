//! Projects: made, closed, and opened again.

mod close;
mod create;
