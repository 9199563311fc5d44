//! One suite, run on SQLite and on PostgreSQL.

mod crash;
mod events;
mod history;
mod suite;
mod world;
