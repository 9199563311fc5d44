//! A tree as lines of text.

use std::fmt::Write as _;

/// Something with a line of its own and things that belong to it.
#[derive(Debug, Default, PartialEq)]
pub struct Branch {
    pub line: String,
    pub branches: Vec<Branch>,
}

impl Branch {
    pub fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), branches: Vec::new() }
    }

    /// Adds a branch.
    pub fn add(&mut self, branch: Branch) {
        self.branches.push(branch);
    }

    /// Adds `label: text`, unless there is no text.
    pub fn leaf(&mut self, label: &str, text: &str) {
        if !text.is_empty() {
            self.add(Self::new(format!("{label}: {text}")));
        }
    }

    /// The lines of everything below this one.
    pub fn draw(&self) -> String {
        let mut text = String::new();
        self.draw_below(&mut text, "");
        text
    }

    fn draw_below(&self, text: &mut String, indent: &str) {
        for (i, branch) in self.branches.iter().enumerate() {
            let last = i + 1 == self.branches.len();
            let (fork, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let _ = writeln!(text, "{indent}{fork}{}", branch.line);
            branch.draw_below(text, &format!("{indent}{below}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_hang_below_each_other() {
        let mut inner = Branch::new("run");
        inner.leaf("code", "abc");
        inner.leaf("nothing", "");
        let mut tree = Branch::new("root");
        tree.add(inner);
        tree.leaf("data", "train@1");
        assert_eq!(tree.draw(), "├─ run\n│  └─ code: abc\n└─ data: train@1\n");
    }
}
