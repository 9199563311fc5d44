//! Typed reads of the tables that events make, by noun: as they are now, or as they were after some event. Every fact
//! comes with the event that made it: who, when, under which number.

mod access;
mod data;
mod decision;
mod endpoint;
mod event;
mod meaning;
mod model;
mod moment;
mod prediction;
mod search;
mod view;

pub use self::{
    access::{PasswordRow, PrincipalRow, ProjectRow, TokenRow},
    data::Tombstone,
    decision::{AliasRow, RequestRow},
    endpoint::{EndpointRow, RevisionRow},
    event::{EventFilter, EventRow, Head, Order},
    meaning::StatementRow,
    model::{VersionRow, WhichVersion},
    search::{Blind, Counts, Descendants, FacetCount, Found, Mark, MarkKey, Search, Shown},
    view::View,
};
