//! Images and patients: a pickle and a matrix, a complaint that begins with a customer's number, predictions that were made
//! elsewhere with outcomes that came late, and a home that is destroyed and restored.

use std::{fs, time::Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{
    checkout::{Checkout, Profile},
    desk::{DIGITS, Desk},
    payload, process,
    server::Server,
    setup,
    typing::{run, say, stemma},
};

const READER: &str = "reader";
const PROGRESSION: &str = "progression";
const VISITS: u64 = 100_000;
/// Whoever complains, and another customer who was read otherwise.
const CUSTOMERS: [&str; 2] = ["customer-29", "customer-30"];
const ASKED: usize = 60;

/// Plays the story in a folder of this name; fails at the first thing that does not hold.
pub fn play(checkout: &Checkout, folder: &str, profile: Profile) -> Result<()> {
    let python = setup::example_python(checkout)?;
    let stemma = checkout.build_product(profile)?;
    let began = Instant::now();
    let desk = Desk::fresh(checkout, &DIGITS, folder, &stemma, &python)?;
    println!("The story of 1,797 digits and 442 patients, in `{}`", desk.work.display());
    gather(&desk)?;
    read_digits(&desk)?;
    foresee(&desk)?;
    go_live(&desk)?;
    let server = Server::start(&desk, 0)?;
    ask(&desk, &server)?;
    let complaint = complain(&desk)?;
    load_what_came_of_it(&desk)?;
    say("The home is backed up while it serves, twice: the second time little is new.");
    back_up(&desk)?;
    back_up(&desk)?;
    server.stop()?;
    say("The server has ended, and sealed what it noted: once more, or the restored home would lack that.");
    back_up(&desk)?;
    destroy_and_restore(&desk, &complaint)?;
    println!("\nThe story of the digits held, in {:.1} s.", began.elapsed().as_secs_f64());
    Ok(())
}

fn gather(desk: &Desk) -> Result<()> {
    say("1,797 images as a folder of files, and a table of patients; then halves to learn from and to judge by.");
    stemma(desk, &["init"])?;
    run(desk, &["make_images.py"])?;
    for path in ["images", "diabetes.csv"] {
        stemma(desk, &["add", path, "--source", "https://scikit-learn.org/stable/datasets/toy_dataset.html"])?;
    }
    run(desk, &["read_images.py"])?;
    stemma(desk, &["add", "data/digits-train.csv", "data/digits-test.csv"])?;
    stemma(desk, &["add", "data/diabetes-train.csv", "data/diabetes-test.csv"])?;
    Ok(())
}

/// What the home has of a version.
fn version(desk: &Desk, name: &str) -> Result<Value> {
    Ok(desk.ask(&["show", name])?["version"].take())
}

fn reason(version: &Value) -> Result<&str> {
    version["reason"].as_str().context("a version has no reason")
}

fn read_digits(desk: &Desk) -> Result<()> {
    say(
        "A random forest as a pickle: who loads it runs its code, so a command here answers for it, and the home computes.",
    );
    run(desk, &["train_forest.py"])?;
    let said = stemma(desk, &["register", "digit", "forest.pkl"])?;
    ensure!(said.contains("pickle"), "nothing says that it is a pickle");
    let forest = desk.ask(&["show", "digit@newest"])?["evaluation"].take();
    ensure!(forest["overall"]["macro_f1"].as_f64().is_some_and(|f1| f1 > 0.8), "{forest}");
    let refused = desk.ask_refused(&["deploy", READER, "--model", "digit@newest"], 2)?;
    ensure!(refused["message"].as_str().is_some_and(|said| said.contains("pickle")), "{refused}");
    say("Gradient boosting as ONNX, whose input is one matrix of 64 columns: the home asks it itself.");
    run(desk, &["train_boosting.py"])?;
    stemma(desk, &["register", "digit", "boosting.onnx"])?;
    let boosting = version(desk, "digit@newest")?;
    ensure!(boosting["step"] == "minor", "boosting did not earn a MINOR: {}", reason(&boosting)?);
    let interval = ["macro_f1 +", "by command"];
    ensure!(interval.iter().all(|part| reason(&boosting).is_ok_and(|it| it.contains(part))), "{boosting}");
    Ok(())
}

fn foresee(desk: &Desk) -> Result<()> {
    say("Ten measurements of a patient, and how far diabetes goes in a year.");
    for model in ["stump", "ridge"] {
        run(desk, &["train_progression.py", "--model", model])?;
        stemma(desk, &["register", PROGRESSION, "progression.onnx"])?;
    }
    let ridge = version(desk, "progression@newest")?;
    ensure!(ridge["step"] == "minor", "the ridge did not earn a MINOR: {}", reason(&ridge)?);
    Ok(())
}

fn go_live(desk: &Desk) -> Result<()> {
    for (endpoint, model) in [(READER, "digit"), (PROGRESSION, PROGRESSION)] {
        let newest = format!("{model}@newest");
        stemma(desk, &["gate", &newest])?;
        stemma(desk, &["promote", &newest, "production"])?;
        stemma(desk, &["deploy", endpoint, "--model", &format!("{model}@champion")])?;
    }
    Ok(())
}

/// Each customer sends an image of the test half.
fn ask(desk: &Desk, server: &Server) -> Result<()> {
    let mut connection = server.connect()?;
    let mut rows = csv::Reader::from_path(desk.work.join("data/digits-test.csv"))?;
    let path = format!("/v2/models/{READER}/infer");
    for (customer, row) in rows.records().take(ASKED).enumerate() {
        let row = row?;
        let shades: Vec<f64> = row.iter().take(64).map(str::parse).collect::<Result<_, _>>()?;
        let body = json!({
            "parameters": {"stemma_unit": format!("customer-{customer}")},
            "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": shades}],
        });
        let answer = connection.post(&path, &body.to_string())?;
        ensure!(answer.status == 200, "the endpoint answered {}: {}", answer.status, answer.text());
        payload::prediction_id(&answer.json()).context("an answer has no id")?;
    }
    say(&format!("{ASKED} customers sent an image each."));
    Ok(())
}

