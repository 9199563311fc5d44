//! What can't be asked in this process is answered by a command; the home judges its answers, and doubts its run.

use serde_json::{Value, json};
use stemma_api::types::{AskQuestion, CommandAnswers, ContentClaim, Question, RecordRun, RunGates};
use stemma_core::{
    Digest, ErrorKind, Problem, canonical,
    id::{RequestId, RunId},
    name::ProjectName,
    record::{EvaluationReport, ExitStatus, RunKind},
    version::Side,
};
use stemma_store::{Tree, TreeEntry};

use crate::world::{Ran, World, own, project, sample};

/// Rows that only name a file: no model here can be given them.
async fn world(evaluation: Value) -> World {
    let world = World::new().await;
    let rows: String = (0..90).map(|row| format!("images/{row:03}.png,{}\n", row % 3)).collect();
    world.add_dataset("test", format!("file,digit\n{rows}")).await;
    declare(&world, evaluation).await;
    world
}

async fn declare(world: &World, further: Value) {
    let mut evaluation = json!({
        "data": "test", "target": "digit", "primary": "macro_f1",
        "command": ["python", "predict.py", "{model}", "{data}", "{output}"],
    });
    evaluation.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let gate = json!({ "kind": "metric-baseline", "metric": "macro_f1", "min": 0.5 });
    let policy = json!({ "evaluation": evaluation, "gate": { "good": gate } });
    world.set_policy(serde_json::from_value(policy).unwrap()).await;
}

async fn question(world: &World, digest: Digest) -> Option<Question> {
    world.engine().evaluation_question(&project(), &world.model, AskQuestion { digest }).await.unwrap()
}

/// Answers that are wrong in every n-th row.
fn wrong_every(n: usize) -> String {
    let row = |row: usize| format!("{row},{}\n", if row.is_multiple_of(n) { (row + 1) % 3 } else { row % 3 });
    format!("row,prediction\n{}", (0..90).map(row).collect::<String>())
}

/// Content that training wrote, from data that is known.
async fn trained(world: &World, bytes: Vec<u8>) -> Digest {
    let digest = world.upload(bytes).await.digest;
    let train = world.upload(format!("training {}", RunId::generate())).await.digest;
    world.record_run(&[("train.txt", train)], digest).await;
    digest
}

async fn answered(world: &World, model: Digest, answers: &str) -> CommandAnswers {
    let question = question(world, model).await.unwrap().digest;
    let answers = world.upload(answers.to_owned()).await.digest;
    let inputs = [("/tmp/a/model.onnx", model), ("/tmp/a/data.csv", question)];
    answers_of(world, &inputs, answers, RunKind::Evaluation, ExitStatus::Code(0)).await
}

async fn answers_of(
    world: &World,
    inputs: &[(&str, Digest)],
    answers: Digest,
    kind: RunKind,
    exit: ExitStatus,
) -> CommandAnswers {
    let outputs = [("/tmp/a/output/answers", answers)];
    let run = world.record_ran(Ran { inputs, outputs: &outputs, kind, exit, ..Ran::default() }).await;
    CommandAnswers { run, answers }
}

/// The same model with a remark, so that it is another content.
fn model(remark: &str) -> Vec<u8> {
    [sample("table_boosting"), vec![0x32, u8::try_from(remark.len()).unwrap()], remark.as_bytes().to_vec()].concat()
}

