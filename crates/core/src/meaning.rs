//! What people say of things: descriptions, owners, licences, tags. Each statement is a fact with its time and its author;
//! by itself it decides nothing.

mod aspect;
mod changes;
mod said;
mod statement;
mod tag_key;
mod thing;

pub use self::{
    aspect::Aspect,
    changes::{Held, changes, other_owner},
    said::Said,
    statement::Statement,
    tag_key::{TAG_KEY_BYTES_MAX, TAGS_MAX, TagKey, TagKeyError},
    thing::{NamedThing, Thing},
};
