use std::{collections::BTreeMap, process::ExitCode};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use stemma_api::types::{CaseResults, RunCases, Why};
use stemma_core::{
    ErrorKind, Problem,
    case::{self, Expectation, RegressionCase, StepAsked, Tolerance},
    endpoint::{
        graph::Graph,
        prediction::{LoggedTensor, PredictionId},
    },
    name::{CaseName, ModelName, TreePath},
    policy::GateSpec,
};
use stemma_workspace::{CASES_DIR, Replace, Workspace};

use crate::{
    argument::{model_and_version, prediction},
    global::Global,
    print::Output,
    session::{self, Session},
    view,
};

/// Single decisions that every version must get right
///
/// A case is a file with one row of input and what must come of it. The gate `regression-cases` runs all cases of a
/// folder through a version.
#[derive(Debug, Args)]
pub struct CaseArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    Add(AddArgs),
    /// List the cases of the workspace
    List {
        /// The folder with the cases
        #[arg(long, value_name = "DIR")]
        path: Option<TreePath>,
    },
    /// Run the workspace's cases through a version; records nothing
    ///
    /// Ends with exit code 6 if one failed.
    Run {
        /// As in `credit-score@1.1.0`; a name alone means the newest version
        #[arg(value_name = "MODEL@VERSION")]
        version: String,
        /// The folder with the cases; by default that of the model's gate
        #[arg(long, value_name = "DIR")]
        path: Option<TreePath>,
    },
}

/// Make a case from a recorded prediction: its input, and what should have come of it
///
/// The file holds the input as it was sent, so it holds what is known of a person, and stays where the code is.
#[derive(Debug, Args)]
struct AddArgs {
    /// The prediction's id, as in `pred_…`
    prediction: String,
    /// `output=value`, `output>=number` or `output<=number`; `output.class` is one of several
    #[arg(long = "expect", value_name = "EXPECTATION", required = true)]
    expectations: Vec<String>,
    /// How far a number may be off: `0.01`, or `1%` of what is expected
    #[arg(long, value_name = "TOLERANCE")]
    tolerance: Option<Tolerance>,
    /// Why it must come out so
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// The case's name; by default made from the prediction's id
    #[arg(long)]
    name: Option<CaseName>,
    /// Which row, counted from 0, if the request had several
    #[arg(long, value_name = "N")]
    row: Option<usize>,
    /// The folder with the cases; by default that of the model's gate
    #[arg(long, value_name = "DIR")]
    path: Option<TreePath>,
    /// Replace a case of that name
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Added {
    path: String,
    case: RegressionCase,
    /// What the version that answered makes of it.
    today: CaseResults,
}

pub async fn run(args: CaseArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::Add(args) => {
            let added = session::with(global, async |session| add(&args, session).await).await?;
            output.result(&added, || text(&added, output));
            output.note("it holds the input of the prediction, for whoever may read the code");
            output.note("it counts from the next `stemma policy apply` or `stemma register` on");
            Ok(ExitCode::SUCCESS)
        }
        Act::List { path } => {
            let workspace = workspace()?;
            let folder = folder(&workspace, path, None)?;
            let cases = workspace.cases(&folder)?;
            output.result(&cases, || view::gate::cases(&cases));
            Ok(ExitCode::SUCCESS)
        }
        Act::Run { version, path } => {
            let (model, version) = model_and_version(&version)?;
            let results = session::with(global, async |session| {
                let workspace = session.workspace()?;
                let cases = workspace.cases(&folder(workspace, path, Some(&model))?)?;
                session.client.run_cases(&session.project, &model, &version, &RunCases { cases }).await
            });
            let results = results.await?;
            output.result(&results, || view::gate::case_results(&results, output));
            match results.results.iter().all(|result| result.passed) {
                true => Ok(ExitCode::SUCCESS),
                false => Ok(ExitCode::from(ErrorKind::Refused.exit_code())),
            }
        }
    }
}