#[tokio::test]
async fn a_minor_is_earned_by_answers_of_a_command() {
    let world = world(json!({ "metrics": ["top@2"] })).await;
    let first = trained(&world, model("one")).await;
    let asked = question(&world, first).await.unwrap();
    assert_eq!((asked.rows, asked.data.as_str(), asked.lacking.len()), (90, "test@1", 0));
    let text = world.known().read_content(asked.digest, 1 << 20).await.unwrap();
    assert!(text.starts_with(b"row,file\n0,images/000.png\n"), "{}", String::from_utf8_lossy(&text));
    let refused = world.register(first).await.unwrap_err();
    assert_eq!(refused.message, "this content can't be asked about test@1 here");

    let answers = answered(&world, first, &wrong_every(3)).await;
    let registered = world.register_with("model.onnx", first, Some(answers.clone())).await.unwrap();
    let report = registered.evaluation.unwrap();
    assert_eq!(report.by_command.as_ref().map(|by| by.run), Some(answers.run));
    assert_eq!(report.overall.value("accuracy"), Some(2.0 / 3.0));
    assert!(report.notes()[0].starts_with("by command: run "), "{:?}", report.notes());
    assert_eq!(report.why_undefined("top@2"), "top@2 is not defined: the model answers a label and no scores");

    let second = trained(&world, model("two")).await;
    assert!(question(&world, second).await.unwrap().lacking.is_empty());
    let answers = answered(&world, second, &wrong_every(10)).await;
    let registered = world.register_with("model.onnx", second, Some(answers)).await.unwrap();
    let version = registered.version;
    assert_eq!(version.number.to_string(), "1.1.0", "{}", version.reason);
    assert!(version.reason.starts_with("minor: macro_f1 +0.344 ["), "{}", version.reason);
    assert!(version.reason.ends_with("] over 1.0.0 on test@1, by command"), "{}", version.reason);
    let comparison = version.comparison.unwrap();
    assert_eq!((comparison.by_command, comparison.rows), (Some(Side::Both), 90));

    let (project, request) = (project(), RequestId::generate());
    let engine = world.engine();
    let ran = engine.run_gates(&world.owner, request, &project, &world.model, "1.1.0", RunGates::default()).await;
    let check = ran.unwrap().results.remove(0).checks.remove(0);
    assert!(check.passed && check.found.ends_with(", by command"), "{check:?}");
    let compared = engine.compare_versions(&project, "score@1.0.0", "score@1.1.0").await.unwrap();
    assert_eq!(compared.performance.unwrap().primary.difference, comparison.difference);

    // on other data nobody has answered for the earlier ones yet
    let rows: String = (0..60).map(|row| format!("images/b{row:03}.png,{}\n", row % 3)).collect();
    world.add_dataset("other", format!("file,digit\n{rows}")).await;
    declare(&world, json!({ "data": "other" })).await;
    let lacking = question(&world, second).await.unwrap().lacking;
    assert_eq!(lacking.iter().map(|version| version.number.to_string()).collect::<Vec<_>>(), ["1.0.0"]);
}

#[tokio::test]
async fn who_is_asked_here_and_who_answers_by_command_are_compared_row_by_row() {
    let world = World::new().await;
    let rows: String = (0..60).map(|row| format!("{}.5,{}\n", row % 3, ["a", "b", "c"][row % 3])).collect();
    world.add_dataset("test", format!("x,y\n{rows}")).await;
    declare(&world, json!({ "target": "y" })).await;
    let (inside, outside) = (trained(&world, own("three_classes")).await, trained(&world, model("one")).await);
    assert!(question(&world, inside).await.is_none());
    let first = world.register(inside).await.unwrap();
    assert_eq!(first.evaluation.unwrap().by_command, None);
    let all_right: String = (0..60).map(|row| format!("{row},{}\n", ["a", "b", "c"][row % 3])).collect();
    let answers = answered(&world, outside, &format!("row,prediction\n{all_right}")).await;
    let second = world.register_with("model.onnx", outside, Some(answers)).await.unwrap().version.name();
    let compared = world.engine().compare_versions(&project(), "score@1.0.0", &second).await.unwrap();
    let primary = compared.performance.unwrap().primary;
    assert_eq!((primary.by_command, primary.rows), (Some(Side::Candidate), 60));
    assert_eq!((primary.reference, primary.candidate), (1.0 / 3.0, 1.0));
}

#[tokio::test]
async fn a_run_that_can_not_have_asked_the_model_is_refused() {
    let world = world(json!({})).await;
    let digest = trained(&world, model("one")).await;
    let asked = question(&world, digest).await.unwrap().digest;
    let answers = world.upload(wrong_every(7)).await.digest;
    let truth = world.known().find_dataset(&project(), "test").await.unwrap().digest;
    let copied: String = (0..90).map(|row| format!("{},images/{row:03}.png\n", row % 3)).collect();
    let copied = world.upload(format!("digit,file\n{copied}")).await.digest;
    let (model, data, good) = (("m.onnx", digest), ("data.csv", asked), (RunKind::Evaluation, ExitStatus::Code(0)));
    let told = async |inputs: &[(&str, Digest)], answers, (kind, exit): (RunKind, ExitStatus)| -> Problem {
        let answers = answers_of(&world, inputs, answers, kind, exit).await;
        world.register_with("model.onnx", digest, Some(answers)).await.unwrap_err()
    };
    for (inputs, (kind, exit), expected) in [
        (vec![model, data], (RunKind::Training, ExitStatus::Code(0)), "is no run of an evaluation's command"),
        (vec![model, data], (RunKind::Evaluation, ExitStatus::Code(1)), "failed, so what it wrote are no answers"),
        (vec![model], good, "did not read the rows of test@1 as they are asked today"),
        (vec![data], good, "did not read the model"),
        (vec![model, data, ("test.csv", truth)], good, "read test@1 itself, which says what is true"),
        (vec![model, data, ("copy.csv", copied)], good, "read `copy.csv`, which says what is true of rows"),
    ] {
        let problem = told(&inputs, answers, (kind, exit)).await;
        assert!(problem.message.ends_with(expected), "{}", problem.message);
    }
    let others = world.upload("row,prediction\n").await.digest;
    let given = answers_of(&world, &[model, data], answers, good.0, good.1).await;
    let given = CommandAnswers { answers: others, ..given };
    let problem = world.register_with("model.onnx", digest, Some(given)).await.unwrap_err();
    assert!(problem.message.ends_with("did not write these answers"), "{}", problem.message);
    assert!(world.known().versions_if_any(&project(), &world.model).await.unwrap().unwrap_or_default().is_empty());
}

