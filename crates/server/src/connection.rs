//! Connections: which are held at once, and how slowly they may be used.

mod paced;
mod places;

pub use self::{
    paced::{PacedBody, PacedStream, Stalled},
    places::{Connection, Connections},
};
