//! What was found, in the words of the API.

use stemma_api::types::{Facet, FacetValue, FoundThing, FoundValue, SearchCounts};
use stemma_core::Problem;
use stemma_ledger::{Counts, Found, Shown};

use crate::problem::internal;

/// Values of a facet that are listed.
const VALUES_MAX: usize = 20;

pub fn thing(found: Found) -> Result<FoundThing, Problem> {
    let given = |text: String| (!text.is_empty()).then_some(text);
    let value = |shown: Shown| match shown {
        Shown::Number(number) => FoundValue::Number(number),
        Shown::Text(text) => FoundValue::Text(text),
    };
    Ok(FoundThing {
        project: found.project,
        name: found.name,
        version: given(found.version),
        stage: given(found.stage),
        aliases: found.aliases,
        format: given(found.format),
        by: found.by,
        registered: found.registered,
        run: given(found.run).map(|run| run.parse()).transpose().map_err(internal)?,
        digest: given(found.digest).map(|digest| digest.parse()).transpose().map_err(internal)?,
        status: given(found.status),
        kind: given(found.kind),
        values: found.shown.into_iter().map(|(name, shown)| (name, value(shown))).collect(),
    })
}

pub fn counts(counts: Counts) -> SearchCounts {
    let facets = counts.facets.into_iter().filter(|(_, values)| !values.is_empty()).map(|(field, values)| Facet {
        field: field.as_str().to_owned(),
        more: values.len().saturating_sub(VALUES_MAX) as u64,
        values: values
            .into_iter()
            .take(VALUES_MAX)
            .map(|one| FacetValue { value: one.value, count: one.count })
            .collect(),
    });
    SearchCounts { total: counts.total, complete: !counts.are_more, facets: facets.collect() }
}
