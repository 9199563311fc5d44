//! Draws a family tree as SVG: layers from left to right the way data flows, raw data first, the prediction's revision last.

use std::{collections::HashMap, fmt::Write as _};

use stemma_api::types::{FamilyTree, TreeNode};
use stemma_core::lineage::{Certainty, Edge, Node};

const BOX_WIDTH: f64 = 196.0;
const BOX_HEIGHT: f64 = 46.0;
const GAP_X: f64 = 44.0;
const GAP_Y: f64 = 18.0;
const MARGIN: f64 = 12.0;
/// Sweeps of the crossing heuristic; more change nothing on trees this small.
const SWEEPS: usize = 6;
/// Characters that fit into a box.
const LABEL_CHARS: usize = 25;

/// Nodes in a picture; more are listed.
const DRAWN_MAX: usize = 250;

/// Where each node stands: `layers[x]` lists indexes into the tree's nodes from top to bottom.
struct Placement {
    layers: Vec<Vec<usize>>,
}

/// Returns an `<svg>` element, or nothing if the tree is too large for one to be read.
pub fn picture(tree: &FamilyTree) -> Option<String> {
    (tree.nodes.len() <= DRAWN_MAX).then(|| draw(tree))
}

/// Every text in it is escaped.
fn draw(tree: &FamilyTree) -> String {
    let index: HashMap<&Node, usize> = tree.nodes.iter().enumerate().map(|(i, node)| (&node.node, i)).collect();
    let edges: Vec<(usize, usize, &Edge)> =
        tree.edges.iter().filter_map(|edge| Some((*index.get(&edge.from)?, *index.get(&edge.to)?, edge))).collect();
    let links: Vec<(usize, usize)> = edges.iter().map(|(from, to, _)| (*from, *to)).collect();
    let placement = place(tree.nodes.len(), &links);
    let tallest = placement.layers.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let width = MARGIN * 2.0 + placement.layers.len() as f64 * (BOX_WIDTH + GAP_X) - GAP_X;
    let height = MARGIN * 2.0 + tallest * (BOX_HEIGHT + GAP_Y) - GAP_Y;
    let positions = positions(&placement, height, tree.nodes.len());

    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg class=\"tree\" viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" role=\"img\" \
         aria-label=\"family tree\">",
        w = width.max(1.0),
        h = height.max(1.0),
    );
    for (from, to, edge) in &edges {
        draw_edge(&mut svg, positions[*from], positions[*to], edge);
    }
    for (node, position) in tree.nodes.iter().zip(&positions) {
        draw_node(&mut svg, node, *position);
    }
    svg.push_str("</svg>");
    svg
}

