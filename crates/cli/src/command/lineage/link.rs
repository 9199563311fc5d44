use std::process::ExitCode;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use stemma_api::types::{Link, Linked};
use stemma_core::{Problem, lineage::EdgeKind};

use crate::{
    global::Global,
    print::Output,
    session::{self, Session, thing},
};

/// Declare how two things are connected where no run saw it
///
/// It is shown as declared, never as observed. Circles are refused.
#[derive(Debug, Args)]
pub struct LinkArgs {
    #[command(flatten)]
    ends: Ends,
    /// How you know
    #[arg(long, value_name = "TEXT")]
    why: String,
}

/// Withdraw a declared connection
#[derive(Debug, Args)]
pub struct UnlinkArgs {
    #[command(flatten)]
    ends: Ends,
    /// Why it does not hold
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
struct Ends {
    /// Where data flows from: as for `stemma lineage`; for `source` any URL or name
    from: String,
    /// What was made from it
    to: String,
    /// How they are connected
    #[arg(long = "type", value_name = "TYPE", value_parser = kind())]
    kind: EdgeKind,
}

fn kind() -> impl TypedValueParser<Value = EdgeKind> {
    PossibleValuesParser::new(EdgeKind::DECLARABLE.map(|(name, _)| name)).try_map(|text| {
        let found = EdgeKind::DECLARABLE.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, kind)| kind).ok_or("not a type")
    })
}

impl Ends {
    fn link(&self, session: &Session, why: &str) -> Result<Link, Problem> {
        let from = match self.kind {
            EdgeKind::SourceOf => self.from.clone(),
            _ => thing(session, &self.from)?,
        };
        Ok(Link { from, to: thing(session, &self.to)?, kind: self.kind, why: why.to_owned() })
    }
}

pub async fn run(args: LinkArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let linked = session::with(global, async |session| {
        session.client.link(&session.project, &args.ends.link(session, &args.why)?).await
    });
    let linked = linked.await?;
    output.result(&linked, || line(&linked, if linked.unchanged { "unchanged" } else { "linked" }));
    Ok(ExitCode::SUCCESS)
}

pub async fn unlink(args: UnlinkArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let linked = session::with(global, async |session| {
        session.client.unlink(&session.project, &args.ends.link(session, &args.why)?).await
    });
    let linked = linked.await?;
    output.result(&linked, || line(&linked, "unlinked"));
    Ok(ExitCode::SUCCESS)
}

fn line(linked: &Linked, what: &str) -> String {
    let edge = &linked.edge;
    format!("{} → {}  {}  {what}", edge.from.key, edge.to.key, edge.kind.as_str())
}
