#![no_main]

use std::io;

use stemma_format::ReadAt;
use stemma_look::{LookedFolder, look_at_folder};

/// One file, under the name that makes it be read.
struct Folder {
    files: Vec<String>,
    bytes: Vec<u8>,
}

impl LookedFolder for Folder {
    fn files(&self) -> &[String] {
        &self.files
    }

    fn open(&self, _path: &str) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(self.bytes.clone()))
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for name in ["MLmodel", "saved_model.pb"] {
        let _ = look_at_folder(&Folder { files: vec![name.to_owned()], bytes: bytes.to_vec() });
    }
});
