//! Stories of the workspace on real folders, repositories and scripts.

mod docs;
mod files;
mod folders;
mod ignore;
mod operations;
mod references;
mod run;
mod scene;

/// A test file that nobody names here would never run.
#[test]
fn every_test_file_is_part_of_this_binary() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let text = std::fs::read_to_string(format!("{folder}/main.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap();
        assert!(module == "main" || text.contains(&format!("mod {module};")), "{name}");
    }
}
