//! The rows as a command is asked them: CSV with a key, and without what is true.

use stemma_core::policy::EvaluationSpec;

use crate::table::Table;

/// The column that says which row is which, counted from 0; data that has a column of this name gets the other.
const KEYS: [&str; 2] = ["row", "stemma_row"];

/// What the key of the rows is called.
pub fn key_of(table: &Table) -> &'static str {
    let is_free = |key: &&&str| !table.columns.iter().any(|column| column == **key);
    KEYS.iter().find(is_free).copied().unwrap_or(KEYS[1])
}

/// Writes all rows of the data in its order; the same data always gives the same bytes.
pub fn write_question(table: &Table, spec: &EvaluationSpec) -> Vec<u8> {
    let is_truth = |column: &String| *column == spec.target || spec.labels.contains(column);
    let kept: Vec<usize> = (0..table.columns.len()).filter(|at| !is_truth(&table.columns[*at])).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = kept.iter().map(|column| table.columns[*column].as_str());
    write(&mut writer, key_of(table), names);
    for row in 0..table.row_count() {
        write(&mut writer, &row.to_string(), kept.iter().map(|column| table.cell(row, *column)));
    }
    writer.into_inner().expect("memory takes every row")
}

fn write<'c>(writer: &mut csv::Writer<Vec<u8>>, key: &'c str, cells: impl Iterator<Item = &'c str>) {
    writer.write_record(std::iter::once(key).chain(cells)).expect("memory takes every row");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str, labels: &[&str]) -> String {
        let table = Table::parse("t@1", text.as_bytes()).unwrap();
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let spec = EvaluationSpec { target: "y".into(), labels, ..EvaluationSpec::default() };
        String::from_utf8(write_question(&table, &spec)).unwrap()
    }

    #[test]
    fn rows_are_asked_without_what_is_true() {
        assert_eq!(question("a,y,b\n1,bad,\"x,y\"\n,good,z\n", &[]), "row,a,b\n0,1,\"x,y\"\n1,,z\n");
        assert_eq!(question("row,y\n7,bad\n", &[]), "stemma_row,row\n0,7\n");
        assert_eq!(question("a,l,m\n1,0,1\n", &["l", "m"]), "row,a\n0,1\n");
    }
}
