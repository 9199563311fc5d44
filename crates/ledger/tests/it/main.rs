//! One suite, run on SQLite and on PostgreSQL.

mod crash;
mod events;
mod full;
mod history;
mod suite;
mod world;