/// Layer by the longest path from a source, then order within layers by the mean position of neighbours.
fn place(count: usize, edges: &[(usize, usize)]) -> Placement {
    let mut layer = vec![0usize; count];
    // the graph has no cycles, so after `count` rounds nothing moves; a damaged one stops there too
    for _ in 0..count {
        let mut moved = false;
        for (from, to) in edges {
            if from != to && layer[*to] < layer[*from] + 1 && layer[*from] + 1 < count {
                layer[*to] = layer[*from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    pull_sources_right(&mut layer, edges);
    let depth = layer.iter().max().map_or(0, |deepest| deepest + 1);
    let mut layers = vec![Vec::new(); depth];
    for (node, layer) in layer.iter().enumerate() {
        layers[*layer].push(node);
    }
    layers.retain(|nodes| !nodes.is_empty());
    for sweep in 0..SWEEPS {
        reorder(&mut layers, edges, sweep % 2 == 0);
    }
    Placement { layers }
}

/// A source stands just before the first thing it feeds, not at the far left.
fn pull_sources_right(layer: &mut [usize], edges: &[(usize, usize)]) {
    for node in 0..layer.len() {
        let has_parent = edges.iter().any(|(_, to)| *to == node);
        let first_child = edges.iter().filter(|(from, _)| *from == node).map(|(_, to)| layer[*to]).min();
        if let (false, Some(child)) = (has_parent, first_child) {
            layer[node] = child.saturating_sub(1);
        }
    }
}

fn reorder(layers: &mut [Vec<usize>], edges: &[(usize, usize)], forward: bool) {
    let mut place: HashMap<usize, f64> = HashMap::new();
    for nodes in layers.iter() {
        for (i, node) in nodes.iter().enumerate() {
            place.insert(*node, (i as f64 + 0.5) / nodes.len() as f64);
        }
    }
    for nodes in layers.iter_mut() {
        let mut keyed: Vec<(f64, usize)> = nodes
            .iter()
            .map(|node| {
                let near: Vec<f64> = edges
                    .iter()
                    .filter_map(|(from, to)| match forward {
                        true => (to == node).then(|| place[from]),
                        false => (from == node).then(|| place[to]),
                    })
                    .collect();
                let mean = near.iter().sum::<f64>() / near.len() as f64;
                (if near.is_empty() { place[node] } else { mean }, *node)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        *nodes = keyed.into_iter().map(|(_, node)| node).collect();
        for (i, node) in nodes.iter().enumerate() {
            place.insert(*node, (i as f64 + 0.5) / nodes.len() as f64);
        }
    }
}

/// Upper left corners; layers are centred vertically.
fn positions(placement: &Placement, height: f64, count: usize) -> Vec<(f64, f64)> {
    let mut positions = vec![(0.0, 0.0); count];
    for (x, nodes) in placement.layers.iter().enumerate() {
        let used = nodes.len() as f64 * (BOX_HEIGHT + GAP_Y) - GAP_Y;
        let top = (height - used) / 2.0;
        for (y, node) in nodes.iter().enumerate() {
            positions[*node] = (MARGIN + x as f64 * (BOX_WIDTH + GAP_X), top + y as f64 * (BOX_HEIGHT + GAP_Y));
        }
    }
    positions
}

fn draw_edge(svg: &mut String, from: (f64, f64), to: (f64, f64), edge: &Edge) {
    let (x1, y1) = (from.0 + BOX_WIDTH, from.1 + BOX_HEIGHT / 2.0);
    let (x2, y2) = (to.0, to.1 + BOX_HEIGHT / 2.0);
    let bend = ((x2 - x1) / 2.0).max(GAP_X / 2.0);
    let certainty = match edge.certainty {
        Certainty::Observed => "observed",
        Certainty::Declared => "declared",
        Certainty::Inferred => "inferred",
        Certainty::Imported => "imported",
    };
    let role = edge.role.as_deref().map(|role| format!(" as {role}")).unwrap_or_default();
    let _ = write!(
        svg,
        "<path class=\"edge {certainty}\" d=\"M{x1:.1} {y1:.1} C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\">\
         <title>{}{} ({certainty})</title></path>",
        x1 + bend,
        x2 - bend,
        edge.kind.as_str(),
        escape(&role),
    );
}

fn draw_node(svg: &mut String, node: &TreeNode, (x, y): (f64, f64)) {
    let kind = node.node.kind.as_str();
    if let Some(href) = &node.href {
        let _ = write!(svg, "<a href=\"{}\">", escape(href));
    }
    let _ = write!(
        svg,
        "<g class=\"node {kind}\"><title>{}: {}</title>\
         <rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\
         <text x=\"{tx:.1}\" y=\"{ty:.1}\" class=\"label\">{}</text>\
         <text x=\"{tx:.1}\" y=\"{dy:.1}\" class=\"detail\">{}</text></g>",
        kind.replace('_', " "),
        escape(&node.node.key),
        escape(&shorten(&node.label)),
        escape(&shorten(&node.detail)),
        tx = x + 12.0,
        ty = y + 19.0,
        dy = y + 36.0,
    );
    if node.href.is_some() {
        svg.push_str("</a>");
    }
}

/// Keeps the end of a long text: of paths and commands it says the most.
fn shorten(text: &str) -> String {
    let count = text.chars().count();
    if count <= LABEL_CHARS {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count - (LABEL_CHARS - 1)).collect();
    format!("…{tail}")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use stemma_core::lineage::{EdgeKind, NodeKind};

    use super::*;

    fn node(key: &str) -> TreeNode {
        let node = Node::new(NodeKind::Content, key);
        TreeNode { node, label: key.into(), detail: String::new(), href: None }
    }

    fn edge(from: &str, to: &str) -> Edge {
        Edge {
            from: Node::new(NodeKind::Content, from),
            to: Node::new(NodeKind::Content, to),
            kind: EdgeKind::Read,
            role: None,
            certainty: Certainty::Observed,
        }
    }

    #[test]
    fn data_stands_left_of_what_it_feeds() {
        let placement = place(4, &[(0, 1), (1, 2), (3, 2)]);
        assert_eq!(placement.layers, [vec![0], vec![1, 3], vec![2]]);
    }

    #[test]
    fn a_cycle_in_damaged_data_still_draws() {
        let tree = FamilyTree {
            nodes: vec![node("a"), node("b")],
            edges: vec![edge("a", "b"), edge("b", "a"), edge("a", "a")],
            complete: true,
        };
        assert!(draw(&tree).contains("</svg>"));
        assert!(draw(&FamilyTree::default()).contains("</svg>"));
    }

    #[test]
    fn hostile_labels_are_only_text() {
        let hostile = "<script>alert(1)</script>\"'&";
        let mut bad = node(hostile);
        bad.href = Some("/x\" onload=\"alert(1)".into());
        let svg = draw(&FamilyTree { nodes: vec![bad], edges: vec![], complete: true });
        assert!(!svg.contains("<script") && !svg.contains("\" onload"), "{svg}");
    }

    #[test]
    fn long_labels_keep_their_end() {
        assert_eq!(shorten("python3 train.py --model boosting"), "…rain.py --model boosting");
    }
}
