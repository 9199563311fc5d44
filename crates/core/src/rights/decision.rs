//! The one decision: whether somebody may do something somewhere. Pages, API, lists and the data plane all ask it.

use std::collections::BTreeSet;

use super::{action::Action, denial::Denial, grant::RoleGrant, place::Place, role::Role, scope::TokenScope};
use crate::name::{EndpointName, ProjectName};

/// All that a caller comes with: the roles they hold, what is denied to them, and what their token reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    pub grants: Vec<RoleGrant>,
    pub denials: Vec<Denial>,
    pub scope: TokenScope,
}

/// Why somebody may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld<'a> {
    /// No role allows it there.
    NotGranted,
    /// It is denied to them.
    Denied(&'a Denial),
    /// Their token does not reach it.
    OutOfScope,
}

/// Which of a project's endpoints somebody may do something to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    All,
    /// Maybe none.
    Only(BTreeSet<EndpointName>),
}

impl Reach {
    pub fn includes(&self, endpoint: &EndpointName) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(endpoint),
        }
    }
}

impl Rights {
    /// Of somebody without a credential on the machine that is theirs: whoever can read its files anyway.
    pub fn uncredentialed() -> Self {
        let grants = [Role::Contributor, Role::Creator].map(|role| RoleGrant::new(role, None));
        Self { grants: grants.into(), ..Self::default() }
    }

    /// Denied unless a role allows it there; what is denied by name wins over every role, and a token only narrows.
    pub fn decide(&self, action: Action, place: Place<'_>) -> Result<(), Withheld<'_>> {
        if action == Action::Public {
            return Ok(());
        }
        if let Some(denial) = self.denials.iter().find(|denial| denial.forbids(action, place)) {
            return Err(Withheld::Denied(denial));
        }
        let mut voided = None;
        let is_granted = self.grants.iter().any(|grant| {
            let allows = grant.allows(action) && grant.reaches(place);
            let denial = self.denials.iter().find(|denial| allows && denial.voids(grant, place));
            voided = voided.or(denial);
            allows && denial.is_none()
        });
        match (is_granted, voided) {
            (true, _) if self.scope.reaches(action, place) => Ok(()),
            (true, _) => Err(Withheld::OutOfScope),
            (false, Some(denial)) => Err(Withheld::Denied(denial)),
            (false, None) => Err(Withheld::NotGranted),
        }
    }

    pub fn allow(&self, action: Action, place: Place<'_>) -> bool {
        self.decide(action, place).is_ok()
    }

    /// Whether they may do it to some place of a project: to all of it, or to one of its endpoints.
    pub fn decide_within(&self, action: Action, project: &ProjectName) -> Result<(), Withheld<'_>> {
        let whole = self.decide(action, Place::Project(project));
        match self.endpoints_named().any(|endpoint| self.allow(action, Place::Endpoint(project, endpoint))) {
            true => Ok(()),
            false => whole,
        }
    }

