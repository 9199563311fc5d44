//! The auditor's ten questions once more, from pages in a real browser: by links, forms and search from the front page on, the
//! answers read off what is seen.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use super::{
    decisions::{WHY_REFUSED, WHY_TAKEN_BACK},
    facts::{Facts, same, tells},
    hospital::Hospital,
    people::{AUDITOR, CLEO, DAN, IAN, OWNER, PAM, RITA, RON},
    projects::{BEDS, ENDPOINT, MODEL, READMISSION},
};
use crate::{browser::Browser, typing::say};

type Question = fn(&mut Browser, &Facts) -> Result<()>;

/// Each with the name of its picture.
const QUESTIONS: [(&str, Question); 10] = [
    ("champion-then", champion_then),
    ("without-gate", without_gate),
    ("approved-by", approved_by),
    ("trained-on", trained_on),
    ("who-may", who_may),
    ("changed-since", changed_since),
    ("unaltered", unaltered),
    ("refused", refused),
    ("card", card),
    ("complaint", complaint),
];

pub fn ask(hospital: &Hospital, facts: &Facts) -> Result<()> {
    println!("\nThe same ten from pages, in a real browser.");
    let mut browser = Browser::start(hospital.server.address, &hospital.desk.folder.join("browser"))?;
    sign_in(&mut browser, hospital)?;
    for (index, (name, question)) in QUESTIONS.iter().enumerate() {
        let number = index + 1;
        browser.go("/")?;
        let answered = question(&mut browser, facts);
        let (at, picture) = (browser.path()?, browser.picture(name)?);
        answered.with_context(|| format!("question {number} is not answered at {at}, see `{}`", picture.display()))?;
        say(&format!("{number}. answered at {at}"));
    }
    say(&format!("Pictures are in `{}`.", browser.pictures().display()));
    browser.stop()
}

/// Says who is there, by the token of the auditor.
fn sign_in(browser: &mut Browser, hospital: &Hospital) -> Result<()> {
    browser.go("/login")?;
    browser.fill("token", hospital.token(AUDITOR)?.context("the auditor has a token")?)?;
    browser.submit("token")
}

/// From the front page to a project's.
fn to_project(browser: &mut Browser, project: &str) -> Result<()> {
    browser.follow("Projects")?;
    browser.follow(project)
}

fn to_model(browser: &mut Browser) -> Result<()> {
    to_project(browser, READMISSION)?;
    browser.follow("Models")?;
    browser.follow(MODEL)
}

fn number_of(version: &str) -> &str {
    version.split_once('@').map_or(version, |(_, number)| number)
}

/// What the search finds, all pages of it: the texts of its rows.
fn search(browser: &mut Browser, query: &str) -> Result<Vec<String>> {
    browser.follow("Search")?;
    browser.fill("q", query)?;
    browser.press("Search")?;
    let mut rows = browser.rows_with("@")?;
    while browser.has_link("Further versions")? {
        browser.follow("Further versions")?;
        rows.extend(browser.rows_with("@")?);
    }
    Ok(rows)
}

fn champion_then(browser: &mut Browser, facts: &Facts) -> Result<()> {
    to_model(browser)?;
    browser.fill("at", &facts.first_event.to_string())?;
    browser.press("Show")?;
    tells("the model's page", &browser.text()?, &[&format!("As of event {}", facts.first_event)])?;
    browser.follow_in_row("@champion", number_of(&facts.first))?;
    let page = browser.text()?;
    tells("the version's page", &page, &[&facts.first, "@champion", "development → production", "baseline", "stays"])?;
    tells("the version's page", &page, &[RITA, IAN, RON, PAM, &format!("As of event {}", facts.first_event)])?;
    ensure!(!page.contains("sodium in mg/dl"), "it says what was written only later");
    Ok(())
}

fn without_gate(browser: &mut Browser, facts: &Facts) -> Result<()> {
    let rows = search(browser, "stage = production and not has gate:baseline")?;
    let found: BTreeSet<String> = rows.iter().filter_map(|row| version_in(row)).collect();
    same("what the search shows", &found, &facts.ungated())
}

/// The `model@number` of a row.
fn version_in(row: &str) -> Option<String> {
    row.split_whitespace().find(|word| word.contains('@') && !word.starts_with('@')).map(str::to_owned)
}

