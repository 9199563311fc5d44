//! What this machine and this project remember of a home, compared with what the home shows: on every command by the way,
//! and in full when somebody asks.

mod outside;
mod remembered;
mod source;
mod watch;
pub mod witness;

pub use self::{
    outside::{compare_outside, is_outside},
    remembered::Remembered,
    source::Source,
    watch::{LineRule, Watch, shown_by},
};
