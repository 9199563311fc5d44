//! Facts in order, the tables derived from them, and all SQL: nothing else opens the database.
//!
//! Governed state changes in one way only ([`Ledger::commit`]): events become leaves of an RFC 6962 Merkle tree and,
//! in the same transaction, rows of ordinary tables. So the audit trail can't be forgotten or disagree with the state;
//! replaying the events into an empty database gives the same tables, which is how [`Ledger::verify`] checks them.
//! Runs, content grants and the feedback of old homes are append-only rows beside it. SQLite and PostgreSQL run the same SQL.

mod access_log;
mod at_rest;
mod checkpoint;
mod commit;
mod database_url;
mod error;
mod event;
mod head;
mod history;
mod key;
mod ledger;
mod mentions;
mod migrate;
mod needs;
mod predictions;
mod projection;
mod projects;
mod prove;
mod query;
mod row;
mod sql;
mod telemetry;
mod transcript;
mod tree;
mod verify;
mod writing;

pub use crate::{
    at_rest::LedgerAtRest,
    checkpoint::NamedKeys,
    database_url::{DatabaseUrl, NotADatabase},
    error::LedgerError,
    event::{Fact, Recorded},
    history::History,
    ledger::{Ledger, LedgerOptions, LedgerUrl},
    predictions::SegmentNote,
    prove::Asked,
    query::{
        AliasRow, Blind, Counts, Descendants, EndpointRow, EventFilter, EventRow, FacetCount, Found, Head, Mark,
        MarkKey, Order, PasswordRow, PrincipalRow, ProjectRow, RequestRow, RevisionRow, Search, Shown, StatementRow,
        TokenRow, Tombstone, VersionRow, View, WhichVersion,
    },
    telemetry::{Access, RunFile, Side},
    transcript::{Header as TranscriptHeader, Moment, take_in},
    tree::{Hash, leaf_hash, root_of},
    writing::{Commit, Outcome, Premise, Premises, Secret, Turn},
};
