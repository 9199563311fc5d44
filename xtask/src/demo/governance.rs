//! Into production: refused without evidence, gates, the approval of somebody else, and then the promotion.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    story::{REFUSED, Story, TOKEN_START, list, same, text},
    training::MODEL,
};

pub const REVIEWER: &str = "rita@bank.example";
pub const APPROVAL_REASON: &str = "looked at the gates and at the slices by sex and age";

pub fn refused_without_evidence(story: &mut Story) -> Result<()> {
    choose(story)?;
    let promote = ["promote", story.chosen()?, "production"];
    story.refused(&promote)?;
    let problem = story.desk.ask_refused(&promote, REFUSED)?;
    let missing: Vec<&str> = list(&problem, "/missing")?.iter().filter_map(Value::as_str).collect();
    for needed in ["`applications`", "`baseline`", "`cases`", "`equal-by-sex`", "approval"] {
        ensure!(missing.iter().any(|line| line.contains(needed)), "{missing:?} does not name {needed}");
    }
    Ok(())
}

/// The newest version that was shown to be better than the one before; the first if none was.
fn choose(story: &mut Story) -> Result<()> {
    let model = story.desk.ask(&["models", MODEL])?;
    let versions = list(&model, "/versions")?;
    let better = versions.iter().find(|version| version["step"] == "minor");
    let (version, why) = match better {
        Some(version) => (version, "the newest that was shown to be better"),
        None => (versions.last().context("there are no versions")?, "none was shown to be better than it"),
    };
    let name = format!("{MODEL}@{}", text(version, "/number")?);
    story.say(&format!("The candidate is {name}: {why}."));
    story.run = Some(text(version, "/run")?.to_owned());
    story.chosen = Some(name);
    Ok(())
}

pub fn gates_and_approval(story: &mut Story) -> Result<()> {
    story.say(
        "Gates are checks that `stemma.toml` declares; their results are kept as evidence for exactly these bytes.",
    );
    let chosen = story.chosen()?.to_owned();
    story.stemma(&["gate", &chosen])?;
    let detail = story.desk.ask(&["show", &chosen])?;
    for gate in ["applications", "baseline", "cases", "equal-by-age", "equal-by-sex", "sandbox"] {
        let passed = list(&detail, "/evidence")?.iter().any(|one| one["gate"] == gate && one["passed"] == true);
        ensure!(passed, "there is no evidence that the gate `{gate}` passed");
    }
    story.say("Whoever made a version may not approve it, not even the owner of everything.");
    story.refused(&["approve", &chosen, "--reason", "I made it, it is good"])?;

    story.say("Rita gets the role approver and a token of her own; she looks at the evidence and says yes.");
    let said = story.stemma(&["user", "add", REVIEWER, "--role", "approver"])?;
    let token = said.lines().find(|line| line.starts_with(TOKEN_START)).context("Rita got no token")?;
    story.reviewer = Some(token.to_owned());
    approve(story, &chosen, APPROVAL_REASON)?;
    let detail = story.desk.ask(&["show", &chosen])?;
    same("the approver", text(&detail, "/approvals/0/approved/actor")?, REVIEWER)?;
    same("how she is known", text(&detail, "/approvals/0/approved/auth")?, "authenticated")
}

pub fn promote(story: &mut Story) -> Result<()> {
    story.say("Now nothing is missing. The alias `@champion` moves with the promotion.");
    let chosen = story.chosen()?.to_owned();
    story.stemma(&["promote", &chosen, "production"])?;
    let detail = story.desk.ask(&["show", &format!("{MODEL}@champion")])?;
    let name = format!("{MODEL}@{}", text(&detail, "/version/number")?);
    same("the champion", name.as_str(), &chosen)?;
    same("its stage", text(&detail, "/version/stage")?, "production")
}

/// The reviewer says yes.
pub fn approve(story: &Story, version: &str, reason: &str) -> Result<()> {
    let token = story.reviewer.as_deref().context("nobody was asked to review yet")?;
    story.stemma_as(token, &["approve", version, "--reason", reason])?;
    Ok(())
}
