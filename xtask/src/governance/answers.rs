//! The auditor's ten questions, from the command line alone; each answer is compared with what the script knows that it did.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    decisions::{self, WHY_REFUSED, WHY_TAKEN_BACK, events},
    facts::{Facts, list, same, tells, text},
    hospital::Hospital,
    people::{AUDITOR, CLEO, DAN, IAN, NINA, OWNER, PAM, RITA, RON},
    projects::{BEDS, MODEL, READMISSION},
};

type Question = fn(&Hospital, &Facts) -> Result<()>;

const QUESTIONS: [(&str, Question); 10] = [
    ("Which version was champion then, and who let it through on what?", champion_then),
    ("What stands in production that the gate `baseline` never let in?", without_gate),
    ("What did Rita say yes to, and did she make any of it?", approved_by),
    ("Which versions were trained on these stays?", trained_on),
    ("Who may promote in the project of the beds?", who_may),
    ("What has changed since I was here?", changed_since),
    ("Is the history still the one that I took the head of?", unaltered),
    ("What was refused, by whom and why?", refused),
    ("Which card was approved, and is it still the same?", card),
    ("A patient complains about this answer: who is behind it?", complaint),
];

pub fn ask(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let before = events(hospital)?;
    for (index, (question, answer)) in QUESTIONS.iter().enumerate() {
        println!("\n{}. {question}", index + 1);
        answer(hospital, facts).with_context(|| format!("question {} ({question}) is not answered", index + 1))?;
    }
    same("what all these questions have changed", decisions::changed_since(hospital, before)?, Vec::new())
}

/// Types a question, and asks it once more for a program.
fn both(hospital: &Hospital, arguments: &[&str]) -> Result<(String, Value)> {
    Ok((hospital.types(AUDITOR, arguments)?, hospital.asks(AUDITOR, arguments)?))
}

fn texts<'a>(list: &'a [Value], pointer: &str) -> Result<BTreeSet<&'a str>> {
    list.iter().map(|one| text(one, pointer)).collect()
}

fn champion_then(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let (champion, then) = (format!("{MODEL}@champion"), facts.first_event.to_string());
    let before = facts.eve.to_string();
    let show = |at| ["--project", READMISSION, "show", &champion, "--at", at].map(str::to_owned);
    let (told, shown) = both(hospital, &show(&then).each_ref().map(String::as_str))?;
    tells("the version", &told, &[&facts.first, RITA, IAN, RON, PAM])?;
    same("the champion then", format!("{MODEL}@{}", text(&shown, "/version/number")?), facts.first.clone())?;
    same("who said yes", texts(list(&shown, "/approvals")?, "/approved/actor")?, BTreeSet::from([RITA, IAN, RON]))?;
    same("who promoted it", text(&shown, "/promotions/0/promoted/actor")?, PAM)?;
    let stands_on = texts(list(&shown, "/evidence")?, "/evidence")?;
    let grounds = list(&shown, "/promotions/0/evidence")?;
    ensure!(!grounds.is_empty() && grounds.iter().all(|one| one.as_str().is_some_and(|one| stands_on.contains(one))));
    hospital.is_refused(AUDITOR, &show(&before).each_ref().map(String::as_str), NOT_FOUND, &["champion"])?;
    Ok(())
}

/// The exit code of what is not there.
const NOT_FOUND: i32 = 3;

fn without_gate(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let query = "stage = production and not has gate:baseline";
    let (told, found) = both(hospital, &["search", query, "--limit", "100"])?;
    let found: BTreeSet<String> = titles(&found)?;
    same("what was never let in by the gate", &found, &facts.ungated())?;
    tells("the search", &told, &found.iter().map(String::as_str).collect::<Vec<_>>())
}

/// `model@version` of what a search found.
fn titles(found: &Value) -> Result<BTreeSet<String>> {
    let title = |one: &Value| Ok(format!("{}@{}", text(one, "/name")?, text(one, "/version")?));
    list(found, "/items")?.iter().map(title).collect()
}

fn approved_by(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let (told, found) = both(hospital, &["audit", "events", "--kind", "approved", "--actor", RITA])?;
    let approved = list(&found, "/items")?.iter().map(|one| Ok(text(one, "/subject")?.to_owned()));
    let approved = approved.collect::<Result<Vec<String>>>()?;
    same("what she said yes to", &approved, &facts.approved[RITA])?;
    tells("the list", &told, &approved.iter().map(String::as_str).collect::<Vec<_>>())?;
    // nobody else is a maker than who registers and who runs
    for realm in ["versions", "runs"] {
        let (_, made) = both(hospital, &["search", &format!("by = '{RITA}'"), "--in", realm])?;
        same("what she made", list(&made, "/items")?.len(), 0)?;
    }
    Ok(())
}

