//! A TensorFlow SavedModel: the operations of its graphs.
//!
//! Format: `saved_model.proto`, `meta_graph.proto`, `graph.proto` and `function.proto` of
//! <https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core>. A graph is a program of operations; those that
//! reach files or Python are told.

use std::{collections::BTreeSet, io};

use stemma_core::look::ModelFormat;
use stemma_format::{
    ReadAt,
    protobuf::{self, Value},
    walk::{Cursor, Walk, ensure, settle},
};

use crate::{
    findings::Findings,
    keras::{Asked, CONFIG_LEN_MAX},
};

pub(crate) const SAVED_MODEL: &str = "saved_model.pb";
/// What Keras keeps beside it: how the layers are made.
pub(crate) const KERAS_METADATA: &str = "keras_metadata.pb";
/// How the identifiers of its objects begin.
const OF_KERAS: &[u8] = b"_tf_keras";
/// Configurations of one layer; there is one.
const CONFIGS_MAX: usize = 8;

/// Longest name of an operation.
const NAME_LEN_MAX: u64 = 256;
/// Names of operations that are told apart.
const NAMES_MAX: usize = 10_000;

/// Fields on the way to the operations: `SavedModel.meta_graphs.graph_def`, its `node.op`, and its
/// `library.function.node_def.op`.
mod field {
    pub const META_GRAPHS: u64 = 2;
    pub const GRAPH_DEF: u64 = 2;
    pub const GRAPH_NODE: u64 = 1;
    pub const GRAPH_LIBRARY: u64 = 2;
    pub const LIBRARY_FUNCTION: u64 = 1;
    pub const FUNCTION_NODE: u64 = 3;
    pub const NODE_OP: u64 = 2;
    /// `SavedMetadata.nodes`, and its `identifier` and `metadata`.
    pub const METADATA_NODES: u64 = 1;
    pub const LAYER: [u64; 2] = [4, 5];
    /// `MetaGraphDef.object_graph_def`, its `nodes.user_object`, and the same of it.
    pub const OBJECT_GRAPH: u64 = 7;
    pub const OBJECT_NODES: u64 = 1;
    pub const USER_OBJECT: u64 = 4;
    pub const OBJECT: [u64; 2] = [1, 3];
}

/// What these operations do that arithmetic does not.
const REACHING: [(&str, &str); 9] = [
    ("EagerPyFunc", "calls Python"),
    ("PyFunc", "calls Python"),
    ("PyFuncStateless", "calls Python"),
    ("ReadFile", "reads files"),
    ("MatchingFiles", "lists files"),
    ("WriteFile", "writes files"),
    ("Save", "writes files"),
    ("SaveSlices", "writes files"),
    ("PrintV2", "prints, also to files"),
];

pub(crate) fn findings(graph: &dyn ReadAt) -> io::Result<Findings> {
    let mut found = Findings::of(ModelFormat::Savedmodel);
    match settle(operations(graph))? {
        Some(operations) => {
            let reaching = REACHING.iter().filter(|(operation, _)| operations.contains(*operation));
            found.runs.extend(reaching.map(|(operation, does)| format!("operation `{operation}` {does}")));
        }
        None => found.unseen.push("`saved_model.pb`, which can't be followed".to_owned()),
    }
    look_at_objects(graph, &mut found)?;
    Ok(found)
}

/// Takes in what Keras wrote beside the graph: the configuration of each layer, as `saved_metadata.proto` of
/// <https://github.com/keras-team/tf-keras/tree/master/tf_keras/protobuf> has it.
pub(crate) fn look_at_keras(source: &dyn ReadAt, found: &mut Findings) -> io::Result<()> {
    let mut asked = Asked::default();
    let mut cursor = Cursor::new(source, 0, source.len());
    let read = below(&mut cursor, &[field::METADATA_NODES], &mut |node| layer(node, field::LAYER, &mut asked));
    tell(asked, settle(read)?, KERAS_METADATA, found);
    Ok(())
}

