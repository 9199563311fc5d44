//! Stories and tables over the whole router, in process.

mod doors;
mod paths;
mod rights;
mod story;
mod world;
