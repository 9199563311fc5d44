//! Things that are looked for: versions, datasets and runs of some projects, by a condition, a page at a time.
//!
//! Everything is asked of the database, the projects too: a row of another one is never read. A condition that few things
//! meet is found through an index on it; one that many meet, by going through things in the order in which they are
//! wanted until the page is full.

mod blind;
mod contract;
mod count;
mod found;
mod order;
mod page;
mod plan;
mod said;
mod shelf;
mod term;
mod wanted;

pub use self::{
    blind::Blind,
    count::{Counts, FacetCount},
    found::{Found, Shown},
    order::{Mark, MarkKey},
    wanted::{Descendants, Search},
};
