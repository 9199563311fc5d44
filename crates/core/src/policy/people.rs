//! What rules say of people: which groups they are in, which e-mail addresses are theirs, and who declared a rule.

use std::collections::{BTreeMap, BTreeSet};

use super::{rules::ModelPolicy, stage::Stage};
use crate::{
    name::{GroupName, PrincipalName},
    record::Actor,
};

/// Most groups, people of a group, and people with addresses, that the rules of one model name.
const NAMES_MAX: usize = 1_000;
/// Most addresses of one person, and the longest one (RFC 5321, 4.5.3.1) in bytes.
const ADDRESSES_MAX: usize = 100;
const ADDRESS_BYTES_MAX: usize = 320;

impl ModelPolicy {
    /// Says what can't mean anything of what the rules say about people.
    pub fn check_people(&self) -> Result<(), String> {
        for (group, people) in &self.groups {
            if people.is_empty() {
                return Err(format!("group `{group}` has nobody in it"));
            }
            check_count(people.len(), &format!("people in group `{group}`"))?;
        }
        check_count(self.groups.len(), "groups")?;
        check_count(self.emails.len(), "people with addresses")?;
        self.promotions.iter().try_for_each(|(stage, rule)| self.check_groups_of(*stage, &rule.groups))?;
        self.check_addresses()
    }

