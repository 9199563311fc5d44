//! Stories of a whole home, without HTTP.

mod delivery;
mod leak;
mod promotion;
mod serving;
mod world;
