//! Four trainings: each is a captured run, and each version's number follows from what it is found to be.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    data::{newest_run, touched},
    numbers,
    story::{Story, list, same, text},
};
use crate::process;

pub const MODEL: &str = "credit-score";

/// Inputs that the last training leaves out.
const PROTECTED: [&str; 3] = ["personal_status_and_sex", "age_in_years", "foreign_worker"];

/// How far our metrics may be from scikit-learn's on the same scores.
const DIFFERENCE_MAX: f64 = 1e-12;

pub fn tree(story: &mut Story) -> Result<()> {
    story.say("What the number says follows from facts: here, that there is no version to compare with.");
    train(story, &["--model", "tree"])?;
    Ok(())
}

pub fn boosting(story: &mut Story) -> Result<()> {
    story.say("Stemma evaluates it on the test rows itself and compares it, row by row, with the version before.");
    train(story, &["--model", "boosting"])?;
    Ok(())
}

pub fn logistic(story: &mut Story) -> Result<()> {
    story.say("Another kind of model. Is it better, as far as these rows can tell?");
    train(story, &["--model", "logistic"])?;
    Ok(())
}

pub fn without_protected(story: &mut Story) -> Result<()> {
    story.say("Callers that send what it no longer takes would break: that is a new contract, however good it is.");
    let version = train(story, &["--model", "boosting", "--without-protected"])?;
    same("the step of a version with inputs removed", text(&version, "/step")?, "major")?;
    let inputs = list(&version, "/signature/inputs")?;
    for name in PROTECTED {
        ensure!(inputs.iter().all(|input| input["name"] != name), "the version still takes `{name}`");
        let reason = text(&version, "/reason")?;
        ensure!(reason.contains(name), "the reason `{reason}` does not name `{name}`");
    }
    Ok(())
}

/// Trains, registers, checks the run and the number; returns the version.
fn train(story: &mut Story, arguments: &[&str]) -> Result<Value> {
    story.stemma(&[&["run", "--", "python", "train.py"], arguments].concat())?;
    let run = newest_run(story)?;
    check_run(story, &run)?;
    story.stemma(&["register", MODEL, "model.onnx"])?;

    let model = story.desk.ask(&["models", MODEL])?;
    let (newest, earlier) = list(&model, "/versions")?.split_first().context("nothing was registered")?;
    same("the run that made the version", text(newest, "/run")?, text(&run, "/record/id")?)?;
    numbers::check(newest, earlier)?;
    story.versions.push(format!("{MODEL}@{}", text(newest, "/number")?));
    same("the number of versions", earlier.len() + 1, story.versions.len())?;
    Ok(newest.clone())
}

/// A training run must have been seen to read the training file, and never the test file.
fn check_run(story: &Story, run: &Value) -> Result<()> {
    let level = run.pointer("/record/capture/level").and_then(Value::as_u64).unwrap_or_default();
    let seen = format!("the run was captured at level {level}");
    ensure!(touched(run, "inputs", "data/train.csv")?, "{seen} and is not known to have read the training file");
    ensure!(!touched(run, "inputs", "data/test.csv")?, "{seen} and has read the test file");
    for path in ["model.onnx", "metrics.json"] {
        ensure!(touched(run, "outputs", path)?, "{seen} and is not known to have written `{path}`");
    }
    let packages = list(run, "/environment/packages")?;
    ensure!(packages.iter().any(|package| package["name"] == "scikit-learn"), "scikit-learn is not in the environment");
    let mut head = story.desk.command("git")?;
    let head = process::output(head.args(["rev-parse", "HEAD"]))?;
    same("the commit of the run's code", text(run, "/record/code/commit")?, head.trim())
}

pub fn compare_with_scikit_learn(story: &mut Story) -> Result<()> {
    story.say("The predictions of every evaluation are Parquet; scikit-learn computes the metrics from them again.");
    for version in story.versions.clone() {
        let detail = story.desk.ask(&["show", &version])?;
        let file = format!("../checked/{version}.parquet");
        story.stemma(&["get", text(&detail, "/evaluation/predictions")?, "-o", &file])?;
        let theirs = process::output(&mut story.desk.script(&["check_metrics.py", &file, "--positive", "bad"])?)?;
        let theirs: Value = serde_json::from_str(&theirs).context("check_metrics.py printed no JSON")?;
        let largest =
            difference(detail.pointer("/evaluation/overall").context("the version has no evaluation")?, &theirs);
        let largest = largest.with_context(|| format!("the metrics of {version} differ from scikit-learn's"))?;
        story.say(&format!("{version}: metrics equal to {largest:.0e}"));
    }
    Ok(())
}

/// The largest difference between our metrics and scikit-learn's; fails if one is too large or a count differs.
fn difference(ours: &Value, theirs: &Value) -> Result<f64> {
    let mut largest = 0.0f64;
    for name in ["accuracy", "auc", "log_loss", "brier"] {
        let value = |of: &Value| of[name].as_f64().with_context(|| format!("there is no {name}"));
        let difference = (value(ours)? - value(theirs)?).abs();
        ensure!(difference <= DIFFERENCE_MAX, "{name} is {} here and {} there", ours[name], theirs[name]);
        largest = largest.max(difference);
    }
    same("the number of rows", ours["rows"].as_u64(), theirs["rows"].as_u64())?;
    let counted = [("good", "good"), ("good", "bad"), ("bad", "good"), ("bad", "bad")];
    let confusion = counted.map(|(actual, said)| theirs["confusion"][actual][said].clone());
    same("the confusion matrix", &ours["confusion"], &Value::from(confusion.to_vec()))?;
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_metric_that_is_off_in_the_last_digits_is_seen() {
        let ours =
            json!({"rows": 10, "accuracy": 0.7, "auc": 0.8, "log_loss": 0.5, "brier": 0.2, "confusion": [5, 2, 1, 2]});
        let confusion = json!({"good": {"good": 5, "bad": 2}, "bad": {"good": 1, "bad": 2}});
        let mut theirs = ours.clone();
        theirs["confusion"] = confusion;
        assert_eq!(difference(&ours, &theirs).unwrap(), 0.0);
        theirs["auc"] = json!(0.8 + 1e-13);
        assert!(difference(&ours, &theirs).unwrap() > 0.0);
        theirs["auc"] = json!(0.8 + 1e-11);
        assert!(difference(&ours, &theirs).is_err());
        theirs["auc"] = json!(0.8);
        theirs["confusion"]["bad"]["bad"] = json!(3);
        assert!(difference(&ours, &theirs).is_err());
    }
}