fn trained_on(hospital: &Hospital, facts: &Facts) -> Result<()> {
    for (dataset, versions) in &facts.trained_on {
        let found =
            hospital.asks(AUDITOR, &["search", &format!("trained_on:{dataset}"), "--facets", "--limit", "1"])?;
        same(dataset, found["counts"]["total"].as_u64(), Some(*versions as u64))?;
        same("whether all are counted", found["counts"]["complete"].as_bool(), Some(true))?;
    }
    let told = hospital.types(AUDITOR, &["search", "trained_on:stays-train@1", "--facets", "--limit", "3"])?;
    tells("the search", &told, &[&facts.trained_on["stays-train@1"].to_string()])
}

fn who_may(hospital: &Hospital, _: &Facts) -> Result<()> {
    let (told, found) = both(hospital, &["--project", BEDS, "user", "list", "--may", "promote"])?;
    let found = texts(list(&found, "/items")?, "/principal")?;
    same("who may promote beds", &found, &BTreeSet::from([OWNER, PAM]))?;
    tells("the list", &told, &[OWNER, PAM])?;
    // in the next project it is not denied to him
    let next = hospital.asks(AUDITOR, &["--project", READMISSION, "user", "list", "--may", "promote"])?;
    same("who else", texts(list(&next, "/items")?, "/principal")?, BTreeSet::from([OWNER, PAM, DAN]))
}

fn changed_since(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let kinds = decisions::changed_since(hospital, facts.head.size)?;
    same("what has changed", kinds.iter().map(String::as_str).collect(), facts.changed_since.clone())?;
    let told = hospital.types(AUDITOR, &["audit", "events", "--after", &facts.head.size.to_string()])?;
    let by_time = ["audit", "events", "--since", &facts.head.noted, "--until", &facts.last_change];
    let told_by_time = hospital.types(AUDITOR, &by_time)?;
    for told in [&told, &told_by_time] {
        tells("the list", told, &[PAM, NINA, &facts.first, &facts.second, "version quarantined", "model described"])?;
    }
    let found = hospital.asks(AUDITOR, &by_time)?;
    let kinds = list(&found, "/items")?.iter().filter(|one| one["auth"] != "system").map(|one| text(one, "/kind"));
    same("the same by time", kinds.collect::<Result<Vec<_>>>()?, facts.changed_since.clone())
}

fn unaltered(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let (_, proof) = both(hospital, &["audit", "consistency", &facts.head.size.to_string()])?;
    same("the root that was noted", text(&proof, "/first/root")?, &facts.head.root)?;
    let told = hospital.types(AUDITOR, &["audit", "verify"])?;
    tells("the report", &told, &["are beginnings of this history"])
}

fn refused(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let (told, found) = both(hospital, &["--project", READMISSION, "requests", "--all"])?;
    tells("the list", &told, &[WHY_REFUSED, IAN])?;
    let refused: Vec<&Value> =
        list(&found, "/items")?.iter().filter(|one| one["closed"]["outcome"] == "refused").collect();
    let [one] = refused.as_slice() else { anyhow::bail!("{} requests were refused", refused.len()) };
    same("its number", one["request"].as_u64(), Some(facts.refused))?;
    same("why", text(one, "/closed/reason")?, WHY_REFUSED)?;
    same("by whom", text(one, "/closed/closed/actor")?, IAN)?;
    // what was tried and changed nothing is in no event
    let (told, tried) = both(hospital, &["audit", "access", "--refused", "--action", "promote"])?;
    tells("the access log", &told, &[CLEO, DAN])?;
    same("what it could not read", list(&tried, "/not_read").map_or(0, |lines| lines.len()), 0)
}

fn card(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let (told, card) = both(hospital, &["--project", READMISSION, "card", &facts.first])?;
    tells("the card", &told, &["changed since the approval"])?;
    let approvals = list(&card, "/approvals")?;
    same("how many approved it", approvals.len(), 3)?;
    let all = approvals.iter().all(|one| one["card"].to_string().contains("changed"));
    ensure!(all, "not each approval tells that the card changed: {card}");
    Ok(())
}

fn complaint(hospital: &Hospital, facts: &Facts) -> Result<()> {
    let (told, why) = both(hospital, &["why", &facts.prediction])?;
    tells("the explanation", &told, &[&facts.first, "stays-train@1", RITA, IAN, RON, "sweep.py", PAM, WHY_TAKEN_BACK])?;
    let version = format!("{}@{}", text(&why, "/models/0/version/model")?, text(&why, "/models/0/version/number")?);
    same("what answered", version, facts.first.clone())
}
