//! Is a version's number what its own facts say? No number is expected; reason, interval and number must agree.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::story::text;

pub type Number = [u32; 3];

pub fn number(version: &Value) -> Result<Number> {
    parse(text(version, "/number")?)
}

fn parse(text: &str) -> Result<Number> {
    let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts.and_then(|parts| parts.try_into().ok()).with_context(|| format!("`{text}` is not MAJOR.MINOR.PIPELINE"))
}

/// Checks the newest version against those before it.
pub fn check(version: &Value, earlier: &[Value]) -> Result<()> {
    let (own, step, reason) = (number(version)?, text(version, "/step")?, text(version, "/reason")?);
    ensure!(reason.starts_with(&format!("{step}: ")), "the step is {step}, but the reason `{reason}` says otherwise");
    let numbers = earlier.iter().map(number).collect::<Result<Vec<Number>>>()?;
    ensure!(!numbers.contains(&own), "the number {own:?} was given twice");
    let reference = match version["reference"].as_str() {
        None => {
            ensure!(step == "first" && earlier.is_empty(), "{step} without a version to compare with");
            return Ok(());
        }
        Some(reference) => parse(reference)?,
    };
    ensure!(numbers.contains(&reference), "the reference {reference:?} does not exist");
    match step {
        "minor" => {
            ensure!(
                own[0] == reference[0] && own[1] > reference[1] && own[2] == 0,
                "{own:?} is no MINOR of {reference:?}"
            );
            let (low, _) = interval(reason)?;
            // the reason is rounded: what lies just above zero reads as zero
            ensure!(low >= 0.0, "MINOR although the interval in `{reason}` does not lie above zero");
        }
        "pipeline" => {
            // it goes on from the highest of its line, which need not be the best
            let highest = numbers.iter().filter(|number| number[0] == reference[0]).max().copied().unwrap_or_default();
            ensure!(own[..2] == highest[..2] && own[2] > highest[2], "{own:?} is no PIPELINE after {highest:?}");
            if !reason.contains(": the same ") {
                let (low, _) = interval(reason)?;
                ensure!(low <= 0.0, "PIPELINE although the interval in `{reason}` lies above zero");
            }
        }
        "major" => {
            let newest = numbers.iter().map(|number| number[0]).max().unwrap_or_default();
            ensure!(own[0] > newest && own[1..] == [0, 0], "{own:?} is no MAJOR after {newest}");
        }
        other => bail!("`{other}` is no step from {reference:?}"),
    }
    Ok(())
}

/// The paired interval in a reason, as in `minor: auc +0.103 [0.051, 0.155] over 1.0.0 on german-credit-test@1`.
fn interval(reason: &str) -> Result<(f64, f64)> {
    let inside = reason.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    let ends = inside.and_then(|(inside, _)| inside.split_once(", "));
    let (low, high) = ends.with_context(|| format!("the reason `{reason}` holds no interval"))?;
    let (low, high) = (low.parse()?, high.parse()?);
    ensure!(low <= high, "the interval in `{reason}` is upside down");
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn version(number: &str, reference: Option<&str>, reason: &str) -> Value {
        let step = reason.split(':').next().unwrap();
        json!({"number": number, "step": step, "reason": reason, "reference": reference})
    }

    fn holds(number: &str, reference: Option<&str>, reason: &str) -> bool {
        let earlier = [
            version("1.0.0", None, "first: x"),
            version("1.1.0", Some("1.0.0"), "minor: auc +0.1 [0.0, 0.2] over 1.0.0 on t@1"),
        ];
        let earlier = if reference.is_none() { &earlier[..0] } else { &earlier[..] };
        check(&version(number, reference, reason), earlier).is_ok()
    }

    #[test]
    fn numbers_follow_from_their_reasons() {
        assert!(holds("1.0.0", None, "first: no earlier version"));
        assert!(holds("1.2.0", Some("1.1.0"), "minor: auc +0.103 [0.051, 0.155] over 1.1.0 on t@1"));
        assert!(holds(
            "1.1.1",
            Some("1.1.0"),
            "pipeline: auc +0.006 [-0.020, 0.033] against 1.1.0 on t@1, not shown to be better"
        ));
        let worse = "pipeline: auc -0.051 [-0.090, -0.012] against 1.0.0 on t@1, shown to be worse";
        assert!(holds("1.1.1", Some("1.0.0"), worse));
        assert!(holds("1.1.1", Some("1.0.0"), "pipeline: the same content as 1.0.0"));
        assert!(holds("2.0.0", Some("1.1.0"), "major: input `age` removed"));
    }

    #[test]
    fn what_does_not_fit_is_seen() {
        assert!(!holds("1.2.0", Some("1.1.0"), "minor: auc +0.006 [-0.020, 0.033] against 1.1.0 on t@1"));
        assert!(!holds("1.1.1", Some("1.1.0"), "pipeline: auc +0.103 [0.051, 0.155] over 1.1.0 on t@1"));
        assert!(!holds("1.1.0", Some("1.0.0"), "minor: auc +0.103 [0.051, 0.155] over 1.1.0 on t@1"));
        assert!(!holds("1.1.1", Some("1.1.0"), "major: input `age` removed"));
        assert!(!holds("1.1.1", Some("1.1.0"), "pipeline: nobody knows"));
        assert!(!holds("1.2.0", Some("1.3.0"), "minor: auc +0.103 [0.051, 0.155] over 1.1.0 on t@1"));
        assert!(!holds("1.0", None, "first: x"));
        assert!(!holds("1.2.0", Some("1.1.0"), "first: again"));
    }
}
