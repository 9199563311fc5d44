//! What callers of this crate rely on.

mod any_record;
mod compose;
mod crash;
mod feedback;
mod frozen;
mod http;
mod infer;
mod load;
mod log;
mod protocol;
mod recovery;
mod refusals;
mod runtime;
mod seal;
mod search;
mod support;

/// A module that is not listed above is never compiled, and its tests never fail.
#[test]
fn every_file_of_this_folder_is_a_module_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name}");
    }
}