fn approved_by(browser: &mut Browser, facts: &Facts) -> Result<()> {
    let made = search(browser, &format!("by = '{RITA}'"))?;
    ensure!(made.is_empty() && browser.text()?.contains("Found none."), "she made something: {made:?}");
    browser.follow("Ledger")?;
    browser.choose("kind", "approved")?;
    browser.fill("actor", RITA)?;
    browser.press("Find")?;
    let rows = browser.rows_with(RITA)?;
    let found: Vec<String> = rows.iter().filter_map(|row| version_in(row)).collect();
    same("what the ledger shows", &found, &facts.approved[RITA])
}

fn trained_on(browser: &mut Browser, facts: &Facts) -> Result<()> {
    browser.follow("Search")?;
    browser.fill("q", "trained_on:stays-train@1")?;
    browser.press("Search")?;
    tells("the search", &browser.text()?, &[&format!("{} versions", facts.trained_on["stays-train@1"])])
}

fn who_may(browser: &mut Browser, _: &Facts) -> Result<()> {
    browser.follow("Projects")?;
    browser.follow("Who may do what")?;
    browser.choose("may", "promote versions")?;
    browser.choose("project", BEDS)?;
    browser.press("Find")?;
    let page = browser.text()?;
    let (may, denied) = page.split_once("Denied\n").context("nobody is told to be denied it")?;
    tells("who may", may, &["2 of 12", OWNER, PAM])?;
    ensure!(!may.contains(DAN), "Dan may, it says");
    tells("who is denied it", denied, &[DAN])
}

fn changed_since(browser: &mut Browser, facts: &Facts) -> Result<()> {
    browser.follow("Ledger")?;
    browser.fill("since", &facts.head.noted)?;
    browser.fill("until", &facts.last_change)?;
    browser.press("Find")?;
    let rows = browser.rows_with("hospital.example")?;
    let kinds = rows.iter().map(|row| row.split_whitespace().nth(1).unwrap_or_default());
    same("what the ledger shows", kinds.collect::<Vec<_>>(), facts.changed_since.clone())?;
    tells("the ledger", &rows.join("\n"), &[PAM, &facts.second])
}

fn unaltered(browser: &mut Browser, facts: &Facts) -> Result<()> {
    browser.follow("Ledger")?;
    browser.follow("Its signed head")?;
    let size = facts.head.size.to_string();
    // another root than the one that was noted is told from it
    let other = facts.head.root.chars().rev().collect::<String>();
    for (root, verdict) in [(&other, "altered"), (&facts.head.root, "unaltered")] {
        browser.fill("size", &size)?;
        browser.fill("root", root)?;
        browser.press("Compare")?;
        let shown = browser.badge()?;
        same("the verdict", shown.as_str(), verdict)?;
    }
    tells("the page", &browser.text()?, &[&format!("its {size} events are the first of")])
}

fn refused(browser: &mut Browser, facts: &Facts) -> Result<()> {
    to_project(browser, READMISSION)?;
    browser.follow("All requests")?;
    let page = browser.text()?;
    tells("the page", &page, &[&format!("Request {}: {}", facts.refused, facts.first), "refused", WHY_REFUSED, IAN])?;
    browser.follow("Ledger")?;
    browser.follow("access log")?;
    browser.choose("action", "promote")?;
    browser.press("Find")?;
    tells("the access log", &browser.text()?, &[CLEO, DAN, "forbidden"])
}

fn card(browser: &mut Browser, facts: &Facts) -> Result<()> {
    to_model(browser)?;
    browser.follow(number_of(&facts.first))?;
    let page = browser.text()?;
    same("how often the page says so", page.matches("changed since the approval").count(), 3)?;
    browser.follow("its card")?;
    tells("the card", &browser.text()?, &["sodium in mg/dl", "changed since the approval"])
}

fn complaint(browser: &mut Browser, facts: &Facts) -> Result<()> {
    to_project(browser, READMISSION)?;
    browser.follow("Find a prediction")?;
    browser.choose("endpoint", ENDPOINT)?;
    browser.press("Find")?;
    browser.follow(&facts.prediction)?;
    let page = browser.text()?;
    tells("the explanation", &page, &[&facts.first, RITA, IAN, RON, "sweep.py", PAM, WHY_TAKEN_BACK])
}
