//! Who may do what: people with roles and tokens, what is denied to them, and what is taken back.

mod deny;
mod grant;
mod password;
mod people;
mod revoke;
mod token;
