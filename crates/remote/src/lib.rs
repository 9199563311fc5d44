//! Content that is held elsewhere: a folder, an object store, in packs of the very format of the local store.
