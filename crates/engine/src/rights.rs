//! Who may do what: people with roles and tokens, and what is taken back.

mod people;
mod revoke;