    /// Whether they may do it anywhere: for what says only later where it is.
    pub fn decide_somewhere(&self, action: Action) -> Result<(), Withheld<'_>> {
        let whole = self.decide(action, Place::Home);
        match self.projects_named().any(|project| self.decide_within(action, project).is_ok()) {
            true => Ok(()),
            false => whole,
        }
    }

    /// The endpoints of a project that they may do it to.
    pub fn reach(&self, action: Action, project: &ProjectName) -> Reach {
        if self.allow(action, Place::Project(project)) {
            return Reach::All;
        }
        let may = |endpoint: &&EndpointName| self.allow(action, Place::Endpoint(project, endpoint));
        Reach::Only(self.endpoints_named().filter(may).cloned().collect())
    }

    /// Others are all alike: what may be done in one of them may be done in the whole home.
    fn projects_named(&self) -> impl Iterator<Item = &ProjectName> {
        let granted = self.grants.iter().filter_map(|grant| grant.project.as_ref());
        granted.chain(self.scope.projects.iter().flatten())
    }

    /// Others are all alike: what may be done to one of them may be done to the whole project.
    fn endpoints_named(&self) -> impl Iterator<Item = &EndpointName> {
        let granted = self.grants.iter().filter_map(|grant| grant.endpoint.as_ref());
        granted.chain(self.scope.endpoints.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Deniable;

    fn project(name: &str) -> ProjectName {
        name.parse().unwrap()
    }

    /// `contributor`, `contributor@credit`, `invoker@credit/score`.
    fn grant(text: &str) -> RoleGrant {
        let (role, place) = text.split_once('@').map_or((text, None), |(role, place)| (role, Some(place)));
        let (project, endpoint) = match place {
            None => (None, None),
            Some(place) => match place.split_once('/') {
                None => (Some(place), None),
                Some((project, endpoint)) => (Some(project), Some(endpoint)),
            },
        };
        RoleGrant {
            endpoint: endpoint.map(|name| name.parse().unwrap()),
            ..RoleGrant::new(Role::parse(role).unwrap(), project.map(|name| name.parse().unwrap()))
        }
    }

    /// `approve`, `approve@credit`, `approver@credit`.
    fn denial(text: &str) -> Denial {
        let (what, project) = text.split_once('@').map_or((text, None), |(what, project)| (what, Some(project)));
        let what: Deniable = what.parse().unwrap();
        Denial { principal: "eve".parse().unwrap(), what, project: project.map(|name| name.parse().unwrap()) }
    }

    fn rights(grants: &[&str], denials: &[&str], scope: &str) -> Rights {
        Rights {
            grants: grants.iter().map(|text| grant(text)).collect(),
            denials: denials.iter().map(|text| denial(text)).collect(),
            scope: serde_json::from_str(scope).unwrap(),
        }
    }

    /// `` is the home, `credit` a project, `credit/score` an endpoint; what is decided, in one word.
    fn decided(rights: &Rights, action: &str, place: &str) -> &'static str {
        let action = Action::parse(action).unwrap();
        let (in_project, endpoint) = place.split_once('/').unwrap_or((place, ""));
        let (in_project, endpoint) =
            ((!in_project.is_empty()).then(|| project(in_project)), (!endpoint.is_empty()).then(|| endpoint.parse()));
        let endpoint = endpoint.map(Result::unwrap);
        let place = match (&in_project, &endpoint) {
            (None, _) => Place::Home,
            (Some(project), None) => Place::Project(project),
            (Some(project), Some(endpoint)) => Place::Endpoint(project, endpoint),
        };
        match rights.decide(action, place) {
            Ok(()) => "yes",
            Err(Withheld::NotGranted) => "no",
            Err(Withheld::Denied(_)) => "denied",
            Err(Withheld::OutOfScope) => "scope",
        }
    }

    #[test]
    fn roles_hold_where_they_were_granted() {
        let cases: &[(&[&str], &str, &str, &str)] = &[
            (&[], "public", "", "yes"),
            (&[], "read", "credit", "no"),
            (&["reader"], "read", "", "yes"),
            (&["reader"], "read", "credit/score", "yes"),
            (&["reader@credit"], "read", "credit", "yes"),
            (&["reader@credit"], "read", "credit/score", "yes"),
            (&["reader@credit"], "read", "fraud", "no"),
            (&["reader@credit"], "read", "", "no"),
            (&["reader@credit"], "track", "credit", "no"),
            (&["auditor"], "read_predictions", "fraud", "yes"),
            (&["auditor"], "feedback", "fraud", "no"),
            (&["invoker@credit/score"], "invoke", "credit/score", "yes"),
            (&["invoker@credit/score"], "invoke", "credit/limit", "no"),
            (&["invoker@credit/score"], "invoke", "fraud/score", "no"),
            (&["invoker@credit/score"], "invoke", "credit", "no"),
            (&["contributor@credit"], "register", "credit", "yes"),
            (&["contributor@credit"], "create", "credit", "no"),
            (&["contributor@credit", "creator@credit"], "create", "credit", "yes"),
            (&["contributor", "creator@credit"], "create", "fraud", "no"),
        ];
        for (grants, action, place, expected) in cases {
            assert_eq!(decided(&rights(grants, &[], "{}"), action, place), *expected, "{grants:?} {action} {place}");
        }
    }

    #[test]
    fn what_is_denied_wins_over_every_role() {
        type Case = (&'static [&'static str], &'static [&'static str], &'static str, &'static str, &'static str);
        let cases: &[Case] = &[
            (&["owner"], &["approve"], "approve", "credit", "denied"),
            (&["owner"], &["approve"], "promote", "credit", "yes"),
            (&["owner", "approver@credit"], &["approve@credit"], "approve", "credit", "denied"),
            (&["owner"], &["approve@credit"], "approve", "fraud", "yes"),
            // of the whole home, only what is denied in the whole home
            (&["owner"], &["read@credit"], "read", "", "yes"),
            (&["owner"], &["read"], "read", "", "denied"),
            (&["owner"], &["invoke@credit"], "invoke", "credit/score", "denied"),
            // a role that is denied is as if nobody had granted it
            (&["approver@credit"], &["approver"], "approve", "credit", "denied"),
            (&["approver@credit", "reader"], &["approver"], "read", "credit", "yes"),
            (&["approver@credit", "approver"], &["approver@credit"], "approve", "credit", "denied"),
            (&["approver"], &["approver@credit"], "approve", "fraud", "yes"),
            (&["approver", "owner"], &["approver"], "approve", "credit", "yes"),
            (&["reader"], &["approver"], "approve", "credit", "no"),
            (&["owner"], &["owner"], "manage_rights", "", "denied"),
        ];
        for (grants, denials, action, place, expected) in cases {
            let rights = rights(grants, denials, "{}");
            assert_eq!(decided(&rights, action, place), *expected, "{grants:?} {denials:?} {action} {place}");
        }
    }

    #[test]
    fn a_token_reaches_no_more_than_its_scope() {
        let credit = r#"{"projects":["credit"]}"#;
        let asks = r#"{"actions":["invoke","feedback"]}"#;
        let score = r#"{"projects":["credit"],"endpoints":["score"]}"#;
        let cases: &[(&[&str], &str, &str, &str, &str)] = &[
            (&["owner"], credit, "approve", "credit", "yes"),
            (&["owner"], credit, "approve", "fraud", "scope"),
            (&["owner"], credit, "manage_rights", "", "scope"),
            (&["owner"], asks, "invoke", "fraud/x", "yes"),
            (&["owner"], asks, "read", "fraud", "scope"),
            (&["owner"], score, "invoke", "credit/score", "yes"),
            (&["owner"], score, "read", "credit/score", "yes"),
            (&["owner"], score, "invoke", "credit/limit", "scope"),
            (&["owner"], score, "read", "credit", "scope"),
            // it adds nothing to what its holder may do
            (&["reader"], asks, "invoke", "credit/score", "no"),
            (&["reader@fraud"], credit, "read", "credit", "no"),
            (&[], score, "invoke", "credit/score", "no"),
        ];
        for (grants, scope, action, place, expected) in cases {
            let rights = rights(grants, &[], scope);
            assert_eq!(decided(&rights, action, place), *expected, "{grants:?} {scope} {action} {place}");
        }
        assert_eq!(decided(&rights(&["owner"], &["invoke"], asks), "invoke", "credit"), "denied");
    }

    /// Every combination of some grants, denials and scopes: a scope and a denial never add anything.
    #[test]
    fn a_scope_and_a_denial_only_narrow() {
        let grants = ["owner", "reader@credit", "invoker@credit/score", "contributor", "creator@fraud", "auditor"];
        let denials = ["read", "invoke@credit", "contributor@fraud", "owner"];
        let scopes = [
            "{}",
            r#"{"projects":["credit"]}"#,
            r#"{"actions":["read"]}"#,
            r#"{"projects":["credit"],"endpoints":["score"]}"#,
        ];
        let chosen = |names: &[&'static str], set: usize| -> Vec<&'static str> {
            names.iter().enumerate().filter(|(n, _)| set & (1 << n) != 0).map(|(_, name)| *name).collect()
        };
        let places = ["", "credit", "fraud", "credit/score", "credit/limit", "fraud/score"];
        for (grant_set, denial_set, scope) in (0..1 << grants.len())
            .flat_map(|grants| (0..1 << denials.len()).map(move |denials| (grants, denials)))
            .flat_map(|(grants, denials)| scopes.map(|scope| (grants, denials, scope)))
        {
            let (held, denied) = (chosen(&grants, grant_set), chosen(&denials, denial_set));
            let (all, some) = (rights(&held, &[], "{}"), rights(&held, &denied, scope));
            for action in Action::ALL {
                for place in places {
                    let allowed = decided(&some, action.as_str(), place) == "yes";
                    let was_allowed = decided(&all, action.as_str(), place) == "yes";
                    assert!(was_allowed || !allowed, "{held:?} {denied:?} {scope} {action} {place}");
                    if allowed {
                        assert!(some.decide_somewhere(action).is_ok(), "{held:?} {denied:?} {scope} {action} {place}");
                    }
                }
                // lists show what may be seen, and nothing else
                for name in ["credit", "fraud"].map(project) {
                    let reach = some.reach(action, &name);
                    for endpoint in ["score", "limit"] {
                        let place = format!("{name}/{endpoint}");
                        let may = decided(&some, action.as_str(), &place) == "yes";
                        assert_eq!(
                            reach.includes(&endpoint.parse().unwrap()),
                            may,
                            "{held:?} {denied:?} {scope} {place}"
                        );
                        assert!(!may || some.decide_within(action, &name).is_ok());
                    }
                }
            }
        }
    }

    #[test]
    fn the_uncredentialed_make_their_first_model_and_decide_nothing() {
        let anybody = Rights::uncredentialed();
        for action in [Action::Read, Action::Track, Action::Register, Action::Create, Action::Invoke, Action::Feedback]
        {
            assert!(anybody.allow(action, Place::Project(&project("credit"))), "{action}");
        }
        for action in [Action::Approve, Action::Promote, Action::SetPolicy, Action::Deploy, Action::ManageRights] {
            assert!(!anybody.allow(action, Place::Project(&project("credit"))), "{action}");
        }
    }
}
