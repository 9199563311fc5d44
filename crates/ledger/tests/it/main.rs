//! One suite for both databases: every story runs on SQLite and on PostgreSQL.

#[macro_use]
mod world;

mod checkpoint;
mod commit;
mod crash;
mod migrate;
mod query;
mod replay;
mod story;
mod tamper;
mod telemetry;

#[test]
fn every_file_of_this_folder_is_part_of_the_suite() {
    let main = include_str!("main.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name} is forgotten");
    }
}
