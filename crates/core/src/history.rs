//! Whether a history that somebody remembers is a beginning of the one that a home shows today.
//!
//! A home's events are the leaves of a Merkle tree (RFC 6962); its head (size and root) is signed. Whoever keeps a signed
//! head elsewhere can tell a home that went back, or one whose history was changed and signed anew, from one that went on.

mod compare;
pub mod frontier;
mod heads;
pub mod merkle;
mod note;
pub mod proof;

pub use self::{
    compare::{Agreement, Departure, Disagreement, Proofs, Today, compare},
    heads::{HEADS_HEADER, Heads, HeadsError, LineFault, SeenHead, thin},
    note::{
        Cosignature, Head, KeyPurpose, KeySuccession, NoteError, SignedHead, SigningKey, VerifierKey, cosigner_name,
        home_of, origin,
    },
};