#[tokio::test]
async fn what_is_not_one_answer_for_each_row_is_refused_and_nothing_is_recorded() {
    let world = world(json!({})).await;
    let digest = trained(&world, model("one")).await;
    let good = wrong_every(7);
    for (answers, expected) in [
        (good.replace("\n5,2", ""), "the command's output lacks row 5"),
        (format!("{good}5,2\n"), "the command's output has row 5 more than once"),
        (format!("{good}90,0\n"), "has rows that nobody asked for: `row` is `90` in line 92"),
        (good.replace("\n5,2", "\n5,NaN"), "`prediction` of the command's output is no class in row 5: `NaN`"),
        (good.replace("\n5,2", "\n5,7"), "`prediction` of the command's output is no class in row 5: `7`"),
        ("nothing".to_owned(), "has no column `row`"),
    ] {
        let given = answered(&world, digest, &answers).await;
        let problem = world.register_with("model.onnx", digest, Some(given)).await.unwrap_err();
        assert!(problem.message.contains(expected), "{}", problem.message);
    }
    assert!(world.known().versions_if_any(&project(), &world.model).await.unwrap().unwrap_or_default().is_empty());
}

#[tokio::test]
async fn what_training_read_under_the_name_of_a_row_leaks_and_what_can_not_be_searched_is_a_doubt() {
    let world = world(json!({})).await;
    let digest = world.upload(model("one")).await.digest;
    let image = world.upload(b"\x89PNG\r\n\x1a\n of row 4".to_vec()).await.digest;
    world.record_run(&[("images/train/x.png", image)], digest).await;
    let asked = question(&world, digest).await.unwrap().digest;
    let answers = world.upload(wrong_every(7)).await.digest;
    let pickle = world.upload(b"\x80\x04\x95\0".to_vec()).await.digest;
    let inputs = [("m", digest), ("d", asked), ("images/004.png", image), ("encoder.pkl", pickle)];
    let given = answers_of(&world, &inputs, answers, RunKind::Evaluation, ExitStatus::Code(0)).await;
    let report = world.register_with("model.onnx", digest, Some(given)).await.unwrap().evaluation.unwrap();
    assert_eq!((report.leaky_rows, report.overall.rows()), (1, 89));
    let doubt = report.leak_doubt().unwrap();
    assert!(doubt.contains("the command read `encoder.pkl`, which could not be searched"), "{doubt}");
}

/// Registers content that was read whole.
async fn registered(world: &World, subject: Digest, files: &[(&str, Digest)]) -> String {
    let given = given(world, subject, files).await;
    let registered = world.register_with("model.onnx", subject, Some(given)).await.unwrap();
    assert_eq!(doubts(&registered.evaluation.unwrap()), "");
    registered.version.number.to_string()
}

/// Why the command may have known what is true.
fn doubts(report: &EvaluationReport) -> String {
    let unseen = &report.search.as_ref().unwrap().unseen;
    unseen.iter().filter(|why| why.starts_with("the command")).cloned().collect::<Vec<_>>().join("; ")
}

/// What a command answers for content when it reads the question and these files.
async fn given(world: &World, subject: Digest, files: &[(&str, Digest)]) -> CommandAnswers {
    let asked = question(world, subject).await.unwrap().digest;
    let answers = world.upload(wrong_every(7)).await.digest;
    let inputs = [files, &[("/tmp/a/data.csv", asked)]].concat();
    answers_of(world, &inputs, answers, RunKind::Evaluation, ExitStatus::Code(0)).await
}

