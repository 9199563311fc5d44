//! Tables that two runs read under one path: which rows came and went, and which columns moved.

use stemma_api::types::{FileDifference, MovedColumn, TableDifference};
use stemma_core::Problem;
use stemma_stats::kolmogorov_smirnov;

use crate::{
    Known,
    problem::internal,
    table::{Pair, Table},
};

/// Tables that are compared.
const TABLES_MAX: usize = 20;
/// Columns that are named as moved.
const MOVED_MAX: usize = 5;
/// Distances below this are not worth a line.
const DISTANCE_MIN: f64 = 0.02;

pub(crate) async fn compare_tables(
    known: &Known,
    files: &[FileDifference],
    notes: &mut Vec<String>,
) -> Vec<TableDifference> {
    let mut found = Vec::new();
    let changed = files.iter().filter(|file| file.direction == "input" && !file.is_same());
    for file in changed.take(TABLES_MAX) {
        let (Some(a), Some(b)) = (file.a, file.b) else {
            continue;
        };
        let tables = async {
            Ok::<_, Problem>((known.read_table(&file.path, a).await?, known.read_table(&file.path, b).await?))
        };
        let compared = match tables.await {
            Ok((a, b)) => tokio::task::spawn_blocking({
                let path = file.path.clone();
                move || compare_pair(path, &a, &b)
            })
            .await
            .map_err(internal),
            Err(problem) => Err(problem),
        };
        match compared {
            Ok(compared) => found.push(compared),
            Err(problem) => notes.push(format!("`{}` is not compared row by row: {}", file.path, problem.message)),
        }
    }
    found
}

fn compare_pair(path: String, a: &Table, b: &Table) -> TableDifference {
    let only = |one: &Table, other: &Table| -> Vec<String> {
        one.columns.iter().filter(|column| !other.columns.contains(column)).cloned().collect()
    };
    let shared = Pair::shared(b, a);
    let same = if shared.is_empty() { Vec::new() } else { b.rows_in(a, &shared) };
    let mut moved: Vec<MovedColumn> = shared
        .iter()
        .filter_map(|pair| moved(&b.columns[pair.mine], &numbers(a, pair.theirs)?, &numbers(b, pair.mine)?))
        .filter(|column| column.distance >= DISTANCE_MIN)
        .collect();
    moved.sort_by(|one, two| two.distance.total_cmp(&one.distance));
    moved.truncate(MOVED_MAX);
    TableDifference {
        path,
        a_rows: a.row_count() as u64,
        b_rows: b.row_count() as u64,
        shared_rows: same.iter().filter(|same| **same).count() as u64,
        columns_added: only(b, a),
        columns_removed: only(a, b),
        moved,
    }
}

/// The cells of a column if all of them are numbers.
fn numbers(table: &Table, column: usize) -> Option<Vec<f64>> {
    let number = |cell: &str| cell.trim().parse().ok().filter(|number: &f64| number.is_finite());
    table.cells(column).map(number).collect()
}

fn moved(column: &str, a: &[f64], b: &[f64]) -> Option<MovedColumn> {
    let distance = kolmogorov_smirnov(a, b).ok()?.statistic;
    let mean = |of: &[f64]| stemma_stats::mean(of).ok();
    Some(MovedColumn { column: column.to_owned(), distance, a_mean: mean(a)?, b_mean: mean(b)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_columns_and_distributions_are_compared() {
        let table = |text: &str| Table::parse("t", text.as_bytes()).unwrap();
        let a = table("id,age,old\n1,20,x\n2,30,x\n3,40,x\n");
        let b = table("id,age,new\n2,30,y\n3,40,y\n4,90,y\n5,95,y\n");
        let found = compare_pair("t.csv".into(), &a, &b);
        assert_eq!((found.a_rows, found.b_rows, found.shared_rows), (3, 4, 2));
        assert_eq!((found.columns_added, found.columns_removed), (vec!["new".to_owned()], vec!["old".to_owned()]));
        assert_eq!(found.moved[0].column, "id");
        assert_eq!(found.moved.len(), 2);
    }
}
