//! Two versions side by side.

use stemma_api::{paths::pattern, types::VersionComparison};
use stemma_core::Problem;

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET pattern::COMPARE, Read, "two versions side by side, `?a=model@version&b=model@version`", compare, => VersionComparison),
    ]
}

async fn compare(context: Context) -> Result<VersionComparison, Problem> {
    let (a, b) = sides(&context)?;
    context.app.engine().compare_versions(&context.project()?, &a, &b).await
}

/// What is compared, from the query.
pub fn sides(context: &Context) -> Result<(String, String), Problem> {
    match (context.query("a"), context.query("b")) {
        (Some(a), Some(b)) => Ok((a, b)),
        _ => Err(Problem::invalid("two versions are compared").hint("add `?a=MODEL@VERSION&b=MODEL@VERSION`")),
    }
}