/// The ids of what an endpoint answered for somebody today.
fn found(desk: &Desk, endpoint: &str, search: &[&str]) -> Result<Vec<String>> {
    let found = desk.ask(&[&["predictions", endpoint], search].concat())?;
    let items = found["items"].as_array().context("the search lists nothing")?;
    items.iter().map(|item| Ok(item["prediction"].as_str().context("a prediction has no id")?.to_owned())).collect()
}

/// The one answer that a customer got.
fn only_one(desk: &Desk, customer: &str) -> Result<String> {
    let mut all = found(desk, READER, &["--unit", customer])?;
    ensure!(all.len() == 1, "{} answers were found for `{customer}`", all.len());
    all.pop().context("none was found")
}

/// All that is known is who complains, and when it was; returns the prediction and its explanation.
fn complain(desk: &Desk) -> Result<(String, Value)> {
    say("`customer-29` complains, and has kept nothing but a number and a day.");
    let today = process::output(desk.command("date")?.args(["--utc", "+%F"]))?;
    stemma(desk, &["predictions", READER, "--unit", CUSTOMERS[0], "--since", today.trim()])?;
    let [hers, his] = [only_one(desk, CUSTOMERS[0])?, only_one(desk, CUSTOMERS[1])?];
    let told = stemma(desk, &["why", &hers])?;
    for part in ["digits-train@1", "train_boosting.py", "digit@1.1.0"] {
        ensure!(told.contains(part), "the explanation does not tell of `{part}`");
    }
    let replay = desk.ask(&["replay", &hers])?;
    ensure!(replay["same_bits"] == true, "it does not replay: {replay}");
    say("Another customer was read otherwise. Which pixels make the difference?");
    stemma(desk, &["compare", &hers, &his])?;
    let why = desk.ask(&["why", &hers])?;
    Ok((hers, why))
}

fn load_what_came_of_it(desk: &Desk) -> Result<()> {
    say("A clinic's own computer has asked the model 100,000 times; months later, as many outcomes come.");
    run(desk, &["make_outcomes.py"])?;
    let model = "progression@1.1.0";
    let import =
        ["predictions", "import", "told.jsonl", "--endpoint", PROGRESSION, "--version", model, "--source", "clinic"];
    stemma(desk, &import)?;
    let again = desk.ask(&import)?;
    ensure!(again["recorded"] == 0 && again["known"] == VISITS, "they were recorded twice: {again}");
    stemma(desk, &["feedback", "--input", "outcomes.csv"])?;
    let again = desk.ask(&["feedback", "--input", "outcomes.csv"])?;
    ensure!(again["kept"] == 0 && again["known"] == VISITS, "outcomes were kept twice: {again}");
    let visits = found(desk, PROGRESSION, &["--request-id", "visit-4711"])?;
    let [visit] = visits.as_slice() else { anyhow::bail!("visit 4711 was not found: {visits:?}") };
    let why = desk.ask(&["why", visit])?;
    ensure!(
        why["feedback"].as_array().is_some_and(|all| all.len() == 1),
        "its outcome is not told: {}",
        why["feedback"]
    );
    say("What was said and what became of it is data for the next model.");
    stemma(desk, &["dataset", "from-feedback", PROGRESSION, "--since", "2026-03-01"])?;
    let made = desk.ask(&["dataset", "from-feedback", PROGRESSION, "--since", "2026-03-01"])?;
    ensure!(made["rows"] == VISITS && made["unchanged"] == true, "not all became data, or not the same: {made}");
    ensure!(made["left_out"].as_array().is_some_and(Vec::is_empty), "something was left out: {made}");
    let impact = desk.ask(&["impact", "diabetes-train@1"])?;
    say(&format!("{} answers depend on the patients that were learned from.", impact["predictions"]));
    Ok(())
}

fn back_up(desk: &Desk) -> Result<()> {
    let target = desk.folder.join("backup");
    let target = target.to_str().context("the path of the backup is not text")?;
    stemma(desk, &["backup", target, "--with-keys"]).map(drop)
}

/// The same complaint, answered by a home that was gone.
fn destroy_and_restore(desk: &Desk, (prediction, before): &(String, Value)) -> Result<()> {
    say("The disk is lost; the project's clone and the backup are not.");
    fs::remove_dir_all(desk.work.join(".stemma")).context("the home can't be destroyed")?;
    let target = desk.folder.join("backup");
    stemma(desk, &["restore", target.to_str().context("the path of the backup is not text")?])?;
    stemma(desk, &["audit", "verify"])?;
    let after = desk.ask(&["why", prediction])?;
    for part in ["record", "models", "revision", "tree"] {
        ensure!(after[part] == before[part], "`{part}` of the explanation is another now: {after}");
    }
    let replay = desk.ask(&["replay", prediction])?;
    ensure!(replay["same_bits"] == true, "it does not replay: {replay}");
    say("The same complaint has the same answer.");
    Ok(())
}
