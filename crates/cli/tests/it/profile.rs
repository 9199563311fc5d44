//! What a table holds, a test that is drafted of it, and rows like its own.

use crate::{desk::Desk, onnx};

fn wines() -> Desk {
    let desk = Desk::with_home();
    let wines = ["barolo", "grignolino", "barbera"];
    let row =
        |n: u32| format!("{:.2},{},{}\n", 11.0 + f64::from(n * 7 % 40) / 10.0, 270 + n * 13, wines[n as usize % 3]);
    let rows: String = (0..90).map(row).collect();
    desk.write("wine.csv", format!("alcohol,proline,cultivar\n{rows}"));
    desk.ok(&["add", "wine.csv", "--name", "wine"]);
    desk
}

#[test]
fn a_table_is_told_at_a_glance_by_any_of_its_names() {
    let desk = wines();
    insta::assert_snapshot!(desk.ok(&["profile", "wine@1"]));
    let by_path = desk.json(&["profile", "wine.csv"]);
    assert_eq!((by_path["name"].as_str(), by_path["rows"].as_u64()), (Some("wine.csv"), Some(90)));
    desk.write("model.p", b"\x80\x04\x95\0");
    desk.ok(&["add", "model.p"]);
    let (code, stderr) = desk.fails(&["profile", "model.p"]);
    assert!(code == 2 && stderr.contains("can't be read as a table: it is a Python pickle"), "{stderr}");
    desk.write("folder/a.csv", "a\n1\n");
    desk.ok(&["add", "folder"]);
    let (code, stderr) = desk.fails(&["profile", "folder"]);
    assert!(code == 2 && stderr.contains("is a folder, and only tables are profiled"), "{stderr}");
}

#[test]
fn a_drafted_test_is_passed_by_its_table_and_by_no_other() {
    let desk = wines();
    let draft = desk.ok(&["profile", "wine", "--draft-test"]);
    assert!(draft.contains("data = \"wine\"") && draft.contains("\"barolo\""), "{draft}");
    let settings = desk.read("stemma.toml") + "\n" + &draft.replace("model.MODEL", "model.grapes");
    desk.write("stemma.toml", &settings);
    desk.write("model.onnx", onnx::doubling("m"));
    desk.ok(&["register", "grapes", "model.onnx"]);
    let told = desk.ok(&["gate", "grapes"]);
    assert!(told.contains("data passed"), "{told}");
    let wrong = desk.read("wine.csv").replacen("barolo", "Barolo", 1) + "99,1,barolo\n";
    desk.write("wine.csv", wrong);
    desk.ok(&["add", "wine.csv"]);
    desk.ok(&["policy", "apply", "grapes"]);
    let told = desk.run(&["gate", "grapes"]);
    assert_eq!(told.code, 6, "{told:#?}");
    assert!(told.stdout.contains("`Barolo` is not one of the allowed values"), "{told:#?}");
}

#[test]
fn rows_of_the_same_form_are_made_and_written_once() {
    let desk = wines();
    let made = desk.ok(&["mock", "wine", "-n", "50", "--seed", "7", "--output", "mock.csv"]);
    assert_eq!(made, "50 rows like those of wine@1 in mock.csv\n");
    let text = desk.read("mock.csv");
    assert!(text.starts_with("alcohol,proline,cultivar\n") && text.lines().count() == 51, "{text}");
    let own = desk.read("wine.csv");
    assert!(text.lines().skip(1).all(|line| !own.lines().any(|own| own == line)), "{text}");
    assert_eq!(desk.ok(&["mock", "wine", "-n", "50", "--seed", "7"]), text);
    let (code, stderr) = desk.fails(&["mock", "wine", "--output", "mock.csv"]);
    assert!(code == 5 && stderr.contains("`mock.csv` is there already"), "{stderr}");
    desk.ok(&["mock", "wine", "--seed", "8", "--output", "mock.csv", "--force"]);
    assert_eq!(desk.read("mock.csv").lines().count(), 201);
}
