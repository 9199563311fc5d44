//! Stories of a whole home, without HTTP.

mod delivery;
mod gates;
mod leak;
mod promotion;
mod serving;
mod world;
