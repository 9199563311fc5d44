//! Stories about a store: what goes in comes out, whatever happens in between.
