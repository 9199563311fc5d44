//! Stories of a whole home, without HTTP.

mod leak;
mod promotion;
mod serving;
mod world;