/// Cases can be listed without a home.
fn workspace() -> Result<Workspace, Problem> {
    let here = std::env::current_dir()
        .map_err(|error| Problem::new(ErrorKind::Config, format!("the folder can't be found: {error}")))?;
    Ok(Workspace::discover(&here)?)
}

/// The folder that was named, or that of the model's gate, or of the only gate with cases, or the usual one.
fn folder(workspace: &Workspace, named: Option<TreePath>, model: Option<&ModelName>) -> Result<TreePath, Problem> {
    if let Some(path) = named {
        return Ok(path);
    }
    let models = workspace.settings().models.iter().filter(|(name, _)| model.is_none_or(|model| model == *name));
    let paths = models.flat_map(|(_, policy)| policy.gates.values()).filter_map(|gate| match gate {
        GateSpec::RegressionCases { path, .. } => Some(path),
        _ => None,
    });
    let mut paths: Vec<&TreePath> = paths.collect();
    paths.dedup();
    match paths.as_slice() {
        [] => Ok(TreePath::new(CASES_DIR)?),
        [one] => Ok((*one).clone()),
        several => {
            let several: Vec<String> = several.iter().map(|path| format!("`{path}`")).collect();
            Err(Problem::invalid(format!("gates have cases in several folders: {}", several.join(", ")))
                .hint("choose one with `--path`"))
        }
    }
}

async fn add(args: &AddArgs, session: &Session) -> Result<Added, Problem> {
    let id = prediction(&args.prediction)?;
    let mut expected = BTreeMap::new();
    args.expectations.iter().try_for_each(|text| case::expect(&mut expected, text))?;
    let why = session.client.why(&id).await?;
    let taken = why.record.arm.as_ref().ok_or_else(|| {
        let reason = why.record.outcome.message().unwrap_or_default();
        Problem::invalid(format!("`{id}` was refused before a model was asked: {reason}"))
            .hint("make a case of a prediction that was answered")
    })?;
    let revision = why.revision.as_ref().ok_or_else(|| {
        Problem::invalid(format!("`{id}` was made elsewhere and only reported"))
            .hint("make a case of a prediction that an endpoint answered")
    })?;
    let arm = revision.revision.arm(&taken.name).ok_or_else(|| {
        let (revision, arm) = (revision.name(), &taken.name);
        Problem::new(ErrorKind::Corrupt, format!("`{revision}` has no arm `{arm}`, which the record names"))
    })?;
    let asked = asked(&arm.graph, &why, expected)?;
    let target = asked.step.asks.target().ok_or_else(|| {
        Problem::invalid(format!("step `{}` asks {}, and only models have cases", asked.step.name, asked.step.asks))
    })?;
    let folder = folder(session.workspace()?, args.path.clone(), Some(&target.model))?;
    let case = case_from(args, &id, &asked)?;
    case.check()?;
    let (number, run) = (target.version.to_string(), RunCases { cases: vec![case.clone()] });
    let today = session.client.run_cases(&session.project, &target.model, &number, &run).await?;
    // a case that even the version that answered can't be asked is a mistake
    let results = today.results.iter();
    let mistakes = results.flat_map(|result| {
        result.problem.iter().chain(result.outputs.iter().filter_map(|output| output.problem.as_ref()))
    });
    if let Some(problem) = mistakes.into_iter().next() {
        return Err(Problem::invalid(problem.clone()));
    }
    let replace = if args.force { Replace::Overwrite } else { Replace::Refuse };
    let path = session.workspace()?.write_case(&folder, &case, replace)?;
    Ok(Added { path, case, today })
}

/// The step that a case is about. A model alone is asked what the caller sent: a later version may take more of it.
fn asked<'a>(graph: &'a Graph, why: &Why, expected: BTreeMap<String, Expectation>) -> Result<StepAsked<'a>, Problem> {
    match graph.steps.as_slice() {
        [step] => Ok(StepAsked { step, inputs: why.record.inputs.clone(), expected }),
        _ => case::step_asked(graph, &why.record, expected),
    }
}

