//! The column `nodes`: for each record a list of what its steps did.

use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, ListArray, RecordBatch, StructArray,
    builder::{StringBuilder, UInt64Builder},
    cast::AsArray as _,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields};
use parquet::{errors::ParquetError, schema::types::ColumnPath};
use stemma_core::endpoint::{
    prediction::{NodeEnding, NodeRecord},
    target::{Identity, StepKind},
};

use super::cells::{Cells, json};

const COLUMN: &str = "nodes";
/// As Parquet names the members of lists.
const ELEMENT: &str = "element";

fn fields() -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let maybe = |name: &str| Field::new(name, DataType::Utf8, true);
    let fields = vec![
        text("node"),
        text("kind"),
        maybe("digest"),
        maybe("external"),
        maybe("model"),
        maybe("version"),
        Field::new("began_us", DataType::UInt64, true),
        Field::new("latency_us", DataType::UInt64, false),
        maybe("ended"),
        text("outputs"),
    ];
    Fields::from(fields)
}

fn element() -> FieldRef {
    Arc::new(Field::new(ELEMENT, DataType::Struct(fields()), false))
}

pub fn data_type() -> DataType {
    DataType::List(element())
}

/// Members whose values seldom repeat.
pub fn distinct() -> impl Iterator<Item = ColumnPath> {
    let path = |member: &str| ColumnPath::new([COLUMN, "list", ELEMENT, member].map(str::to_owned).to_vec());
    ["began_us", "latency_us", "outputs"].into_iter().map(path)
}

/// The path of a member's column.
pub fn path(member: &str) -> String {
    format!("{COLUMN}.list.{ELEMENT}.{member}")
}

/// Whether a column is a member's.
pub fn is_member(path: &str) -> bool {
    path.strip_prefix(COLUMN).is_some_and(|rest| rest.starts_with('.'))
}

/// The steps of a row, as far as their members were read; `None` if the column is missing or holds something else.
pub fn members_at(batch: &RecordBatch, at: usize) -> Option<StructArray> {
    let steps = batch.column_by_name(COLUMN)?.as_list_opt::<i32>()?.value(at);
    steps.as_struct_opt().cloned()
}

/// The lists of whole records.
pub struct Nodes {
    offsets: Vec<i32>,
    node: StringBuilder,
    kind: StringBuilder,
    digest: StringBuilder,
    external: StringBuilder,
    model: StringBuilder,
    version: StringBuilder,
    began_us: UInt64Builder,
    latency_us: UInt64Builder,
    ended: StringBuilder,
    outputs: StringBuilder,
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            offsets: vec![0],
            node: StringBuilder::new(),
            kind: StringBuilder::new(),
            digest: StringBuilder::new(),
            external: StringBuilder::new(),
            model: StringBuilder::new(),
            version: StringBuilder::new(),
            began_us: UInt64Builder::new(),
            latency_us: UInt64Builder::new(),
            ended: StringBuilder::new(),
            outputs: StringBuilder::new(),
        }
    }
}

impl Nodes {
    /// Adds a record's steps; returns how many bytes of it can be long.
    pub fn push(&mut self, nodes: &[NodeRecord]) -> Result<usize, ParquetError> {
        let mut bytes = 0;
        for node in nodes {
            let outputs = json(&node.outputs)?;
            bytes += outputs.len();
            let external = match &node.what {
                Identity::Digest(_) => None,
                Identity::External(name) => Some(name),
            };
            self.node.append_value(&node.node);
            self.kind.append_value(node.kind.as_str());
            self.digest.append_option(node.what.digest().map(|digest| digest.to_string()));
            self.external.append_option(external);
            self.model.append_option(node.model.as_ref().map(|model| model.as_str()));
            self.version.append_option(node.version.as_ref().map(ToString::to_string));
            self.began_us.append_option(node.began_us);
            self.latency_us.append_value(node.latency_us);
            self.ended.append_option(node.ended.map(NodeEnding::as_str));
            self.outputs.append_value(outputs);
        }
        let end = self.offsets.last().copied().unwrap_or(0) as usize + nodes.len();
        let end = i32::try_from(end).map_err(|_| ParquetError::General("too many steps in one batch".to_owned()))?;
        self.offsets.push(end);
        Ok(bytes)
    }

    pub fn finish(mut self) -> Result<ListArray, ParquetError> {
        let members: Vec<ArrayRef> = vec![
            Arc::new(self.node.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.digest.finish()),
            Arc::new(self.external.finish()),
            Arc::new(self.model.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.began_us.finish()),
            Arc::new(self.latency_us.finish()),
            Arc::new(self.ended.finish()),
            Arc::new(self.outputs.finish()),
        ];
        let nodes = StructArray::try_new(fields(), members, None)?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Ok(ListArray::try_new(element(), offsets, Arc::new(nodes), None)?)
    }
}

/// The steps of a row; `None` if the column is missing or holds something else.
pub fn nodes_at(cells: &Cells<'_, RecordBatch>) -> Option<Vec<NodeRecord>> {
    let nodes = members_at(cells.of, cells.at)?;
    (0..nodes.len()).map(|at| node_at(&Cells { of: &nodes, at })).collect()
}

fn node_at(cells: &Cells<'_, StructArray>) -> Option<NodeRecord> {
    let what = match (cells.maybe("digest")?, cells.maybe("external")?) {
        (Some(digest), None) => Identity::Digest(digest.parse().ok()?),
        (None, Some(name)) => Identity::External(name.to_owned()),
        _ => return None,
    };
    Some(NodeRecord {
        node: cells.text("node")?.to_owned(),
        kind: StepKind::parse(cells.text("kind")?)?,
        what,
        model: cells.maybe_read("model", |model| model.parse().ok())?,
        version: cells.maybe_read("version", |version| version.parse().ok())?,
        began_us: cells.maybe_long("began_us")?,
        latency_us: cells.long("latency_us")?,
        ended: cells.maybe_read("ended", NodeEnding::parse)?,
        outputs: cells.json("outputs")?,
    })
}
