#![no_main]

use std::fs;

use stemma_store::Store;

// a store's folder that came from elsewhere
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir_in("/dev/shm").expect("memory");
    fs::create_dir(folder.path().join("packs")).expect("a folder");
    fs::write(folder.path().join("packs/00000000000000000000000000000007.pack"), bytes).expect("a file");
    let Ok(store) = Store::open(folder.path()) else { return };
    drop(store.verify(&mut |_, _| {}));
});
