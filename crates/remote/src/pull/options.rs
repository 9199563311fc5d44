//! How content is brought.

/// How to bring content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullOptions {
    /// Reads back what is here already, and replaces what is damaged or lost of it.
    pub repair: bool,
    /// Takes folders in also if something that they name is nowhere: a copy is to be what it was made of.
    pub as_they_are: bool,
}
