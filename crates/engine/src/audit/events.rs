//! Governed changes, by what they are about, when, and by whom.

use stemma_api::types::{AuditEvent, EventOrder, FindEvents, Page};
use stemma_core::{
    Problem,
    event::{Event, about::About},
    name::{DatasetName, ModelName, ProjectName},
    near,
};
use stemma_ledger::{EventFilter, EventRow, Order};

use crate::{Known, problem::ledger_problem, resolve::find_version};

impl Known {
    pub async fn audit_events(&self, ask: &FindEvents) -> Result<Page<AuditEvent>, Problem> {
        let filter = event_filter(self, ask).await?;
        self.page_of_events(&filter, order(ask.order), ask.cursor, ask.limit.get()).await
    }

    /// What people decided about a thing of a project, the newest first.
    pub async fn history_of(
        &self,
        project: &ProjectName,
        about: About,
        limit: u32,
    ) -> Result<Page<AuditEvent>, Problem> {
        let kinds = about.decided_kinds().map(str::to_owned).collect();
        let filter =
            EventFilter { kinds, about: Some(about), project: Some(project.clone()), ..EventFilter::default() };
        let behind = self.last_event().map(|seq| seq + 1);
        self.page_of_events(&filter, Order::NewestFirst, behind, limit).await
    }

    async fn page_of_events(
        &self,
        filter: &EventFilter,
        order: Order,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<AuditEvent>, Problem> {
        let rows = self.ledger().page_of_events(filter, order, cursor, limit + 1).await.map_err(ledger_problem)?;
        Ok(Page::of(rows, limit, |last| last.seq).map(audit_event))
    }
}

fn audit_event(row: EventRow) -> AuditEvent {
    AuditEvent {
        seq: row.seq,
        time: row.time,
        actor: row.actor.principal,
        auth: row.actor.auth,
        kind: row.event.kind().to_owned(),
        subject: row.event.subject(),
        request: row.request,
        event: row.event,
    }
}

const fn order(order: EventOrder) -> Order {
    match order {
        EventOrder::Oldest => Order::OldestFirst,
        EventOrder::Newest => Order::NewestFirst,
    }
}

/// Which events are meant. What is no kind, and a thing that there is not, is told: nothing is found of it either way.
pub(super) async fn event_filter(known: &Known, ask: &FindEvents) -> Result<EventFilter, Problem> {
    let kind = |text: &String| match Event::find_kind(text) {
        Ok(kind) => Ok(kind.to_owned()),
        Err(hint) => Err(Problem::invalid(format!("there is no kind `{text}` of changes")).hint(hint)),
    };
    Ok(EventFilter {
        kinds: ask.kind.iter().map(kind).collect::<Result<_, _>>()?,
        subject: None,
        about: about(known, ask).await?,
        project: ask.project.clone(),
        actor: ask.actor.clone(),
        request: None,
        since: ask.since,
        until: ask.until,
    })
}

async fn about(known: &Known, ask: &FindEvents) -> Result<Option<About>, Problem> {
    let of_project = |what: &str| {
        ask.project.clone().ok_or_else(|| {
            Problem::invalid(format!("a {what} is looked for, and no project is named"))
                .hint(format!("a {what} is of a project: name it too, as in `project=default`"))
        })
    };
    match (&ask.model, &ask.dataset, &ask.endpoint) {
        (None, None, None) => Ok(None),
        (Some(model), None, None) => about_model(known, &of_project("model")?, model).await.map(Some),
        (None, Some(dataset), None) => {
            check_dataset(known, &of_project("dataset")?, dataset).await?;
            Ok(Some(About::Dataset(dataset.clone())))
        }
        (None, None, Some(endpoint)) => {
            if known.endpoint_if_any(endpoint).await?.is_none() {
                return Err(Problem::not_found(format!("there is no endpoint `{endpoint}`"))
                    .hint("`stemma endpoints` lists those of a project"));
            }
            Ok(Some(About::Endpoint(endpoint.clone())))
        }
        _ => {
            Err(Problem::invalid("a change is about one thing: a model, a dataset or an endpoint")
                .hint("name one of them"))
        }
    }
}

async fn about_model(known: &Known, project: &ProjectName, text: &str) -> Result<About, Problem> {
    let (name, number) = match text.split_once('@') {
        None => (text, None),
        Some((name, number)) => (name, Some(number)),
    };
    let model = ModelName::new(name)?;
    let Some(number) = number else {
        let names = known.model_names(project).await?;
        if !names.contains(&model) {
            let hint = near::hint(name, names.iter().map(ModelName::as_str), "`stemma models` lists them");
            return Err(Problem::not_found(format!("there is no model `{model}` in project `{project}`")).hint(hint));
        }
        return Ok(About::Model(model));
    };
    let version = find_version(known, project, &model, number).await?;
    Ok(About::Version(model, version.number))
}

async fn check_dataset(known: &Known, project: &ProjectName, dataset: &DatasetName) -> Result<(), Problem> {
    known.page_of_dataset_versions(project, dataset, None, 1).await.map(drop)
}
