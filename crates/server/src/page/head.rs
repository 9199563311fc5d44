//! What stands above every page: the project that it is in, and the way to others.

use stemma_api::{act::AT, types::AsOf};
use stemma_core::{
    ErrorKind, Problem,
    moment::Moment,
    name::{PrincipalName, ProjectName},
    record::Auth,
};
use stemma_engine::{Caller, Known, directory::Closing};

use crate::{call::Call, href, session::SignedIn};

/// The head of a page.
#[derive(Default)]
pub struct Head {
    /// Absent on a page of the whole home, if there are several projects to go on to.
    pub project: Option<ProjectName>,
    /// Why nothing in the project changes any more, if it is closed now.
    pub closed: Option<Closing>,
    /// Those that the caller may read.
    pub projects: Vec<ProjectName>,
    /// On a page that can be asked about the past.
    pub asked: Option<AskedPage>,
    /// Who sees it, or how they sign in.
    pub visitor: Visitor,
}

/// Who sees a page.
#[derive(Default)]
pub enum Visitor {
    /// Nothing is said of them: on a page that says what went wrong, and to programs.
    #[default]
    Unsaid,
    /// They came without a session; this leads to the way in, and back.
    Stranger {
        login: String,
    },
    SignedIn {
        who: PrincipalName,
        form_token: String,
    },
}

impl Visitor {
    fn of<At, In, Ask>(call: &Call<At, In, Ask>) -> Self {
        match &call.signed_in {
            Some(SignedIn { key, who }) => Self::SignedIn { who: who.clone(), form_token: key.form_token() },
            // who shows a token is a program
            None if call.caller.actor.auth == Auth::Authenticated => Self::Unsaid,
            None => Self::Stranger { login: href::login(&call.uri) },
        }
    }
}

/// A page that can be asked about the past, as it was asked for.
pub struct AskedPage {
    pub path: String,
    /// What else was asked, but for a place in a list.
    pub others: Vec<(String, String)>,
    known: Known,
}

impl AskedPage {
    fn of<At, In, Ask>(call: &Call<At, In, Ask>) -> Self {
        let query = call.uri.query().unwrap_or_default().as_bytes();
        let others = form_urlencoded::parse(query).filter(|(name, _)| name != AT && name != "cursor");
        Self {
            path: call.uri.path().to_owned(),
            others: others.map(|(name, text)| (name.into_owned(), text.into_owned())).collect(),
            known: call.known.clone(),
        }
    }

    /// About when the page is, if it is not about now; to be asked when everything on it was read.
    pub fn as_of(&self) -> Option<AsOf> {
        self.known.told_as_of()
    }

    pub fn moment(&self) -> Option<Moment> {
        self.known.moment()
    }

    /// The same page, about now.
    pub fn now(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.others);
        match query.finish() {
            query if query.is_empty() => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }
}

impl Head {
    /// Of a page in a project that can be asked about the past.
    pub async fn of_call<At, In, Ask>(call: &Call<At, In, Ask>, project: &ProjectName) -> Result<Self, Problem> {
        Ok(Self { asked: Some(AskedPage::of(call)), ..Self::in_project(call, project).await? })
    }

    /// Of a page of the whole home that can be asked about the past.
    pub async fn of_home_call<At, In, Ask>(call: &Call<At, In, Ask>) -> Result<Self, Problem> {
        Ok(Self { asked: Some(AskedPage::of(call)), ..Self::of_home(call).await? })
    }

    /// What the forms of this page carry; nothing for who is not signed in.
    pub fn form_token(&self) -> Option<&str> {
        match &self.visitor {
            Visitor::SignedIn { form_token, .. } => Some(form_token),
            Visitor::Unsaid | Visitor::Stranger { .. } => None,
        }
    }

    /// Who is signed in.
    pub fn who(&self) -> Option<&PrincipalName> {
        match &self.visitor {
            Visitor::SignedIn { who, .. } => Some(who),
            Visitor::Unsaid | Visitor::Stranger { .. } => None,
        }
    }

    /// The way in, and back to this page.
    pub fn login(&self) -> Option<&str> {
        match &self.visitor {
            Visitor::Stranger { login } => Some(login),
            Visitor::Unsaid | Visitor::SignedIn { .. } => None,
        }
    }

    /// About when the page is, if it is not about now.
    pub fn moment(&self) -> Option<Moment> {
        self.asked.as_ref()?.moment()
    }

    /// Of a page in a project. One that the caller may not read has been refused by now.
    pub async fn in_project<At, In, Ask>(call: &Call<At, In, Ask>, project: &ProjectName) -> Result<Self, Problem> {
        let known = call.app.known();
        known.check_made(&call.caller, project)?;
        let closed = known.access_table().projects.closing(project).cloned();
        let projects = known.readable_projects(&call.caller);
        Ok(Self { project: Some(project.clone()), closed, projects, asked: None, visitor: Visitor::of(call) })
    }

    /// Of a page that shows something of the whole home.
    pub async fn of_home<At, In, Ask>(call: &Call<At, In, Ask>) -> Result<Self, Problem> {
        let projects = call.app.known().readable_projects(&call.caller);
        let project = match projects.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        };
        Ok(Self { project, projects, visitor: Visitor::of(call), ..Self::default() })
    }

    /// Of a page that says what went wrong. It shows what the address says, and nothing that would have to be looked up.
    pub fn of_problem(problem: &Problem, project: Option<ProjectName>) -> Self {
        let is_inside = !matches!(problem.kind, ErrorKind::Forbidden | ErrorKind::Unauthenticated);
        Self { project: project.filter(|_| is_inside), ..Self::default() }
    }

    pub fn is_in(&self, project: &ProjectName) -> bool {
        self.project.as_ref() == Some(project)
    }
}

/// Where a caller begins who asks for no project: the default one, else the first that they may read.
pub async fn first_project(known: &Known, caller: &Caller) -> Result<ProjectName, Problem> {
    let projects = known.readable_projects(caller);
    let default = ProjectName::default_project();
    let chosen = if projects.contains(&default) { Some(default) } else { projects.into_iter().next() };
    chosen.ok_or_else(|| Problem::not_found("there is no project that you may read"))
}
