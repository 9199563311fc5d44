use std::path::Path;

use stemma_batch::Summary;

pub fn text(summary: &Summary) -> String {
    let Summary { endpoint, revision, rows, errors, seconds, .. } = summary;
    let mut text =
        format!("{rows} rows, {errors} with errors, in {seconds:.1} s by revision {revision} of {endpoint}\n");
    for (versions, rows) in &summary.versions {
        text.push_str(&format!("  {versions}: {rows}\n"));
    }
    if summary.output != Path::new("-") {
        text.push_str(&format!("written to {}", summary.output.display()));
    }
    text
}