    fn check_groups_of(&self, stage: Stage, groups: &[GroupName]) -> Result<(), String> {
        for (at, group) in groups.iter().enumerate() {
            if !self.groups.contains_key(group) {
                return Err(format!("promotion to {stage} asks for group `{group}`, which is not declared"));
            }
            if groups[..at].contains(group) {
                return Err(format!("promotion to {stage} names group `{group}` twice"));
            }
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), String> {
        let mut owners: BTreeMap<String, &PrincipalName> = BTreeMap::new();
        for (person, addresses) in &self.emails {
            if addresses.len() > ADDRESSES_MAX {
                return Err(format!("`{person}` has more than {ADDRESSES_MAX} addresses"));
            }
            for address in addresses {
                if !address.contains('@') || address.len() > ADDRESS_BYTES_MAX {
                    return Err(format!("`{person}` has an e-mail that is none: `{}`", address.escape_default()));
                }
                if let Some(other) = owners.insert(folded(address), person).filter(|other| *other != person) {
                    return Err(format!("the e-mail `{address}` is declared of `{other}` and of `{person}`"));
                }
            }
        }
        Ok(())
    }

    /// Whose an e-mail address is declared to be.
    pub fn person_of(&self, address: &str) -> Option<&PrincipalName> {
        let wanted = folded(address);
        let is_theirs = |addresses: &BTreeSet<String>| addresses.iter().any(|address| folded(address) == wanted);
        self.emails.iter().find(|(_, addresses)| is_theirs(addresses)).map(|(person, _)| person)
    }
}

fn check_count(count: usize, what: &str) -> Result<(), String> {
    if count > NAMES_MAX {
        return Err(format!("there are {count} {what}; at most {NAMES_MAX} are possible"));
    }
    Ok(())
}

/// Mail is delivered whatever the case, nearly everywhere.
fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

/// Those who declared, as they are now, the rules by which a version enters a stage: the rule itself, its gates, the
/// evaluation, and what is said of people.
///
/// `history` is all that was ever declared for the model, oldest first. Whoever declared something that was changed since
/// has no part in it any more, and whoever repeated it neither.
pub fn rule_makers(history: &[(Actor, ModelPolicy)], stage: Stage) -> Vec<&Actor> {
    let Some((_, now)) = history.last() else { return Vec::new() };
    let mut makers: Vec<&Actor> = Vec::new();
    let mut note = |is_as_now: &dyn Fn(&ModelPolicy) -> bool| {
        let since = history.iter().rev().take_while(|(_, policy)| is_as_now(policy)).last();
        makers.extend(since.map(|(actor, _)| actor).filter(|actor| !makers.contains(actor)));
    };
    let rule = now.promotion(stage);
    if now.evaluation.is_some() {
        note(&|then| then.evaluation == now.evaluation);
    }
    if now.promotions.contains_key(&stage) {
        note(&|then| then.promotions.get(&stage) == now.promotions.get(&stage));
    }
    for gate in rule.gates.iter().filter(|gate| now.gates.contains_key(*gate)) {
        note(&|then| then.gates.get(gate) == now.gates.get(gate));
    }
    for group in &rule.groups {
        note(&|then| then.groups.get(group) == now.groups.get(group));
    }
    if !now.emails.is_empty() {
        note(&|then| then.emails == now.emails);
    }
    makers
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record::Auth;

    fn policy(policy: Value) -> ModelPolicy {
        serde_json::from_value(policy).unwrap()
    }

    #[test]
    fn what_is_said_of_people_must_mean_something() {
        let fault = |said: Value| policy(said).check_people().err().unwrap_or_default();
        let many: Vec<String> = (0..1001).map(|n| format!("p{n}")).collect();
        for (said, expected) in [
            (json!({}), ""),
            (
                json!({ "groups": { "risk": ["ada"] }, "promotion": { "production": { "groups": ["risk"] } },
                        "emails": { "ada": ["Ada@example.org", "ada@home.example"], "bob": ["bob@example.org"] } }),
                "",
            ),
            (json!({ "groups": { "risk": [] } }), "group `risk` has nobody in it"),
            (json!({ "groups": { "risk": many } }), "there are 1001 people in group `risk`"),
            (
                json!({ "promotion": { "staging": { "groups": ["it"] } } }),
                "promotion to staging asks for group `it`, which is not declared",
            ),
            (
                json!({ "groups": { "it": ["a"] }, "promotion": { "staging": { "groups": ["it", "it"] } } }),
                "names group `it` twice",
            ),
            (json!({ "emails": { "ada": ["ada"] } }), "an e-mail that is none: `ada`"),
            (json!({ "emails": { "ada": [format!("{}@x", "a".repeat(320))] } }), "an e-mail that is none"),
            (
                json!({ "emails": { "ada": ["x@y.z"], "bob": ["X@Y.z"] } }),
                "the e-mail `X@Y.z` is declared of `ada` and of `bob`",
            ),
        ] {
            let found = fault(said.clone());
            assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{said}: {found}");
        }
        let said = policy(json!({ "emails": { "ada": ["Ada@Example.org"] } }));
        assert_eq!(said.person_of(" ada@example.org ").map(PrincipalName::as_str), Some("ada"));
        assert_eq!(said.person_of("bob@example.org"), None);
    }

    #[test]
    fn whoever_declared_what_holds_now_has_a_hand_in_it() {
        let by = |who: &str, said: Value| {
            let actor = Actor { principal: who.parse().unwrap(), auth: Auth::Authenticated };
            (actor, policy(said))
        };
        let rules = |min: f64, approvals: u32| {
            json!({
                "gate": { "g": { "kind": "metric-baseline", "metric": "auc", "min": min },
                          "other": { "kind": "metric-baseline", "metric": "auc", "min": min } },
                "promotion": { "production": { "gates": ["g"], "approvals": approvals } },
            })
        };
        let check = |history: &[(Actor, ModelPolicy)], expected: &[&str]| {
            let found: Vec<&str> =
                rule_makers(history, Stage::Production).iter().map(|actor| actor.principal.as_str()).collect();
            assert_eq!(found, expected, "{history:?}");
        };
        check(&[], &[]);
        // nothing of it is about this stage
        check(&[by("ada", json!({}))], &[]);
        check(&[by("ada", rules(0.7, 1))], &["ada"]);
        // another changes one thing: the rest is ada's still
        check(&[by("ada", rules(0.7, 1)), by("bob", rules(0.7, 2))], &["bob", "ada"]);
        check(&[by("ada", rules(0.7, 1)), by("bob", rules(0.5, 1))], &["ada", "bob"]);
        // nothing that ada said is left
        check(&[by("ada", rules(0.7, 1)), by("bob", rules(0.5, 2))], &["bob"]);
        // whoever brought back what was there before is who declared it
        check(&[by("ada", rules(0.7, 1)), by("bob", rules(0.5, 2)), by("cy", rules(0.7, 1))], &["cy"]);
        // saying the same again is no part of it
        check(&[by("ada", rules(0.7, 1)), by("bob", rules(0.7, 1))], &["ada"]);
        // a gate that the stage doesn't ask for has no part in it
        let mut other = rules(0.7, 1);
        other["gate"]["other"]["min"] = json!(0.1);
        check(&[by("ada", rules(0.7, 1)), by("bob", other)], &["ada"]);
    }
}
