//! What things in the searched registries are called.

pub const PROJECTS: [&str; 3] = ["risk", "shop", "secret"];
/// What the caller may read.
pub const READABLE: [&str; 2] = ["risk", "shop"];
pub const MODELS: [&str; 3] = ["credit-score", "fraud", "Größe_x"];
pub const METRICS: [&str; 2] = ["auc", "brier"];
pub const PARAMS: [&str; 2] = ["lr", "optimizer.name"];
pub const GATES: [&str; 2] = ["baseline", "equal-by-sex"];
pub const INPUTS: [&str; 3] = ["age", "income", "it's"];
pub const PEOPLE: [&str; 3] = ["ada@example.org", "bob", "cid"];
pub const DATASETS: [&str; 2] = ["german-credit", "clicks"];
