use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{EndpointDetail, Page};
use stemma_core::{Problem, name::EndpointName};

use crate::{
    argument::AtArgs,
    global::Global,
    print::{self, Output},
    session, view,
};

/// List endpoints, or show one with its revisions and newest predictions
#[derive(Debug, Args)]
pub struct EndpointsArgs {
    /// The endpoint to show
    endpoint: Option<EndpointName>,
    #[command(flatten)]
    when: AtArgs,
}

pub async fn run(args: EndpointsArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    session::with(global, async |session| {
        let (client, project) = (&session.client.clone().at(args.when.at), &session.project);
        match &args.endpoint {
            Some(endpoint) => {
                let detail = client.whole_endpoint(project, endpoint).await?;
                output.dated(client.told_as_of(), &detail, || view::endpoint::text(&detail, output));
            }
            None => {
                let page = Page::all(async |page| client.endpoints(project, page).await).await?;
                output.dated(client.told_as_of(), &page, || list(&page.items));
            }
        }
        Ok(ExitCode::SUCCESS)
    })
    .await
}

fn list(endpoints: &[EndpointDetail]) -> String {
    let row = |endpoint: &EndpointDetail| {
        let live = endpoint.live_revision();
        vec![
            endpoint.endpoint.to_string(),
            live.map(|revision| revision.revision.number.to_string()).unwrap_or_default(),
            live.map(view::endpoint::targets).or_else(|| view::endpoint::taken_down(endpoint)).unwrap_or_default(),
            live.map(|revision| view::by(&revision.deployed)).unwrap_or_default(),
        ]
    };
    let header = ["endpoint", "revision", "serves", "deployed by"];
    let mut text = print::table(&header, endpoints.iter().map(row));
    for endpoint in endpoints {
        for alarm in &endpoint.alarms {
            text.push_str(&format!("! {}: {alarm}\n", endpoint.endpoint));
        }
    }
    text
}