/// The same of what Keras wrote into the graph before there was a file for it: `saved_object_graph.proto`.
fn look_at_objects(source: &dyn ReadAt, found: &mut Findings) -> io::Result<()> {
    let mut asked = Asked::default();
    let mut cursor = Cursor::new(source, 0, source.len());
    let path = [field::META_GRAPHS, field::OBJECT_GRAPH, field::OBJECT_NODES, field::USER_OBJECT];
    let read = below(&mut cursor, &path, &mut |object| layer(object, field::OBJECT, &mut asked));
    tell(asked, settle(read)?, SAVED_MODEL, found);
    Ok(())
}

/// Looks at a layer's configuration, if it is one of Keras.
fn layer(node: &mut Cursor<'_>, [identifier, metadata]: [u64; 2], asked: &mut Asked) -> Walk<()> {
    let (mut is_of_keras, mut configs) = (false, Vec::new());
    while node.left() > 0 {
        match protobuf::next(node)? {
            (field, Value::Bytes(len)) if field == identifier => {
                ensure(len <= NAME_LEN_MAX)?;
                is_of_keras |= node.bytes(len)?.starts_with(OF_KERAS);
            }
            (field, Value::Bytes(len)) if field == metadata && len > 0 => {
                ensure(len <= CONFIG_LEN_MAX && configs.len() < CONFIGS_MAX)?;
                configs.push(node.bytes(len)?);
            }
            (_, value) => protobuf::skip(node, &value)?,
        }
    }
    configs.iter().filter(|_| is_of_keras).for_each(|config| asked.look_at(config));
    Ok(())
}

fn tell(asked: Asked, read: Option<()>, file: &str, found: &mut Findings) {
    asked.tell(found);
    if read.is_none() {
        found.unseen.push(format!("layers of Keras in `{file}`, which can't be followed"));
    }
}

fn operations(source: &dyn ReadAt) -> Walk<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut cursor = Cursor::new(source, 0, source.len());
    below(&mut cursor, &[field::META_GRAPHS, field::GRAPH_DEF], &mut |graph| {
        while graph.left() > 0 {
            match protobuf::next(graph)? {
                (field::GRAPH_NODE, Value::Bytes(len)) => inside(graph, len, &mut |node| operation(node, &mut names))?,
                (field::GRAPH_LIBRARY, Value::Bytes(len)) => inside(graph, len, &mut |library| {
                    let path = [field::LIBRARY_FUNCTION, field::FUNCTION_NODE];
                    below(library, &path, &mut |node| operation(node, &mut names))
                })?,
                (_, value) => protobuf::skip(graph, &value)?,
            }
        }
        Ok(())
    })?;
    // it has at least what it begins with
    ensure(!names.is_empty())?;
    Ok(names)
}

type Visit<'v> = &'v mut dyn FnMut(&mut Cursor<'_>) -> Walk<()>;

/// Visits all messages that lie at the end of a path of fields.
fn below(cursor: &mut Cursor<'_>, path: &[u64], visit: Visit<'_>) -> Walk<()> {
    let Some((first, rest)) = path.split_first() else { return visit(cursor) };
    while cursor.left() > 0 {
        match protobuf::next(cursor)? {
            (field, Value::Bytes(len)) if field == *first => {
                inside(cursor, len, &mut |inner| below(inner, rest, visit))?;
            }
            (_, value) => protobuf::skip(cursor, &value)?,
        }
    }
    Ok(())
}

fn inside(cursor: &mut Cursor<'_>, len: u64, visit: Visit<'_>) -> Walk<()> {
    let mut inner = cursor.inner(len)?;
    visit(&mut inner)?;
    cursor.resume(inner);
    Ok(())
}

fn operation(node: &mut Cursor<'_>, names: &mut BTreeSet<String>) -> Walk<()> {
    while node.left() > 0 {
        match protobuf::next(node)? {
            (field::NODE_OP, Value::Bytes(len)) => {
                ensure(len <= NAME_LEN_MAX && names.len() < NAMES_MAX)?;
                names.insert(node.string(len)?);
            }
            (_, value) => protobuf::skip(node, &value)?,
        }
    }
    Ok(())
}
