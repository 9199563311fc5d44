//! A version in its sandbox, served by the binary itself.

use crate::{desk::Desk, onnx};

#[test]
fn a_version_that_answers_as_it_was_evaluated_is_blessed() {
    let desk = Desk::with_home();
    desk.write("data/test.csv", "x,z\n1,2\n2,4\n3,6.5\n");
    desk.ok(&["add", "data/test.csv"]);
    let settings = desk.read("stemma.toml");
    desk.write(
        "stemma.toml",
        settings
            + "\n[model.twice.evaluation]\ndata = \"data/test.csv\"\ntarget = \"z\"\nprimary = \"mae\"\n\
               [model.twice.gate.sandbox]\nkind = \"validation\"\nwall_seconds = 20\n",
    );
    desk.write("model.onnx", onnx::doubling("m"));
    desk.ok(&["register", "twice", "model.onnx"]);
    let found = desk.json(&["validate", "twice@1.0.0"]);
    assert_eq!(found["report"]["passed"], true, "{found:#}");
    let said = desk.ok(&["validate", "twice"]);
    assert!(said.starts_with("twice@1.0.0  blessed\n"), "{said}");
    assert!(
        said.contains("it answers 3 rows of test@1 as its evaluation recorded: every answer has the same bits"),
        "{said}"
    );
    assert!(said.contains("contained by resource limits, system-call filter"), "{said}");
    assert!(desk.ok(&["gate", "twice"]).contains("sandbox passed"));
    assert!(desk.ok(&["show", "twice@1.0.0"]).contains("blessed: answered in a sandbox as it should"));
}

#[test]
fn a_version_without_an_evaluation_is_asked_made_up_rows() {
    let desk = Desk::with_home();
    desk.write("model.onnx", onnx::doubling("m"));
    desk.ok(&["register", "twice", "model.onnx"]);
    let said = desk.ok(&["validate", "twice"]);
    assert!(said.contains("4 rows made up from the signature: it was never evaluated"), "{said}");
}
