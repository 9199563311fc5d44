//! One suite, run on SQLite and on PostgreSQL.

mod contents;
mod crash;
mod decide;
mod events;
mod full;
mod history;
mod meaning;
mod names;
mod owner;
mod search;
mod suite;
mod transcript;
mod world;
