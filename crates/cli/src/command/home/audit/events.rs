use clap::Args;
use stemma_api::types::{AuditEvent, EventOrder, FindEvents, Limit};
use stemma_core::{
    Problem,
    name::{DatasetName, EndpointName, PrincipalName},
    written_time::WrittenTime,
};

use crate::{
    argument,
    global::Global,
    print::{self, Output},
    session::{self, Session},
};

/// List governed changes in order: all, or those that are about one thing, of some kind, or by somebody
///
/// With `--project`, only those in it. A model or dataset is looked for in that project, else in the one of this folder.
#[derive(Debug, Args)]
pub struct EventsArgs {
    #[command(flatten)]
    which: Which,
    /// Only changes after this number; with `--newest` before it
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// The newest first
    #[arg(long)]
    newest: bool,
    /// How many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// Which governed changes are meant.
#[derive(Debug, Args)]
pub struct Which {
    /// Only changes of this kind, as in `approved`; may be given more than once
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// All that happened to a model, or to one version, as in `credit-score@1.2.0`
    #[arg(long, value_name = "MODEL[@VERSION]", conflicts_with_all = ["dataset", "endpoint"])]
    model: Option<String>,
    /// All that happened to a dataset
    #[arg(long, conflicts_with = "endpoint")]
    dataset: Option<DatasetName>,
    /// All that happened to an endpoint
    #[arg(long)]
    endpoint: Option<EndpointName>,
    /// Only what somebody did
    #[arg(long, value_name = "NAME")]
    actor: Option<PrincipalName>,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only up to this time; a date is the end of the day, in UTC
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Which {
    pub fn ask(&self, global: &Global, session: &Session) -> Result<FindEvents, Problem> {
        let is_of_project = self.model.is_some() || self.dataset.is_some();
        let moment = |option: &str, text: &Option<String>, which| {
            text.as_deref().map(|text| argument::moment(option, text, which)).transpose()
        };
        Ok(FindEvents {
            kind: self.kind.clone(),
            model: self.model.clone(),
            dataset: self.dataset.clone(),
            endpoint: self.endpoint.clone(),
            project: global.project.clone().or(is_of_project.then(|| session.project.clone())),
            actor: self.actor.clone(),
            since: moment("--since", &self.since, WrittenTime::start)?,
            until: moment("--until", &self.until, WrittenTime::last)?,
            ..FindEvents::default()
        })
    }
}

pub async fn run(args: EventsArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    session::with(global, async |session| show(&args, global, session, output).await).await
}

async fn show(args: &EventsArgs, global: &Global, session: &Session, output: &Output) -> Result<(), Problem> {
    let order = if args.newest { EventOrder::Newest } else { EventOrder::Oldest };
    let limit = Limit::near(args.limit);
    let ask = FindEvents { order, cursor: args.after, limit, ..args.which.ask(global, session)? };
    let page = session.client.audit_events(&ask).await?;
    output.result(&page, || {
        let header = ["seq", "time", "actor", "change", "subject"];
        print::table(&header, page.items.iter().map(row))
    });
    if let Some(project) = &ask.project {
        output.note(format!("only changes in project `{project}`"));
    }
    if let Some(next) = &page.next {
        output.note(format!("there are more: the same with `--after {next}`"));
    }
    Ok(())
}

fn row(event: &AuditEvent) -> Vec<String> {
    vec![
        event.seq.to_string(),
        print::time(event.time),
        format!("{} ({})", event.actor, event.auth.as_str()),
        event.kind.replace('_', " "),
        event.subject.clone(),
    ]
}
