//! What in a project's folder is Stemma's own or Git's: nobody tracks it.

use std::path::{Component, Path};

use stemma_core::name::tool_of_component;

/// Name of the file that says which content each tracked path has.
pub const LOCK_FILE: &str = "stemma.lock";
/// Name of the file with the newest head of each home that the project works with.
pub const HEADS_FILE: &str = "stemma.heads";

/// Whose a path inside the workspace is, in any spelling that some file system takes for it; `None` if it is the
/// project's.
pub fn owner_of(inside: &Path) -> Option<&'static str> {
    if [LOCK_FILE, HEADS_FILE].iter().any(|name| inside.as_os_str().eq_ignore_ascii_case(name)) {
        return Some("Stemma");
    }
    inside.components().find_map(|component| match component {
        Component::Normal(name) => tool_of_component(&name.to_string_lossy()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same letters, some of them large.
    fn spelt(name: &str, large: u32) -> String {
        let letter = |(at, letter): (usize, char)| match large >> (at % 32) & 1 {
            1 => letter.to_ascii_uppercase(),
            _ => letter,
        };
        name.chars().enumerate().map(letter).collect()
    }

    proptest! {
        #[test]
        fn ours_is_ours_in_every_spelling(large: u32, name in prop::sample::select(vec![LOCK_FILE, HEADS_FILE])) {
            prop_assert_eq!(owner_of(Path::new(&spelt(name, large))), Some("Stemma"));
            // of that name elsewhere a project may have its own
            prop_assert_eq!(owner_of(Path::new(&format!("data/{}", spelt(name, large)))), None);
        }

        #[test]
        fn a_folder_of_a_tool_is_reserved_at_any_depth(
            above in prop::collection::vec("[a-z]{1,5}", 0..4),
            tool in prop::sample::select(vec![".git", ".stemma"]),
            large: u32,
        ) {
            let path = above.iter().cloned().chain([spelt(tool, large), "x".to_owned()]).collect::<Vec<_>>().join("/");
            prop_assert!(owner_of(Path::new(&path)).is_some(), "{}", path);
            prop_assert_eq!(owner_of(Path::new(&above.join("/"))), None);
        }
    }
}
