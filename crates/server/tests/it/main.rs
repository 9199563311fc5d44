//! Stories and tables over the whole router, in process.

mod doors;
mod lists;
mod login;
mod meaning;
mod names;
mod pages;
mod paths;
mod people;
mod rights;
mod search;
mod stall;
mod story;
mod threats;
mod world;
