//! Link: a person says how two things are connected, where nobody saw it; and takes it back.

use stemma_api::types::{Link, Linked};
use stemma_core::{
    ErrorKind, Problem,
    event::{DeclaredEdge, Event},
    id::RequestId,
    lineage::{Certainty, Direction, Edge, EdgeKind, Node, NodeKind},
    name::ProjectName,
};
use stemma_ledger::Side;

use crate::{
    Caller, Engine, Known, Reference,
    lineage::{Bounds, Start, start::find_thing, walk::walk},
    problem::ledger_problem,
};

/// Things looked at to make sure that a connection closes no circle.
const CIRCLE_NODES_MAX: usize = 50_000;
const CIRCLE_DEPTH_MAX: u32 = 1_000;
/// Edges of one thing that are compared.
const EDGES_MAX: usize = 100_000;
const WHY_CHARS_MAX: usize = 2_000;

impl Engine {
    /// Declares a connection. Circles and unknown things are refused; what is declared already stays as it is.
    pub async fn link(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        link: Link,
    ) -> Result<Linked, Problem> {
        if link.why.trim().is_empty() {
            return Err(Problem::invalid("a link needs a reason").hint("say it with `--why`"));
        }
        let edge = &declared_edge(self.known(), project, &link).await?;
        let decide = || async move {
            if find_edge(self.known(), edge).await?.is_some() {
                return Ok(Vec::new());
            }
            check_circle(self.known(), edge).await?;
            Ok(vec![Event::EdgeDeclared(edge.clone())])
        };
        let events = self.change(caller, request, decide).await?;
        Ok(Linked { edge: edge.clone(), unchanged: events.is_empty() })
    }

    /// Withdraws a connection that somebody declared; what was observed stays.
    pub async fn unlink(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        link: Link,
    ) -> Result<Linked, Problem> {
        let edge = &declared_edge(self.known(), project, &link).await?;
        let decide = || async move {
            match find_edge(self.known(), edge).await? {
                None => Err(not_linked(edge)),
                Some(found) if found.certainty != Certainty::Declared => Err(observed(edge)),
                Some(_) if !self.known().facts().is_linked(edge).await.map_err(ledger_problem)? => {
                    Err(of_a_dataset(edge))
                }
                Some(_) => Ok(vec![Event::EdgeWithdrawn(edge.clone())]),
            }
        };
        self.change(caller, request, decide).await?;
        Ok(Linked { edge: edge.clone(), unchanged: false })
    }
}

async fn declared_edge(known: &Known, project: &ProjectName, link: &Link) -> Result<DeclaredEdge, Problem> {
    let why = link.why.trim();
    if why.chars().count() > WHY_CHARS_MAX {
        return Err(Problem::invalid(format!("the reason is longer than {WHY_CHARS_MAX} characters")));
    }
    let from = match link.kind {
        EdgeKind::SourceOf => only(Start::external(&link.from)?, &link.from)?,
        _ => find_one(known, project, &link.from).await?,
    };
    let to = find_one(known, project, &link.to).await?;
    if !link.kind.may_be_declared(from.kind, to.kind) {
        return Err(cannot_be_declared(link.kind, from.kind, to.kind));
    }
    Ok(DeclaredEdge { project: project.clone(), from, to, kind: link.kind, why: why.to_owned() })
}

async fn find_edge(known: &Known, edge: &DeclaredEdge) -> Result<Option<Edge>, Problem> {
    let ends = std::slice::from_ref(&edge.to);
    let edges = known.facts().edges(&edge.project, ends, Side::To, Some(edge.kind), EDGES_MAX).await;
    let (edges, _) = edges.map_err(ledger_problem)?;
    Ok(edges.into_iter().find(|one| one.from == edge.from))
}

async fn check_circle(known: &Known, edge: &DeclaredEdge) -> Result<(), Problem> {
    let circle = || {
        Problem::new(ErrorKind::Conflict, format!("`{}` was made from `{}` itself", edge.from.key, edge.to.key)).hint(
            format!("`stemma lineage {} --up` shows how; the first thing is where data flows from", edge.from.key),
        )
    };
    if edge.from == edge.to {
        return Err(Problem::invalid("a thing can't be linked with itself"));
    }
    let bounds = Bounds { nodes: CIRCLE_NODES_MAX, depth: CIRCLE_DEPTH_MAX };
    let start = Start::of(edge.from.clone());
    let walk = walk(known, &edge.project, &start, Direction::Up, bounds).await?;
    if walk.nodes.contains(&edge.to) {
        return Err(circle());
    }
    if walk.is_cut() {
        let problem =
            Problem::invalid(format!("`{}` was made from too many things to check for circles", edge.from.key));
        return Err(problem);
    }
    Ok(())
}

async fn find_one(known: &Known, project: &ProjectName, typed: &str) -> Result<Node, Problem> {
    match typed.parse() {
        Ok(Reference::Prediction(_)) => Err(cannot_be_linked(typed)),
        _ => only(find_thing(known, project, typed).await?, typed),
    }
}

/// The one node of a thing.
fn only(start: Start, typed: &str) -> Result<Node, Problem> {
    start.nodes.into_iter().next().ok_or_else(|| cannot_be_linked(typed))
}

fn cannot_be_linked(typed: &str) -> Problem {
    Problem::invalid(format!("`{typed}` can't be linked")).hint("link data, runs and model versions")
}

fn cannot_be_declared(kind: EdgeKind, from: NodeKind, to: NodeKind) -> Problem {
    let words = |kind: NodeKind| kind.as_str().replace('_', " ");
    let hint = match kind {
        EdgeKind::Read => "`read` leads from data to the run that read it",
        EdgeKind::Wrote => "`wrote` leads from a run to the data that it wrote",
        EdgeKind::Produced => "`produced` leads from a run to a model version",
        EdgeKind::SourceOf => "`source` leads from something outside to a dataset version or content",
        EdgeKind::Derived => "`derived` leads from data or a model version to what was made from it",
        _ => "only `derived`, `source`, `read`, `wrote` and `produced` can be declared",
    };
    Problem::invalid(format!("a {} can't be `{}` of a {}", words(from), kind.as_str(), words(to))).hint(hint)
}

fn not_linked(edge: &DeclaredEdge) -> Problem {
    let (from, to) = (&edge.from.key, &edge.to.key);
    Problem::not_found(format!("`{from}` and `{to}` are not linked as {}", edge.kind.as_str()))
        .hint(format!("`stemma lineage {to}` shows what leads to it"))
}

fn observed(edge: &DeclaredEdge) -> Problem {
    let (from, to) = (&edge.from.key, &edge.to.key);
    Problem::new(ErrorKind::Conflict, format!("that `{from}` led to `{to}` was observed, not declared"))
        .hint("only declared links can be withdrawn")
}

fn of_a_dataset(edge: &DeclaredEdge) -> Problem {
    Problem::new(ErrorKind::Conflict, format!("this was declared when `{}` was added", edge.to.key))
        .hint("a dataset version keeps what it was added with")
}
