//! Profile: what a table holds, column by column, and which columns go together.

mod associate;
mod figures;
mod notes;

use std::collections::HashSet;

use stemma_api::types::{ColumnProfile, Resolved, TableProfile};
use stemma_core::{Problem, name::ProjectName};

use self::{associate::associate, figures::figures};
use crate::{
    Caller, Known,
    data::{column::Column, rows::SCANS},
    problem::internal,
    table::Table,
};

impl Known {
    /// Profiles a table by any reference to it that a person types.
    pub async fn profile(
        &self,
        caller: &Caller,
        project: &ProjectName,
        reference: &str,
    ) -> Result<TableProfile, Problem> {
        let found = self.resolve_for(caller, project, reference).await?;
        if found.is_folder {
            let message = format!("`{}` is a folder, and only tables are profiled", found.name);
            return Err(Problem::invalid(message).hint("name a file of it, by its digest or as a dataset of its own"));
        }
        self.readable_content(project, found.digest).await?;
        let _turn = SCANS.acquire().await.map_err(internal)?;
        let table = self.read_table(&found.name, found.digest).await?;
        tokio::task::spawn_blocking(move || profile(&table, &found)).await.map_err(internal)
    }
}

fn profile(table: &Table, found: &Resolved) -> TableProfile {
    let columns: Vec<Column<'_>> = (0..table.columns.len()).map(|at| Column::read(table, at)).collect();
    let mut left_out: Vec<String> = table
        .left_out()
        .map(|(name, kind)| format!("column `{name}`: it has the type {kind}, which no cell of text can say"))
        .collect();
    let profiles: Vec<ColumnProfile> = columns.iter().map(figures).collect();
    let (associations, more_associations) = associate(&columns, &mut left_out);
    TableProfile {
        name: found.name.clone(),
        digest: found.digest,
        rows: table.row_count() as u64,
        duplicate_rows: duplicate_rows(table),
        columns: profiles,
        associations,
        more_associations,
        left_out,
    }
}

fn duplicate_rows(table: &Table) -> u64 {
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let mut seen = HashSet::with_capacity(table.row_count());
    (0..table.row_count()).filter(|row| !seen.insert(table.text_key(*row, &all))).count() as u64
}

#[cfg(test)]
mod tests {
    use stemma_api::types::{AssociationKind, ColumnKind};
    use stemma_core::Digest;

    use super::*;

    fn profiled(csv: &str) -> TableProfile {
        let table = Table::parse("t@1", csv.as_bytes()).unwrap();
        let found = Resolved {
            name: "t@1".to_owned(),
            kind: "dataset".to_owned(),
            digest: Digest::of(csv.as_bytes()),
            sha256: None,
            size: csv.len() as u64,
            file_name: "t.csv".to_owned(),
            is_folder: false,
        };
        profile(&table, &found)
    }

    fn column(csv: &str) -> ColumnProfile {
        profiled(&format!("a,z\n{}", csv.lines().map(|cell| format!("{cell},1\n")).collect::<String>()))
            .columns
            .remove(0)
    }

    #[test]
    fn a_column_is_what_all_its_values_are() {
        for (cells, kind) in [
            ("1\n2\n", ColumnKind::Integer),
            ("1\n\n2.5\n", ColumnKind::Number),
            ("1\nNaN\ninf\n", ColumnKind::Number),
            ("true\nFalse\n", ColumnKind::Truth),
            ("2026-03-01\n2026-03-02T10:00:00Z\n", ColumnKind::Time),
            ("01067\n99084\n", ColumnKind::Text),
            ("1\nx\n", ColumnKind::Text),
            ("\n \n", ColumnKind::Empty),
        ] {
            assert_eq!(column(cells).kind, kind, "{cells:?}");
        }
    }

    #[test]
    fn numbers_have_their_figures_and_what_is_missing_is_counted() {
        let found = column("1\n2\n\n3\n-4\n0\ninf\n2.0\n");
        let numbers = found.numbers.unwrap();
        assert_eq!((found.missing, found.distinct, numbers.not_finite), (1, 6, 1));
        assert_eq!((numbers.min, numbers.max, numbers.zeros, numbers.negatives), (-4.0, 3.0, 1, 1));
        assert_eq!((numbers.quantile(0.5), numbers.counts.iter().sum::<u64>()), (Some(1.5), 6));
        let text = column("red\nblue\nred\n");
        assert_eq!((text.lengths, text.frequent[0].value.as_str(), text.frequent[0].count), (Some([3, 4]), "red", 2));
        assert_eq!(column("2026-03-02\n2026-03-01T00:00:01Z\n").times.unwrap()[0], "2026-03-01T00:00:01Z");
    }

    #[test]
    fn what_somebody_should_look_at_is_noted() {
        for (cells, note) in [
            ("5\n5\n5\n", "all values are the same"),
            ("a\nN/A\nb\nnull\n", "2 cells say that nothing is there: `N/A`, `null`"),
            ("Berlin\nberlin \nParis\n", "2 values differ only in case or white space: `Berlin`, `berlin `"),
            ("u1\nu2\nu3\nu4\nu5\nu6\nu7\nu8\nu9\nu10\n", "each value is there once: it may name the rows"),
            ("1\n\n\n\n", "75.0 % of the cells are empty"),
            ("1\n2\nx\n3\n4\n5\n6\n7\n8\n9\n", "1 of 10 values is not a number"),
        ] {
            let notes = column(cells).notes;
            assert!(notes.iter().any(|one| one.contains(note)), "{cells:?}: {notes:?}");
        }
        assert!(column("1\n2\n2\n3\n").notes.is_empty());
    }

    #[test]
    fn columns_that_go_together_are_found_whatever_they_hold() {
        let rows: String =
            (0..60).map(|n| format!("{n},{},{},{}\n", 60 - n, n % 2, if n < 30 { "x" } else { "y" })).collect();
        let found = profiled(&format!("up,down,odd,half\n{rows}"));
        let of = |a: &str, b: &str| {
            let one = found.associations.iter().find(|one| (one.a.as_str(), one.b.as_str()) == (a, b));
            one.map(|one| (one.by, (one.value * 100.0).round() / 100.0))
        };
        assert_eq!(of("up", "down"), Some((AssociationKind::Spearman, -1.0)));
        assert_eq!(of("up", "half"), Some((AssociationKind::CorrelationRatio, 0.87)));
        assert_eq!(of("odd", "half"), None, "what hardly goes together is not told");
        assert!(found.associations[0].value < -0.999_999, "{:?}", found.associations[0]);
        assert_eq!((found.rows, found.duplicate_rows), (60, 0));
        assert_eq!(profiled("a,b\n1,x\n2,y\n1,x\n1,x\n").duplicate_rows, 2);
    }

    #[test]
    fn what_was_not_compared_is_said() {
        let header: Vec<String> = (0..70).map(|n| format!("c{n}")).collect();
        let row = |n: u32| (0..70).map(|c| (n * 31 + c * n % 7).to_string()).collect::<Vec<_>>().join(",");
        let rows: Vec<String> = (0..20).map(row).collect();
        let found = profiled(&format!("{}\n{}\n", header.join(","), rows.join("\n")));
        assert!(found.left_out.iter().any(|one| one.contains("10 columns")), "{:?}", found.left_out);
        let none = profiled("a,b\n");
        assert_eq!((none.rows, none.columns.len(), none.associations.len()), (0, 2, 0));
    }
}