/// Judges a registered version anew by a command that read these files.
async fn judged(
    world: &World,
    (version, subject): (&str, Digest),
    files: &[(&str, Digest)],
) -> Result<EvaluationReport, Problem> {
    let (request, given) = (RequestId::generate(), given(world, subject, files).await);
    let of = (&world.model, version);
    Ok(world.engine().evaluate_answers(&world.owner, request, &project(), of, given).await?.report)
}

/// A file of safetensors with an array of bytes.
fn safetensors(bytes: &[u8]) -> Vec<u8> {
    let header = format!(r#"{{"y":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}}"#, bytes.len());
    [(header.len() as u64).to_le_bytes().as_slice(), header.as_bytes(), bytes].concat()
}

#[tokio::test]
async fn labels_in_a_file_of_their_own_say_what_is_true() {
    let world = world(json!({})).await;
    let digest = trained(&world, model("one")).await;
    let version = registered(&world, digest, &[("m", digest)]).await;
    let subject = (version.as_str(), digest);
    let labels = |separator: &str| (0..90).map(|row| (row % 3).to_string()).collect::<Vec<_>>().join(separator);
    let coded: String = (0..90).map(|row| format!("{row},{}\n", ["x", "y", "z"][row % 3])).collect();
    for (path, text) in [("y.csv", format!("digit\n{}\n", labels("\n"))), ("y.csv", format!("key,what\n{coded}"))] {
        let file = world.upload(text).await.digest;
        let problem = judged(&world, subject, &[("m", digest), (path, file)]).await.unwrap_err();
        assert!(problem.message.ends_with("read `y.csv`, which says what is true of rows"), "{}", problem.message);
    }
    for (path, bytes, told) in [
        (
            "y.safetensors",
            safetensors(&[7; 90]),
            "`y.safetensors`, whose arrays were not searched: it is a safetensors model",
        ),
        (
            "y.txt",
            format!("[{}]", labels(" ")).into_bytes(),
            "`y.txt`, a text with as many values of what is to be predicted",
        ),
    ] {
        let file = world.upload(bytes).await.digest;
        let report = judged(&world, subject, &[("m", digest), (path, file)]).await.unwrap();
        let doubt = doubts(&report);
        assert!(doubt.contains(told), "{path}: {doubt}");
    }
    let harmless = world.upload("threshold = 0.5\nseed = 7\n").await.digest;
    let report = judged(&world, subject, &[("m", digest), ("params.toml", harmless)]).await.unwrap();
    assert_eq!(doubts(&report), "");
}

#[tokio::test]
async fn of_a_model_that_is_a_folder_most_must_be_read_and_none_may_say_what_is_true() {
    let world = world(json!({})).await;
    let truth: String = (0..90).map(|row| format!("images/{row:03}.png,{}\n", row % 3)).collect();
    let truth = format!("name,label\n{truth}");
    let files = [("model.bin", vec![0x9c; 4000]), ("requirements.txt", b"numpy\n".to_vec())];
    let tree = |files: &[(&str, Vec<u8>)]| {
        let mut tree = Tree::default();
        for (path, bytes) in files {
            let info = world.known().store().put_bytes(bytes).unwrap();
            let entry = TreeEntry::File { digest: info.digest, size: info.size, executable: false };
            tree.entries.insert(path.parse().unwrap(), entry);
        }
        world.known().store().put_tree(&tree).unwrap()
    };
    let folder = tree(&[files.as_slice(), &[("eval_labels.csv", truth.clone().into_bytes())]].concat());
    let empty = tree(&[files.as_slice(), &[("__init__.py", Vec::new())]].concat());
    for digest in [folder, empty] {
        let claim = ContentClaim { digest, size: 0, like: None };
        assert!(world.engine().claim_content(&project(), &[claim]).await.unwrap().is_empty());
        let train = world.upload(format!("training {digest}")).await.digest;
        world.record_run(&[("train.txt", train)], digest).await;
    }
    let [model, requirements] = files.each_ref().map(|(path, bytes)| (*path, Digest::of(bytes)));
    let (of_folder, of_empty) = (registered(&world, folder, &[model]).await, registered(&world, empty, &[model]).await);
    let (folder, empty) = ((of_folder.as_str(), folder), (of_empty.as_str(), empty));
    let refused = judged(&world, empty, &[("__init__.py", Digest::of(b""))]).await.unwrap_err();
    assert!(refused.message.ends_with("did not read the model"), "{}", refused.message);
    let labels = ("eval_labels.csv", Digest::of(truth.as_bytes()));
    let refused = judged(&world, folder, &[model, requirements, labels]).await.unwrap_err();
    assert!(
        refused.message.ends_with("read `eval_labels.csv`, which says what is true of rows"),
        "{}",
        refused.message
    );
    let report = judged(&world, folder, &[requirements]).await.unwrap();
    let doubt = doubts(&report);
    let of = 4006 + truth.len();
    assert!(doubt.contains(&format!("the command read 6 of the {of} bytes of the model")), "{doubt}");
    let report = judged(&world, folder, &[model]).await.unwrap();
    assert_eq!(doubts(&report), "");
}

#[tokio::test]
async fn nothing_of_another_project_is_asked_about_or_believed() {
    let world = world(json!({})).await;
    let digest = trained(&world, model("one")).await;
    let answers = answered(&world, digest, &wrong_every(7)).await;
    let elsewhere: ProjectName = "elsewhere".parse().unwrap();
    let mut record = world.known().run_record(&project(), answers.run).await.unwrap();
    (record.id, record.project) = (RunId::generate(), elsewhere.clone());
    for content in record.contents() {
        let claim = ContentClaim { digest: content.digest, size: 0, like: None };
        world.engine().claim_content(&elsewhere, &[claim]).await.unwrap();
    }
    let (of_record, bytes) = canonical::digest(&record).unwrap();
    let bytes = futures::stream::iter([Ok::<_, Problem>(bytes.into())]);
    world.engine().upload_content(&elsewhere, of_record, bytes).await.unwrap();
    let run = record.id;
    world.engine().record_run(&world.owner, &elsewhere, RecordRun { record, digest: of_record }).await.unwrap();
    let given = CommandAnswers { run, ..answers };
    let problem = world.register_with("model.onnx", digest, Some(given)).await.unwrap_err();
    assert_eq!(
        (problem.kind, problem.message),
        (ErrorKind::NotFound, format!("there is no run `{run}` in project `default`"))
    );

    // content that only another project may read
    let bytes = futures::stream::iter([Ok::<_, Problem>(model("theirs").into())]);
    let theirs = Digest::of(&model("theirs"));
    world.engine().upload_content(&elsewhere, theirs, bytes).await.unwrap();
    let ask = async |digest| world.engine().evaluation_question(&project(), &world.model, AskQuestion { digest }).await;
    let known = ask(theirs).await.unwrap_err();
    let unknown = ask(Digest::of(b"nothing")).await.unwrap_err();
    assert_eq!((known.kind, unknown.kind), (ErrorKind::NotFound, ErrorKind::NotFound));
}

#[tokio::test]
async fn scores_are_judged_like_those_of_a_model_that_is_asked_here() {
    let world = world(json!({ "metrics": ["top@2", "log_loss"] })).await;
    let digest = trained(&world, model("one")).await;
    let row = |row: usize| {
        let scores =
            [[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]][(row + usize::from(row.is_multiple_of(9))) % 3];
        let best = (0..3).find(|class| scores[*class] == 0.7).unwrap();
        format!("{row},{best},{},{},{}\n", scores[0], scores[1], scores[2])
    };
    let header = "row,prediction,score_0,score_1,score_2\n";
    let rows: Vec<String> = (0..90).map(row).collect();
    let answers = answered(&world, digest, &format!("{header}{}", rows.concat())).await;
    let report = world.register_with("model.onnx", digest, Some(answers)).await.unwrap().evaluation.unwrap();
    // 10 of 90 rows have the next class, and the true one has 0.1 there
    assert_eq!(report.overall.value("accuracy"), Some(80.0 / 90.0));
    let log_loss = report.overall.value("log_loss").unwrap();
    // as scikit-learn's `log_loss` has it
    assert!((log_loss - 0.572_887_182_722_656_2).abs() < 1e-12, "{log_loss}");
    let lacking = answered(&world, digest, &format!("{header}{}", rows[..89].concat())).await;
    let judged = async |given| {
        let of = (&world.model, "1.0.0");
        world.engine().evaluate_answers(&world.owner, RequestId::generate(), &project(), of, given).await
    };
    let problem = judged(lacking).await.unwrap_err();
    assert!(problem.message.contains("lacks row 89"), "{}", problem.message);
    let off = rows.concat().replace("0,1,0.1,0.7,0.2\n", "0,1,0.1,0.7,nan\n");
    let off = answered(&world, digest, &format!("{header}{off}")).await;
    let problem = judged(off).await.unwrap_err();
    assert!(problem.message.contains("`score_2`"), "{}", problem.message);
}
