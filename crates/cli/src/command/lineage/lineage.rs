use std::process::ExitCode;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use stemma_api::types::AskLineage;
use stemma_core::{
    Problem,
    lineage::{Direction, NodeKind},
};

use crate::{
    argument::AtArgs,
    global::Global,
    print::Output,
    session::{self, Session, thing},
    view,
};

/// Show what a thing was made from, or what was made from it
///
/// Connections that were not observed are marked with how they are known. What may be missing is said at the end.
#[derive(Debug, Args)]
pub struct LineageArgs {
    /// `model@version`, `dataset@number`, `endpoint#revision`, a run's id, `pred_…`, `b3:…`, a commit (7 digits or
    /// more), a URL that data came from, or a tracked path
    #[arg(value_name = "THING")]
    thing: String,
    /// What it was made from; this is what is shown without asking
    #[arg(long, conflicts_with = "down")]
    up: bool,
    /// What was made from it
    #[arg(long)]
    down: bool,
    /// Steps to go at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    depth: Option<u32>,
    /// Only list things of this kind; may be given more than once
    #[arg(long, value_name = "KIND", value_parser = kind())]
    kind: Vec<NodeKind>,
    /// Print it for Graphviz
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    #[command(flatten)]
    when: AtArgs,
}

fn kind() -> impl TypedValueParser<Value = NodeKind> {
    PossibleValuesParser::new(NodeKind::ALL.map(NodeKind::as_str))
        .try_map(|text| NodeKind::parse(&text).ok_or("not a kind"))
}

pub async fn run(args: LineageArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    session::with(global, async |session| show(&args, session, output).await).await?;
    Ok(ExitCode::SUCCESS)
}

async fn show(args: &LineageArgs, session: &Session, output: &Output) -> Result<(), Problem> {
    let direction = if args.down { Direction::Down } else { Direction::Up };
    let of = thing(session, &args.thing)?;
    let ask = AskLineage { of, direction, depth: args.depth, kinds: args.kind.clone() };
    let client = session.client.clone().at(args.when.at);
    let lineage = client.lineage(&session.project, &ask).await?;
    // a picture has no place for it
    let as_of = client.told_as_of().filter(|_| !args.dot);
    output.dated(as_of, &lineage, || match (args.dot, args.kind.is_empty()) {
        (true, _) => lineage.merged().tree.dot(),
        (false, true) => view::lineage::tree(&lineage, output),
        (false, false) => view::lineage::list(&lineage),
    });
    Ok(())
}
