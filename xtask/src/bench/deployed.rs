//! A desk whose endpoint answers: one trained, registered and deployed version.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{
    checkout::Checkout,
    desk::{CREDIT_SCORING, Desk},
    process, setup,
};

pub const ENDPOINT: &str = "credit-decision";
/// The model that is served.
pub const MODEL: &str = "boosting";

pub fn desk(checkout: &Checkout, name: &str, log: &str) -> Result<Desk> {
    setup::ensure_program("git", "git")?;
    let python = setup::example_python(checkout)?;
    let stemma = checkout.build_product(super::BUILD)?;
    let desk = Desk::fresh(checkout, &CREDIT_SCORING, name, &stemma, &python)?;
    ask_for_nothing(&desk)?;
    let steps: [&[&str]; 8] = [
        &["init"],
        &["add", "data/german_credit.csv"],
        &["run", "--", "python", "split.py"],
        &["add", "data/train.csv", "data/test.csv"],
        &["run", "--", "python", "train.py", "--model", MODEL],
        &["register", "credit-score", "model.onnx"],
        &["promote", "credit-score@1.0.0", "production"],
        &["deploy", ENDPOINT, "--model", "credit-score@1.0.0", "--log", log],
    ];
    for arguments in steps {
        process::output(&mut desk.stemma(arguments)?)?;
    }
    Ok(desk)
}

/// Leaves the gates and approvals out of the example's policy: who measures needs no second person.
fn ask_for_nothing(desk: &Desk) -> Result<()> {
    let file = desk.work.join("stemma.toml");
    let declared = fs::read_to_string(&file)?;
    let gates = declared.find("[model.credit-score.gate.").context("the example's policy has no gates")?;
    fs::write(&file, format!("{}[model.credit-score.promotion.production]\napprovals = 0\n", &declared[..gates]))?;
    Ok(())
}
