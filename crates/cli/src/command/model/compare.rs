use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Several, Sides, With};
use stemma_core::Problem;
use stemma_server::href;

use crate::{
    argument::{AtArgs, is_prediction, prediction},
    global::Global,
    print::Output,
    session, view,
};

/// Compare versions of models, or two predictions
///
/// Two versions: which one to take, metrics, tests on the same rows, data, code, packages, and how much is the same. Both are
/// judged on the data that the second one's model declares: by the rows that were kept, or asked now. RECOMMEND_A or
/// RECOMMEND_B needs an interval of the score that lies wholly beyond 5 %, and gates that stand; SIMILAR_PERFORMANCE one
/// that lies within.
///
/// Many versions, or a model alone for all of its versions: what their newest evaluations found, side by side, and up to ten
/// also row by row beside the first.
///
/// Predictions: inputs, versions, steps, overrides and outputs side by side, and which inputs make the difference: what
/// answered A is asked again with values of B, one at a time, and one after the other in the best order found.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// As in `credit-score@1.0.0`, `credit-score@champion`, `credit-score` for all, or a prediction as in `pred_…`
    #[arg(value_name = "THING", required = true)]
    things: Vec<String>,
    #[command(flatten)]
    when: AtArgs,
}

pub async fn run(args: CompareArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let predictions = args.things.iter().filter(|thing| is_prediction(thing)).count();
    match (args.things.as_slice(), predictions) {
        ([_, _], 2) if args.when.at.is_some() => {
            Err(Problem::invalid("predictions never change").hint("leave `--at` out"))
        }
        ([a, b], 2) => compare_predictions([a, b], global, output).await,
        ([a, b], 1) => Err(Problem::invalid(format!("`{a}` and `{b}` are not two of a kind"))
            .hint("give two versions, as in `credit-score@1.0.0`, or two predictions, as in `pred_…`")),
        ([a, b], 0) => versions(Sides { a: a.clone(), b: b.clone() }, &args.when, global, output).await,
        (_, 0) => several(asked(args.things)?, &args.when, global, output).await,
        _ => Err(Problem::invalid("only two predictions can be compared").hint("give two, as in `pred_…`")),
    }
}

/// A model's name alone stands for all of its versions, if it is the only thing that is named.
fn asked(things: Vec<String>) -> Result<Several, Problem> {
    match things.as_slice() {
        [model] if !model.contains('@') => Ok(Several { of: Vec::new(), model: Some(model.parse()?) }),
        [one] => Err(Problem::invalid(format!("`{one}` is not compared with anything"))
            .hint("name another version, or the model alone for all of its versions")),
        _ => Ok(Several { of: things, model: None }),
    }
}

async fn compare_predictions([a, b]: [&str; 2], global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (a, with) = (prediction(a)?, With { with: prediction(b)? });
    session::with(global, async |session| {
        let found = session.client.compare_predictions(&a, &with).await?;
        let page = session.page(&href::compare_predictions(&a, &with));
        output.result(&found, || view::compare_predictions::text(&found, page.as_deref(), output));
        Ok(())
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn versions(sides: Sides, when: &AtArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (found, as_of) = session::with(global, async |session| {
        let client = session.client.clone().at(when.at);
        Ok((client.compare(&session.project, &sides).await?, client.told_as_of()))
    })
    .await?;
    output.dated(as_of, &found, || view::compare::text(&found, output));
    Ok(ExitCode::SUCCESS)
}

async fn several(asked: Several, when: &AtArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (found, as_of, page) = session::with(global, async |session| {
        let client = session.client.clone().at(when.at);
        let found = client.compare_several(&session.project, &asked).await?;
        Ok((found, client.told_as_of(), session.page(&href::compare_several(&session.project, &asked))))
    })
    .await?;
    output.dated(as_of, &found, || view::compare_several::text(&found, page.as_deref()));
    Ok(ExitCode::SUCCESS)
}
