//! What is known to go wrong with registries, by the numbers of `docs/threats.md`: a test is found by its number.

mod bytes;
mod furnished;
mod limits;
mod locations;
mod roads;
mod schema;
mod spellings;
