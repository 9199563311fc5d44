#![no_main]

use stemma_core::Digest;
use stemma_store::Store;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    thread_local!(static STORE: (tempfile::TempDir, Store) = {
        let folder = tempfile::tempdir_in("/dev/shm").expect("memory");
        let store = Store::open(folder.path()).expect("a store");
        (folder, store)
    });
    let children = STORE.with(|(_, store)| store.check_tree_node(&Digest::of(bytes), bytes.to_vec()));
    drop(children);
});