fn case_from(args: &AddArgs, id: &PredictionId, asked: &StepAsked<'_>) -> Result<RegressionCase, Problem> {
    let input = asked.inputs.iter().map(|tensor| Ok((tensor.name.clone(), cell(tensor, args.row)?)));
    let text = id.to_string();
    let name = match &args.name {
        Some(name) => name.clone(),
        None => CaseName::new(format!("case-{}", &text[text.len() - 8..]))?,
    };
    Ok(RegressionCase {
        name,
        input: input.collect::<Result<_, Problem>>()?,
        expected: asked.expected.clone(),
        tolerance: args.tolerance,
        why: args.why.clone(),
        from: Some(*id),
    })
}

/// One row of a recorded input: a value alone, or a list where the input is wide.
fn cell(tensor: &LoggedTensor, row: Option<usize>) -> Result<Value, Problem> {
    let elements = tensor.data.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = tensor.shape.first().copied().unwrap_or(1).max(1);
    let row = match (row, rows) {
        (Some(row), rows) if row < rows => row,
        (None, 1) => 0,
        (Some(row), rows) => {
            return Err(Problem::invalid(format!("the request has no row {row}"))
                .hint(format!("its rows are 0 to {}", rows - 1)));
        }
        (None, rows) => {
            return Err(Problem::invalid(format!("the request had {rows} rows")).hint("choose one with `--row`"));
        }
    };
    let width = elements.len() / rows;
    match elements.get(row * width..(row + 1) * width) {
        Some([]) | None => {
            Err(Problem::new(ErrorKind::Corrupt, format!("the recorded input `{}` is cut off", tensor.name)))
        }
        Some([one]) => Ok(one.clone()),
        Some(several) => Ok(Value::from(several.to_vec())),
    }
}

fn text(added: &Added, output: &Output) -> String {
    let expected =
        added.case.expected.iter().map(|(name, one)| format!("`{name}` {}", one.describe(added.case.tolerance)));
    let expected = expected.collect::<Vec<_>>().join(", ");
    let today = view::gate::case_results(&added.today, output);
    format!("{}  {expected}\n{today}", output.bold(&added.path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stemma_core::signature::Datatype;

    use super::*;

    fn taken(shape: &[usize], data: Value, row: Option<usize>) -> Result<Value, String> {
        let tensor = LoggedTensor { name: "x".into(), datatype: Datatype::Fp32, shape: shape.to_vec(), data };
        cell(&tensor, row).map_err(|problem| problem.message)
    }

    #[test]
    fn one_row_is_taken_from_what_was_recorded() {
        for (shape, data, row, expected) in [
            (&[1, 1][..], json!([1.5]), None, json!(1.5)),
            (&[1], json!(["a"]), None, json!("a")),
            (&[], json!([7]), None, json!(7)),
            (&[1, 3], json!([1, 2, 3]), None, json!([1, 2, 3])),
            (&[2, 2], json!([1, 2, 3, 4]), Some(1), json!([3, 4])),
            (&[1, 1], json!(["NaN"]), Some(0), json!("NaN")),
        ] {
            assert_eq!(taken(shape, data.clone(), row), Ok(expected), "{shape:?} {data}");
        }
    }

    #[test]
    fn a_row_that_is_not_there_is_named() {
        assert_eq!(taken(&[2, 1], json!([1, 2]), None).unwrap_err(), "the request had 2 rows");
        assert_eq!(taken(&[2, 1], json!([1, 2]), Some(2)).unwrap_err(), "the request has no row 2");
        for (shape, data) in [(&[1, 1][..], json!([])), (&[3], json!([1])), (&[1], Value::Null)] {
            let row = Some(shape[0] - 1);
            assert_eq!(taken(shape, data, row).unwrap_err(), "the recorded input `x` is cut off");
        }
    }
}
