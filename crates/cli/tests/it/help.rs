//! What a person reads before anything else.

use crate::desk::Desk;

/// Every command, found in the help itself, so that none is forgotten.
fn commands(desk: &Desk, above: &[&str]) -> Vec<String> {
    let help = desk.ok(&[above, &["--help"]].concat());
    let list = help.split_once("Commands:\n").map_or("", |(_, list)| list);
    let lines = list.lines().take_while(|line| !line.is_empty());
    lines
        .filter(|line| line.starts_with("  ") && !line.starts_with("    "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Options that every command has are shown in the main help only.
fn without_global_options(help: &str) -> &str {
    help.split("Global options:").next().unwrap_or(help).trim_end()
}

#[test]
fn the_main_help_is_this() {
    insta::assert_snapshot!("main", Desk::new().ok(&["--help"]));
}

#[test]
fn the_help_of_every_command_is_this() {
    let desk = Desk::new();
    let mut reference = String::new();
    for command in commands(&desk, &[]) {
        let mut calls = vec![vec![command.clone()]];
        for act in commands(&desk, &[&command]) {
            calls.push(vec![command.clone(), act]);
        }
        for call in calls {
            let mut arguments: Vec<&str> = call.iter().map(String::as_str).collect();
            arguments.push("--help");
            let help = desk.ok(&arguments);
            let help = without_global_options(&help);
            reference.push_str(&format!("===== stemma {}\n{help}\n\n", call.join(" ")));
        }
    }
    insta::assert_snapshot!("commands", reference);
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Desk::new().ok(&["completions", shell]);
        assert!(script.contains("endpoints") && script.contains("replay"), "{shell}");
    }
}
