//! One suite, run on SQLite and on PostgreSQL.

mod crash;
mod events;
mod suite;
mod world;
