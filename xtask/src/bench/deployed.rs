//! A desk whose endpoint answers: one trained, registered and deployed version.

use anyhow::Result;

use crate::{
    checkout::{Checkout, Profile},
    desk::{CREDIT_SCORING, Desk},
    process, setup,
};

pub const ENDPOINT: &str = "credit-decision";
/// The model that is served.
pub const MODEL: &str = "boosting";

pub fn desk(checkout: &Checkout, name: &str, log: &str) -> Result<Desk> {
    setup::ensure_program("git", "git")?;
    let python = setup::example_python(checkout)?;
    let stemma = checkout.build_product(Profile::Release)?;
    let desk = Desk::fresh(checkout, &CREDIT_SCORING, name, &stemma, &python)?;
    let steps: [&[&str]; 7] = [
        &["init"],
        &["add", "data/german_credit.csv"],
        &["run", "--", "python", "split.py"],
        &["add", "data/train.csv", "data/test.csv"],
        &["run", "--", "python", "train.py", "--model", MODEL],
        &["register", "credit-score", "model.onnx"],
        &["deploy", ENDPOINT, "--model", "credit-score@1.0.0", "--log", log],
    ];
    for arguments in steps {
        process::output(&mut desk.stemma(arguments)?)?;
    }
    Ok(desk)
}
